//! HTTP/2 from clients, by prior knowledge: what goes through. What fails is in the modules.

mod both;
mod clients;
mod connections;
mod failures;
mod floods;

use std::process::Command;

use http::Request;

use crate::rig::h2client::{Http2, get, request};
use crate::rig::message::{Response, whole_response};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// One exchange over HTTP/2, on a connection of its own.
fn ask(proxy: &Proxy, request: Request<()>) -> Told {
    let client = Http2::connect(proxy.address());
    proxy.exchange(|| client.ask(request))
}

/// One exchange with a body.
pub(crate) fn upload(proxy: &Proxy, request: Request<()>, body: &[u8]) -> Told {
    let client = Http2::connect(proxy.address());
    proxy.exchange(|| {
        let mut exchange = client.open(request, false);
        exchange.send(body.to_vec(), true);
        exchange.receive()
    })
}

pub(crate) fn built(request: http::request::Builder) -> Request<()> {
    request.body(()).expect("a request")
}

#[test]
fn a_listener_speaks_both() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    let told = ask(&proxy, get("/x?y=1"));
    assert_eq!(told.answer().text(), "ok");
    assert_eq!(told.text("protocol"), "HTTP/2");
    assert_eq!(told.text("path"), "/x?y=1");
    assert_eq!(told.text("host"), "app.test");
    assert_eq!(told.text("listener"), proxy.address().to_string());
    assert!(told.text("client").starts_with("127.0.0.1:"), "{:#}", told.record);
    // As they would be written in HTTP/1.1.
    let head = "GET /x?y=1 HTTP/1.1\r\n\r\n";
    assert_eq!(told.value("bytes.client_in"), head.len());
    assert!(told.value("bytes.client_out").as_u64() > Some(OK.len() as u64), "{:#}", told.record);
    assert_eq!(proxy.get("/").text("protocol"), "HTTP/1.1");
    let seen = origin.requests().swap_remove(0);
    assert_eq!((seen.target.as_str(), seen.minor), ("/x?y=1", 1));
    assert_eq!(seen.fields.text("host").as_deref(), Some("app.test"));
    assert_eq!(seen.fields.text("via").as_deref(), Some("2.0 edge.test"));
    assert_eq!(seen.fields.text("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(seen.fields.text("x-forwarded-host").as_deref(), Some("app.test"));
    assert_eq!(seen.fields.text("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}

#[test]
fn only_a_listener_that_is_told_to_takes_it() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).listener("127.0.0.1:0").h2c().start();
    let told = proxy.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_eq!((told.status(), told.text("cause")), (400, "client_request_malformed"));
    assert_eq!(told.text("evidence.looks_like"), "HTTP/2");
    let client = Http2::connect(proxy.addresses[1]);
    let told = proxy.exchange(|| client.get("/"));
    assert_eq!(told.status(), 200);
    assert_eq!(told.text("listener"), proxy.addresses[1].to_string());
}

#[test]
fn curl_speaks_it() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    let url = format!("http://{}/x", proxy.address());
    let told = proxy.exchange(|| {
        let asked = Command::new("curl")
            .args(["--silent", "--include", "--noproxy", "*", "--http2-prior-knowledge"])
            .args(["--data", "hello", "--max-time", "20", &url])
            .output();
        let mut said = asked.expect("curl is there").stdout;
        let rest = said.strip_prefix(b"HTTP/2 ").expect("HTTP/2");
        said = [b"HTTP/1.1 ", rest].concat();
        let mut response: Response = whole_response(&said, "POST").expect("an answer");
        response.http2 = true;
        Some(response)
    });
    assert_eq!((told.status(), told.text("protocol")), (200, "HTTP/2"));
    assert_eq!(origin.requests()[0].body, b"hello");
}

#[test]
fn many_requests_share_a_connection() {
    let origin = Origin::serving(|request| {
        let body = &request.target;
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    });
    let proxy = Settings::to(&origin).h2c().start();
    let client = Http2::connect(proxy.address());
    let count = 80;
    let told = proxy.exchanges(count, || {
        let paths: Vec<_> = (0..count).map(|nth| format!("/{nth}")).collect();
        let mut open: Vec<_> = paths.iter().map(|path| client.open(get(path), true)).collect();
        let answers: Vec<_> =
            open.iter_mut().map(super::rig::h2client::Exchange::receive).collect();
        for (path, answer) in paths.iter().zip(&answers) {
            assert_eq!(&answer.as_ref().expect("an answer").text(), path);
        }
        // The records may come in another order.
        Vec::new()
    });
    assert!(told.iter().all(|told| told.record["status"] == 200));
    let metrics = proxy.metrics();
    assert!((metrics.sum("whodunit_connections", &[("side", "client")]) - 1.0).abs() < 0.5);
}

#[test]
fn bodies_arrive_whole() {
    let body: Vec<u8> = (0..3_000_000_u32).map(|nth| (nth % 251) as u8).collect();
    let origin = Origin::serving(|request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len());
        [head.as_bytes(), &request.body].concat()
    });
    let proxy = Settings::to(&origin).h2c().start();
    let told = upload(&proxy, built(request("POST", "/")), &body);
    assert_eq!(told.answer().body, body);
    let length = u64::try_from(body.len()).expect("it fits");
    assert!(told.value("bytes.client_in").as_u64() > Some(length), "{:#}", told.record);
    assert!(told.value("bytes.client_out").as_u64() > Some(length), "{:#}", told.record);
    assert_eq!(told.value("bytes.upstream_out"), length);
    let stated = request("POST", "/").header("content-length", "5");
    assert_eq!(upload(&proxy, built(stated), b"hello").answer().text(), "hello");
    let seen = origin.requests().pop().expect("it arrived");
    assert_eq!(seen.fields.text("content-length").as_deref(), Some("5"));
}

#[test]
fn an_upload_ends_once_whatever_ends_it() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    let client = Http2::connect(proxy.address());
    for nth in 0..5 {
        let told = proxy.exchange(|| {
            let mut exchange = client.open(built(request("POST", "/")), false);
            exchange.send("hello", false);
            // What ends it is an empty frame.
            exchange.send("", true);
            exchange.receive()
        });
        assert_eq!(told.status(), 200, "upload {nth}");
        assert_eq!(told.value("connection.reused"), nth > 0);
    }
    assert_eq!(origin.connections(), 1);
    assert!(origin.requests().iter().all(|request| request.body == b"hello"));
}

#[test]
fn fields_go_as_http1_has_them() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).h2c().start();
    let asked = request("GET", "/")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("te", "trailers")
        .header("x-twice", "a")
        .header("x-twice", "b")
        .header("via", "1.0 before");
    assert_eq!(ask(&proxy, built(asked)).status(), 200);
    let seen = origin.requests().pop().expect("it arrived");
    assert_eq!(seen.fields.all("cookie"), ["a=1; b=2"]);
    assert_eq!(seen.fields.all("x-twice"), ["a", "b"]);
    assert_eq!(seen.fields.text("te"), None);
    assert_eq!(seen.fields.text("via").as_deref(), Some("1.0 before, 2.0 edge.test"));
}

#[test]
fn an_answer_is_the_origins() {
    let dated = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let origin = Origin::serving(move |request| {
        let head = match request.target.as_str() {
            "/hint" => "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
            _ => "",
        };
        let fields = match request.target.as_str() {
            "/none" => "204 No Content\r\n",
            "/chunks" => "200 OK\r\nTransfer-Encoding: chunked\r\n",
            "/hop" => {
                "200 OK\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
                 Content-Length: 2\r\n"
            }
            _ => "200 OK\r\nContent-Length: 2\r\n",
        };
        let body = match request.target.as_str() {
            _ if request.method == "HEAD" => "",
            "/none" => "",
            "/chunks" => "1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
            _ => "ok",
        };
        format!("{head}HTTP/1.1 {fields}{dated}\r\n{body}").into_bytes()
    });
    let proxy = Settings::endpoints(&[&origin.endpoint]).h2c().start();
    for (method, path, body) in [
        ("GET", "/", "ok"),
        ("HEAD", "/", ""),
        ("GET", "/none", ""),
        ("GET", "/chunks", "ok"),
        ("GET", "/hop", "ok"),
        ("GET", "/hint", "ok"),
    ] {
        let told = ask(&proxy, built(request(method, path)));
        let answer = told.answer();
        assert_eq!(answer.text(), body, "{method} {path}");
        let date = answer.fields.text("date");
        assert_eq!(date.as_deref(), Some(&dated[6..dated.len() - 2]), "{method} {path}");
        assert_eq!(answer.fields.text("x-hop"), None);
        let interim: Vec<_> = answer.interim.iter().map(|(status, _)| *status).collect();
        assert_eq!(interim, if path == "/hint" { vec![103] } else { vec![] });
    }
}
