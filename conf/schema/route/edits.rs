//! `request_headers` and `response_headers`: fields that are set, added and taken away.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::{AnswerText, RequestText};
use crate::schema::text::texts;

/// Changes to the header section that the upstream gets: first what is taken away, then what is
/// set, then what is added. A field whose value comes out empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestEdits {
    /// Fields that get this value in place of any that they have.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/RequestField" }))]
    pub set: BTreeMap<String, RequestText>,
    /// Fields that get a line more.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/RequestField" }))]
    pub append: BTreeMap<String, RequestText>,
    /// Fields that are taken away.
    pub remove: Vec<RequestField>,
}

/// Changes to the header section that the client gets, likewise; to answers of every status, those
/// that are made here too. The fields that such an answer itself needs stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseEdits {
    /// Fields that get this value in place of any that they have.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/ResponseField" }))]
    pub set: BTreeMap<String, AnswerText>,
    /// Fields that get a line more.
    #[schemars(extend("propertyNames" = { "$ref": "#/$defs/ResponseField" }))]
    pub append: BTreeMap<String, AnswerText>,
    /// Fields that are taken away.
    pub remove: Vec<ResponseField>,
}

/// A field of a request that may be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestField(String);

/// A field of an answer that may be changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResponseField(String);

/// Fields that nobody may change in either direction, and why.
const NEVER: &[(&[&str], &str)] = &[
    (
        &["content-length", "transfer-encoding"],
        "it says where the message ends, and must say what is so",
    ),
    (
        &["connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"],
        "it belongs to one connection (RFC 9110 section 7.6.1)",
    ),
    (&["proxy-status", "via", "cdn-loop"], "it is how proxies tell of themselves, and find loops"),
];
/// The same of requests.
const NOT_IN_REQUESTS: &[(&[&str], &str)] = &[
    (&["host"], "write `rewrite: { host: … }` instead"),
    (
        &["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"],
        "it tells where the request came from; the section `forwarded` governs it",
    ),
    (
        &["x-request-id", "traceparent"],
        "it ties the request to its record; one that the client sends well-formed is kept",
    ),
    (&["expect", "max-forwards"], "it says how the request is passed on, which this proxy does"),
];
/// The same of answers.
const NOT_IN_RESPONSES: &[(&[&str], &str)] =
    &[(&["proxy-authenticate"], "it belongs to one connection (RFC 9110 section 11.7.1)")];

fn checked(text: &str, further: &[(&[&str], &str)]) -> Result<(), String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("`{}` is no name of a header field", text.escape_debug()))?;
    let rules = NEVER.iter().chain(further);
    match rules.into_iter().find(|(names, _)| names.contains(&name.as_str())) {
        Some((_, why)) => Err(format!("`{text}` cannot be changed here: {why}")),
        None => Ok(()),
    }
}

/// The two kinds of names.
macro_rules! fields {
    ($($type:ident($further:expr))+) => {
        $(
            impl FromStr for $type {
                type Err = String;
                fn from_str(text: &str) -> Result<Self, String> {
                    checked(text, $further).map(|()| Self(text.to_owned()))
                }
            }
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
            }
            impl $type {
                /// The name as it was written.
                #[must_use]
                pub fn as_str(&self) -> &str { &self.0 }
            }
        )+
    };
}
fields! { RequestField(NOT_IN_REQUESTS) ResponseField(NOT_IN_RESPONSES) }

texts! {
    RequestField: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "The name of a request's header field.";
    ResponseField: "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "The name of an answer's header field.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_changed_is_refused_with_the_reason() {
        for (bad, says) in [
            ("content-Length", "where the message ends"),
            ("Connection", "one connection"),
            ("Via", "loops"),
            ("Host", "rewrite"),
            ("X-Forwarded-For", "`forwarded`"),
            ("a b", "no name"),
        ] {
            let told = bad.parse::<RequestField>().expect_err(bad);
            assert!(told.contains(says), "{told}");
        }
        assert!("X-Request-Id".parse::<ResponseField>().is_ok());
        assert!("Proxy-Status".parse::<ResponseField>().is_err());
    }
}
