//! The way of one attempt to its endpoint, counted as long as it is taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use whodunit_filters::attribution::ledger::{Account, InFlight, Manner, Neighbour, Use};
use whodunit_filters::attribution::{Cause, Ledger, NextHop, Side};

use crate::connect::TELLING;

/// An attempt under way.
pub(crate) struct Lane {
    neighbour: Arc<Neighbour>,
    _in_flight: InFlight,
    ledger: Arc<Ledger>,
    connected: bool,
    /// How the attempt ended was noted.
    ended: bool,
}

impl Lane {
    /// The attempt begins.
    pub(crate) fn new(
        ledger: &Arc<Ledger>,
        next_hop: &NextHop,
        upstream: Option<&Arc<str>>,
    ) -> Self {
        let neighbour = ledger.neighbour(next_hop, upstream);
        let in_flight = neighbour.begin();
        let ledger = ledger.clone();
        Self { neighbour, _in_flight: in_flight, ledger, connected: false, ended: false }
    }

    /// What is known of the endpoint.
    pub(crate) const fn neighbour(&self) -> &Arc<Neighbour> {
        &self.neighbour
    }

    /// There is a connection.
    pub(crate) fn connected(&mut self, reused: bool) {
        if !std::mem::replace(&mut self.connected, true) {
            self.ledger.connections(Side::Origin, Use::Active, 1);
        }
        if !reused {
            self.neighbour.accepted(Instant::now());
        }
    }

    /// The endpoint answered a request of this size, over a connection that had been idle for so
    /// long.
    pub(crate) fn answered(&self, at: Instant, idle: Duration, size: u64) {
        self.neighbour.answered(at, size);
        if idle >= TELLING {
            self.neighbour.survived(idle);
        }
    }

    /// The attempt went well to its end.
    pub(crate) fn went_well(&mut self, at: Instant, manner: Manner) {
        if !std::mem::replace(&mut self.ended, true) {
            self.neighbour.minutes().good(at, manner);
        }
    }

    /// The attempt failed: what the last minutes say of that, if it was not asked before.
    pub(crate) fn failed(&mut self, cause: Cause, manner: Manner) -> Option<Account> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let now = Instant::now();
        self.neighbour.failed(cause);
        self.neighbour.minutes().bad(now, manner);
        Some(self.neighbour.minutes().account(now))
    }

    /// The endpoint was found to have closed a connection that had been idle for so long.
    pub(crate) fn closed_after(&self, idle: Duration) {
        if idle >= TELLING {
            self.neighbour.closed_after(Instant::now(), idle);
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if self.connected {
            self.ledger.connections(Side::Origin, Use::Active, -1);
        }
    }
}
