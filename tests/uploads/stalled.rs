//! A client that stops in the middle of its upload, on every way in: it is the slow one, whichever
//! limit runs out on it.

use crate::rig::client::Client;
use crate::rig::net::Refusing;
use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LARGE: usize = 8 << 20;

/// An origin that invites bodies, reads them, and answers once it has one whole.
fn patient() -> Origin {
    Origin::new(|mut connection| {
        while let Some(head) = connection.head() {
            if head.fields.text("expect").is_some() {
                connection.pour(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            if head.method == "POST" && connection.swallow() < LARGE {
                return;
            }
            connection.send(OK);
        }
    })
}

fn slow(told: &Told) {
    for (field, value) in [
        ("cause", "client_slow"),
        ("party", "client"),
        ("phase", "request"),
        ("certainty", "proved"),
        ("sent", "partial"),
        ("evidence.part", "body"),
    ] {
        assert_eq!(told.text(field), value, "{field} in {:#}", told.record);
    }
    assert_eq!(told.status(), 408);
    for key in ["limit_ms", "setting", "bytes_so_far"] {
        assert!(!told.value("evidence")[key].is_null(), "no {key} in {:#}", told.record);
    }
}

/// Begins an upload, sends as much of it, and stops.
fn stop_after(client: &mut Client, fields: &str, sent: usize) {
    let chunked = fields.contains("chunked");
    let length = if chunked { String::new() } else { format!("Content-Length: {LARGE}\r\n") };
    client.send(format!("POST / HTTP/1.1\r\nHost: app.test\r\n{length}{fields}\r\n"));
    if fields.contains("Expect") {
        assert_eq!(client.line(), b"HTTP/1.1 100 Continue");
        assert_eq!(client.line(), b"");
    }
    if chunked {
        client.send(format!("{LARGE:x}\r\n"));
    }
    client.send(vec![b'u'; sent]);
}

const FORMS: [(&str, usize); 6] = [
    ("", 0),
    ("", 10),
    ("", LARGE - 1),
    ("Transfer-Encoding: chunked\r\n", 10),
    ("Transfer-Encoding: chunked\r\n", LARGE - 1),
    ("Expect: 100-continue\r\n", 10),
];

/// Whichever limit is the shorter one.
const LIMITS: [&str; 2] = ["request_body: 300ms, read: 10s", "request_body: 10s, read: 300ms"];

fn on_fresh_connections(proxy: &Proxy) {
    for (fields, sent) in FORMS {
        slow(&proxy.tell(|client| {
            stop_after(client, fields, sent);
            client.receive("POST")
        }));
    }
}

#[test]
fn whatever_its_form_and_size() {
    let origin = patient();
    for limits in LIMITS {
        on_fresh_connections(&Settings::to(&origin).with("timeouts", limits).start());
    }
}

#[test]
fn over_connections_that_carried_requests_before() {
    let origin = patient();
    for limits in LIMITS {
        let proxy = Settings::to(&origin).with("timeouts", limits).start();
        for (fields, sent) in FORMS {
            let mut client = proxy.connect();
            let good = proxy.exchange(|| {
                client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n");
                client.receive("GET")
            });
            assert_eq!(good.status(), 200);
            let told = proxy.exchange(|| {
                stop_after(&mut client, fields, sent);
                client.receive("POST")
            });
            slow(&told);
            assert_eq!(told.value("connection.reused"), true, "{:#}", told.record);
        }
    }
}

#[test]
fn at_the_second_attempt() {
    let (closed, origin) = (Refusing::new(), patient());
    for limits in LIMITS {
        let proxy = Settings::endpoints(&[&closed.endpoint, &origin.endpoint])
            .with("timeouts", limits)
            .start();
        let mut second = 0;
        for (fields, sent) in FORMS.into_iter().chain(FORMS) {
            let told = proxy.tell(|client| {
                stop_after(client, fields, sent);
                client.receive("POST")
            });
            slow(&told);
            second += usize::from(told.value("attempts").as_array().map(Vec::len) == Some(2));
        }
        assert!(second > 0, "every other request begins at the closed port");
    }
}
