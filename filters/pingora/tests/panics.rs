//! A panic in any hook, and outside of hooks.

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::{HttpModule, HttpModuleBuilder, HttpModules, Module};
use pingora::prelude::*;
use pingora::protocols::Digest;
use pingora::proxy::FailToProxy;
use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use crate::rig::{Does, GOOD, Proxy, origin, peer, refusing};

/// Panics in the hook that the request's path names.
struct Theirs {
    origin: SocketAddr,
}

fn panic_if(session: &Session, hook: &str) {
    let asked = session.req_header().uri.path().trim_start_matches('/');
    assert!(asked != hook, "in {hook}");
}

#[async_trait]
impl ProxyHttp for Theirs {
    type CTX = ();
    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(Panicky));
    }

    async fn early_request_filter(&self, session: &mut Session, (): &mut ()) -> Result<()> {
        panic_if(session, "early_request_filter");
        Ok(())
    }

    fn allow_spawning_subrequest(&self, session: &Session, (): &()) -> bool {
        panic_if(session, "allow_spawning_subrequest");
        false
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        panic_if(session, "request_filter");
        Ok(false)
    }

    fn request_cache_filter(&self, session: &mut Session, (): &mut ()) -> Result<()> {
        panic_if(session, "request_cache_filter");
        Ok(())
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, (): &mut ()) -> Result<bool> {
        panic_if(session, "proxy_upstream_filter");
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        panic_if(session, "upstream_peer");
        Ok(peer(self.origin))
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _: &HttpPeer,
        (): &mut (),
        error: Box<Error>,
    ) -> Box<Error> {
        panic_if(session, "fail_to_connect");
        error
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::unix::io::RawFd,
        _: Option<&Digest>,
        (): &mut (),
    ) -> Result<()> {
        panic_if(session, "connected_to_upstream");
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        _: &mut RequestHeader,
        (): &mut (),
    ) -> Result<()> {
        panic_if(session, "upstream_request_filter");
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        (): &mut (),
    ) -> Result<()> {
        panic_if(session, "request_body_filter");
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        _: &mut ResponseHeader,
        (): &mut (),
    ) -> Result<()> {
        panic_if(session, "upstream_response_filter");
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        _: &mut ResponseHeader,
        (): &mut (),
    ) -> Result<()> {
        panic_if(session, "response_filter");
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        (): &mut (),
    ) -> Result<Option<Duration>> {
        panic_if(session, "upstream_response_body_filter");
        Ok(None)
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        (): &mut (),
    ) -> Result<Option<Duration>> {
        panic_if(session, "response_body_filter");
        Ok(None)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        (): &mut (),
        _: bool,
    ) -> Box<Error> {
        panic_if(session, "error_while_proxy");
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, _: &Error, (): &mut ()) -> FailToProxy {
        panic_if(session, "fail_to_proxy");
        FailToProxy { error_code: 0, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, (): &mut ()) {
        panic_if(session, "logging");
    }

    fn persist_connection_context(
        &self,
        session: &Session,
        (): &(),
    ) -> Option<Box<dyn Any + Send + Sync>> {
        panic_if(session, "persist_connection_context");
        None
    }

    fn request_summary(&self, session: &Session, (): &()) -> String {
        panic_if(session, "request_summary");
        String::new()
    }
}

/// A module of theirs: no hook, so nobody guards it but the ingress.
struct Panicky;

impl HttpModuleBuilder for Panicky {
    fn init(&self) -> Module {
        Box::new(Self)
    }
}

#[async_trait]
impl HttpModule for Panicky {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
    async fn request_header_filter(&mut self, request: &mut RequestHeader) -> Result<()> {
        assert!(request.uri.path() != "/module", "in a module");
        Ok(())
    }
}

/// The service, and another request that it must still be good for.
async fn panics_in(hook: &str, origin: SocketAddr) -> (Proxy, crate::rig::Answer) {
    let proxy = Proxy::start(Theirs { origin });
    let answer = proxy.get(&format!("/{hook}")).await;
    (proxy, answer)
}

#[tokio::test]
async fn before_the_answer_a_panic_is_a_500_of_ours() {
    let origin = origin(Does::Says(GOOD)).await;
    for hook in [
        "early_request_filter",
        "allow_spawning_subrequest",
        "request_filter",
        "request_cache_filter",
        "proxy_upstream_filter",
        "upstream_peer",
        "connected_to_upstream",
        "upstream_request_filter",
        "request_body_filter",
        "upstream_response_filter",
        "response_filter",
        "upstream_response_body_filter",
        "module",
    ] {
        let (proxy, answer) = panics_in(hook, origin).await;
        if answer.status() == 200 {
            // The header was on its way when the body came.
            assert_eq!(hook, "upstream_response_body_filter");
        } else {
            proxy.agreed(&answer, 500, "proxy_bug").await;
        }
        assert_eq!(proxy.record().await.cause, Some("proxy_bug"), "{hook}");
        assert_eq!(proxy.get("/").await.status(), 200, "after {hook}");
        assert_eq!(proxy.recorded().len(), 1, "{hook}");
    }
}

#[tokio::test]
async fn after_the_header_a_panic_ends_the_answer_and_is_recorded() {
    let origin = origin(Does::Says(GOOD)).await;
    let (proxy, answer) = panics_in("response_body_filter", origin).await;
    assert!(!answer.0.ends_with("hello"), "{answer:?}");
    assert_eq!(proxy.record().await.cause, Some("proxy_bug"));
    assert_eq!(proxy.counted(), [("proxy_bug", 1)]);
}

#[tokio::test]
async fn a_panic_over_a_failure_leaves_the_verdict_on_the_failure() {
    let (refused, _held) = refusing();
    let closing = origin(Does::Closes).await;
    for (hook, origin, cause) in [
        ("fail_to_connect", refused, "connect_refused"),
        ("fail_to_proxy", refused, "connect_refused"),
        ("error_while_proxy", closing, "origin_closed"),
    ] {
        let (proxy, answer) = panics_in(hook, origin).await;
        proxy.agreed(&answer, 502, cause).await;
    }
}

#[tokio::test]
async fn when_all_is_done_a_panic_harms_nobody() {
    let origin = origin(Does::Says(GOOD)).await;
    for hook in ["logging", "persist_connection_context", "request_summary"] {
        let proxy = Proxy::start(Theirs { origin });
        let request = format!(
            "GET /{hook} HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        );
        let answers = proxy.send(&request).await;
        assert_eq!(answers.0.matches("HTTP/1.1 200 OK").count(), 2, "{hook}: {answers:?}");
        assert!(proxy.recorded().is_empty() && proxy.counted().is_empty(), "{hook}");
    }
}

/// Without the ingress nobody answers for a panic outside of hooks; it is recorded all the same.
#[tokio::test]
async fn without_an_ingress_a_panic_elsewhere_is_recorded_once() {
    let origin = origin(Does::Says(GOOD)).await;
    let proxy = Proxy::h2c(Theirs { origin });
    let answer = proxy.get("/module").await;
    assert_eq!(answer.0, "");
    assert_eq!(proxy.record().await.cause, Some("proxy_bug"));
    assert_eq!(proxy.counted(), [("proxy_bug", 1)]);
    assert_eq!(proxy.get("/").await.status(), 200);
}
