//! The origin behind both: it answers as the row at hand says, and takes down what it was asked.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::row::{FINE, Reply};
use crate::rig::message::{Fields, Request};
use crate::rig::origin::{Conversation, Origin};

/// Asked for afterwards, to see whether a connection is kept.
pub(super) const PROBE: &str = "/is-it-kept";

/// Between the pieces of an answer.
const PAUSE: Duration = Duration::from_millis(20);

/// A request as it arrived.
#[derive(Clone)]
pub(super) struct Got {
    pub(super) line: String,
    pub(super) fields: Fields,
    pub(super) body: Vec<u8>,
    /// The lines after the last chunk.
    pub(super) trailers: String,
}

/// What the origin is to answer, and what it was asked.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<(Reply, Vec<Got>)>>);

impl Stage {
    /// An origin on this stage.
    pub(super) fn origin(&self) -> Origin {
        let stage = self.clone();
        Origin::new(move |mut connection| {
            while let Some(request) = connection.head() {
                let Some(closes) = stage.serve(&mut connection, request) else { return };
                if closes {
                    return connection.close();
                }
            }
        })
    }

    /// From now on it answers this, and has been asked nothing.
    pub(super) fn set(&self, reply: &Reply) {
        *self.lock() = (reply.clone(), Vec::new());
    }

    /// What it was asked since.
    pub(super) fn got(&self) -> Vec<Got> {
        self.lock().1.clone()
    }

    fn lock(&self) -> MutexGuard<'_, (Reply, Vec<Got>)> {
        self.0.lock().expect("no origin panicked")
    }

    /// Whether it is to close afterwards; `None` when the request did not come to its end.
    fn serve(&self, connection: &mut Conversation, request: Request) -> Option<bool> {
        let reply = self.lock().0.clone();
        if request.fields.text("expect").is_some() {
            connection.send(reply.invitation);
        }
        let (body, trailers) = body(connection, &request)?;
        if request.target == PROBE {
            connection.send(FINE);
            return Some(false);
        }
        let Request { method, target, minor, fields, .. } = request;
        let line = format!("{method} {target} HTTP/1.{minor}");
        self.lock().1.push(Got { line, fields, body, trailers });
        for (number, piece) in reply.pieces.iter().enumerate() {
            if number > 0 {
                std::thread::sleep(PAUSE);
            }
            connection.send(piece);
        }
        Some(reply.closes)
    }
}

/// The body of a request and its trailers.
fn body(connection: &mut Conversation, request: &Request) -> Option<(Vec<u8>, String)> {
    let length = request.fields.text("content-length").map(|l| l.parse().expect("a length"));
    let chunked = request.fields.text("transfer-encoding").is_some();
    let mut bytes = connection.unread();
    loop {
        if chunked {
            if let Some(whole) = dechunked(&bytes) {
                return Some(whole);
            }
        } else if bytes.len() >= length.unwrap_or(0) {
            return Some((bytes, String::new()));
        }
        if !connection.fill() {
            return None;
        }
        bytes.extend(connection.unread());
    }
}

/// A body in chunks, once it is whole, and its trailers.
fn dechunked(bytes: &[u8]) -> Option<(Vec<u8>, String)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let Ok(httparse::Status::Complete((skip, size))) = httparse::parse_chunk_size(&bytes[at..])
        else {
            return None;
        };
        at += skip;
        if size == 0 {
            let rest = &bytes[at..];
            let whole = rest == b"\r\n" || rest.ends_with(b"\r\n\r\n");
            return whole.then(|| (body, String::from_utf8_lossy(rest).trim_end().to_owned()));
        }
        let size = usize::try_from(size).expect("it fits into memory");
        body.extend_from_slice(bytes.get(at..at + size)?);
        at += size + 2;
        if at > bytes.len() {
            return None;
        }
    }
}
