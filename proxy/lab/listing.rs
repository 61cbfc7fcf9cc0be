//! What the lab can do, for whoever asks its front door.

use std::fmt::Write;

use serde_json::{Value, json};

use super::fault::{Needs, table};
use super::good::good;
use super::house::House;

impl std::fmt::Display for Needs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body(bytes) => write!(f, "a body of {bytes} bytes"),
            Self::Post => f.write_str("POST"),
            Self::Reuse => f.write_str("a reused connection: ask twice"),
            Self::Before => f.write_str("a first request, which is answered"),
            Self::Upgrade => f.write_str("Upgrade: websocket"),
            Self::Tls => f.write_str("an upstream with tls"),
            Self::Setting(name) => write!(f, "the setting {name}"),
        }
    }
}

fn needs(needs: &[Needs]) -> String {
    needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn place(house: &House, name: &str) -> String {
    house.places.get(name).map_or_else(|| "not available here".into(), ToString::to_string)
}

/// The listing and its media type, as `Accept` asks for.
pub(super) fn page(house: &House, accept: &str) -> (&'static str, String) {
    if accept.contains("text/html") {
        ("text/html; charset=utf-8", html(house))
    } else if accept.contains("json") {
        ("application/json", json(house))
    } else {
        ("text/plain; charset=utf-8", text(house))
    }
}

fn text(house: &House) -> String {
    let mut out = String::from("The fault lab of whodunit: an origin that fails on demand.\n\n");
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    for fault in table() {
        line(format!("{:<26} {}", fault.name, place(house, fault.name)));
        line(format!("{:<26} {} Expected: {}.", "", fault.title, fault.cause));
        if !fault.needs.is_empty() {
            line(format!("{:<26} Needs: {}.", "", needs(fault.needs)));
        }
    }
    line("\nSound behaviour:\n".into());
    for row in good() {
        line(format!("{:<26} {}", row.path, row.title));
    }
    out
}

fn json(house: &House) -> String {
    let faults: Vec<Value> = table()
        .iter()
        .map(|fault| {
            json!({
                "name": fault.name,
                "title": fault.title,
                "cause": fault.cause,
                "also": fault.also,
                "needs": fault.needs.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "place": house.places.get(fault.name).map(ToString::to_string),
            })
        })
        .collect();
    let good: Vec<Value> =
        good().iter().map(|row| json!({ "path": row.path, "title": row.title })).collect();
    format!("{:#}\n", json!({ "faults": faults, "good": good }))
}

/// All that goes into the page is ours: table rows, and addresses of our own.
fn html(house: &House) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>whodunit lab</title>\
         <style>:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem}\
         td,th{text-align:left;vertical-align:top;padding:.2rem 1rem .2rem 0}</style>\
         <h1>whodunit lab</h1><p>An origin that fails on demand.</p>\
         <table><tr><th>Fault<th>What happens<th>Expected cause<th>Needs</tr>\n",
    );
    for fault in table() {
        let link = place(house, fault.name);
        let name = fault.name;
        let named = if link.starts_with("http://") {
            format!("<a href=\"{link}\">{name}</a>")
        } else {
            format!("{name}<br>{link}")
        };
        writeln!(
            out,
            "<tr><td>{named}<td>{}<td><code>{}</code><td>{}</tr>",
            fault.title,
            fault.cause,
            needs(fault.needs)
        )
        .expect("a String takes everything");
    }
    out.push_str("</table><h2>Sound behaviour</h2><table>\n");
    for row in good() {
        writeln!(out, "<tr><td><code>{}</code><td>{}</tr>", row.path, row.title)
            .expect("a String takes everything");
    }
    out.push_str("</table></html>\n");
    out
}
