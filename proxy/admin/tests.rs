//! The admin listener over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use serde_json::json;
use whodunit_filters::attribution::{Exchange, Redact, RequestId};

use super::*;

#[derive(Default)]
struct Known {
    ready: AtomicBool,
    asked: Mutex<Vec<Query>>,
    /// Where set, `/metrics` says here that it has begun, and waits for the other end.
    slow: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>>,
}

fn record() -> Record {
    let id = RequestId::parse(b"01JD3WAAAA").expect("well-formed");
    Record::of(&Exchange::begin(id), None, "edge", 404, &Redact::default())
}

impl Insight for Known {
    fn metrics_text(&self) -> String {
        if let Some((begun, go)) = self.slow.lock().expect("whole").take() {
            begun.send(()).expect("somebody waits");
            go.recv().expect("somebody says so");
        }
        "whodunit_requests_total 1\n".into()
    }
    fn recent(&self, query: &Query) -> Vec<Arc<Record>> {
        self.asked.lock().expect("whole").push(query.clone());
        let record = record();
        if query.matches(&record) { vec![Arc::new(record)] } else { Vec::new() }
    }
    fn summary(&self) -> Value {
        json!({ "sum": 1 })
    }
    fn upstreams(&self) -> Value {
        json!({ "web": {} })
    }
    fn config(&self) -> Value {
        json!({ "node": "edge" })
    }
    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::SeqCst) { Ok(()) } else { Err("draining".into()) }
    }
}

const TOKEN: &str = "s3cret-s3cret-s3c";

fn start(settings: &AdminSettings) -> (Admin, Arc<Known>) {
    let known = Arc::new(Known::default());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    (Admin::start(listener, settings, known.clone()).expect("started"), known)
}

/// The whole answer to a request with these further header lines.
fn ask(admin: &Admin, target: &str, lines: &str) -> String {
    let mut stream = TcpStream::connect(admin.address()).expect("connected");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n")
        .expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

#[test]
fn every_page_is_there() {
    let (admin, known) = start(&AdminSettings::default());
    for (target, content) in [
        ("/", "/api/v1/errors"),
        ("/livez", "ok"),
        ("/metrics", "whodunit_requests_total 1"),
        ("/api/v1/errors", "{\"errors\":[{\"ts\":"),
        ("/api/v1/errors?status=404", "\"id\":\"01JD3WAAAA\""),
        ("/api/v1/errors?status=502", "{\"errors\":[]}"),
        ("/api/v1/errors/01JD3WAAAA", "\"id\":\"01JD3WAAAA\""),
        ("/api/v1/summary", "{\"sum\":1}"),
        ("/api/v1/upstreams", "{\"web\":{}}"),
        ("/api/v1/config", "{\"node\":\"edge\"}"),
    ] {
        let answer = ask(&admin, target, "");
        assert_eq!(status(&answer), "200", "{target}");
        assert!(answer.contains(content), "{target}: {answer}");
        assert!(answer.contains("cache-control: no-store"), "{target}: {answer}");
    }
    assert_eq!(status(&ask(&admin, "/api/v1/errors/01JD3WBBBB", "")), "404");
    assert_eq!(status(&ask(&admin, "/nowhere", "")), "404");
    let answer = ask(&admin, "/readyz", "");
    assert_eq!(status(&answer), "503");
    assert!(answer.contains("not ready: draining"), "{answer}");
    known.ready.store(true, Ordering::SeqCst);
    assert_eq!(status(&ask(&admin, "/readyz", "")), "200");
    admin.stop();
}

#[test]
fn filters_arrive_and_bad_ones_are_problems() {
    let (admin, known) = start(&AdminSettings::default());
    assert_eq!(status(&ask(&admin, "/api/v1/errors?host=a%20b&status=502&limit=7", "")), "200");
    let asked = known.asked.lock().expect("whole").pop().expect("asked");
    let expected =
        Query { host: Some("a b".into()), status: Some(502), limit: Some(7), ..Query::default() };
    assert_eq!(asked, expected);
    for query in ["limit=0", "limit=1001", "colour=red", "since=yesterday"] {
        assert_eq!(status(&ask(&admin, &format!("/api/v1/errors?{query}"), "")), "400", "{query}");
    }
    let answer = ask(&admin, "/api/v1/errors?party=me", "");
    assert_eq!(status(&answer), "400");
    assert!(answer.contains("content-type: application/problem+json"), "{answer}");
    assert!(answer.contains("\"parameter\":\"party\""), "{answer}");
    admin.stop();
}

#[test]
fn a_token_is_asked_for_when_there_is_one() {
    let settings = AdminSettings {
        token: Some(Secret::try_from(TOKEN.to_owned()).expect("long")),
        ..AdminSettings::default()
    };
    let (admin, _) = start(&settings);
    for lines in [
        "",
        "Authorization: Bearer s3cre\r\n",
        "Authorization: Bearer s3cret-s3cret-s3cs\r\n",
        "Authorization: Basic s3cret-s3cret-s3c\r\n",
        "Authorization: Bearer \r\n",
    ] {
        for target in ["/", "/metrics", "/api/v1/config", "/nowhere"] {
            assert_eq!(status(&ask(&admin, target, lines)), "401", "{target} {lines}");
        }
    }
    assert_eq!(
        status(&ask(&admin, "/metrics", "Authorization: bearer s3cret-s3cret-s3c\r\n")),
        "200"
    );
    assert_eq!(status(&ask(&admin, "/livez", "")), "200");
    admin.stop();
}

#[test]
fn greedy_clients_are_turned_away() {
    let header_timeout = Duration::from_millis(200);
    let settings = AdminSettings { max_connections: 1, header_timeout, ..AdminSettings::default() };
    let (admin, _) = start(&settings);
    let line = format!("X: {}\r\n", "x".repeat(64 * 1024));
    let mut stream = TcpStream::connect(admin.address()).expect("connected");
    // The answer may come, and the connection close, before all of it is written.
    let _ = write!(stream, "GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    drop(stream);

    let mut idle = TcpStream::connect(admin.address()).expect("connected");
    idle.write_all(b"GET / HT").expect("written");
    idle.read_to_end(&mut Vec::new()).expect("closed in the end");
    admin.stop();
}

#[test]
fn one_connection_too_many_is_closed_at_once() {
    let (admin, _) = start(&AdminSettings { max_connections: 1, ..AdminSettings::default() });
    let mut first = TcpStream::connect(admin.address()).expect("connected");
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    assert!(first.read(&mut [0; 512]).expect("an answer") > 0);
    let mut second = TcpStream::connect(admin.address()).expect("connected");
    assert_eq!(second.read(&mut [0; 512]).unwrap_or(0), 0);
    first.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    assert!(first.read(&mut [0; 512]).expect("an answer") > 0, "the first is not disturbed");
    admin.stop();
}

#[test]
fn stopping_lets_a_request_in_progress_end() {
    let (admin, known) = start(&AdminSettings::default());
    let address = admin.address();
    let (begun, begins) = mpsc::channel();
    let (go, goes) = mpsc::channel();
    *known.slow.lock().expect("whole") = Some((begun, goes));
    let mut stream = TcpStream::connect(address).expect("connected");
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").expect("written");
    begins.recv().expect("it has begun");
    let stopping = thread::spawn(move || admin.stop());
    go.send(()).expect("it waits");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    assert_eq!(status(&answer), "200");
    stopping.join().expect("no panic");
    assert!(TcpStream::connect(address).is_err());
}
