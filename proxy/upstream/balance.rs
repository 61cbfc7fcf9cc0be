//! Who among the endpoints is picked, and who among the addresses of one.

mod draw;
mod hash;
mod turns;

use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::spread::{Balance, By};

use draw::Draw;
use hash::Sites;
pub use hash::{Key, key};
use turns::Turns;

/// How much of its weight an endpoint has at present, in thousandths; 0 for one that may not be
/// picked.
pub type Share = u32;

/// All of it.
pub const WHOLE: Share = 1_000;

/// The policy of one upstream, with what it keeps from one pick to the next.
#[derive(Debug)]
pub struct Spread {
    policy: Policy,
    turns: Turns,
}

#[derive(Debug)]
enum Policy {
    RoundRobin,
    LeastRequests(Draw),
    Hash(Sites, By),
}

impl Spread {
    /// The policy over these endpoints, each with its weight.
    #[must_use]
    pub fn new(balance: Balance, by: &By, endpoints: &[(Target, u32)]) -> Self {
        let weights: Vec<u32> = endpoints.iter().map(|(_, weight)| *weight).collect();
        let policy = match balance {
            Balance::RoundRobin => Policy::RoundRobin,
            Balance::LeastRequests => Policy::LeastRequests(Draw::new(&weights)),
            Balance::Hash => Policy::Hash(Sites::new(endpoints), by.clone()),
        };
        Self { policy, turns: Turns::new(weights) }
    }

    /// The next endpoint; `None` if none may be picked. A request without a key has its turn.
    pub fn next(&self, key: Option<Key>, share: impl Fn(usize) -> Share) -> Option<usize> {
        match (&self.policy, key) {
            (Policy::LeastRequests(draw), _) => draw.next(share),
            (Policy::Hash(sites, _), Some(key)) => sites.nearest(key, |index| share(index) > 0),
            (Policy::Hash(..), None) | (Policy::RoundRobin, _) => self.turns.next(share),
        }
    }

    /// Whether the less busy of two is the one to take.
    #[must_use]
    pub const fn compares(&self) -> bool {
        matches!(self.policy, Policy::LeastRequests(_))
    }

    /// What requests are to be told apart by, if that matters.
    #[must_use]
    pub const fn by(&self) -> Option<&By> {
        match &self.policy {
            Policy::Hash(_, by) => Some(by),
            Policy::RoundRobin | Policy::LeastRequests(_) => None,
        }
    }

    /// The policy's name in the configuration.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self.policy {
            Policy::RoundRobin => "round_robin",
            Policy::LeastRequests(_) => "least_requests",
            Policy::Hash(..) => "hash",
        }
    }
}
