//! What the origin took of an upload is told from what only left this proxy's hands: the kernel keeps
//! megabytes of it.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::rig::origin::Origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

/// It fits the buffers on this side, and not those on the other as well.
const SIZE: usize = 2 << 20;

/// An upload of which so much is sent, to an origin that reads no more than the head.
fn deaf(limits: &str, sent: usize) -> Told {
    let (_kept, over) = channel::<()>();
    let over = Mutex::new(over);
    let origin = Origin::new(move |mut connection| {
        connection.head();
        // The other end of the channel goes when the test is over.
        let _ = over.lock().expect("nobody panicked").recv();
    });
    let proxy = Settings::to(&origin).with("timeouts", limits).start();
    proxy.tell(|client| {
        client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {SIZE}\r\n\r\n"));
        client.send(vec![b'x'; sent]);
        client.receive("PUT")
    })
}

fn not_taken(told: &Told) {
    for (field, value) in [
        ("cause", "request_write_timeout"),
        ("party", "origin"),
        ("phase", "send"),
        ("certainty", "proved"),
        ("sent", "partial"),
        ("evidence.setting", "timeouts.read"),
    ] {
        assert_eq!(told.text(field), value, "{field} in {:#}", told.record);
    }
    assert_eq!(told.status(), 504);
    let written = told.value("evidence.written").as_u64().expect("a number");
    let unsent = told.value("evidence.not_sent").as_u64().expect("a number");
    assert!(written + unsent <= SIZE as u64, "{:#}", told.record);
}

#[test]
fn an_origin_that_does_not_read_is_not_slow_to_answer() {
    not_taken(&deaf("read: 900ms", SIZE));
}

#[test]
fn a_client_that_stops_after_the_origin_did_is_not_the_slow_one() {
    not_taken(&deaf("read: 900ms", SIZE - 1));
}

#[test]
fn what_never_left_was_not_taken_before_the_origin_broke_off() {
    let origin = Origin::new(|mut connection| {
        connection.head();
        connection.fill();
        // Whatever the proxy still has is more than the other end has room for.
        assert!(!connection.left_within(std::time::Duration::from_millis(100)));
        connection.reset();
    });
    let told = Settings::to(&origin).once().start().tell(|client| {
        client.send(format!("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: {SIZE}\r\n\r\n"));
        client.upload(SIZE as u64);
        client.receive("PUT")
    });
    assert_eq!(told.text("cause"), "request_write_failed", "{:#}", told.record);
    assert_eq!((told.text("phase"), told.text("sent")), ("send", "partial"), "{:#}", told.record);
    let written = told.value("evidence.written").as_u64().expect("a number");
    assert!(written < SIZE as u64, "{:#}", told.record);
}
