//! `Proxy-Status` (RFC 9209), read and written. It is a Structured Field (RFC 8941): what was
//! received is parsed before anything is appended to it, for a broken field would break ours too.

mod draft;
mod heard;

use serde::ser::{Serialize, SerializeMap, Serializer};
use sfv::{List, ListEntry, ListSerializer, Parser, Version};

use super::diagnosis::Diagnosis;
use super::disclosure::Disclosure;
use super::exchange::{Attempt, Exchange};
use super::key::Key;
use super::rfc9209::ErrorType;
use draft::Draft;

/// The most members that a field is read or sent with.
pub const MAX_MEMBERS: usize = 16;
/// The most bytes that a field is read or sent with.
pub const MAX_BYTES: usize = 4 * 1024;

/// What one hop said.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The hop, by the name that its deployment goes by.
    pub name: String,
    /// Its parameters in order, each name once.
    pub params: Vec<(String, Param)>,
}

/// The value of a parameter (RFC 8941 section 3.3).
#[derive(Clone, Debug, PartialEq)]
pub enum Param {
    /// An Integer.
    Integer(i64),
    /// A Decimal.
    Decimal(f64),
    /// A String.
    String(String),
    /// A Token.
    Token(String),
    /// A Byte Sequence.
    Bytes(Vec<u8>),
    /// A Boolean.
    Flag(bool),
}

/// A field that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Received {
    /// Its members; the hop next to the origin stands first.
    pub members: Vec<Member>,
    /// How many older members were left out for want of room.
    pub dropped: usize,
}

/// Why a received field is not believed and not forwarded: it is no List, holds a type that
/// RFC 8941 does not know, or a member that is neither Token nor String.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The field to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its value; ours is the last member.
    pub value: String,
    /// How many older members were left out for want of room.
    pub dropped: usize,
    /// Whether what was received did not parse, and so was left out as a whole.
    pub rejected: bool,
}

impl Member {
    /// The parameter of this name.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The same as text, if it is a String or a Token.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.param(name)? {
            Param::String(text) | Param::Token(text) => Some(text),
            _ => None,
        }
    }

    /// The same as a number, if it is an Integer.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.param(name)? {
            Param::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no Proxy-Status (RFC 9209)")
    }
}
impl std::error::Error for Malformed {}

/// As a JSON object: `{"name": "edge-1", "params": {"error": "dns_timeout", …}}`.
impl Serialize for Member {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Params<'a>(&'a [(String, Param)]);
        impl Serialize for Params<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
            }
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("params", &Params(&self.params))?;
        map.end()
    }
}

/// As plain JSON: numbers, text and `true` or `false`; bytes as text, what is not UTF-8 replaced.
impl Serialize for Param {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Decimal(number) => serializer.serialize_f64(*number),
            Self::String(text) | Self::Token(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_str(&String::from_utf8_lossy(bytes)),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

/// Reads a field; several lines of it are to be joined by commas before (RFC 9110 section 5.3).
///
/// # Errors
/// When any of it is no valid `Proxy-Status`: then none of it counts (RFC 8941 section 4.2).
pub fn read(field: &str) -> Result<Received, Malformed> {
    if field.is_empty() {
        return Ok(Received::default());
    }
    let members = heard::members(field)?;
    let dropped = surplus(field, members.len(), MAX_MEMBERS, MAX_BYTES);
    Ok(Received { members: members.into_iter().skip(dropped).collect(), dropped })
}

/// The field to send: what was received, and our own member after it.
#[must_use]
pub fn append(received: Option<&str>, ours: &str) -> Field {
    let received = received.unwrap_or_default();
    if received.is_empty() {
        return Field { value: ours.to_owned(), dropped: 0, rejected: false };
    }
    let Ok(members) = heard::members(received) else {
        return Field { value: ours.to_owned(), dropped: 0, rejected: true };
    };
    let room = MAX_BYTES.saturating_sub(ours.len() + 2);
    let dropped = surplus(received, members.len(), MAX_MEMBERS - 1, room);
    // As it came, if nothing has to go; spelled anew otherwise.
    let kept = if dropped == 0 && received.len() <= room {
        received.trim_matches([' ', '\t']).to_owned()
    } else {
        written(&parsed(received)[dropped..])
    };
    let value = if kept.is_empty() { ours.to_owned() } else { format!("{kept}, {ours}") };
    Field { value, dropped, rejected: false }
}

/// A field that was read before, to be spelled anew.
fn parsed(field: &str) -> List {
    let parser = Parser::new(field).with_version(Version::Rfc8941);
    parser.parse().expect("it was read before")
}

fn written(members: &[ListEntry]) -> String {
    let mut list = ListSerializer::new();
    list.members(members);
    list.finish().unwrap_or_default()
}

/// How many of the `count` members of a field must go from the front to leave at most so many of
/// them and bytes.
fn surplus(field: &str, count: usize, members: usize, bytes: usize) -> usize {
    // Spelled anew, no member takes so much more room.
    if count <= members && field.len() <= bytes / 4 {
        return 0;
    }
    let mut left = bytes + 2;
    let list = parsed(field);
    let kept = list.iter().rev().take(members).take_while(|entry| {
        let length = written(std::slice::from_ref(*entry)).len() + 2;
        let fits = length <= left;
        left = left.saturating_sub(length);
        fits
    });
    count - kept.count()
}

/// Our own member for a verdict. `status` is the one that the client is sent.
#[must_use]
pub fn member(
    node: &str,
    exchange: &Exchange,
    diagnosis: &Diagnosis,
    status: u16,
    disclosure: Disclosure,
) -> String {
    let mut member = Draft::new(node);
    let full = disclosure == Disclosure::Full;
    if diagnosis.passes() {
        member.integer("received-status", exchange.upstream_status.unwrap_or(status).into());
    } else {
        // A generated answer without a registered error type would pass for a forwarded one.
        let error = diagnosis.cause.error.unwrap_or(ErrorType::ProxyInternalResponse);
        member.word("error", error.as_str());
        if full {
            member.extra(error, &diagnosis.evidence, status);
        }
    }
    if full {
        member.way(judged(exchange, diagnosis), diagnosis.evidence.text(Key::Selected));
        member.string("details", &diagnosis.details);
    }
    member.word("cause", diagnosis.cause.id);
    member.word("party", diagnosis.party.as_str());
    if full {
        member.word("phase", diagnosis.phase.as_str());
        member.word("certainty", diagnosis.certainty.as_str());
        if let Some(scope) = diagnosis.scope {
            member.word("scope", scope.as_str());
        }
        member.word("sent", diagnosis.sent.as_str());
        if exchange.attempts_made() > 1 {
            member.integer("attempts", exchange.attempts_made() as u64);
        }
    }
    member.string("ref", exchange.id.as_str());
    member.finish()
}

/// Our own member for an answer that nothing is wrong with (`diagnosis.on: all`).
#[must_use]
pub fn passing(node: &str, exchange: &Exchange, status: u16, disclosure: Disclosure) -> String {
    let mut member = Draft::new(node);
    member.integer("received-status", exchange.upstream_status.unwrap_or(status).into());
    if disclosure == Disclosure::Full {
        member.way(exchange.last_attempt(), None);
        if exchange.attempts_made() > 1 {
            member.integer("attempts", exchange.attempts_made() as u64);
        }
    }
    member.string("ref", exchange.id.as_str());
    member.finish()
}

/// Our own member for an answer that was made here and is no error: it has neither `error` nor
/// `received-status`.
#[must_use]
pub fn own(node: &str, exchange: &Exchange) -> String {
    let mut member = Draft::new(node);
    member.string("ref", exchange.id.as_str());
    member.finish()
}

/// The attempt that the verdict is about, or the last one.
pub(crate) fn judged<'e>(exchange: &'e Exchange, diagnosis: &Diagnosis) -> Option<&'e Attempt> {
    let judged = diagnosis.attempt.and_then(|n| exchange.attempts().nth(n));
    judged.or_else(|| exchange.last_attempt())
}

#[cfg(test)]
mod tests;
