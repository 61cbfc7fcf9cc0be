//! What a piece of evidence says: a number, words, or yes and no.

use std::borrow::Cow;

use super::key::Unit;

/// The value of one piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number, in the key's unit.
    Number(u64),
    /// Words. Whatever a peer sent must have been bounded before; it is escaped when rendered.
    Text(Cow<'static, str>),
    /// Several words.
    List(Vec<String>),
    /// Yes or no.
    Flag(bool),
}

impl Value {
    /// In words for a person: `70,012 bytes`, `1.2 s`, `a, b and c`.
    #[must_use]
    pub fn words(&self, unit: Unit) -> String {
        let mut out = String::new();
        self.tell(unit, &mut out);
        out
    }

    /// Puts the same behind what is there.
    pub(super) fn tell(&self, unit: Unit, out: &mut String) {
        match self {
            Self::Number(n) => unit.tell(*n, out),
            Self::Text(text) => out.push_str(text),
            Self::List(items) => match items.as_slice() {
                [] => out.push_str("none"),
                [one] => out.push_str(one),
                [rest @ .., last] => out.extend([&rest.join(", "), " and ", last]),
            },
            Self::Flag(true) => out.push_str("yes"),
            Self::Flag(false) => out.push_str("no"),
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}
impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Number(number as u64)
    }
}
impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Number(number.into())
    }
}
impl From<std::time::Duration> for Value {
    /// In milliseconds.
    fn from(duration: std::time::Duration) -> Self {
        Self::Number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}
impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}
impl From<Cow<'static, str>> for Value {
    fn from(text: Cow<'static, str>) -> Self {
        Self::Text(text)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}
impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}
impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}
