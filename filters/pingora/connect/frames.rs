//! Two things that an HTTP/2 library does not tell of a connection: what its first bytes were, if
//! they were no HTTP/2, and which stream is the last one that the other end will answer. And a
//! goodbye that is followed by the connection's end at once gets lost there.

use std::sync::Arc;

use super::wire::Wire;

/// A frame's header (RFC 9113 section 4.1): 24 bits of length, 8 of type, 8 of flags, 32 of stream.
const HEADER: usize = 9;
/// The type of `GOAWAY` (RFC 9113 section 6.8), and how its payload begins: the last stream and an
/// error code.
const GOAWAY: u8 = 7;
const GOODBYE: usize = 8;
/// The most of the first bytes that is kept.
const OPENING: usize = 64;

/// Follows the frames that come in, by their headers alone.
#[derive(Debug)]
pub(super) struct Frames {
    wire: Arc<Wire>,
    /// A header, and of a `GOAWAY` eight bytes more, as far as they have come.
    held: [u8; HEADER + GOODBYE],
    have: usize,
    /// Bytes of a payload still to come, that nobody wants.
    skip: usize,
}

impl Frames {
    pub(super) const fn new(wire: Arc<Wire>) -> Self {
        Self { wire, held: [0; HEADER + GOODBYE], have: 0, skip: 0 }
    }

    /// Takes note of these bytes.
    pub(super) fn came(&mut self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.wire.opening.get_or_init(|| bytes[..bytes.len().min(OPENING)].into());
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            bytes = &bytes[skipped..];
            let wanted = self.wanted().saturating_sub(self.have).min(bytes.len());
            self.held[self.have..self.have + wanted].copy_from_slice(&bytes[..wanted]);
            self.have += wanted;
            bytes = &bytes[wanted..];
            if self.have == self.wanted() {
                self.complete();
            }
        }
    }

    /// How many bytes of the frame at hand are of interest.
    const fn wanted(&self) -> usize {
        let goaway = self.have >= HEADER && self.held[3] == GOAWAY && self.length() >= GOODBYE;
        if goaway { HEADER + GOODBYE } else { HEADER }
    }

    const fn length(&self) -> usize {
        (self.held[0] as usize) << 16 | (self.held[1] as usize) << 8 | self.held[2] as usize
    }

    fn complete(&mut self) {
        let taken = self.have - HEADER;
        if taken == GOODBYE {
            let number = |at: usize| {
                let bytes = &self.held[HEADER + at..];
                u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
            };
            // The last one that is sent counts: its stream is never above one before it.
            self.wire.bid_goodbye(number(0) & 0x7fff_ffff, number(4));
        }
        self.skip = self.length() - taken;
        self.have = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connect::wire::Goodbye;

    /// What is known after these bytes have come in pieces of this size.
    fn known(bytes: &[u8], piece: usize) -> (Option<Goodbye>, Vec<u8>) {
        let wire = Arc::new(Wire::new(-1, false, 0, Duration::ZERO));
        let mut frames = Frames::new(wire.clone());
        bytes.chunks(piece).for_each(|bytes| frames.came(bytes));
        (wire.goodbye(), wire.opening.get().expect("bytes").to_vec())
    }

    #[test]
    fn the_last_stream_is_found_wherever_the_bytes_are_cut() {
        let mut bytes = vec![0, 0, 0, 4, 0, 0, 0, 0, 0]; // SETTINGS
        bytes.extend([0, 0, 3, 0, 0, 0, 0, 0, 1, b'a', b'b', b'c']); // DATA
        bytes.extend([0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, 0x80, 0, 0, 5, 0, 0, 0, 2]);
        for piece in 1..=bytes.len() {
            let goodbye = known(&bytes, piece).0.expect("it was said");
            assert_eq!((goodbye.last_stream, goodbye.code), (5, 2), "in pieces of {piece}");
        }
        assert_eq!(known(&bytes[..21], 64).0, None);
    }

    #[test]
    fn what_is_no_http2_harms_nobody() {
        let text = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
        let (last, opening) = known(text, 100);
        assert_eq!((last, &opening[..]), (None, &text[..]));
        for piece in 1..20 {
            known(&[GOAWAY; 100], piece);
            known(&[0xff; 100], piece);
            known(&[0; 100], piece);
        }
    }
}
