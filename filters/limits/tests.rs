use super::*;
use crate::attribution::Evidence;
use crate::fixture::Scene;

const LIMITER: Limiter = Limiter(());

fn limited(scene: &mut Scene, part: &str) {
    let part = serde_json::from_str(part).expect("a valid override");
    scene.limits = scene.limits.with("routes[1]", &part);
}

fn refused(scene: &Scene) -> Option<(&'static str, Evidence)> {
    let failure = LIMITER.request(&scene.request(), &scene.route()).denied()?;
    let Fault::Denied(cause) = failure.fault else { panic!("{failure:?} is no denial") };
    Some((cause.id, failure.evidence))
}

fn failed(scene: &Scene) -> Option<(Fault, Evidence)> {
    let response = scene.response(StatusCode::OK);
    let failure = LIMITER.response(&response, &scene.route()).denied()?;
    assert_eq!((failure.side, failure.phase), (Side::Origin, Phase::Wait));
    Some((failure.fault, failure.evidence))
}

#[test]
fn the_defaults_are_those_that_users_were_promised() {
    assert_eq!(
        serde_json::to_value(Limits::default()).expect("plain data"),
        serde_json::json!({
            "request_header": "32KiB", "request_headers": 100, "request_uri": "32KiB",
            "request_body": null, "response_header": "64KiB", "response_headers": 256,
            "response_header_line": "32KiB", "response_body": null, "connections": 20000,
            "connections_per_client": null, "requests_per_connection": null,
        })
    );
}

#[test]
fn a_request_header_section_is_counted_to_the_byte() {
    // `host: app` and `x-big: 1234567` and nothing, each with CRLF.
    let mut scene = Scene::with(&[("host", "app"), ("x-big", "1234567")]);
    limited(&mut scene, r#"{"request_header":29}"#);
    assert!(refused(&scene).is_none());
    limited(&mut scene, r#"{"request_header":28}"#);
    let (cause, evidence) = refused(&scene).expect("too large");
    assert_eq!(cause, "client_header_too_large");
    assert_eq!(evidence.number(Key::Size), Some(29));
    assert_eq!(evidence.number(Key::Limit), Some(28));
    assert_eq!(evidence.text(Key::Setting), Some("routes[1].limits.request_header"));
    assert_eq!(evidence.text(Key::Field), Some("x-big"));
}

#[test]
fn too_many_request_fields_are_refused() {
    let mut scene = Scene::with(&[("a", "1"), ("a", "2"), ("a", "3")]);
    limited(&mut scene, r#"{"request_headers":3}"#);
    assert!(refused(&scene).is_none());
    limited(&mut scene, r#"{"request_headers":2}"#);
    let (cause, evidence) = refused(&scene).expect("too many");
    assert_eq!(cause, "client_header_too_large");
    assert_eq!(evidence.number(Key::Count), Some(3));
    assert_eq!(evidence.number(Key::MaxCount), Some(2));
    assert_eq!(evidence.text(Key::Setting), Some("routes[1].limits.request_headers"));
    assert!(evidence.find(Key::Limit).is_none(), "no limit in bytes was broken");
}

#[test]
fn a_long_target_is_refused_as_such() {
    let mut scene = Scene::with(&[]);
    scene.target = vec![b'a'; 32 * 1024];
    limited(&mut scene, r#"{"request_header":"64KiB"}"#);
    assert!(refused(&scene).is_none());
    scene.target.push(b'a');
    let (cause, evidence) = refused(&scene).expect("too long");
    assert_eq!(cause, "client_uri_too_long");
    assert_eq!(evidence.number(Key::Size), Some(32 * 1024 + 1));
    assert_eq!(evidence.text(Key::Setting), Some("limits.request_uri"));
}

#[test]
fn a_body_is_judged_by_what_is_declared_and_by_what_comes() {
    for (length, refused_at) in [
        ("10", None),
        ("11", Some(11)),
        ("99999999999999999999999", Some(u64::MAX)),
        ("eleven", None),
    ] {
        let mut scene = Scene::with(&[("content-length", length)]);
        limited(&mut scene, r#"{"request_body":10}"#);
        let evidence = refused(&scene).map(|(cause, evidence)| {
            assert_eq!(cause, "client_body_too_large");
            assert_eq!(evidence.find(Key::Declared), Some(&true.into()));
            evidence
        });
        assert_eq!(evidence.and_then(|e| e.number(Key::Size)), refused_at, "{length}");
    }
    let mut scene = Scene::with(&[]);
    assert!(LIMITER.request_body(u64::MAX, &scene.route()).denied().is_none());
    limited(&mut scene, r#"{"request_body":10}"#);
    assert!(LIMITER.request_body(10, &scene.route()).denied().is_none());
    let failure = LIMITER.request_body(11, &scene.route()).denied().expect("too large");
    assert_eq!(failure.evidence.find(Key::Declared), Some(&false.into()));
    assert_eq!(failure.evidence.text(Key::Setting), Some("routes[1].limits.request_body"));
}

#[test]
fn an_answer_that_is_too_large_is_the_origins_failure() {
    // `x-big: 1234567` and `y: 1` and nothing, each with CRLF.
    let mut scene = Scene::with(&[("x-big", "1234567"), ("y", "1")]);
    limited(&mut scene, r#"{"response_header":24,"response_headers":2,"response_header_line":16}"#);
    assert!(failed(&scene).is_none());
    limited(&mut scene, r#"{"response_header":23}"#);
    let (fault, evidence) = failed(&scene).expect("too large");
    assert_eq!(fault, Fault::HeaderTooLarge);
    assert_eq!(evidence.number(Key::Size), Some(24));
    assert_eq!(evidence.text(Key::Field), Some("x-big"));
    limited(&mut scene, r#"{"response_header":24,"response_headers":1}"#);
    let (fault, evidence) = failed(&scene).expect("too many");
    assert_eq!((fault, evidence.number(Key::Count)), (Fault::HeaderTooLarge, Some(2)));
    limited(&mut scene, r#"{"response_header_line":15}"#);
    let (fault, evidence) = failed(&scene).expect("too long a line");
    assert_eq!((fault, evidence.number(Key::Size)), (Fault::HeaderLineTooLarge, Some(16)));
    assert_eq!(evidence.text(Key::Field), Some("x-big"));
    assert_eq!(evidence.text(Key::Setting), Some("routes[1].limits.response_header_line"));
}

#[test]
fn an_answers_body_is_judged_only_where_there_is_one() {
    let mut scene = Scene::with(&[("content-length", "11")]);
    assert!(failed(&scene).is_none());
    limited(&mut scene, r#"{"response_body":10}"#);
    assert_eq!(failed(&scene).expect("too large").0, Fault::BodyTooLarge);
    let unmodified = scene.response(StatusCode::NOT_MODIFIED);
    assert!(LIMITER.response(&unmodified, &scene.route()).denied().is_none());
    scene.method = Method::HEAD;
    assert!(failed(&scene).is_none());
    let elapsed = std::time::Duration::ZERO;
    assert!(LIMITER.response_body(10, elapsed, &scene.route()).denied().is_none());
    let failure = LIMITER.response_body(11, elapsed, &scene.route()).denied().expect("too large");
    assert_eq!((failure.phase, failure.fault), (Phase::Receive, Fault::BodyTooLarge));
}

#[test]
fn a_long_name_is_cut_in_evidence() {
    let mut headers = HeaderMap::new();
    let name = HeaderName::from_bytes(&[b'n'; 5_000]).expect("a name");
    headers.insert(name, http::HeaderValue::from_static(""));
    let mut scene = Scene::with(&[]);
    scene.headers = headers;
    limited(&mut scene, r#"{"request_header":"1KiB"}"#);
    let (_, evidence) = refused(&scene).expect("too large");
    assert_eq!(evidence.text(Key::Field).map(str::len), Some(NAME));
}
