use super::*;
use crate::attribution::{Fault, Key};
use crate::fixture::Scene;

#[test]
fn sections_are_strict_and_complete() {
    assert_eq!(Settings::SECTIONS, ["access", "limits", "timeouts", "loop", "forwarded"]);
    let written = serde_json::to_value(Settings::default()).expect("plain data");
    let written = written.as_object().expect("an object");
    assert!(Settings::SECTIONS.iter().all(|section| written.contains_key(*section)));
    assert_eq!(written.len(), Settings::SECTIONS.len());
    let read: Settings =
        serde_json::from_str(r#"{"loop":{"max_hops":3},"forwarded":{"trusted":["::1"]}}"#)
            .expect("valid settings");
    assert_eq!(read.loops.max_hops, 3);
    for bad in [
        r#"{"loops":{}}"#,
        r#"{"loop":{"max_hop":3}}"#,
        r#"{"loop":{"header":"Host"}}"#,
        r#"{"forwarded":{"trusted":["everybody"]}}"#,
    ] {
        assert!(serde_json::from_str::<Settings>(bad).is_err(), "{bad}");
    }
    let schema = serde_json::to_string(&schemars::schema_for!(Settings)).expect("plain data");
    assert!(schema.contains("max_hops") && schema.contains("20000"));
}

#[test]
fn the_first_refusal_stands() {
    let chain = Chain::new("edge", &Settings::default());
    let mut scene = Scene::with(&[("cdn-loop", &vec!["cdn"; 17].join(","))]);
    let cause = |scene: &Scene| match chain
        .request(&scene.request(), &scene.route())
        .denied()
        .map(|failure| failure.fault)
    {
        Some(Fault::Denied(cause)) => cause.id,
        other => panic!("{other:?} is no denial"),
    };
    assert_eq!(cause(&scene), "loop_detected");
    scene.target = vec![b'a'; 40_000];
    assert_eq!(cause(&scene), "client_uri_too_long");
    scene.method = Method::TRACE;
    assert_eq!(cause(&scene), "client_method_refused");
}

#[test]
fn a_good_request_and_a_good_answer_pass_all_filters() {
    let chain = Chain::new("edge", &Settings::default());
    let scene = Scene::with(&[("content-length", "5")]);
    assert!(chain.request(&scene.request(), &scene.route()).denied().is_none());
    assert!(chain.request_body(5, &scene.route()).denied().is_none());
    let mut out = HeaderMap::new();
    chain.forward(&scene.request(), &scene.route(), &mut out);
    for name in ["via", "cdn-loop", "x-forwarded-for", "x-request-id"] {
        assert!(out.contains_key(name), "{name}");
    }
    let response = scene.response(StatusCode::OK);
    assert!(chain.response(&response, &scene.route()).denied().is_none());
    assert!(chain.response_body(5, Duration::ZERO, &scene.route()).denied().is_none());
    let conflict = Scene::with(&[("content-length", "5"), ("content-length", "6")]);
    let failure = chain.response(&conflict.response(StatusCode::OK), &conflict.route());
    let failure = failure.denied().expect("a conflict");
    assert!(failure.fault == Fault::Framing && failure.evidence.find(Key::Rule).is_some());
}
