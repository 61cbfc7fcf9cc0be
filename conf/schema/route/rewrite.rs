//! `rewrite`: what the upstream is asked for in place of what the client asked for.

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::matching::{ExactPath, Pattern};
use crate::schema::text::texts;

/// What the upstream is asked for in place of what the client asked for. The query stays as it
/// came, and records show the path that the client asked for. A pattern replaces what it fits in the
/// form of the path that routes are chosen by; what follows a prefix stays as it was sent, unless it
/// has a `..`, which is resolved first. A path of which it cannot be said whether it has one, such as
/// `/a/..%2Fb`, is refused with 400.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rewrite {
    /// What stands in place of what `match.path` or `match.path_exact` fits, with one `/` between
    /// it and the rest; without them, in front of the path.
    pub prefix: Option<ExactPath>,
    /// The pattern whose every fit in the path is replaced by `to`. Default: `match.path_regex`.
    pub regex: Option<Pattern>,
    /// What stands in place of it: `$1` or `${name}` for what a group of the pattern fits, `$$` for
    /// a dollar sign.
    pub to: Option<Replacement>,
    /// The host that the upstream is asked for: a name, or `upstream` for the endpoint's own.
    /// Default: the one that the client asked for.
    pub host: Option<HostSent>,
}

/// What replaces a fit of a pattern in a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Replacement(String);

/// The host that an upstream is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostSent {
    /// The endpoint's own name or address.
    Upstream,
    /// This host, with or without a port.
    Named(String),
}

impl Replacement {
    /// The text, as the crate `regex` reads it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The groups that it names, by name or number.
    #[must_use]
    pub fn groups(&self) -> Vec<&str> {
        let mut groups = Vec::new();
        let mut rest = self.0.as_str();
        while let Some((_, after)) = rest.split_once('$') {
            rest = if let Some(escaped) = after.strip_prefix('$') {
                escaped
            } else if let Some((name, after)) = braced(after) {
                groups.push(name);
                after
            } else {
                let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let end = after.find(|c| !inside(c)).unwrap_or(after.len());
                groups.push(&after[..end]);
                &after[end..]
            };
        }
        groups
    }
}

fn braced(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('{')?.split_once('}')
}

impl FromStr for Replacement {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let replacement = Self(text.to_owned());
        let hint = if text.contains(['?', '#']) {
            "it is a path, or a part of one; the query stays as it came"
        } else if text.bytes().any(|b| !b.is_ascii_graphic()) {
            "spaces and the like must be percent-encoded"
        } else if replacement.groups().contains(&"") {
            "`$` stands before a group's number or name; write `$$` for a dollar sign"
        } else {
            return Ok(replacement);
        };
        Err(format!("`{}` cannot replace a path: {hint}", text.escape_debug()))
    }
}

impl FromStr for HostSent {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "upstream" {
            return Ok(Self::Upstream);
        }
        let hint = if text.contains("://") || text.contains('/') {
            "write the host alone, without a scheme or a path"
        } else if text.is_empty() || text.contains('@') || Authority::try_from(text).is_err() {
            "write `app.internal`, `app.internal:8080`, or `upstream` for the endpoint's own"
        } else {
            return Ok(Self::Named(text.to_ascii_lowercase()));
        };
        Err(format!("`{}` is not a host: {hint}", text.escape_debug()))
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for HostSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Upstream => "upstream",
            Self::Named(name) => name,
        })
    }
}

texts! {
    Replacement: r"^[^?# ]*$", "What replaces a part of a path, such as `/users/$1`.";
    HostSent: r"^[^/@ ]+$", "A host, such as `app.internal`, or `upstream`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_of_a_replacement_are_read_as_the_library_reads_them() {
        let groups = |text: &str| text.parse::<Replacement>().map(|r| r.groups().join(","));
        assert_eq!(groups("/a/$1/${name}/$$5/$2x").as_deref(), Ok("1,name,2x"));
        assert_eq!(groups("").as_deref(), Ok(""));
        for bad in ["/$", "/$/", "/${}", "/a?b", "/a b"] {
            assert!(groups(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_to_send_are_checked() {
        assert_eq!("upstream".parse(), Ok(HostSent::Upstream));
        assert_eq!("App:80".parse(), Ok(HostSent::Named("app:80".to_owned())));
        for bad in ["", "http://x", "a/b", "u@h", "a b", "a\r\nb"] {
            assert!(bad.parse::<HostSent>().is_err(), "{bad}");
        }
    }
}
