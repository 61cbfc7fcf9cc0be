//! The endpoints that are known, by their addresses and by the upstreams they belong to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::locked;
use super::minutes::ENOUGH;
use super::neighbour::Neighbour;
use crate::attribution::exchange::NextHop;

/// The most endpoints of one upstream that are asked how they fare.
const MOST_ASKED: usize = 256;

/// How the endpoints of an upstream fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Those at which every request has failed lately, and [more than a few](ENOUGH).
    pub failing: usize,
    /// Those at which the last request went well.
    pub answering: usize,
    /// Those that requests went to lately.
    pub asked: usize,
}

/// An endpoint and what is known of it.
#[derive(Clone, Debug)]
pub struct Known {
    /// The endpoint.
    pub next_hop: NextHop,
    /// The upstreams that requests went to it for, by name.
    pub upstreams: Vec<Arc<str>>,
    /// What is known of it.
    pub neighbour: Arc<Neighbour>,
}

/// The endpoints; the one not asked for longest goes when there are too many, unless somebody holds
/// on to it.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    all: Mutex<Table>,
    max: usize,
}

#[derive(Debug, Default)]
struct Table {
    entries: HashMap<NextHop, Entry>,
    /// By the upstream's name; an endpoint may belong to several.
    members: HashMap<Arc<str>, Vec<Arc<Neighbour>>>,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    neighbour: Arc<Neighbour>,
    used: u64,
    upstreams: Vec<Arc<str>>,
}

impl Neighbours {
    pub(super) fn new(max: usize) -> Self {
        Self { all: Mutex::default(), max: max.max(1) }
    }

    pub(super) fn of(&self, next_hop: &NextHop, upstream: Option<&Arc<str>>) -> Arc<Neighbour> {
        let mut all = locked(&self.all);
        all.clock += 1;
        let now = all.clock;
        if let Some(entry) = all.entries.get_mut(next_hop) {
            entry.used = now;
            let known = upstream
                .is_none_or(|upstream| entry.upstreams.iter().any(|n| Arc::ptr_eq(n, upstream)));
            if known {
                return entry.neighbour.clone();
            }
        } else {
            while all.entries.len() >= self.max && all.forget_the_oldest() {}
            let neighbour = Arc::default();
            let entry = Entry { neighbour, used: now, upstreams: Vec::new() };
            all.entries.insert(next_hop.clone(), entry);
        }
        let Table { entries, members, .. } = &mut *all;
        let entry = entries.get_mut(next_hop).expect("it is there now");
        if let Some(upstream) = upstream
            && !entry.upstreams.contains(upstream)
        {
            entry.upstreams.push(upstream.clone());
            members.entry(upstream.clone()).or_default().push(entry.neighbour.clone());
        }
        entry.neighbour.clone()
    }

    pub(super) fn all(&self) -> Vec<Known> {
        let all = locked(&self.all);
        let known = |(next_hop, entry): (&NextHop, &Entry)| Known {
            next_hop: next_hop.clone(),
            upstreams: entry.upstreams.clone(),
            neighbour: entry.neighbour.clone(),
        };
        all.entries.iter().map(known).collect()
    }

    pub(super) fn endpoints(&self, upstream: &str, now: Instant) -> Endpoints {
        let members: Vec<Arc<Neighbour>> = {
            let all = locked(&self.all);
            let members = all.members.get(upstream).into_iter().flatten();
            members.take(MOST_ASKED).cloned().collect()
        };
        let mut endpoints = Endpoints::default();
        for minutes in members.iter().map(|member| member.minutes()) {
            let (in_a_row, answers) = (minutes.in_a_row(now), minutes.answers(now));
            endpoints.failing += usize::from(in_a_row >= ENOUGH);
            endpoints.answering += usize::from(answers);
            endpoints.asked += usize::from(in_a_row > 0 || answers);
        }
        endpoints
    }
}

impl Table {
    /// Says whether there was one to forget.
    fn forget_the_oldest(&mut self) -> bool {
        // Who is held on to would be known twice otherwise.
        let free = |entry: &Entry| Arc::strong_count(&entry.neighbour) <= 1 + entry.upstreams.len();
        let entries = self.entries.iter().filter(|(_, entry)| free(entry));
        let oldest = entries.min_by_key(|(_, entry)| entry.used);
        let Some(oldest) = oldest.map(|(next_hop, _)| next_hop.clone()) else { return false };
        let Some(entry) = self.entries.remove(&oldest) else { return false };
        for upstream in &entry.upstreams {
            let Some(members) = self.members.get_mut(upstream) else { continue };
            members.retain(|member| !Arc::ptr_eq(member, &entry.neighbour));
            if members.is_empty() {
                self.members.remove(upstream);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::minutes::{LATELY, Manner};
    use super::*;

    fn hop(port: u16) -> NextHop {
        NextHop::Inet(([192, 0, 2, 1], port).into())
    }

    #[test]
    fn the_endpoint_not_used_for_longest_goes() {
        let neighbours = Neighbours::new(2);
        let web: Arc<str> = "web".into();
        for port in [1, 2, 1, 3] {
            neighbours.of(&hop(port), Some(&web)).answered(Instant::now(), 0);
        }
        assert_eq!(neighbours.all().len(), 2);
        assert!(neighbours.of(&hop(1), None).last_success().is_some());
        assert!(neighbours.of(&hop(2), None).last_success().is_none());
        let all = locked(&neighbours.all);
        assert_eq!(all.members["web"].len(), 1, "2 has just taken the place of 3");
    }

    #[test]
    fn who_is_held_on_to_stays() {
        let neighbours = Neighbours::new(2);
        let web: Arc<str> = "web".into();
        let held = neighbours.of(&hop(1), Some(&web));
        let under_way = neighbours.of(&hop(2), None).begin();
        for port in 3..9 {
            neighbours.of(&hop(port), Some(&web));
        }
        assert!(Arc::ptr_eq(&held, &neighbours.of(&hop(1), None)));
        assert_eq!(neighbours.of(&hop(2), None).in_flight(), 1);
        drop((held, under_way));
        neighbours.of(&hop(9), Some(&web));
        assert!(neighbours.all().iter().all(|known| known.next_hop != hop(1)));
    }

    #[test]
    fn endpoints_are_counted_by_how_they_fare() {
        let neighbours = Neighbours::new(9);
        let (web, api): (Arc<str>, Arc<str>) = ("web".into(), "api".into());
        let now = Instant::now();
        let manner = Manner { reused: Some(false), size: 1 };
        for (port, bad) in [(1, 0), (2, 2), (3, 3), (4, 9)] {
            let known = neighbours.of(&hop(port), Some(&web));
            if bad == 0 {
                known.minutes().good(now, manner);
            }
            (0..bad).for_each(|_| known.minutes().bad(now, manner));
        }
        neighbours.of(&hop(5), Some(&web));
        neighbours.of(&hop(4), Some(&"web".into()));
        neighbours.of(&hop(4), Some(&api));
        let fare = neighbours.endpoints("web", now);
        assert_eq!(fare, Endpoints { failing: 2, answering: 1, asked: 4 });
        let fare = neighbours.endpoints("api", now);
        assert_eq!(fare, Endpoints { failing: 1, answering: 0, asked: 1 });
        let later = now + LATELY + LATELY;
        assert_eq!(neighbours.endpoints("web", later), Endpoints::default());
    }
}
