//! The two ends of a request: plain sockets on threads of their own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::parts::HEAD;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nDate: Fri, 20 Nov 2026 08:38:27 GMT\r\n\
    Server: origin\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\n\
    Content-Length: 15\r\n\r\n{\"users\":[1,2]}";
const BODY: &[u8] = b"\r\n\r\n{\"users\":[1,2]}";

/// A client that asks over one connection.
pub(super) struct Client(TcpStream);

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the proxy listens");
        stream.set_nodelay(true).expect("a socket of TCP");
        Self(stream)
    }

    /// Asks once, and waits for the answer.
    pub(super) fn ask(&mut self) {
        self.0.write_all(HEAD).expect("the proxy reads");
        let answer = read_until(&mut self.0, BODY).expect("the proxy answers");
        let good = answer.starts_with(b"HTTP/1.1 200 OK\r\n");
        assert!(good, "{}", String::from_utf8_lossy(&answer));
    }
}

/// An origin that gives the same answer to every request without a body.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    /// Starts one that calls `settle` before each answer.
    pub(super) fn start(settle: impl Fn() + Clone + Send + 'static) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        // Both kinds of threads end with the process.
        thread::spawn(move || {
            for stream in socket.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let settle = settle.clone();
                thread::spawn(move || serve(stream, settle));
            }
        });
        Self { address, connections }
    }

    /// How many connections were made to it.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

fn serve(mut stream: TcpStream, settle: impl Fn()) {
    // The proxy closes the connection when it is done.
    while read_until(&mut stream, b"\r\n\r\n").is_some() {
        settle();
        stream.write_all(ANSWER).expect("the proxy reads");
    }
}

/// What comes until these bytes; `None` when the connection ends before.
fn read_until(stream: &mut TcpStream, end: &[u8]) -> Option<Vec<u8>> {
    let mut came = Vec::new();
    let mut piece = [0; 4096];
    while !came.ends_with(end) {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        came.extend_from_slice(&piece[..read]);
    }
    Some(came)
}
