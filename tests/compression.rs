//! Answers compressed on their way: what is, what is not, and that nothing is lost or delayed by it.

mod streams;

use std::fmt::Write as _;
use std::io::Read;

use crate::rig::h2client::{Http2, request};
use crate::rig::message::{Request, Response};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

const ALL: [&str; 3] = ["gzip", "br", "zstd"];

/// Words enough to be worth it.
pub(crate) fn page() -> String {
    (0..2_000_u32).fold(String::new(), |mut page, number| {
        writeln!(page, "<p>paragraph {number}</p>").expect("a string takes it");
        page
    })
}

/// A body with the coding taken off, as far as it goes, and whether it is whole.
pub(crate) fn decoded(coding: &str, body: &[u8]) -> (String, bool) {
    let mut text = Vec::new();
    let whole = match coding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut text),
        "br" => brotli::Decompressor::new(body, 4096).read_to_end(&mut text),
        "zstd" => zstd::stream::read::Decoder::new(body)
            .and_then(|mut decoder| decoder.read_to_end(&mut text)),
        _ => Read::read_to_end(&mut &*body, &mut text),
    };
    (String::from_utf8(text).expect("it was text"), whole.is_ok())
}

/// With compression, before an origin whose bodies do not come as they were sent.
pub(crate) fn compressing(origin: &Origin) -> Settings {
    Settings::endpoints(&[&origin.endpoint]).h2c().with("compression", "min_size: 100B")
}

/// An origin that says what the target asks for: `/TYPE/STATUS`, with a field more in its query.
fn origin() -> Origin {
    Origin::serving(|request: &Request| {
        let body = page();
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let mut parts = path.trim_start_matches('/').splitn(3, '/');
        let kind = format!("{}/{}", parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let status = parts.next().filter(|status| !status.is_empty()).unwrap_or("200");
        let more = match query.split_once('=') {
            Some((name, value)) => format!("{name}: {value}\r\n"),
            None => String::new(),
        };
        let body = if request.method == "HEAD" { "" } else { &body };
        let head = format!("HTTP/1.1 {status} Fine\r\nContent-Type: {kind}\r\n{more}");
        format!(
            "{head}Content-Length: {}\r\nETag: \"e\"\r\nAccept-Ranges: bytes\r\n\r\n{body}",
            page().len()
        )
        .into()
    })
}

fn ask1(proxy: &Proxy, method: &str, target: &str, accept: &str) -> Told {
    let fields = format!("Host: app.test\r\nAccept-Encoding: {accept}\r\n");
    proxy.send(format!("{method} {target} HTTP/1.1\r\n{fields}\r\n"))
}

fn ask2(proxy: &Proxy, method: &str, target: &str, accept: &str) -> Told {
    let connection = Http2::connect(proxy.address());
    proxy.exchange(|| {
        let request = request(method, target).header("accept-encoding", accept).body(());
        connection.ask(request.expect("a good request"))
    })
}

type Ask = fn(&Proxy, &str, &str, &str) -> Told;
const ASKS: [Ask; 2] = [ask1, ask2];

fn field(answer: &Response, name: &str) -> String {
    answer.fields.text(name).unwrap_or_default()
}

#[test]
fn each_coding_comes_through_both_versions() {
    let origin = origin();
    let proxy = compressing(&origin).start();
    for ask in ASKS {
        for coding in ALL {
            let told = ask(&proxy, "GET", "/text/html", &format!("{coding}, identity;q=0.1"));
            let answer = told.answer();
            assert_eq!(field(answer, "content-encoding"), coding, "{answer:?}");
            assert!(answer.whole() && answer.body.len() * 2 < page().len(), "{answer:?}");
            assert_eq!(decoded(coding, &answer.body), (page(), true));
            assert_eq!(field(answer, "vary"), "Accept-Encoding");
            assert_eq!(field(answer, "etag"), "W/\"e\"");
            for gone in ["content-length", "accept-ranges"] {
                assert_eq!(field(answer, gone), "", "{gone}");
            }
        }
        let told = ask(&proxy, "GET", "/text/html", "gzip;q=0.5, br;q=0.9, zstd;q=0.9");
        assert_eq!(field(told.answer(), "content-encoding"), "zstd");
    }
}

#[test]
fn what_does_not_suit_comes_as_it_was_sent() {
    let origin = origin();
    let proxy = compressing(&origin).start();
    for ask in ASKS {
        for (target, accept, vary) in [
            ("/image/png", "gzip", ""),
            ("/text/event-stream", "gzip", ""),
            ("/text/html?Content-Encoding=xyz", "gzip", ""),
            ("/text/html?Cache-Control=no-transform", "gzip", ""),
            ("/text/html/206?Content-Range=bytes 0-9/99", "gzip", ""),
            ("/text/html", "gzip;q=0, deflate", "Accept-Encoding"),
            ("/text/html?Vary=Origin", "identity", "Origin, Accept-Encoding"),
            ("/text/html?Vary=*", "identity", "*"),
        ] {
            let target = target.replace(' ', "%20").replace("%20", "+");
            let told = ask(&proxy, "GET", &target, accept);
            let answer = told.answer();
            assert_eq!(answer.text(), page(), "{target}");
            assert_eq!(field(answer, "vary"), vary, "{target}");
            assert_eq!(field(answer, "content-length"), page().len().to_string(), "{target}");
            assert_eq!(field(answer, "etag"), "\"e\"", "{target}");
        }
    }
    let old =
        proxy.send("GET /text/html HTTP/1.0\r\nHost: app.test\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_eq!(
        (old.answer().text(), field(old.answer(), "vary")),
        (page(), "Accept-Encoding".into())
    );
}

#[test]
fn a_head_has_the_fields_of_a_get_and_the_connection_goes_on() {
    let origin = origin();
    let proxy = compressing(&origin).start();
    let mut told = proxy.exchanges(2, || {
        let mut client = proxy.connect();
        ["HEAD", "GET"]
            .map(|method| {
                let fields = "Host: app.test\r\nAccept-Encoding: br\r\n";
                client.send(format!("{method} /text/css HTTP/1.1\r\n{fields}\r\n"));
                client.receive(method)
            })
            .into()
    });
    let (get, head) = (told.pop().expect("two"), told.pop().expect("two"));
    for name in ["content-encoding", "vary", "etag", "content-length", "content-type"] {
        assert_eq!(field(get.answer(), name), field(head.answer(), name), "{name}");
    }
    assert_eq!(decoded("br", &get.answer().body).0, page());
    let head = ask2(&proxy, "HEAD", "/text/css", "br");
    assert_eq!(field(head.answer(), "content-encoding"), "br");
    assert!(head.answer().body.is_empty());
}

#[test]
fn an_error_passed_on_may_be_smaller_and_says_who_failed_all_the_same() {
    let origin = origin();
    let proxy = compressing(&origin).start();
    for ask in ASKS {
        let told = ask(&proxy, "GET", "/text/html/503", "gzip");
        assert_eq!((told.status(), told.text("cause")), (503, "origin_error"), "{:#}", told.record);
        assert_eq!(decoded("gzip", &told.answer().body), (page(), true));
        assert_eq!(told.member.expect("a member").param("received-status"), Some("503"));
    }
}

#[test]
fn a_route_says_for_itself() {
    let origin = origin();
    let proxy = compressing(&origin)
        .route("match: { path: /text/plain }, upstream: web, compression: null")
        .route("match: { path: /text/css }, upstream: web, compression: { encodings: [ gzip ], types: [ text/css ], levels: { gzip: 1 } }")
        .route("upstream: web")
        .start();
    for (target, coding) in [("/text/plain", ""), ("/text/css", "gzip"), ("/text/html", "br")] {
        let told = ask1(&proxy, "GET", target, "br, gzip;q=0.5");
        assert_eq!(field(told.answer(), "content-encoding"), coding, "{target}");
        assert_eq!(decoded(coding, &told.answer().body), (page(), true), "{target}");
    }
}

#[test]
fn nothing_is_compressed_unless_somebody_says_so() {
    let origin = origin();
    let proxy = Settings::to(&origin).start();
    let told = ask1(&proxy, "GET", "/text/html", "gzip, br, zstd");
    assert_eq!(told.answer().text(), page());
    assert_eq!(field(told.answer(), "vary"), "");
}

#[test]
fn a_common_client_reads_it() {
    let origin = origin();
    let proxy = compressing(&origin).start();
    let url = format!("http://{}/text/html", proxy.address());
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        for coding in ALL {
            let accept = format!("Accept-Encoding: {coding}");
            let arguments = ["-sS", "--noproxy", "*", "--compressed", version, "-H", &accept, &url];
            let Ok(out) = std::process::Command::new("curl").args(arguments).output() else {
                return crate::rig::skip("a_common_client_reads_it", "there is no curl");
            };
            let said = String::from_utf8_lossy(&out.stderr);
            if said.contains("Unrecognized content encoding") || said.contains("not supported") {
                crate::rig::skip("a_common_client_reads_it", &format!("curl knows no {coding}"));
                continue;
            }
            assert!(out.status.success(), "{version} {coding}: {said}");
            assert_eq!(String::from_utf8_lossy(&out.stdout), page(), "{version} {coding}");
        }
    }
    let records = proxy.log.wait(6);
    assert!(records.iter().all(|record| record["cause"].is_null()), "{records:#?}");
}

#[test]
fn what_is_asked_for_anew_is_confirmed_by_the_tag_that_the_client_has() {
    let origin = Origin::serving(|_| b"HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n".into());
    let proxy = compressing(&origin).start();
    for (held, tag, vary) in [
        ("W/\"e\"", "W/\"e\"", "Accept-Encoding"),
        ("\"x\", W/\"e\"", "W/\"e\"", "Accept-Encoding"),
        ("\"e\"", "\"e\"", ""),
        ("W/\"ee\"", "\"e\"", ""),
        ("*", "\"e\"", ""),
    ] {
        let told = proxy
            .send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nIf-None-Match: {held}\r\n\r\n"));
        let answer = told.answer();
        assert_eq!(told.status(), 304);
        assert_eq!((&*field(answer, "etag"), &*field(answer, "vary")), (tag, vary), "{held}");
        let asked =
            origin.requests().pop().and_then(|request| request.fields.text("if-none-match"));
        assert_eq!(asked.as_deref(), Some(held));
    }
}
