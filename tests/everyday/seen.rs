//! What was seen of a row, in words that can be compared.
//!
//! Left out is what may differ between any two gateways: `Connection`, `Keep-Alive` and the coding
//! of one connection (whether it is kept, and how a body is delimited, stand there in words); the
//! fields by which a gateway says that it was there (`Via`, `X-Forwarded-*`, `Forwarded`,
//! `CDN-Loop`, `X-Request-Id`, `traceparent`); `Date` and `Server`; the case and order of fields
//! with different names; the boundary between ranges; and what a gateway's own answer says beside
//! its status.

use std::collections::{BTreeMap, BTreeSet};

use super::origin::Got;
use super::row::Difference;
use crate::rig::message::{Fields, Framing, Response};

/// What is known of a row, by name.
pub(super) type Facts = BTreeMap<String, String>;

/// What is not compared.
const ASIDE: [&str; 15] = [
    "cdn-loop",
    "connection",
    "content-length",
    "date",
    "forwarded",
    "keep-alive",
    "proxy-status",
    "server",
    "transfer-encoding",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "traceparent",
];

/// The most of a body that is shown.
const SHOWN: usize = 40;

/// What a client heard.
pub(super) struct Heard {
    pub(super) method: String,
    pub(super) answers: Vec<Response>,
    pub(super) kept: bool,
    /// The gateway answered by itself.
    pub(super) own: bool,
    /// What came and is not HTTP, or is to be looked at as it is.
    pub(super) rest: Vec<u8>,
}

/// The facts of one side.
pub(super) fn facts(heard: &Heard, got: &[Got]) -> Facts {
    let mut facts = Facts::new();
    let mut put = |name: &str, value: String| facts.insert(name.to_owned(), value);
    put("connection", if heard.kept { "kept" } else { "closed" }.to_owned());
    if heard.own {
        let statuses = heard.answers.iter().map(|answer| format!("{} of its own", answer.status));
        put("answer", some(&statuses.collect::<Vec<_>>().join(", ")));
        return facts;
    }
    let joined = |each: Vec<String>| some(&each.join(", "));
    let all = |tell: &dyn Fn(&Response) -> String| joined(heard.answers.iter().map(tell).collect());
    put("answer", all(&|answer| format!("{} {}", answer.status, answer.reason).trim().to_owned()));
    put("bytes", body(&heard.rest));
    put(
        "interim answers",
        all(&|answer| {
            let each = answer.interim.iter().map(|(status, _)| status.to_string());
            some(&each.collect::<Vec<_>>().join(" "))
        }),
    );
    put("body", all(&|answer| body(&unbounded(answer).1)));
    put("body ends by", all(&|answer| delimiter(answer, &heard.method)));
    put("whole", all(&|answer| answer.whole().to_string()));
    for answer in &heard.answers {
        let length = answer.framing(&heard.method) == Framing::Absent;
        fields(&mut facts, "field", &unbounded(answer).0, length);
    }
    let mut put = |name: &str, value: String| facts.insert(name.to_owned(), value);
    put("requests there", got.len().to_string());
    put("line there", joined(got.iter().map(|got| got.line.clone()).collect()));
    put("body there", joined(got.iter().map(|got| body(&got.body)).collect()));
    put("trailers there", joined(got.iter().map(|got| some(&got.trailers)).collect()));
    put("empty body there", joined(got.iter().map(said_empty).collect()));
    for got in got {
        fields(&mut facts, "field there", &got.fields, false);
    }
    facts
}

/// Where two sides differ. Of an answer that one of them made by itself, only what both have.
pub(super) fn differences(theirs: &Facts, ours: &Facts) -> Vec<Difference> {
    let own = |facts: &Facts| fact(facts, "answer").ends_with("of its own");
    let one_own = own(theirs) || own(ours);
    let names: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    names
        .into_iter()
        .filter(|name| !one_own || ["answer", "connection"].contains(&name.as_str()))
        .map(|what| Difference {
            what: what.clone(),
            theirs: fact(theirs, what),
            ours: fact(ours, what),
        })
        .filter(|both| both.theirs != both.ours)
        .collect()
}

/// One fact; what is not known is nothing.
pub(super) fn fact(facts: &Facts, what: &str) -> String {
    facts.get(what).cloned().unwrap_or_else(|| some(""))
}

fn some(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

/// Adds each field with all its values, in their order.
fn fields(facts: &mut Facts, place: &str, fields: &Fields, with_length: bool) {
    for (name, value) in &fields.0 {
        let name = name.to_ascii_lowercase();
        if ASIDE.contains(&name.as_str()) && !(with_length && name == "content-length") {
            continue;
        }
        let value = shown(value);
        facts
            .entry(format!("{place} {name}"))
            .and_modify(|before| *before = format!("{before} | {value}"))
            .or_insert(value);
    }
}

fn shown(value: &[u8]) -> String {
    if value.is_empty() {
        return "empty".to_owned();
    }
    if value.len() <= SHOWN * 4 {
        return value.escape_ascii().to_string().replace("\\\"", "'");
    }
    body(value)
}

/// A body, or a word that no other one of its length is likely to have.
fn body(bytes: &[u8]) -> String {
    let text = bytes.escape_ascii().to_string();
    if bytes.is_empty() {
        "none".to_owned()
    } else if text.len() <= SHOWN {
        text
    } else {
        // FNV-1a.
        let sum = bytes
            .iter()
            .fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        format!("{} bytes ({sum:08x})", bytes.len())
    }
}

fn delimiter(answer: &Response, method: &str) -> String {
    match answer.framing(method) {
        Framing::Absent => "nothing".to_owned(),
        Framing::Length(length) => format!("length {length}"),
        Framing::Chunked => "chunks".to_owned(),
        Framing::Close => "the connection's end".to_owned(),
    }
}

/// How a request says that it has no body.
fn said_empty(got: &Got) -> String {
    let said = ["content-length", "transfer-encoding"].map(|name| got.fields.text(name));
    let said =
        if said.iter().any(Option::is_some) { "is announced" } else { "goes without saying" };
    if got.body.is_empty() { said } else { "-" }.to_owned()
}

/// The fields and the body with the same boundary whoever made it: nginx counts its answers in
/// parts, and writes the number between the parts.
fn unbounded(answer: &Response) -> (Fields, Vec<u8>) {
    let kind = answer.fields.text("content-type").unwrap_or_default();
    let Some(boundary) = kind.strip_prefix("multipart/byteranges; boundary=") else {
        return (answer.fields.clone(), answer.body.clone());
    };
    let same = "=".repeat(boundary.len());
    let plain = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(boundary, &same).into_bytes();
    let fields = answer.fields.0.iter().map(|(name, value)| (name.clone(), plain(value)));
    (Fields(fields.collect()), plain(&answer.body))
}
