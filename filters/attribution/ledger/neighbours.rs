//! What is known of each endpoint from other requests: whether it accepts connections, when it
//! last answered, how long it keeps an idle connection.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::locked;
use crate::attribution::cause::Cause;
use crate::attribution::exchange::NextHop;

/// How many accepted connections, and how many idle times of each kind, are remembered.
const MEMORY: usize = 64;
/// How many idle connections an endpoint must have closed before a timeout is read out of it.
const ENOUGH: usize = 3;

/// What is known of one endpoint.
#[derive(Debug, Default)]
pub struct Neighbour {
    in_flight: AtomicU32,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    last_success: Option<Instant>,
    last_failure: Option<(Instant, Cause)>,
    accepted: VecDeque<Instant>,
    closed_after: VecDeque<Duration>,
    survived: VecDeque<Duration>,
}

/// An attempt under way; it is over when this is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Neighbour>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Neighbour {
    /// Notes that an attempt begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Notes that a connection was accepted.
    pub fn accepted(&self, at: Instant) {
        remember(&mut locked(&self.known).accepted, at);
    }

    /// How many connections were accepted at or after `since`, as far as they are remembered: 64.
    #[must_use]
    pub fn accepted_since(&self, since: Instant) -> usize {
        locked(&self.known).accepted.iter().filter(|at| **at >= since).count()
    }

    /// When a connection was last accepted.
    #[must_use]
    pub fn last_accepted(&self) -> Option<Instant> {
        locked(&self.known).accepted.iter().max().copied()
    }

    /// Notes that a request was answered.
    pub fn succeeded(&self, at: Instant) {
        locked(&self.known).last_success = Some(at);
    }

    /// When a request was last answered.
    #[must_use]
    pub fn last_success(&self) -> Option<Instant> {
        locked(&self.known).last_success
    }

    /// Notes that an attempt failed.
    pub fn failed(&self, at: Instant, cause: Cause) {
        locked(&self.known).last_failure = Some((at, cause));
    }

    /// When an attempt last failed, and why.
    #[must_use]
    pub fn last_failure(&self) -> Option<(Instant, Cause)> {
        locked(&self.known).last_failure
    }

    /// Notes that the endpoint was found to have closed a connection that was idle for so long.
    pub fn closed_after(&self, idle: Duration) {
        remember(&mut locked(&self.known).closed_after, idle);
    }

    /// Notes that a connection still worked after it had been idle for so long.
    pub fn survived(&self, idle: Duration) {
        remember(&mut locked(&self.known).survived, idle);
    }

    /// The endpoint's own idle timeout, as learned: the shortest time after which it closed, of
    /// those longer than any that a connection lately survived. A restart of the endpoint also
    /// closes connections, at any age; a later survivor of that age takes that back.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        let known = locked(&self.known);
        let survived = known.survived.iter().max().copied().unwrap_or_default();
        let closed = known.closed_after.iter().filter(|idle| **idle > survived);
        if closed.clone().count() < ENOUGH {
            return None;
        }
        closed.min().copied()
    }
}

fn remember<T>(memory: &mut VecDeque<T>, what: T) {
    if memory.len() == MEMORY {
        memory.pop_front();
    }
    memory.push_back(what);
}

/// The endpoints; the one not asked for longest goes when there are too many.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    all: Mutex<Table>,
    max: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<NextHop, (Arc<Neighbour>, u64)>,
    clock: u64,
}

impl Neighbours {
    pub(super) fn new(max: usize) -> Self {
        Self { all: Mutex::default(), max: max.max(1) }
    }

    pub(super) fn of(&self, next_hop: &NextHop) -> Arc<Neighbour> {
        let mut all = locked(&self.all);
        all.clock += 1;
        let now = all.clock;
        if let Some((known, used)) = all.entries.get_mut(next_hop) {
            *used = now;
            return Arc::clone(known);
        }
        if all.entries.len() >= self.max {
            let oldest = all.entries.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(oldest) = oldest.map(|(next_hop, _)| next_hop.clone()) {
                all.entries.remove(&oldest);
            }
        }
        let new = Arc::new(Neighbour::default());
        all.entries.insert(next_hop.clone(), (Arc::clone(&new), now));
        new
    }

    pub(super) fn all(&self) -> Vec<(NextHop, Arc<Neighbour>)> {
        let all = locked(&self.all);
        all.entries.iter().map(|(hop, (known, _))| (hop.clone(), Arc::clone(known))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(port: u16) -> NextHop {
        NextHop::Inet(([192, 0, 2, 1], port).into())
    }

    #[test]
    fn the_endpoint_not_used_for_longest_goes() {
        let neighbours = Neighbours::new(2);
        let now = Instant::now();
        neighbours.of(&hop(1)).succeeded(now);
        neighbours.of(&hop(2)).succeeded(now);
        neighbours.of(&hop(1));
        neighbours.of(&hop(3));
        assert_eq!(neighbours.all().len(), 2);
        assert_eq!(neighbours.of(&hop(1)).last_success(), Some(now));
        assert_eq!(neighbours.of(&hop(2)).last_success(), None);
    }

    #[test]
    fn accepted_connections_are_counted_from_an_instant() {
        let neighbour = Neighbour::default();
        let start = Instant::now();
        for second in 0..5 {
            neighbour.accepted(start + Duration::from_secs(second));
        }
        assert_eq!(neighbour.accepted_since(start), 5);
        assert_eq!(neighbour.accepted_since(start + Duration::from_secs(3)), 2);
        assert_eq!(neighbour.last_accepted(), Some(start + Duration::from_secs(4)));
        (0..1000).for_each(|_| neighbour.accepted(start));
        assert_eq!(neighbour.accepted_since(start), MEMORY);
    }

    #[test]
    fn an_attempt_is_in_flight_until_dropped() {
        let neighbour = Arc::new(Neighbour::default());
        let attempt = neighbour.begin();
        assert_eq!(neighbour.in_flight(), 1);
        drop(attempt);
        assert_eq!(neighbour.in_flight(), 0);
    }

    #[test]
    fn the_idle_timeout_is_learned() {
        let neighbour = Neighbour::default();
        let seconds = Duration::from_secs;
        neighbour.closed_after(seconds(1)); // a restart
        neighbour.closed_after(seconds(6));
        assert_eq!(neighbour.idle_timeout(), None);
        neighbour.closed_after(seconds(5));
        assert_eq!(neighbour.idle_timeout(), Some(seconds(1)));
        neighbour.survived(seconds(4));
        assert_eq!(neighbour.idle_timeout(), None);
        neighbour.closed_after(seconds(9));
        assert_eq!(neighbour.idle_timeout(), Some(seconds(5)));
    }
}
