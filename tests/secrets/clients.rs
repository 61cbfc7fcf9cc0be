//! What clients say, broken in every way in which it can be.

use super::{clean, fields, lines, met, nowhere, secret, settings, target};
use crate::rig::h2client::{Http2, field, fields as pseudo, frame, get, hello, request};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy that is easily displeased.
fn strict(origin: &Origin) -> Proxy {
    settings(Settings::to(origin))
        .with("limits", "request_header: 4KiB, request_headers: 40, request_uri: 2KiB")
        .with("limits", "request_body: 1KiB")
        .with("timeouts", "request_header: 400ms, request_body: 400ms")
        .with("loop", "max_hops: 3")
        .route("match: { host: app.test }, upstream: web")
        .start()
}

/// The fields of a request that is good but for what is put after them.
fn head(start: &str) -> String {
    format!("{start}\r\nHost: app.test\r\n{}", lines())
}

/// What is said in HTTP/1.1, and what is said of that. A `*` stands for a secret.
const SAID: [(&str, &str, &str); 28] = [
    ("a space before a colon", "Cookie : *\r\n\r\n", "client_request_ambiguous"),
    ("a folded field", "X-A: b\r\n *\r\n\r\n", "client_request_ambiguous"),
    ("a CR alone", "X-A: *\r*\r\n\r\n", "client_request_ambiguous"),
    ("an LF alone", "X-A: *\n*\r\n\r\n", "client_request_ambiguous"),
    ("a NUL", "X-A: *\0*\r\n\r\n", "client_request_malformed"),
    ("a control", "X-A: *\u{1}*\r\n\r\n", "client_request_malformed"),
    ("a line without a colon", "*\r\n\r\n", "client_request_malformed"),
    ("a name that is none", "\"*\": *\r\n\r\n", "client_request_malformed"),
    ("a second host", "Host: *.test\r\n\r\n", "client_request_ambiguous"),
    ("a length in words", "Content-Length: *\r\n\r\n", "client_request_ambiguous"),
    ("two lengths", "Content-Length: 5\r\nContent-Length: *\r\n\r\n", "client_request_ambiguous"),
    ("a list of lengths", "Content-Length: 5, *\r\n\r\nhello", "client_request_ambiguous"),
    ("a coding that is not known", "Transfer-Encoding: *\r\n\r\n", "client_request_ambiguous"),
    (
        "a coding after the last",
        "Transfer-Encoding: chunked, *\r\n\r\n",
        "client_request_ambiguous",
    ),
    (
        "two framings",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: *\r\n\r\n*",
        "client_request_ambiguous",
    ),
    ("a field that is too large", "X-Large: **\r\n\r\n", "client_header_too_large"),
    ("a nomination of nonsense", "Connection: \"*\"\r\n\r\n", "client_request_malformed"),
    ("a nomination of Host", "Connection: host, *\r\n\r\n", "client_request_malformed"),
    ("an expectation", "Expect: *\r\nContent-Length: 2000\r\n\r\n*", "client_body_too_large"),
    ("a body that is too large", "Content-Length: 2000\r\n\r\n*", "client_body_too_large"),
    (
        "chunks that are too large",
        "Transfer-Encoding: chunked\r\n\r\n7d0;*=*\r\n**",
        "client_body_too_large|client_request_malformed",
    ),
    (
        "a chunk line that is none",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n*\r\n",
        "client_request_malformed",
    ),
    (
        "a chunk that is too long",
        "Transfer-Encoding: chunked\r\n\r\n5;*=\"*\"\r\nhello*\r\n0\r\n\r\n",
        "client_request_malformed",
    ),
    (
        "trailers that are none",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n*\r\n\r\n",
        "",
    ),
    ("a body that stops", "Content-Length: 900\r\n\r\n*", "client_slow"),
    ("a header that stops", "X-Half: *", "client_slow"),
    ("a loop", "CDN-Loop: a; t=*, b; x=\"*\", c, d, e\r\n\r\n", "loop_detected"),
    ("an upgrade", "Connection: upgrade\r\nUpgrade: *\r\n\r\n", ""),
];

#[test]
fn no_secret_of_a_client_of_http1_gets_anywhere() {
    let origin = Origin::answering(OK);
    let proxy = strict(&origin);
    let small = target("/x");
    for (what, said, cause) in SAID {
        let said = said.replace("**", &secret("large").repeat(250)).replace('*', &secret("said"));
        let told = proxy.send(format!("{}{said}", head(&format!("POST {small} HTTP/1.1"))));
        met(what, &told, cause);
    }
    let long = small.replace("a=1", &format!("key={}", secret("long").repeat(100)));
    let user = secret("user");
    for (what, start, cause) in [
        ("a long target", format!("GET {long} HTTP/1.1"), "client_uri_too_long"),
        ("another version", format!("GET {small} HTTP/3.0"), "client_request_malformed"),
        ("a space in a target", format!("GET {small} x HTTP/1.1"), "client_request_malformed"),
        ("no version", format!("GET {small}"), "client_request_malformed"),
        ("a method of its own", format!("G=T {small} HTTP/1.1"), "client_request_malformed"),
        ("a fragment", format!("GET {small}#id_token={user} HTTP/1.1"), "client_request_malformed"),
        ("a trace", format!("TRACE {small} HTTP/1.1"), "client_method_refused"),
        (
            "a user",
            format!("GET http://me:{user}@app.test{small} HTTP/1.1"),
            "client_request_ambiguous|client_request_malformed",
        ),
        (
            "a user without a scheme",
            format!("CONNECT me:{user}@app.test:443 HTTP/1.1"),
            "client_request_ambiguous|client_request_malformed|client_method_refused",
        ),
    ] {
        met(what, &proxy.send(format!("{}\r\n", head(&start))), cause);
    }
    let elsewhere = format!("GET {small} HTTP/1.1\r\nHost: other.test\r\nCookie: {user}\r\n\r\n");
    met("no route", &proxy.send(elsewhere), "no_route");
    let me = format!("GET {small} HTTP/1.1\r\nHost: me:{user}@app.test\r\nCookie: {user}\r\n\r\n");
    met("a user in Host", &proxy.send(me), "client_request_ambiguous|client_request_malformed");
    for (what, bytes) in [
        ("another protocol", format!("SSH-2.0-client\r\n{user}\r\n\r\n")),
        ("a second line", format!("\u{1}\r\n{user}\r\n\r\n")),
    ] {
        met(what, &proxy.send(bytes), "client_request_malformed");
    }
    nowhere(&proxy);
}

/// One exchange over HTTP/2, frame by frame: what came of it where there is a record.
fn framed(proxy: &Proxy, frames: &[Vec<u8>]) -> Told {
    proxy.exchange(|| {
        let mut client = proxy.connect();
        client.send([&[hello()][..], frames].concat().concat());
        // The proxy answers with frames, and then leaves or waits for more.
        while client.speaks_within(crate::rig::h2client::SOON) && client.fill() {}
        clean("the frames", &String::from_utf8_lossy(&client.buffered()));
        None
    })
}

#[test]
fn no_secret_of_a_client_of_http2_gets_anywhere() {
    let origin = Origin::answering(OK);
    let proxy = strict(&origin);
    let client = Http2::connect(proxy.address());
    let asked = |mut request: http::request::Builder| {
        for (name, value) in fields() {
            request = request.header(name, value);
        }
        request.body(()).expect("a request")
    };
    let target = target("/x");
    let large = secret("large").repeat(200);
    for (what, request, cause) in [
        (
            "two hosts",
            request("GET", &target).header("host", format!("me:{}@app.test", secret("host"))),
            "client_request_ambiguous",
        ),
        (
            "a large field",
            request("GET", &target).header("x-large", &large),
            "client_header_too_large",
        ),
        ("a long target", request("GET", &format!("{target}&key={large}")), "client_uri_too_long"),
        ("a trace", request("TRACE", &target), "client_method_refused"),
        (
            "a loop",
            request("GET", &target)
                .header("cdn-loop", format!("a; t={}, b, c, d, e", secret("loop"))),
            "loop_detected",
        ),
        ("another route", get_of("http://other.test", &target), "no_route"),
        (
            "a user",
            get_of(&format!("http://me:{}@app.test", secret("user")), &target),
            "client_request_malformed|client_request_ambiguous",
        ),
        (
            "a length",
            request("POST", &target).header("content-length", "2000"),
            "client_body_too_large",
        ),
    ] {
        let told = proxy.exchange(|| client.open(asked(request), false).receive());
        met(what, &told, cause);
    }
    for (what, body, end, cause) in [
        ("a large body", secret("body").repeat(90), true, "client_body_too_large"),
        ("half a body", secret("body"), false, "client_slow"),
    ] {
        let told = proxy.exchange(|| {
            let mut exchange = client.open(asked(request("POST", &target)), false);
            exchange.send(body, end);
            exchange.receive()
        });
        met(what, &told, cause);
    }
    let told = proxy.exchange(|| {
        client.open(asked(request("POST", &target)), false).cancel();
        None
    });
    met("a request taken back", &told, "client_aborted");
    assert_eq!(proxy.exchange(|| client.ask(get("/"))).status(), 200);
    nowhere(&proxy);
}

fn get_of(origin: &str, target: &str) -> http::request::Builder {
    http::Request::builder().uri(format!("{origin}{target}"))
}

/// What a library would not send.
#[test]
fn no_secret_in_a_frame_gets_anywhere() {
    let origin = Origin::answering(OK);
    let proxy = strict(&origin);
    let hidden = secret("frame");
    let with = |field: Vec<u8>| [pseudo(), field].concat();
    for (what, fields, cause) in [
        ("a connection field", with(field("connection", &hidden)), "client_request_malformed"),
        ("capitals", with(field("X-Bad", &hidden)), "client_request_malformed"),
        ("te", with(field("te", &hidden)), "client_request_malformed"),
        (
            "a control",
            with(field("x-bad", &format!("{hidden}\n{hidden}"))),
            "client_request_malformed",
        ),
        ("a length in words", with(field("content-length", &hidden)), "client_request_malformed"),
        ("an unknown pseudo field", with(field(":hidden", &hidden)), "client_request_malformed"),
        (
            "fields that are packed wrongly",
            [&b"\x00\x81"[..], hidden.as_bytes()].concat(),
            "client_request_malformed",
        ),
    ] {
        let told = framed(&proxy, &[frame(1, 5, 1, &fields)]);
        met(what, &told, cause);
    }
    let goodbye = [&[0; 8][..], hidden.as_bytes()].concat();
    let unknown = frame(0xfe, 0, 0, hidden.as_bytes());
    let open = frame(1, 4, 1, &with(field("x-good", &hidden)));
    let told = framed(&proxy, &[open, unknown, frame(7, 0, 0, &goodbye)]);
    met("a goodbye", &told, "client_aborted|client_slow");
    nowhere(&proxy);
}
