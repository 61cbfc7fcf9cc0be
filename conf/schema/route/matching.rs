//! `match`: the requests that a route takes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::text::{Host, Prefix, texts};

/// The most bytes that a pattern may take up once it is compiled.
const PATTERN: usize = 1 << 20;

/// The requests of a route. Their paths are looked at in one form, however they are sent: characters
/// that stand for themselves decoded (`%61` is `a`), others encoded by upper-case digits (`%C3%BC`),
/// repeated slashes merged, `.` and `..` resolved. What goes to the upstream stays as it was sent. A
/// path that leads above the root is refused with 400, and so is one that would take another route
/// with a reader who does not resolve `..`, or takes `%2F`, `\` or `%5C` for a slash, or drops what
/// follows a `;`. Of several routes that fit, the one with the exact host wins, then the
/// longest wildcard, then any host; among those, the exact path, then the longest prefix, then the
/// patterns in the order of the file, then any path; among those, the one that asks for more
/// (methods count as one thing, each header field as one), then the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// The hosts. Default: any.
    pub host: Option<Host>,
    /// How their paths begin. Default: any. `/` is any path as well.
    pub path: Option<Prefix>,
    /// Their path.
    pub path_exact: Option<ExactPath>,
    /// What their paths hold: a pattern that fits anywhere in the path, unless `^` and `$` tie it to
    /// the path's ends.
    pub path_regex: Option<Pattern>,
    /// Their methods; `GET` takes `HEAD` as well. Default: any.
    pub methods: Vec<Verb>,
    /// Header fields, by name: `"2"` for a value that is just that, `{ regex: "^2" }` for one that
    /// a pattern fits, `{ present: true }` or `{ present: false }`. All must hold; of a field that
    /// came on several lines, one line is enough.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/FieldName" }))]
    pub headers: BTreeMap<String, FieldTest>,
}

/// What is asked of a header field: its value, or more.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FieldTest {
    /// Its value, byte for byte.
    Exact(String),
    /// One of several things.
    Form(FieldForm),
}

/// One of the two.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(default, deny_unknown_fields)]
pub struct FieldForm {
    /// A pattern that fits anywhere in its value.
    pub regex: Option<Pattern>,
    /// Whether it is there at all.
    pub present: Option<bool>,
}

/// A path, such as `/favicon.ico`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExactPath(String);

/// A regular expression as the crate `regex` has it: without look-around and back references, so
/// that it takes linear time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A request method (RFC 9110 section 9), such as `GET`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Verb(String);

/// What a match asks of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathTest<'a> {
    /// This path.
    Exact(&'a str),
    /// Paths that begin so; never `/` alone.
    Prefix(&'a str),
    /// Paths that a pattern fits.
    Regex(&'a Pattern),
    /// Nothing.
    Any,
}

impl Match {
    /// What it asks of the path.
    #[must_use]
    pub fn path_test(&self) -> PathTest<'_> {
        let exact = self.path_exact.as_ref().map(|path| PathTest::Exact(path.as_str()));
        let prefix = self.path.as_ref().map(Prefix::as_str).filter(|prefix| *prefix != "/");
        exact
            .or_else(|| prefix.map(PathTest::Prefix))
            .or_else(|| self.path_regex.as_ref().map(PathTest::Regex))
            .unwrap_or(PathTest::Any)
    }

    /// How much it asks for beside host and path.
    #[must_use]
    pub fn conditions(&self) -> usize {
        usize::from(!self.methods.is_empty()) + self.headers.len()
    }

    /// Whether it takes every request of this host and path that the other takes.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let takes = |verb: &Verb| {
            let head = verb.0 == "HEAD" && self.methods.iter().any(|ours| ours.0 == "GET");
            head || self.methods.contains(verb)
        };
        let methods =
            self.methods.is_empty() || !other.methods.is_empty() && other.methods.iter().all(takes);
        let headers = self.headers.iter().all(|(name, test)| {
            let theirs = other.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            theirs.is_some_and(|(_, theirs)| test == theirs || test.is_presence() && theirs.needs())
        });
        methods && headers
    }
}

impl FieldTest {
    /// Whether it asks only that the field be there.
    fn is_presence(&self) -> bool {
        matches!(self, Self::Form(FieldForm { regex: None, present: Some(true) }))
    }

    /// Whether it holds only where the field is there.
    fn needs(&self) -> bool {
        !matches!(self, Self::Form(FieldForm { present: Some(false), .. }))
    }
}

impl Pattern {
    /// The pattern, ready to be used.
    #[must_use]
    pub fn regex(&self) -> regex::Regex {
        compiled(&self.0).expect("it was compiled when it was read")
    }
}

impl Verb {
    /// The method.
    #[must_use]
    pub fn method(&self) -> Method {
        Method::from_bytes(self.0.as_bytes()).expect("it was checked when it was read")
    }
}

fn compiled(text: &str) -> Result<regex::Regex, regex::Error> {
    regex::RegexBuilder::new(text).size_limit(PATTERN).dfa_size_limit(PATTERN).build()
}

impl FromStr for Pattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("`{}` is not a pattern: {why}", text.escape_debug());
        match compiled(text) {
            _ if text.is_empty() => Err(refused("it is empty, and would fit everything")),
            Ok(_) => Ok(Self(text.to_owned())),
            Err(regex::Error::CompiledTooBig(_)) => {
                Err(refused("it takes too much room; write it shorter, or repeat less"))
            }
            // The last line of several says why; those before it show the pattern.
            Err(error) => {
                let told = error.to_string();
                let why = told.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(refused(why))
            }
        }
    }
}

impl FromStr for ExactPath {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hint = if !text.starts_with('/') {
            "it must begin with `/`"
        } else if text.contains(['?', '#']) {
            "routes look at the path only, not at the query"
        } else if text.bytes().any(|b| !b.is_ascii_graphic()) {
            "it is compared in its encoded form, so spaces and the like must be percent-encoded"
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("`{}` is not a path: {hint}", text.escape_debug()))
    }
}

impl FromStr for Verb {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let upper = text.to_ascii_uppercase();
        let hint = if ["TRACE", "CONNECT"].contains(&upper.as_str()) {
            "no route gets it, for it is refused always"
        } else if Method::from_bytes(text.as_bytes()).is_err() {
            "write it as it is sent, such as `GET`"
        } else if text != upper {
            return Err(format!(
                "`{text}` is not a method, for they are told apart by case: did you mean `{upper}`?"
            ));
        } else {
            return Ok(Self(text.to_owned()));
        };
        Err(format!("`{}` is not a method for routes: {hint}", text.escape_debug()))
    }
}

texts! {
    ExactPath: r"^/[^?# ]*$", "A whole path, such as `/favicon.ico`.";
    Pattern: r"^.+$", "A regular expression without look-around and back references.";
    Verb: r"^[!#$%&'*+.^_`|~0-9A-Z-]+$", "A request method, such as `GET`.";
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
plain! { ExactPath Pattern Verb }

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(json: serde_json::Value) -> Match {
        serde_json::from_value(json).expect("a match")
    }

    #[test]
    fn a_match_covers_what_asks_for_more() {
        use serde_json::json;
        for (one, other, covers) in [
            (json!({}), json!({ "methods": ["GET"] }), true),
            (json!({ "methods": ["GET"] }), json!({}), false),
            (json!({ "methods": ["GET", "PUT"] }), json!({ "methods": ["PUT"] }), true),
            (json!({ "methods": ["GET"] }), json!({ "methods": ["HEAD"] }), true),
            (json!({ "methods": ["HEAD"] }), json!({ "methods": ["GET"] }), false),
            (json!({ "headers": { "X-A": "1" } }), json!({ "headers": { "x-a": "1" } }), true),
            (json!({ "headers": { "x-a": "1" } }), json!({ "headers": { "x-a": "2" } }), false),
            (
                json!({ "headers": { "x-a": { "present": true } } }),
                json!({ "headers": { "x-a": { "regex": "1" } } }),
                true,
            ),
            (
                json!({ "headers": { "x-a": { "present": true } } }),
                json!({ "headers": { "x-a": { "present": false } } }),
                false,
            ),
        ] {
            let said = format!("{one} {other}");
            assert_eq!(matching(one).covers(&matching(other)), covers, "{said}");
        }
    }

    #[test]
    fn patterns_are_checked() {
        for bad in ["", "(", "a{1000}{1000}{1000}", r"(?=look)", r"(a)\1"] {
            let told = bad.parse::<Pattern>().expect_err(bad);
            assert!(!told.contains('\n') && told.contains("not a pattern: "), "{told}");
        }
        assert!("^/u/([0-9]+)$".parse::<Pattern>().expect("good").regex().is_match("/u/7"));
    }
}
