//! The life of the process: whom it runs as, how a successor takes over, how it ends.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whodunit_filters::units::Span;

use super::text::texts;

/// A user or a group of the system: its name, or its number in decimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Account {
    /// A name, such as `www-data`.
    Name(String),
    /// A number, such as `33`.
    Id(u32),
}

/// How a process hands its sockets to the one that follows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Takeover {
    /// The Unix socket at which `whodunit run --takeover` asks for them: an absolute path in a
    /// folder that belongs to the process's user and that nobody else may enter. Null: nobody can
    /// ask.
    pub path: Option<PathBuf>,
}

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shutdown {
    /// How long the process goes on as before once it was told to stop, with `/readyz` saying 503,
    /// so that a load balancer sends its requests elsewhere first.
    pub delay: Span,
    /// How long requests under way may take to end after that.
    pub grace: Span,
}

/// The numbers that are no account: `setuid` takes it for "as it is".
const NOBODY: u32 = u32::MAX;

impl FromStr for Account {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let inside = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let name = text.strip_suffix('$').unwrap_or(text);
        let start = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if start && text.len() <= 128 && name.bytes().all(inside) {
            return Ok(Self::Name(text.to_owned()));
        }
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        match text.parse() {
            Ok(id) if digits && id != NOBODY => Ok(Self::Id(id)),
            _ => Err(format!(
                "`{}` is no user or group: write its name, such as `www-data`, or its number in quotes",
                text.escape_debug()
            )),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { delay: Span::seconds(0), grace: Span::seconds(30) }
    }
}

texts! {
    Account: r"^([A-Za-z_][A-Za-z0-9._-]{0,126}\$?|[0-9]{1,10})$",
        "A user or a group of the system: its name, or its number in quotes.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_names_or_numbers() {
        for text in ["www-data", "_www", "host$", "0", "65534"] {
            assert_eq!(text.parse::<Account>().expect("an account").to_string(), text);
        }
        for bad in ["", "-1", "+1", "4294967295", "4294967296", "a b", "1a", "$", "a:b", "ä"] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
    }
}
