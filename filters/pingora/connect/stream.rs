//! One request over HTTP/2 to an origin, as Pingora's door for other protocols wants to see it.
//!
//! Pingora's own way to HTTP/2 leads through its own TLS, which does not tell why a handshake
//! failed. The library below is the same, and so are its streams; only the last step is ours.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme, Uri};
use http::{HeaderMap, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::custom::client::Session;
use pingora::protocols::http::custom::{BodyWrite, CustomMessageWrite};
use pingora::protocols::http::v2::client::Http2Session;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::{Digest, UniqueIDType};
use pingora::{Error, ErrorType, Result};
use tokio::time::timeout;
use whodunit_filters::attribution::cause::proxy::PROXY_BUG;
use whodunit_filters::attribution::{Failure, Fault, Key, Phase, Side};

use super::body::{ANSWERED, Body, Halves, LATE};
use super::wire::Wire;
use crate::note::deny;
use crate::observe;

/// The request.
pub struct Stream {
    pub(super) inner: Http2Session,
    pub(super) wire: Arc<Wire>,
    /// `https` where the connection is secured.
    scheme: Scheme,
    /// The stream's number, once it has one.
    number: Option<u32>,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    halves: Arc<Halves>,
}

impl Stream {
    pub(super) fn new(inner: Http2Session, wire: Arc<Wire>, scheme: Scheme) -> Self {
        Self {
            inner,
            wire,
            scheme,
            number: None,
            read_timeout: None,
            write_timeout: None,
            halves: Arc::default(),
        }
    }

    /// A connection on which nothing came or went in time may hang: no other request is put on it.
    fn late(&self, error: Box<Error>) -> Box<Error> {
        let stuck = self.halves.state.load(Ordering::Relaxed) == LATE;
        if stuck || *error.etype() == ErrorType::ReadTimedout {
            self.inner.conn.mark_shutdown();
        }
        if stuck {
            // What reading met with is that the sending half gave up.
            let taken = self.halves.taken.load(Ordering::Relaxed);
            let failure = Failure::new(Side::Origin, Phase::Send, Fault::TimedOut);
            return deny(failure.with(Key::Written, taken)).into_up();
        }
        error
    }

    /// Marks an error that leaves the request out of what the origin acts on.
    fn left_out(&self, mut error: Box<Error>) -> Box<Error> {
        if let Some(number) = self.number {
            let last = self.wire.goodbye().map(|goodbye| goodbye.last_stream);
            observe::left_out(&mut error, Some(number), last);
        }
        error
    }

    /// Waits for the answer. As over HTTP/1.1, the origin's time begins anew with each piece of the
    /// body that it takes; while one is on the way, the time for writing runs.
    async fn header(&mut self) -> Result<()> {
        let Some(limit) = self.read_timeout else { return self.inner.read_response_header().await };
        let mut left = limit;
        loop {
            if let Ok(read) = timeout(left, self.inner.read_response_header()).await {
                return read;
            }
            left = limit.saturating_sub(self.halves.pace.rests());
            if left.is_zero() {
                return Err(Error::explain(ErrorType::ReadTimedout, "while an answer was awaited"));
            }
        }
    }

    /// Rewrites a request's head for HTTP/2 (RFC 9113 section 8.3.1).
    fn translate(&self, request: &mut RequestHeader) -> Option<()> {
        for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
            request.remove_header(&name);
        }
        request.remove_header("keep-alive");
        request.remove_header("proxy-connection");
        request.remove_header("http2-settings");
        let host = request.remove_header(&HOST);
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority(host, &request.uri)?)
            .path_and_query(path)
            .build();
        request.set_uri(uri.ok()?);
        request.set_version(http::Version::HTTP_2);
        Some(())
    }

    /// Who is asked. A request that does not say, as HTTP/1.0 allows, means whoever it is sent to.
    fn authority(&self, host: Option<HeaderValue>, uri: &Uri) -> Option<Authority> {
        match host.filter(|host| !host.is_empty()) {
            Some(host) => Authority::try_from(host.as_bytes()).ok(),
            None => uri.authority().cloned().or_else(|| match self.inner.server_addr()? {
                SocketAddr::Inet(address) => Authority::try_from(address.to_string()).ok(),
                SocketAddr::Unix(_) => Some(Authority::from_static("localhost")),
            }),
        }
    }
}

#[async_trait]
impl Session for Stream {
    async fn write_request_header(
        &mut self,
        mut request: Box<RequestHeader>,
        end: bool,
    ) -> Result<()> {
        if self.translate(&mut request).is_none() {
            let at = "a request that HTTP/2 has no form for";
            return Err(deny(Failure::denied(&PROXY_BUG).with(Key::At, at)));
        }
        self.inner.write_request_header(request, end).map_err(|mut error| {
            observe::left_out(&mut error, None, None);
            error
        })
    }

    async fn write_request_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.inner.write_request_body(data, end).await
    }

    async fn finish_request_body(&mut self) -> Result<()> {
        self.inner.finish_request_body()
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.write_timeout = timeout;
        self.write_timeout = timeout;
    }

    async fn read_response_header(&mut self) -> Result<()> {
        let read = self.header().await;
        self.inner.read_timeout = self.read_timeout;
        read.map_err(|error| self.left_out(self.late(error)))?;
        self.halves.state.store(ANSWERED, Ordering::Relaxed);
        if self.inner.response_finished() {
            self.halves.ended.notify_one();
        }
        Ok(())
    }

    async fn read_response_body(&mut self) -> Result<Option<Bytes>> {
        let read = self.inner.read_response_body().await;
        let read = read.map_err(|error| self.late(error))?;
        if self.inner.response_finished() {
            self.halves.ended.notify_one();
        }
        Ok(read)
    }

    fn response_finished(&self) -> bool {
        self.inner.response_finished()
    }

    async fn shutdown(&mut self, _: u32, _: &str) {
        self.inner.shutdown();
    }

    fn response_header(&self) -> Option<&ResponseHeader> {
        self.inner.response_header()
    }

    fn was_upgraded(&self) -> bool {
        false
    }

    fn digest(&self) -> Option<&Digest> {
        self.inner.digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.inner.digest_mut()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner.server_addr()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner.client_addr()
    }

    async fn read_trailers(&mut self) -> Result<Option<HeaderMap>> {
        self.inner.read_trailers().await
    }

    fn fd(&self) -> UniqueIDType {
        self.inner.fd()
    }

    async fn check_response_end_or_error(&mut self, _: bool) -> Result<bool> {
        self.inner.check_response_end_or_error()
    }

    fn take_request_body_writer(&mut self) -> Option<Box<dyn BodyWrite>> {
        let writer = self.inner.take_request_body_writer()?;
        self.number = Some(writer.stream_id().as_u32());
        let halves = self.halves.clone();
        Some(Box::new(Body::new(writer, self.write_timeout, halves)))
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(
        &mut self,
    ) -> Option<Box<dyn stream::Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>> {
        Some(Box::new(stream::empty()))
    }

    async fn drain_custom_messages(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        Some(Box::new(()))
    }
}
