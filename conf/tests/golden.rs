//! What people are told about configurations: about each file of `bad/`, as `check` shows it, and
//! nothing about those of `good/`. After a
//! wanted change: `cargo insta review`, or delete the file in `golden/` and run this again with
//! `INSTA_UPDATE=always`.

use std::fs;
use std::path::Path;

#[test]
fn every_bad_configuration_is_told_as_agreed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut names: Vec<String> = fs::read_dir(folder.join("bad"))
        .expect("the folder is there")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name"))
        .collect();
    names.sort();
    assert!(names.len() >= 25);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder.join("golden"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let text = fs::read_to_string(folder.join("bad").join(&name)).expect("readable");
            let problems = whodunit_conf::parse(&text, &name).expect_err(&name);
            let places = problems.json().as_array().map_or(0, Vec::len);
            assert_eq!(places, problems.list().len());
            insta::assert_snapshot!(name.trim_end_matches(".yaml"), problems.render(false));
        }
    });
}

#[test]
fn nothing_is_told_about_good_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/good");
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("readable");
        let name = path.display().to_string();
        let checked = whodunit_conf::parse(&text, &name);
        let checked = checked.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        assert!(checked.warnings.list().is_empty(), "{}", checked.warnings.render(false));
    }
}
