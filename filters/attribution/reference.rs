//! The catalogue for people: what `whodunit causes` prints and what the documentation holds.
//! Pure functions; whoever calls them prints.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};

use super::cause::{Again, CATALOGUE, Cause, Row, Status};
use super::diagnosis::Diagnosis;
use super::evidence::Party;

/// Who may have failed, in the order in which the catalogue is told.
const PARTIES: [(Party, &str); 5] = [
    (Party::Client, "The client"),
    (Party::Proxy, "This proxy"),
    (Party::Network, "The network"),
    (Party::NextHop, "A proxy behind this one"),
    (Party::Origin, "The origin"),
];

/// One line for each cause, as text: who, id, phase, status, and what it means.
#[must_use]
pub fn list() -> String {
    let width = CATALOGUE.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (party, title) in PARTIES {
        let _ = writeln!(out, "{title} ({party}):");
        for row in rows(party) {
            let Row { id, phase, .. } = row;
            let meaning = first_sentence(row.meaning);
            let _ = writeln!(out, "  {id:width$}  {phase:8} {:11} {meaning}", short(row.standard));
        }
        out.push('\n');
    }
    out.push_str("`whodunit causes ID` tells all about one of them.\n");
    out
}

/// One cause whole, as text.
#[must_use]
pub fn entry(cause: Cause) -> String {
    let mut out = format!("{}\n\n{}\n\n", cause.id, cause.meaning);
    let error = cause.error.map_or("none", super::ErrorType::as_str);
    for (name, value) in [
        ("who", cause.party.as_str().to_owned()),
        ("when", cause.phase.as_str().to_owned()),
        ("RFC 9209 error", error.to_owned()),
        ("status", status(cause.standard)),
        ("Cloudflare's", status(cause.cloudflare)),
        ("try again", again(cause.again)),
        ("proved by", evidence(cause)),
    ] {
        let _ = writeln!(out, "  {name:15} {value}");
    }
    let example = example(cause);
    let _ = write!(
        out,
        "\nIt says, for example:\n  {}\n\nWhat to do:\n  {}\n",
        example.says, example.remedy
    );
    if !cause.elsewhere.is_empty() {
        out.push_str("\nElsewhere it is called:\n");
        let width = cause.elsewhere.iter().map(|(system, _)| system.len()).max().unwrap_or(0);
        for (system, word) in cause.elsewhere {
            let _ = writeln!(out, "  {system:width$}  {word}");
        }
    }
    out
}

/// The whole catalogue as a JSON array, in order of precedence.
#[must_use]
pub fn json() -> String {
    pretty(&CATALOGUE.iter().map(|row| object(row)).collect::<Vec<_>>().into())
}

/// One cause as a JSON object.
#[must_use]
pub fn entry_json(cause: Cause) -> String {
    pretty(&object(cause))
}

/// The whole catalogue as a page of Markdown: a table for each party.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Causes\n\nEvery cause that a verdict can name. `whodunit causes ID` tells all about one of them: \
         the evidence that proves it, what to do, and what other systems call it.\n\n\
         This page is generated from the catalogue in `filters/attribution/cause/`.\n",
    );
    for (party, title) in PARTIES {
        let _ = write!(
            out,
            "\n## {title}\n\n| id | who | when | status | meaning |\n|---|---|---|---|---|\n"
        );
        for row in rows(party) {
            let Row { id, phase, .. } = row;
            let (status, meaning) = (status(row.standard), cell(row.meaning));
            let _ = writeln!(out, "| `{id}` | {party} | {phase} | {status} | {meaning} |");
        }
    }
    out
}

/// One cause as Markdown.
#[must_use]
pub fn entry_markdown(cause: Cause) -> String {
    let mut out = format!("## `{}`\n\n{}\n\n", cause.id, cause.meaning);
    let error = cause.error.map_or_else(|| "none".to_owned(), |error| format!("`{error}`"));
    let _ = write!(
        out,
        "| who | when | RFC 9209 error | status | Cloudflare's | try again | proved by |\n\
         |---|---|---|---|---|---|---|\n| {} | {} | {error} | {} | {} | {} | {} |\n\n",
        cause.party,
        cause.phase,
        status(cause.standard),
        status(cause.cloudflare),
        again(cause.again),
        evidence(cause),
    );
    let example = example(cause);
    let _ = writeln!(out, "**It says, for example:** {}\n", example.says);
    let _ = writeln!(out, "**What to do:** {}", example.remedy);
    if !cause.elsewhere.is_empty() {
        out.push_str("\n| elsewhere | it is called |\n|---|---|\n");
        for (system, word) in cause.elsewhere {
            let _ = writeln!(out, "| {} | {} |", cell(system), cell(word));
        }
    }
    out
}

/// The short table that the README holds: id, who, status, and the gist.
#[must_use]
pub fn readme_table() -> String {
    let mut out = String::from("| cause | who | status | meaning |\n|---|---|---|---|\n");
    for (party, _) in PARTIES {
        for row in rows(party) {
            let (status, meaning) = (short(row.standard), cell(first_sentence(row.meaning)));
            let _ = writeln!(out, "| `{}` | {party} | {status} | {meaning} |", row.id);
        }
    }
    out
}

fn rows(party: Party) -> impl Iterator<Item = Cause> {
    CATALOGUE.iter().copied().filter(move |row| row.party == party)
}

fn object(row: &Row) -> Json {
    let elsewhere: Vec<Json> = row
        .elsewhere
        .iter()
        .map(|(system, word)| json!({ "system": system, "word": word }))
        .collect();
    json!({
        "id": row.id,
        "party": row.party,
        "phase": row.phase,
        "error": row.error,
        "status": row.standard.code(),
        "answer": status(row.standard),
        "cloudflare": row.cloudflare.code(),
        "retry": row.again != Again::Never,
        "retry_after": match row.again { Again::After(seconds) => Some(seconds), _ => None },
        "meaning": row.meaning,
        "says": row.says,
        "remedy": row.remedy,
        "details": row.details,
        "proof": row.proof,
        "elsewhere": elsewhere,
    })
}

fn pretty(json: &Json) -> String {
    let mut text = serde_json::to_string_pretty(json).expect("JSON values can be written");
    text.push('\n');
    text
}

fn status(status: Status) -> String {
    match status {
        Status::Code(code) => code.to_string(),
        Status::Pass => "as received".to_owned(),
        Status::Abort => "broken off".to_owned(),
        Status::CodeOrAbort(code) => format!("{code}, or broken off"),
        Status::Log(Some(code)) => format!("logged as {code}"),
        Status::Log(None) => "logged only".to_owned(),
    }
}

/// The same in at most seven characters.
fn short(status: Status) -> String {
    match status {
        Status::Code(code) | Status::CodeOrAbort(code) | Status::Log(Some(code)) => {
            code.to_string()
        }
        Status::Pass => "as received".to_owned(),
        Status::Abort => "aborted".to_owned(),
        Status::Log(None) => "none".to_owned(),
    }
}

fn again(again: Again) -> String {
    match again {
        Again::Never => "of no use before something has changed".to_owned(),
        Again::Now => "at once".to_owned(),
        Again::After(1) => "after a second".to_owned(),
        Again::After(seconds) => format!("after {seconds} seconds"),
    }
}

fn evidence(row: &Row) -> String {
    let keys: Vec<String> = row.proof.iter().map(|key| key.as_str().replace('_', " ")).collect();
    keys.join(", ")
}

/// The verdict on the row's witness: words with facts in them read better than a template.
fn example(row: &Row) -> Diagnosis {
    Diagnosis::of(&(row.witness)()).expect("a witness tells of a failure")
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.')
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests;
