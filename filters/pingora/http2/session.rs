//! A stream as Pingora gets to see it.
//!
//! Pingora's own session for HTTP/2 reads without a time limit, replaces the origin's `Date`, drops
//! interim answers and tells nobody how the client left.

mod asked;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, DATE, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Response};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::body_buffer::FixedBuffer;
use pingora::protocols::http::date::get_cached_date;
use pingora::{Error, Result};
use whodunit_filters::attribution::header;

use super::stream::{Slot, Stream};
use crate::arrival::ClientFacts;
use crate::{reply, view};

/// What of a request's body is kept for another attempt, in bytes; as much as Pingora keeps.
const RETRY: usize = 64 << 10;

/// One request and the answer to it.
pub(super) struct Session {
    request: RequestHeader,
    /// There until the session is dropped.
    stream: Option<Stream>,
    slot: Slot,
    facts: Arc<ClientFacts>,
    digest: Arc<Digest>,
    written: Option<Box<ResponseHeader>>,
    retry: Option<FixedBuffer>,
    /// Pingora is to get a way for messages beside the body.
    messages: bool,
    body_read: usize,
    body_sent: usize,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
    drain_timeout: Option<Duration>,
}

impl Session {
    pub(super) fn new(
        request: RequestHeader,
        stream: Stream,
        slot: Slot,
        facts: Arc<ClientFacts>,
        digest: Arc<Digest>,
    ) -> Self {
        Self {
            request,
            stream: Some(stream),
            slot,
            facts,
            digest,
            written: None,
            retry: None,
            messages: false,
            body_read: 0,
            body_sent: 0,
            read_timeout: None,
            write_timeout: None,
            drain_timeout: None,
        }
    }

    fn stream(&mut self) -> &mut Stream {
        self.stream.as_mut().expect("a session has its stream until it is dropped")
    }

    async fn read(&mut self) -> Result<Option<Bytes>> {
        let limit = self.read_timeout;
        let piece = self.stream().read(limit).await.map_err(Error::into_down)?;
        if let Some(piece) = &piece {
            self.body_read += piece.len();
            if let Some(retry) = &mut self.retry {
                retry.write_to_buffer(piece);
            }
        }
        Ok(piece)
    }

    async fn drain(&mut self) -> Result<()> {
        while self.read().await?.is_some() {}
        Ok(())
    }

    fn begin(&mut self, mut header: Box<ResponseHeader>, end: bool) -> Result<()> {
        if self.written.is_some() {
            return Ok(());
        }
        let interim = header.status.is_informational();
        strip(&mut header);
        if !interim {
            if !header.headers.contains_key(DATE) {
                header.insert_header(DATE, get_cached_date())?;
            }
            if let Some(ours) = self.facts.net.tell(header.status.as_u16()) {
                let theirs = view::joined(&header.headers, &reply::PROXY_STATUS);
                reply::attach(&mut header, &header::append(theirs.as_deref(), &ours));
            }
        }
        let answer = Response::from_parts(header.as_owned_parts(), ());
        if interim {
            self.stream().inform(answer);
            return Ok(());
        }
        self.facts.told(size(&header));
        self.stream().begin(answer, end).map_err(Error::into_down)?;
        self.written = Some(header);
        Ok(())
    }

    async fn write(&mut self, data: Bytes, end: bool) -> Result<()> {
        let length = data.len();
        let limit = self.write_timeout;
        self.stream().write(data, end, limit).await.map_err(Error::into_down)?;
        self.body_sent += length;
        Ok(())
    }
}

/// Takes out what belongs to one connection of HTTP/1 (RFC 9113 section 8.2.2).
fn strip(header: &mut ResponseHeader) {
    const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
    const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
    let nominated: Vec<HeaderName> = header
        .headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    let fixed = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TRANSFER_ENCODING, UPGRADE, TE];
    for name in nominated.iter().chain(&fixed) {
        header.remove_header(name);
    }
}

/// Bytes of an answer's head as it would be written in HTTP/1.1.
fn size(header: &ResponseHeader) -> usize {
    let reason = header.status.canonical_reason().map_or(0, str::len);
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + ": \r\n".len()
    };
    let fields: usize = header.headers.iter().map(line).sum();
    "HTTP/1.1 200 \r\n".len() + reason + fields + "\r\n".len()
}

impl Drop for Session {
    fn drop(&mut self) {
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}
