//! A connection while nobody uses it: an origin that closes it then tells how long it keeps idle
//! connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use whodunit_filters::attribution::ledger::Neighbour;

/// What lies idle for less says nothing about an origin's idle timeout.
pub(crate) const TELLING: Duration = Duration::from_secs(1);

/// Whether and since when a connection rests.
#[derive(Debug, Default)]
pub(crate) struct Rest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    uses: u32,
    since: Option<Instant>,
    endpoint: Option<Arc<Neighbour>>,
}

impl Rest {
    /// A request takes the connection: the number of this use, and how long it rested.
    pub(crate) fn taken(&self, endpoint: &Arc<Neighbour>, now: Instant) -> (u32, Duration) {
        let mut state = self.locked();
        state.uses = state.uses.wrapping_add(1);
        let rested = state.since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        state.endpoint.get_or_insert_with(|| endpoint.clone());
        (state.uses, rested)
    }

    /// That use is over; another one may have begun already.
    pub(crate) fn over(&self, this: u32, now: Instant) {
        let mut state = self.locked();
        if state.uses == this {
            state.since = Some(now);
        }
    }

    /// The other end closed the connection.
    pub(super) fn closed(&self, now: Instant) {
        let state = self.locked();
        let idle = state.since.map(|since| now.saturating_duration_since(since));
        if let (Some(idle), Some(endpoint)) =
            (idle.filter(|idle| *idle >= TELLING), &state.endpoint)
        {
            endpoint.closed_after(now, idle);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a connection that its origin closes teaches it something, after these uses.
    fn learned(uses: impl Fn(&Rest, &Arc<Neighbour>)) -> bool {
        let endpoint = Arc::new(Neighbour::default());
        for moment in [0, 10, 20] {
            let rest = Rest::default();
            uses(&rest, &endpoint);
            let mut state = rest.locked();
            state.since = state.since.map(|since| since + Duration::from_secs(moment));
            drop(state);
            rest.closed(Instant::now() + Duration::from_secs(5 + moment));
        }
        endpoint.idle_timeout().is_some()
    }

    #[test]
    fn only_a_connection_that_rests_tells_of_it() {
        let used = |rest: &Rest, endpoint: &Arc<Neighbour>| rest.taken(endpoint, Instant::now()).0;
        assert!(!learned(|_, _| {}), "it never carried a request");
        let in_use = |rest: &Rest, endpoint: &Arc<Neighbour>| {
            used(rest, endpoint);
        };
        assert!(!learned(in_use), "it carries one");
        assert!(learned(|rest, endpoint| rest.over(used(rest, endpoint), Instant::now())));
        let overtaken = |rest: &Rest, endpoint: &Arc<Neighbour>| {
            let first = used(rest, endpoint);
            used(rest, endpoint);
            rest.over(first, Instant::now());
        };
        assert!(!learned(overtaken), "the next request was there before the first one's end");
    }
}
