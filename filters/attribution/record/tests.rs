use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::attribution::cause::CATALOGUE;
use crate::attribution::evidence::{Failure, Fault, Side};
use crate::attribution::exchange::NextHop;
use crate::attribution::id::RequestId;
use crate::attribution::key::Key;
use crate::attribution::text::deceives;

fn parsed(record: &Record) -> Json {
    serde_json::from_str(&record.line()).expect("a line is JSON")
}

#[test]
fn a_record_tells_everything() {
    let mut exchange = Exchange::begin(RequestId::parse(b"01JD3W0000").expect("well-formed"));
    exchange.began = UNIX_EPOCH + Duration::from_millis(1_795_148_467_120);
    exchange.request = Some(Box::new(RequestFacts {
        listener: "0.0.0.0:8080".into(),
        client: "198.51.100.7:50312".into(),
        client_subject: None,
        method: "GET".into(),
        host: "me:pw@app.example.net".into(),
        path: "/api/x?token=s3cret&a=b".into(),
        protocol: "HTTP/1.1",
        forged_hops: 0,
        told_by: None,
        real_client: None,
    }));
    exchange.route = Some("api".into());
    exchange.upstream = Some("api".into());
    exchange.generated = true;
    exchange.times.total = Some(Duration::from_nanos(410_499));
    exchange.times.wait = Some(Duration::from_mins(1));
    exchange.bytes.client_in = 120;
    exchange.received = Some("tier2;error=dns_timeout".into());
    let address: SocketAddr = ([10, 0, 0, 5], 8080).into();
    let mut attempt = Attempt::begin(NextHop::Inet(address));
    attempt.took = Some(Duration::from_micros(210));
    attempt.connection = Some(crate::attribution::exchange::Connection {
        reused: true,
        age: Duration::from_millis(1500),
        idle: Duration::from_millis(7),
        requests: 3,
    });
    attempt.fail(
        Failure::new(Side::Origin, Phase::Wait, Fault::TimedOut).with(Key::LimitMs, 60_000_u64),
    );
    exchange.attempt(attempt);
    let diagnosis = Diagnosis::of(&exchange).expect("it failed");
    let record = Record::of(&exchange, Some(&diagnosis), "edge-1", 504, &Redact::default());
    insta::assert_snapshot!(record.line());
}

#[test]
fn a_good_request_has_no_verdict() {
    let exchange = Exchange::begin(RequestId::new());
    let json = parsed(&Record::of(&exchange, None, "edge-1", 200, &Redact::default()));
    for field in ["cause", "party", "phase", "certainty", "error", "says", "remedy", "connection"] {
        assert_eq!(json[field], Json::Null, "{field}");
    }
    assert_eq!(json["status"], 200);
    assert_eq!(json["times_ms"]["connect"], Json::Null);
}

#[test]
fn a_broken_field_is_kept_for_the_log() {
    let mut exchange = Exchange::begin(RequestId::new());
    exchange.received = Some("a;b=\"\u{2028}".into());
    let record = Record::of(&exchange, None, "edge-1", 502, &Redact::default());
    assert!(record.line().contains(r#""hops":[],"hops_rejected":"a;b=\"\u2028""#));
}

#[test]
fn words_never_quote_a_secret() {
    let cause = crate::attribution::cause::find("no_route").expect("a row");
    let mut exchange = Exchange::begin(RequestId::new());
    let path = "/x?token=s3cret";
    exchange.request = Some(Box::new(RequestFacts {
        host: "u:s3cret@h".into(),
        path: path.into(),
        ..RequestFacts::default()
    }));
    exchange.fail(
        Failure::denied(cause)
            .with(Key::Host, "u:s3cret@h")
            .with(Key::Path, path)
            .with(Key::Trace, vec![path.to_owned()]),
    );
    let diagnosis = Diagnosis::of(&exchange).expect("it failed");
    let line = Record::of(&exchange, Some(&diagnosis), "n", 404, &Redact::default()).line();
    assert!(!line.contains("s3cret"), "{line}");
}

proptest! {
    #[test]
    fn no_request_forges_a_line(
        row in 0..CATALOGUE.len(),
        host: Vec<u8>,
        path in prop_oneof![any::<Vec<u8>>(), Just(vec![b'\xc3'; 9000]), ".{0,3000}".prop_map(String::into_bytes)],
        method in ".*",
        received in ".*",
        words in ".*",
    ) {
        let mut exchange = (CATALOGUE[row].witness)();
        exchange.request = Some(Box::new(RequestFacts {
            host: String::from_utf8_lossy(&host).into_owned(),
            path: String::from_utf8_lossy(&path).into_owned(),
            method: method.clone(),
            client: words.clone(),
            ..RequestFacts::default()
        }));
        exchange.received = Some(received.into());
        if let Some(failure) = exchange.failure_mut() {
            failure.evidence.set(Key::Host, words.clone());
            failure.evidence.set(Key::Trace, vec![words.clone(); 99]);
        }
        let diagnosis = Diagnosis::of(&exchange);
        let record = Record::of(&exchange, diagnosis.as_ref(), &words, 502, &Redact::default());
        let line = record.line();
        let text = line.strip_suffix('\n').expect("a line ends");
        prop_assert!(!text.contains(deceives));
        prop_assert!(record.path.len() <= MAX_TEXT && record.host.len() <= MAX_TEXT);
        prop_assert!(record.weight() < 256 * 1024);
        let json: Json = serde_json::from_str(text).expect("a line is JSON");
        prop_assert_eq!(json["method"].as_str(), Some(method.as_str()));
        prop_assert_eq!(json["path"].as_str(), Some(record.path.as_str()));
    }
}
