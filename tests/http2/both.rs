//! HTTP/2 on both sides.

use h2::Reason;

use super::{ask, built, upload};
use crate::rig::h2::{Act, Answer, Origin};
use crate::rig::h2client::{Http2, get, request};
use crate::rig::message::End;
use crate::rig::proxy::Proxy;
use crate::rig::settings::Settings;
use crate::rig::until;

fn before(origin: &Origin) -> Proxy {
    Settings::endpoints(&[&origin.endpoint])
        .having("protocol: h2c")
        .once()
        .h2c()
        .with("timeouts", "read: 400ms")
        .with("timeouts", "request_body: 400ms")
        .start()
}

#[test]
fn it_goes_through_whole() {
    let body: Vec<u8> = (0..1_000_000_u32).map(|nth| (nth % 251) as u8).collect();
    let answer = body.clone();
    let origin = Origin::plain(move |request, _| {
        let body = if request.method == "POST" { answer.clone() } else { Vec::new() };
        Act::Answer(Answer::new(200, body))
    });
    let proxy = before(&origin);
    let told = upload(&proxy, built(request("POST", "/")), &body);
    assert!(told.answer().body == body, "{:#}", told.record);
    assert!(origin.requests()[0].body == body);
    let client = Http2::connect(proxy.address());
    for method in ["GET", "HEAD", "GET"] {
        let told = proxy.exchange(|| client.ask(built(request(method, "/x?y"))));
        assert_eq!(told.status(), 200, "{method}");
        assert_eq!(told.text("protocol"), "HTTP/2");
    }
    let seen = origin.requests().pop().expect("it arrived");
    assert_eq!((seen.target.as_str(), seen.body.len()), ("/x?y", 0));
    assert_eq!(seen.fields.text("via").as_deref(), Some("2.0 edge.test"));
}

#[test]
fn what_the_origin_does_is_the_origins() {
    let half = || Answer::part(200, "half", 9);
    for (act, cause, status) in [
        (Act::Reset(Reason::INTERNAL_ERROR), "h2_stream_reset", 502),
        (Act::BreakOff(half(), Reason::INTERNAL_ERROR), "h2_stream_reset", 200),
        (Act::Silence, "origin_slow", 504),
        (Act::Pause(half()), "response_stalled", 200),
        (Act::Cut(half()), "response_truncated", 200),
    ] {
        let origin = Origin::plain(move |_, _| act.clone());
        let proxy = before(&origin);
        let told = ask(&proxy, get("/"));
        assert_eq!(
            (told.text("cause"), told.text("party")),
            (cause, "origin"),
            "{:#}",
            told.record
        );
        assert_eq!(told.status(), status);
        assert_eq!(told.answer().end == End::Reset, status == 200, "{:?}", told.answer());
    }
}

#[test]
fn what_the_client_does_is_the_clients() {
    let origin = Origin::plain(|_, _| Act::Silence);
    let proxy = before(&origin);
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| {
        let mut exchange = client.open(built(request("POST", "/")), false);
        exchange.send("half", false);
        exchange.receive()
    });
    assert_eq!((told.status(), told.text("cause")), (408, "client_slow"), "{:#}", told.record);
    let told = proxy.exchange(|| {
        let before = origin.requests().len();
        let exchange = client.open(get("/"), true);
        until("the origin to have it", || (origin.requests().len() > before).then_some(()));
        exchange.cancel();
        None
    });
    assert_eq!(told.text("cause"), "client_aborted", "{:#}", told.record);
}

#[test]
fn an_early_answer_survives() {
    let origin = Origin::plain(|_, _| Act::Early(Answer::new(413, "no")));
    let proxy = before(&origin);
    let client = Http2::connect(proxy.address());
    let told = proxy.exchange(|| {
        let mut exchange = client.open(built(request("POST", "/")), false);
        exchange.send("half", false);
        exchange.receive()
    });
    assert_eq!((told.status(), told.answer().text().as_str()), (413, "no"), "{:#}", told.record);
}
