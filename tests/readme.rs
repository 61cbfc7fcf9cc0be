//! The README's table of causes follows from the catalogue.

use std::fmt::Write;
use std::path::Path;

use whodunit_filters::attribution::cause::{CATALOGUE, Status};

const BEGIN: &str = "<!-- causes:begin -->\n";
const END: &str = "<!-- causes:end -->\n";

fn table() -> String {
    let mut table = String::from("| cause | who | status | meaning |\n|---|---|---|---|\n");
    for row in CATALOGUE.iter() {
        let status = match row.standard {
            Status::Code(code) => code.to_string(),
            Status::Pass => "as received".to_owned(),
            Status::Abort => "broken off".to_owned(),
            Status::CodeOrAbort(code) => format!("{code}, or broken off"),
            Status::Log(Some(code)) => format!("logged as {code}"),
            Status::Log(None) => "logged".to_owned(),
        };
        let meaning = row.meaning.replace('|', "\\|");
        writeln!(table, "| `{}` | {} | {status} | {meaning} |", row.id, row.party)
            .expect("a string can be written to");
    }
    table
}

#[test]
fn the_table_of_causes_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("the README can be read");
    let (before, rest) = readme.split_once(BEGIN).expect("the README marks where the table begins");
    let (written, after) = rest.split_once(END).expect("the README marks where the table ends");
    let fresh = table();
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
