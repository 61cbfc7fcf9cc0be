//! What makes a record safe to write: no secrets, no text without bounds, nothing that deceives a
//! reader of lines.

use std::fmt::Write;

use crate::attribution::evidence::{Evidence, Value};
use crate::attribution::exchange::RequestFacts;
use crate::attribution::key::Key;
use crate::attribution::redact::Redact;

/// The most bytes of any one string in a record.
pub const MAX_TEXT: usize = 2 * 1024;
/// The most entries of a list.
const MAX_LIST: usize = 32;

/// Takes secrets out of what was made from a request, and bounds it.
pub(super) struct Clean<'a> {
    pub(super) request: &'a RequestFacts,
    pub(super) redact: &'a Redact,
}

impl Clean<'_> {
    /// Words that may quote the request's host and path.
    pub(super) fn words(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let host = self.redact.host(&self.request.host);
        if host != self.request.host {
            text = text.replace(&self.request.host, host);
        }
        let path = self.redact.path(&self.request.path);
        if path != self.request.path.as_str() {
            text = text.replace(&self.request.path, &path);
        }
        short(&text)
    }

    pub(super) fn evidence(&self, evidence: &Evidence) -> Evidence {
        let mut clean = Evidence::new();
        for (key, value) in evidence.iter() {
            match value {
                Value::Text(text) if key == Key::Host => {
                    clean.set(key, short(self.redact.host(text)));
                }
                Value::Text(text) if key == Key::Path => {
                    clean.set(key, short(&self.redact.path(text)));
                }
                Value::Text(text) => clean.set(key, self.words(text)),
                Value::List(list) => clean.set(
                    key,
                    list.iter().take(MAX_LIST).map(|text| self.words(text)).collect::<Vec<_>>(),
                ),
                value => clean.set(key, value.clone()),
            }
        }
        clean
    }
}

/// At most [`MAX_TEXT`] bytes; `…` marks what was cut.
pub(super) fn short(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_TEXT - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// JSON without characters that deceive; in JSON they stand inside strings only.
pub(super) fn escaped(json: String) -> String {
    if !json.contains(deceives) {
        return json;
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if deceives(c) {
            write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes all");
        } else {
            out.push(c);
        }
    }
    out
}

/// Text that a peer may have had a hand in: on one line, not deceiving, and no longer than this
/// many characters.
pub(in crate::attribution) fn tidied(text: &str, most: usize) -> String {
    let mut out: String = text
        .chars()
        .take(most)
        .map(|c| if deceives(c) { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if text.chars().nth(most).is_some() {
        out.push('…');
    }
    out
}

/// Whether a character could make a reader take one line for two, or see text out of order.
/// All of them are in the basic plane, so that one `\u` escape holds each.
pub(in crate::attribution) const fn deceives(c: char) -> bool {
    matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
