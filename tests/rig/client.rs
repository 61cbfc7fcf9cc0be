//! Two clients: one that sends exactly the bytes it is told to, and a common library.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::PATIENCE;
use super::message::{self, End, Fields, Framing, Response};

/// A connection to the proxy, byte by byte.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
    over: Option<Over>,
}

/// How the other end left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    Closed,
    Reset,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
        stream.set_nodelay(true).expect("Nagle can be turned off");
        Self { stream, buffer: Vec::new(), over: None }
    }

    /// Its own address.
    pub(crate) fn own(&self) -> SocketAddr {
        self.stream.local_addr().expect("it is connected")
    }

    /// Sends these bytes. An end that has left already is no failure here: its answer may lie in
    /// the buffer.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()) {
            Err(error) if gone(error.kind()) => {}
            sent => sent.expect("the proxy takes what it is sent"),
        }
    }

    /// Sends a body of so many bytes, as far as the proxy takes it, or until it says something.
    pub(crate) fn upload(&mut self, bytes: u64) {
        let piece = vec![b'u'; 1 << 18];
        let mut left = usize::try_from(bytes).expect("it fits into memory");
        let began = std::time::Instant::now();
        let turn = std::time::Duration::from_millis(20);
        self.stream.set_write_timeout(Some(turn)).expect("a timeout can be set");
        while left > 0 && !self.speaks_within(std::time::Duration::from_micros(1)) {
            match self.stream.write(&piece[..left.min(piece.len())]) {
                Ok(length) => left -= length,
                Err(error) if gone(error.kind()) => break,
                Err(error) if later(error.kind()) && began.elapsed() < PATIENCE => {}
                Err(error) => panic!("{left} bytes were not taken: {error}"),
            }
        }
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    }

    /// Sends as much of a body as the sockets on the way hold while nobody reads.
    pub(crate) fn fill_up(&mut self) {
        let turn = std::time::Duration::from_millis(100);
        self.stream.set_write_timeout(Some(turn)).expect("a timeout can be set");
        let piece = vec![b'u'; 1 << 16];
        while self.stream.write(&piece).is_ok() {}
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
    }

    /// Sends a FIN; answers can still come.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    /// Sends a FIN and forgets the connection.
    pub(crate) fn finish_and_leave(self) {
        self.finish();
    }

    /// Sends a RST.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(std::time::Duration::ZERO))
            .expect("a socket can be told how to close");
    }

    /// Reads more. `false` when there is no more.
    pub(crate) fn fill(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        match self.stream.read(&mut piece) {
            Ok(0) => self.over = Some(Over::Closed),
            Ok(length) => self.buffer.extend_from_slice(&piece[..length]),
            Err(error) if gone(error.kind()) => self.over = Some(Over::Reset),
            Err(error) => panic!(
                "no answer in {PATIENCE:?} ({error}); so far: {:?}",
                String::from_utf8_lossy(&self.buffer)
            ),
        }
        self.over.is_none()
    }

    /// The next response, to a request with `method`; `None` when the connection ended before its
    /// first byte.
    pub(crate) fn receive(&mut self, method: &str) -> Option<Response> {
        let mut interim = Vec::new();
        loop {
            let (mut response, length) = loop {
                if let Some(head) = message::response(&self.buffer) {
                    break head;
                }
                if !self.fill() {
                    assert!(self.buffer.is_empty(), "half a head: {:?}", self.buffer);
                    return None;
                }
            };
            self.buffer.drain(..length);
            if response.status < 200 && response.status != 101 {
                interim.push((response.status, response.fields));
                continue;
            }
            response.interim = interim;
            self.body(method, &mut response);
            return Some(response);
        }
    }

    fn body(&mut self, method: &str, response: &mut Response) {
        let framing = response.framing(method);
        response.chunked = framing == Framing::Chunked;
        let length = loop {
            match framing {
                Framing::Absent => break Some(0),
                Framing::Length(length) if self.buffer.len() >= length => break Some(length),
                Framing::Chunked => {
                    if let (_, Some(length)) = message::unchunk(&self.buffer) {
                        break Some(length);
                    }
                }
                Framing::Length(_) | Framing::Close => {}
            }
            if !self.fill() {
                break None;
            }
        };
        let bytes: Vec<u8> = match length {
            Some(length) => self.buffer.drain(..length).collect(),
            None => std::mem::take(&mut self.buffer),
        };
        response.end = match (length, self.over, framing) {
            (Some(_), ..) => End::Counted,
            (None, Some(Over::Reset), _) => End::Reset,
            (None, _, Framing::Close) => End::Closed,
            (None, ..) => End::Truncated,
        };
        response.body = if response.chunked { message::unchunk(&bytes).0 } else { bytes };
    }

    /// Whether the other end says anything, or leaves, within this time.
    pub(crate) fn speaks_within(&self, time: std::time::Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).expect("a timeout can be set");
        let spoke = match self.stream.peek(&mut [0]) {
            Ok(_) => true,
            Err(error) => !later(error.kind()),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
        spoke
    }

    /// What came and was not taken.
    pub(crate) fn buffered(self) -> Vec<u8> {
        self.buffer
    }

    /// Exactly so many bytes, of whatever protocol.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.buffer.len() < length {
            assert!(self.fill(), "the connection ended after {:?}", self.buffer);
        }
        self.buffer.drain(..length).collect()
    }

    /// Whether what comes next begins with these bytes.
    pub(crate) fn begins(&mut self, bytes: &[u8]) -> bool {
        while self.buffer.len() < bytes.len() && self.fill() {}
        self.buffer.starts_with(bytes)
    }

    /// Reads and forgets a body: how many bytes came; `None` when it was not whole.
    pub(crate) fn swallow(&mut self, framing: Framing) -> Option<usize> {
        if framing == Framing::Chunked {
            let mut buffer = std::mem::take(&mut self.buffer);
            return message::swallow_chunks(&mut buffer, |buffer| {
                let more = self.fill();
                buffer.append(&mut self.buffer);
                more
            });
        }
        let Framing::Length(length) = framing else { panic!("{framing:?} does not tell its end") };
        let mut came = 0;
        loop {
            came += self.buffer.len();
            self.buffer.clear();
            if came >= length || !self.fill() {
                return (came >= length).then_some(came);
            }
        }
    }

    /// A line without its end.
    pub(crate) fn line(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let mut line = self.exactly(end + 2);
                line.truncate(end);
                return line;
            }
            assert!(self.fill(), "the connection ended after {:?}", self.buffer);
        }
    }

    /// Waits until the other end leaves; nothing may come before.
    pub(crate) fn over(&mut self) -> Over {
        while self.fill() {}
        assert!(self.buffer.is_empty(), "left over: {:?}", String::from_utf8_lossy(&self.buffer));
        self.over.expect("there is no more to read")
    }
}

fn later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn gone(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected)
}

/// Runs a future to its end, for the clients that are libraries.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(
        async { tokio::time::timeout(PATIENCE, future).await.expect("an answer in time") },
    )
}

/// A GET by a common HTTP library: status, fields, body.
pub(crate) fn get_by_library(url: &str) -> (u16, Fields, Vec<u8>) {
    wait_for(async {
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let response = client.get(url).send().await.expect("an answer");
        let fields: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect();
        let status = response.status().as_u16();
        (status, Fields(fields), response.bytes().await.expect("a body").to_vec())
    })
}
