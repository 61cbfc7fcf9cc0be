//! A client's connection as Pingora wants to see connections. Pingora's own asks the clock at each
//! read and each write; this one only passes on.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::FutureExt;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use rustls::ProtocolVersion;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::plain::Plain;
use super::way::Way;

/// How many bytes are gathered into one packet, as Pingora does: a header section and a small body
/// go out together.
const GATHERED: usize = 1460;

/// The connection.
#[derive(Debug)]
pub(super) struct Caller {
    io: BufWriter<Way>,
    /// Leads to its entrance.
    entrance: Arc<ProxyDigest>,
    secrecy: Option<Box<Secrecy>>,
}

/// What TLS agreed on.
#[derive(Debug)]
struct Secrecy {
    digest: Arc<SslDigest>,
    timing: TimingDigest,
    protocol: ALPN,
}

impl Caller {
    /// Without TLS.
    pub(super) fn plain(plain: Plain, entrance: Arc<ProxyDigest>) -> Self {
        Self::new(Way::Plain(plain), entrance, None)
    }

    /// Over TLS, after a handshake that took so long.
    pub(super) fn secured(
        stream: Box<TlsStream<Plain>>,
        took: Duration,
        entrance: Arc<ProxyDigest>,
    ) -> Self {
        let connection = stream.get_ref().1;
        let cipher = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let cipher = cipher.and_then(|suite| suite.as_str()).unwrap_or_default();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "",
        };
        let http2 = connection.alpn_protocol() == Some(b"h2");
        let secrecy = Secrecy {
            digest: Arc::new(SslDigest::new(cipher, version, None, None, Vec::new())),
            timing: TimingDigest {
                established_ts: SystemTime::now(),
                establishment_duration: Some(took),
                offload_wait_duration: None,
            },
            protocol: if http2 { ALPN::H2 } else { ALPN::H1 },
        };
        Self::new(Way::Secured(stream), entrance, Some(Box::new(secrecy)))
    }

    fn new(way: Way, entrance: Arc<ProxyDigest>, secrecy: Option<Box<Secrecy>>) -> Self {
        Self { io: BufWriter::with_capacity(GATHERED, way), entrance, secrecy }
    }

    fn socket(&self) -> &Plain {
        match self.io.get_ref() {
            Way::Plain(plain) => plain,
            Way::Secured(stream) => stream.get_ref().0,
        }
    }

    fn pin(self: Pin<&mut Self>) -> Pin<&mut BufWriter<Way>> {
        Pin::new(&mut self.get_mut().io)
    }
}

/// What was gathered goes out although nobody came to flush it, as far as the socket takes it: the
/// beginning of an answer that was broken off.
impl Drop for Caller {
    fn drop(&mut self) {
        if !self.io.buffer().is_empty() {
            let _ = tokio::task::unconstrained(self.io.flush()).now_or_never();
        }
    }
}

impl AsyncRead for Caller {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pin().poll_read(cx, out)
    }
}

impl AsyncWrite for Caller {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pin().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pin().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pin().poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for Caller {
    async fn shutdown(&mut self) {
        // Its failure says nothing that was not seen before.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Caller {
    fn id(&self) -> UniqueIDType {
        self.socket().fd()
    }
}

impl Ssl for Caller {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.secrecy.as_ref().map(|secrecy| secrecy.digest.clone())
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.secrecy.as_ref().map(|secrecy| secrecy.protocol.clone())
    }
}

impl GetTimingDigest for Caller {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        let mut layers = vec![Some(self.socket().timing())];
        layers.extend(self.secrecy.as_ref().map(|secrecy| Some(secrecy.timing.clone())));
        layers
    }
}

impl GetProxyDigest for Caller {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        Some(self.entrance.clone())
    }
}

impl GetSocketDigest for Caller {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.socket().addresses.clone())
    }
}

impl Peek for Caller {}
