//! One request over HTTP/2 to an origin, as Pingora's door for other protocols wants to see it.
//!
//! Pingora's own way to HTTP/2 leads through its own TLS, which does not tell why a handshake
//! failed. The library below is the same, and so are its streams; only the last step is ours.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use http::header::{CONNECTION, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Scheme, Uri};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::custom::client::Session;
use pingora::protocols::http::custom::{BodyWrite, CustomMessageWrite};
use pingora::protocols::http::v2::client::Http2Session;
use pingora::protocols::http::v2::write_body;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::{Digest, UniqueIDType};
use pingora::{Error, ErrorType, OrErr, Result};

/// The request.
pub struct Stream {
    pub(super) inner: Http2Session,
    /// `https` where the connection is secured.
    scheme: Scheme,
    write_timeout: Option<Duration>,
}

impl Stream {
    pub(super) const fn new(inner: Http2Session, scheme: Scheme) -> Self {
        Self { inner, scheme, write_timeout: None }
    }

    /// A connection on which nothing came in time may hang: no other request is put on it.
    fn late(&self, error: Box<Error>) -> Box<Error> {
        if *error.etype() == ErrorType::ReadTimedout {
            self.inner.conn.mark_shutdown();
        }
        error
    }

    /// Rewrites a request's head for HTTP/2 (RFC 9113 section 8.3.1).
    fn translate(&self, request: &mut RequestHeader) -> Result<()> {
        for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
            request.remove_header(&name);
        }
        request.remove_header("keep-alive");
        request.remove_header("proxy-connection");
        request.remove_header("http2-settings");
        let host = request.remove_header(&HOST);
        let authority = match host {
            Some(host) => Authority::try_from(host.as_bytes()).ok(),
            None => request.uri.authority().cloned(),
        };
        let invalid = || Error::explain(ErrorType::InvalidHTTPHeader, "no authority");
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(authority.ok_or_else(invalid)?)
            .path_and_query(path)
            .build()
            .or_err(ErrorType::InvalidHTTPHeader, "no URI")?;
        request.set_uri(uri);
        request.set_version(http::Version::HTTP_2);
        Ok(())
    }
}

#[async_trait]
impl Session for Stream {
    async fn write_request_header(
        &mut self,
        mut request: Box<RequestHeader>,
        end: bool,
    ) -> Result<()> {
        self.translate(&mut request).map_err(Error::into_in)?;
        self.inner.write_request_header(request, end)
    }

    async fn write_request_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.inner.write_request_body(data, end).await
    }

    async fn finish_request_body(&mut self) -> Result<()> {
        self.inner.finish_request_body()
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.read_timeout = timeout;
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.write_timeout = timeout;
        self.write_timeout = timeout;
    }

    async fn read_response_header(&mut self) -> Result<()> {
        let read = self.inner.read_response_header().await;
        read.map_err(|error| self.late(error))
    }

    async fn read_response_body(&mut self) -> Result<Option<Bytes>> {
        let read = self.inner.read_response_body().await;
        read.map_err(|error| self.late(error))
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
        Some(Box::new(Body { writer, timeout: self.write_timeout, broken: false }))
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

/// The way in for a request's body.
struct Body {
    writer: h2::SendStream<Bytes>,
    timeout: Option<Duration>,
    broken: bool,
}

#[async_trait]
impl BodyWrite for Body {
    /// An origin that wants no more of a body resets the stream, often right after its answer (RFC
    /// 9113 section 8.1). That answer is still to be read: if there is none, reading tells why.
    async fn write_all_buf(&mut self, data: &mut Bytes) -> Result<()> {
        let data = data.split_to(data.len());
        if self.broken {
            return Ok(());
        }
        match write_body(&mut self.writer, data, false, self.timeout).await {
            Err(error) if *error.etype() == ErrorType::WriteTimedout => Err(error),
            Err(_) => {
                self.broken = true;
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    async fn finish(&mut self) -> Result<()> {
        // As above.
        self.broken |= self.broken || self.writer.send_data(Bytes::new(), true).is_err();
        Ok(())
    }

    async fn cleanup(&mut self) -> Result<()> {
        Ok(())
    }

    fn upgrade_body_writer(&mut self) {}
}
