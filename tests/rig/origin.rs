//! Origins that do exactly what they are told, on real sockets.

mod conversation;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;

use super::PATIENCE;
use super::message::Request;
use super::tls::Tls;
pub(crate) use conversation::Conversation;
use conversation::Stream;

/// What an origin was asked and what it answered, byte by byte.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Entry>>>);

/// One request and the bytes that were sent after it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) request: Request,
    pub(crate) answer: Vec<u8>,
}

/// A listening origin. It stops when dropped.
pub(crate) struct Origin {
    /// As an endpoint in a configuration.
    pub(crate) endpoint: String,
    journal: Journal,
    connections: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<Weak<Stream>>>>,
    accepting: Option<JoinHandle<()>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

type Script = dyn Fn(Conversation) + Send + Sync;

impl Journal {
    /// Everything so far.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    /// Takes down a request, as far as it is known, and gives its number.
    pub(super) fn note(&self, request: Request) -> usize {
        let mut entries = self.lock();
        entries.push(Entry { request, answer: Vec::new() });
        entries.len() - 1
    }

    /// Takes down more of a request.
    pub(super) fn asked(&self, entry: usize, request: Request) {
        self.lock()[entry].request = request;
    }

    /// Takes down what is sent after it.
    pub(super) fn answered(&self, entry: usize, bytes: &[u8]) {
        self.lock()[entry].answer.extend_from_slice(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().expect("no origin panicked")
    }
}

impl Origin {
    /// An origin on IPv4 that treats each connection as `script` says.
    pub(crate) fn new(script: impl Fn(Conversation) + Send + Sync + 'static) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), script)
    }

    /// The same at this address.
    pub(crate) fn at(
        address: SocketAddr,
        script: impl Fn(Conversation) + Send + Sync + 'static,
    ) -> Self {
        Self::over(address, None, Arc::new(script))
    }

    /// An origin on IPv4 that speaks TLS, and treats each connection whose handshake came to its
    /// end as `script` says.
    pub(crate) fn tls(tls: &Tls, script: impl Fn(Conversation) + Send + Sync + 'static) -> Self {
        Self::tls_at(([127, 0, 0, 1], 0).into(), tls, script)
    }

    /// The same at this address.
    pub(crate) fn tls_at(
        address: SocketAddr,
        tls: &Tls,
        script: impl Fn(Conversation) + Send + Sync + 'static,
    ) -> Self {
        Self::over(address, Some(tls.clone()), Arc::new(script))
    }

    /// The same at a Unix socket.
    pub(crate) fn unix(path: &Path, script: impl Fn(Conversation) + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(path).expect("a free path");
        let accept = move || listener.accept().map(|(stream, _)| Stream::Unix(stream));
        let socket = path.to_owned();
        let wake = move || drop(UnixStream::connect(&socket));
        Self::run(format!("unix:{}", path.display()), accept, wake, None, Arc::new(script))
    }

    /// An origin that answers every request with the bytes that `answer` makes, and keeps the
    /// connection.
    pub(crate) fn serving(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(move |mut connection| {
            while let Some(request) = connection.request() {
                connection.send(answer(&request));
            }
        })
    }

    /// An origin that answers every request with these bytes, and keeps the connection.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::serving(move |_| bytes.clone())
    }

    fn over(address: SocketAddr, tls: Option<Tls>, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let accept = move || {
            let (stream, _) = listener.accept()?;
            // As servers do: the short end of an answer does not wait for what is before it.
            stream.set_nodelay(true)?;
            Ok(Stream::Tcp(stream))
        };
        let wake = move || drop(TcpStream::connect_timeout(&address, PATIENCE));
        Self::run(address.to_string(), accept, wake, tls, script)
    }

    fn run(
        endpoint: String,
        accept: impl Fn() -> std::io::Result<Stream> + Send + 'static,
        wake: impl Fn() + Send + Sync + 'static,
        tls: Option<Tls>,
        script: Arc<Script>,
    ) -> Self {
        let journal = Journal::default();
        let connections = Arc::new(AtomicUsize::new(0));
        let stopped = Arc::new(AtomicBool::new(false));
        let open = Arc::new(Mutex::new(Vec::new()));
        let accepting = std::thread::spawn({
            let (journal, connections) = (journal.clone(), connections.clone());
            let (stopped, open) = (stopped.clone(), open.clone());
            move || {
                while let Ok(stream) = accept() {
                    if stopped.load(Ordering::SeqCst) {
                        break;
                    }
                    stream.bound_waits();
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (journal, script) = (journal.clone(), script.clone());
                    let (open, tls) = (open.clone(), tls.clone());
                    std::thread::spawn(move || {
                        let Some(stream) = stream.greeted(tls.as_ref()) else { return };
                        let stream = Arc::new(stream);
                        open.lock().expect("no origin panicked").push(Arc::downgrade(&stream));
                        script(Conversation::new(stream, journal));
                    });
                }
            }
        });
        let (accepting, wake) = (Some(accepting), Box::new(wake));
        Self { endpoint, journal, connections, stopped, open, accepting, wake }
    }

    /// What it was asked and what it answered.
    pub(crate) fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// The requests it got so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.journal.entries().into_iter().map(|entry| entry.request).collect()
    }

    /// How many connections were made to it so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        (self.wake)();
        self.accepting.take().expect("dropped once").join().expect("accepting does not panic");
        for stream in self.open.lock().expect("no origin panicked").drain(..) {
            if let Some(stream) = stream.upgrade() {
                stream.shut(Shutdown::Both);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::client::{Client, Over};
    use crate::rig::message::End;

    const GET: &str = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";

    fn client(origin: &Origin) -> Client {
        let mut client = Client::connect(origin.endpoint.parse().expect("an address"));
        client.send(GET);
        client
    }

    #[test]
    fn a_conversation_goes_as_it_is_told() {
        let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        let mut client = client(&origin);
        assert_eq!(client.receive("GET").expect("an answer").text(), "ok");
        client.send("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        assert_eq!(client.receive("PUT").expect("an answer").end, End::Counted);
        assert_eq!(origin.requests()[1].body, b"hi");
        assert_eq!(origin.connections(), 1);
        drop(origin);
        assert_eq!(client.over(), Over::Closed);
    }

    #[test]
    fn a_fin_a_rst_and_half_an_answer_are_told_apart() {
        for (act, over) in [
            (Conversation::close as fn(Conversation), Over::Closed),
            (Conversation::reset, Over::Reset),
        ] {
            let origin = Origin::new(move |mut connection| {
                connection.request();
                act(connection);
            });
            assert_eq!(client(&origin).over(), over);
        }
        let origin = Origin::new(|mut connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
            connection.close();
        });
        let half = client(&origin).receive("GET").expect("half an answer");
        assert_eq!((half.end, half.text().as_str()), (End::Truncated, "half"));
    }
}
