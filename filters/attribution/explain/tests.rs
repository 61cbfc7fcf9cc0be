use proptest::prelude::*;

use super::*;
use crate::attribution::text::deceives;

const REFUSED: &str = "edge-1; error=connection_refused; next-hop=\"10.0.0.5:8080\"; \
    details=\"nothing accepts connections on this port\"; cause=connect_refused; party=origin; \
    phase=connect; certainty=proved; sent=none; ref=\"01JD3WZ9Q4T7\"";

fn told(text: &str) -> String {
    let explanation = explain(text).expect("it can be understood");
    assert!(explanation.unwell(), "{}", explanation.text());
    explanation.text()
}

/// The words, wherever lines end.
fn says(text: &str, words: &[&str]) {
    let told = told(text).split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(told.contains(word), "no `{word}` in:\n{told}");
    }
}

#[test]
fn a_value_says_what_became_of_other_requests() {
    for (scope, words) in [
        ("all", "Others: all requests there have failed of late"),
        ("some", "Others: some requests there fail and some do not"),
        ("first", "Others: no other request there failed"),
    ] {
        says(&REFUSED.replace("; sent", &format!("; scope={scope}; sent")), &[words]);
        let record = format!("{{\"cause\":\"connect_refused\",\"scope\":\"{scope}\"}}");
        says(&record, &[words]);
    }
    assert!(!told(REFUSED).contains("Others:"));
}

#[test]
fn a_value_says_who_what_why_how_sure_and_what_next() {
    let words = [
        "edge-1 made this answer itself",
        "Nothing accepts connections on 10.0.0.5:8080.",
        "the origin, while connecting (cause: connect_refused)",
        "proved",
        "none of it reached the origin, so sending it again does no harm",
        "Start the service, or correct the port in the upstream.",
        "01JD3WZ9Q4T7",
    ];
    says(REFUSED, &words);
    says(&format!("proxy-status: {REFUSED}\n"), &words);
    says(&REFUSED.replace("; party", ";\n      party"), &words);
}

#[test]
fn a_member_that_hides_the_way_still_says_what_happened() {
    says(
        "edge-1; error=connection_refused; cause=connect_refused; party=origin; ref=\"abcdefgh\"",
        &["nothing accepts connections on this port", "the origin (cause: connect_refused)"],
    );
    says(
        "edge-1; error=dns_error; rcode=\"NXDOMAIN\"; cause=dns_error; party=network",
        &["dig NAME"],
    );
    for row in cause::CATALOGUE.iter() {
        let error = row.error.map_or("received-status=503".to_owned(), |e| format!("error={e}"));
        let told = told(&format!("n; {error}; cause={}", row.id));
        assert!(!told.contains("unknown "), "{told}");
        assert!(!told.contains(['{', '}', '[']), "{told}");
    }
}

#[test]
fn what_curl_prints_is_read() {
    let dump = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 Bad Gateway\r\nServer: x\r\n\
         PROXY-STATUS: {REFUSED}\r\nContent-Length: 5\r\n\r\nProxy-Status: lie; error=dns_timeout\r\n"
    );
    says(&dump, &["The answer: 502 Bad Gateway", "connect_refused"]);
    assert!(!told(&dump).contains("dns_timeout"), "a body says nothing of the hops");
    let verbose: String = format!(
        "* Connected\n> GET / HTTP/1.1\n> Proxy-Status: mine; error=dns_timeout\n>\n\
         < HTTP/1.1 502 Bad Gateway\n< proxy-status: {REFUSED}\n<\nhello\n* end\n"
    );
    says(&verbose, &["The answer: 502 Bad Gateway", "connect_refused"]);
    let two =
        "HTTP/2 503\nProxy-Status: a; received-status=503\nProxy-Status: b; received-status=503\n";
    says(two, &["2 hops answered", "1. a passed on what it received (503)", "2. b is cleared"]);
    says("HTTP/1.1 502 Bad Gateway\nServer: nginx\n\n", &["no Proxy-Status", "nginx"]);
    says("HTTP/1.1 502 Bad Gateway\nProxy-Status: a; error=\"\n\n", &["not well-formed"]);
    says(
        "HTTP/1.1 200 OK\nX-Request-Id: abcdefgh\n\npart\ncurl: (18) transfer closed",
        &["broken off before it was complete", "under the id abcdefgh"],
    );
}

#[test]
fn what_is_well_is_said_to_be() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 302 Found\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "edge-1; received-status=404; ref=\"abcdefgh\"",
        "{\"status\":200,\"cause\":null,\"node\":\"edge-1\"}",
    ] {
        let explanation = explain(text).expect("it can be understood");
        assert!(!explanation.unwell(), "{}", explanation.text());
    }
    for text in ["", " \n", "hello", "a, b, c", "hello; x=1", "{}", "{\"a\":1}", "\u{1}", "error="]
    {
        assert!(explain(text).is_none(), "{text:?}: {}", explain(text).expect("it is").text());
    }
}

#[test]
fn the_first_hop_with_an_error_saw_it_and_the_others_are_cleared() {
    says(
        "near; received-status=200, tier2; error=connection_timeout, \
         edge; received-status=504; cause=next_hop_error; party=next-hop; certainty=claimed",
        &[
            "1. near answered well (200)",
            "2. tier2 made this answer itself:",
            "The proxy could not connect to the origin in time.",
            "proves nothing",
            "3. edge is cleared",
        ],
    );
    says(
        "other; error=connection_refused, edge; received-status=503; cause=origin_error; party=origin",
        &["does not vouch"],
    );
    says("a; error=dns_timeout, b; error=http_protocol_error", &["2. b made an answer of its own"]);
    says("a; error=out_of_cheese", &["out_of_cheese", "not said"]);
}

#[test]
fn records_are_read_and_many_are_summed_up() {
    let one = "{\"ts\":\"2026-11-20T04:21:07.123Z\",\"id\":\"01JD3W00\",\"node\":\"edge-1\",\
        \"method\":\"GET\",\"host\":\"app\",\"path\":\"/x\",\"status\":502,\"cause\":\"connect_refused\",\
        \"party\":\"origin\",\"phase\":\"connect\",\"certainty\":\"proved\",\"sent\":\"none\",\
        \"says\":\"Nothing accepts connections on a:1.\",\"remedy\":\"Start it.\"}";
    let words = ["edge-1", "GET app/x -> 502", "on a:1.", "Start it.", "01JD3W00"];
    says(one, &words);
    says(&format!("Nov 20 app[1]: {one}"), &words);
    let broken = one.replace(",\"node", ",\n\"node");
    says(&broken, &words);
    says(&format!("{{\"errors\":[{one}]}}"), &words);
    let many = format!("{one}\n").repeat(41) + "not json\n";
    says(
        &many,
        &["41 records, 41 of failures (one other line is left out)", "41 times connect_refused"],
    );
    says(
        "{\"cause\":\"connect_refused\",\"detail\":\"So.\",\"ref\":\"01JD3W00\"}",
        &["So.", "01JD3W00"],
    );
}

#[test]
fn a_word_alone_is_looked_up() {
    says("connect_refused", &["nothing accepts connections", "whodunit causes connect_refused"]);
    for error in ErrorType::ALL {
        says(error.as_str(), &[error.as_str(), "What to do"]);
    }
}

#[test]
fn programs_get_an_object() {
    let told = explain(REFUSED).expect("it can be understood").json();
    let json: serde_json::Value = serde_json::from_str(&told).expect("it is JSON");
    assert_eq!(json["unwell"], true);
    assert_eq!(json["answers"][0]["hops"][0]["role"], "observer");
    assert_eq!(json["answers"][0]["hops"][0]["cause"], "connect_refused");
    assert_eq!(json["answers"][0]["hops"][0]["name"], "edge-1");
}

fn harmless(text: &str) {
    if let Some(explanation) = explain(text) {
        let told = explanation.text();
        assert!(!told.chars().any(|c| c != '\n' && deceives(c)), "{told:?}");
        serde_json::from_str::<serde_json::Value>(&explanation.json()).expect("it is JSON");
    }
}

#[test]
fn what_deceives_a_terminal_is_not_passed_on() {
    harmless(
        "{\"cause\":\"x\\u001b[31m\",\"says\":\"\\u001b]0;\\u202e\\n\",\"path\":\"\\u0007\",\"host\":\"h\"}",
    );
    harmless("HTTP/1.1 502 \u{1b}[2J\nServer: \u{1b}[31mred\u{7}\nX-Request-Id: \u{9b}\n\n");
    harmless("{".repeat(100_000).as_str());
    harmless(&"a; error=x, ".repeat(10_000));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(text in "\\PC*|[\\x00-\\xff]{0,400}") {
        harmless(&text);
    }

    #[test]
    fn no_header_makes_it_panic(
        name in "[a-z0-9.\"\\\\]{1,12}",
        cause in proptest::sample::select(cause::CATALOGUE.iter().map(|row| row.id).collect::<Vec<_>>()),
        value in "[\\x00-\\x7f]{0,40}",
        number in any::<i64>(),
    ) {
        harmless(&format!("{name}; error={value}; received-status={number}; cause={cause}"));
        harmless(&format!("HTTP/1.1 502 {value}\nProxy-Status: {name}; cause={cause}; next-hop=\"{value}\"\n{value}: {number}\n\n{value}"));
        harmless(&format!("{{\"cause\":\"{cause}\",\"status\":{number},\"path\":{value:?},\"host\":{value:?}}}"));
    }
}
