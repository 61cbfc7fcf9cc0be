//! A connection to the origin that is secured by TLS, as Pingora wants to see connections.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::heard::Heard;
use super::tls::{HTTP1, HTTP2};

/// The connection.
#[derive(Debug)]
pub(super) struct Secured {
    stream: TlsStream<Heard>,
    digest: Arc<SslDigest>,
    timing: TimingDigest,
}

impl Secured {
    pub(super) fn new(stream: TlsStream<Heard>, took: Duration) -> Self {
        let connection = stream.get_ref().1;
        let cipher = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let cipher = cipher.and_then(|suite| suite.as_str()).unwrap_or_default();
        let version = version(connection.protocol_version());
        let digest = Arc::new(SslDigest::new(cipher, version, None, None, Vec::new()));
        let timing = TimingDigest {
            established_ts: SystemTime::now(),
            establishment_duration: Some(took),
            offload_wait_duration: None,
        };
        Self { stream, digest, timing }
    }

    /// The version agreed on.
    pub(super) fn version(&self) -> &'static str {
        version(self.stream.get_ref().1.protocol_version())
    }

    /// The protocol chosen (ALPN), if one of those offered was.
    pub(super) fn protocol(&self) -> Option<&'static str> {
        let chosen = self.stream.get_ref().1.alpn_protocol();
        [HTTP1, HTTP2].into_iter().find(|known| chosen == Some(known.as_bytes()))
    }

    fn heard(&self) -> &Heard {
        self.stream.get_ref().0
    }

    fn pin(&mut self) -> Pin<&mut TlsStream<Heard>> {
        Pin::new(&mut self.stream)
    }
}

const fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "",
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_read(cx, out)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().pin().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().pin().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pin().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Secured {
    async fn shutdown(&mut self) {
        // Its failure says nothing that was not seen before.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Secured {
    fn id(&self) -> UniqueIDType {
        self.heard().socket.id()
    }
}

impl Ssl for Secured {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        Some(self.digest.clone())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        Some(if self.protocol() == Some(HTTP2) { ALPN::H2 } else { ALPN::H1 })
    }
}

impl GetTimingDigest for Secured {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        let mut layers = self.heard().socket.get_timing_digest();
        layers.push(Some(self.timing.clone()));
        layers
    }
}

impl GetProxyDigest for Secured {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.heard().socket.get_proxy_digest()
    }
}

impl GetSocketDigest for Secured {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.heard().socket.get_socket_digest()
    }
}

impl Peek for Secured {}
