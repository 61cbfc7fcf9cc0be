//! A client that writes bytes as they are and takes an answer as it comes.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::scene::{LARGE, LARGE_BYTES, Manner};

/// What came back.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    /// The header section, without the empty line; empty when none came.
    pub(super) head: String,
    /// How much of the body came.
    pub(super) body: usize,
    /// Whether it was complete.
    pub(super) whole: bool,
}

/// How long a client waits that does not wait for long.
const HURRY: Duration = Duration::from_millis(300);
/// The most bytes of an answer that are kept.
const MAX: usize = 1 << 20;

impl Answer {
    /// The status; 0 when there is none.
    pub(super) fn status(&self) -> u16 {
        let status = self.head.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.unwrap_or_default()
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn of(bytes: &[u8], ended: bool) -> Self {
        let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Self::default();
        };
        let head = String::from_utf8_lossy(&bytes[..at]).replace('\r', "");
        let body = &bytes[at + 4..];
        let mut answer = Self { head, body: body.len(), whole: false };
        answer.whole = match answer.field("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => body.len() >= length,
            None if answer.field("transfer-encoding").is_some() => body.ends_with(b"0\r\n\r\n"),
            None => ended,
        };
        answer
    }
}

/// Sends a request and takes the answer.
pub(super) async fn ask(to: SocketAddr, request: &str, manner: Manner) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(to).await?;
    let mut bytes = request.replace('\n', "\r\n").replace(LARGE, &"x".repeat(LARGE_BYTES));
    if manner != Manner::Unfinished {
        bytes.push_str("\r\n");
    }
    // An answer may come, and the connection go, before all of a bad request is written.
    let written = stream.write_all(bytes.as_bytes()).await;
    if manner == Manner::Leaving {
        written?;
        // The answer of an origin that never answers does not come meanwhile.
        let _ = timeout(HURRY, stream.readable()).await;
        return Ok(Answer::default());
    }
    let mut got = Vec::new();
    let mut buffer = vec![0; 16 << 10];
    loop {
        match stream.read(&mut buffer).await {
            Ok(1..) if got.len() > MAX => break,
            Ok(n @ 1..) => {
                got.extend_from_slice(&buffer[..n]);
                let answer = Answer::of(&got, false);
                if answer.whole {
                    return Ok(answer);
                }
            }
            Ok(0) => return Ok(Answer::of(&got, true)),
            // What came before is an answer that was broken off.
            Err(_) => break,
        }
    }
    Ok(Answer::of(&got, false))
}
