//! A client that speaks HTTP/2 by prior knowledge: by a common library, and frame by frame.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::PATIENCE;
use super::message::{End, Fields, Response};

/// One connection. Other streams go on while one is waited for.
pub(crate) struct Http2 {
    runtime: Runtime,
    requests: SendRequest<Bytes>,
    connection: JoinHandle<Result<(), h2::Error>>,
}

async fn plain(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).await.expect("the proxy listens");
    socket.set_nodelay(true).expect("Nagle can be turned off");
    socket
}

/// One request and its answer.
pub(crate) struct Exchange<'a> {
    runtime: &'a Runtime,
    answer: Option<ResponseFuture>,
    upload: SendStream<Bytes>,
    download: Option<(http::response::Parts, RecvStream)>,
    interim: Vec<(u16, Fields)>,
    /// The code that the stream was reset with.
    pub(crate) reset: Option<Reason>,
    /// What came after the answer's body.
    pub(crate) trailers: Option<Fields>,
}

impl Http2 {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::with(address, |_| {})
    }

    /// The same with other settings.
    pub(crate) fn with(address: SocketAddr, set: impl FnOnce(&mut Builder)) -> Self {
        let mut settings = Builder::new();
        set(&mut settings);
        Self::upon(&settings, plain(address))
    }

    /// The same over TLS: what was agreed on has to be HTTP/2.
    pub(crate) fn secured(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        Self::upon(&Builder::new(), async move {
            let socket = plain(address).await;
            let stream = TlsConnector::from(config).connect(name, socket).await.expect("TLS");
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            stream
        })
    }

    fn upon<S>(settings: &Builder, connecting: impl Future<Output = S>) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (requests, connection) = runtime.block_on(async {
            let stream = connecting.await;
            let (requests, connection) = timeout(PATIENCE, settings.handshake(stream))
                .await
                .expect("in time")
                .expect("HTTP/2");
            (requests, tokio::spawn(connection))
        });
        Self { runtime, requests, connection }
    }

    /// Sends a request without a body and takes the answer.
    pub(crate) fn ask(&self, request: Request<()>) -> Option<Response> {
        self.open(request, true).receive()
    }

    /// A GET of `http://app.test` and this path.
    pub(crate) fn get(&self, path: &str) -> Option<Response> {
        self.ask(get(path))
    }

    /// Sends a request's header section.
    pub(crate) fn open(&self, request: Request<()>, end: bool) -> Exchange<'_> {
        let requests = self.requests.clone();
        let (answer, upload) = self.wait(async {
            let mut requests = requests.ready().await.expect("another stream");
            requests.send_request(request, end).expect("a good request")
        });
        let runtime = &self.runtime;
        Exchange {
            runtime,
            answer: Some(answer),
            upload,
            download: None,
            interim: Vec::new(),
            reset: None,
            trailers: None,
        }
    }

    fn wait<F: Future>(&self, future: F) -> F::Output {
        wait(&self.runtime, future)
    }

    /// Whether the proxy takes no more requests.
    pub(crate) fn told_to_go(&self) -> bool {
        let requests = self.requests.clone();
        self.wait(async { requests.ready().await.is_err() })
    }

    /// Waits until the connection is over: the code of the GOAWAY, if there was one.
    pub(crate) fn over(self) -> Option<Reason> {
        let Self { runtime, requests, connection } = self;
        drop(requests);
        let end = wait(&runtime, connection).expect("it does not panic");
        end.err().and_then(|error| error.reason())
    }

    /// Leaves without a word: FIN.
    pub(crate) fn leave(self) {
        self.connection.abort();
        let _ = wait(&self.runtime, self.connection);
    }
}

impl Exchange<'_> {
    /// Sends a piece of the body, as fast as it is taken. A proxy that wants no more of it is no
    /// failure here: its answer may be on the way.
    pub(crate) fn send(&mut self, bytes: impl Into<Bytes>, end: bool) {
        let (runtime, upload) = (self.runtime, &mut self.upload);
        let mut bytes = bytes.into();
        wait(runtime, async {
            while !bytes.is_empty() {
                upload.reserve_capacity(bytes.len());
                let room = poll_fn(|cx| upload.poll_capacity(cx)).await;
                let Some(Ok(room)) = room else { return };
                let piece = bytes.split_to(room.min(bytes.len()));
                if upload.send_data(piece, false).is_err() {
                    return;
                }
            }
            if end {
                upload.send_data(Bytes::new(), true).ok();
            }
        });
    }

    /// Sends a body of so many bytes, as far as the proxy takes it, or until it answers.
    pub(crate) fn upload(&mut self, bytes: u64) {
        let mut left = usize::try_from(bytes).expect("it fits into memory");
        while left > 0 {
            self.upload.reserve_capacity(left.min(1 << 16));
            let (answer, upload) = (&mut self.answer, &mut self.upload);
            let room = wait(
                self.runtime,
                poll_fn(|cx| match answer.as_mut().map(|answer| Pin::new(answer).poll(cx)) {
                    Some(Poll::Ready(answer)) => Poll::Ready(Err(answer)),
                    _ => upload.poll_capacity(cx).map(Ok),
                }),
            );
            let room = match room {
                Ok(Some(Ok(room))) => room.min(left),
                // The stream is over; why, the answer tells.
                Ok(_) => return,
                Err(answer) => {
                    self.answer = None;
                    return self.answered(answer);
                }
            };
            left -= room;
            if self.upload.send_data(vec![b'u'; room].into(), left == 0).is_err() {
                return;
            }
        }
    }

    /// Takes the request back.
    pub(crate) fn cancel(mut self) {
        self.upload.send_reset(Reason::CANCEL);
    }

    /// The answer's status, once its header section is there.
    pub(crate) fn status(&mut self) -> Option<u16> {
        if let Some(mut answer) = self.answer.take() {
            let interim = &mut self.interim;
            let final_one = poll_fn(|cx| {
                while let Poll::Ready(Some(Ok(hint))) = answer.poll_informational(cx) {
                    interim.push((hint.status().as_u16(), named(hint.headers())));
                }
                Pin::new(&mut answer).poll(cx)
            });
            match wait(self.runtime, final_one) {
                Ok(response) => self.download = Some(response.into_parts()),
                Err(error) => self.reset = error.reason(),
            }
        }
        self.download.as_ref().map(|(parts, _)| parts.status.as_u16())
    }

    fn answered(&mut self, answer: Result<http::Response<RecvStream>, h2::Error>) {
        match answer {
            Ok(response) => self.download = Some(response.into_parts()),
            Err(error) => self.reset = error.reason(),
        }
    }

    /// The answer, to its end; `None` when there was none.
    pub(crate) fn receive(&mut self) -> Option<Response> {
        let status = self.status()?;
        let (parts, mut download) = self.download.take()?;
        let (mut body, mut end) = (Vec::new(), End::Counted);
        while let Some(piece) = wait(self.runtime, download.data()) {
            match piece {
                Ok(piece) => {
                    download.flow_control().release_capacity(piece.len()).expect("it was taken");
                    body.extend_from_slice(&piece);
                }
                Err(error) => {
                    self.reset = error.reason();
                    end = if error.is_reset() { End::Reset } else { End::Truncated };
                    break;
                }
            }
        }
        if end == End::Counted {
            let trailers = wait(self.runtime, download.trailers());
            self.trailers = trailers.ok().flatten().map(|fields| named(&fields));
        }
        Some(Response {
            interim: std::mem::take(&mut self.interim),
            minor: 0,
            http2: true,
            status,
            reason: String::new(),
            fields: named(&parts.headers),
            body,
            chunked: false,
            end,
        })
    }
}

fn named(headers: &http::HeaderMap) -> Fields {
    let fields = headers.iter();
    Fields(fields.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect())
}

fn wait<F: Future>(runtime: &Runtime, future: F) -> F::Output {
    runtime.block_on(async { timeout(PATIENCE, future).await.expect("in time") })
}

/// A request to `http://app.test`.
pub(crate) fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("http://app.test{path}"))
}

/// A GET of this path.
pub(crate) fn get(path: &str) -> Request<()> {
    request("GET", path).body(()).expect("a request")
}

/// What a connection begins with: the preface and empty SETTINGS.
pub(crate) fn hello() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(4, 0, 0, b"")].concat()
}

/// A frame (RFC 9113 section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of `GET http://app.test/` as HPACK writes them without a table.
pub(crate) fn fields() -> Vec<u8> {
    [&[0x82, 0x84, 0x86, 0x41, 8][..], b"app.test"].concat()
}

/// One more field.
pub(crate) fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 127);
        [&[length.expect("it is short")][..], text.as_bytes()].concat()
    };
    [&[0][..], &text(name), &text(value)].concat()
}

/// Long enough for the proxy to have seen what was sent, as a rule.
pub(crate) const SOON: Duration = Duration::from_millis(150);
