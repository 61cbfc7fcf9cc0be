//! What is told of every cause, to the letter: whoever makes it cheaper must not make it other.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::attribution::disclosure::Disclosure;
use crate::attribution::exchange::RequestFacts;
use crate::attribution::id::RequestId;
use crate::attribution::record::Record;
use crate::attribution::redact::Redact;
use crate::attribution::{header, page};

const NODE: &str = "edge-1.example.net";

/// A witness with everything in it that depends on the clock made constant.
fn settled(row: Cause) -> Exchange {
    let mut exchange = (row.witness)();
    exchange.id = RequestId::parse(b"01JD3W0000000000").expect("well-formed");
    exchange.began = UNIX_EPOCH + Duration::from_millis(1_795_148_467_120);
    exchange.times.total = Some(Duration::from_micros(60_001_250));
    exchange.request = Some(Box::new(RequestFacts {
        listener: "0.0.0.0:8080".into(),
        client: "198.51.100.7:50312".into(),
        client_subject: None,
        method: "GET".into(),
        host: "app.example.net".into(),
        path: "/api/x?token=s3cret&a=\"b\"".into(),
        protocol: "HTTP/1.1",
        forged_hops: 0,
        told_by: None,
        real_client: None,
    }));
    if let Some(attempt) = exchange.last_attempt_mut() {
        attempt.took = Some(Duration::from_micros(1_750));
    }
    exchange
}

#[test]
fn header_and_record_of_every_cause_stay_as_they_are() {
    let mut told = String::new();
    for row in CATALOGUE.iter() {
        let exchange = settled(row);
        let verdict = verdict(&exchange);
        let status = row.standard.code().unwrap_or(502);
        for disclosure in [Disclosure::Full, Disclosure::Minimal] {
            let member = header::member(NODE, &exchange, &verdict, status, disclosure);
            writeln!(told, "{member}").expect("a String takes all");
        }
        let record = Record::of(&exchange, Some(&verdict), NODE, status, &Redact::default());
        writeln!(told, "{}", record.line()).expect("a String takes all");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn bodies_of_every_cause_stay_as_they_are() {
    let mut told = String::new();
    for row in CATALOGUE.iter() {
        let exchange = settled(row);
        let verdict = verdict(&exchange);
        let status = row.standard.code().unwrap_or(502);
        let now = exchange.began;
        let body = |accept: &[u8], disclosure| {
            let body = page::body(Some(accept), &exchange, &verdict, status, disclosure, NODE, now);
            String::from_utf8(body.bytes.to_vec()).expect("UTF-8")
        };
        told += &body(b"text/markdown", Disclosure::Full);
        told += &body(b"application/json", Disclosure::Minimal);
        told += "\n";
    }
    insta::assert_snapshot!(told);
}
