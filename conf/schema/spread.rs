//! How the requests to an upstream are spread over its endpoints, wait, and are tried again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use whodunit_filters::units::Span;

use super::percent::Percent;

use crate::sections::FieldName;

/// How requests are spread over the endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// To each in turn, by weight.
    #[default]
    RoundRobin,
    /// To the less busy of two that are drawn by weight: the one with fewer requests under way,
    /// relative to its weight.
    LeastRequests,
    /// Always to the same one for the same client, header or cookie (see `hash`), by weight. An
    /// endpoint that comes or goes moves its own share and nothing else.
    Hash,
}

/// What `balance: hash` goes by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hash {
    /// `client` (the real client's address, as `forwarded.trusted` lets it be seen), `header NAME`,
    /// or `cookie NAME`. Requests without it are sent to each endpoint in turn.
    pub by: By,
}

/// What tells the requests that belong together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum By {
    /// The real client's address.
    #[default]
    Client,
    /// The first field of this name.
    Header(FieldName),
    /// The cookie of this name (RFC 6265 section 4.2.1).
    Cookie(String),
}

impl FromStr for By {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_ascii_whitespace();
        let (kind, name) = (words.next(), words.next());
        match (kind, name, words.next()) {
            (Some("client"), None, None) => Ok(Self::Client),
            (Some("header"), Some(name), None) => {
                FieldName::try_from(name.to_owned()).map(Self::Header)
            }
            (Some("cookie"), Some(name), None) if is_token(name) => {
                Ok(Self::Cookie(name.to_owned()))
            }
            (Some("cookie"), Some(name), None) => {
                Err(format!("`{}` is no name of a cookie", name.escape_debug()))
            }
            _ => Err(format!(
                "`{}` is nothing to go by: write `client`, `header NAME` or `cookie NAME`",
                text.escape_debug()
            )),
        }
    }
}

/// A token of RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl TryFrom<String> for By {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<By> for String {
    fn from(by: By) -> Self {
        by.to_string()
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header {}", String::from(name.clone())),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

impl JsonSchema for By {
    fn schema_name() -> Cow<'static, str> {
        "HashBy".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(client|(header|cookie) +[!#$%&'*+.^_`|~0-9A-Za-z-]+)$",
            "description": "`client`, `header NAME` or `cookie NAME`."
        })
    }
}

/// Where requests wait that find no place, first come, first served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Queue {
    /// How many may wait at a time; one more is refused at once.
    #[schemars(range(min = 1))]
    pub length: u32,
    /// How long each may wait in all before it is refused.
    pub timeout: Span,
}

impl Default for Queue {
    fn default() -> Self {
        Self { length: 100, timeout: Span::seconds(1) }
    }
}

/// When a request is tried again: only when nothing of it was sent, the origin gives its word that
/// it did not act on it (HTTP/2), or its method is idempotent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retries {
    /// How many attempts a request gets in all, the first one included. 1 never tries again.
    #[schemars(range(min = 1, max = 16))]
    pub attempts: u32,
    /// How long the second attempt waits at most: some random time up to it, up to twice as long
    /// for the third and so on, up to ten times. Default: no attempt waits.
    pub backoff: Option<Span>,
    /// How many requests in a hundred may be sent once more, as counted over ten seconds; 30 may in
    /// any case. What the origin did not work on does not count: a connection that could not be made,
    /// a pooled one that it had closed, a request that it says it did not look at. Null: any number.
    pub budget: Option<Percent>,
    /// Statuses of the origin's after which a request is tried at another endpoint, if its method
    /// is idempotent and its body is still held. The last answer is passed on as it is.
    #[schemars(inner(range(min = 500, max = 599)))]
    pub on: Vec<u16>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 2, backoff: None, budget: Some(Percent::of(20)), on: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_go_by_is_read_and_written_back() {
        for text in ["client", "header X-User", "cookie sid"] {
            assert_eq!(text.parse::<By>().expect(text).to_string(), text);
        }
        for bad in ["", "header", "cookie a b", "cookie a=b", "header a:b", "path", "client x"] {
            bad.parse::<By>().expect_err(bad);
        }
    }
}
