//! One connection, byte by byte.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// The longest that the lab waits for a peer, and the longest that a fault lasts.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);

/// How long a closed connection is still read from.
const LINGER: Duration = Duration::from_secs(5);

/// A request's head may be this long.
const HEAD_MAX: usize = 256 * 1024;

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// How an exchange leaves its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Open, for the next request.
    Next,
    /// Closed with a FIN, whatever the peer may still send.
    Close,
    /// Closed at once: the kernel sends a FIN, or a RST when bytes lie unread.
    Drop,
    /// Closed with a RST.
    Reset,
}

/// A stream that can be cut off.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Makes the close to come a RST, where there is such a thing.
    fn cut(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn cut(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl Stream for UnixStream {
    fn cut(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection and what has been read from it but not yet used.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), buffer: BytesMut::new() }
    }

    /// Whether bytes have been read that nobody has used yet.
    pub(super) fn holds_bytes(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// Reads more; 0 at the end of the stream.
    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(PIECE);
        timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await?
    }

    async fn need(&mut self) -> io::Result<()> {
        match self.fill().await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// A whole head, as `length_of` measures it; `None` when the peer closed before its first byte.
    pub(super) async fn head(
        &mut self,
        length_of: impl Fn(&[u8]) -> io::Result<Option<usize>>,
    ) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(length) = length_of(&self.buffer)? {
                return Ok(Some(self.buffer.split_to(length).freeze()));
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "head too large"));
            }
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// At least one byte and at most `most`.
    pub(super) async fn some(&mut self, most: usize) -> io::Result<Bytes> {
        if self.buffer.is_empty() {
            self.need().await?;
        }
        let length = most.min(self.buffer.len());
        Ok(self.buffer.split_to(length).freeze())
    }

    /// Exactly `length` bytes.
    pub(super) async fn exactly(&mut self, length: usize) -> io::Result<BytesMut> {
        while self.buffer.len() < length {
            self.need().await?;
        }
        Ok(self.buffer.split_to(length))
    }

    /// A line without its end.
    pub(super) async fn line(&mut self, most: usize) -> io::Result<Bytes> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(2);
                return Ok(line);
            }
            if self.buffer.len() > most {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "line too long"));
            }
            self.need().await?;
        }
    }

    /// Reads and forgets until the peer closes.
    pub(super) async fn exhaust(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            if self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(PIECE) {
            timeout(PATIENCE, self.stream.write_all(piece)).await??;
        }
        Ok(())
    }

    /// Sends `unit` over and over.
    pub(super) async fn repeat(&mut self, unit: &[u8], times: usize) -> io::Result<()> {
        let batch = (PIECE / unit.len()).clamp(1, times.max(1));
        let block = unit.repeat(batch);
        let mut left = times;
        while left > 0 {
            let now = left.min(batch);
            self.send(&block[..now * unit.len()]).await?;
            left -= now;
        }
        Ok(())
    }

    /// Ends the connection.
    pub(super) async fn end(mut self, after: After) -> io::Result<()> {
        match after {
            After::Reset => self.stream.cut(),
            After::Drop => Ok(()),
            // Closing a socket that holds unread bytes sends a RST, which may overtake the answer:
            // so the write side goes first, and what the peer still sends is read away.
            After::Next | After::Close => {
                self.stream.shutdown().await?;
                timeout(LINGER, self.exhaust()).await?
            }
        }
    }
}
