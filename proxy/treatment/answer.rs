//! Routes that answer by themselves: `redirect` and `respond`.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use pingora::proxy::Session;
use whodunit_conf::Way;
use whodunit_filters::attribution::cause::proxy::DENIED_BY_POLICY;
use whodunit_filters::attribution::{Failure, Key};
use whodunit_pingora::Answer;

use super::text::Text;

/// An answer of a route's own.
#[derive(Debug)]
pub(super) struct Fixed {
    answer: Answer,
    location: Option<Text>,
}

/// What is said of an answer that is an error.
const RULE: &str = "this route always gives the same answer";

impl Fixed {
    pub(super) fn of(way: &Way) -> Option<Self> {
        let status = |code| StatusCode::from_u16(code).expect("checked with the configuration");
        if let Some(redirect) = &way.route.redirect {
            let location = Text::of(redirect.to.parts(), way);
            let answer = Answer::new(status(redirect.status));
            return Some(Self { answer, location: Some(location) });
        }
        let respond = way.route.respond.as_ref()?;
        let mut answer = Answer::new(status(respond.status));
        if !respond.body.is_empty() {
            let kind = HeaderValue::from_str(respond.content_type.as_str());
            answer = answer.with("Content-Type", kind.expect("checked with the configuration"));
            answer.body = Bytes::from(respond.body.clone());
        }
        if respond.status >= 400 {
            let setting = format!("{}.respond", way.place);
            let failure = Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, RULE);
            answer.failure = Some(failure.with(Key::Setting, setting));
        }
        Some(Self { answer, location: None })
    }

    /// The answer to a request.
    pub(super) fn fill(&self, session: &Session) -> Answer {
        let answer = self.answer.clone();
        match &self.location {
            Some(text) => answer.with("Location", location(text, session)),
            None => answer,
        }
    }
}

/// A target that can lead nowhere else than the text says: what cannot stand in a URI is
/// percent-encoded, and a path from the client does not turn into a host by its slashes.
fn location(text: &Text, session: &Session) -> HeaderValue {
    let filled = text.fill(session, None);
    let mut rest = &filled[..];
    if !text.begins("//") {
        while rest.starts_with(b"//") {
            rest = &rest[1..];
        }
    }
    let mut out = String::with_capacity(rest.len());
    for byte in rest {
        if byte.is_ascii_graphic() && !br#"\"<>^`{|}"#.contains(byte) {
            out.push(char::from(*byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes it");
        }
    }
    HeaderValue::try_from(out).expect("printable ASCII is a header value")
}
