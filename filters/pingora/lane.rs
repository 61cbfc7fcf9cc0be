//! The way of one attempt to its endpoint, counted as long as it is taken.

use std::sync::Arc;
use std::time::{Duration, Instant};

use whodunit_filters::attribution::ledger::{InFlight, Neighbour, Use};
use whodunit_filters::attribution::{Ledger, NextHop, Side};

/// What lies idle for less says nothing about an origin's idle timeout.
const TELLING: Duration = Duration::from_secs(1);

/// An attempt under way.
pub(crate) struct Lane {
    neighbour: Arc<Neighbour>,
    _in_flight: InFlight,
    ledger: Arc<Ledger>,
    connected: bool,
}

impl Lane {
    /// The attempt begins.
    pub(crate) fn new(ledger: &Arc<Ledger>, next_hop: &NextHop) -> Self {
        let neighbour = ledger.neighbour(next_hop);
        let in_flight = neighbour.begin();
        Self { neighbour, _in_flight: in_flight, ledger: ledger.clone(), connected: false }
    }

    /// What is known of the endpoint.
    pub(crate) fn neighbour(&self) -> &Neighbour {
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

    /// The endpoint answered over a connection that had been idle for so long.
    pub(crate) fn answered(&self, idle: Duration) {
        self.neighbour.succeeded(Instant::now());
        if idle >= TELLING {
            self.neighbour.survived(idle);
        }
    }

    /// The endpoint was found to have closed a connection that had been idle for so long.
    pub(crate) fn closed_after(&self, idle: Duration) {
        if idle >= TELLING {
            self.neighbour.closed_after(idle);
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
