//! Texts with variables: `{client}`, `{request.header.Referer}`. They are taken apart once, when
//! the configuration is read.

use std::fmt;
use std::str::FromStr;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use crate::schema::text::texts;
use crate::walk::suggest;

/// A piece of a text with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It stands there as it is.
    Text(String),
    /// It is filled in for each request.
    Variable(Variable),
}

/// What a request or its answer supplies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The client's address, seen through the proxies that are trusted.
    Client,
    /// The host asked for, without its port, in lower case.
    Host,
    /// The path asked for, as it was sent.
    Path,
    /// The query, without its `?`.
    Query,
    /// Path and query, as they were sent.
    Uri,
    /// The method.
    Method,
    /// `http` or `https`: how the client's connection is made.
    Scheme,
    /// The request's id.
    Id,
    /// The route's name.
    Route,
    /// The upstream's name.
    Upstream,
    /// This node's name.
    Node,
    /// The listener that the request came in at.
    Listener,
    /// The answer's status.
    Status,
    /// A field of the request; its first line, if it came on several.
    Field(HeaderName),
}

/// The variables without an argument, the status last: a request has none.
const NAMES: [(&str, Variable); 13] = [
    ("client", Variable::Client),
    ("host", Variable::Host),
    ("path", Variable::Path),
    ("query", Variable::Query),
    ("uri", Variable::Uri),
    ("method", Variable::Method),
    ("scheme", Variable::Scheme),
    ("id", Variable::Id),
    ("route", Variable::Route),
    ("upstream", Variable::Upstream),
    ("node", Variable::Node),
    ("listener", Variable::Listener),
    ("status", Variable::Status),
];
const FIELD: &str = "request.header.";

/// A text with variables, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    written: String,
    parts: Vec<Part>,
}

impl Template {
    fn parse(text: &str, known: &[(&str, Variable)]) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("it is empty; to take a field away, name it under `remove`".to_owned());
        }
        if let Some(odd) = text.chars().find(|c| *c != '\t' && !(' '..='~').contains(c)) {
            let odd = odd.escape_debug();
            return Err(format!("a header field cannot hold `{odd}`; printable ASCII only"));
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
                plain.push_str(&from[..1]);
                rest = after;
                continue;
            }
            let Some(inside) = from.strip_prefix('{') else {
                return Err("`}` closes nothing; write `}}` for the sign itself".to_owned());
            };
            let Some((name, after)) = inside.split_once('}') else {
                return Err("`{` is not closed; write `{{` for the sign itself".to_owned());
            };
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            parts.push(Part::Variable(variable(name, known)?));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { written: text.to_owned(), parts })
    }
}

fn variable(name: &str, known: &[(&str, Variable)]) -> Result<Variable, String> {
    if let Some((_, variable)) = known.iter().find(|(known, _)| *known == name) {
        return Ok(variable.clone());
    }
    if let Some(field) = name.strip_prefix(FIELD) {
        let field = HeaderName::from_bytes(field.as_bytes());
        return field
            .map(Variable::Field)
            .map_err(|_| format!("`{{{}}}` names no header field", name.escape_debug()));
    }
    if name == "status" {
        return Err("`{status}` is known of answers only".to_owned());
    }
    let names: Vec<_> =
        known.iter().map(|(name, _)| *name).chain(["request.header.NAME"]).collect();
    let hint = suggest::instead(name, &names);
    Err(format!("`{{{}}}` is not a variable: {hint}", name.escape_debug()))
}

/// A kind of text with variables.
macro_rules! templates {
    ($($(#[$doc:meta])* $type:ident($known:expr);)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            #[serde(try_from = "String", into = "String")]
            pub struct $type(Template);

            impl $type {
                /// Its pieces, in order.
                #[must_use]
                pub fn parts(&self) -> &[Part] { &self.0.parts }
            }
            impl FromStr for $type {
                type Err = String;
                fn from_str(text: &str) -> Result<Self, String> {
                    Template::parse(text, $known).map(Self)
                }
            }
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0.written) }
            }
        )+
    };
}
templates! {
    /// A text that may hold what is known of a request.
    RequestText(&NAMES[..NAMES.len() - 1]);
    /// A text that may hold what is known of a request and of the answer to it.
    AnswerText(&NAMES);
}

texts! {
    RequestText: r"^.*\S.*$",
        "Text with variables: `{client}`, `{host}`, `{path}`, `{query}`, `{uri}`, `{method}`, `{scheme}`, `{id}`, `{route}`, `{upstream}`, `{node}`, `{listener}`, `{request.header.NAME}`; `{{` and `}}` for the signs themselves.";
    AnswerText: r"^.*\S.*$",
        "Text with variables: those of a request, and `{status}`; `{{` and `}}` for the signs themselves.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_apart() {
        let text: RequestText = "a{client}{{b}}{request.header.X-Y}".parse().expect("good");
        let field = HeaderName::from_static("x-y");
        assert_eq!(
            text.parts(),
            [
                Part::Text("a".into()),
                Part::Variable(Variable::Client),
                Part::Text("{b}".into()),
                Part::Variable(Variable::Field(field)),
            ]
        );
        assert_eq!(text.to_string(), "a{client}{{b}}{request.header.X-Y}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (bad, says) in [
            ("", "empty"),
            ("a\r\nb", "printable ASCII"),
            ("{clinet}", "did you mean `client`?"),
            ("{nothing}", "use one of"),
            ("{client", "not closed"),
            ("a}", "closes nothing"),
            ("{status}", "answers only"),
            ("{request.header.a b}", "names no header field"),
        ] {
            let told = bad.parse::<RequestText>().expect_err(bad);
            assert!(told.contains(says), "{told}");
        }
        assert!("{status}".parse::<AnswerText>().is_ok());
    }
}
