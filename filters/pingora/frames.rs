//! Follows the frames of one direction of an HTTP/2 connection (RFC 9113 section 4.1), without
//! holding any of them.

use crate::http2::PREFACE;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) length: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Frame {
    /// Whether nothing follows on this stream in this direction.
    pub(crate) const fn ends_stream(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    /// Whether a header section is complete with it.
    pub(crate) const fn ends_headers(self) -> bool {
        matches!(self.kind, HEADERS | CONTINUATION) && self.flags & END_HEADERS != 0
    }
}

/// What was seen of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Its header.
    Begun(Frame),
    /// So many more bytes of its payload.
    Went(Frame, usize),
    /// Its end.
    Ended(Frame, Word),
}

/// What an `RST_STREAM` or a `GOAWAY` says: the first bytes of its payload (RFC 9113 sections 6.4 and
/// 6.8). Of other frames nothing is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word([u8; 8]);

impl Word {
    /// The error code of an `RST_STREAM`.
    pub(crate) const fn reset(self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        u32::from_be_bytes([a, b, c, d])
    }

    /// The last stream and the error code of a `GOAWAY`.
    pub(crate) const fn goaway(self) -> (u32, u32) {
        let [.., a, b, c, d] = self.0;
        (self.reset() & !(1 << 31), u32::from_be_bytes([a, b, c, d]))
    }
}

const HEADER: usize = 9;

/// The place in one direction.
#[derive(Debug)]
pub(crate) struct Frames {
    preface: usize,
    header: [u8; HEADER],
    have: usize,
    frame: Option<Frame>,
    left: usize,
    word: Word,
    /// A header section has begun and not ended.
    open: bool,
}

impl Frames {
    /// What a client sends, from its preface on.
    pub(crate) const fn of_client() -> Self {
        Self { preface: PREFACE.len(), ..Self::of_server() }
    }

    /// What is sent to a client.
    pub(crate) const fn of_server() -> Self {
        let header = [0; HEADER];
        Self { preface: 0, header, have: 0, frame: None, left: 0, word: Word([0; 8]), open: false }
    }

    /// Whether something has begun that nothing else can go before: a header section, or a frame
    /// that is not DATA.
    pub(crate) fn midway(&self) -> bool {
        let kind = self.frame.map(|frame| frame.kind);
        self.open || self.have > 0 || kind.is_some_and(|kind| kind != DATA)
    }

    /// Takes these bytes, which follow on those before.
    pub(crate) fn scan(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen)) {
        let skipped = self.preface.min(bytes.len());
        self.preface -= skipped;
        bytes = &bytes[skipped..];
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.header(&mut bytes) {
                    Some(frame) => {
                        see(Seen::Begun(frame));
                        frame
                    }
                    None => return,
                },
            };
            let went = self.left.min(bytes.len());
            if went > 0 {
                if matches!(frame.kind, RST_STREAM | GOAWAY) {
                    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
                    let room = self.word.0.iter_mut().skip(length - self.left);
                    room.zip(&bytes[..went]).for_each(|(kept, byte)| *kept = *byte);
                }
                bytes = &bytes[went..];
                self.left -= went;
                see(Seen::Went(frame, went));
            }
            if self.left > 0 {
                return;
            }
            self.frame = None;
            self.open = match frame.kind {
                HEADERS | CONTINUATION => !frame.ends_headers(),
                _ => self.open,
            };
            see(Seen::Ended(frame, std::mem::take(&mut self.word)));
        }
    }

    /// Takes a frame's header, if the bytes have it whole.
    fn header(&mut self, bytes: &mut &[u8]) -> Option<Frame> {
        let taken = (HEADER - self.have).min(bytes.len());
        self.header[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
        self.have += taken;
        *bytes = &bytes[taken..];
        if self.have < HEADER {
            return None;
        }
        self.have = 0;
        let [a, b, c, kind, flags, stream @ ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]);
        let frame = Frame { length, kind, flags, stream: u32::from_be_bytes(stream) & !(1 << 31) };
        self.left = usize::try_from(length).unwrap_or(usize::MAX);
        self.frame = Some(frame);
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    #[test]
    fn pieces_say_the_same_as_the_whole() {
        let bytes = [
            &PREFACE[..],
            &frame(4, 0, 0, &[]),
            &frame(HEADERS, END_STREAM, 1, b"abc"),
            &frame(CONTINUATION, END_HEADERS, 1, b"d"),
            &frame(DATA, END_STREAM, 3, b"hello"),
            &frame(RST_STREAM, 0, 3, &8_u32.to_be_bytes()),
            &frame(GOAWAY, 0, 0, b"\x80\0\0\x05\0\0\0\x02why"),
        ]
        .concat();
        let ends = |piece: usize| {
            let mut frames = Frames::of_client();
            let (mut ends, mut went) = (Vec::new(), 0);
            for bytes in bytes.chunks(piece) {
                frames.scan(bytes, |seen| match seen {
                    Seen::Went(_, length) => went += length,
                    Seen::Ended(frame, code) => ends.push((frame, code)),
                    Seen::Begun(_) => {}
                });
            }
            assert_eq!((went, frames.midway()), (3 + 1 + 5 + 4 + 11, false));
            ends
        };
        let whole = ends(bytes.len());
        let kinds: Vec<_> = whole.iter().map(|(frame, _)| (frame.kind, frame.stream)).collect();
        assert_eq!(
            kinds,
            [(4, 0), (HEADERS, 1), (CONTINUATION, 1), (DATA, 3), (RST_STREAM, 3), (GOAWAY, 0)]
        );
        assert_eq!(whole[4].1.reset(), 8);
        assert_eq!(whole[5].1.goaway(), (5, 2));
        assert!(whole[1].0.ends_stream() && !whole[1].0.ends_headers());
        for piece in 1..12 {
            assert_eq!(ends(piece), whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn only_what_blocks_the_rest_is_midway() {
        let midway = |bytes: &[u8]| {
            let mut frames = Frames::of_server();
            frames.scan(bytes, |_| {});
            frames.midway()
        };
        assert!(!midway(b""));
        assert!(midway(&[0, 0]));
        assert!(midway(&frame(HEADERS, END_HEADERS, 1, b"abc")[..10]));
        assert!(midway(&frame(HEADERS, 0, 1, b"abc")));
        assert!(!midway(&frame(HEADERS, END_HEADERS, 1, b"abc")));
        assert!(!midway(&frame(DATA, 0, 1, b"abc")[..10]));
    }
}
