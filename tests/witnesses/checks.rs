//! The look that is had at an endpoint after a request there failed.

use super::{OK, address};
use crate::rig::net::Refusing;
use crate::rig::origin::{Conversation, Origin};
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

fn looking(endpoint: &str) -> Proxy {
    Settings::endpoints(&[endpoint])
        .once()
        .with("diagnosis", "checks: true")
        .with("timeouts", "connect: 500ms, read: 500ms")
        .start()
}

/// Has a request fail and the endpoint looked at; what the next verdict says of that.
fn found(proxy: &Proxy, endpoint: &str) -> (String, String) {
    let before = proxy.get("/");
    assert!(before.value("evidence.check").is_null(), "nobody had looked: {:#}", before.record);
    until("somebody to look", || address(proxy, endpoint)["check"].as_str().map(drop));
    let after = proxy.get("/");
    assert!(after.value("evidence.check_age_ms").is_u64(), "{:#}", after.record);
    assert_eq!(after.text("cause"), before.text("cause"), "a check moves no blame");
    (after.text("evidence.check").to_owned(), after.text("says").to_owned())
}

#[test]
fn a_port_that_still_refuses() {
    let closed = Refusing::new();
    let (check, says) = found(&looking(&closed.endpoint), &closed.endpoint);
    assert_eq!(check, "refuses");
    assert!(
        says.contains(" A check ") && says.ends_with(" ago was refused the connection."),
        "{says}"
    );
}

/// An origin that closes after every GET, and treats HEAD as `script` says.
fn failing(script: impl Fn(Conversation) + Send + Sync + 'static) -> Origin {
    Origin::new(move |mut connection| match connection.request() {
        Some(request) if request.method == "HEAD" => script(connection),
        Some(_) => connection.close(),
        None => {}
    })
}

#[test]
fn an_origin_that_answers_other_requests() {
    let origin = failing(|mut connection| {
        connection.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        connection.close();
    });
    let proxy = looking(&origin.endpoint);
    let (check, says) = found(&proxy, &origin.endpoint);
    assert_eq!(check, "answers");
    assert!(says.ends_with(" ago connected there and was answered."), "{says}");
    for _ in 0..3 {
        proxy.get("/");
    }
    let requests = origin.requests();
    let heads: Vec<_> = requests.iter().filter(|request| request.method == "HEAD").collect();
    let [head] = heads.as_slice() else { panic!("one in 30 s: {requests:#?}") };
    assert_eq!(head.fields.text("host"), Some(origin.endpoint.clone()));
    assert_eq!(head.fields.text("user-agent").as_deref(), Some("whodunit-check"));
}

#[test]
fn origins_that_do_not_answer_the_check_either() {
    for (script, found_so) in [
        ((|connection| connection.close()) as fn(Conversation), "closes"),
        (Conversation::hold, "silent"),
        (
            |mut connection| {
                connection.send("SSH-2.0-OpenSSH_9.6\r\n");
                connection.close();
            },
            "not-http",
        ),
    ] {
        let origin = failing(script);
        let (check, _) = found(&looking(&origin.endpoint), &origin.endpoint);
        assert_eq!(check, found_so);
    }
}

#[test]
fn nobody_looks_where_that_is_off_or_of_no_use() {
    let origin = failing(Conversation::hold);
    let off = Settings::to(&origin).once().start();
    let error = Origin::answering("HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno");
    let told = looking(&error.endpoint);
    for _ in 0..3 {
        assert_eq!(off.get("/").status(), 502);
        assert_eq!(told.get("/").status(), 503, "the origin itself says what is wrong");
    }
    let good = Origin::answering(OK);
    assert_eq!(looking(&good.endpoint).get("/").status(), 200);
    for origin in [origin, error, good] {
        assert!(origin.requests().iter().all(|request| request.method == "GET"));
    }
}
