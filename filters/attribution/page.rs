//! The body of an error made here, in the form that the client would rather have. All forms show
//! who, what, what to do, the request's id and the time; whatever a peer had a hand in is escaped
//! and bounded.

mod accept;
mod grpc;
mod html;
mod prose;

use std::borrow::Cow;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;

pub use accept::Format;
pub use grpc::Grpc;

use super::cause::Again;
use super::diagnosis::Diagnosis;
use super::disclosure::Disclosure;
use super::evidence::{Certainty, Party, Phase, Scope};
use super::exchange::Exchange;
use super::header;
use super::json;
use super::key::Key;
use super::record::timestamp;
use super::text::{replace, tidied};
use prose::inert;

/// The most characters of one text; of what happened, with what other requests met with.
const MAX_TEXT: usize = 280;
const MAX_SAYS: usize = 640;
/// How long most bodies that are no page are at the most.
const BODY: usize = 1024;
/// The column in which the facts stand in plain text.
const COLUMN: &str = "           ";

/// A body and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The value of `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub bytes: Bytes,
}

/// What a client may be told of a verdict. Made in one place, so that no form tells more.
struct Told<'a> {
    diagnosis: &'a Diagnosis,
    id: &'a str,
    what: Cow<'a, str>,
    todo: Cow<'a, str>,
    /// What only the full form tells.
    full: Option<Full<'a>>,
}

struct Full<'a> {
    node: Cow<'a, str>,
    next_hop: Option<String>,
}

/// The body of a generated answer, by the request's `Accept`.
#[must_use]
pub fn body(
    accept: Option<&[u8]>,
    exchange: &Exchange,
    diagnosis: &Diagnosis,
    status: u16,
    disclosure: Disclosure,
    node: &str,
    now: SystemTime,
) -> Body {
    let format = Format::choose(accept);
    let told = Told::of(exchange, diagnosis, disclosure, node);
    let time = timestamp(now);
    let text = match format {
        Format::Text => told.text(status, &time),
        Format::Markdown => told.markdown(status, &time),
        Format::Problem | Format::Json => told.json(status, &time),
        Format::Html => html::page(&told, status, &time),
    };
    Body { content_type: format.content_type(), bytes: text.into() }
}

impl<'a> Told<'a> {
    fn of(
        exchange: &'a Exchange,
        diagnosis: &'a Diagnosis,
        disclosure: Disclosure,
        node: &'a str,
    ) -> Self {
        let id = exchange.id.as_str();
        match disclosure {
            Disclosure::Full => Self {
                diagnosis,
                id,
                what: tidied(&diagnosis.says, MAX_SAYS),
                todo: tidy(&diagnosis.remedy),
                full: Some(Full {
                    node: tidy(node),
                    next_hop: header::judged(exchange, diagnosis)
                        .map(|attempt| tidy(&attempt.next_hop.text()).into_owned()),
                }),
            },
            // The catalogue's own words; they hold no evidence, hence no name and no address. What
            // the operators wrote for clients is for all of them.
            Disclosure::Minimal => Self {
                diagnosis,
                id,
                what: match diagnosis.evidence.text(Key::Message) {
                    Some(message) => {
                        let said = format!("{} {message}", diagnosis.cause.meaning);
                        tidied(&said, MAX_SAYS).into_owned().into()
                    }
                    None => diagnosis.cause.meaning.into(),
                },
                todo: general_remedy(diagnosis),
                full: None,
            },
        }
    }

    /// Label and value of everything beyond `what` and `todo`, in order.
    fn facts<'t>(&'t self, time: &'t str) -> impl Iterator<Item = (&'static str, &'t str)> {
        let (diagnosis, full) = (self.diagnosis, self.full.as_ref());
        [
            Some(("Cause", diagnosis.cause.id)),
            Some(("Who", self.who())),
            full.map(|_| ("Phase", diagnosis.phase.as_str())),
            full.map(|_| ("Certainty", diagnosis.certainty.as_str())),
            full.and_then(|full| Some(("Next hop", full.next_hop.as_deref()?))),
            full.map(|full| ("Proxy", full.node.as_ref())),
            Some(("Ref", self.id)),
            Some(("Time", time)),
        ]
        .into_iter()
        .flatten()
    }

    const fn who(&self) -> &'static str {
        match self.diagnosis.party {
            Party::Client => "the client",
            Party::Network => "the network between this proxy and the origin",
            Party::Proxy => "this proxy",
            Party::NextHop => "another proxy behind this one",
            Party::Origin => "the origin",
        }
    }

    fn text(&self, status: u16, time: &str) -> String {
        let mut out = String::with_capacity(BODY);
        title(status, &mut out);
        put(&mut out, &["\n\n", &*self.what, "\n\nWhat to do: ", &*self.todo, "\n\n"]);
        for (label, value) in self.facts(time) {
            put(&mut out, &[label, ":", &COLUMN[label.len() + 1..], value, "\n"]);
        }
        out
    }

    fn markdown(&self, status: u16, time: &str) -> String {
        let mut out = String::with_capacity(BODY);
        out.push_str("# ");
        title(status, &mut out);
        out.push_str("\n\n");
        inert(&self.what, &mut out);
        out.push_str("\n\n## What to do\n\n");
        inert(&self.todo, &mut out);
        out.push_str("\n\n");
        for (label, value) in self.facts(time) {
            put(&mut out, &["* ", label, ": `"]);
            replace(value, &mut out, |byte| byte == b'`', |out, _| out.push('\''));
            out.push_str("`\n");
        }
        out
    }

    fn json(&self, status: u16, time: &str) -> String {
        let diagnosis = self.diagnosis;
        let full = self.full.as_ref();
        let problem = Problem {
            kind: "about:blank",
            title: phrase(status),
            status,
            detail: &self.what,
            instance: self.id,
            error_code: diagnosis.cause.cloudflare.code().unwrap_or(status),
            error_name: diagnosis.cause.id,
            error_category: category(diagnosis),
            retryable: diagnosis.retryable,
            retry_after: diagnosis.retry_after(),
            owner_action_required: owner_must_act(diagnosis),
            what_you_should_do: &self.todo,
            cause: diagnosis.cause.id,
            party: diagnosis.party,
            phase: full.map(|_| diagnosis.phase),
            certainty: full.map(|_| diagnosis.certainty),
            scope: full.and(diagnosis.scope),
            next_hop: full.and_then(|full| full.next_hop.as_deref()),
            node: full.map(|full| &*full.node),
            reference: self.id,
            time,
        };
        let mut out = json::pretty(&problem, BODY);
        out.push('\n');
        out
    }
}

/// RFC 9457, with the members that programs know from Cloudflare's errors.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    /// The status that Cloudflare has for this cause.
    error_code: u16,
    error_name: &'static str,
    error_category: &'static str,
    retryable: bool,
    retry_after: Option<u32>,
    owner_action_required: bool,
    what_you_should_do: &'a str,
    cause: &'static str,
    party: Party,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certainty: Option<Certainty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_hop: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(rename = "ref")]
    reference: &'a str,
    time: &'a str,
}

fn put(out: &mut String, texts: &[&str]) {
    for text in texts {
        out.push_str(text);
    }
}

/// `502 Bad Gateway`
fn title(status: u16, out: &mut String) {
    put(out, &[itoa::Buffer::new().format(status), " ", phrase(status)]);
}

fn phrase(status: u16) -> &'static str {
    let known = http::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason());
    known.unwrap_or(if status < 500 { "Request Refused" } else { "Gateway Error" })
}

/// Whether it takes the owner of the service to set this right.
fn owner_must_act(diagnosis: &Diagnosis) -> bool {
    diagnosis.party != Party::Client && diagnosis.cause.again == Again::Never
}

/// A coarse kind of error, for programs.
fn category(diagnosis: &Diagnosis) -> &'static str {
    match (diagnosis.cause.id, diagnosis.phase, diagnosis.party) {
        ("denied_by_policy" | "address_prohibited", ..) => "access_denied",
        ("rate_limited", ..) => "rate_limit",
        (.., Party::Client) => "request",
        (_, Phase::Dns, _) => "dns",
        (_, Phase::Tls, _) => "tls",
        (.., Party::Proxy) => "config",
        (.., Party::Network) => "network",
        (.., Party::NextHop | Party::Origin) => "origin",
    }
}

/// What to do, without a word about what lies behind this proxy.
fn general_remedy(diagnosis: &Diagnosis) -> Cow<'static, str> {
    const TELL: &str = "tell the operator of this service, and give the reference";
    match (diagnosis.party, diagnosis.cause.again, diagnosis.retry_after()) {
        (Party::Client, Again::Never, _) => "Correct the request, then send it again.".into(),
        (_, Again::Never, _) => {
            format!("Sending it again will not help until the cause is repaired: {TELL}.").into()
        }
        (_, _, Some(1)) => format!("Try again in 1 second. If it goes on, {TELL}.").into(),
        (_, _, Some(seconds)) => {
            format!("Try again in {seconds} seconds. If it goes on, {TELL}.").into()
        }
        _ if diagnosis.retryable => format!("Try again. If it goes on, {TELL}.").into(),
        _ => format!(
            "It may have been carried out: look before you send it again. If it goes on, {TELL}."
        )
        .into(),
    }
}

/// Text that a peer may have had a hand in: bounded, on one line, and not deceiving.
fn tidy(text: &str) -> Cow<'_, str> {
    tidied(text, MAX_TEXT)
}

#[cfg(test)]
mod tests;
