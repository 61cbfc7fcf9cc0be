//! A request's body, read piece by piece.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};

use super::request::{Framing, Request};
use super::seen::Log;
use super::wire::Wire;

const PIECE: u64 = 64 * 1024;
const LINE_MAX: usize = 16 * 1024;
const TRAILERS_MAX: usize = 100;

#[derive(Clone, Copy, Debug)]
enum Left {
    Nothing,
    Bytes(u64),
    /// The next chunk's size line.
    Size,
    /// Of this chunk.
    Chunk(u64),
}

/// The body; what is read of it is noted in the log of requests.
pub(super) struct Body {
    left: Left,
    /// The client waits for a `100 Continue`.
    awaited: bool,
    length: u64,
    hash: Sha1,
    log: Arc<Log>,
    number: u64,
}

impl Body {
    pub(super) fn new(request: &Request, log: Arc<Log>, number: u64) -> Self {
        let left = match request.framing {
            Framing::Absent => Left::Nothing,
            Framing::Length(length) => Left::Bytes(length),
            Framing::Chunked => Left::Size,
        };
        let awaited = request.minor > 0 && request.lists("expect", "100-continue");
        let body = Self { left, awaited, length: 0, hash: Sha1::new(), log, number };
        body.note();
        body
    }

    /// The bytes read so far.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether nothing of it is left.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.left, Left::Nothing)
    }

    /// The SHA-1 of the bytes read so far, in hexadecimal.
    pub(super) fn sha1(&self) -> String {
        self.hash.clone().finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a String takes everything");
            text
        })
    }

    fn note(&self) {
        self.log.note(self.number, self.length, self.sha1(), self.is_done());
    }

    /// The next piece; `None` at the end.
    pub(super) async fn next(&mut self, wire: &mut Wire) -> io::Result<Option<Bytes>> {
        if std::mem::take(&mut self.awaited) && !self.is_done() && !wire.holds_bytes() {
            wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        loop {
            match self.left {
                Left::Nothing => return Ok(None),
                Left::Bytes(left) => {
                    let piece = self.piece(wire, left).await?;
                    let left = left - piece.len() as u64;
                    self.left = if left == 0 { Left::Nothing } else { Left::Bytes(left) };
                    if left == 0 {
                        self.note();
                    }
                    return Ok(Some(piece));
                }
                Left::Size => match chunk_size(&wire.line(LINE_MAX).await?)? {
                    0 => {
                        skip_trailers(wire).await?;
                        self.left = Left::Nothing;
                        self.note();
                    }
                    size => self.left = Left::Chunk(size),
                },
                Left::Chunk(0) => {
                    if !wire.line(LINE_MAX).await?.is_empty() {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "chunk end"));
                    }
                    self.left = Left::Size;
                }
                Left::Chunk(left) => {
                    let piece = self.piece(wire, left).await?;
                    self.left = Left::Chunk(left - piece.len() as u64);
                    return Ok(Some(piece));
                }
            }
        }
    }

    async fn piece(&mut self, wire: &mut Wire, left: u64) -> io::Result<Bytes> {
        let most = usize::try_from(left.min(PIECE)).expect("at most a piece");
        let piece = wire.some(most).await?;
        self.length += piece.len() as u64;
        self.hash.update(&piece);
        Ok(piece)
    }

    /// Reads it to its end, or until `most` bytes of it have been read.
    pub(super) async fn read(&mut self, wire: &mut Wire, most: u64) -> io::Result<()> {
        while self.length < most && self.next(wire).await?.is_some() {}
        Ok(())
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.is_done() {
            self.note();
        }
    }
}

fn chunk_size(line: &[u8]) -> io::Result<u64> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    std::str::from_utf8(digits)
        .ok()
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "chunk size"))
}

async fn skip_trailers(wire: &mut Wire) -> io::Result<()> {
    for _ in 0..TRAILERS_MAX {
        if wire.line(LINE_MAX).await?.is_empty() {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "trailers"))
}
