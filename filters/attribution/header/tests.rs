use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::attribution::RequestId;
use crate::attribution::cause::CATALOGUE;
use crate::attribution::evidence::{Evidence, Failure, Fault, Phase, Side, Value};
use crate::attribution::exchange::NextHop;

/// An exchange whose attempts failed so, with an id that is known.
fn failed(faults: &[(u8, Phase, Fault)]) -> Exchange {
    let mut exchange = Exchange::begin(RequestId::parse(b"01JD3W0000000000").expect("well-formed"));
    for (host, phase, fault) in faults {
        let address: SocketAddr = ([192, 0, 2, *host], 8080).into();
        let mut attempt = Attempt::begin(NextHop::Inet(address));
        attempt.fail(Failure::new(Side::Origin, *phase, *fault));
        exchange.attempt(attempt);
    }
    exchange
}

fn member_of(exchange: &Exchange, status: u16, disclosure: Disclosure) -> String {
    let diagnosis = Diagnosis::of(exchange).expect("it failed");
    member("edge-1.example.net", exchange, &diagnosis, status, disclosure)
}

#[test]
fn a_generated_answer_has_an_error() {
    let mut exchange = failed(&[(1, Phase::Wait, Fault::TimedOut)]);
    let attempt = exchange.last_attempt_mut().expect("one attempt");
    let failure = attempt.failure.as_mut().expect("it failed");
    failure.evidence.set(Key::LimitMs, 60_000_u64);
    assert_eq!(
        member_of(&exchange, 504, Disclosure::Full),
        "edge-1.example.net;error=connection_read_timeout;next-hop=\"192.0.2.1:8080\"\
         ;details=\"no answer within 60 s\";cause=origin_slow;party=origin;phase=wait\
         ;certainty=likely;sent=none;ref=\"01JD3W0000000000\""
    );
    assert_eq!(
        member_of(&exchange, 504, Disclosure::Minimal),
        "edge-1.example.net;error=connection_read_timeout;cause=origin_slow;party=origin\
         ;ref=\"01JD3W0000000000\""
    );
}

#[test]
fn the_scope_is_told_to_those_who_are_told_everything() {
    let mut exchange = failed(&[(1, Phase::Connect, Fault::Refused)]);
    let attempt = exchange.last_attempt_mut().expect("one attempt");
    attempt.failure.as_mut().expect("it failed").evidence.set(Key::Scope, "all");
    let full = member_of(&exchange, 502, Disclosure::Full);
    assert!(full.contains(";scope=all;sent=none;"), "{full}");
    assert!(!member_of(&exchange, 502, Disclosure::Minimal).contains("scope"));
}

#[test]
fn a_forwarded_answer_has_none() {
    let mut exchange = failed(&[]);
    exchange.upstream_status = Some(503);
    let member = member_of(&exchange, 503, Disclosure::Minimal);
    assert_eq!(
        member,
        "edge-1.example.net;received-status=503;cause=origin_error;party=origin\
         ;ref=\"01JD3W0000000000\""
    );
}

#[test]
fn the_next_hop_is_that_of_the_attempt_that_was_judged() {
    let exchange = failed(&[
        (1, Phase::Receive, Fault::Upgrade),
        (2, Phase::Wait, Fault::TimedOut),
        (3, Phase::Receive, Fault::Upgrade),
    ]);
    let mut diagnosis = Diagnosis::of(&exchange).expect("it failed");
    diagnosis.attempt = Some(1);
    assert_eq!(judged(&exchange, &diagnosis).expect("one").next_hop.to_string(), "192.0.2.2:8080");
    let member = member("edge", &exchange, &diagnosis, 504, Disclosure::Full);
    assert!(member.contains("attempts=3"), "{member}");
}

#[test]
fn extra_parameters_take_their_registered_form() {
    let exchange = failed(&[]);
    let mut draft = Draft::new("edge 1");
    let mut evidence = Evidence::new();
    evidence.set(Key::AlertId, 40_u64);
    evidence.set(Key::Alert, "handshake failure");
    draft.extra(ErrorType::TlsAlertReceived, &evidence, 502);
    evidence.set(Key::Rcode, "NX\u{e4}\n\"DOMAIN");
    evidence.set(Key::InfoCode, u64::MAX);
    draft.extra(ErrorType::DnsError, &evidence, 502);
    draft.extra(ErrorType::HttpRequestError, &evidence, 431);
    assert_eq!(
        draft.finish(),
        r#""edge 1";alert-id=40;rcode="NX??\"DOMAIN";status-code=431;status-phrase="Request Header Fields Too Large""#
    );
    assert!(
        passing("e", &exchange, 200, Disclosure::Full).starts_with("e;received-status=200;ref=")
    );
}

#[test]
fn what_does_not_parse_is_dropped_whole() {
    for bad in [
        "a, b;c=\"",
        "a;d=@1700000000",
        "a;d=%\"x\"",
        "a,",
        "(a b)",
        "12;error=dns_timeout",
        "a;\u{e4}=1",
        "a\r\nx: y",
    ] {
        assert_eq!(read(bad), Err(Malformed), "{bad:?}");
        let field = append(Some(bad), "us;ref=\"1\"");
        assert_eq!(field.value, "us;ref=\"1\"", "{bad:?}");
        assert!(field.rejected);
    }
}

#[test]
fn what_parses_stays_as_it_came() {
    let received = " tier2;error=dns_error;rcode=\"NXDOMAIN\";n=-7 ,\t\"a b\";x=1.5;y;z=:aGk=: ";
    let field = append(Some(received), "us");
    assert_eq!(field.value, format!("{}, us", received.trim()));
    assert_eq!((field.dropped, field.rejected), (0, false));
    let read = read(received).expect("valid");
    assert_eq!(read.members[0].text("error"), Some("dns_error"));
    assert_eq!(read.members[0].text("rcode"), Some("NXDOMAIN"));
    assert_eq!(read.members[0].integer("n"), Some(-7));
    assert_eq!(read.members[1].name, "a b");
    assert_eq!(
        serde_json::to_string(&read.members[1]).expect("JSON"),
        r#"{"name":"a b","params":{"x":1.5,"y":true,"z":"hi"}}"#
    );
    assert_eq!(append(None, "us").value, "us");
    assert_eq!(append(Some(""), "us").value, "us");
}

#[test]
fn the_oldest_go_first() {
    let many: Vec<String> = (0..40).map(|i| format!("hop{i}")).collect();
    let field = append(Some(&many.join(", ")), "us");
    assert_eq!(field.dropped, 25);
    assert!(field.value.starts_with("hop25, ") && field.value.ends_with("hop39, us"));
    let read_back = read(&many.join(",")).expect("valid");
    assert_eq!((read_back.dropped, read_back.members[0].name.as_str()), (24, "hop24"));

    let long: Vec<String> = (0..10).map(|i| format!("h{i};d=\"{}\"", "x".repeat(900))).collect();
    let field = append(Some(&long.join(", ")), "us");
    assert_eq!(field.dropped, 6);
    assert!(field.value.len() <= MAX_BYTES);
}

/// Every witness, with whatever a peer may have put into its evidence.
fn any_witness() -> impl Strategy<Value = Exchange> {
    (0..CATALOGUE.len(), ".*", any::<u64>(), ".*").prop_map(|(row, words, number, path)| {
        let mut exchange = (CATALOGUE[row].witness)();
        let hostile = |evidence: &mut Evidence| {
            for key in Key::ALL {
                match evidence.find(*key) {
                    Some(Value::Number(_)) => evidence.set(*key, number),
                    _ if number.is_multiple_of(3) => evidence.set(*key, number),
                    _ => evidence.set(*key, words.clone()),
                }
            }
        };
        if let Some(failure) = exchange.failure_mut() {
            hostile(&mut failure.evidence);
        }
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.next_hop = NextHop::Unix(path.into());
            if let Some(failure) = attempt.failure.as_mut() {
                hostile(&mut failure.evidence);
            }
        }
        exchange
    })
}

proptest! {
    #[test]
    fn what_is_sent_parses_and_ends_in_ours(
        exchange in any_witness(),
        node in ".*",
        received in prop_oneof![
            Just(None),
            any::<Vec<u8>>().prop_map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned())),
            "[a-c]{1,9}(;[a-c]=[a-c0-9\"@.%:?()]{0,5})?([ \t]*,[ \t]*[a-c]{1,900}){0,20}".prop_map(Some),
        ],
        status in 400_u16..600,
        full: bool,
    ) {
        let diagnosis = Diagnosis::of(&exchange).expect("a witness fails");
        let disclosure = if full { Disclosure::Full } else { Disclosure::Minimal };
        let ours = member(&node, &exchange, &diagnosis, status, disclosure);
        let field = append(received.as_deref(), &ours);
        prop_assert!(field.value.len() <= MAX_BYTES);
        prop_assert!(field.value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')));
        let read = read(&field.value).expect("what is sent parses");
        prop_assert!(read.members.len() <= MAX_MEMBERS && read.dropped == 0);
        let last = read.members.last().expect("ours");
        prop_assert_eq!(last.text("cause"), Some(diagnosis.cause.id));
        prop_assert_eq!(last.text("ref"), Some(exchange.id.as_str()));
        prop_assert_eq!(last.param("error").is_none(), diagnosis.passes());
        prop_assert_eq!(last.param("received-status").is_some(), diagnosis.passes());
        prop_assert_eq!(last.param("next-hop").is_some(), full && exchange.attempts_made() > 0);
    }
}
