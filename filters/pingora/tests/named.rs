//! Causes that only a service knows of: its rules, its rates, the addresses it may not use, the
//! health of its endpoints. It names them, and every client is told.

use async_trait::async_trait;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use pingora::prelude::*;
use whodunit_filters::attribution::cause::answer::NO_HEALTHY_UPSTREAM;
use whodunit_filters::attribution::cause::proxy::{
    ADDRESS_PROHIBITED, DENIED_BY_POLICY, RATE_LIMITED,
};
use whodunit_filters::attribution::{Failure, Key, NextHop, Party, Phase, Value};
use whodunit_pingora::{Noted, deny, fail_at};

use crate::rig::{LONG, Proxy};

/// Somebody's service that lets nothing pass, each path for a reason of its own.
struct Strict;

#[async_trait]
impl ProxyHttp for Strict {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        match session.req_header().uri.path() {
            "/denied_by_policy" => Err(deny(
                Failure::denied(&DENIED_BY_POLICY)
                    .with(Key::Rule, "deny 127.0.0.0/8")
                    .with(Key::Setting, "their.rules[3]"),
            )),
            "/rate_limited" => Err(deny(
                Failure::denied(&RATE_LIMITED)
                    .with(Key::Setting, "their.rate")
                    .with(Key::MaxCount, 10_u64),
            )),
            _ => Ok(false),
        }
    }

    async fn upstream_peer(&self, session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        session.note().upstream = Some("web".into());
        if session.req_header().uri.path() == "/address_prohibited" {
            let metadata = ([169, 254, 169, 254], 80).into();
            let failure = Failure::denied(&ADDRESS_PROHIBITED)
                .with(Key::Address, "169.254.169.254:80")
                .with(Key::Rule, "link-local addresses");
            return Err(fail_at(NextHop::Inet(metadata), failure));
        }
        let endpoints = ["192.0.2.1:80 (refuses connections)", "192.0.2.2:80 (answers 503)"];
        let endpoints: Vec<String> = endpoints.map(str::to_owned).into();
        Err(deny(
            Failure::denied(&NO_HEALTHY_UPSTREAM)
                .with(Key::Endpoints, endpoints)
                .with(Key::AllAtOrigin, true),
        ))
    }
}

/// What is told of a cause.
struct Told {
    cause: &'static str,
    status: u16,
    error: &'static str,
    party: &'static str,
    phase: &'static str,
    /// What the sentence says of the case at hand.
    says: &'static str,
    proof: &'static [Key],
    retry_after: Option<&'static str>,
    attempts: usize,
}

const ALL: [Told; 4] = [
    Told {
        cause: "denied_by_policy",
        status: 403,
        error: "http_request_denied",
        party: "proxy",
        phase: "route",
        says: "deny 127.0.0.0/8",
        proof: &[Key::Rule],
        retry_after: None,
        attempts: 0,
    },
    Told {
        cause: "rate_limited",
        status: 429,
        error: "http_request_error",
        party: "proxy",
        phase: "route",
        says: "their.rate",
        proof: &[Key::Setting],
        retry_after: Some("1"),
        attempts: 0,
    },
    Told {
        cause: "address_prohibited",
        status: 502,
        error: "destination_ip_prohibited",
        party: "proxy",
        phase: "connect",
        says: "169.254.169.254:80",
        proof: &[Key::Address, Key::Rule],
        retry_after: None,
        attempts: 1,
    },
    Told {
        cause: "no_healthy_upstream",
        status: 503,
        error: "destination_unavailable",
        party: "origin",
        phase: "route",
        says: "192.0.2.2:80 (answers 503)",
        proof: &[Key::Endpoints, Key::AllAtOrigin],
        retry_after: Some("5"),
        attempts: 0,
    },
];

const FORMS: [&str; 5] =
    ["text/html", "application/problem+json", "application/json", "text/markdown", "text/plain"];

/// An answer, however it came.
struct Answer {
    status: u16,
    told: String,
    kind: String,
    retry_after: Option<String>,
    body: String,
}

async fn by_http1(proxy: &Proxy, told: &Told, form: &str) -> Answer {
    let asked = format!("GET /{} HTTP/1.1\r\nHost: app.example\r\nAccept: {form}\r\n", told.cause);
    let answer = proxy.send(&format!("{asked}Connection: close\r\n\r\n")).await;
    Answer {
        status: answer.status(),
        told: answer.told().to_owned(),
        kind: answer.field("content-type").next().unwrap_or_default().to_owned(),
        retry_after: answer.field("retry-after").next().map(str::to_owned),
        body: answer.body().to_owned(),
    }
}

async fn by_http2(proxy: &Proxy, told: &Told, form: &str) -> Answer {
    let mut client = proxy.h2_client().await;
    let request = http::Request::get(format!("http://app.example/{}", told.cause));
    let request = request.header(ACCEPT, form).body(()).expect("a request");
    let (answer, _) = client.send_request(request, true).expect("a stream");
    let answer = tokio::time::timeout(LONG, answer).await.expect("in time").expect("an answer");
    let text = |name| {
        let field = answer.headers().get(name)?;
        Some(field.to_str().expect("ASCII").to_owned())
    };
    let (status, retry_after) = (answer.status().as_u16(), text(RETRY_AFTER));
    let (kind, told) = (text(CONTENT_TYPE), text("proxy-status".parse().expect("a name")));
    let mut body = Vec::new();
    let mut pieces = answer.into_body();
    while let Some(piece) = pieces.data().await {
        body.extend_from_slice(&piece.expect("it is whole"));
    }
    let (kind, told) = (kind.unwrap_or_default(), told.expect("a verdict"));
    Answer { status, told, kind, retry_after, body: String::from_utf8(body).expect("text") }
}

/// Holds header, body, record and counter to what is expected, and to each other.
async fn agree(proxy: &Proxy, expected: &Told, answer: &Answer, form: &str, protocol: &str) {
    let Told { cause, error, party, phase, .. } = expected;
    let record = proxy.record().await;
    let what = format!("{cause} as {form} by {protocol}: {} {}", answer.told, record.line());
    assert_eq!(answer.status, expected.status, "{what}");
    for (name, value) in [("error", error), ("cause", cause), ("party", party), ("phase", phase)] {
        assert!(format!("{};", answer.told).contains(&format!(";{name}={value};")), "{what}");
    }
    for param in ["certainty=proved", "sent=none", &format!("ref=\"{}\"", record.id)] {
        assert!(answer.told.contains(param), "{param}: {what}");
    }
    assert_eq!(answer.retry_after.as_deref(), expected.retry_after, "{what}");
    assert!(answer.kind.starts_with(form), "{}: {what}", answer.kind);
    for word in [cause, party, record.id.as_str(), expected.says] {
        assert!(answer.body.contains(word), "`{word}`: {what}\n{}", answer.body);
    }
    assert_eq!((record.cause, record.status), (Some(*cause), expected.status), "{what}");
    assert_eq!(record.attempts.len(), expected.attempts, "{what}");
    assert!(record.generated && record.missing.is_empty(), "{what}");
    let (party_of, phase_of) = (record.party.map(Party::as_str), record.phase.map(Phase::as_str));
    assert_eq!((party_of, phase_of), (Some(*party), Some(*phase)), "{what}");
    assert!(record.line().contains(&format!("\"protocol\":\"{protocol}\"")), "{what}");
    assert!(record.says.as_deref().is_some_and(|says| says.contains(expected.says)), "{what}");
    for key in expected.proof {
        assert!(record.evidence.find(*key).is_some_and(|value| !is_empty(value)), "{key}: {what}");
    }
    assert_eq!(proxy.counted(), [(*cause, 1)], "{what}");
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::Text(text) if text.is_empty())
}

#[tokio::test]
async fn every_client_is_told_what_only_the_service_knows() {
    for told in &ALL {
        for form in FORMS {
            let proxy = Proxy::start(Strict);
            let answer = by_http1(&proxy, told, form).await;
            agree(&proxy, told, &answer, form, "HTTP/1.1").await;
            let proxy = Proxy::start(Strict);
            let answer = by_http2(&proxy, told, form).await;
            agree(&proxy, told, &answer, form, "HTTP/2").await;
        }
    }
}
