//! What the inspection lets through, Pingora must take, and understand the same.

use bytes::BytesMut;
use pingora::protocols::http::v1::server::HttpSession;
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, duplex};
use whodunit_filters::chunked::Chunked;
use whodunit_filters::head::{FIELDS_MAX, Framing, Head, HeadFacts, HeadLimits, Inspection};

/// As much as the parser itself takes.
const LIMITS: HeadLimits =
    HeadLimits { section: usize::MAX, fields: usize::MAX, target: usize::MAX };

fn inspect(bytes: &[u8]) -> Option<HeadFacts> {
    match Head::new().inspect(bytes, &LIMITS) {
        Inspection::Complete(facts) => Some(facts),
        Inspection::Partial | Inspection::Refused(_) => None,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Lets Pingora read the request, and checks that it understands it as the inspection does.
async fn check(bytes: &[u8], facts: &HeadFacts) -> Result<(), TestCaseError> {
    let (mut client, server) = duplex(64);
    let mut session = HttpSession::new(Box::new(server));
    session.set_pipelined_prefix(BytesMut::from(&bytes[..facts.length]));
    let text = bytes.escape_ascii().to_string();
    let read = session.read_request().await;
    prop_assert!(read.is_ok(), "{}: {:?}", text, read);
    prop_assert_eq!(read.ok().flatten(), Some(facts.length), "{}", text);
    let header = session.req_header();
    prop_assert_eq!(header.method.as_str().as_bytes(), &bytes[facts.method.clone()]);
    prop_assert_eq!(header.version, facts.version);
    let host = header.headers.get("host").map(|host| host.as_bytes().to_vec());
    prop_assert_eq!(host, facts.host.clone().map(|place| bytes[place].to_vec()));
    prop_assert_eq!(session.is_upgrade_req(), facts.upgrade);
    prop_assert_eq!(session.is_body_empty(), facts.framing == Framing::None);
    if let Framing::Length(length) = facts.framing {
        // One byte less than the length is not the body's end, and the last one is.
        if length > 64 {
            return Ok(());
        }
        client
            .write_all(&vec![b'x'; usize::try_from(length).expect("small") - 1])
            .await
            .expect("room");
        while session.body_bytes_read() as u64 + 1 < length {
            session.read_body_bytes().await.expect("a body");
        }
        prop_assert!(!session.is_body_done());
        client.write_all(b"x").await.expect("room");
        session.read_body_bytes().await.expect("a body");
        prop_assert!(session.is_body_done());
    }
    Ok(())
}

fn method() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["GET", "POST", "OPTIONS", "M-SEARCH", "a", "X!#$%&'*+-.^_`|~9"])
}

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just("/".to_owned()),
        1 => Just("*".to_owned()),
        4 => "/[!-~]{0,8}",
        2 => "/[^ \\x00-\\x20\\x7f]{0,8}",
        2 => "(?i:http|https|ws|foo|)(:|:/|://|:\\\\)[a-z0-9.:@\\[\\]%_-]{0,8}[/?#]?[!-~]{0,6}",
        4 => "(?i:http)://h.example:80([/?#][!-~]{0,6})?",
        1 => "[!-~]{0,6}",
    ]
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => "Host: [a-z0-9.:@%\\[\\]_-]{0,8}",
        2 => "(?i:content-length): ?[0-9]{0,3}(, ?[0-9]{0,2})?",
        1 => "Content-Length: [+ ]?[0-9]{18,21}",
        2 => "(?i:transfer-encoding): (?i:chunked|gzip|identity|)(, ?(?i:chunked))?",
        3 => "(?i:upgrade|expect|connection|te|trailer): (websocket|100-continue|close|chunked)",
        9 => "[A-Za-z!#$%&'*+.^_`|~-]{1,8}:[ \t]{0,2}[!-~\u{e9}]{0,8}[ \t]?",
    ]
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let version = prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.0"]);
    (method(), target(), version, prop::collection::vec(field(), 0..4), prop::bool::weighted(0.8))
        .prop_map(|(method, target, version, fields, host)| {
            let host = if host { "Host: h.example:80\r\n" } else { "" };
            let fields = fields.iter().fold(String::new(), |all, field| all + field + "\r\n");
            format!("{method} {target} {version}\r\n{host}{fields}\r\n").into_bytes()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    #[test]
    fn what_passes_is_taken(
        mut bytes in head(),
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..2),
    ) {
        for (at, byte, kind) in mutations {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"\r\n \t:,\0@#"[usize::from(byte) % 9]),
                _ => drop(bytes.remove(at)),
            }
        }
        if let Some(facts) = inspect(&bytes) {
            block_on(check(&bytes, &facts))?;
        }
    }

    #[test]
    fn chunked_bodies_end_where_pingora_sees_their_end(
        mut body in "([0-9a-f]{1,2}( ?;[a-z=\"]{0,4})?\r\n[a-z\r\n]{0,3}){0,3}0\r\n(A: b\r\n){0,2}\r\n[0-9\r\n]{0,6}",
        chunks in prop::collection::vec("[a-z\r\n0-9]{1,20}", 0..3),
        cut in any::<prop::sample::Index>(),
    ) {
        if !chunks.is_empty() {
            let good: Vec<String> =
                chunks.iter().map(|c| format!("{:x}\r\n{c}\r\n", c.len())).collect();
            body = format!("{}{}", good.concat(), &body[body.rfind("0\r\n").unwrap_or(0)..]);
        }
        let bytes = body.as_bytes();
        let mut chunked = Chunked::new();
        let scan = chunked.scan(bytes);
        if scan.done {
            let (first, second) = bytes[..scan.taken].split_at(cut.index(scan.taken));
            block_on(async {
                let (mut client, server) = duplex(64);
                let mut session = HttpSession::new(Box::new(server));
                session.set_pipelined_prefix(BytesMut::from(
                    &b"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"[..],
                ));
                session.read_request().await.expect("a good head");
                let writing = async {
                    client.write_all(first).await.expect("read");
                    tokio::task::yield_now().await;
                    client.write_all(second).await.expect("read");
                };
                let reading = async {
                    let mut ends = Vec::new();
                    while let Some(piece) = session.read_body_bytes().await.expect("good chunks") {
                        ends.push(piece);
                    }
                    ends.concat()
                };
                let (read, ()) = tokio::join!(reading, writing);
                drop(client);
                // Not a byte too many was taken for the body, and none is left over.
                prop_assert!(session.is_body_done());
                prop_assert!(read.len() <= scan.taken);
                session.set_abort_on_close(true);
                prop_assert!(session.read_body_or_idle(true).await.is_err());
                Ok(())
            })?;
        }
    }
}

#[test]
fn the_parsers_own_limits_are_kept() {
    let path =
        |length: usize| format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(length - 1));
    let query = |length: usize| {
        let query = "a".repeat(length - "http://x?".len());
        format!("GET http://x?{query} HTTP/1.1\r\nHost: x\r\n\r\n")
    };
    let fields =
        |count| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "a: b\r\n".repeat(count - 1));
    let name = |length| format!("GET / HTTP/1.1\r\nHost: x\r\n{}: b\r\n\r\n", "a".repeat(length));
    let value = |length| format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "a".repeat(length));
    for (good, bad) in [
        (path(65_533), path(65_534)),
        (query(65_533), query(65_534)),
        (fields(FIELDS_MAX), fields(FIELDS_MAX + 1)),
        (name(65_534), name(65_535)),
        (value(900_000), value(1_000_000)),
    ] {
        let facts = inspect(good.as_bytes()).expect("within the limits");
        block_on(check(good.as_bytes(), &facts)).expect("taken");
        assert!(inspect(bad.as_bytes()).is_none());
    }
}
