//! What is remembered beyond one request: counters, the recent errors, what is known of each
//! endpoint. Everything is bounded, and locks are held for a few instructions only.

mod finding;
mod minutes;
mod neighbour;
mod neighbours;
mod recent;
mod slot;
mod traffic;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use finding::Finding;
pub use minutes::{Account, ENOUGH, IN_A_ROW, LATELY, Manner, Minutes, ODDS, SMALL};
pub use neighbour::{InFlight, Neighbour, advised_idle};
pub use neighbours::{Endpoints, Known};
pub use recent::Query;
pub use traffic::{Histogram, PHASES, Requests, STATUS_CLASSES, Upstream};

use super::diagnosis::Diagnosis;
use super::evidence::Side;
use super::exchange::{Exchange, NextHop};
use super::record::Record;
use neighbours::Neighbours;
use recent::Recent;

/// The most upstreams, and pairs of listener and route, that are told apart. They come from the
/// configuration only; this bounds what many reloads with new names can pile up.
const MAX_NAMES: usize = 1024;
/// What stands for the names beyond that.
const OTHER: &str = "other";

/// How much a ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Recent errors. Default: 1,000.
    pub records: usize,
    /// Bytes of recent errors. Default: 16 MiB.
    pub bytes: usize,
    /// Endpoints, at most 12 KiB each; the one not used for longest goes first. Default: 1,024.
    pub neighbours: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { records: 1_000, bytes: 16 << 20, neighbours: 1_024 }
    }
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It carries a request.
    Active,
    /// It waits for one.
    Idle,
}

/// The memory of a proxy. Shared by all of its threads.
#[derive(Debug)]
pub struct Ledger {
    requests: Mutex<Vec<Arc<Requests>>>,
    upstreams: Mutex<BTreeMap<Box<str>, Arc<Upstream>>>,
    recent: Recent,
    neighbours: Neighbours,
    connections: [AtomicI64; 4],
    log_dropped: AtomicU64,
    reloads: [AtomicU64; 2],
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new(Bounds::default())
    }
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(bounds: Bounds) -> Self {
        Self {
            requests: Mutex::default(),
            // So that every cause is there from the start, also before any upstream is.
            upstreams: Mutex::new(BTreeMap::from([("".into(), Arc::new(Upstream::new("")))])),
            recent: Recent::new(bounds.records, bounds.bytes),
            neighbours: Neighbours::new(bounds.neighbours),
            connections: Default::default(),
            log_dropped: AtomicU64::default(),
            reloads: Default::default(),
        }
    }

    /// The counters of good and bad requests of one listener and route. To be asked for once,
    /// when the configuration is applied, and kept: counting is then one atomic addition.
    #[must_use]
    pub fn requests(&self, listener: &str, route: &str) -> Arc<Requests> {
        let mut all = locked(&self.requests);
        let find = |all: &[Arc<Requests>], (listener, route)| {
            all.iter().find(|r| (r.listener(), r.route()) == (listener, route)).map(Arc::clone)
        };
        if let Some(known) = find(&all, (listener, route)) {
            return known;
        }
        let (listener, route) =
            if all.len() < MAX_NAMES { (listener, route) } else { (OTHER, OTHER) };
        find(&all, (listener, route)).unwrap_or_else(|| {
            let new = Arc::new(Requests::new(listener, route));
            all.push(Arc::clone(&new));
            new
        })
    }

    /// The counters of one upstream of the configuration; `""` for requests without one. Asking
    /// for one makes all of its causes appear at 0.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Arc<Upstream> {
        let mut all = locked(&self.upstreams);
        if let Some(known) = all.get(name) {
            return Arc::clone(known);
        }
        let name = if all.len() < MAX_NAMES { name } else { OTHER };
        Arc::clone(all.entry(name.into()).or_insert_with(|| Arc::new(Upstream::new(name))))
    }

    /// Counts a verdict.
    pub fn count(&self, exchange: &Exchange, diagnosis: &Diagnosis) {
        self.upstream(exchange.upstream.as_deref().unwrap_or_default())
            .failed(diagnosis.cause, exchange.generated);
    }

    /// Keeps a record among the recent errors.
    pub fn keep(&self, record: Arc<Record>) {
        self.recent.keep(record);
    }

    /// The recent errors that match, the newest first.
    #[must_use]
    pub fn recent(&self, query: &Query) -> Vec<Arc<Record>> {
        self.recent.find(query)
    }

    /// What is known of an endpoint; it counts from now on as one of this upstream's, if one is
    /// named. A caller may hold on to it.
    #[must_use]
    pub fn neighbour(&self, next_hop: &NextHop, upstream: Option<&Arc<str>>) -> Arc<Neighbour> {
        self.neighbours.of(next_hop, upstream)
    }

    /// How the endpoints of an upstream fare, as far as requests went to them.
    #[must_use]
    pub fn endpoints(&self, upstream: &str) -> Endpoints {
        self.neighbours.endpoints(upstream, Instant::now())
    }

    /// What is known of each endpoint, in no order.
    #[must_use]
    pub fn neighbours(&self) -> Vec<Known> {
        self.neighbours.all()
    }

    /// Notes that so many more (or fewer) connections are in this use. [`Side::Inside`] has none.
    pub fn connections(&self, side: Side, state: Use, change: i64) {
        if let Some(gauge) = self.gauge(side, state) {
            gauge.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// How many connections are in this use.
    #[must_use]
    pub fn connected(&self, side: Side, state: Use) -> i64 {
        self.gauge(side, state).map_or(0, |gauge| gauge.load(Ordering::Relaxed))
    }

    /// Notes that so many log lines were dropped for want of room.
    pub fn drop_lines(&self, lines: u64) {
        self.log_dropped.fetch_add(lines, Ordering::Relaxed);
    }

    /// How many log lines were dropped.
    #[must_use]
    pub fn lines_dropped(&self) -> u64 {
        self.log_dropped.load(Ordering::Relaxed)
    }

    /// Notes a reload of the configuration and whether it was taken over.
    pub fn reload(&self, applied: bool) {
        self.reloads[usize::from(applied)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many reloads were taken over, or refused.
    #[must_use]
    pub fn reloads(&self, applied: bool) -> u64 {
        self.reloads[usize::from(applied)].load(Ordering::Relaxed)
    }

    /// All counters of requests, in the order in which they were first asked for.
    #[must_use]
    pub fn all_requests(&self) -> Vec<Arc<Requests>> {
        locked(&self.requests).clone()
    }

    /// All upstreams, by name.
    #[must_use]
    pub fn all_upstreams(&self) -> Vec<Arc<Upstream>> {
        locked(&self.upstreams).values().map(Arc::clone).collect()
    }

    fn gauge(&self, side: Side, state: Use) -> Option<&AtomicI64> {
        let side = match side {
            Side::Client => 0,
            Side::Origin => 2,
            Side::Inside => return None,
        };
        self.connections.get(side + usize::from(state == Use::Idle))
    }
}

/// The lock. A panic while it was held left nothing half-done that would matter here.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::cause::CATALOGUE;

    #[test]
    fn names_are_bounded() {
        let ledger = Ledger::new(Bounds::default());
        for i in 0..MAX_NAMES + 10 {
            ledger.requests("l", &format!("r{i}")).count(200);
            ledger.upstream(&format!("u{i}")).failed(CATALOGUE[0], true);
        }
        assert_eq!(ledger.all_requests().len(), MAX_NAMES + 1);
        assert_eq!(ledger.all_upstreams().len(), MAX_NAMES + 1);
        assert_eq!(ledger.requests("x", "y").counted("2xx"), 10);
        assert_eq!(ledger.requests("l", "r7").counted("2xx"), 1);
        assert_eq!(ledger.upstream(OTHER).failures(CATALOGUE[0], true), 11);
    }

    #[test]
    fn a_verdict_is_counted_once() {
        let ledger = Ledger::new(Bounds::default());
        for cause in CATALOGUE.iter() {
            let mut exchange = (cause.witness)();
            exchange.generated = true;
            let diagnosis = Diagnosis::of(&exchange).expect("a witness fails");
            let name = exchange.upstream.clone().unwrap_or_default();
            let before = ledger.upstream(&name).failures(diagnosis.cause, true);
            ledger.count(&exchange, &diagnosis);
            assert_eq!(ledger.upstream(&name).failures(diagnosis.cause, true), before + 1);
            assert_eq!(ledger.upstream(&name).failures(diagnosis.cause, false), 0);
        }
    }

    #[test]
    fn connections_come_and_go() {
        let ledger = Ledger::new(Bounds::default());
        ledger.connections(Side::Client, Use::Active, 2);
        ledger.connections(Side::Client, Use::Active, -1);
        ledger.connections(Side::Origin, Use::Idle, 5);
        ledger.connections(Side::Inside, Use::Idle, 5);
        assert_eq!(ledger.connected(Side::Client, Use::Active), 1);
        assert_eq!(ledger.connected(Side::Client, Use::Idle), 0);
        assert_eq!(ledger.connected(Side::Origin, Use::Idle), 5);
        assert_eq!(ledger.connected(Side::Inside, Use::Idle), 0);
    }
}
