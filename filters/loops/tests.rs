use std::time::Duration;

use http::{HeaderMap, Method};
use proptest::prelude::*;

use super::*;
use crate::attribution::{Fault, RequestId, Value};
use crate::fixture::Scene;

fn node(name: &str) -> Loops {
    Loops::new(name, &LoopSettings::default())
}

/// The request as it leaves `node` by `route`, as the next node gets it.
fn through(node: &Loops, route: &'static str, mut scene: Scene) -> Scene {
    scene.route = route;
    let mut headers = scene.headers.clone();
    node.forward(&scene.request(), &scene.route(), &mut headers);
    scene.headers = headers;
    scene
}

fn examine(node: &Loops, route: &'static str, scene: &mut Scene) -> Result<LoopReport, Failure> {
    scene.route = route;
    node.examine(&scene.request(), &scene.route()).map_err(|failure| *failure)
}

fn trace(scene: &Scene) -> String {
    let value = scene.headers.get("cdn-loop").expect("a trace");
    value.to_str().expect("readable").to_owned()
}

fn listed(failure: &Failure) -> Vec<String> {
    assert!(matches!(failure.fault, Fault::Denied(cause) if cause.id == "loop_detected"));
    match failure.evidence.find(Key::Trace) {
        Some(Value::List(list)) => list.clone(),
        other => panic!("{other:?} is no list"),
    }
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let edge = node("edge:8080");
    let mut scene = Scene::with(&[]);
    assert_eq!(examine(&edge, "web", &mut scene), Ok(LoopReport::default()));
    let mut scene = through(&edge, "web", scene);
    let failure = examine(&edge, "web", &mut scene).expect_err("a loop");
    assert_eq!(listed(&failure), ["edge:8080", "edge:8080"]);
    assert_eq!(failure.evidence.number(Key::Hops), Some(1));
    assert!(edge.request(&scene.request(), &scene.route()).denied().is_some());
}

#[test]
fn two_nodes_that_point_at_each_other_are_a_loop_at_the_first() {
    let (one, two) = (node("one"), node("two"));
    let scene = through(&one, "web", Scene::with(&[("cdn-loop", "cdn.example; a=\"1, 2\"")]));
    let mut scene = scene;
    assert_eq!(examine(&two, "web", &mut scene), Ok(LoopReport { hops: 2, forged: 0 }));
    let mut scene = through(&two, "web", scene);
    let failure = examine(&one, "web", &mut scene).expect_err("a loop");
    assert_eq!(listed(&failure), ["cdn.example", "one", "two", "one"]);
    assert!(trace(&scene).starts_with("cdn.example; a=\"1, 2\", one; r="));
}

#[test]
fn another_route_of_the_same_node_is_legal() {
    let edge = node("edge");
    let mut scene = through(&edge, "front", Scene::with(&[]));
    assert_eq!(examine(&edge, "back", &mut scene), Ok(LoopReport { hops: 1, forged: 0 }));
    let mut scene = through(&edge, "back", scene);
    assert!(examine(&edge, "front", &mut scene).is_err());
    assert!(examine(&edge, "back", &mut scene).is_err());
}

#[test]
fn nodes_with_one_secret_know_each_others_entries() {
    let shared = |name: &str, secret: &str| {
        let secret = Secret::try_from(secret.to_owned()).expect("long enough");
        Loops::new(name, &LoopSettings { secret: Some(secret), ..LoopSettings::default() })
    };
    let mut scene = through(&shared("edge", "a secret of ours"), "web", Scene::with(&[]));
    assert!(examine(&shared("edge", "a secret of ours"), "web", &mut scene).is_err());
    let other = examine(&shared("edge", "another's secret"), "web", &mut scene);
    assert_eq!(other, Ok(LoopReport { hops: 1, forged: 1 }));
}

#[test]
fn a_forged_entry_is_no_loop() {
    let edge = node("edge");
    let real = trace(&through(&edge, "web", Scene::with(&[])));
    let (head, seal) = real.rsplit_once('.').expect("a seal");
    let flipped = if seal.starts_with('0') { '1' } else { '0' };
    let bent = format!("{head}.{flipped}{}", &seal[1..]);
    let cut = &real[..real.len() - 2];
    for forged in ["edge", "edge; r=1", "edge; t=1.2", "edge; r=\"; t=", &bent, cut] {
        let mut scene = Scene::with(&[("cdn-loop", forged)]);
        let report = examine(&edge, "web", &mut scene);
        assert_eq!(report, Ok(LoopReport { hops: 1, forged: 1 }), "{forged}");
    }
    let quoted = real.replace("; t=", " ;T = \"") + "\"";
    assert!(examine(&edge, "web", &mut Scene::with(&[("cdn-loop", &quoted)])).is_err());
}

#[test]
fn an_entry_holds_under_another_id_but_not_for_long() {
    let edge = node("edge");
    let mut scene = through(&edge, "web", Scene::with(&[]));
    scene.id = RequestId::parse(b"request-2").expect("an id");
    assert!(examine(&edge, "web", &mut scene).is_err());
    let mut later = scene.request();
    later.began += Duration::from_hours(1);
    let report = edge.examine(&later, &scene.route()).expect("no loop");
    assert_eq!(report, LoopReport { hops: 1, forged: 1 });
}

#[test]
fn no_request_passes_more_hops_than_allowed() {
    let edge = node("edge");
    let sixteen = vec!["cdn"; 16].join(", ");
    let mut scene = Scene::with(&[("cdn-loop", &sixteen)]);
    assert_eq!(examine(&edge, "web", &mut scene), Ok(LoopReport { hops: 16, forged: 0 }));
    let mut scene = Scene::with(&[("cdn-loop", &sixteen), ("cdn-loop", "one more")]);
    let failure = examine(&edge, "web", &mut scene).expect_err("too many");
    assert_eq!(failure.evidence.number(Key::Hops), Some(17));
    assert_eq!(failure.evidence.number(Key::MaxCount), Some(16));
    assert_eq!(failure.evidence.text(Key::Setting), Some("loop.max_hops"));
    assert_eq!(listed(&failure).len(), 17);
}

#[test]
fn thousands_of_entries_are_counted_and_few_are_listed() {
    let long = format!("\u{7f}{}", "x".repeat(200)).replace('\u{7f}', "~");
    let many = vec![long.as_str(); 5_000].join(",");
    let failure = examine(&node("edge"), "web", &mut Scene::with(&[("cdn-loop", &many)]))
        .expect_err("too many");
    assert_eq!(failure.evidence.number(Key::Hops), Some(5_000));
    let listed = listed(&failure);
    assert_eq!((listed.len(), listed[0].len()), (LISTED + 1, SHOWN));
    assert_eq!(listed[LISTED], "4968 more");
    let commas = ",".repeat(30_000);
    let empty = examine(&node("edge"), "web", &mut Scene::with(&[("cdn-loop", &commas)]));
    assert_eq!(empty, Ok(LoopReport::default()));
}

#[test]
fn what_connection_took_out_is_in_the_trace_again() {
    let (one, two) = (node("one"), node("two"));
    let scene = through(&one, "web", Scene::with(&[("connection", "cdn-loop")]));
    let mut sanitised = HeaderMap::new();
    two.forward(&scene.request(), &scene.route(), &mut sanitised);
    let value = sanitised.get("cdn-loop").expect("a trace").to_str().expect("readable");
    assert!(value.starts_with("one; r=") && value.contains(", two; r="), "{value}");
}

#[test]
fn the_fields_name_is_a_setting() {
    let settings: LoopSettings =
        serde_json::from_str(r#"{"header":"X-Round"}"#).expect("valid settings");
    let mut scene = Scene::with(&[]);
    scene.method = Method::POST;
    let scene = through(&Loops::new("edge", &settings), "web", scene);
    assert!(scene.headers.contains_key("x-round") && !scene.headers.contains_key("cdn-loop"));
    assert_eq!(
        serde_json::to_value(LoopSettings::default()).expect("plain data"),
        serde_json::json!({ "header": "CDN-Loop", "max_hops": 16, "secret": null })
    );
}

proptest! {
    /// Nothing that a client sends hides a loop: the request is refused at the latest when it comes
    /// the second time.
    #[test]
    fn no_client_hides_a_loop(lines in proptest::collection::vec(
        proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\\'), 32_u8..=255], 0..200),
        0..4,
    )) {
        let edge = node("edge");
        let mut scene = Scene::with(&[]);
        for line in lines {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                scene.headers.append("cdn-loop", value);
            }
        }
        if examine(&edge, "web", &mut scene).is_ok() {
            let mut scene = through(&edge, "web", scene);
            prop_assert!(examine(&edge, "web", &mut scene).is_err());
        }
    }
}
