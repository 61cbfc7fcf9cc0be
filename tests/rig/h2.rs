//! An origin that speaks HTTP/2, in plain text by prior knowledge or over TLS.

use std::fmt::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local, yield_now};

use super::message::{Fields, Request};
use super::origin::Journal;
use super::tls::{self, Handshake, Tls};

/// What an origin does about one request, once it has read the header section.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Reads the request's body and answers.
    Answer(Answer),
    /// Ends the stream with this code, before any answer.
    Reset(Reason),
    /// Begins an answer, and ends the stream with this code when no more of it is to come.
    BreakOff(Answer, Reason),
    /// Answers at once, and wants no more of the request: `RST_STREAM` with `NO_ERROR` follows
    /// (RFC 9113 section 8.1).
    Early(Answer),
    /// Ends the connection with this code, before any answer. The request counts among those that
    /// were looked at; for one that does not, see [`super::frames`].
    Goaway(Reason),
    /// Reads the request's body and says nothing.
    Silence,
    /// Reads nothing of the request's body, so that no more of it may be sent than the window
    /// holds, and says nothing.
    Stall,
    /// Begins an answer, and says no more.
    Pause(Answer),
    /// Begins an answer and closes the connection, without a GOAWAY.
    Cut(Answer),
    /// Closes the connection, without a GOAWAY and without an answer.
    Leave,
}

/// An answer, or its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// With this body and its length.
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { status, fields: vec![("content-length", body.len().to_string())], body }
    }

    /// With this body as the beginning of one that is so long.
    pub(crate) fn part(status: u16, body: impl Into<Vec<u8>>, length: usize) -> Self {
        Self { fields: vec![("content-length", length.to_string())], ..Self::new(status, body) }
    }

    fn head(&self) -> http::Response<()> {
        let mut head = http::Response::new(());
        *head.status_mut() = http::StatusCode::from_u16(self.status).expect("a status");
        for (name, value) in &self.fields {
            head.headers_mut().append(*name, value.parse().expect("a value"));
        }
        head
    }

    /// The same in HTTP/1.1 as it is usually written, which is what a journal holds.
    fn noted(&self) -> Vec<u8> {
        let status = http::StatusCode::from_u16(self.status).expect("a status");
        let mut noted = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in &self.fields {
            let name = in_capitals(name);
            write!(noted, "{name}: {value}\r\n").expect("a string takes it");
        }
        [noted.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// A field's name as HTTP/1.1 usually writes it.
fn in_capitals(name: &str) -> String {
    let mut first = true;
    let capital = |letter: char| {
        let written = if first { letter.to_ascii_uppercase() } else { letter };
        first = letter == '-';
        written
    };
    name.chars().map(capital).collect()
}

/// A listening origin. It stops when dropped.
pub(crate) struct Origin {
    /// As an endpoint in a configuration.
    pub(crate) endpoint: String,
    journal: Journal,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

/// Of all connections: what is done about the request with this number, the first being 0.
type Script = dyn Fn(&Request, usize) -> Act + Send + Sync;

/// What a stream wants of its connection.
enum Order {
    Goaway(Reason),
    Close,
}

/// What all connections share.
#[derive(Clone)]
struct Shared {
    script: Arc<Script>,
    journal: Journal,
    asked: Arc<AtomicUsize>,
}

impl Origin {
    /// In plain text, by prior knowledge (RFC 9113 section 3.3).
    pub(crate) fn plain(act: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Self {
        Self::run(None, Arc::new(act))
    }

    /// Over TLS. It speaks HTTP/2 whatever was agreed on, so `tls` should be
    /// [`speaking`](Tls::speaking) `h2`.
    pub(crate) fn tls(
        tls: &Tls,
        act: impl Fn(&Request, usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::run(Some(tls.clone()), Arc::new(act))
    }

    fn run(tls: Option<Tls>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        listener.set_nonblocking(true).expect("a socket can be told so");
        let journal = Journal::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let shared = Shared { script, journal: journal.clone(), asked: Arc::default() };
        let accepting = accept(listener, tls, Arc::clone(&connections), shared);
        let running = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("one");
            // What is under way is dropped with the set, and its connections with it.
            LocalSet::new().block_on(&runtime, async {
                tokio::select! {
                    () = accepting => {}
                    _ = stopped => {}
                }
            });
        });
        let (stop, running) = (Some(stop), Some(running));
        Self { endpoint: address.to_string(), journal, connections, stop, running }
    }

    /// What it was asked and what it answered, as if that had been HTTP/1.1.
    pub(crate) fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// The requests it got so far; of one that is not read to its end, the header section.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.journal().entries().into_iter().map(|entry| entry.request).collect()
    }

    /// How many connections were made to it so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.running.take().expect("dropped once").join().expect("no origin panicked");
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<Tls>,
    connections: Arc<AtomicUsize>,
    shared: Shared,
) {
    let listener = tokio::net::TcpListener::from_std(listener).expect("a runtime is here");
    while let Ok((socket, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        socket.set_nodelay(true).expect("Nagle can be turned off");
        let (tls, shared) = (tls.clone(), shared.clone());
        spawn_local(async move {
            let spare = socket.as_fd().try_clone_to_owned().expect("there are numbers left");
            let Some(tls) = tls else { return serve(socket, spare.into(), shared).await };
            let acceptor = tokio_rustls::TlsAcceptor::from(tls.config());
            match acceptor.accept(socket).await {
                Ok(stream) => {
                    tls.note(tls::seen(stream.get_ref().1));
                    serve(stream, spare.into(), shared).await;
                }
                Err(error) => {
                    let failure = tls::failure(&error);
                    tls.note(Handshake { failure, ..Handshake::default() });
                }
            }
        });
    }
}

/// Speaks HTTP/2 on `io`; `spare` is the socket beneath it.
async fn serve(
    io: impl AsyncRead + AsyncWrite + Unpin + 'static,
    spare: std::net::TcpStream,
    shared: Shared,
) {
    let Ok(mut connection): Result<Connection<_, Bytes>, _> = h2::server::handshake(io).await
    else {
        return;
    };
    let (orders, mut ordered) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            asked = connection.accept() => match asked {
                Some(Ok((request, respond))) => {
                    spawn_local(meet(request, respond, shared.clone(), orders.clone()));
                }
                _ => return,
            },
            order = ordered.recv() => match order.expect("one sender is here") {
                Order::Goaway(reason) => connection.abrupt_shutdown(reason),
                Order::Close => break,
            },
        }
    }
    // A FIN, and no RST for what has not been read.
    drop(connection);
    let mut spare = tokio::net::TcpStream::from_std(spare).expect("a runtime is here");
    spare.shutdown().await.ok();
    tokio::io::copy(&mut spare, &mut tokio::io::sink()).await.ok();
}

async fn meet(
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Shared,
    orders: mpsc::UnboundedSender<Order>,
) {
    let (head, mut body) = request.into_parts();
    let mut request = noted(&head);
    let entry = shared.journal.note(request.clone());
    let act = (shared.script)(&request, shared.asked.fetch_add(1, Ordering::SeqCst));
    let reads = matches!(
        act,
        Act::Answer(_) | Act::BreakOff(..) | Act::Silence | Act::Pause(_) | Act::Cut(_)
    );
    if reads {
        while let Some(Ok(piece)) = body.data().await {
            body.flow_control().release_capacity(piece.len()).expect("it came");
            request.body.extend_from_slice(&piece);
        }
        shared.journal.asked(entry, request);
    }
    let answer = |answer: &Answer, respond: &mut SendResponse<Bytes>, end| {
        shared.journal.answered(entry, &answer.noted());
        send(respond, answer, end)
    };
    // A connection that is over needs none.
    let order = |order| drop(orders.send(order));
    let mut stream = None;
    match act {
        Act::Answer(whole) | Act::Early(whole) => {
            // Where the body has not been read, the library says NO_ERROR once all are dropped.
            answer(&whole, &mut respond, true);
            return;
        }
        Act::Reset(reason) => return respond.send_reset(reason),
        Act::BreakOff(part, reason) => {
            if let Some(mut stream) = answer(&part, &mut respond, false) {
                sent().await;
                stream.send_reset(reason);
            }
            return;
        }
        Act::Goaway(reason) => order(Order::Goaway(reason)),
        Act::Leave => order(Order::Close),
        Act::Silence | Act::Stall => {}
        Act::Pause(part) => stream = answer(&part, &mut respond, false),
        Act::Cut(part) => {
            stream = answer(&part, &mut respond, false);
            sent().await;
            order(Order::Close);
        }
    }
    // Dropped, it would be reset.
    std::future::pending::<()>().await;
    drop((respond, stream, body));
}

/// A peer that has left takes nothing, and that is not the origin's concern.
fn send(
    respond: &mut SendResponse<Bytes>,
    answer: &Answer,
    end: bool,
) -> Option<SendStream<Bytes>> {
    let mut stream = respond.send_response(answer.head(), end && answer.body.is_empty()).ok()?;
    if !answer.body.is_empty() {
        stream.send_data(answer.body.clone().into(), end).ok()?;
    }
    Some(stream)
}

/// Lets the connection write what was given to it: all tasks share a thread, and it was woken
/// before this one will be.
async fn sent() {
    for _ in 0..3 {
        yield_now().await;
    }
}

/// A request as a journal holds it; the authority stands in `Host`, as in HTTP/1.1.
fn noted(head: &http::request::Parts) -> Request {
    let fields = head.headers.iter().map(|(n, v)| (n.to_string(), v.as_bytes().to_vec()));
    let host = head.uri.authority().map(|a| ("host".to_owned(), a.as_str().as_bytes().to_vec()));
    let target = head.uri.path_and_query().map_or("*", http::uri::PathAndQuery::as_str);
    Request {
        method: head.method.to_string(),
        target: target.to_owned(),
        minor: 1,
        fields: Fields(host.into_iter().chain(fields).collect()),
        body: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
