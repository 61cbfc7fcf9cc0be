//! Words that would pass for ours: for a line of the log, a field of the header, a tag of the page.

use super::{FORMS, settings};
use crate::rig::certificates::{Authority, Says};
use crate::rig::h2client::{Http2, request};
use crate::rig::origin::{Conversation, Origin};
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::tls::Tls;

/// Ends lines, values and tags, begins others, and turns the direction of what follows.
const FORGED: &str = "\"; x=\"\\\r\nX-Forged: 1\r\n\r\n{\"forged\":1}\n\u{1b}[2J\u{85}\u{2028}\u{202e}\
    \u{feff}</p><script>x</script>--><img src=x>*_`[x](http://x)`\u{0}";

/// What of it may stand in a target: all that is no control character and no space.
fn target() -> String {
    let allowed = FORGED.chars().filter(|c| !c.is_control() && !" <>\"`{}\\".contains(*c));
    format!("/{}%0d%0aX-Forged:%201", allowed.collect::<String>())
}

/// Fails if any of it came out as it went in.
fn harmless(what: &str, told: &Told) {
    let Some(answer) = &told.response else { panic!("no answer to {what}") };
    assert_eq!(told.record["generated"], true, "{what}: {:#}", told.record);
    assert!(answer.fields.all("x-forged").is_empty(), "{what}: {answer:?}");
    let ours = answer.fields.text("proxy-status").expect("a verdict");
    assert!(ours.chars().all(|c| (' '..='~').contains(&c)), "{what}: {ours}");
    let body = answer.text();
    assert!(!body.chars().any(deceives), "{what}: {body:?}");
    let kind = answer.fields.text("content-type").expect("a body has a type");
    if kind.starts_with("text/html") {
        assert!(!body.contains("<script") && !body.contains("<img"), "{what}: {body}");
    } else if kind.contains("json") {
        let parsed: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert!(parsed["forged"].is_null(), "{what}: {body}");
    }
}

/// Whether a reader of lines could be deceived by it; a line's own end is none of those.
fn deceives(c: char) -> bool {
    c.is_control() && c != '\n' || "\u{2028}\u{2029}\u{202e}\u{feff}".contains(c)
}

/// Looks at what is left for operators. That each line of the log is a record, and that there are
/// as many as exchanges, the rig has seen.
fn orderly(proxy: &Proxy) {
    let log = proxy.log.text();
    assert!(!log.chars().any(deceives), "{log:?}");
    assert!(!log.lines().any(|line| line.starts_with("{\"forged")), "{log}");
    assert!(!proxy.metrics().has("forged"));
}

#[test]
fn nothing_of_a_targets_words_passes_for_ours() {
    let origin = Origin::new(Conversation::close);
    let nowhere = "match: { host: none.test }, upstream: web";
    let proxy = settings(Settings::to(&origin)).route(nowhere).start();
    let client = Http2::connect(proxy.address());
    let target = target();
    for form in FORMS {
        let fields = format!("Accept: {form}\r\nX-Request-Id: \"; x\\\r\n");
        let told = proxy.send(format!("GET {target} HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"));
        harmless(form, &told);
        let asked = request("GET", "/").uri(format!("http://app.test{target}"));
        let asked = asked.header("accept", form).body(()).expect("a request");
        harmless(form, &proxy.exchange(|| client.ask(asked)));
        for (what, start) in [
            ("first bytes", "G\u{1b}[2J\u{202e}<script> / HTTP/1.1"),
            ("a host", "GET / HTTP/1.1\r\nHost: <script>\u{202e}"),
            ("a name", "GET / HTTP/1.1\r\nHost: app.test\r\n<script>\u{202e}: x"),
            ("a nomination", "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: <script>"),
        ] {
            harmless(what, &proxy.send(format!("{start}\r\n{fields}\r\n")));
        }
    }
    orderly(&proxy);
}

#[test]
fn nothing_of_an_origins_words_passes_for_ours() {
    let root = Authority::new("root");
    let own = root.signs(&Says::names(&["other.test"]).of(FORGED));
    let secured = Origin::tls(&Tls::new(own), Conversation::hold);
    let trusted = format!("tls: {{ sni: app.test, ca: \"{}\" }}", root.file().display());
    let says = |bytes: Vec<u8>| {
        Origin::new(move |mut connection| {
            if connection.request().is_some() {
                connection.send(&bytes);
                connection.close();
            }
        })
    };
    let first = says([FORGED.as_bytes(), b"\r\n\r\n"].concat());
    let version = says(format!("HTTP/1.1 2\u{202e}00 <script>{FORGED}\r\n\r\n").into_bytes());
    let switch = format!("Connection: upgrade\r\nUpgrade: <script>{}", "\u{202e}\"\\");
    let switch = says(format!("HTTP/1.1 101 x\r\n{switch}\r\n\r\n").into_bytes());
    let name = format!("{}: x\r\n", "x-<script>".repeat(300));
    let name = says(format!("HTTP/1.1 200 OK\r\n{name}\r\n").into_bytes());
    let mut all = settings(Settings::bare()).with("limits", "response_header_line: 2KiB");
    let upstreams = [
        ("certificate", &secured),
        ("first", &first),
        ("version", &version),
        ("switch", &switch),
        ("name", &name),
    ];
    for (what, origin) in upstreams {
        all = all.upstream(what, &[&origin.endpoint]).once();
        all = all.route(&format!("match: {{ path: /{what} }}, upstream: {what}"));
        if what == "certificate" {
            all = all.having(&trusted);
        }
    }
    let proxy = all.start();
    for form in FORMS {
        for (what, _) in upstreams {
            let fields = format!("Host: app.test\r\nAccept: {form}\r\n");
            let told = proxy.send(format!("GET /{what} HTTP/1.1\r\n{fields}\r\n"));
            harmless(what, &told);
            if what == "certificate" {
                let subject = told.text("evidence.subject");
                assert!(subject.contains("X-Forged"), "it is evidence, and told: {subject}");
            }
        }
    }
    orderly(&proxy);
}
