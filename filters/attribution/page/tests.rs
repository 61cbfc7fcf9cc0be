use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;
use crate::attribution::cause::CATALOGUE;
use crate::attribution::evidence::{Failure, Fault, Side};
use crate::attribution::exchange::{Attempt, NextHop};
use crate::attribution::id::RequestId;
use crate::attribution::key::Key;
use crate::attribution::text::deceives;

const NODE: &str = "edge-1.example.net";

fn exchange() -> Exchange {
    let mut exchange = Exchange::begin(RequestId::parse(b"01JD3W0000").expect("well-formed"));
    exchange.idempotent = true;
    let mut attempt = Attempt::begin(NextHop::Unix("/run/<app>&.sock".into()));
    attempt.fail(
        Failure::new(Side::Origin, Phase::Wait, Fault::TimedOut)
            .with(Key::LimitMs, 60_000_u64)
            .with(Key::Setting, "timeouts.read"),
    );
    exchange.attempt(attempt);
    exchange
}

fn shown(accept: &str, exchange: &Exchange, disclosure: Disclosure) -> (&'static str, String) {
    let diagnosis = Diagnosis::of(exchange).expect("it failed");
    let now = UNIX_EPOCH + Duration::from_millis(1_795_148_467_120);
    let body = body(Some(accept.as_bytes()), exchange, &diagnosis, 504, disclosure, NODE, now);
    (body.content_type, String::from_utf8(body.bytes.to_vec()).expect("UTF-8"))
}

macro_rules! golden {
    ($($name:ident: $accept:literal, $type:literal;)+) => {$(
        #[test]
        fn $name() {
            let (full_type, full) = shown($accept, &exchange(), Disclosure::Full);
            let (minimal_type, minimal) = shown($accept, &exchange(), Disclosure::Minimal);
            assert_eq!((full_type, minimal_type), ($type, $type));
            insta::assert_snapshot!(concat!(stringify!($name), "_full"), full);
            insta::assert_snapshot!(concat!(stringify!($name), "_minimal"), minimal);
        }
    )+};
}

golden! {
    text: "*/*", "text/plain; charset=utf-8";
    html: "text/html,*/*;q=0.8", "text/html; charset=utf-8";
    problem: "application/problem+json", "application/problem+json";
    json: "application/json", "application/json";
    markdown: "text/markdown", "text/markdown; charset=utf-8";
}

#[test]
fn grpc() {
    let exchange = exchange();
    let diagnosis = Diagnosis::of(&exchange).expect("it failed");
    let grpc = Grpc::of(&exchange, &diagnosis, 504, Disclosure::Full);
    assert_eq!(grpc.status, 14);
    assert_eq!(
        grpc.message,
        "unix:/run/<app>&.sock was sent the request and sent nothing back for 60 s. (origin_slow, ref 01JD3W0000)"
    );
    let grpc = Grpc::of(&exchange, &diagnosis, 504, Disclosure::Minimal);
    assert!(!grpc.message.contains("sock"), "{}", grpc.message);
}

#[test]
fn code_is_shown_as_code() {
    for (text, markdown, html) in [
        ("a_b `c_d` e", r"a\_b `c_d` e", "a_b <code>c_d</code> e"),
        ("`<b>` <b>", r"`<b>` \<b\>", "<code>&lt;b&gt;</code> &lt;b&gt;"),
        ("a ` b_c", r"a \` b\_c", "a ` b_c"),
        ("a `` b_c", r"a \`\` b\_c", "a `` b_c"),
    ] {
        let mut inerted = String::new();
        inert(text, &mut inerted);
        assert_eq!(inerted, markdown);
        let mut page = html::Html::default();
        page.sentence(text);
        assert_eq!(page.finish(), html);
    }
}

#[test]
fn the_page_asks_nothing_of_anybody() {
    for party in ["<script", "http:", "https:", "src=", "url(", "@import", "{{"] {
        let (_, page) = shown("text/html", &exchange(), Disclosure::Full);
        assert!(!page.contains(party), "{party}");
    }
}

const ACCEPTS: [&str; 4] = ["text/html", "application/json", "text/markdown", "text/plain"];

/// The facts that are not for every client.
fn inside() -> impl Iterator<Item = &'static Key> {
    Key::ALL.iter().filter(|key| **key != Key::Message)
}

proptest! {
    #[test]
    fn no_form_lets_a_peer_write(
        row in 0..CATALOGUE.len(),
        words in prop_oneof![".*", "[<>&\"'`*_{}\\[\\]()\n\r\u{202e}]{0,2000}"],
        form in 0..ACCEPTS.len(),
    ) {
        let mut exchange = (CATALOGUE[row].witness)();
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.next_hop = NextHop::Unix(words.clone().into());
        }
        if let Some(failure) = exchange.failure_mut() {
            for key in Key::ALL {
                if !matches!(failure.evidence.find(*key), Some(super::super::evidence::Value::Number(_))) {
                    failure.evidence.set(*key, words.clone());
                }
            }
        }
        let (_, text) = shown(ACCEPTS[form], &exchange, Disclosure::Full);
        prop_assert!(!text.contains(|c| deceives(c) && c != '\n'));
        match form {
            0 => {
                prop_assert!(text.len() <= 8 * 1024, "{}", text.len());
                let plain = shown(ACCEPTS[0], &super::tests::exchange(), Disclosure::Full).1;
                // Each piece of code adds two tags, which only we can write.
                let tags = |page: &str| page.matches('<').count() - 2 * page.matches("<code>").count();
                let rows = |page: &str| page.matches("<dt>").count();
                prop_assert_eq!(tags(&text) - 4 * rows(&text), tags(&plain) - 4 * rows(&plain));
            }
            1 => {
                let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                prop_assert_eq!(json["ref"].as_str(), Some(exchange.id.as_str()));
            }
            _ => prop_assert!(text.lines().count() < 20),
        }
    }

    #[test]
    fn the_minimum_reveals_nothing(row in 0..CATALOGUE.len(), form in 0..ACCEPTS.len()) {
        let mut exchange = (CATALOGUE[row].witness)();
        let secret = "s3cret-name";
        exchange.upstream = Some(secret.into());
        exchange.route = Some(secret.into());
        if let Some(attempt) = exchange.last_attempt_mut() {
            attempt.next_hop = NextHop::Unix(secret.into());
            if let Some(failure) = attempt.failure.as_mut() {
                for key in inside() { failure.evidence.set_if_absent(*key, secret); }
            }
        }
        if let Some(failure) = exchange.failure_mut() {
            for key in inside() { failure.evidence.set_if_absent(*key, secret); }
            failure.evidence.set(Key::Message, "Back at noon.");
        }
        let told = exchange.failure().is_some();
        let (_, text) = shown(ACCEPTS[form], &exchange, Disclosure::Minimal);
        prop_assert_eq!(text.contains("Back at noon."), told, "{}", text);
        prop_assert!(!text.contains(secret) && !text.contains(NODE), "{}", text);
    }
}
