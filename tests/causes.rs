//! Every cause, produced over real sockets, and what is said about it.
//!
//! Each case is a row: how it is provoked, and who, when, how sure, with which status and which
//! words of RFC 9209. A cause of the catalogue that nothing produces fails
//! [`every_cause_is_produced`], unless it waits there with its reason.

mod answer;
pub(crate) mod path;
mod policy;
mod request;

use whodunit_filters::attribution::cause::CATALOGUE;

use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::{Told, broken_off};
use crate::rig::settings::Settings;

/// What a case expects.
pub(crate) struct Expected {
    pub(crate) cause: &'static str,
    pub(crate) party: &'static str,
    /// When; where the kernel decides, each of them with a `|` between.
    pub(crate) phase: &'static str,
    pub(crate) certainty: &'static str,
    /// How far the request got, likewise.
    pub(crate) sent: &'static str,
    pub(crate) outcome: Outcome,
    /// The error type of RFC 9209; empty for none.
    pub(crate) error: &'static str,
    /// Its parameters, and others that must be there; `*` stands for any value.
    pub(crate) params: &'static [(&'static str, &'static str)],
    /// Places under `evidence` in the record that must hold something.
    pub(crate) evidence: &'static [&'static str],
}

/// What becomes of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This proxy makes one, with this status.
    Made(u16),
    /// The origin's own answer is passed on.
    Passed(u16),
    /// The answer had begun, with this status, and is broken off.
    BrokenOff(u16),
    /// There is nobody to be answered; it is recorded under this status.
    Logged(u16),
}

/// A case as others may meet it.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) cause: &'static str,
    /// Makes the fault, before a proxy of its own.
    pub(crate) provoke: fn() -> Told,
}

/// All cases.
pub(crate) fn all() -> Vec<Case> {
    let here = [request::all(), policy::all(), path::all(), answer::all()].concat();
    [here, crate::tls::all(), crate::streams::all()].concat()
}

/// Declares cases: a test for each, and the list of them.
macro_rules! cases {
    ($($(#[$meta:meta])* $name:ident = $expected:expr, $provoke:expr;)+) => {
        $($(#[$meta])* #[test] fn $name() {
            crate::causes::check(&$expected, &$provoke());
        })+
        /// The cases of this file.
        pub(crate) fn all() -> Vec<crate::causes::Case> {
            vec![$(crate::causes::Case {
                name: stringify!($name), cause: $expected.cause, provoke: || $provoke(),
            },)+]
        }
    };
}
pub(crate) use cases;

pub(crate) fn check(expected: &Expected, told: &Told) {
    let record = &told.record;
    for (field, value) in [
        ("cause", expected.cause),
        ("party", expected.party),
        ("certainty", expected.certainty),
        ("error", expected.error),
    ] {
        assert_eq!(told.text(field), value, "{field} in {record:#}");
    }
    for (field, values) in [("phase", expected.phase), ("sent", expected.sent)] {
        assert!(values.split('|').any(|value| value == told.text(field)), "{field} in {record:#}");
    }
    for said in ["says", "remedy"] {
        let words = told.text(said);
        assert!(words.len() > 20 && !words.contains("unknown"), "{said}: {words}\n{record:#}");
    }
    for key in expected.evidence {
        assert!(!record["evidence"][key].is_null(), "no {key} in the evidence of {record:#}");
    }
    let status = match expected.outcome {
        Outcome::Made(status) => {
            assert_eq!(record["generated"], true, "{record:#}");
            assert_eq!(told.status(), status, "{record:#}");
            let body = told.answer().text();
            for said in [expected.cause, told.text("says"), told.text("remedy")] {
                assert!(body.contains(said), "`{said}` is not in the body: {body}");
            }
            status
        }
        Outcome::Passed(status) => {
            assert_eq!(record["generated"], false, "{record:#}");
            assert_eq!(record["upstream_status"], status, "{record:#}");
            assert!(told.answer().whole(), "{:?}", told.answer());
            status
        }
        Outcome::BrokenOff(status) => {
            assert!(broken_off(told.answer()), "it looks whole: {:?}", told.answer());
            status
        }
        Outcome::Logged(status) => {
            assert!(told.response.is_none(), "{:?}", told.response);
            status
        }
    };
    assert_eq!(record["status"], status, "{record:#}");
    if matches!(expected.outcome, Outcome::Made(_) | Outcome::Passed(_)) {
        told_in_the_header(expected, told);
    } else {
        assert!(expected.params.is_empty(), "there is no header to hold them");
    }
}

fn told_in_the_header(expected: &Expected, told: &Told) {
    let member = told.member.as_ref().expect("an error carries a verdict");
    for name in ["phase", "certainty", "sent"] {
        assert_eq!(member.param(name), Some(told.text(name)), "{name} in {member:?}");
    }
    assert!(member.param("details").is_some_and(|details| !details.is_empty()), "{member:?}");
    if expected.error == "http_request_error" {
        let status = told.status().to_string();
        assert_eq!(member.param("status-code"), Some(status.as_str()), "{member:?}");
    }
    for (name, value) in expected.params {
        let found = member.param(name).unwrap_or_else(|| panic!("no {name} in {member:?}"));
        assert!(*value == "*" || found == *value, "{name} is {found}, not {value}");
    }
}

/// The causes that are produced outside of the cases, each with where.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("proxy_bug", "needs a panic inside a hook: the example of whodunit-pingora"),
    ("proxy_stopping", "the process has ended by then: among the tests of operation"),
    ("tunnel_broken", "beside the other tunnels"),
    ("client_plain_http_on_tls_port", "needs a listener that speaks TLS: the tests of listeners"),
    ("client_tls_failed", "likewise"),
    ("request_write_failed", "its answer and its record differ: beside the cases"),
    ("address_prohibited", NAMED),
];

/// This proxy has no addresses that it may not use yet; a service of somebody's own may.
const NAMED: &str = "only a service knows of it yet, and names it: the tests of whodunit-pingora";

/// The causes that nothing produces on a real socket yet, each with the reason. One that the
/// proxy learns to tell of a fault of the lab fails the lab's test until it is taken off.
pub(crate) const UNPRODUCED: &[(&str, &str)] =
    &[("response_bad_content_coding", "nothing is decoded yet")];

/// Every row of the catalogue is produced here, by the lab or in a network apart, or waits for a
/// reason; none does both.
#[test]
fn every_cause_is_produced() {
    let produced: Vec<&str> = all()
        .into_iter()
        .map(|case| case.cause)
        .chain(crate::apart::PRODUCED.iter().copied())
        .chain(crate::network::produced())
        .chain(crate::lab::produced())
        .chain(ELSEWHERE.iter().map(|(id, _)| *id))
        .collect();
    for row in CATALOGUE.iter() {
        let is_produced = produced.contains(&row.id);
        let waits = UNPRODUCED.iter().any(|(id, _)| *id == row.id);
        assert!(is_produced || waits, "nothing produces `{}`", row.id);
        assert!(!(is_produced && waits), "`{}` is produced: take it off the list", row.id);
    }
    for id in produced.iter().copied().chain(UNPRODUCED.iter().map(|(id, _)| *id)) {
        assert!(CATALOGUE.iter().any(|row| row.id == id), "the catalogue has no `{id}`");
    }
}

/// The forms of a body, each by what a client asks for it with.
const FORMS: [&str; 5] =
    ["text/html", "application/problem+json", "application/json", "text/markdown", "text/plain"];

#[test]
fn every_form_of_an_error_says_the_same() {
    let origin = Origin::new(|mut connection| {
        connection.request();
        connection.send("no HTTP at all\r\n\r\n");
        connection.close();
    });
    let closed = Refusing::new();
    let proxy = Settings::bare()
        .upstream("nonsense", &[&origin.endpoint])
        .once()
        .upstream("closed", &[&closed.endpoint])
        .once()
        .route("match: { path: /nonsense }, upstream: nonsense")
        .route("match: { path: /closed }, upstream: closed")
        .start();
    for (method, path, cause) in [
        ("GET", "/nonsense", "response_malformed"),
        ("GET", "/closed", "connect_refused"),
        ("GET", "/nowhere", "no_route"),
        ("TRACE", "/closed", "client_method_refused"),
    ] {
        for form in FORMS {
            let fields = format!("Host: app.test\r\nAccept: {form}\r\n");
            let told = proxy.send(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n"));
            let kind = told.answer().fields.text("content-type").expect("a body has a type");
            assert!(kind.starts_with(form), "{kind} instead of {form}");
            let body = told.answer().text();
            for word in [cause, told.text("party"), told.text("id")] {
                assert!(body.contains(word), "`{word}` is not in {body}");
            }
            assert_eq!(told.text("cause"), cause);
        }
    }
}
