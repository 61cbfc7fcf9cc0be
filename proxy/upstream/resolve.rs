//! From a name to addresses, without ever holding up a thread: own questions to the name servers,
//! answers kept as long as they hold, and asked for again before they run out.

mod doubt;
mod question;
mod recall;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::Hosts;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::sync::Mutex as Flight;
use whodunit_filters::attribution::{Failure, Key};

use doubt::Doubt;
use question::{Found, Servers, Trouble};

/// The shortest time an answer is kept: an answer for no time would be asked for on every request.
const MIN_TTL: Duration = Duration::from_secs(1);
/// How long a failure stands before the name is asked for again.
const RETRY: Duration = Duration::from_secs(1);

/// How names are resolved.
#[derive(Clone, Debug)]
pub struct ResolverSettings {
    /// The name servers, in order of preference, asked by UDP and by TCP where an answer does not
    /// fit. Empty, the default: those of `/etc/resolv.conf` with its search list, and `/etc/hosts`
    /// comes first.
    pub servers: Vec<SocketAddr>,
    /// How long one server may take over one question. Default: 2 s.
    pub timeout: Duration,
    /// How many times the list of servers is gone through. Default: 2.
    pub attempts: usize,
    /// An answer is kept no longer than this, whatever its TTL says. Default: 1 h.
    pub max_ttl: Duration,
    /// How many names are kept; the one not used for longest goes first. Default: 4,096.
    pub max_names: usize,
}

impl Default for ResolverSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(2),
            attempts: 2,
            max_ttl: Duration::from_hours(1),
            max_names: 4_096,
        }
    }
}

/// The addresses of a name.
#[derive(Clone, Debug)]
pub struct Answer {
    /// At least one, in the order in which the server gave them.
    pub addresses: Arc<[IpAddr]>,
    /// How long ago they were learned; zero for a literal address.
    pub age: Duration,
    /// Set if the answer is past its time and could not be renewed: why not.
    pub stale: Option<Failure>,
}

/// Resolves names; a clone shares everything with its original.
#[derive(Clone)]
pub struct Resolver(Arc<Inner>);

struct Inner {
    servers: Servers,
    search: Vec<Name>,
    ndots: usize,
    hosts: Hosts,
    max_ttl: Duration,
    max_names: usize,
    names: Mutex<HashMap<Box<str>, Arc<Entry>>>,
}

/// What is known of one name.
struct Entry {
    state: Mutex<State>,
    /// Held by the one who asks, so that everybody else waits for that answer.
    flight: Flight<()>,
    renewing: AtomicBool,
    /// Who waits for the next answer.
    doubts: Mutex<Vec<Doubt>>,
}

struct State {
    good: Option<Good>,
    /// The last question's failure, if it failed, and when it is worth another.
    failed: Option<(Failure, Instant)>,
    used: Instant,
}

struct Good {
    addresses: Arc<[IpAddr]>,
    learned: Instant,
    holds: Duration,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Resolver {
    /// A resolver with these settings. Reads the system's files once, if they are asked for; a
    /// change of them needs a new resolver.
    ///
    /// # Errors
    /// When no servers are given and the system names none.
    pub fn new(settings: &ResolverSettings) -> io::Result<Self> {
        let (mut list, mut search, mut ndots, mut hosts) =
            (settings.servers.clone(), Vec::new(), 1, Hosts::default());
        if list.is_empty() {
            let (config, options) = read_system_conf().map_err(io::Error::other)?;
            list.extend(config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)));
            search.extend_from_slice(config.search());
            ndots = options.ndots;
            hosts = Hosts::from_system().unwrap_or_default();
        }
        Ok(Self(Arc::new(Inner {
            servers: Servers { list, timeout: settings.timeout, attempts: settings.attempts },
            search,
            ndots,
            hosts,
            max_ttl: settings.max_ttl.max(MIN_TTL),
            max_names: settings.max_names.max(1),
            names: Mutex::default(),
        })))
    }

    /// The addresses of `name`; a literal address and `localhost` are their own answer. Within
    /// the TTL this answers at once. After it, everybody waits for one question; once that has
    /// failed, the last good answer is used, at once and saying so, until a question succeeds.
    ///
    /// # Errors
    /// The facts of the failure, when there was never a good answer.
    pub async fn resolve(&self, name: &str) -> Result<Answer, Failure> {
        if let Some(addresses) = literal(name) {
            return Ok(Answer { addresses, age: Duration::ZERO, stale: None });
        }
        let entry = self.0.entry(name);
        if let Some(outcome) = self.known(name, &entry) {
            return outcome;
        }
        let _flight = entry.flight.lock().await;
        loop {
            if let Some(outcome) = self.known(name, &entry) {
                return outcome;
            }
            // What comes of it holds for a second at least; should this thread sleep that long, it
            // is asked for once more.
            self.0.renew(name, &entry).await;
        }
    }

    /// What can be said without asking.
    fn known(&self, name: &str, entry: &Arc<Entry>) -> Option<Result<Answer, Failure>> {
        let held = locked(&entry.state);
        let now = Instant::now();
        let due = held.failed.as_ref().is_none_or(|(_, until)| now >= *until);
        let Some(good) = &held.good else {
            return held.failed.as_ref().filter(|_| !due).map(|(failure, _)| Err(failure.clone()));
        };
        let age = now.duration_since(good.learned);
        let stale = if age < good.holds {
            None
        } else {
            let (failure, _) = held.failed.as_ref()?;
            Some(failure.clone().with(Key::AnswerAgeMs, age))
        };
        if due && age > good.holds.mul_f32(0.8) {
            self.renew_in_background(name, entry);
        }
        Some(Ok(Answer { addresses: good.addresses.clone(), age, stale }))
    }

    fn renew_in_background(&self, name: &str, entry: &Arc<Entry>) {
        if entry.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (inner, entry, name) = (self.0.clone(), entry.clone(), name.to_owned());
        tokio::spawn(async move {
            let _flight = entry.flight.lock().await;
            inner.renew(&name, &entry).await;
            entry.renewing.store(false, Ordering::Release);
            // Not before: who comes too late to be told now asks again.
            doubt::settle(&entry);
        });
    }
}

impl Inner {
    fn entry(&self, name: &str) -> Arc<Entry> {
        let mut names = locked(&self.names);
        if let Some(entry) = names.get(name) {
            locked(&entry.state).used = Instant::now();
            return entry.clone();
        }
        if names.len() >= self.max_names {
            let oldest = names.iter().min_by_key(|(_, entry)| locked(&entry.state).used);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                names.remove(&oldest);
            }
        }
        let entry = Arc::new(Entry {
            state: Mutex::new(State { good: None, failed: None, used: Instant::now() }),
            flight: Flight::default(),
            renewing: AtomicBool::new(false),
            doubts: Mutex::default(),
        });
        names.insert(name.into(), entry.clone());
        entry
    }

    /// Asks, and keeps what comes of it.
    async fn renew(&self, name: &str, entry: &Entry) {
        let started = Instant::now();
        let outcome = self.ask(name).await;
        let mut state = locked(&entry.state);
        match outcome {
            Ok(found) => {
                state.failed = None;
                state.good = Some(Good {
                    addresses: found.addresses.into(),
                    learned: Instant::now(),
                    holds: found.ttl.clamp(MIN_TTL, self.max_ttl),
                });
            }
            Err(trouble) => {
                let failure = trouble.failure(name, started.elapsed(), state.good.is_some());
                state.failed = Some((failure, Instant::now() + RETRY));
            }
        }
    }

    /// Asks for the name as it stands, and under the search list as resolv.conf(5) has it.
    async fn ask(&self, name: &str) -> Result<Found, Trouble> {
        if let Some(addresses) = self.host_file(name) {
            return Ok(Found { addresses, ttl: self.max_ttl });
        }
        let mut last = Trouble::bad_name();
        for candidate in self.candidates(name).ok_or_else(Trouble::bad_name)? {
            match self.servers.addresses(&candidate).await {
                Err(trouble) if trouble.is_final() => last = trouble,
                other => return other,
            }
        }
        Err(last)
    }

    fn candidates(&self, name: &str) -> Option<Vec<Name>> {
        let relative = Name::from_ascii(name).ok()?;
        let mut absolute = relative.clone();
        absolute.set_fqdn(true);
        if relative.is_fqdn() {
            return Some(vec![absolute]);
        }
        let mut candidates: Vec<_> = self
            .search
            .iter()
            .filter_map(|domain| relative.clone().append_domain(domain).ok())
            .collect();
        let dots = name.bytes().filter(|b| *b == b'.').count();
        let place = if dots >= self.ndots { 0 } else { candidates.len() };
        candidates.insert(place, absolute);
        Some(candidates)
    }

    fn host_file(&self, name: &str) -> Option<Vec<IpAddr>> {
        let name = Name::from_ascii(name).ok()?;
        let addresses: Vec<_> = [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|kind| self.hosts.lookup_static_host(&Query::query(name.clone(), kind)))
            .flat_map(|lookup| lookup.answers().to_vec())
            .filter_map(|record| match record.data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                _ => None,
            })
            .collect();
        (!addresses.is_empty()).then_some(addresses)
    }
}

/// What needs no question: an address, and `localhost` (RFC 6761 section 6.3).
fn literal(name: &str) -> Option<Arc<[IpAddr]>> {
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some([address].into());
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        .then(|| [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()].into())
}

#[cfg(test)]
mod tests;
