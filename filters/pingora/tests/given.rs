//! Answers and changes that a service gives, and that are made here.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, StatusCode};
use pingora::prelude::*;
use whodunit_filters::attribution::cause::proxy::{MAINTENANCE, NO_ENDPOINTS};
use whodunit_filters::attribution::{Failure, Key};
use whodunit_pingora::{Answer, Change, Dress, Noted, deny_for};

use crate::rig::Proxy;

/// A service that answers by its path, and wants its fields on every answer.
struct Theirs;

/// Fields, among them some that would do harm.
struct Fields;

impl Dress for Fields {
    fn changes(&self, session: &Session, status: StatusCode) -> Vec<Change> {
        assert_ne!(session.req_header().uri.path(), "/panics", "a service's own mistake");
        let known = session.known().expect("the request has begun");
        let set = |name: &str, value: &str| {
            Change::Set(name.to_owned(), HeaderValue::from_str(value).expect("a value"))
        };
        vec![
            set("X-Status", status.as_str()),
            set("X-Known", &format!("{} {:?} {}", known.id, known.client, known.node())),
            set("Content-Length", "7"),
            set("Content-Type", "text/evil"),
            set("a b", "no name"),
            Change::Append("Vary".to_owned(), HeaderValue::from_static("Origin")),
            Change::Append("Content-Type".to_owned(), HeaderValue::from_static("text/evil")),
            Change::Append("Transfer-Encoding".to_owned(), HeaderValue::from_static("chunked")),
            Change::Remove("Proxy-Status".to_owned()),
        ]
    }
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        let text = HeaderValue::from_static("text/plain");
        let answer = match session.req_header().uri.path() {
            "/good" => Answer { body: "good".into(), ..Answer::new(StatusCode::OK) }
                .with("Content-Type", text)
                .with("Content-Length", HeaderValue::from_static("9"))
                .with("two words", HeaderValue::from_static("x")),
            "/not-modified" => {
                Answer { body: "none".into(), ..Answer::new(StatusCode::NOT_MODIFIED) }
            }
            "/no" => Answer::new(StatusCode::FORBIDDEN),
            "/closed" => {
                let failure = Failure::denied(&MAINTENANCE).with(Key::Setting, "theirs");
                let answer = Answer::new(StatusCode::SERVICE_UNAVAILABLE);
                Answer { failure: Some(failure), ..answer }
            }
            _ => {
                session.note().dress = Some(Arc::new(Fields));
                return Ok(false);
            }
        };
        let note = session.note();
        note.answer = Some(answer);
        note.dress = Some(Arc::new(Fields));
        Ok(false)
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Err(deny_for(&NO_ENDPOINTS))
    }
}

#[tokio::test]
async fn an_answer_is_given_whole_and_nothing_in_it_breaks_the_message() {
    let proxy = Proxy::start(Theirs);
    let answer = proxy.get("/good").await;
    assert_eq!((answer.status(), answer.body()), (200, "good"));
    assert_eq!(answer.field("content-length").collect::<Vec<_>>(), ["4"]);
    assert_eq!(answer.field("content-type").collect::<Vec<_>>(), ["text/plain"]);
    assert_eq!(answer.field("x-status").collect::<Vec<_>>(), ["200"]);
    assert_eq!(answer.field("transfer-encoding").next(), None);
    let known = answer.field("x-known").next().expect("it is known");
    assert!(known.ends_with("Some(127.0.0.1) their-node"), "{known}");
    assert!(!answer.0.contains("two words") && !answer.0.contains("a b"), "{answer:?}");
    assert!(proxy.counted().is_empty() && proxy.recorded().is_empty());
    let answer = proxy.get("/not-modified").await;
    assert_eq!((answer.status(), answer.body()), (304, ""));
    assert_eq!(answer.field("content-length").next(), None);
}

#[tokio::test]
async fn an_answer_that_is_an_error_is_one_like_any_other() {
    for (path, status, cause, certainty) in
        [("/no", 403, "denied_by_policy", "proved"), ("/closed", 503, "maintenance", "proved")]
    {
        let proxy = Proxy::start(Theirs);
        let answer = proxy.get(path).await;
        let record = proxy.agreed(&answer, status, cause).await;
        assert!(answer.told().contains(&format!("certainty={certainty};")), "{answer:?}");
        assert!(record.generated, "{}", record.line());
    }
}

#[tokio::test]
async fn an_error_is_dressed_and_says_what_it_has_to_say() {
    let proxy = Proxy::start(Theirs);
    let answer = proxy.get("/").await;
    proxy.agreed(&answer, 503, "no_endpoints").await;
    assert_eq!(answer.field("x-status").collect::<Vec<_>>(), ["503"]);
    assert_eq!(answer.field("vary").collect::<Vec<_>>(), ["Accept", "Origin"]);
    let kinds: Vec<_> = answer.field("content-type").collect();
    assert_eq!(kinds, ["text/plain; charset=utf-8"]);
    let length = answer.field("content-length").next().and_then(|length| length.parse().ok());
    assert_eq!(length, Some(answer.body().len()));
}

#[tokio::test]
async fn a_service_that_panics_over_its_fields_is_answered_for_without_them() {
    let proxy = Proxy::start(Theirs);
    let answer = proxy.get("/panics").await;
    proxy.agreed(&answer, 503, "no_endpoints").await;
    assert_eq!(answer.field("x-status").next(), None);
}

#[tokio::test]
async fn so_it_is_without_an_ingress() {
    let proxy = Proxy::h2c(Theirs);
    for (path, status) in [("/good", 200), ("/no", 403), ("/", 503)] {
        let mut client = proxy.h2_client().await;
        let request = http::Request::get(format!("http://app.example{path}")).body(());
        let (answer, _) = client.send_request(request.expect("a request"), true).expect("a stream");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["x-status"], status.to_string(), "{path}");
        assert_eq!(answer.headers().contains_key("proxy-status"), status >= 400, "{path}");
    }
    assert_eq!(proxy.counted(), [("denied_by_policy", 1), ("no_endpoints", 1)]);
}
