//! The texts of a configuration that have a form of their own: names and patterns.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What every text with a form of its own has: it is read by `FromStr`, written by `Display`, and
/// described in the schema under its own name, by which [`crate::walk`] finds its reader.
macro_rules! texts {
    ($($type:ident: $pattern:literal, $says:literal;)+) => {
        $(
            impl TryFrom<String> for $type {
                type Error = String;
                fn try_from(text: String) -> Result<Self, String> { text.parse() }
            }
            impl From<$type> for String {
                fn from(value: $type) -> Self { value.to_string() }
            }
            impl schemars::JsonSchema for $type {
                fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($type).into() }
                fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                    schemars::json_schema!({ "type": "string", "pattern": $pattern, "description": $says })
                }
            }
        )+
    };
}
pub(crate) use texts;

/// The hosts of a route: `app.example.net`, or `*.example.net` for every name below it (but not
/// `example.net` itself). Kept in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Host(String);

/// The paths of a route: those that begin with these bytes. `/api` takes `/apis` too, `/api/` does
/// not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// A name for an upstream, a route or a node: letters, digits, `.`, `_`, `-`; at most 128 bytes,
/// for it stands in headers, log records and metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A host name to send as SNI and to look for in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);

/// Whether this is a host name as DNS has it; underscores are common and let through.
pub(crate) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let inside = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(inside)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Whether the last label is a number, as in an IPv4 address with a slip in it.
pub(crate) fn ends_in_number(text: &str) -> bool {
    text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}

impl FromStr for Host {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        let v6 = lower.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if is_host(name) || v6.is_some_and(|v6| v6.parse::<Ipv6Addr>().is_ok()) {
            return Ok(Self(lower));
        }
        let hint = if text.contains("://") {
            "write the host alone, without a scheme"
        } else if text.contains(':') {
            "write the host alone, without a port"
        } else if text.contains('*') {
            "`*` stands for whole labels at the front only, as in `*.example.net`"
        } else {
            "write `app.example.net` or `*.example.net`"
        };
        Err(format!("`{}` is not a host: {hint}", text.escape_debug()))
    }
}

impl FromStr for Prefix {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hint = if !text.starts_with('/') {
            "it must begin with `/`"
        } else if text.contains(['?', '#']) {
            "routes look at the path only, not at the query"
        } else if text.contains('*') {
            "it is a prefix already; leave the `*` out"
        } else if text.bytes().any(|b| !b.is_ascii_graphic()) {
            "it is compared in its encoded form, so spaces and the like must be percent-encoded"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("`{}` is not a path prefix: {hint}", text.escape_debug()))
    }
}

impl FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let start = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if start && text.len() <= 128 && text.bytes().all(inside) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{}` is not a name: use letters, digits, `.`, `_` and `-`, 128 at most, a letter or digit first",
            text.escape_debug()
        ))
    }
}

impl FromStr for ServerName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if is_host(text) && !ends_in_number(text) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        let hint = "SNI carries a host name, never an address or a port (RFC 6066 section 3)";
        Err(format!("`{}` is not a server name: {hint}", text.escape_debug()))
    }
}

impl Host {
    /// Whether it is one host and not all below a name.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.starts_with('*')
    }
}

texts! {
    Host: r"^(\*\.)?[^*/ ]+$", "A host, such as `app.example.net`, or `*.example.net`.";
    Prefix: r"^/[^?#* ]*$", "The beginning of a path, such as `/api/`.";
    Name: r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "A name of letters, digits, `.`, `_` and `-`.";
    ServerName: r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", "A host name, such as `api.internal`.";
}

/// The texts that are kept as they were written.
macro_rules! plain {
    ($($type:ident)+) => {
        $(
            impl $type {
                /// The text.
                #[must_use]
                pub fn as_str(&self) -> &str { &self.0 }
            }
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
            }
        )+
    };
}
plain! { Host Prefix Name ServerName }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_all_below_one() {
        for (good, exact) in [("*.Example.net", false), ("example.net", true), ("[::1]", true)] {
            let host: Host = good.parse().expect("a host");
            assert_eq!((host.as_str(), host.is_exact()), (&*good.to_ascii_lowercase(), exact));
        }
        for bad in ["", "*", "a.*.net", "x:80", "http://x", "*.", "[::1", "-a.net", "*.[::1]"] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
