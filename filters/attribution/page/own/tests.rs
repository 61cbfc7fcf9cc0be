use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::attribution::evidence::{Failure, Fault, Phase, Side};
use crate::attribution::exchange::{Attempt, NextHop, RequestFacts};
use crate::attribution::id::RequestId;

fn exchange(host: &str) -> Exchange {
    let mut exchange = Exchange::begin(RequestId::parse(b"01JD3W0000").expect("well-formed"));
    exchange.request =
        Some(Box::new(RequestFacts { host: host.to_owned(), ..RequestFacts::default() }));
    let mut attempt = Attempt::begin(NextHop::Unix("/run/<app>&.sock".into()));
    attempt.fail(Failure::new(Side::Origin, Phase::Connect, Fault::Refused));
    exchange.attempt(attempt);
    exchange
}

fn shown(template: &str, host: &str, disclosure: Disclosure) -> String {
    let exchange = exchange(host);
    let diagnosis = Diagnosis::of(&exchange).expect("it failed");
    let now = UNIX_EPOCH + Duration::from_millis(1_795_148_467_120);
    let body = Template::read(template).body(&exchange, &diagnosis, 502, disclosure, "edge", now);
    String::from_utf8(body.bytes.to_vec()).expect("UTF-8")
}

#[test]
fn slots_are_filled_and_everything_else_stays() {
    let page = "<style>p { color: red }</style>{status} {reason}|{cause}|{party}|{ref}|{time}|{host}|{nothing}|{{ref}}";
    assert_eq!(
        shown(page, "app.test", Disclosure::Full),
        "<style>p { color: red }</style>502 Bad Gateway|connect_refused|the origin|01JD3W0000|\
         2026-11-20T04:21:07.120Z|app.test|{nothing}|{01JD3W0000}"
    );
}

#[test]
fn nothing_that_a_peer_wrote_becomes_html_and_strangers_learn_no_names() {
    let page = "<i title=\"{host}\">{says} {remedy}</i>{cause}{ref}";
    let full = shown(page, "\"><script>", Disclosure::Full);
    assert!(full.starts_with("<i title=\"&quot;&gt;&lt;script&gt;\">"), "{full}");
    assert!(full.contains("/run/&lt;app&gt;&amp;.sock") && !full.contains('`'), "{full}");
    let minimal = shown(page, "app.test", Disclosure::Minimal);
    assert!(!minimal.contains("sock"), "{minimal}");
}

#[test]
fn no_page_is_without_cause_and_reference() {
    for (page, lacking, expected) in [
        ("{ref}{cause}", 0, "01JD3W0000connect_refused"),
        ("<BODY>x</BODY>", 2, "<BODY>x<p>Cause: connect_refused. Ref: 01JD3W0000</p>\n</BODY>"),
        ("sorry {ref} ", 1, "sorry 01JD3W0000 <p>Cause: connect_refused. Ref: 01JD3W0000</p>\n"),
        ("", 2, "<p>Cause: connect_refused. Ref: 01JD3W0000</p>\n"),
    ] {
        assert_eq!(Template::read(page).lacking().len(), lacking, "{page}");
        assert_eq!(shown(page, "app.test", Disclosure::Full), expected);
    }
}

#[test]
fn the_first_page_that_fits_is_used() {
    let page = |host: Option<&str>, codes: &[&str], text| Page {
        host: host.map(str::to_owned),
        codes: codes.iter().map(|codes| codes.parse().expect("codes")).collect(),
        template: Template::read(text),
    };
    let pages = Pages(vec![
        page(Some("app.test"), &["502", "503"], "app {ref}{cause}"),
        page(Some("*.test"), &["5xx"], "wild {ref}{cause}"),
        page(None, &["4xx", "504"], "any {ref}{cause}"),
    ]);
    for (host, status, text) in [
        ("app.test", 502, Some("app")),
        ("APP.test.:8080", 503, Some("app")),
        ("app.test", 500, Some("wild")),
        ("a.b.test", 599, Some("wild")),
        ("test", 502, None),
        (".test", 502, None),
        ("app.test", 404, Some("any")),
        ("[::1]:80", 504, Some("any")),
        ("other", 502, None),
        ("", 429, Some("any")),
    ] {
        let found = pages.find(host, status).map(|template| template.pieces[0].0.trim_end());
        assert_eq!(found, text, "{host} {status}");
    }
    for bad in ["", "399", "600", "3xx", "5XX", "5x", "200", "-500"] {
        assert!(bad.parse::<Codes>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_page(text in "(\\PC|[{}]|\\{(ref|cause|says|host)\\}|</body>){0,60}") {
        let page = shown(&text, "app.test", Disclosure::Full);
        prop_assert!(page.contains("01JD3W0000") && page.contains("connect_refused"));
    }
}
