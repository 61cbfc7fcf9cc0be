//! Our own member, being written.

use sfv::{BareItem, Integer, KeyRef, ListSerializer, RefBareItem, StringRef, TokenRef};

use crate::attribution::evidence::{Evidence, Value};
use crate::attribution::exchange::Attempt;
use crate::attribution::key::Unit;
use crate::attribution::rfc9209::{ErrorType, Form};

/// The most bytes of one value that we write.
const MAX_TEXT: usize = 255;

/// A member being written. What cannot be represented is left out or made representable.
pub(super) struct Draft {
    params: Vec<(&'static KeyRef, BareItem)>,
    node: BareItem,
}

impl Draft {
    pub(super) fn new(node: &str) -> Self {
        let node = TokenRef::from_str(node)
            .ok()
            .filter(|token| token.as_str().len() <= MAX_TEXT)
            .map_or_else(|| text(node), BareItem::from);
        Self { params: Vec::with_capacity(16), node }
    }

    fn put(&mut self, name: &'static str, value: BareItem) {
        self.params.push((KeyRef::from_str(name).expect("our names are keys"), value));
    }

    pub(super) fn integer(&mut self, name: &'static str, value: u64) {
        if let Ok(value) = Integer::try_from(value) {
            self.put(name, value.into());
        }
    }

    pub(super) fn token(&mut self, name: &'static str, value: &str) {
        if let Some(value) = TokenRef::from_str(value).ok().filter(|t| t.as_str().len() <= MAX_TEXT)
        {
            self.put(name, value.into());
        }
    }

    pub(super) fn string(&mut self, name: &'static str, value: &str) {
        self.put(name, text(value));
    }

    pub(super) fn way(&mut self, attempt: Option<&Attempt>, protocol: Option<&str>) {
        if let Some(attempt) = attempt {
            self.string("next-hop", &attempt.next_hop.to_string());
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
        let mut list = ListSerializer::new();
        list.bare_item(&self.node)
            .parameters(self.params.iter().map(|(name, value)| (*name, RefBareItem::from(value))));
        list.finish().expect("it has one member")
    }
}

/// A String (RFC 8941 section 3.3.3): printable ASCII, bounded.
fn text(value: &str) -> BareItem {
    let printable: String = value
        .chars()
        .take(MAX_TEXT)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect();
    StringRef::from_str(&printable).expect("printable ASCII").into()
}
