//! How the sending of a request's body gets on: the time that an origin has for its answer does not
//! run while it is being sent more of the request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Since when nothing was sent.
#[derive(Debug)]
pub(super) struct Pace(Mutex<State>);

#[derive(Debug)]
struct State {
    /// A piece is on the way.
    moving: bool,
    /// When the last one had gone out.
    since: Instant,
}

/// A piece on its way, until this is dropped.
pub(super) struct Step<'a>(&'a Pace);

impl Default for Pace {
    fn default() -> Self {
        Self(Mutex::new(State { moving: false, since: Instant::now() }))
    }
}

impl Pace {
    /// How long nothing has been sent, and nothing is waiting to be.
    pub(super) fn rests(&self) -> Duration {
        let state = self.locked();
        if state.moving { Duration::ZERO } else { state.since.elapsed() }
    }

    /// A piece is about to go out.
    pub(super) fn step(&self) -> Step<'_> {
        self.locked().moving = true;
        Step(self)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Step<'_> {
    /// It has gone out.
    pub(super) fn done(self) {
        self.0.locked().since = Instant::now();
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.0.locked().moving = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_piece_that_has_gone_out_counts_as_progress() {
        let pace = Pace::default();
        let before = Duration::from_mins(1);
        let ago = Instant::now().checked_sub(before).expect("the clock is that old");
        pace.locked().since = ago;
        let step = pace.step();
        assert_eq!(pace.rests(), Duration::ZERO, "it is on the way");
        drop(step);
        assert!(pace.rests() >= before, "it was given up");
        pace.step().done();
        assert!(pace.rests() < before);
    }
}
