//! Our own member, being written.

use crate::attribution::evidence::{Evidence, Value};
use crate::attribution::exchange::Attempt;
use crate::attribution::key::Unit;
use crate::attribution::rfc9209::{ErrorType, Form};
use crate::attribution::text::plain;

/// The most bytes of one value that we write.
const MAX_TEXT: usize = 255;

/// How long most members are at the most.
const MEMBER: usize = 512;
/// The largest Integer (RFC 8941 section 3.3.1).
const MAX_INTEGER: u64 = 999_999_999_999_999;

/// A member being written. What cannot be represented is left out or made representable.
pub(super) struct Draft(String);

impl Draft {
    pub(super) fn new(node: &str) -> Self {
        let mut draft = Self(String::with_capacity(MEMBER));
        if is_token(node) {
            draft.0.push_str(node);
        } else {
            draft.quoted(node);
        }
        draft
    }

    fn put(&mut self, name: &'static str) {
        self.0.push(';');
        self.0.push_str(name);
        self.0.push('=');
    }

    pub(super) fn integer(&mut self, name: &'static str, value: u64) {
        if value <= MAX_INTEGER {
            self.put(name);
            self.0.push_str(itoa::Buffer::new().format(value));
        }
    }

    /// A Token that a peer may have had a hand in.
    pub(super) fn token(&mut self, name: &'static str, value: &str) {
        if is_token(value) {
            self.word(name, value);
        }
    }

    /// A Token of a vocabulary of ours.
    pub(super) fn word(&mut self, name: &'static str, value: &str) {
        debug_assert!(is_token(value), "{value}");
        self.put(name);
        self.0.push_str(value);
    }

    pub(super) fn string(&mut self, name: &'static str, value: &str) {
        self.put(name);
        self.quoted(value);
    }

    /// A String (RFC 8941 section 3.3.3): printable ASCII, bounded.
    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        if text.len() <= MAX_TEXT && plain(text) == text.len() {
            self.0.push_str(text);
        } else {
            for c in text.chars().take(MAX_TEXT) {
                match c {
                    '"' | '\\' => self.0.extend(['\\', c]),
                    ' '..='~' => self.0.push(c),
                    _ => self.0.push('?'),
                }
            }
        }
        self.0.push('"');
    }

    pub(super) fn way(&mut self, attempt: Option<&Attempt>, protocol: Option<&str>) {
        if let Some(attempt) = attempt {
            self.string("next-hop", &attempt.next_hop.text());
        }
        if let Some(protocol) = protocol {
            self.token("next-protocol", protocol);
        }
    }

    /// The parameters that RFC 9209 section 2.3 adds to an error type.
    pub(super) fn extra(&mut self, error: ErrorType, evidence: &Evidence, status: u16) {
        if error == ErrorType::HttpRequestError {
            self.integer("status-code", status.into());
            let phrase = http::StatusCode::from_u16(status).ok();
            if let Some(phrase) = phrase.and_then(|status| status.canonical_reason()) {
                self.string("status-phrase", phrase);
            }
        }
        for (name, key, form) in error.parameters() {
            match (form, evidence.find(*key)) {
                (Form::Integer, Some(Value::Number(number))) => self.integer(name, *number),
                (Form::Token, Some(Value::Text(word))) => self.token(name, word),
                (Form::String, Some(value @ (Value::Text(_) | Value::Number(_)))) => {
                    self.string(name, &value.words(Unit::Plain));
                }
                _ => {}
            }
        }
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Whether text is a Token (RFC 8941 section 3.3.4), and not too long for us.
fn is_token(text: &str) -> bool {
    let starts = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'*';
    let goes_on = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(byte);
    let bytes = text.as_bytes();
    bytes.first().is_some_and(starts) && bytes.len() <= MAX_TEXT && bytes.iter().all(goes_on)
}
