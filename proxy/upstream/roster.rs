//! The addresses of an upstream's endpoints: since when each is there, and how busy it is. What is
//! known of an address outlives a change of the configuration.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::ledger::Neighbour;
use whodunit_filters::attribution::{Ledger, NextHop};

use super::balance::{Share, WHOLE};

/// The least share of its weight that an address has, as for Envoy and `HAProxy`.
const LEAST: Share = WHOLE / 10;

/// Times are kept as milliseconds since this.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One address that requests may go to.
#[derive(Debug)]
pub struct Member {
    /// The address.
    pub next_hop: NextHop,
    /// When it came, in milliseconds from the beginning of time plus one; 0 for long ago.
    came: AtomicU64,
    neighbour: OnceLock<Arc<Neighbour>>,
    ledger: Arc<Ledger>,
}

/// The addresses of one upstream, whichever plan they belong to.
#[derive(Debug, Default)]
pub struct Roster {
    ledger: Arc<Ledger>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    members: HashMap<NextHop, Weak<Member>>,
    /// The endpoints of the plan in force; `None` before the first.
    targets: Option<HashSet<Target>>,
}

/// The addresses of one endpoint.
#[derive(Debug)]
pub(super) enum Seats {
    /// It is one itself.
    Fixed(Arc<Member>),
    /// It has a name: the addresses that were last found under it.
    Named {
        /// As they were found.
        found: ArcSwap<Found>,
        port: u16,
        /// The endpoint was not there before: neither were its addresses.
        new: bool,
    },
}

/// The addresses of a name.
#[derive(Debug, Default)]
pub(super) struct Found {
    addresses: Option<Arc<[IpAddr]>>,
    pub(super) members: Vec<Arc<Member>>,
}

impl Member {
    /// How many requests are under way there, those of other upstreams included.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        let ask = || self.ledger.neighbour(&self.next_hop, None);
        self.neighbour.get_or_init(ask).in_flight()
    }

    /// The share of its weight that it has, if that is to grow over this time.
    #[must_use]
    pub fn share(&self, slow_start: Option<Duration>) -> Share {
        slow_start.map_or(WHOLE, |whole_after| self.share_at(now(), whole_after))
    }

    fn share_at(&self, now: u64, whole_after: Duration) -> Share {
        let Some(came) = self.came.load(Ordering::Relaxed).checked_sub(1) else { return WHOLE };
        let (here, whole) = (now.saturating_sub(came), millis(whole_after).max(1));
        let share = here.saturating_mul(u64::from(WHOLE)) / whole;
        Share::try_from(share).unwrap_or(WHOLE).clamp(LEAST, WHOLE)
    }
}

impl Roster {
    /// Nobody as yet.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, known: Mutex::default() }
    }

    /// Where it stands how busy an address is.
    #[cfg(test)]
    pub(super) fn ledger(&self) -> Arc<Ledger> {
        self.ledger.clone()
    }

    /// The addresses of an endpoint.
    pub(super) fn seats(&self, target: &Target) -> Seats {
        let mut known = self.locked();
        let new = known.targets.as_ref().is_some_and(|targets| !targets.contains(target));
        match target {
            Target::Ip(address) => {
                Seats::Fixed(known.member(&self.ledger, NextHop::Inet(*address), new))
            }
            Target::Unix(path) => {
                Seats::Fixed(known.member(&self.ledger, NextHop::Unix(path.clone()), new))
            }
            Target::Name(_, port) => Seats::Named { found: ArcSwap::default(), port: *port, new },
        }
    }

    /// These are the endpoints of the plan that is in force from now on.
    pub(super) fn settle(&self, targets: impl Iterator<Item = Target>) {
        self.locked().targets = Some(targets.collect());
    }

    /// An address is back after it was out of service.
    pub fn returned(&self, next_hop: &NextHop) {
        let member = self.locked().members.get(next_hop).and_then(Weak::upgrade);
        if let Some(member) = member {
            member.came.store(now() + 1, Ordering::Relaxed);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn member(&mut self, ledger: &Arc<Ledger>, next_hop: NextHop, new: bool) -> Arc<Member> {
        if let Some(known) = self.members.get(&next_hop).and_then(Weak::upgrade) {
            return known;
        }
        let came = AtomicU64::new(if new { now() + 1 } else { 0 });
        let (neighbour, ledger) = (OnceLock::new(), ledger.clone());
        let member = Arc::new(Member { next_hop: next_hop.clone(), came, neighbour, ledger });
        self.members.insert(next_hop, Arc::downgrade(&member));
        member
    }
}

impl Seats {
    /// The members that stand for these addresses, in their order. Those that were not there when
    /// the name was last looked at are new.
    pub(super) fn of(&self, roster: &Roster, addresses: &Arc<[IpAddr]>) -> Arc<Found> {
        let Self::Named { found, port, new } = self else { return Arc::default() };
        let before = found.load();
        if before.addresses.as_ref().is_some_and(|known| same(known, addresses)) {
            return Arc::clone(&before);
        }
        let new = *new || before.addresses.is_some();
        let mut known = roster.locked();
        known.members.retain(|_, member| member.strong_count() > 0);
        let hop = |ip: &IpAddr| NextHop::Inet(SocketAddr::new(*ip, *port));
        let members = addresses.iter().map(|ip| known.member(&roster.ledger, hop(ip), new));
        let now = Found { members: members.collect(), addresses: Some(addresses.clone()) };
        let now = Arc::new(now);
        found.store(now.clone());
        now
    }

    /// Those that are known without asking.
    pub(super) fn known(&self) -> Vec<Arc<Member>> {
        match self {
            Self::Fixed(member) => vec![member.clone()],
            Self::Named { found, .. } => found.load().members.clone(),
        }
    }
}

/// How many of a name's addresses are used while they serve: those of the first one's family. The
/// others wait until these were tried.
pub(super) fn alike<'h>(mut addresses: impl Iterator<Item = &'h NextHop>) -> usize {
    let is_v4 = |next_hop: &NextHop| matches!(next_hop, NextHop::Inet(a) if a.is_ipv4());
    let first = addresses.next().map(is_v4);
    first.map_or(0, |first| 1 + addresses.take_while(|other| is_v4(other) == first).count())
}

fn same(one: &Arc<[IpAddr]>, other: &Arc<[IpAddr]>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> u64 {
    millis(BEGAN.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Option<Duration> = Some(Duration::from_hours(1));

    fn roster() -> Roster {
        Roster::new(Arc::default())
    }

    fn target(text: &str) -> Target {
        text.parse().expect("a target")
    }

    fn share(seats: &Seats) -> Share {
        let Seats::Fixed(member) = seats else { panic!("it has an address") };
        member.share(WINDOW)
    }

    #[test]
    fn who_was_there_from_the_start_has_all_of_its_weight() {
        let roster = roster();
        let first = roster.seats(&target("10.0.0.1:80"));
        roster.settle([target("10.0.0.1:80")].into_iter());
        let again = roster.seats(&target("10.0.0.1:80"));
        let new = roster.seats(&target("10.0.0.2:80"));
        assert_eq!((share(&first), share(&again), share(&new)), (WHOLE, WHOLE, LEAST));
        drop(first);
        roster.settle([target("10.0.0.1:80"), target("10.0.0.2:80")].into_iter());
        assert_eq!(share(&roster.seats(&target("10.0.0.2:80"))), LEAST, "a reload does not end it");
        let Seats::Fixed(member) = &new else { panic!("it has an address") };
        assert_eq!(member.share(None), WHOLE);
    }

    #[test]
    fn who_is_back_begins_anew() {
        let roster = roster();
        let (gone, other) =
            (roster.seats(&target("10.0.0.1:80")), roster.seats(&target("10.0.0.2:80")));
        assert_eq!((share(&gone), share(&other)), (WHOLE, WHOLE));
        roster.returned(&NextHop::Inet(([10, 0, 0, 1], 80).into()));
        assert_eq!((share(&gone), share(&other)), (LEAST, WHOLE));
    }

    #[test]
    fn the_share_grows_with_time() {
        let Seats::Fixed(member) = roster().seats(&target("10.0.0.1:80")) else { panic!() };
        member.came.store(5_001, Ordering::Relaxed);
        let share = |now| member.share_at(now, Duration::from_secs(10));
        let shares = [0, 5_000, 5_900, 7_500, 10_000, 14_990, 15_000, u64::MAX].map(share);
        assert_eq!(shares, [LEAST, LEAST, LEAST, 250, 500, 999, WHOLE, WHOLE]);
    }

    #[test]
    fn an_address_that_joins_a_name_is_new_and_the_others_are_not() {
        let roster = roster();
        let seats = roster.seats(&target("api.test:80"));
        roster.settle([target("api.test:80")].into_iter());
        let ips = |last: &[u8]| -> Arc<[IpAddr]> {
            last.iter().map(|n| IpAddr::from([10, 0, 0, *n])).collect()
        };
        let shares = |addresses: &[u8]| -> Vec<Share> {
            let found = seats.of(&roster, &ips(addresses));
            found.members.iter().map(|member| member.share(WINDOW)).collect()
        };
        assert_eq!(shares(&[1, 2]), [WHOLE, WHOLE]);
        assert_eq!(shares(&[2, 3, 1]), [WHOLE, LEAST, WHOLE]);
        assert_eq!(seats.known().len(), 3);
        let other = roster.seats(&target("new.test:80"));
        let found = other.of(&roster, &ips(&[9]));
        assert_eq!(found.members[0].share(WINDOW), LEAST, "the endpoint itself is new");
        drop(seats.of(&roster, &ips(&[1])));
        assert!(roster.locked().members.len() <= 4, "those that left are forgotten in time");
    }

    #[test]
    fn what_is_under_way_is_counted_across_upstreams_and_plans() {
        let ledger = Arc::new(Ledger::default());
        let (one, other) = (Roster::new(ledger.clone()), Roster::new(ledger.clone()));
        let (Seats::Fixed(a), Seats::Fixed(b)) =
            (one.seats(&target("10.0.0.1:80")), other.seats(&target("10.0.0.1:80")))
        else {
            panic!("they have addresses")
        };
        let under_way = ledger.neighbour(&a.next_hop, None).begin();
        assert_eq!((a.in_flight(), b.in_flight()), (1, 1));
        drop(under_way);
        assert_eq!(a.in_flight(), 0);
    }
}
