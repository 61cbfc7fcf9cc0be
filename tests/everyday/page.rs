//! The table as a page to read, made from the rows: `docs/everyday.md`.

use std::fmt::Write;
use std::path::Path;

use super::row::Row;
use super::{BESIDE, rows};

const INTRODUCTION: &str = "\
# Everyday requests

Each of these goes to nginx and to whodunit with its default settings, before the same origin. \
What the client gets (status, fields, body, connection kept or closed) and what the origin gets \
(request line, fields, body) are compared. The tests do that on every run, and this page is made from their \
table: a difference that is not listed fails them, and so does a listed one that is gone.

Not compared is what may differ between any two gateways: `Date` and `Server`; `Via`, \
`X-Forwarded-*`, `CDN-Loop`, `X-Request-Id` and the like, by which a gateway says that it was \
there; the fields of one connection; the case and the order of fields; and what a gateway's own \
answer says beside its status.

nginx is set up with `proxy_http_version 1.1`, `Connection \"\"`, `Host $http_host`, keep-alive to \
the origin, no buffering, room for large fields, and `Location`, `Date` and `Server` passed on.
";

fn page() -> String {
    let parts = rows::parts();
    let all: Vec<&Row> = parts.iter().flat_map(|(_, rows)| rows).collect();
    let different = all.iter().filter(|row| !row.differences.is_empty()).count();
    let mut page = format!(
        "{INTRODUCTION}\n{} requests, {} of them with a difference (beside nginx {BESIDE}).\n",
        all.len(),
        different
    );
    for (title, rows) in &parts {
        write!(
            page,
            "\n## {title}\n\n| request | | nginx | whodunit | why |\n|---|---|---|---|---|\n"
        )
        .expect("a string takes it");
        for row in rows {
            let (theirs, ours): (Vec<_>, Vec<_>) = row
                .differences
                .iter()
                .map(|d| (told(&d.what, &d.theirs), told(&d.what, &d.ours)))
                .unzip();
            let verdict = if theirs.is_empty() { "same" } else { "**different**" };
            let (theirs, ours) = (theirs.join("<br>"), ours.join("<br>"));
            writeln!(page, "| {} | {verdict} | {theirs} | {ours} | {} |", row.name, row.why)
                .expect("a string takes it");
        }
    }
    page
}

fn told(what: &str, value: &str) -> String {
    format!("{what}: {}", value.replace('|', "\\|"))
}

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/everyday.md");
    let fresh = page();
    if std::env::var_os("WHODUNIT_BLESS").is_some() {
        std::fs::write(&path, fresh).expect("the page can be written");
    } else {
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            written, fresh,
            "stale; `WHODUNIT_BLESS=1 cargo test --test blackbox everyday::page` writes it anew"
        );
    }
}
