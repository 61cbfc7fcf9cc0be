//! The README's table of causes follows from the catalogue.

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
