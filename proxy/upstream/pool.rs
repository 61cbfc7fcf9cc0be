//! An upstream and the choice among its endpoints.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::proxy::{NO_ENDPOINTS, PROXY_CONFIG_INVALID};
use whodunit_filters::attribution::{Evidence, Failure, Key, NextHop};
use whodunit_filters::proxied::{Greeting, Told, Version};
use whodunit_pingora::connect::{Line, Protocol};

use super::balance::Turns;
use super::own::Listeners;
use super::places::{Place, Places, Room};
use super::resolve::{Answer, Resolver};
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
    /// How much may be under way to it at a time.
    pub room: Room,
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
            room: Room::default(),
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
    turns: Turns,
    /// Counts the picks, to take a name's addresses in turn.
    picks: AtomicUsize,
    resolver: Resolver,
    own: Arc<Listeners>,
    places: Arc<Places>,
}

/// An endpoint, picked for one attempt.
#[derive(Clone, Debug)]
pub struct Picked {
    /// Its place in [`Upstream::endpoints`].
    pub endpoint: usize,
    /// Where to connect to.
    pub next_hop: NextHop,
    /// The name it was resolved from, if it has one.
    pub name: Option<Arc<str>>,
    /// How long finding the address took, waiting for the name server included.
    pub dns: Duration,
    /// How old the name server's answer is; `None` where none was needed.
    pub answer_age: Option<Duration>,
    /// Set if that answer is past its time and could not be renewed: why not.
    pub stale: Option<Failure>,
    /// Whether its name has other addresses that were not tried yet.
    pub more: bool,
    /// Endpoints whose turn came first and that no connection can be made to, each with the
    /// reason.
    pub passed_over: Vec<(usize, Failure)>,
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
    /// endpoint may be one of them. `places` counts what is under way.
    #[must_use]
    pub fn new(
        upstream: Upstream,
        resolver: Resolver,
        own: Arc<Listeners>,
        places: Arc<Places>,
    ) -> Self {
        let turns = Turns::new(upstream.endpoints.iter().map(|(_, weight)| *weight).collect());
        Self { upstream, turns, picks: AtomicUsize::new(0), resolver, own, places }
    }

    /// A place for a request.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn request(&self) -> Result<Place, Failure> {
        self.places.request(&self.upstream.name, self.upstream.room)
    }

    /// A place for a connection that carries one.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn connection(&self) -> Result<Place, Failure> {
        self.places.connection(&self.upstream.name, self.upstream.room)
    }

    /// Picks an endpoint. Those `tried` already in this request have no turn unless none is left.
    ///
    /// # Errors
    /// When there is no endpoint to pick: `no_endpoints`; when none can be used: why the first of
    /// them cannot.
    pub async fn pick(&self, tried: &[NextHop]) -> Result<Picked, Failure> {
        let started = Instant::now();
        let mut passed_over: Vec<(usize, Failure)> = Vec::new();
        let mut exhausted: Vec<usize> = Vec::new();
        for again in [false, true] {
            let tried = if again { &[] } else { tried };
            loop {
                let turn = self.turns.next(|index| {
                    !passed_over.iter().any(|(passed, _)| *passed == index)
                        && (again || !exhausted.contains(&index) && !self.was_tried(index, tried))
                });
                let Some(endpoint) = turn else { break };
                match self.locate(endpoint, tried).await {
                    Ok(Some((next_hop, answer))) => {
                        let mut picked = self.picked(endpoint, next_hop, answer, tried, started);
                        picked.passed_over = passed_over;
                        return Ok(picked);
                    }
                    Ok(None) => {
                        exhausted.push(endpoint);
                    }
                    Err(failure) => passed_over.push((endpoint, failure)),
                }
            }
        }
        Err(passed_over.into_iter().next().map_or_else(
            || Failure::denied(&NO_ENDPOINTS).with(Key::Upstream, self.upstream.name.to_string()),
            |(_, failure)| failure.with(Key::Upstream, self.upstream.name.to_string()),
        ))
    }

    /// The addresses of a name, as the pool itself would find them.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    pub async fn resolve(&self, name: &str) -> Result<Answer, Failure> {
        self.resolver.resolve(name).await
    }

    fn picked(
        &self,
        endpoint: usize,
        next_hop: NextHop,
        answer: Option<Answer>,
        tried: &[NextHop],
        started: Instant,
    ) -> Picked {
        let name = match &self.upstream.endpoints[endpoint].0 {
            Target::Name(name, _) => Some(name.clone()),
            Target::Ip(_) | Target::Unix(_) => None,
        };
        let dns = if name.is_some() { started.elapsed() } else { Duration::ZERO };
        let answer_age = answer.as_ref().map(|answer| answer.age);
        let more = match (&answer, &next_hop) {
            (Some(answer), NextHop::Inet(this)) => answer.addresses.iter().any(|address| {
                let other = SocketAddr::new(*address, this.port());
                other != *this && !tried.contains(&NextHop::Inet(other))
            }),
            _ => false,
        };
        let stale = answer.and_then(|answer| answer.stale);
        Picked { endpoint, next_hop, name, dns, answer_age, stale, more, passed_over: Vec::new() }
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

    /// Whether an endpoint that needs no name server was tried.
    fn was_tried(&self, endpoint: usize, tried: &[NextHop]) -> bool {
        match &self.upstream.endpoints[endpoint].0 {
            Target::Ip(address) => tried.contains(&NextHop::Inet(*address)),
            Target::Unix(path) => tried.contains(&NextHop::Unix(path.clone())),
            Target::Name(..) => false,
        }
    }

    /// An address of the endpoint that was not tried yet; `None` if all of them were.
    async fn locate(
        &self,
        endpoint: usize,
        tried: &[NextHop],
    ) -> Result<Option<(NextHop, Option<Answer>)>, Failure> {
        let (address, answer) = match &self.upstream.endpoints[endpoint].0 {
            Target::Unix(path) => return Ok(Some((NextHop::Unix(path.clone()), None))),
            Target::Ip(address) => (*address, None),
            Target::Name(name, port) => {
                // Large, and of no use to those without a name.
                let answer = Box::pin(self.resolver.resolve(name)).await?;
                match self.choose(&answer, *port, tried) {
                    Some(address) => (address, Some(answer)),
                    None => return Ok(None),
                }
            }
        };
        if self.own.reached_by(address).is_some() {
            let setting = format!("upstreams.{}.endpoints", self.upstream.name);
            return Err(Failure::denied(&PROXY_CONFIG_INVALID)
                .with(Key::Setting, setting)
                .with(Key::Rule, "an endpoint is a listener of this proxy")
                .with(Key::Address, address.to_string()));
        }
        Ok(Some((NextHop::Inet(address), answer)))
    }

    /// The addresses of the first one's family take turns; the others wait until those are tried.
    fn choose(&self, answer: &Answer, port: u16, tried: &[NextHop]) -> Option<SocketAddr> {
        let addresses = &answer.addresses;
        let alike = addresses.iter().take_while(|a| a.is_ipv4() == addresses[0].is_ipv4()).count();
        let first = self.picks.fetch_add(1, Ordering::Relaxed) % alike;
        (0..alike)
            .map(|step| (first + step) % alike)
            .chain(alike..addresses.len())
            .map(|index| SocketAddr::new(addresses[index], port))
            .find(|address| !tried.contains(&NextHop::Inet(*address)))
    }
}

#[cfg(test)]
mod tests;
