use super::*;
use crate::fixture::Scene;

const ASKS: (&str, &str) = ("accept-encoding", "gzip");

fn decide(fields: &[(&'static str, &str)], status: u16, asks: &[(&'static str, &str)]) -> Decision {
    let answer = Scene::with(fields);
    let request = Scene::with(asks);
    let status = StatusCode::from_u16(status).expect("a status");
    Compression::default().decide(Version::HTTP_11, &request.headers, &answer.response(status))
}

#[test]
fn what_suits_is_compressed() {
    const LEAVE: Decision = Decision::Leave;
    const GZIP: Decision = Decision::Encode(Coding::Gzip);
    let html = ("content-type", "Text/HTML; charset=utf-8");
    for (fields, status, decision) in [
        (&[html][..], 200, GZIP),
        (&[html], 503, GZIP),
        (&[html, ("content-length", "1024")], 200, GZIP),
        (&[html, ("content-length", "1023")], 200, LEAVE),
        (&[html, ("content-length", "many")], 200, LEAVE),
        (&[("content-type", "application/json")], 200, GZIP),
        (&[("content-type", "image/svg+xml")], 200, GZIP),
        (&[("content-type", "image/png")], 200, LEAVE),
        (&[("content-type", "text")], 200, LEAVE),
        (&[], 200, LEAVE),
        (&[("content-type", "text/event-stream")], 200, LEAVE),
        (&[("content-type", "application/grpc+proto")], 200, LEAVE),
        (&[html, ("content-encoding", "br")], 200, LEAVE),
        (&[html, ("content-range", "bytes 0-9/99")], 200, LEAVE),
        (&[html, ("cache-control", "public, No-Transform")], 200, LEAVE),
        (&[html], 204, LEAVE),
        (&[html], 206, LEAVE),
        (&[html], 304, LEAVE),
        (&[html], 101, LEAVE),
    ] {
        assert_eq!(decide(fields, status, &[ASKS]), decision, "{status} {fields:?}");
    }
    assert_eq!(decide(&[html], 200, &[]), Decision::Vary);
    assert_eq!(decide(&[html], 200, &[ASKS, ("cache-control", "no-transform")]), LEAVE);
    let (answer, asks) = (Scene::with(&[html]), Scene::with(&[ASKS]));
    let old = Compression::default().decide(
        Version::HTTP_10,
        &asks.headers,
        &answer.response(StatusCode::OK),
    );
    assert_eq!(old, Decision::Vary);
}

fn applied(decision: Decision, method: &Method, fields: &[(&'static str, &str)]) -> HeaderMap {
    let came = Scene::with(fields).headers;
    let mut out = came.clone();
    decision.apply(method, &came, &mut out);
    out
}

#[test]
fn the_header_section_fits_the_bytes() {
    let fields = [
        ("content-length", "5000"),
        ("etag", "\"a\""),
        ("accept-ranges", "bytes"),
        ("content-digest", "sha-256=:AA==:"),
        ("repr-digest", "sha-256=:AA==:"),
        ("vary", "Origin"),
    ];
    let out = applied(Decision::Encode(Coding::Br), &Method::GET, &fields);
    let all = |name: &str| {
        let lines = out.get_all(name).iter().map(|value| value.to_str().expect("text"));
        lines.collect::<Vec<_>>().join(", ")
    };
    for (name, value) in [
        ("content-encoding", "br"),
        ("etag", "W/\"a\""),
        ("vary", "Origin, Accept-Encoding"),
        ("transfer-encoding", "chunked"),
        ("content-length", ""),
        ("accept-ranges", ""),
        ("content-digest", ""),
        ("repr-digest", ""),
    ] {
        assert_eq!(all(name), value, "{name}");
    }
    let head = applied(Decision::Encode(Coding::Br), &Method::HEAD, &fields);
    assert_eq!(head.get(CONTENT_ENCODING), out.get(CONTENT_ENCODING));
    assert!(!head.contains_key(CONTENT_LENGTH) && !head.contains_key(TRANSFER_ENCODING));
    let left = applied(Decision::Vary, &Method::GET, &fields);
    assert_eq!(left.get(CONTENT_LENGTH).map(HeaderValue::as_bytes), Some(&b"5000"[..]));
    assert_eq!(left.get_all(VARY).iter().count(), 2);
    for told in ["*", "origin, ACCEPT-encoding"] {
        let out = applied(Decision::Vary, &Method::GET, &[("vary", told)]);
        assert_eq!(out.get_all(VARY).iter().count(), 1, "{told}");
    }
    let weak = applied(Decision::Encode(Coding::Gzip), &Method::GET, &[("etag", "W/\"a\"")]);
    assert_eq!(weak.get(ETAG).map(HeaderValue::as_bytes), Some(&b"W/\"a\""[..]));
    assert!(applied(Decision::Leave, &Method::GET, &[]).is_empty());
}

#[test]
fn settings_are_strict() {
    for bad in [
        r#"{"encodings":["deflate"]}"#,
        r#"{"types":["json"]}"#,
        r#"{"types":["*/*"]}"#,
        r#"{"types":["text/html; charset=utf-8"]}"#,
        r#"{"level":3}"#,
    ] {
        assert!(serde_json::from_str::<Compression>(bad).is_err(), "{bad}");
    }
    let read: Compression = serde_json::from_str("{}").expect("all defaults");
    assert_eq!(read, Compression::default());
    let written = serde_json::to_string(&read).expect("plain data");
    assert_eq!(serde_json::from_str::<Compression>(&written).ok(), Some(read));
}
