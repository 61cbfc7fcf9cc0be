//! Over HTTP/2 an origin can say that it did not act on a request (RFC 9113 section 8.7): then any
//! may be made once more.

use std::sync::atomic::{AtomicUsize, Ordering};

use h2::Reason;

use super::POST;
use crate::http2::{built, upload};
use crate::rig::frames::{DATA, Frame, Framed};
use crate::rig::h2::{Act, Answer, Origin};
use crate::rig::h2client::request;
use crate::rig::origin;
use crate::rig::promise::Told;
use crate::rig::settings::Settings;

const END_STREAM: u8 = 1;

fn settings(endpoint: &str) -> Settings {
    Settings::endpoints(&[endpoint]).having("protocol: h2c").h2c()
}

/// An origin that resets the first stream with this code, and answers the others.
fn resetting(reason: Reason) -> Origin {
    Origin::plain(move |_, nth| match nth {
        0 => Act::Reset(reason),
        _ => Act::Answer(Answer::new(200, "ok")),
    })
}

/// An origin that says goodbye to the first request, `last` being the last stream that it answers,
/// and may leave then; it answers the others.
fn leaving(last: u32, at_once: bool) -> origin::Origin {
    let asked = AtomicUsize::new(0);
    origin::Origin::new(move |connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        while let Some(stream) = framed.request() {
            if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                framed.send(&Frame::goaway(last, u32::from(Reason::NO_ERROR)));
                if at_once {
                    return framed.connection().close();
                }
            } else {
                framed.send(&Frame::status(stream, 200, true));
            }
        }
    })
}

fn attempts(told: &Told) -> Vec<&str> {
    let attempts = told.value("attempts").as_array().expect("attempts are listed");
    attempts.iter().map(|attempt| attempt["cause"].as_str().unwrap_or("none")).collect()
}

#[test]
fn a_refused_stream_is_made_up_for_whatever_the_method() {
    for length in [0, 2, 50_000] {
        let origin = resetting(Reason::REFUSED_STREAM);
        let proxy = settings(&origin.endpoint).start();
        let body = vec![b'u'; length];
        let told = upload(&proxy, built(request("POST", "/")), &body);
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert_eq!(attempts(&told), ["h2_stream_reset", "none"]);
        assert!(told.value("cause").is_null(), "{:#}", told.record);
        assert_eq!(origin.requests()[1].body, body);
        assert_eq!(origin.connections(), 2, "it is made up for elsewhere");
    }
}

#[test]
fn a_refused_stream_is_made_up_for_from_http1_as_well() {
    let chunked = "POST / HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (asked, body) in [
        (POST.to_owned(), "hi"),
        (format!("{chunked}2\r\nhi\r\n0\r\n\r\n"), "hi"),
        (format!("{chunked}0\r\n\r\n"), ""),
    ] {
        let origin = resetting(Reason::REFUSED_STREAM);
        let told = settings(&origin.endpoint).start().send(asked);
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert_eq!(attempts(&told), ["h2_stream_reset", "none"]);
        assert_eq!(origin.requests()[1].body, body.as_bytes());
    }
}

#[test]
fn any_other_code_promises_nothing() {
    for reason in [Reason::INTERNAL_ERROR, Reason::CANCEL, Reason::NO_ERROR] {
        let origin = resetting(reason);
        let told = settings(&origin.endpoint).start().send(POST);
        assert_eq!((told.status(), told.text("cause")), (502, "h2_stream_reset"), "{reason:?}");
        assert_eq!(told.value("retryable"), false, "{:#}", told.record);
        assert_eq!(origin.requests().len(), 1);
    }
}

#[test]
fn no_more_often_than_allowed() {
    let origin = Origin::plain(|_, _| Act::Reset(Reason::REFUSED_STREAM));
    let proxy = settings(&origin.endpoint).having("retries: { attempts: 3 }").start();
    let told = proxy.send(POST);
    assert_eq!((told.status(), told.text("cause")), (502, "h2_stream_reset"));
    assert_eq!(attempts(&told), ["h2_stream_reset"; 3]);
    assert_eq!(told.value("retryable"), true, "none of them was acted on: {:#}", told.record);
    assert_eq!(origin.requests().len(), 3);
}

#[test]
fn what_is_no_longer_held_cannot_be_sent_again() {
    let origin = origin::Origin::new(|connection| {
        let Some(mut framed) = Framed::greet(connection) else { return };
        let stream = framed.request().expect("a request");
        // As much as the window holds at first, and then more than is held for another attempt.
        let mut came = 0;
        while came < 65_535 {
            let Some(frame) = framed.frame() else { return };
            came += if frame.kind == DATA { frame.payload.len() } else { 0 };
        }
        framed.send(&Frame::window(0, 1 << 20));
        framed.send(&Frame::window(stream, 1 << 20));
        loop {
            let Some(frame) = framed.frame() else { return };
            if frame.kind == DATA && frame.flags & END_STREAM != 0 {
                break;
            }
        }
        framed.send(&Frame::reset(stream, u32::from(Reason::REFUSED_STREAM)));
        framed.connection().hold();
    });
    let proxy = settings(&origin.endpoint).start();
    let told = upload(&proxy, built(request("POST", "/")), &vec![b'u'; 200_000]);
    assert_eq!((told.status(), told.text("cause")), (502, "h2_stream_reset"), "{:#}", told.record);
    assert_eq!(attempts(&told), ["h2_stream_reset"]);
    assert_eq!(told.value("retryable"), true, "{:#}", told.record);
}

#[test]
fn a_goodbye_that_leaves_the_request_out_is_made_up_for() {
    for at_once in [false, true] {
        let origin = leaving(0, at_once);
        let told = settings(&origin.endpoint).start().send(POST);
        assert_eq!(told.status(), 200, "{:#}", told.record);
        assert_eq!(attempts(&told), ["h2_goaway", "none"]);
        assert_eq!(origin.connections(), 2);
    }
}

#[test]
fn a_goodbye_that_leaves_it_in_promises_nothing() {
    let origin = leaving(1, true);
    let told = settings(&origin.endpoint).start().send(POST);
    assert_eq!(told.status(), 502, "{:#}", told.record);
    assert_eq!(told.value("retryable"), false, "{:#}", told.record);
    assert_eq!(origin.connections(), 1);
}
