use proptest::prelude::*;

use super::*;
use crate::attribution::{Cause, Fault};

const GOOD: &[u8] = b"POST /a/b?c=d HTTP/1.1\r\nHost: app.example:8080\r\nExpect: 100-Continue\r\n\
    content-length: 5, 5\r\nX: \t v\r\n\r\nhello";

fn inspect(bytes: &[u8]) -> Inspection {
    Head::new().inspect(bytes, &HeadLimits::default())
}

fn facts(bytes: &[u8]) -> HeadFacts {
    match inspect(bytes) {
        Inspection::Complete(facts) => facts,
        other => panic!("{:?}: {other:?}", bytes.escape_ascii().to_string()),
    }
}

fn refusal(bytes: &[u8]) -> Failure {
    match inspect(bytes) {
        Inspection::Refused(failure) => failure,
        other => panic!("{:?}: {other:?}", bytes.escape_ascii().to_string()),
    }
}

fn cause(failure: &Failure) -> Cause {
    match failure.fault {
        Fault::Denied(cause) => cause,
        other => panic!("{other:?}"),
    }
}

/// The rule and the offset.
fn broken(bytes: &[u8]) -> (String, Option<u64>) {
    let failure = refusal(bytes);
    let rule = failure.evidence.text(Key::Rule).unwrap_or_default().to_owned();
    (rule, failure.evidence.number(Key::Offset))
}

#[test]
fn a_good_head_says_what_it_says() {
    let facts = facts(GOOD);
    assert_eq!(facts.length, GOOD.len() - 5);
    assert_eq!(&GOOD[facts.method], b"POST");
    assert_eq!(&GOOD[facts.target], b"/a/b?c=d");
    assert_eq!(&GOOD[facts.host.expect("there")], b"app.example:8080");
    assert_eq!(facts.framing, Framing::Length(5));
    assert_eq!(facts.version, Version::HTTP_11);
    assert!(facts.expects_continue && !facts.upgrade);
}

#[test]
fn the_forms_of_good_requests() {
    for head in [
        "GET / HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://a.example:80/x HTTP/1.1\r\nHost: a.example:80\r\n\r\n",
        "GET HTTPS://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET http://[::1]:8080 HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n",
        "GET /\u{e4}\"{} HTTP/1.1\r\nHost: under_score.example.\r\n\r\n",
        "M-SEARCH // HTTP/1.1\r\nHost: x\r\nX-Empty:\r\n\r\n",
    ] {
        assert_eq!(facts(head.as_bytes()).length, head.len(), "{head}");
    }
    let upgrade = facts(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n");
    assert!(upgrade.upgrade);
    let chunked = facts(b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_eq!(chunked.framing, Framing::Chunked);
    let empty = facts(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(empty.framing, Framing::None);
}

#[test]
fn ambiguous_requests_are_refused_by_name_and_place() {
    for (fields, rule, offset) in [
        (
            "Host: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length with Transfer-Encoding",
            Some(63),
        ),
        (
            "Host: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
            "differing Content-Lengths",
            Some(44),
        ),
        ("Host: x\r\nContent-Length: 1, 2\r\n", "differing Content-Lengths", Some(25)),
        ("Host: x\r\nContent-Length: +1\r\n", "invalid Content-Length", Some(25)),
        ("Host: x\r\nContent-Length: 99999999999999999999\r\n", "invalid Content-Length", Some(25)),
        ("Host: x\r\nContent-Length:\r\n", "invalid Content-Length", Some(25)),
        (
            "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding other than chunked",
            Some(44),
        ),
        (
            "Host: x\r\nTransfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding other than chunked",
            Some(44),
        ),
        (
            "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding other than chunked",
            Some(53),
        ),
        (
            "Host: x\r\nTransfer-Encoding: xchunked\r\n",
            "Transfer-Encoding other than chunked",
            Some(44),
        ),
        ("Host: x\r\nA: b\rc\r\n", "bare CR", Some(29)),
        ("Host: x\nA: b\r\n", "bare LF", Some(23)),
        ("Host: x\r\nA : b\r\n", "space before a colon", Some(26)),
        ("Host: x\r\nA: b\r\n c\r\n", "folded field line", Some(31)),
        (" Host: x\r\n", "folded field line", Some(16)),
        ("Host: x\r\nHost: x\r\n", "more than one Host", Some(25)),
        ("A: b\r\n", "no Host", None),
    ] {
        let head = format!("GET / HTTP/1.1\r\n{fields}\r\n");
        assert_eq!(broken(head.as_bytes()), (rule.to_owned(), offset), "{fields:?}");
        assert_eq!(cause(&refusal(head.as_bytes())), &client::CLIENT_REQUEST_AMBIGUOUS);
    }
    let old = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(broken(old), ("Transfer-Encoding in HTTP/1.0".to_owned(), Some(36)));
    let other = b"GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n";
    assert_eq!(broken(other), ("Host differs from the target".to_owned(), Some(38)));
    assert_eq!(broken(b"GET / HTTP/1.1\n"), ("bare LF".to_owned(), Some(14)));
    assert_eq!(broken(b"\nGET / HTTP/1.1\r\n"), ("bare LF".to_owned(), Some(0)));
}

#[test]
fn malformed_requests_are_refused_by_name_and_place() {
    for (head, rule, offset) in [
        ("GET /a b HTTP/1.1\r\n", "invalid request line", Some(6)),
        ("GET  / HTTP/1.1\r\n", "invalid request line", Some(4)),
        ("GET /#a b HTTP/1.1\r\n", "invalid request line", Some(7)),
        ("GET / HTTP/1.2\r\n", "unknown version", Some(6)),
        ("GET / http/1.1\r\n", "unknown version", Some(6)),
        ("G@T / HTTP/1.1\r\n", "invalid method", Some(1)),
        (" / HTTP/1.1\r\n", "invalid method", Some(0)),
        ("GET\r\n", "invalid request line", Some(3)),
        ("GET x HTTP/1.1\r\n", "invalid target", Some(4)),
        ("GET * HTTP/1.1\r\n", "invalid target", Some(4)),
        ("GET /< HTTP/1.1\r\n", "invalid target", Some(4)),
        ("GET /a#b HTTP/1.1\r\n", "invalid target", Some(6)),
        ("OPTIONS http://a#\u{80} HTTP/1.0\r\n", "invalid target", Some(16)),
        ("GET http:/x HTTP/1.1\r\n", "invalid target", Some(4)),
        ("GET http://a\\b/ HTTP/1.1\r\n", "invalid target", Some(11)),
        ("GET http://u:p@a/ HTTP/1.1\r\n", "user information in the authority", Some(14)),
        ("GET / HTTP/1.1\r\nHost: u@x\r\n\r\n", "user information in the authority", Some(22)),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "invalid Host", Some(22)),
        ("GET / HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", "field line without a colon", Some(25)),
        ("GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", "invalid field name", Some(25)),
        ("GET / HTTP/1.1\r\nHost: x\r\na(b: y\r\n\r\n", "invalid field name", Some(26)),
        ("GET / HTTP/1.1\r\nHost: x\r\na: \x01\r\n\r\n", "invalid field value", Some(28)),
        ("GET / HTTP/1.1\r\nHost: x\r\na: \0\r\n\r\n", "NUL", Some(28)),
        ("GET /\0", "NUL", Some(5)),
        ("GET /\x01", "control character", Some(5)),
        ("GET /\rx", "bare CR", Some(5)),
    ] {
        assert_eq!(broken(head.as_bytes()), (rule.to_owned(), offset), "{head:?}");
    }
    assert_eq!(cause(&refusal(b"GET / HTTP/1.2\r\n")), &client::CLIENT_REQUEST_MALFORMED);
}

#[test]
fn other_protocols_are_guessed_from_their_first_bytes() {
    for (bytes, protocol) in [
        (&b"\x16\x03\x01\x02\x00\x01"[..], "TLS"),
        (b"PRI * HTTP/2.0\r\n", "HTTP/2"),
        (b"SSH-2.0-x", "SSH"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "PROXY protocol"),
        (b"GET /\r\n", "HTTP/0.9"),
    ] {
        let failure = refusal(bytes);
        assert_eq!(failure.evidence.text(Key::LooksLike), Some(protocol));
        assert!(failure.evidence.text(Key::FirstBytes).is_some_and(|text| text.len() <= 64));
        assert_eq!(cause(&failure), &client::CLIENT_REQUEST_MALFORMED);
    }
}

#[test]
fn methods_that_a_gateway_does_not_serve_are_refused() {
    for method in ["CONNECT", "TRACE"] {
        let target = if method == "TRACE" { "/" } else { "x:443" };
        let failure = refusal(format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(cause(&failure), &client::CLIENT_METHOD_REFUSED);
        assert_eq!(failure.evidence.text(Key::Method), Some(method));
    }
}

#[test]
fn limits_hold_to_the_byte() {
    let limits = HeadLimits { section: 40, fields: 2, target: 10 };
    let complete = |head: &str| {
        matches!(Head::new().inspect(head.as_bytes(), &limits), Inspection::Complete(_))
    };
    let refused = |head: &str| match Head::new().inspect(head.as_bytes(), &limits) {
        Inspection::Refused(failure) => failure,
        other => panic!("{head:?}: {other:?}"),
    };
    assert!(complete("GET /234567890 HTTP/1.0\r\n\r\n"));
    for long in ["GET /2345678901 HTTP/1.0\r\n", "GET /23456789012345678901"] {
        let failure = refused(long);
        assert_eq!(cause(&failure), &client::CLIENT_URI_TOO_LONG);
        assert_eq!(failure.evidence.number(Key::Limit), Some(10));
        assert_eq!(failure.evidence.text(Key::Setting), Some("limits.request_uri"));
    }
    assert!(complete("GET / HTTP/1.0\r\na: 4567\r\nfield: 78901234567890123456\r\n\r\n"));
    let large = "GET / HTTP/1.0\r\na: 4567\r\nfield: 7890123456789012345678\r\n\r\n";
    for end in [large.len(), large.len() - 1] {
        let failure = refused(&large[..end]);
        assert_eq!(cause(&failure), &client::CLIENT_HEADER_TOO_LARGE);
        assert_eq!(failure.evidence.text(Key::Field), Some("field"));
        assert!(failure.evidence.number(Key::Size) > Some(40));
    }
    let many = refused("GET / HTTP/1.0\r\na:\r\nb:\r\nc:\r\n");
    assert_eq!(cause(&many), &client::CLIENT_HEADER_TOO_LARGE);
    assert_eq!(many.evidence.number(Key::Count), Some(3));
    assert_eq!(many.evidence.number(Key::MaxCount), Some(2));
}

#[test]
fn every_byte_is_needed() {
    let head = &GOOD[..GOOD.len() - 5];
    for end in 0..head.len() {
        assert_eq!(inspect(&head[..end]), Inspection::Partial, "{end}");
    }
}

fn pieces(bytes: &[u8], cuts: &[prop::sample::Index]) -> Inspection {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let mut head = Head::new();
    for end in ends {
        let inspection = head.inspect(&bytes[..end], &HeadLimits::default());
        if inspection != Inspection::Partial {
            return inspection;
        }
    }
    Inspection::Partial
}

proptest! {
    #[test]
    fn pieces_say_the_same_as_the_whole(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        at in any::<prop::sample::Index>(),
        with in prop::sample::select(&b"\0\r\n \t:,;@#?/*aH1\x7f\xff"[..]),
        change in any::<bool>(),
    ) {
        let mut bytes = GOOD.to_vec();
        if change {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        match (inspect(&bytes), pieces(&bytes, &cuts)) {
            (Inspection::Refused(whole), Inspection::Refused(part)) => {
                prop_assert_eq!(cause(&whole), cause(&part));
                let rule = |failure: &Failure| failure.evidence.text(Key::Rule).map(str::to_owned);
                prop_assert_eq!(rule(&whole), rule(&part));
            }
            (whole, part) => prop_assert_eq!(whole, part),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = inspect(&bytes);
        let _ = inspect(&[&b"GET / HTTP/1.1\r\n"[..], &bytes, b"\r\n\r\n"].concat());
    }
}
