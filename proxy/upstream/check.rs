//! A look at an endpoint after a request there failed: does its name still lead there, does it
//! accept a connection, secure it and answer? What is found stands beside later verdicts. Nobody
//! waits for it, and there are few at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::cause::Status;
use whodunit_filters::attribution::cause::path::DNS_STALE_ADDRESS;
use whodunit_filters::attribution::ledger::{Finding, Neighbour};
use whodunit_filters::attribution::{Cause, Failure, Fault, Ledger, NextHop, Party, Phase};
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_pingora::connect::{self, Patience, Question};

use super::dial::server_name;
use super::pool::{Pool, Upstream};

/// How many looks are under way at a time, at all endpoints together.
const AT_A_TIME: usize = 4;
/// The longest that one step of a look takes, where the limits in force are longer.
const STEP: Duration = Duration::from_secs(5);

/// Looks at endpoints.
pub struct Checks {
    ledger: Arc<Ledger>,
    room: Arc<Semaphore>,
}

/// One look.
struct Look {
    pool: Arc<Pool>,
    /// The endpoint's place in the upstream.
    endpoint: usize,
    next_hop: NextHop,
    patience: Patience,
    read: Duration,
}

/// Who asks.
const AGENT: &str = "whodunit-check";

/// A look at an endpoint, whoever wants to know.
pub(super) struct Visit<'a> {
    pub(super) upstream: &'a Upstream,
    /// The endpoint as it is configured.
    pub(super) endpoint: &'a Target,
    /// Where to look.
    pub(super) next_hop: &'a NextHop,
    /// The host to ask for, where it is not the endpoint's own name or address.
    pub(super) host: Option<&'a str>,
    pub(super) patience: Patience,
    /// The limit for an answer.
    pub(super) read: Duration,
    pub(super) question: Question<'a>,
}

impl Visit<'_> {
    /// Takes the steps of a request, one after the other; gives the status of the answer, if one was
    /// asked for.
    ///
    /// # Errors
    /// What broke, as it would be told of a request.
    pub(super) async fn pay(&self) -> Result<Option<u16>, Failure> {
        let name = match self.endpoint {
            Target::Name(name, _) => Some(&**name),
            Target::Ip(_) | Target::Unix(_) => None,
        };
        let authority = match (self.host, name, self.next_hop) {
            (Some(host), ..) => host.to_owned(),
            (None, Some(name), NextHop::Inet(address)) => {
                format!("{}:{}", name.trim_end_matches('.'), address.port())
            }
            (None, _, NextHop::Inet(address)) => address.to_string(),
            (None, _, NextHop::Unix(_)) => "localhost".to_owned(),
        };
        let sni = match &self.upstream.line.tls {
            Some(_) => server_name(self.upstream, name, self.next_hop)?,
            None => String::new(),
        };
        connect::look(connect::Look {
            line: &self.upstream.line,
            next_hop: self.next_hop,
            name: &sni,
            authority: &authority,
            agent: AGENT,
            patience: self.patience,
            read: self.read,
            question: self.question,
        })
        .await
    }
}

/// Notes what a look found at an endpoint, for verdicts on later requests to tell.
pub(super) fn heed(neighbour: &Neighbour, failure: Option<&Failure>, found: Finding) {
    let now = Instant::now();
    match failure {
        None => neighbour.accepted(now),
        Some(failure) if failure.phase > Phase::Connect => neighbour.accepted(now),
        Some(Failure { phase: Phase::Connect, fault: Fault::TimedOut, .. }) => {
            neighbour.unanswered(now);
        }
        Some(_) => {}
    }
    neighbour.checked(now, found);
}

impl Checks {
    /// Looks whose findings are noted in this ledger.
    #[must_use]
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, room: Arc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Has a look at an endpoint in the background, unless it is too soon after the last one or
    /// too many are under way. Must be called on a runtime.
    pub fn look(
        &self,
        pool: &Arc<Pool>,
        endpoint: usize,
        next_hop: &NextHop,
        timeouts: &TimeoutsInForce,
    ) {
        let Ok(room) = self.room.clone().try_acquire_owned() else { return };
        let neighbour = self.ledger.neighbour(next_hop, Some(&pool.upstream.name));
        if !neighbour.begin_check(Instant::now()) {
            return;
        }
        let look = Look {
            pool: pool.clone(),
            endpoint,
            next_hop: next_hop.clone(),
            patience: Patience {
                connect: timeouts.connect.value.0.min(STEP),
                tls: timeouts.tls.value.0.min(STEP),
            },
            read: timeouts.read.value.0.min(STEP),
        };
        tokio::spawn(async move {
            let failure = look.take().await.err();
            let failed =
                |failure: &Failure| Finding::failed(look.next_hop.clone(), failure.clone());
            heed(&neighbour, failure.as_ref(), failure.as_ref().map_or(Finding::Answers, failed));
            drop(room);
        });
    }
}

/// Whether a look may tell more of such a failure.
#[must_use]
pub fn worth_a_look(cause: Cause) -> bool {
    matches!(cause.party, Party::Origin | Party::Network)
        && cause.phase >= Phase::Connect
        && cause.standard != Status::Pass
}

impl Look {
    /// Takes the steps of a request, one after the other, and asks `HEAD /`. Any answer will do.
    async fn take(&self) -> Result<(), Failure> {
        let upstream = &self.pool.upstream;
        let endpoint = &upstream.endpoints[self.endpoint].0;
        if let Target::Name(name, _) = endpoint {
            self.resolve(name).await?;
        }
        let visit = Visit {
            upstream,
            endpoint,
            next_hop: &self.next_hop,
            host: None,
            patience: self.patience,
            read: self.read,
            question: Question::Page { method: &http::Method::HEAD, path: "/" },
        };
        visit.pay().await.map(drop)
    }

    /// Whether the endpoint's name still leads to this address.
    async fn resolve(&self, name: &str) -> Result<(), Failure> {
        let NextHop::Inet(address) = &self.next_hop else { return Ok(()) };
        let answer = self.pool.resolve(name).await?;
        if answer.addresses.contains(&address.ip()) {
            return Ok(());
        }
        Err(Failure::denied(&DNS_STALE_ADDRESS))
    }
}

#[cfg(test)]
mod tests {
    use whodunit_filters::attribution::cause;

    use super::*;

    #[test]
    fn only_what_may_lie_with_the_endpoint_is_worth_a_look() {
        for (id, worth) in [
            ("connect_refused", true),
            ("connect_timeout", true),
            ("origin_slow", true),
            ("origin_error", false),
            ("keepalive_race", false),
            ("dns_timeout", false),
            ("client_aborted", false),
            ("proxy_files_exhausted", false),
        ] {
            assert_eq!(worth_a_look(cause::find(id).expect("a row")), worth, "{id}");
        }
    }
}
