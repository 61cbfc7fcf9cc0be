//! A service that writes answers by itself, without an error.

#![expect(clippy::disallowed_methods, reason = "a service that answers by itself")]

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::ResponseHeader;
use pingora::prelude::*;
use pingora::server::configuration::ServerConf;
use whodunit_filters::attribution::{Failure, Fault, NextHop, Phase, Side};
use whodunit_pingora::{Settings, deny, deny_for, fail_at};

use crate::rig::{Answer, Proxy};

/// Answers by its path: how, and from which hook.
pub(crate) struct Theirs;

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();
    fn new_ctx(&self) {}

    async fn upstream_peer(&self, session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        if session.req_header().uri.path() == "/out-of-order" {
            let endpoint = NextHop::Inet(([192, 0, 2, 1], 8080).into());
            let refused = Failure::new(Side::Origin, Phase::Connect, Fault::Refused);
            return Err(fail_at(endpoint, refused));
        }
        Err(deny_for(&whodunit_filters::attribution::cause::proxy::NO_ENDPOINTS))
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        match session.req_header().uri.path() {
            "/through" => write(session, 503, &[("Content-Length", "4")], "busy").await?,
            "/below" => session.respond_error(503).await?,
            "/below-with-body" => {
                session.respond_error_with_body(500, Bytes::from_static(b"broken")).await?;
            }
            "/with-a-word" => {
                let word = ("Proxy-Status", "theirs; error=proxy_internal_error");
                write(session, 500, &[word, ("Content-Length", "0")], "").await?;
            }
            "/then-fails" => {
                session.respond_error(503).await?;
                return Err(Error::new(HTTPStatus(502)));
            }
            "/good" => write(session, 200, &[("Content-Length", "4")], "good").await?,
            "/not-found" => session.respond_error(404).await?,
            "/nothing" => {}
            "/gone" => return Err(deny(Failure::new(Side::Client, Phase::Request, Fault::Closed))),
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        match session.req_header().uri.path() {
            "/declined" => Ok(false),
            "/declined-in-words" => {
                write(session, 504, &[("Content-Length", "4")], "late").await?;
                Ok(false)
            }
            _ => Ok(true),
        }
    }
}

async fn write(
    session: &mut Session,
    status: u16,
    fields: &[(&'static str, &str)],
    body: &'static str,
) -> Result<()> {
    let mut response = ResponseHeader::build(status, None)?;
    for (name, value) in fields {
        response.insert_header(*name, *value)?;
    }
    session.write_response_header(Box::new(response), body.is_empty()).await?;
    if !body.is_empty() {
        session.write_response_body(Some(Bytes::from_static(body.as_bytes())), true).await?;
    }
    Ok(())
}

async fn ask(path: &str) -> (Proxy, Answer) {
    let proxy = Proxy::start(Theirs);
    let answer = proxy.get(path).await;
    (proxy, answer)
}

#[tokio::test]
async fn a_5xx_of_the_services_own_is_told_of_however_it_is_written() {
    for (path, status, body) in [
        ("/through", 503, "busy"),
        ("/below", 503, ""),
        ("/below-with-body", 500, "broken"),
        ("/declined-in-words", 504, "late"),
        ("/then-fails", 503, ""),
    ] {
        let (proxy, answer) = ask(path).await;
        let record = proxy.agreed(&answer, status, "denied_by_policy").await;
        assert!(answer.told().contains("error=http_request_denied;"), "{path}: {answer:?}");
        assert_eq!(answer.body(), body, "{path}");
        assert!(record.generated, "{path}");
        assert!(record.line().contains("the service's own answer"), "{path}: {}", record.line());
    }
}

#[tokio::test]
async fn what_the_service_says_of_itself_stands_before_ours() {
    let (proxy, answer) = ask("/with-a-word").await;
    let told = answer.told();
    assert!(told.starts_with("theirs; error=proxy_internal_error, their-node;error="), "{told}");
    proxy.agreed(&answer, 500, "denied_by_policy").await;
}

#[tokio::test]
async fn answers_below_500_are_the_services_own_affair() {
    for (path, status) in [("/good", 200), ("/not-found", 404)] {
        let (proxy, answer) = ask(path).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.field("proxy-status").next(), None, "{path}");
        assert!(proxy.recorded().is_empty() && proxy.counted().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_service_that_declines_without_a_word_is_answered_for() {
    let (proxy, answer) = ask("/declined").await;
    proxy.agreed(&answer, 403, "denied_by_policy").await;
}

#[tokio::test]
async fn a_service_that_only_says_that_it_answered_is_answered_for() {
    let (proxy, answer) = ask("/nothing").await;
    proxy.agreed(&answer, 500, "proxy_bug").await;
}

#[tokio::test]
async fn a_client_that_is_gone_is_written_nothing() {
    let (proxy, answer) = ask("/gone").await;
    assert_eq!(answer.0, "");
    let record = proxy.record().await;
    assert_eq!((record.cause, record.status), (Some("client_aborted"), 499));
    assert!(!record.generated, "{}", record.line());
}

#[tokio::test]
async fn an_endpoint_that_the_service_knows_to_be_out_of_order_is_named() {
    let (proxy, answer) = ask("/out-of-order").await;
    let record = proxy.agreed(&answer, 502, "connect_refused").await;
    assert!(answer.told().contains("next-hop=\"192.0.2.1:8080\""), "{answer:?}");
    assert_eq!(record.attempts.len(), 1, "{}", record.line());
}

#[tokio::test]
async fn a_proxy_that_may_make_no_attempt_says_so() {
    let conf = ServerConf { max_retries: 0, ..ServerConf::default() };
    let proxy = Proxy::start_with(Theirs, Settings::new("their-node"), conf);
    let answer = proxy.get("/").await;
    let record = proxy.agreed(&answer, 500, "proxy_bug").await;
    assert!(record.line().contains("max_retries"), "{}", record.line());
}

/// On a connection that goes on, each answer is told of for itself.
#[tokio::test]
async fn one_connection_carries_many() {
    let proxy = Proxy::start(Theirs);
    let request =
        |path: &str, close: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n");
    let all =
        [request("/through", ""), request("/good", ""), request("/below", "Connection: close\r\n")];
    let answers = proxy.send(&all.concat()).await;
    let statuses: Vec<_> =
        answers.0.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["503", "200", "503"], "{answers:?}");
    assert_eq!(answers.0.matches("Proxy-Status: ").count(), 2, "{answers:?}");
    assert_eq!(proxy.counted(), [("denied_by_policy", 2)]);
    assert_eq!(proxy.recorded().len(), 2);
}

/// Over HTTP/2 there is no gate: what passes Pingora's session is told of, what passes below it is
/// recorded and counted.
#[tokio::test]
async fn over_http2() {
    for (path, told) in [("/through", true), ("/below", false)] {
        let proxy = Proxy::h2c(Theirs);
        let mut client = proxy.h2_client().await;
        let request = http::Request::get(format!("http://app.example{path}")).body(());
        let (answer, _) = client.send_request(request.expect("a request"), true).expect("a stream");
        let answer = answer.await.expect("an answer");
        assert_eq!(answer.status(), 503, "{path}");
        let field = answer.headers().get("proxy-status").and_then(|field| field.to_str().ok());
        let record = proxy.record().await;
        assert_eq!(record.cause, Some("denied_by_policy"), "{path}");
        assert_eq!(field.is_some_and(|field| field.contains(&record.id)), told, "{path} {field:?}");
        assert_eq!(proxy.counted(), [("denied_by_policy", 1)], "{path}");
    }
}
