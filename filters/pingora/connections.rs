//! What an origin connection has been through: Pingora's pool tells that a connection is reused,
//! not for how long it lay idle.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One slot for each file descriptor, written when a request is done with the connection. A slot
/// is read only for a connection that Pingora calls reused, and was then written by the request
/// before; a new connection under the same number starts it afresh.
pub(crate) struct Connections {
    epoch: Instant,
    /// Made when it is needed: connections of our own connector tell it themselves.
    slots: OnceLock<Box<[Slot]>>,
}

#[derive(Default)]
struct Slot {
    /// Milliseconds from the epoch to the end of the last request, plus one; 0 for never.
    released: AtomicU64,
    requests: AtomicU32,
}

/// Descriptors above this are not followed (16 bytes each).
const SLOTS: usize = 1 << 15;

impl Connections {
    pub(crate) fn new() -> Self {
        Self { epoch: Instant::now(), slots: OnceLock::new() }
    }

    /// Notes that a request takes this connection: how long it was idle, and how many requests it
    /// has carried with this one (0 when not known).
    pub(crate) fn take(&self, fd: i32, reused: bool) -> (Duration, u32) {
        let Some(slot) = self.slot(fd) else { return (Duration::ZERO, 0) };
        if !reused {
            slot.requests.store(1, Ordering::Relaxed);
            slot.released.store(0, Ordering::Relaxed);
            return (Duration::ZERO, 1);
        }
        let requests = slot.requests.fetch_add(1, Ordering::Relaxed) + 1;
        // The request before may not have noted its end yet: better no time than an older one.
        let idle = match slot.released.swap(0, Ordering::Relaxed) {
            0 => 0,
            released => self.since_epoch(Instant::now()).saturating_sub(released),
        };
        (Duration::from_millis(idle), requests)
    }

    /// Notes that the request is done with it.
    pub(crate) fn release(&self, fd: i32, now: Instant) {
        if let Some(slot) = self.slot(fd) {
            slot.released.store(self.since_epoch(now), Ordering::Relaxed);
        }
    }

    fn slot(&self, fd: i32) -> Option<&Slot> {
        let slots = self.slots.get_or_init(|| (0..SLOTS).map(|_| Slot::default()).collect());
        slots.get(usize::try_from(fd).ok()?)
    }

    fn since_epoch(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.epoch);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_connection_forgets_the_one_before() {
        let mut connections = Connections::new();
        assert_eq!(connections.take(7, false), (Duration::ZERO, 1));
        connections.release(7, Instant::now());
        let (idle, requests) = connections.take(7, true);
        assert!(idle < Duration::from_mins(1));
        assert_eq!(requests, 2);
        connections.epoch -= Duration::from_mins(1);
        connections.release(7, Instant::now());
        connections.take(7, true);
        connections.epoch -= Duration::from_mins(1);
        let (idle, _) = connections.take(7, true);
        assert_eq!(idle, Duration::ZERO, "taken before the last request noted its end");
        assert_eq!(connections.take(7, false), (Duration::ZERO, 1));
        assert_eq!(connections.take(-1, true), (Duration::ZERO, 0));
        assert_eq!(connections.take(i32::MAX, true), (Duration::ZERO, 0));
    }
}
