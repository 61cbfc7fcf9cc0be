//! One connection to an origin, byte by byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;

use super::Journal;
use crate::rig::PATIENCE;
use crate::rig::message::{self, Request};
use crate::rig::tls::{Session, Tls};

/// One connection that the proxy made.
pub(crate) struct Conversation {
    stream: Arc<Stream>,
    buffer: Vec<u8>,
    journal: Journal,
    entry: Option<usize>,
}

pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<Session>),
}

impl Conversation {
    pub(super) fn new(stream: Arc<Stream>, journal: Journal) -> Self {
        Self { stream, buffer: Vec::new(), journal, entry: None }
    }

    /// The next request with its body; `None` when the proxy has left.
    pub(crate) fn request(&mut self) -> Option<Request> {
        let mut request = self.head()?;
        let chunked = request.fields.text("transfer-encoding").is_some();
        let length = request.fields.text("content-length").map(|l| l.parse().expect("a length"));
        request.body = loop {
            if chunked {
                if let (body, Some(end)) = message::unchunk(&self.buffer) {
                    self.buffer.drain(..end);
                    break body;
                }
            } else if self.buffer.len() >= length.unwrap_or(0) {
                break self.buffer.drain(..length.unwrap_or(0)).collect();
            }
            if !self.fill() {
                return None;
            }
        };
        self.journal.asked(self.entry.expect("the head is there"), request.clone());
        Some(request)
    }

    /// The head of the next request; `None` when the proxy has left.
    pub(crate) fn head(&mut self) -> Option<Request> {
        let (request, length) = loop {
            match message::request(&self.buffer) {
                Some(head) => break head,
                None if self.fill() => {}
                None => return None,
            }
        };
        self.buffer.drain(..length);
        self.entry = Some(self.journal.note(request.clone()));
        Some(request)
    }

    /// Reads more of what the proxy sends; `false` when there is no more.
    pub(crate) fn fill(&mut self) -> bool {
        let mut piece = vec![0; 64 * 1024];
        let length = self.stream.read(&mut piece);
        self.buffer.extend_from_slice(&piece[..length]);
        length > 0
    }

    /// Whether what comes next begins with these bytes.
    pub(crate) fn begins(&mut self, bytes: &[u8]) -> bool {
        while self.buffer.len() < bytes.len() && self.fill() {}
        self.buffer.starts_with(bytes)
    }

    /// What has been read and belongs to no request yet.
    pub(crate) fn unread(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Reads and forgets the body of the request whose head was read: how many bytes came.
    pub(crate) fn swallow(&mut self) -> usize {
        let entry = self.entry.expect("the head is there");
        let fields = self.journal.entries()[entry].request.fields.clone();
        if fields.text("transfer-encoding").is_some() {
            let mut buffer = self.unread();
            let whole = message::swallow_chunks(&mut buffer, |buffer| {
                let more = self.fill();
                buffer.append(&mut self.buffer);
                more
            });
            return whole.expect("a last chunk");
        }
        let length: usize =
            fields.text("content-length").expect("a length").parse().expect("a number");
        let mut came = 0;
        loop {
            came += self.unread().len();
            if came >= length || !self.fill() {
                return came;
            }
        }
    }

    /// Sends these bytes without a note of it.
    pub(crate) fn pour(&mut self, bytes: &[u8]) {
        self.stream.write(bytes);
    }

    /// Sends these bytes beneath TLS, where that is spoken: to whoever speaks it, they are nonsense.
    pub(crate) fn pour_beneath(&mut self, bytes: &[u8]) {
        match &*self.stream {
            Stream::Tls(session) => drop(session.socket().write_all(bytes)),
            stream => stream.write(bytes),
        }
    }

    /// Sends these bytes, as far as the proxy takes them.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        if let Some(entry) = self.entry {
            self.journal.answered(entry, bytes.as_ref());
        }
        self.stream.write(bytes.as_ref());
    }

    /// Sends a FIN, after the goodbye of TLS where that is spoken, and reads until the proxy leaves
    /// as well.
    pub(crate) fn close(self) {
        if let Stream::Tls(session) = &*self.stream {
            session.say_goodbye();
        }
        self.cut();
    }

    /// The same without a goodbye: over TLS, whoever reads cannot know whether that was the end.
    pub(crate) fn cut(mut self) {
        self.stream.shut(Shutdown::Write);
        while self.fill() {}
        self.stream.shut(Shutdown::Both);
    }

    /// Sends a RST.
    pub(crate) fn reset(self) {
        let socket = match &*self.stream {
            Stream::Tcp(stream) => stream,
            Stream::Tls(session) => session.socket(),
            Stream::Unix(_) => return,
        };
        SockRef::from(socket).set_linger(Some(Duration::ZERO)).expect("a TCP socket");
    }

    /// Whether the proxy leaves within this time.
    pub(crate) fn left_within(&mut self, time: Duration) -> bool {
        self.stream.wait_for_reads(time);
        let mut piece = [0; 1024];
        let left = match self.stream.try_read(&mut piece) {
            Ok(length) => length == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.stream.wait_for_reads(PATIENCE);
        left
    }

    /// Keeps the connection open until the proxy leaves.
    pub(crate) fn hold(mut self) {
        while self.fill() {}
    }
}

impl Stream {
    fn read(&self, into: &mut [u8]) -> usize {
        self.try_read(into).unwrap_or(0)
    }

    fn try_read(&self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => (&mut &*stream).read(into),
            Self::Unix(stream) => (&mut &*stream).read(into),
            Self::Tls(session) => session.read(into),
        }
    }

    /// How long a read waits at most.
    fn wait_for_reads(&self, time: Duration) {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(time)),
            Self::Unix(stream) => stream.set_read_timeout(Some(time)),
            Self::Tls(session) => session.socket().set_read_timeout(Some(time)),
        }
        .expect("a timeout can be set");
    }

    /// A proxy that has left already takes nothing, and that is not the origin's concern.
    fn write(&self, bytes: &[u8]) {
        match self {
            Self::Tcp(stream) => (&mut &*stream).write_all(bytes).ok(),
            Self::Unix(stream) => (&mut &*stream).write_all(bytes).ok(),
            Self::Tls(session) => session.write_all(bytes).ok(),
        };
    }

    pub(super) fn shut(&self, how: Shutdown) {
        match self {
            Self::Tcp(stream) => stream.shutdown(how).ok(),
            Self::Unix(stream) => stream.shutdown(how).ok(),
            Self::Tls(session) => session.socket().shutdown(how).ok(),
        };
    }

    /// The same once TLS is spoken on it, if it is to be; `None` when that failed.
    pub(super) fn greeted(self, tls: Option<&Tls>) -> Option<Self> {
        match (self, tls) {
            (Self::Tcp(socket), Some(tls)) => tls.greet(socket).map(Box::new).map(Self::Tls),
            (stream, _) => Some(stream),
        }
    }

    pub(super) fn bound_waits(&self) {
        match self {
            Self::Tcp(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
                stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
                stream.set_nodelay(true).expect("Nagle can be turned off");
            }
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
                stream.set_write_timeout(Some(PATIENCE)).expect("a timeout can be set");
            }
            // Before there is a session there is a socket.
            Self::Tls(_) => {}
        }
    }
}
