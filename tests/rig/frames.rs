//! HTTP/2 frame by frame (RFC 9113 section 4), for what no library would send.

use super::h2client::field;
use super::origin::Conversation;

/// What a client says first (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// The flag of SETTINGS and PING that says: I have seen yours.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// No changes to how the protocol begins.
    pub(crate) fn settings() -> Self {
        Self { kind: SETTINGS, flags: 0, stream: 0, payload: Vec::new() }
    }

    /// That the other end's settings have been seen.
    pub(crate) fn settings_seen() -> Self {
        Self { flags: ACK, ..Self::settings() }
    }

    /// The end of the connection: streams after `last` have not been looked at.
    pub(crate) fn goaway(last: u32, code: u32) -> Self {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        Self { kind: GOAWAY, flags: 0, stream: 0, payload }
    }

    /// The end of a stream.
    pub(crate) fn reset(stream: u32, code: u32) -> Self {
        Self { kind: RST_STREAM, flags: 0, stream, payload: code.to_be_bytes().to_vec() }
    }

    /// A header section with this status alone (RFC 7541 section 6.2.2: a literal, not indexed).
    pub(crate) fn status(stream: u32, status: u16, end: bool) -> Self {
        let mut payload = vec![0x08, 3];
        payload.extend_from_slice(status.to_string().as_bytes());
        let flags = END_HEADERS | if end { END_STREAM } else { 0 };
        Self { kind: HEADERS, flags, stream, payload }
    }

    /// A header section with this status and these fields.
    pub(crate) fn header(stream: u32, status: u16, fields: &[(&str, &str)]) -> Self {
        let mut frame = Self::status(stream, status, false);
        frame.payload.extend(fields.iter().flat_map(|(name, value)| field(name, value)));
        frame
    }

    /// The section after a body, which ends the stream.
    pub(crate) fn trailers(stream: u32, fields: &[(&str, &str)]) -> Self {
        let payload = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        Self { kind: HEADERS, flags: END_HEADERS | END_STREAM, stream, payload }
    }

    /// A piece of a body.
    pub(crate) fn data(stream: u32, payload: &[u8], end: bool) -> Self {
        let flags = if end { END_STREAM } else { 0 };
        Self { kind: DATA, flags, stream, payload: payload.to_vec() }
    }

    /// So much more may be sent on this stream, or on the connection (0).
    pub(crate) fn window(stream: u32, bytes: u32) -> Self {
        Self { kind: WINDOW_UPDATE, flags: 0, stream, payload: bytes.to_be_bytes().to_vec() }
    }

    /// So much may be sent on each stream (RFC 9113 section 6.5.2).
    pub(crate) fn initial_window(bytes: u32) -> Self {
        Self { payload: [&[0, 4][..], &bytes.to_be_bytes()].concat(), ..Self::settings() }
    }

    /// As it is sent.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a small frame").to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend_from_slice(&[self.kind, self.flags]);
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The frame that these bytes begin with, and its length; `None` when there is more to come.
    fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let (head, rest) = bytes.split_first_chunk::<9>()?;
        let length = usize::try_from(u32::from_be_bytes([0, head[0], head[1], head[2]])).ok()?;
        let payload = rest.get(..length)?.to_vec();
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some((Self { kind: head[3], flags: head[4], stream, payload }, 9 + length))
    }
}

/// One end of a connection that speaks in frames.
pub(crate) struct Framed {
    connection: Conversation,
    buffer: Vec<u8>,
}

impl Framed {
    /// An origin's end, once the preface was read and both settings were seen; `None` when the
    /// proxy says something else.
    pub(crate) fn greet(mut connection: Conversation) -> Option<Self> {
        let mut buffer = connection.unread();
        while buffer.len() < PREFACE.len() {
            if !connection.fill() {
                return None;
            }
            buffer.append(&mut connection.unread());
        }
        if !buffer.starts_with(PREFACE) {
            return None;
        }
        buffer.drain(..PREFACE.len());
        let mut framed = Self { connection, buffer };
        framed.send(&Frame::settings());
        framed.send(&Frame::settings_seen());
        Some(framed)
    }

    /// The next frame; `None` when the proxy has left.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = Frame::parse(&self.buffer) {
                self.buffer.drain(..length);
                return Some(frame);
            }
            if !self.connection.fill() {
                return None;
            }
            self.buffer.append(&mut self.connection.unread());
        }
    }

    /// The stream of the next request; `None` when the proxy has left.
    pub(crate) fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.frame()?;
            if frame.kind == HEADERS {
                return Some(frame.stream);
            }
        }
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &Frame) {
        self.connection.pour(&frame.bytes());
    }

    /// Sends these frames in one piece.
    pub(crate) fn send_all(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.connection.pour(&bytes);
    }

    /// The connection, to be held or ended.
    pub(crate) fn connection(self) -> Conversation {
        self.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was() {
        for frame in [
            Frame::goaway(0, 11),
            Frame::reset(1, 7),
            Frame::status(3, 413, true),
            Frame::data(3, b"abc", false),
        ] {
            let bytes = frame.bytes();
            assert_eq!(Frame::parse(&bytes), Some((frame, bytes.len())));
            assert_eq!(Frame::parse(&bytes[..bytes.len() - 1]), None);
        }
    }
}
