//! What makes a record safe to write: no secrets, no text without bounds, nothing that deceives a
//! reader of lines.

use std::borrow::Cow;

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
    request: &'a RequestFacts,
    redact: &'a Redact,
    /// The request's host without secrets.
    pub(super) host: &'a str,
    /// Its path, likewise.
    pub(super) path: Cow<'a, str>,
}

impl<'a> Clean<'a> {
    pub(super) fn new(request: &'a RequestFacts, redact: &'a Redact) -> Self {
        let (host, path) = (redact.host(&request.host), redact.path(&request.path));
        Self { request, redact, host, path }
    }

    /// Words that may quote the request's host and path.
    pub(super) fn words<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        if self.host != self.request.host {
            text = text.replace(&self.request.host, self.host).into();
        }
        if self.path != self.request.path {
            text = text.replace(&self.request.path, &self.path).into();
        }
        if text.len() > MAX_TEXT { short(&text).into() } else { text }
    }

    pub(super) fn evidence(&self, evidence: &Evidence) -> Evidence {
        evidence.map(|key, value| self.value(key, value))
    }

    fn value(&self, key: Key, value: &Value) -> Value {
        match value {
            Value::Text(text) if key == Key::Host => short(self.redact.host(text)).into(),
            Value::Text(text) if key == Key::Path => short(&self.redact.path(text)).into(),
            Value::Text(text) => match self.words(text) {
                Cow::Borrowed(_) => value.clone(),
                Cow::Owned(words) => words.into(),
            },
            Value::List(list) => {
                let words = list.iter().take(MAX_LIST).map(|text| self.words(text).into_owned());
                words.collect::<Vec<_>>().into()
            }
            Value::Number(_) | Value::Flag(_) => value.clone(),
        }
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
