//! What the lab was asked, for those who check that nothing was changed, lost or sent twice.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One request as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which connection brought it: they are counted from 1, over all ports of the lab.
    pub connection: u64,
    /// The request line.
    pub line: String,
    /// The whole head as it came, request line and empty line included.
    pub head: Vec<u8>,
    /// The length of the body, transfer coding removed, as far as it was read.
    pub body: u64,
    /// The SHA-1 of as much of the body, in lower-case hexadecimal.
    pub sha1: String,
    /// Whether the body was read to its end.
    pub complete: bool,
}

/// The last requests, up to a number of bytes.
#[derive(Debug, Default)]
pub(super) struct Log {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Seen>,
    /// How many were dropped at the front.
    dropped: u64,
    bytes: usize,
}

impl Seen {
    const EMPTY_SHA1: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

    pub(super) fn new(connection: u64, line: String, head: Vec<u8>) -> Self {
        Self { connection, line, head, body: 0, sha1: Self::EMPTY_SHA1.into(), complete: false }
    }

    fn weight(&self) -> usize {
        self.head.len() + self.line.len() + size_of::<Self>() + self.sha1.len()
    }
}

impl Log {
    /// The heads that are kept weigh no more than this.
    const BYTES_MAX: usize = 8 * 1024 * 1024;

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request and returns its number.
    pub(super) fn add(&self, seen: Seen) -> u64 {
        let mut kept = self.kept();
        kept.bytes += seen.weight();
        kept.requests.push_back(seen);
        while kept.bytes > Self::BYTES_MAX {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.bytes -= oldest.weight();
            kept.dropped += 1;
        }
        kept.dropped + kept.requests.len() as u64 - 1
    }

    /// Adds what is known of a request's body.
    pub(super) fn note(&self, number: u64, body: u64, sha1: String, complete: bool) {
        let mut kept = self.kept();
        let place = number.checked_sub(kept.dropped).and_then(|at| usize::try_from(at).ok());
        if let Some(seen) = place.and_then(|at| kept.requests.get_mut(at)) {
            (seen.body, seen.sha1, seen.complete) = (body, sha1, complete);
        }
    }

    pub(super) fn all(&self) -> Vec<Seen> {
        self.kept().requests.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_notes_find_their_request() {
        let log = Log::default();
        for connection in 0..20 {
            log.add(Seen::new(connection, "GET / HTTP/1.1".into(), vec![b'a'; 1024 * 1024]));
        }
        let last = log.add(Seen::new(99, "POST / HTTP/1.1".into(), Vec::new()));
        assert_eq!(last, 20);
        log.note(0, 1, "gone".into(), true);
        log.note(last, 5, "aaf4".into(), true);
        let all = log.all();
        assert!(all.len() < 9, "{}", all.len());
        assert_eq!(all.last().map(|s| (s.connection, s.body, s.complete)), Some((99, 5, true)));
        assert!(all.iter().all(|s| s.sha1 != "gone"));
    }
}
