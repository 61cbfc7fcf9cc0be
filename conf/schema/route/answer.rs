//! Answers of a route's own: `redirect`, `respond`, and `maintenance`.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use whodunit_filters::units::Span;

use super::template::RequestText;
use crate::schema::text::texts;
use crate::sections::Trust;

/// Where clients are sent (RFC 9110 section 15.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// The value of `Location`, such as `https://{host}{uri}`.
    pub to: RequestText,
    /// 301, 302, 303, 307 or 308. Default 302: browsers keep a permanent one for ever, a mistaken
    /// one as well.
    #[serde(default = "found")]
    #[schemars(range(min = 301, max = 308))]
    pub status: u16,
}

/// An answer that is always the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Respond {
    /// Its status. Default 200. From 400 on it is an error, told and counted as
    /// `denied_by_policy`.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Its body. Default: none.
    pub body: String,
    /// The type of its body.
    pub content_type: MediaType,
}

/// Whether a route is out of service: `true`, `false`, or with settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Maintenance {
    /// Whether it is.
    Switch(bool),
    /// The same, with settings.
    Notice(Notice),
}

/// How clients of a route that is out of service are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// Whether it is out of service. Default `true`.
    pub on: bool,
    /// After what time clients may try again (`Retry-After`).
    pub retry_after: Span,
    /// Clients that it serves nevertheless.
    pub allow: Vec<Trust>,
    /// What clients are told beside, in a sentence.
    pub message: Option<String>,
}

/// A media type with its parameters (RFC 9110 section 8.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaType(String);

const fn found() -> u16 {
    302
}

impl Default for Respond {
    fn default() -> Self {
        let content_type = MediaType("text/plain; charset=utf-8".to_owned());
        Self { status: 200, body: String::new(), content_type }
    }
}

impl Default for Maintenance {
    fn default() -> Self {
        Self::Switch(false)
    }
}

impl Default for Notice {
    fn default() -> Self {
        Self { on: true, retry_after: Span::seconds(300), allow: Vec::new(), message: None }
    }
}

impl Maintenance {
    /// How clients are told, if the route is out of service.
    #[must_use]
    pub fn notice(&self) -> Option<Notice> {
        match self {
            Self::Switch(on) => on.then(Notice::default),
            Self::Notice(notice) => notice.on.then(|| notice.clone()),
        }
    }
}

impl MediaType {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for MediaType {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let printable = text.chars().all(|c| (' '..='~').contains(&c));
        let (kind, _) = text.split_once(';').unwrap_or((text, ""));
        let named =
            kind.trim().split_once('/').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        if printable && named && text.trim() == text {
            return Ok(Self(text.to_owned()));
        }
        let hint = "write it as in `text/html; charset=utf-8`";
        Err(format!("`{}` is not a media type: {hint}", text.escape_debug()))
    }
}

texts! {
    MediaType: r"^[^/ ]+/[^/]+$", "A media type, such as `text/html; charset=utf-8`.";
}
