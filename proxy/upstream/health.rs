//! Checks of endpoints at their intervals, whether or not requests go there: each address of each
//! endpoint, by the steps that a request would take.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use futures_util::future::join_all;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use whodunit_conf::schema::address::Target;
use whodunit_conf::schema::health::{Authority, Health, Kind, Method};
use whodunit_filters::attribution::cause::answer::ORIGIN_ERROR;
use whodunit_filters::attribution::cause::proxy::{
    PROXY_BUG, PROXY_FILES_EXHAUSTED, PROXY_PORTS_EXHAUSTED,
};
use whodunit_filters::attribution::ledger::Finding;
use whodunit_filters::attribution::{Cause, Ledger, NextHop};
use whodunit_pingora::connect::{Patience, Question};

use super::check::{Visit, heed};
use super::pool::{Pool, Upstream};
use super::rotation::{Reason, Rules};

/// How many checks are under way at a time, at all endpoints together.
const AT_A_TIME: usize = 64;

/// The checks of the plan in force.
pub struct Rounds {
    ledger: Arc<Ledger>,
    room: Arc<Semaphore>,
    runtime: OnceLock<Handle>,
    tasks: Mutex<JoinSet<()>>,
}

/// The checks of one endpoint.
struct Round {
    pool: Arc<Pool>,
    health: Arc<Health>,
    /// The endpoint's place in the upstream.
    endpoint: usize,
    /// Of the rules that its findings count by.
    generation: u64,
    ledger: Arc<Ledger>,
    room: Arc<Semaphore>,
}

impl Rounds {
    /// No checks as yet. What they find is noted in this ledger as well, for verdicts to tell.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        Self { ledger, room, runtime: OnceLock::new(), tasks: Mutex::default() }
    }

    /// Checks run here from now on. Before that, [`Rounds::follow`] makes none.
    pub fn run_on(&self, runtime: &Handle) {
        let _ = self.runtime.set(runtime.clone());
    }

    /// Checks the endpoints of these upstreams from now on, and no others. What was found by the same
    /// checks before holds, and so does when the next ones are due.
    pub fn follow<'p>(&self, pools: impl IntoIterator<Item = &'p Arc<Pool>>) {
        let mut tasks = JoinSet::new();
        for pool in pools {
            let generation = pool.rotation().follow(rules(&pool.upstream), &pool.members());
            let (Some(health), Some(runtime)) = (&pool.upstream.health, self.runtime.get()) else {
                continue;
            };
            for endpoint in 0..pool.upstream.endpoints.len() {
                let round = Round {
                    pool: pool.clone(),
                    health: health.clone(),
                    endpoint,
                    generation,
                    ledger: self.ledger.clone(),
                    room: self.room.clone(),
                };
                tasks.spawn_on(round.go_on(), runtime);
            }
        }
        // Those before end with this.
        *self.tasks.lock().unwrap_or_else(PoisonError::into_inner) = tasks;
    }
}

fn rules(upstream: &Upstream) -> Rules {
    let mut hasher = std::hash::DefaultHasher::new();
    (upstream.fingerprint, &upstream.sni).hash(&mut hasher);
    Rules {
        upstream: upstream.name.clone(),
        health: upstream.health.clone(),
        line: hasher.finish(),
        eject: upstream.eject,
    }
}

impl Round {
    async fn go_on(self) {
        let endpoint = &self.pool.upstream.endpoints[self.endpoint].0;
        let interval = self.health.interval.0;
        // Not all at once.
        let first = || Instant::now() + interval.mul_f64(fastrand::f64());
        let mut due = self.pool.rotation().due(endpoint).unwrap_or_else(first);
        loop {
            sleep_until(due.into()).await;
            let began = Instant::now();
            join_all(self.addresses(endpoint).await.into_iter().map(|hop| self.check(hop))).await;
            // A little early or late, so that those which have come to go together part again.
            due = began + interval.mul_f64(0.95 + fastrand::f64() / 10.0);
            self.pool.rotation().ended(self.generation, endpoint, due, &self.pool.members());
        }
    }

    /// The addresses of the endpoint; none as long as its name leads nowhere. None of our own, which
    /// no request is sent to either.
    async fn addresses(&self, endpoint: &Target) -> Vec<NextHop> {
        if let Target::Name(name, _) = endpoint
            && self.pool.resolve(name).await.is_err()
        {
            return Vec::new();
        }
        let mut addresses = self.pool.addresses(endpoint).unwrap_or_default();
        addresses.retain(|next_hop| !self.pool.is_own(next_hop));
        addresses
    }

    async fn check(&self, next_hop: NextHop) {
        let Ok(_room) = self.room.acquire().await else { return };
        let (upstream, health) = (&self.pool.upstream, &self.health);
        let method = method(health.method);
        let place = self.place(&next_hop);
        let visit = Visit {
            upstream,
            endpoint: &upstream.endpoints[self.endpoint].0,
            next_hop: &place,
            host: health.host.as_ref().map(Authority::as_str),
            patience: Patience { connect: health.timeout.0, tls: health.timeout.0 },
            read: health.timeout.0,
            question: match health.kind {
                Kind::Http => Question::Page { method: &method, path: health.path.as_str() },
                Kind::Tcp => Question::Connection,
                Kind::Tls => Question::Handshake,
            },
        };
        let looked = visit.pay().await;
        let outcome = match &looked {
            Ok(Some(status)) if !health.expect.holds(*status) => {
                Err(Reason::Answered(*status, (*status >= 500).then_some(&ORIGIN_ERROR)))
            }
            Ok(_) => Ok(()),
            Err(failure) => match Finding::failed(place.clone(), failure.clone()) {
                Finding::Failed(cause) => Err(Reason::Failed(cause)),
                Finding::Answers => Ok(()),
            },
        };
        if outcome.is_err_and(|reason| reason.cause().is_some_and(is_ours)) {
            return;
        }
        if place == next_hop {
            let neighbour = self.ledger.neighbour(&next_hop, Some(&upstream.name));
            let found = match outcome {
                Ok(()) => Finding::Answers,
                Err(reason) => reason.cause().map_or(Finding::Answers, Finding::Failed),
            };
            heed(&neighbour, looked.as_ref().err(), found);
        }
        self.pool.rotation().checked(self.generation, &next_hop, outcome);
    }

    /// Where the check goes.
    fn place(&self, next_hop: &NextHop) -> NextHop {
        match (next_hop, self.health.port) {
            (NextHop::Inet(address), Some(port)) => NextHop::Inet((address.ip(), port).into()),
            _ => next_hop.clone(),
        }
    }
}

/// Whether a check failed for want of something of this machine's own, which says nothing of an
/// endpoint: all would be out at once.
fn is_ours(cause: Cause) -> bool {
    [&PROXY_BUG, &PROXY_FILES_EXHAUSTED, &PROXY_PORTS_EXHAUSTED].contains(&cause)
}

fn method(method: Method) -> http::Method {
    match method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
        Method::Options => http::Method::OPTIONS,
    }
}

#[cfg(test)]
mod tests {
    use whodunit_filters::attribution::cause;

    use super::*;

    #[test]
    fn what_this_machine_lacks_takes_no_endpoint_out() {
        for (id, ours) in [
            ("proxy_files_exhausted", true),
            ("proxy_ports_exhausted", true),
            ("proxy_bug", true),
            ("alpn_mismatch", false),
            ("proxy_config_invalid", false),
            ("connect_refused", false),
            ("origin_error", false),
        ] {
            assert_eq!(is_ours(cause::find(id).expect("a row")), ours, "{id}");
        }
    }
}
