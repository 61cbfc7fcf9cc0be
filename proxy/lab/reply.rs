//! Answers that keep to the protocol.

use std::fmt::Write;
use std::io;

use super::body::Body;
use super::request::Request;
use super::wire::{After, Wire};

/// One request with the connection to answer it on.
pub(super) struct Turn<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) request: &'a Request,
    pub(super) body: Body,
}

/// How an answer's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// There is no body, nor a length.
    Nothing,
    Length(u64),
    /// In chunks; for HTTP/1.0, by the end of the connection.
    Chunked,
    /// By the end of the connection.
    End,
}

/// A body in the making.
pub(super) struct Flow {
    chunked: bool,
    /// The answer has no body: to `HEAD`.
    mute: bool,
    after: After,
}

impl Turn<'_> {
    /// Sends the head of an answer.
    pub(super) async fn begin(
        &mut self,
        status: u16,
        fields: &[(&str, &str)],
        extent: Extent,
    ) -> io::Result<Flow> {
        let old = self.request.minor == 0;
        let extent = if old && extent == Extent::Chunked { Extent::End } else { extent };
        let keep = self.request.persists() && extent != Extent::End;
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|s| s.canonical_reason())
            .unwrap_or("");
        let mut head = format!("HTTP/1.1 {status} {reason}\r\n");
        for (name, value) in fields {
            write!(head, "{name}: {value}\r\n").expect("a String takes everything");
        }
        match extent {
            Extent::Nothing | Extent::End => {}
            Extent::Length(length) => {
                write!(head, "Content-Length: {length}\r\n").expect("a String takes everything");
            }
            Extent::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        }
        match (keep, old) {
            (true, true) => head.push_str("Connection: keep-alive\r\n"),
            (true, false) => {}
            (false, _) => head.push_str("Connection: close\r\n"),
        }
        head.push_str("\r\n");
        self.wire.send(head.as_bytes()).await?;
        Ok(Flow {
            chunked: extent == Extent::Chunked,
            mute: self.request.is_head(),
            after: if keep { After::Next } else { After::Close },
        })
    }

    /// Reads the request to its end, then answers it.
    pub(super) async fn reply(
        &mut self,
        status: u16,
        fields: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<After> {
        self.body.read(self.wire, u64::MAX).await?;
        let mut flow = self.begin(status, fields, Extent::Length(body.len() as u64)).await?;
        flow.send(self.wire, body).await?;
        flow.finish(self.wire, &[]).await
    }

    /// The same with a text.
    pub(super) async fn say(&mut self, status: u16, text: &str) -> io::Result<After> {
        self.reply(status, &[("Content-Type", "text/plain; charset=utf-8")], text.as_bytes()).await
    }
}

impl Flow {
    pub(super) async fn send(&mut self, wire: &mut Wire, piece: &[u8]) -> io::Result<()> {
        if self.mute || piece.is_empty() {
            return Ok(());
        }
        if !self.chunked {
            return wire.send(piece).await;
        }
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        wire.send(&chunk).await
    }

    /// Ends the body, with trailer fields if it is chunked.
    pub(super) async fn finish(
        self,
        wire: &mut Wire,
        trailers: &[(&str, &str)],
    ) -> io::Result<After> {
        if self.chunked && !self.mute {
            let mut end = String::from("0\r\n");
            for (name, value) in trailers {
                write!(end, "{name}: {value}\r\n").expect("a String takes everything");
            }
            end.push_str("\r\n");
            wire.send(end.as_bytes()).await?;
        }
        Ok(self.after)
    }
}
