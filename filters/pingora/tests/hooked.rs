//! Somebody's service that has every hook, each of which tells when it is called.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::{HttpModule, HttpModuleBuilder, HttpModules, Module};
use pingora::prelude::*;
use pingora::protocols::Digest;
use pingora::proxy::FailToProxy;

use crate::rig;

/// What is done in a hook: it is told the hook, and the number of the request that its context was
/// made for.
type At = Box<dyn Fn(&'static str, &Session, u32) + Send + Sync>;

pub(crate) struct Hooked {
    origin: SocketAddr,
    at: At,
    requests: AtomicU32,
}

impl Hooked {
    pub(crate) fn new(
        origin: SocketAddr,
        at: impl Fn(&'static str, &Session, u32) + Send + Sync + 'static,
    ) -> Self {
        Self { origin, at: Box::new(at), requests: AtomicU32::new(0) }
    }
}

/// The service's own context.
pub(crate) struct Own {
    request: u32,
}

#[async_trait]
impl ProxyHttp for Hooked {
    type CTX = Own;

    fn new_ctx(&self) -> Own {
        Own { request: self.requests.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(Panicky));
    }

    fn on_connection_reuse(
        &self,
        session: &mut Session,
        own: &mut Own,
        before: Box<dyn Any + Send + Sync>,
    ) {
        assert_eq!(*before.downcast::<u32>().expect("theirs"), own.request - 1);
        (self.at)("on_connection_reuse", session, own.request);
    }

    async fn early_request_filter(&self, session: &mut Session, own: &mut Own) -> Result<()> {
        (self.at)("early_request_filter", session, own.request);
        Ok(())
    }

    fn allow_spawning_subrequest(&self, session: &Session, own: &Own) -> bool {
        (self.at)("allow_spawning_subrequest", session, own.request);
        false
    }

    async fn request_filter(&self, session: &mut Session, own: &mut Own) -> Result<bool> {
        (self.at)("request_filter", session, own.request);
        Ok(false)
    }

    fn request_cache_filter(&self, session: &mut Session, own: &mut Own) -> Result<()> {
        (self.at)("request_cache_filter", session, own.request);
        Ok(())
    }

    async fn proxy_upstream_filter(&self, session: &mut Session, own: &mut Own) -> Result<bool> {
        (self.at)("proxy_upstream_filter", session, own.request);
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, own: &mut Own) -> Result<Box<HttpPeer>> {
        (self.at)("upstream_peer", session, own.request);
        Ok(rig::peer(self.origin))
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _: &HttpPeer,
        own: &mut Own,
        error: Box<Error>,
    ) -> Box<Error> {
        (self.at)("fail_to_connect", session, own.request);
        error
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        _: bool,
        _: &HttpPeer,
        _: std::os::unix::io::RawFd,
        _: Option<&Digest>,
        own: &mut Own,
    ) -> Result<()> {
        (self.at)("connected_to_upstream", session, own.request);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        _: &mut RequestHeader,
        own: &mut Own,
    ) -> Result<()> {
        (self.at)("upstream_request_filter", session, own.request);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        own: &mut Own,
    ) -> Result<()> {
        (self.at)("request_body_filter", session, own.request);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        _: &mut ResponseHeader,
        own: &mut Own,
    ) -> Result<()> {
        (self.at)("upstream_response_filter", session, own.request);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        _: &mut ResponseHeader,
        own: &mut Own,
    ) -> Result<()> {
        (self.at)("response_filter", session, own.request);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        own: &mut Own,
    ) -> Result<Option<Duration>> {
        (self.at)("upstream_response_body_filter", session, own.request);
        Ok(None)
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        _: &mut Option<Bytes>,
        _: bool,
        own: &mut Own,
    ) -> Result<Option<Duration>> {
        (self.at)("response_body_filter", session, own.request);
        Ok(None)
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        own: &mut Own,
        reused: bool,
    ) -> Box<Error> {
        (self.at)("error_while_proxy", session, own.request);
        error.retry.decide_reuse(reused);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, _: &Error, own: &mut Own) -> FailToProxy {
        (self.at)("fail_to_proxy", session, own.request);
        FailToProxy { error_code: 0, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _: Option<&Error>, own: &mut Own) {
        (self.at)("logging", session, own.request);
    }

    fn suppress_error_log(&self, session: &Session, own: &Own, _: &Error) -> bool {
        (self.at)("suppress_error_log", session, own.request);
        true
    }

    fn persist_connection_context(
        &self,
        session: &Session,
        own: &Own,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        (self.at)("persist_connection_context", session, own.request);
        Some(Box::new(own.request))
    }
}

/// A module of its: no hook, so nobody guards it but the ingress.
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
