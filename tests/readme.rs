//! The README is true: its table of causes follows from the catalogue, its configuration is right.

use std::path::Path;

use whodunit_filters::attribution::reference::readme_table;

const BEGIN: &str = "<!-- causes:begin -->\n";
const END: &str = "<!-- causes:end -->\n";

#[test]
fn the_table_of_causes_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README can be read");
    let (before, rest) = readme.split_once(BEGIN).expect("the README marks where the table begins");
    let (written, after) = rest.split_once(END).expect("the README marks where the table ends");
    let fresh = readme_table();
    if std::env::var_os("WHODUNIT_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{fresh}{END}{after}"))
            .expect("the README can be written");
    } else {
        assert_eq!(
            written, fresh,
            "stale; `WHODUNIT_BLESS=1 cargo test --test blackbox readme` writes it anew"
        );
    }
}

#[test]
fn the_configuration_is_right_and_has_ten_lines_at_most() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```yaml\n").expect("the README shows a configuration");
    let (yaml, _) = rest.split_once("```").expect("the configuration ends");
    assert!(yaml.lines().count() <= 10, "{yaml}");
    let checked = whodunit_conf::parse(yaml, "README.md");
    let checked = checked.unwrap_or_else(|problems| panic!("{}", problems.render(false)));
    assert!(checked.warnings.is_empty(), "{}", checked.warnings.render(false));
}
