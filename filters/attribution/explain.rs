//! What an error says, in plain words: who, what, why, how sure, and what to do next.
//!
//! It reads what people have at hand: the value of a `Proxy-Status` field, what `curl -i` or
//! `curl -v` printed, or records of the log. Pure functions; whoever calls them reads and prints.
//!
//! ```
//! use whodunit_filters::attribution::explain::explain;
//!
//! let told = explain("edge-1; error=connection_refused; next-hop=\"10.0.0.5:80\"; cause=connect_refused")
//!     .expect("it is a Proxy-Status");
//! assert!(told.unwell());
//! assert!(told.text().contains("Nothing accepts connections on 10.0.0.5:80."));
//! assert!(explain("a shopping list").is_none());
//! ```

mod account;
mod answer;
mod chain;
mod kind;
mod records;
mod render;
#[cfg(test)]
mod tests;

use serde::Serialize;

use super::cause;
use super::rfc9209::ErrorType;
use super::text::tidied;
use account::Account;
use answer::Answer;
use chain::Chain;
use records::Records;

/// What a text says about failures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// Answers, in the order in which they came.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    answers: Vec<Answer>,
    /// Records of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Records>,
    /// A single word of the catalogue or of RFC 9209.
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<Account>,
}

/// Explains a text; `None` when nothing in it can be understood.
#[must_use]
pub fn explain(text: &str) -> Option<Explanation> {
    let text = text.trim_start_matches('\u{feff}');
    let nothing = Explanation { answers: Vec::new(), log: None, word: None };
    let answers = answer::read(text);
    if !answers.is_empty() {
        return Some(Explanation { answers, ..nothing });
    }
    if let Some(log) = records::read(text) {
        return Some(Explanation { log: Some(log), ..nothing });
    }
    if let Some(word) = word(text.trim()) {
        return Some(Explanation { word: Some(word), ..nothing });
    }
    let chain = Chain::read(&answer::field(text))?;
    chain.speaks().then(|| Explanation { answers: vec![Answer::of(chain)], ..nothing })
}

impl Explanation {
    /// Whether it tells of an error.
    #[must_use]
    pub fn unwell(&self) -> bool {
        self.word.is_some()
            || self.answers.iter().any(Answer::unwell)
            || self.log.as_ref().is_some_and(Records::unwell)
    }

    /// For a person.
    #[must_use]
    pub fn text(&self) -> String {
        render::text(self)
    }

    /// For a program: one JSON object.
    #[must_use]
    pub fn json(&self) -> String {
        let mut value = serde_json::to_value(self).expect("it has only text for keys");
        value["unwell"] = self.unwell().into();
        let mut out = serde_json::to_string_pretty(&value).expect("JSON values can be written");
        out.push('\n');
        out
    }
}

/// A cause's id or an error type of RFC 9209, alone.
fn word(text: &str) -> Option<Account> {
    if let Some(row) = cause::find(text) {
        return Some(Account::of_cause(row));
    }
    text.parse::<ErrorType>().ok().map(Account::of_type)
}

/// The most characters of one thing that a peer may have had a hand in.
const MAX_TEXT: usize = 400;

/// Such a thing: bounded, on one line, and not deceiving.
fn tidy(text: &str) -> String {
    tidied(text, MAX_TEXT).into_owned()
}
