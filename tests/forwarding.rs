//! What goes through: it arrives as it was sent, both ways. That a good response is the origin's,
//! byte for byte, is checked by the rig on every exchange.

mod bodies;
mod connections;
mod routes;
mod upgrade;

use crate::rig::client::get_by_library;
use crate::rig::message::Request;
use crate::rig::origin::Origin;
use crate::rig::settings::Settings;

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn every_method_is_passed_on() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "BREW"] {
        let told = proxy.send(format!(
            "{method} /a%20b/../c?q=1&r=%2F HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n"
        ));
        assert_eq!(told.status(), 200, "{method}");
        let seen = origin.requests().pop().expect("it arrived");
        assert_eq!(seen.method, method);
        assert_eq!(seen.minor, 1);
        assert_eq!(seen.target, "/a%20b/../c?q=1&r=%2F");
        assert_eq!(seen.fields.text("host").as_deref(), Some("app.test"));
    }
}

#[test]
fn the_record_says_whom_a_trusted_proxy_names() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let named = "GET / HTTP/1.1\r\nHost: app.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n";
    let told = proxy.send(named);
    assert_eq!(told.text("real_client"), "203.0.113.9");
    assert!(told.text("client").starts_with("127.0.0.1:"), "{:#}", told.record);
    assert!(proxy.get("/").value("real_client").is_null(), "nobody else is named");
    let strict = Settings::to(&origin).with("forwarded", "trusted: []").start();
    assert!(strict.send(named).value("real_client").is_null(), "nobody's word counts");
}

#[test]
fn trace_and_connect_are_refused() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    for request in [
        "TRACE / HTTP/1.1\r\nHost: app.test\r\n\r\n",
        "CONNECT app.test:443 HTTP/1.1\r\nHost: app.test:443\r\n\r\n",
    ] {
        let told = proxy.send(request);
        assert_eq!(told.status(), 405);
        assert_eq!(told.text("cause"), "client_method_refused");
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn fields_of_one_hop_stay_behind_and_the_others_arrive() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let told = proxy.send(
        "GET / HTTP/1.1\r\nHost: app.test\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\n\
         Keep-Alive: timeout=5\r\nX-Twice: a\r\nX-Twice: b\r\nX-Empty:\r\nCookie: a=1; b=2\r\n\r\n",
    );
    assert_eq!(told.status(), 200);
    let seen: Request = origin.requests().pop().expect("it arrived");
    for gone in ["x-mine", "keep-alive"] {
        assert_eq!(seen.fields.text(gone), None);
    }
    assert_eq!(seen.fields.all("x-twice"), ["a", "b"]);
    assert_eq!(seen.fields.all("x-empty"), [""]);
    assert_eq!(seen.fields.all("cookie"), ["a=1; b=2"]);
}

#[test]
fn a_request_says_which_way_it_came() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let told = proxy.send("GET / HTTP/1.1\r\nHost: app.test\r\nVia: 1.0 before\r\n\r\n");
    let seen = origin.requests().pop().expect("it arrived");
    assert_eq!(seen.fields.text("via").as_deref(), Some("1.0 before, 1.1 edge.test"));
    assert_eq!(seen.fields.text("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.fields.text("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(seen.fields.text("x-forwarded-host").as_deref(), Some("app.test"));
    assert_eq!(seen.fields.text("x-request-id").as_deref(), told.value("id").as_str());
}

#[test]
fn a_well_formed_id_is_kept_and_another_is_replaced() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let with = |id: &str| {
        proxy.send(format!("GET / HTTP/1.1\r\nHost: app.test\r\nX-Request-Id: {id}\r\n\r\n"))
    };
    assert_eq!(with("0123456789-abc").text("id"), "0123456789-abc");
    assert_ne!(with("short").text("id"), "short");
    assert_ne!(with("has \"quotes\" in it").text("id"), "has \"quotes\" in it");
}

#[test]
fn what_others_said_in_proxy_status_is_kept_before_our_own_word() {
    let origin = Origin::answering(
        "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\
         Proxy-Status: tier2; error=connection_timeout\r\nProxy-Status: tier1; received-status=504\r\n\r\n",
    );
    let proxy = Settings::to(&origin).start();
    let told = proxy.get("/");
    let said = crate::rig::promise::members(&told.answer().fields);
    let nodes: Vec<&str> = said.iter().map(|member| member.node.as_str()).collect();
    assert_eq!(nodes, ["tier2", "tier1", "edge.test"]);
    assert_eq!(told.text("cause"), "origin_error", "an origin cannot accuse others");
    assert_eq!(told.value("hops.0.name"), "tier2");
}

#[test]
fn what_does_not_parse_in_proxy_status_is_dropped() {
    let origin = Origin::answering(
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nProxy-Status: \"open; error=x\r\n\r\n",
    );
    let proxy = Settings::to(&origin).start();
    let told = proxy.get("/");
    assert_eq!(crate::rig::promise::members(&told.answer().fields).len(), 1);
    assert!(told.text("hops_rejected").contains("open"), "{:#}", told.record);
}

#[test]
fn a_common_library_gets_what_the_origin_sends() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Mine: yes\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    let proxy = Settings::to(&origin).start();
    let (status, fields, body) = get_by_library(&format!("http://{}/", proxy.address()));
    assert_eq!((status, body.as_slice()), (200, &b"abc"[..]));
    assert_eq!(fields.text("x-mine").as_deref(), Some("yes"));
}

/// RFC 9110 section 7.6.2: whoever is asked for with no forwards left answers by itself.
#[test]
fn a_question_about_this_very_node_ends_here() {
    let origin = Origin::answering(OK);
    let proxy = Settings::to(&origin).start();
    let ask = |left: &str| {
        let mut client = proxy.connect();
        client
            .send(format!("OPTIONS / HTTP/1.1\r\nHost: app.test\r\nMax-Forwards: {left}\r\n\r\n"));
        client.receive("OPTIONS").expect("an answer")
    };
    let here = ask("0");
    assert_eq!(here.status, 204);
    assert_eq!(here.fields.text("via").as_deref(), Some("1.1 edge.test"));
    assert!(here.fields.text("allow").is_some_and(|allow| allow.contains("OPTIONS")));
    assert!(origin.requests().is_empty());
    assert_eq!(ask("2").status, 200);
    assert_eq!(origin.requests()[0].fields.text("max-forwards").as_deref(), Some("1"));
}
