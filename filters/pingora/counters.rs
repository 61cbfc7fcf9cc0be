//! Counters of requests by listener and route, found without a lock that anybody waits for.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use pingora::protocols::l4::socket::SocketAddr as InetOrUnix;
use whodunit_filters::attribution::Ledger;
use whodunit_filters::attribution::exchange::Times;
use whodunit_filters::attribution::ledger::{Manner, Requests, Upstream};

use crate::listeners::Where;

/// The most pairs that are held; beyond it (after very many reloads) all are looked up anew.
const MOST: usize = 4096;

/// A listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Entry {
    /// The place of its name in memory.
    Name(usize),
    /// Its address.
    At(SocketAddr),
}

/// A listener and the place of a route's name in memory.
type Pair = (Entry, usize);

/// The counters that were asked for, by listener and route. Both are known by where their names
/// lie; the names are held, so that no others can come to lie there.
#[derive(Default)]
pub(crate) struct Counters {
    requests: RwLock<HashMap<Pair, Held>>,
    upstreams: RwLock<HashMap<usize, Named>>,
}

/// How a request ended.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) well: bool,
    pub(crate) manner: Manner,
}

/// An upstream's name and its counters.
type Named = (Arc<str>, Arc<Upstream>);

/// The names of the listener and of the route, if there is one, and the counter.
type Held = (Arc<str>, Option<Arc<str>>, Arc<Requests>);

impl Entry {
    /// The listener where a request came in. The name of a Unix socket of Pingora's is made anew
    /// each time.
    pub(crate) fn of(listener: &Where) -> Option<Self> {
        match listener {
            Where::Listener(name) => Some(Self::Name(place(name))),
            Where::At(InetOrUnix::Inet(address)) => Some(Self::At(*address)),
            Where::At(InetOrUnix::Unix(_)) => None,
        }
    }
}

fn place(name: &Arc<str>) -> usize {
    Arc::as_ptr(name).cast::<u8>() as usize
}

impl Counters {
    /// Counts one request that was answered with this status.
    pub(crate) fn count(
        &self,
        ledger: &Ledger,
        listener: Entry,
        route: Option<&Arc<str>>,
        label: impl FnOnce() -> Arc<str>,
        status: u16,
    ) {
        let pair = (listener, route.map_or(0, place));
        if let Some((_, _, counter)) =
            self.requests.read().unwrap_or_else(PoisonError::into_inner).get(&pair)
        {
            return counter.count(status);
        }
        let name = label();
        let counter = ledger.requests(&name, route.map_or("", |route| &**route));
        counter.count(status);
        let mut all = self.requests.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(pair, (name, route.cloned(), counter));
    }

    /// Notes how long the phases of a request to this upstream took, and how it ended.
    pub(crate) fn timed(
        &self,
        ledger: &Ledger,
        upstream: &Arc<str>,
        times: &Times,
        ended: Option<Ended>,
    ) {
        let place = place(upstream);
        let known = self.upstreams.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, histograms)) = known.get(&place) {
            return note(histograms, times, ended);
        }
        drop(known);
        let histograms = ledger.upstream(upstream);
        note(&histograms, times, ended);
        let mut all = self.upstreams.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(place, (upstream.clone(), histograms));
    }
}

fn note(upstream: &Upstream, times: &Times, ended: Option<Ended>) {
    upstream.timed(times);
    match ended {
        Some(Ended { well: true, manner }) => upstream.minutes().good(Instant::now(), manner),
        Some(Ended { well: false, manner }) => upstream.minutes().bad(Instant::now(), manner),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_counted_by_itself() {
        let ledger = Ledger::default();
        let counters = Counters::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let listener = Entry::At(SocketAddr::from(([127, 0, 0, 1], 80)));
        for (route, times) in [(Some(&a), 3), (Some(&b), 2), (None, 1)] {
            for _ in 0..times {
                counters.count(&ledger, listener, route, || "l".into(), 200);
            }
        }
        assert_eq!(ledger.requests("l", "a").counted("2xx"), 3);
        assert_eq!(ledger.requests("l", "b").counted("2xx"), 2);
        assert_eq!(ledger.requests("l", "").counted("2xx"), 1);
    }
}
