//! `Attributed`: any `ProxyHttp`, with every failure named.
//!
//! Each hook does its part of the bookkeeping (see `steps.rs`), then calls the wrapped service's
//! own hook. None is taken away; only `fail_to_proxy` comes second: the client is answered first,
//! and the service's hook then finds a response written, as Pingora's own default does. Where the
//! client is gone, it gets an error that says so.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora::cache::key::HashBinary;
use pingora::cache::{CacheKey, CacheMeta, ForcedFreshness, HitHandler, RespCacheable};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{
    FailToProxy, ProxyHttp, ProxyWarnLogContext, PurgeStatus, RangeType, Session,
};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, Result};
use whodunit_filters::attribution::Phase;

use crate::arrival::Arrival;
use crate::connect::Wire;
use crate::connections::Connections;
use crate::context::{Case, Context};
use crate::door::Door;
use crate::note::{NoteBuilder, Noted};
use crate::settings::{Books, Live};
use crate::{given, guard, outcome, passing, reply, steps};

/// A service whose failures are attributed: every 5xx, made or passed on, says in its
/// `Proxy-Status` field, its body, one record and one counter who failed and why.
pub struct Attributed<P> {
    inner: P,
    live: Live,
    books: Books,
    connections: Arc<Connections>,
}

impl<P> Attributed<P> {
    /// Wraps a service; records go to the `log` crate (see [`Books`]).
    #[must_use]
    pub fn new(inner: P, settings: impl Into<Live>) -> Self {
        Self::with_books(inner, settings, Books::default())
    }

    /// The same with books of your own.
    #[must_use]
    pub fn with_books(inner: P, settings: impl Into<Live>, books: Books) -> Self {
        Self { inner, live: settings.into(), books, connections: Arc::new(Connections::new()) }
    }

    /// Who keeps the door of this service.
    pub(crate) fn door(&self) -> Door {
        Door { live: self.live.clone(), books: self.books.clone(), clients: Arc::default() }
    }
}

#[async_trait]
impl<P> ProxyHttp for Attributed<P>
where
    P: ProxyHttp + Send + Sync,
    P::CTX: Send + Sync,
{
    type CTX = Context<P::CTX>;

    fn new_ctx(&self) -> Self::CTX {
        Context {
            case: Case::new(self.live.load(), self.books.clone()),
            inner: self.inner.new_ctx(),
        }
    }

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        self.inner.init_downstream_modules(modules);
        modules.add_module(Box::new(NoteBuilder));
    }

    fn on_connection_reuse(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
        before: Box<dyn Any + Send + Sync>,
    ) {
        let theirs = match before.downcast::<Arrival>() {
            Ok(arrival) => steps::arrived(&mut ctx.case, *arrival),
            Err(theirs) => Some(theirs),
        };
        if let Some(theirs) = theirs {
            let hook = || self.inner.on_connection_reuse(session, &mut ctx.inner, theirs);
            guard::call(Phase::Request, hook).unwrap_or_else(|bug| guard::report(&bug));
        }
    }

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        steps::begin(session, &mut ctx.case)?;
        let theirs = self.inner.early_request_filter(session, &mut ctx.inner);
        guard::hook(Phase::Request, theirs).await
    }

    fn allow_spawning_subrequest(&self, session: &Session, ctx: &Self::CTX) -> bool {
        self.inner.allow_spawning_subrequest(session, &ctx.inner)
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<bool> {
        if let Some(answer) = steps::sent_elsewhere(session)? {
            given::give(session, &mut ctx.case, answer).await;
            return Ok(true);
        }
        let theirs = self.inner.request_filter(session, &mut ctx.inner);
        match guard::hook(Phase::Route, theirs).await {
            Ok(false) => steps::judge_request(session, &mut ctx.case)?,
            Ok(true) => return Ok(true),
            Err(refusal) => {
                steps::refused(session, &mut ctx.case);
                return Err(refusal);
            }
        }
        if steps::ends_here(session, &ctx.case) {
            ctx.case.exchange.generated = true;
            reply::describe(session, &ctx.case.settings.node).await?;
            return Ok(true);
        }
        if let Some(answer) = session.note().answer.take() {
            given::give(session, &mut ctx.case, answer).await;
            return Ok(true);
        }
        Ok(false)
    }

    async fn proxy_upstream_filter(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<bool> {
        let theirs = self.inner.proxy_upstream_filter(session, &mut ctx.inner);
        let go = guard::hook(Phase::Route, theirs).await?;
        if go || session.response_written().is_some() {
            return Ok(go);
        }
        // Pingora would answer with a bare 502.
        Err(steps::refused_by_service())
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
    ) -> Result<Box<HttpPeer>> {
        steps::selecting(&mut ctx.case);
        steps::inquired(&mut ctx.case, false).await;
        let theirs = self.inner.upstream_peer(session, &mut ctx.inner);
        let chosen = guard::hook(Phase::Route, theirs).await;
        steps::selected(session, &mut ctx.case, chosen)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        peer: &HttpPeer,
        ctx: &mut Self::CTX,
        error: Box<Error>,
    ) -> Box<Error> {
        steps::not_connected(&mut ctx.case, &error);
        let theirs = || self.inner.fail_to_connect(session, peer, &mut ctx.inner, error);
        let error = guard::call(Phase::Connect, theirs).unwrap_or_else(|bug| bug);
        steps::noted(session, &mut ctx.case);
        error
    }

    async fn connected_to_upstream(
        &self,
        session: &mut Session,
        reused: bool,
        peer: &HttpPeer,
        fd: std::os::unix::io::RawFd,
        digest: Option<&Digest>,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        ctx.case.wire = digest.and_then(Wire::of);
        let reused = reused || ctx.case.wire.as_ref().is_some_and(|wire| wire.reused());
        steps::connected(&mut ctx.case, &self.connections, reused, fd, digest);
        if ctx.case.is_shared() != ctx.case.told_shared {
            ctx.case.told_shared = ctx.case.is_shared();
            session.note().shared = ctx.case.told_shared;
        }
        let theirs =
            self.inner.connected_to_upstream(session, reused, peer, fd, digest, &mut ctx.inner);
        let judged = guard::hook(Phase::Connect, theirs).await;
        steps::admitted(session, &mut ctx.case);
        judged
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        steps::one_hop(request, &ctx.case)?;
        let theirs = self.inner.upstream_request_filter(session, request, &mut ctx.inner);
        guard::hook(Phase::Send, theirs).await?;
        steps::forwarding(session, request, &mut ctx.case)?;
        steps::invite(session, request, &mut ctx.case).await
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let mut judged = steps::uploaded(&mut ctx.case, body.as_ref());
        if judged.is_ok() {
            let theirs = self.inner.request_body_filter(session, body, end, &mut ctx.inner);
            judged = guard::hook(Phase::Send, theirs).await;
        }
        if let Err(refusal) = judged {
            return steps::withdrawn(&mut ctx.case, body, refusal);
        }
        steps::uploading(&mut ctx.case, body, end);
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        steps::answered(session, response, &mut ctx.case)?;
        let theirs = self.inner.upstream_response_filter(session, response, &mut ctx.inner);
        guard::hook(Phase::Wait, theirs).await?;
        steps::commented(session, response, &mut ctx.case);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        let theirs = self.inner.response_filter(session, response, &mut ctx.inner);
        guard::hook(Phase::Wait, theirs).await?;
        passing::passing_on(session, response, &mut ctx.case);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        steps::downloaded(session, &mut ctx.case, body.as_ref())?;
        guard::call(Phase::Receive, || {
            self.inner.upstream_response_body_filter(session, body, end, &mut ctx.inner)
        })?
    }

    fn upstream_response_trailer_filter(
        &self,
        session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut Self::CTX,
    ) -> Result<()> {
        guard::call(Phase::Receive, || {
            self.inner.upstream_response_trailer_filter(session, trailers, &mut ctx.inner)
        })?
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Duration>> {
        ctx.case.handed_over |= end;
        guard::call(Phase::Respond, || {
            self.inner.response_body_filter(session, body, end, &mut ctx.inner)
        })?
    }

    async fn response_trailer_filter(
        &self,
        session: &mut Session,
        trailers: &mut HeaderMap,
        ctx: &mut Self::CTX,
    ) -> Result<Option<Bytes>> {
        let theirs = self.inner.response_trailer_filter(session, trailers, &mut ctx.inner);
        guard::hook(Phase::Respond, theirs).await
    }

    fn error_while_proxy(
        &self,
        peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Self::CTX,
        reused: bool,
    ) -> Box<Error> {
        steps::broke(session, &mut ctx.case, &error);
        let reused = reused || ctx.case.reused();
        let theirs = || self.inner.error_while_proxy(peer, session, error, &mut ctx.inner, reused);
        let mut error = guard::call(Phase::Wait, theirs).unwrap_or_else(|bug| bug);
        steps::noted(session, &mut ctx.case);
        error.retry.decide_reuse(reused);
        steps::veto_harm(&ctx.case, &mut error);
        error
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Self::CTX,
    ) -> FailToProxy {
        let reuse = outcome::answer(session, &mut ctx.case, error).await;
        let unheard = outcome::unheard(&ctx.case, error);
        let error = unheard.as_deref().unwrap_or(error);
        let theirs = self.inner.fail_to_proxy(session, error, &mut ctx.inner);
        guard::quiet(Phase::Respond, theirs).await;
        if reuse {
            session.set_keepalive(Some(outcome::keepalive(&ctx.case)));
        }
        let error_code = ctx.case.exchange.answered.unwrap_or(0);
        FailToProxy { error_code, can_reuse_downstream: reuse }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut Self::CTX) {
        if error.is_none() {
            outcome::unanswered(session, &mut ctx.case).await;
        }
        outcome::finished(session, &mut ctx.case, &self.connections, error);
        if let Some(client) = &ctx.case.client
            && (error.is_none() || ctx.case.exchange.generated)
        {
            client.round_off();
        }
        guard::quiet(Phase::Respond, self.inner.logging(session, error, &mut ctx.inner)).await;
        if let Some(client) = ctx.case.client.clone().filter(|client| client.kept()) {
            *client.persisted() = self.persist_connection_context(session, ctx);
        }
    }

    fn persist_connection_context(
        &self,
        session: &Session,
        ctx: &Self::CTX,
    ) -> Option<Box<dyn Any + Send + Sync>> {
        // A panic here would cost the client its connection.
        let theirs = || self.inner.persist_connection_context(session, &ctx.inner);
        guard::call(Phase::Respond, theirs).unwrap_or_else(|bug| {
            guard::report(&bug);
            None
        })
    }

    /// Pingora's own line may hold bytes of a message, and the record says more.
    fn suppress_error_log(&self, session: &Session, ctx: &Self::CTX, error: &Error) -> bool {
        let theirs = || self.inner.suppress_error_log(session, &ctx.inner, error);
        guard::call(Phase::Respond, theirs).map_or_else(|bug| guard::report(&bug), drop);
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        session: &Session,
        ctx: &Self::CTX,
        error: &Error,
        when: ProxyWarnLogContext,
    ) -> bool {
        let theirs = || self.inner.suppress_proxy_warn_log(session, &ctx.inner, error, when);
        guard::call(Phase::Respond, theirs).map_or_else(|bug| guard::report(&bug), drop);
        true
    }

    fn request_summary(&self, session: &Session, ctx: &Self::CTX) -> String {
        self.inner.request_summary(session, &ctx.inner)
    }

    // Caching is the wrapped service's own affair.

    fn request_cache_filter(&self, session: &mut Session, ctx: &mut Self::CTX) -> Result<()> {
        self.inner.request_cache_filter(session, &mut ctx.inner)
    }

    fn cache_key_callback(&self, session: &Session, ctx: &mut Self::CTX) -> Result<CacheKey> {
        self.inner.cache_key_callback(session, &mut ctx.inner)
    }

    fn cache_miss(&self, session: &mut Session, ctx: &mut Self::CTX) {
        self.inner.cache_miss(session, &mut ctx.inner);
    }

    async fn cache_hit_filter(
        &self,
        session: &mut Session,
        meta: &CacheMeta,
        hit: &mut HitHandler,
        fresh: bool,
        ctx: &mut Self::CTX,
    ) -> Result<Option<ForcedFreshness>> {
        self.inner.cache_hit_filter(session, meta, hit, fresh, &mut ctx.inner).await
    }

    fn response_cache_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<RespCacheable> {
        self.inner.response_cache_filter(session, response, &mut ctx.inner)
    }

    fn cache_vary_filter(
        &self,
        meta: &CacheMeta,
        ctx: &mut Self::CTX,
        request: &RequestHeader,
    ) -> Option<HashBinary> {
        self.inner.cache_vary_filter(meta, &mut ctx.inner, request)
    }

    fn cache_not_modified_filter(
        &self,
        session: &Session,
        response: &ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> Result<bool> {
        self.inner.cache_not_modified_filter(session, response, &mut ctx.inner)
    }

    fn range_header_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Self::CTX,
    ) -> RangeType {
        self.inner.range_header_filter(session, response, &mut ctx.inner)
    }

    fn should_serve_stale(
        &self,
        session: &mut Session,
        ctx: &mut Self::CTX,
        error: Option<&Error>,
    ) -> bool {
        self.inner.should_serve_stale(session, &mut ctx.inner, error)
    }

    fn is_purge(&self, session: &Session, ctx: &Self::CTX) -> bool {
        self.inner.is_purge(session, &ctx.inner)
    }

    fn purge_action(&self, session: &Session, ctx: &Self::CTX) -> pingora::cache::PurgeAction {
        self.inner.purge_action(session, &ctx.inner)
    }

    fn purge_response_filter(
        &self,
        session: &Session,
        ctx: &mut Self::CTX,
        status: PurgeStatus,
        response: &mut std::borrow::Cow<'static, ResponseHeader>,
    ) -> Result<()> {
        self.inner.purge_response_filter(session, &mut ctx.inner, status, response)
    }
}
