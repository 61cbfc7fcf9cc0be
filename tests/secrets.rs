//! Secrets, planted wherever a peer can write to, and found nowhere: of what a peer says, nothing
//! gets into an answer that this proxy makes, nor to its operators, but what the contract names.
//! Nobody's `Display` does either: what libraries say of a failure often holds the bytes they
//! failed on.

mod clients;
mod faults;
mod forgery;
mod framed;
mod origins;

use crate::rig::message::Response;
use crate::rig::promise::{SECRET, Told};
use crate::rig::proxy::Proxy;

/// A secret that tells where it was planted.
fn secret(place: &str) -> String {
    format!("{SECRET}-{place}")
}

/// How a secret is known, in lower case: by its beginning or its end, should it be cut; in
/// hexadecimal, in base64, or as a list of bytes.
const TRACES: [&str; 5] =
    ["hunter2", "tr0ub4dor", "68756e74657232", "ahvudgvym", "104, 117, 110, 116"];

/// Fails if there is a secret in this text.
fn clean(what: &str, text: &str) {
    let lower = text.to_ascii_lowercase();
    if let Some(at) = TRACES.iter().find_map(|trace| lower.find(trace)) {
        let start = text.floor_char_boundary(at.saturating_sub(200));
        let end = text.ceil_char_boundary((at + 100).min(text.len()));
        panic!("a secret stands in {what}: …{}…", &text[start..end]);
    }
}

/// Looks for secrets in all that was told of an exchange, and holds the verdict to be this cause,
/// or one of them with a `|` between: that nothing is found must not be for want of a failure.
fn met(what: &str, told: &Told, cause: &str) {
    let record = &told.record;
    let said = told.text("cause");
    assert!(cause.split('|').any(|cause| cause == said), "{what}: `{said}`: {record:#}");
    clean(&format!("the record of {what}"), &record.to_string());
    let Some(answer) = &told.response else { return };
    if record["generated"] == true {
        clean(&format!("the answer to {what}"), &whole(answer));
    } else {
        let ours = answer.fields.all("proxy-status").concat();
        clean(&format!("the header of {what}"), &ours);
    }
}

/// All of an answer that this proxy made, as text. What went before it (1xx) was the origin's.
fn whole(answer: &Response) -> String {
    format!("{} {:?} {}", answer.reason, answer.fields, answer.text())
}

/// Looks for secrets in all that is there for operators.
fn nowhere(proxy: &Proxy) {
    clean("the log", &proxy.log.text());
    clean("what the process said", &proxy.said());
    for page in ["", "metrics", "readyz", "api/v1/summary", "api/v1/upstreams", "api/v1/config"] {
        let shown = proxy.ask(&format!("/{page}"));
        assert_eq!(shown.status, 200, "{page}");
        clean(page, &whole(&shown));
    }
    let errors = proxy.ask("/api/v1/errors?limit=1000").text();
    clean("the errors", &errors);
    for record in proxy.log.records().iter().filter(|record| !record["cause"].is_null()) {
        let id = record["id"].as_str().expect("every record has an id");
        assert!(errors.contains(id), "{id} is not among the errors");
        clean(id, &whole(&proxy.ask(&format!("/api/v1/errors/{id}"))));
    }
}

/// The forms of a body that a client may ask for.
const FORMS: [&str; 5] =
    ["text/html", "application/problem+json", "application/json", "text/markdown", "text/plain"];

/// The target of a request, with secrets in the parameters of its path and query.
fn target(path: &str) -> String {
    let [token, encoded, nested, matrix] =
        ["token", "encoded", "nested", "matrix"].map(|place| secret(&format!("query-{place}")));
    format!("{path};session={matrix}?a=1&token={token}&%74oken={encoded}&user[password]={nested}&z")
}

/// Fields of a request with secrets in their values.
fn fields() -> Vec<(&'static str, String)> {
    let mut fields = vec![
        ("cookie", format!("sid={}", secret("cookie"))),
        ("authorization", format!("Bearer {}", secret("authorization"))),
        ("proxy-authorization", format!("Basic {}", secret("proxy-authorization"))),
        // It is kept where it is well-formed.
        ("x-request-id", format!("no id: {}", secret("id"))),
        ("cdn-loop", format!("another; t=\"{}\"", secret("loop"))),
    ];
    for name in [
        "x-custom",
        "user-agent",
        "referer",
        "range",
        "traceparent",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "proxy-status",
        "whodunit-debug",
        "accept-language",
    ] {
        fields.push((name, secret(name)));
    }
    fields
}

/// The same as they stand in HTTP/1.1.
fn lines() -> String {
    let lines = fields().into_iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    lines.collect::<Vec<_>>().concat()
}

/// The settings of the proxies here have secrets as well.
fn settings(settings: crate::rig::settings::Settings) -> crate::rig::settings::Settings {
    settings
        .with("diagnosis", "disclosure: full")
        .with("diagnosis", "on: all")
        .with("diagnosis", &format!("debug_token: \"{}\"", secret("debug-token")))
        .with("loop", &format!("secret: \"{}\"", secret("loop-secret")))
        .h2c()
}
