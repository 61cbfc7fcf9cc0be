//! An upstream and the choice among its endpoints.

mod pick;
mod shown;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::health::{Eject, Health};
use whodunit_conf::schema::spread::{Balance, By};
use whodunit_filters::attribution::{Evidence, Failure, NextHop};
use whodunit_filters::proxied::{Greeting, Told, Version};
use whodunit_pingora::connect::{Line, Protocol};

pub use self::pick::{Ask, Picked};
use super::balance::Spread;
use super::lasting::Lasting;
use super::own::Listeners;
use super::places::{Places, Room};
use super::resolve::{Answer, Resolver};
use super::roster::Seats;
use super::rotation::Rotation;
use super::tls::Tls;

/// One upstream of the configuration.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its name.
    pub name: Arc<str>,
    /// Where its requests may go, each with its weight.
    pub endpoints: Vec<(Target, u32)>,
    /// Whether it is a proxy whose word counts.
    pub hop: bool,
    /// What its connections are like.
    pub line: Arc<Line>,
    /// The server name to ask for and to look for in the certificate, where it is not the
    /// endpoint's own.
    pub sni: Option<Arc<str>>,
    /// Whether certificates are verified.
    pub verify: bool,
    /// Tells apart the connections of upstreams that differ in any of these.
    pub fingerprint: u64,
    /// Whether the endpoints are told whose connection it is, and how.
    pub proxied: Option<Version>,
    /// How many attempts a request may have in all, the first included.
    pub attempts: usize,
    /// How long the second attempt waits at most.
    pub backoff: Option<Duration>,
    /// How many requests in a hundred may be sent once more after the origin may have worked on them.
    pub budget: Option<u8>,
    /// Statuses after which a request is tried again.
    pub on: Vec<u16>,
    /// How its endpoints are checked, if they are.
    pub health: Option<Arc<Health>>,
    /// When requests that fail take an endpoint out, if they do.
    pub eject: Option<Eject>,
    /// How much may be under way to it at a time.
    pub room: Room,
    /// How requests are spread over the endpoints.
    pub balance: Balance,
    /// What `Balance::Hash` goes by.
    pub by: By,
    /// How long it takes until a new address has all of its weight.
    pub slow_start: Option<Duration>,
}

impl Upstream {
    /// An upstream without endpoints, whose connections are secured so, or plain.
    #[must_use]
    pub fn new(name: &str, tls: Option<Tls>, protocol: Protocol) -> Self {
        let mut hasher = DefaultHasher::new();
        (tls.as_ref().map(|tls| tls.fingerprint), protocol as u8).hash(&mut hasher);
        Self {
            name: name.into(),
            endpoints: Vec::new(),
            hop: false,
            sni: tls.as_ref().and_then(|tls| tls.sni.clone()),
            verify: tls.as_ref().is_some_and(|tls| tls.verify),
            fingerprint: hasher.finish() >> 1,
            line: Arc::new(Line {
                tls: tls.map(|tls| tls.ready),
                protocol,
                latch: None,
                greeting: None,
            }),
            proxied: None,
            attempts: 1,
            backoff: None,
            budget: None,
            on: Vec::new(),
            health: None,
            eject: None,
            room: Room::default(),
            balance: Balance::RoundRobin,
            by: By::Client,
            slow_start: None,
        }
    }

    /// The same, whose endpoints are told in this version of the PROXY protocol whose connection it
    /// is. What nobody asked for is our own.
    #[must_use]
    pub fn telling(mut self, version: Option<Version>) -> Self {
        let greeting = version.map(|version| Greeting::new(version, Told::Own));
        self.line = Arc::new(Line { greeting, ..Line::clone(&self.line) });
        self.proxied = version;
        self
    }
}

/// An upstream with what choosing among its endpoints takes.
pub struct Pool {
    /// The upstream.
    pub upstream: Upstream,
    spread: Spread,
    /// The addresses of each endpoint.
    seats: Vec<Seats>,
    /// Counts the picks, to take a name's addresses in turn.
    picks: AtomicUsize,
    resolver: Resolver,
    own: Arc<Listeners>,
    lasting: Arc<Lasting>,
}

impl Upstream {
    /// How many endpoints requests may be sent to: those with a weight.
    #[must_use]
    pub fn endpoints_in_use(&self) -> usize {
        self.endpoints.iter().filter(|(_, weight)| *weight > 0).count()
    }
}

impl Pool {
    /// A pool over this upstream. `own` are the addresses that this process listens on: no
    /// endpoint may be one of them. `lasting` is what is known of the upstream of this name from
    /// earlier plans.
    #[must_use]
    pub fn new(
        upstream: Upstream,
        resolver: Resolver,
        own: Arc<Listeners>,
        lasting: Arc<Lasting>,
    ) -> Self {
        // Who answers for names may be out of reach at this very moment.
        if let Some(before) = lasting.in_force() {
            for (target, _) in &upstream.endpoints {
                if let Target::Name(name, _) = target {
                    resolver.remember(name, &before.resolver);
                }
            }
        }
        let spread = Spread::new(upstream.balance, &upstream.by, &upstream.endpoints);
        let seats =
            upstream.endpoints.iter().map(|(target, _)| lasting.roster.seats(target)).collect();
        Self { upstream, spread, seats, picks: AtomicUsize::new(0), resolver, own, lasting }
    }

    /// The plan that this belongs to is in force from now on.
    pub fn settle(self: &Arc<Self>) {
        let mut in_force = self.lasting.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        *in_force = Arc::downgrade(self);
        drop(in_force);
        self.lasting.places.allow(self.upstream.room);
        let targets = self.upstream.endpoints.iter().map(|(target, _)| target.clone());
        self.lasting.roster.settle(targets);
    }

    /// The same upstream by the plan in force; `None` once that one is gone, or before the first.
    #[must_use]
    pub fn in_force(&self) -> Option<Arc<Self>> {
        self.lasting.in_force()
    }

    /// What is under way to the upstream, and what waits.
    #[must_use]
    pub fn places(&self) -> &Arc<Places> {
        &self.lasting.places
    }

    /// Whether another attempt is within the budget, which it is then charged to.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        let asked = self.lasting.places.asked();
        self.upstream.budget.is_none_or(|percent| self.lasting.budget.take(asked, percent))
    }

    /// What requests are to be told apart by, if that matters.
    #[must_use]
    pub const fn by(&self) -> Option<&By> {
        self.spread.by()
    }

    /// Who of it is in rotation.
    #[must_use]
    pub fn rotation(&self) -> &Rotation {
        &self.lasting.rotation
    }

    /// The addresses of a name by the last answer, without asking; `None` if there was none.
    #[must_use]
    pub fn recall(&self, name: &str) -> Option<Arc<[IpAddr]>> {
        self.resolver.recall(name)
    }

    /// Whether an address is one of our own listeners.
    #[must_use]
    pub fn is_own(&self, next_hop: &NextHop) -> bool {
        matches!(next_hop, NextHop::Inet(address) if self.own.reached_by(*address).is_some())
    }

    /// The addresses of a name, as the pool itself would find them.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn resolve(&self, name: &str) -> Result<Answer, Failure> {
        self.resolver.resolve(name).await
    }

    /// Has the name of an endpoint asked for anew that could not be reached, if it has one: whether
    /// the address is still one of its.
    #[must_use]
    pub fn doubt(&self, picked: &Picked) -> Option<oneshot::Receiver<Evidence>> {
        match (&picked.name, &picked.next_hop) {
            (Some(name), NextHop::Inet(address)) => self.resolver.doubt(name, address.ip()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
