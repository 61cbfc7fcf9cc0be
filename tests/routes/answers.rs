use super::{OK, both};
use crate::rig::h2client::{Http2, request};
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

/// Every kind of answer, and an origin that none of them may reach.
fn answering(origin: &Origin) -> Settings {
    Settings::to(origin)
        .route("name: tls, match: { host: \"*.net\" }, redirect: { to: \"https://{host}{uri}\", status: 308 }")
        .route("match: { path: /old/ }, redirect: { to: \"/new{path}\" }")
        .route("match: { path_regex: \"evil\" }, redirect: { to: \"{path}/\" }")
        .route("match: { path: /echo }, redirect: { to: \"/x?h={request.header.X-To}\" }")
        .route("name: ping, match: { path_exact: /ping }, respond: { body: pong }, response_headers: { set: { X-A: \"{status}\" } }")
        .route("match: { path: /none }, respond: { status: 204 }, limits: { request_body: 1KiB }")
        .route("match: { path: /json }, respond: { body: '{\"a\":1}', content_type: application/json }")
        .route("name: gone, match: { path: /gone }, respond: { status: 410, body: gone }")
        .route("match: { path: /down }, respond: { status: 503, body: down }")
        .route("match: { path: /web }, upstream: web")
        .h2c()
}

#[test]
fn a_redirect_leads_where_it_says_and_is_no_failure() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).start();
    let told = proxy.send("GET /a/b?c=d HTTP/1.1\r\nHost: App.Example.net:8080\r\n\r\n");
    assert_eq!(told.status(), 308);
    let to = told.answer().fields.all("location");
    assert_eq!(to, ["https://app.example.net/a/b?c=d"]);
    for (path, fields, to) in [
        ("/old/x?y", &[][..], "/new/old/x"),
        ("//evil.test/x", &[], "/evil.test/x/"),
        ("///%2fevil.test", &[], "/%2fevil.test/"),
        ("/\\evil.test", &[], "/%5Cevil.test/"),
        ("/\\/evil.test", &[], "/%5C/evil.test/"),
        ("/.//evil.test", &[], "/.//evil.test/"),
        ("/x/..//evil.test", &[], "/x/..//evil.test/"),
        ("/%5cevil.test/%09", &[], "/%5cevil.test/%09/"),
        ("/echo", &[("X-To", "a b\"<\\>")], "/x?h=a%20b%22%3C%5C%3E"),
        ("/echo", &[("X-To", "é")], "/x?h=%C3%A9"),
    ] {
        for told in both(&proxy, "GET", path, fields) {
            assert_eq!(told.status(), 302, "{:#}", told.record);
            assert_eq!(told.answer().fields.all("location"), [to]);
            assert_eq!(told.answer().text(), "");
            assert!(told.member.is_none(), "{:?}", told.member);
            assert!(told.value("cause").is_null() && told.value("upstream").is_null());
            assert_eq!(told.value("generated"), true);
        }
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn a_fixed_answer_is_given_with_its_route() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).start();
    for told in both(&proxy, "GET", "/ping", &[]) {
        let fields = &told.answer().fields;
        assert_eq!((told.status(), told.answer().text().as_str()), (200, "pong"));
        assert_eq!(fields.all("content-type"), ["text/plain; charset=utf-8"]);
        assert_eq!(
            (fields.all("content-length"), fields.all("x-a")),
            (vec!["4".into()], vec!["200".into()])
        );
        assert!(fields.text("date").is_some() && told.member.is_none());
        assert_eq!((told.text("route"), told.value("generated").as_bool()), ("ping", Some(true)));
    }
    for told in both(&proxy, "HEAD", "/ping", &[]) {
        assert_eq!(told.answer().fields.all("content-length"), ["4"]);
        assert_eq!(told.answer().text(), "");
    }
    for told in both(&proxy, "GET", "/none", &[]) {
        assert_eq!((told.status(), told.answer().fields.text("content-length")), (204, None));
    }
    for told in both(&proxy, "GET", "/json", &[]) {
        assert_eq!(told.answer().text(), "{\"a\":1}");
        assert_eq!(told.answer().fields.all("content-type"), ["application/json"]);
    }
    let counted = proxy.metrics().sum("whodunit_requests_total", &[("route", "ping")]);
    assert_eq!(counted.to_string(), "4");
    assert!(origin.requests().is_empty());
}

#[test]
fn a_fixed_answer_that_is_an_error_names_its_setting() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).start();
    for (path, status, body, setting) in
        [("/gone", 410, "gone", "routes[7].respond"), ("/down", 503, "down", "routes[8].respond")]
    {
        for told in both(&proxy, "GET", path, &[]) {
            assert_eq!((told.status(), told.answer().text().as_str()), (status, body));
            assert_eq!(told.text("cause"), "denied_by_policy");
            assert_eq!(told.text("evidence.setting"), setting);
            assert_eq!((told.text("certainty"), told.text("party")), ("proved", "proxy"));
            let member = told.member.as_ref().expect("an error carries a verdict");
            assert_eq!(member.param("error"), Some("http_request_denied"));
        }
    }
}

#[test]
fn with_a_member_on_all_an_answer_of_our_own_has_neither_error_nor_status() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).with("diagnosis", "on: all").start();
    for told in both(&proxy, "GET", "/ping", &[]) {
        let member = told.member.as_ref().expect("there is one on all");
        assert_eq!((member.param("error"), member.param("received-status")), (None, None));
        assert_eq!(member.param("ref"), Some(told.text("id")));
    }
}

#[test]
fn another_request_may_follow_and_a_body_that_nobody_wants_does_no_harm() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).start();
    let told = proxy.exchanges(3, || {
        let mut client = proxy.connect();
        client.send("GET /old/ HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let first = client.receive("GET");
        client.send("HEAD /ping HTTP/1.1\r\nHost: app.test\r\n\r\n");
        let second = client.receive("HEAD");
        client.send("GET /web HTTP/1.1\r\nHost: app.test\r\n\r\n");
        vec![first, second, client.receive("GET")]
    });
    assert_eq!(told.iter().map(Told::status).collect::<Vec<_>>(), [302, 200, 200]);
    // The answer is there before the body is, and reaches a client that goes on sending.
    let told = proxy.tell(|client| {
        client.send("POST /ping HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10000000\r\n\r\n");
        client.upload(10_000_000);
        client.receive("POST")
    });
    assert_eq!((told.status(), told.answer().text().as_str()), (200, "pong"));
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| {
        let mut exchange = client.open(request("POST", "/ping").body(()).expect("good"), false);
        exchange.upload(10_000_000);
        exchange.receive()
    });
    assert_eq!((told.status(), told.answer().text().as_str()), (200, "pong"));
    let told = proxy.exchange(|| client.get("/old/"));
    assert_eq!(told.status(), 302, "the connection goes on");
    let waits = "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let told = proxy.send(format!("POST /ping HTTP/1.1\r\nHost: app.test\r\n{waits}"));
    assert!(told.answer().interim.is_empty(), "nobody wants that body");
    assert_eq!(told.answer().text(), "pong");
    // A small body that is there already.
    let told = proxy.exchanges(2, || {
        let mut client = proxy.connect();
        client.send("POST /ping HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n\r\nhi");
        let first = client.receive("POST");
        if first.as_ref().is_some_and(|f| f.fields.text("connection").as_deref() == Some("close")) {
            client = proxy.connect();
        }
        client.send("GET /ping HTTP/1.1\r\nHost: app.test\r\n\r\n");
        vec![first, client.receive("GET")]
    });
    assert_eq!(told.iter().map(Told::status).collect::<Vec<_>>(), [200, 200]);
}

#[test]
fn what_refuses_a_request_comes_before_the_answer() {
    let origin = Origin::answering(OK);
    let proxy = answering(&origin).start();
    let told = proxy.send("POST /none HTTP/1.1\r\nHost: app.test\r\nContent-Length: 5000\r\n\r\n");
    assert_eq!((told.status(), told.text("cause")), (413, "client_body_too_large"));
    assert_eq!(told.text("evidence.setting"), "routes[5].limits.request_body");
}
