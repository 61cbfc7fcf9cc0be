use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// A file of the repository; `None` in a packaged crate, which stands alone.
fn repository(file: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
    workspace.contains("\"filters/pingora\"").then(|| root.join(file))
}

/// Holds a generated text against the file it belongs in, or writes it there on demand.
fn hold(file: &Path, written: &str, generated: &str) {
    if std::env::var_os("WHODUNIT_BLESS").is_some_and(|wish| wish == "1") {
        fs::write(file, generated).expect("the repository can be written to");
    } else {
        assert!(
            written == generated,
            "{} is out of date; `WHODUNIT_BLESS=1 cargo test -p whodunit-filters` writes it anew",
            file.display()
        );
    }
}

#[test]
fn the_reference_page_is_up_to_date() {
    if let Some(file) = repository("docs/causes.md") {
        hold(&file, &fs::read_to_string(&file).unwrap_or_default(), &markdown());
    }
}

#[test]
fn the_table_in_the_readme_is_up_to_date() {
    let Some(file) = repository("README.md") else { return };
    let Ok(readme) = fs::read_to_string(&file) else { return };
    let (begin, end) = ("<!-- causes:begin -->", "<!-- causes:end -->");
    let (before, rest) = readme.split_once(begin).expect("the README marks where the table begins");
    let (_, after) = rest.split_once(end).expect("the README marks where the table ends");
    let generated = format!("{before}{begin}\n{}{end}{after}", readme_table());
    hold(&file, &readme, &generated);
}

#[test]
fn every_cause_stands_once_in_every_form() {
    let everything: Json = serde_json::from_str(&json()).expect("valid JSON");
    assert_eq!(everything.as_array().map(Vec::len), Some(CATALOGUE.len()));
    for row in CATALOGUE.iter() {
        assert_eq!(list().matches(&format!("  {} ", row.id)).count(), 1, "{row:?}");
        assert_eq!(markdown().matches(&format!("| `{}` |", row.id)).count(), 1, "{row:?}");
        assert_eq!(readme_table().matches(&format!("| `{}` |", row.id)).count(), 1, "{row:?}");
        let one: Json = serde_json::from_str(&entry_json(row)).expect("valid JSON");
        assert_eq!(one["id"], row.id);
    }
}

#[test]
fn tables_have_no_stray_columns() {
    let tables = [markdown(), readme_table()].concat();
    for line in tables.lines().filter(|line| line.starts_with('|')) {
        let columns = line.replace("\\|", "").matches('|').count();
        assert!(columns == 6 || columns == 5, "{line}");
    }
}

#[test]
fn one_entry_reads_well() {
    let row = crate::attribution::cause::find("connect_refused").expect("a row");
    let expected = "\
connect_refused

The origin's machine answered at once that nothing accepts connections on this port.

  who             origin
  when            connect
  RFC 9209 error  connection_refused
  status          502
  Cloudflare's    521
  try again       after 5 seconds
  proved by       errno

It says, for example:
  Nothing accepts connections on 192.0.2.1:8080.

What to do:
  Start the service, or correct the port in upstream `web`.

Elsewhere it is called:
  nginx ";
    assert!(entry(row).starts_with(expected), "{}", entry(row));
    assert!(entry_markdown(row).contains("**What to do:** Start the service"));
}
