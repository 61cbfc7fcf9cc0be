//! An upstream and the choice among its endpoints.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::proxy::{NO_ENDPOINTS, PROXY_CONFIG_INVALID};
use whodunit_filters::attribution::{Failure, Key, NextHop};
use whodunit_pingora::connect::{Line, Protocol};

use super::balance::Turns;
use super::own::Listeners;
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
    /// How many attempts a request may have in all, the first included.
    pub attempts: usize,
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
            line: Arc::new(Line { tls: tls.map(|tls| tls.ready), protocol, latch: None }),
            attempts: 1,
        }
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
    /// endpoint may be one of them.
    #[must_use]
    pub fn new(upstream: Upstream, resolver: Resolver, own: Arc<Listeners>) -> Self {
        let turns = Turns::new(upstream.endpoints.iter().map(|(_, weight)| *weight).collect());
        Self { upstream, turns, picks: AtomicUsize::new(0), resolver, own }
    }

    /// Picks an endpoint. Those `tried` already in this request have no turn unless none is left.
    ///
    /// # Errors
    /// When there is no endpoint to pick: `no_endpoints`; when none can be used: why the first of
    /// them cannot.
    pub async fn pick(&self, tried: &[NextHop]) -> Result<Picked, Failure> {
        let started = Instant::now();
        let mut passed_over: Vec<(usize, Failure)> = Vec::new();
        let mut exhausted: HashSet<usize> = HashSet::new();
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
                        return Ok(self.picked(endpoint, next_hop, answer, started, passed_over));
                    }
                    Ok(None) => {
                        exhausted.insert(endpoint);
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
        started: Instant,
        passed_over: Vec<(usize, Failure)>,
    ) -> Picked {
        let name = match &self.upstream.endpoints[endpoint].0 {
            Target::Name(name, _) => Some(name.clone()),
            Target::Ip(_) | Target::Unix(_) => None,
        };
        let dns = if name.is_some() { started.elapsed() } else { Duration::ZERO };
        let answer_age = answer.as_ref().map(|answer| answer.age);
        let stale = answer.and_then(|answer| answer.stale);
        Picked { endpoint, next_hop, name, dns, answer_age, stale, passed_over }
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
                let answer = self.resolver.resolve(name).await?;
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
mod tests {
    use whodunit_filters::attribution::Fault;

    use super::super::resolve::ResolverSettings;
    use super::*;

    fn pool(endpoints: &[(&str, u32)], own: &[&str]) -> Pool {
        let endpoints = endpoints
            .iter()
            .map(|(target, weight)| (target.parse().expect("a target"), *weight))
            .collect();
        let upstream = Upstream { endpoints, ..Upstream::new("web", None, Protocol::Auto) };
        // Nobody is asked here: port 9 of the loopback would refuse at once.
        let servers = vec!["127.0.0.1:9".parse().expect("an address")];
        let settings = ResolverSettings { servers, attempts: 1, ..ResolverSettings::default() };
        let own = own.iter().map(|address| address.parse().expect("an address")).collect();
        let resolver = Resolver::new(&settings).expect("servers are given");
        Pool::new(upstream, resolver, Arc::new(Listeners::new(own)))
    }

    async fn picks(pool: &Pool, tried: &[&str], count: usize) -> Vec<String> {
        let tried: Vec<_> = tried
            .iter()
            .map(|hop| match hop.parse().expect("a target") {
                Target::Ip(address) => NextHop::Inet(address),
                Target::Unix(path) => NextHop::Unix(path),
                Target::Name(..) => unreachable!("a hop has an address"),
            })
            .collect();
        let mut hops = Vec::new();
        for _ in 0..count {
            hops.push(pool.pick(&tried).await.expect("an endpoint").next_hop.to_string());
        }
        hops
    }

    #[tokio::test]
    async fn endpoints_have_their_turns_by_weight() {
        let pool = pool(&[("10.0.0.1:80", 2), ("unix:/run/a.sock", 1), ("10.0.0.3:80", 0)], &[]);
        let hops = picks(&pool, &[], 6).await;
        assert_eq!(hops.iter().filter(|hop| *hop == "10.0.0.1:80").count(), 4);
        assert_eq!(hops.iter().filter(|hop| *hop == "unix:/run/a.sock").count(), 2);
    }

    #[tokio::test]
    async fn a_tried_endpoint_has_no_turn_unless_none_is_left() {
        let pool = pool(&[("10.0.0.1:80", 9), ("10.0.0.2:80", 1)], &[]);
        assert_eq!(picks(&pool, &["10.0.0.1:80"], 3).await, ["10.0.0.2:80"; 3]);
        assert_eq!(picks(&pool, &["10.0.0.1:80", "10.0.0.2:80"], 1).await.len(), 1);
    }

    #[tokio::test]
    async fn each_address_of_a_name_is_tried() {
        let pool = pool(&[("localhost:80", 1)], &[]);
        assert_eq!(picks(&pool, &[], 2).await, ["127.0.0.1:80", "127.0.0.1:80"]);
        assert_eq!(picks(&pool, &["127.0.0.1:80"], 1).await, ["[::1]:80"]);
        assert_eq!(picks(&pool, &["127.0.0.1:80", "[::1]:80"], 1).await, ["127.0.0.1:80"]);
    }

    #[tokio::test]
    async fn no_endpoints_and_no_weight_are_the_same() {
        for endpoints in [&[][..], &[("10.0.0.1:80", 0), ("10.0.0.2:80", 0)]] {
            let failure = pool(endpoints, &[]).pick(&[]).await.expect_err("none");
            assert_eq!(failure.fault, Fault::Denied(&NO_ENDPOINTS));
            assert_eq!(failure.evidence.text(Key::Upstream), Some("web"));
        }
    }

    #[tokio::test]
    async fn a_listener_of_ours_is_no_endpoint() {
        let alone = pool(&[("localhost:80", 1)], &["0.0.0.0:80"]);
        let failure = alone.pick(&[]).await.expect_err("refused");
        assert_eq!(failure.fault, Fault::Denied(&PROXY_CONFIG_INVALID));
        assert_eq!(failure.evidence.text(Key::Setting), Some("upstreams.web.endpoints"));
        assert_eq!(failure.evidence.text(Key::Address), Some("127.0.0.1:80"));
    }

    #[tokio::test]
    async fn an_endpoint_that_cannot_be_used_gives_way_and_is_told_of() {
        let pool = pool(&[("gone.test:80", 9), ("10.0.0.2:80", 1)], &[]);
        let picked = pool.pick(&[]).await.expect("the other one");
        assert_eq!(picked.next_hop.to_string(), "10.0.0.2:80");
        let [(0, failure)] = &*picked.passed_over else { panic!("{picked:?}") };
        assert_eq!(failure.evidence.text(Key::Errno), Some("ECONNREFUSED"));
        assert_eq!(failure.evidence.text(Key::Resolver), Some("127.0.0.1:9"));
    }
}
