//! A header section on its way to the origin, with lines of ours at its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pingora::protocols::Stream;
use tokio::io::AsyncWrite;

/// What is written in place of a header section.
#[derive(Debug)]
pub(super) struct Letter {
    bytes: Vec<u8>,
    written: usize,
    stands_for: usize,
}

impl Letter {
    /// Puts the lines at the end of a header section, which Pingora writes in one piece. They are
    /// used up.
    ///
    /// # Errors
    /// When the bytes are no whole header section.
    pub(super) fn new(head: &[u8], lines: &mut Vec<u8>) -> io::Result<Self> {
        let Some(open) = head.strip_suffix(b"\r\n").filter(|open| open.ends_with(b"\r\n")) else {
            return Err(io::Error::other("a header section in pieces"));
        };
        let mut bytes = Vec::with_capacity(head.len() + lines.len());
        bytes.extend_from_slice(open);
        bytes.append(lines);
        bytes.extend_from_slice(b"\r\n");
        Ok(Self { bytes, written: 0, stands_for: head.len() })
    }

    /// Writes on. Ready when all of it is out, with the length of what it stands for.
    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
    ) -> Poll<io::Result<usize>> {
        while self.written < self.bytes.len() {
            let written =
                ready!(Pin::new(&mut *stream).poll_write(cx, &self.bytes[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Poll::Ready(Ok(self.stands_for))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn the_lines_come_last_whatever_the_pieces() {
        let (ours, mut theirs) = duplex(7);
        let mut stream: Stream = Box::new(ours);
        let head = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
        let mut lines = b"Via: 1.1 edge\r\n".to_vec();
        let mut letter = Letter::new(head, &mut lines).expect("a whole one");
        assert!(lines.is_empty());
        let reader = tokio::spawn(async move {
            let mut came = String::new();
            theirs.read_to_string(&mut came).await.expect("text");
            came
        });
        let written = poll_fn(|cx| letter.poll_write(cx, &mut stream)).await.expect("room");
        assert_eq!(written, head.len());
        drop(stream);
        let came = reader.await.expect("no panic");
        assert_eq!(came, "GET / HTTP/1.1\r\nHost: app.test\r\nVia: 1.1 edge\r\n\r\n");
        assert!(Letter::new(b"GET / HTTP/1.1\r\nHost: a\r\n", &mut lines).is_err());
    }
}
