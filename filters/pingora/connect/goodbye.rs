//! Two things that an HTTP/2 library does not tell of a connection: what its first bytes were, if
//! they were no HTTP/2, and which stream is the last one that the other end will answer. And a
//! goodbye that is followed by the connection's end at once gets lost there.

use std::sync::Arc;

use super::wire::Wire;
use crate::frames::{Frames, GOAWAY, Seen};

/// The most of the first bytes that is kept.
const OPENING: usize = 64;

/// The first and the last words of an origin, as they come in.
#[derive(Debug)]
pub(super) struct Words {
    wire: Arc<Wire>,
    frames: Frames,
}

impl Words {
    pub(super) const fn new(wire: Arc<Wire>) -> Self {
        Self { wire, frames: Frames::of_server() }
    }

    /// Takes note of these bytes.
    pub(super) fn came(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Self { wire, frames } = self;
        wire.opening.get_or_init(|| bytes[..bytes.len().min(OPENING)].into());
        frames.scan(bytes, |seen| {
            if let Seen::Ended(frame, word) = seen
                && frame.kind == GOAWAY
                && frame.length >= 8
            {
                // The last one that is sent counts: its stream is never above one before it.
                let (last_stream, code) = word.goaway();
                wire.bid_goodbye(last_stream, code);
            }
        });
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
        let mut words = Words::new(wire.clone());
        bytes.chunks(piece).for_each(|bytes| words.came(bytes));
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
