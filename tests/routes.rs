//! What routes match, and what they do beside passing requests on.

mod answers;
mod detours;
mod edits;
mod maintenance;
mod matching;
mod rewrites;

use crate::rig::h2client::Http2;
use crate::rig::message::Request;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn saying(word: &'static str) -> Origin {
    Origin::answering(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len()))
}

/// The two requests that came last.
fn last(mut seen: Vec<Request>) -> Vec<Request> {
    seen.split_off(seen.len().checked_sub(2).expect("both were asked"))
}

/// A request with these header fields, over HTTP/1.1 and over HTTP/2, each on a connection of its
/// own, and what came of both.
fn both(proxy: &Proxy, method: &str, path: &str, fields: &[(&str, &str)]) -> [Told; 2] {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: app.test\r\n");
    for (name, value) in fields {
        text.extend([*name, ": ", *value, "\r\n"]);
    }
    let first = proxy.send(text + "\r\n");
    let mut request = http::Request::builder().method(method).uri(format!("http://app.test{path}"));
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let client = Http2::connect(proxy.address());
    let second = proxy.exchange(|| client.ask(request.body(()).expect("a request")));
    [first, second]
}
