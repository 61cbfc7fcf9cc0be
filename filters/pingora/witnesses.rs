//! What other requests say of a failure. They are asked as soon as it is seen, before anything is
//! told of it, so that header, body and record agree.

use std::time::Instant;

use whodunit_filters::attribution::cause::answer::{ORIGIN_CLOSED, ORIGIN_RESET};
use whodunit_filters::attribution::cause::proxy::{
    PROXY_BUG, PROXY_FILES_EXHAUSTED, PROXY_PORTS_EXHAUSTED, PROXY_STOPPING,
};
use whodunit_filters::attribution::cause::send::{KEEPALIVE_RACE, ORIGIN_EARLY_RESPONSE};
use whodunit_filters::attribution::evidence::Scope;
use whodunit_filters::attribution::ledger::Manner;
use whodunit_filters::attribution::{Cause, Evidence, Key, Party};

use crate::advice::Advice;
use crate::context::Case;
use crate::counters::Ended;

impl Case {
    /// What has just failed is noted at its endpoint, or at its upstream where none was reached,
    /// and what these know of other requests becomes evidence.
    pub(crate) fn call_witnesses(&mut self) {
        let evidence = if self.exchange.attempt_failed() {
            self.ask_the_endpoint_of_attempt()
        } else {
            self.ask_whoever_was_reached()
        };
        let Some(evidence) = evidence else { return };
        let failure = if self.exchange.attempt_failed() {
            self.exchange.last_attempt_mut().and_then(|attempt| attempt.failure.as_deref_mut())
        } else {
            self.exchange.failure_mut()
        };
        if let Some(failure) = failure {
            failure.evidence.absorb(&evidence);
        }
    }

    /// The same for an error that the origin tells of itself.
    pub(crate) fn call_witnesses_of_answer(&mut self) {
        let Some(cause) = self.exchange.verdict_on_answer().filter(|cause| concerns(cause)) else {
            return;
        };
        if let Some(evidence) = self.ask_the_endpoint(cause) {
            self.exchange.beside.absorb(&evidence);
            self.ask_the_others();
        }
    }

    /// How the other endpoints of the upstream fare, where one fails for good: asked when all
    /// attempts are over, for each of them tells something of that.
    pub(crate) fn ask_the_others(&mut self) {
        let Some(upstream) = self.exchange.upstream.clone() else { return };
        let exchange = &mut self.exchange;
        let mut accounts: Vec<&mut Evidence> = Vec::new();
        let beyond = exchange.failure().is_some();
        if beyond {
            accounts.extend(exchange.failure_mut().map(|failure| &mut failure.evidence));
        } else if exchange.attempt_failed() {
            accounts.extend(exchange.attempts_failed_mut().map(|failure| &mut failure.evidence));
        } else {
            accounts.push(&mut exchange.beside);
        }
        accounts.retain(|evidence| evidence.text(Key::Scope) == Some(Scope::All.as_str()));
        if accounts.is_empty() || self.lane.is_none() {
            return;
        }
        let fare = self.books.ledger.endpoints(&upstream);
        // A name may stand for several addresses; each is an endpoint once it was asked.
        let total = self.endpoints.unwrap_or(0).max(fare.asked);
        for evidence in accounts.into_iter().filter(|_| total > 1) {
            evidence.set(Key::EndpointsFailing, fare.failing);
            evidence.set(Key::EndpointsAnswering, fare.answering);
            evidence.set(Key::EndpointsTotal, total);
        }
    }

    /// The attempt is over: if nothing failed, it went well.
    pub(crate) fn went_well(&mut self, at: Instant) {
        let status = self.exchange.upstream_status;
        let well = self.answered_at.is_some() && status.is_some_and(|status| status < 500);
        let manner = self.manner();
        if let Some(lane) = self.lane.as_mut().filter(|_| well) {
            lane.went_well(at, manner);
        }
    }

    /// How the request as a whole ended for its upstream; `None` where that says nothing of it, or
    /// was noted before.
    pub(crate) fn ended(&self) -> Option<Ended> {
        let well = match self.verdict.as_deref() {
            Some(verdict) if self.noted_upstream || !concerns(verdict.cause) => return None,
            Some(_) => false,
            None if self.exchange.attempts_made() == 0 => return None,
            None => true,
        };
        Some(Ended { well, manner: self.manner() })
    }

    /// Bytes of the request that came from the client; without its header section where there is no
    /// ingress to count it.
    pub(crate) fn size(&self) -> u64 {
        self.client.as_ref().map_or(self.uploaded, |client| client.received())
    }

    /// Notes for how long idle connections to the endpoint are kept, and tells the operator if
    /// that is longer than the endpoint keeps them.
    pub(crate) fn compare_idle(&self) {
        let Some(lane) = &self.lane else { return };
        let longer = lane.neighbour().kept_for(self.timeouts.idle.value.0);
        if lane.neighbour().news() || longer {
            self.advise();
        }
    }

    fn advise(&self) {
        let (Some(lane), Some(attempt)) = (&self.lane, self.exchange.last_attempt()) else {
            return;
        };
        if let Some(learned) = lane.neighbour().warning() {
            let idle = &self.timeouts.idle;
            self.books.sink.advise(&Advice {
                next_hop: attempt.next_hop.clone(),
                upstream: self.exchange.upstream.clone(),
                setting: idle.place.as_ref().into(),
                set_to: idle.value.0,
                learned,
            });
        }
    }

    fn manner(&self) -> Manner {
        let connection = self.exchange.last_attempt().and_then(|attempt| attempt.connection);
        Manner { reused: connection.map(|connection| connection.reused), size: self.size() }
    }

    fn ask_the_endpoint_of_attempt(&mut self) -> Option<Evidence> {
        let attempt = self.exchange.last_attempt()?;
        let cause = self.exchange.verdict_on(attempt).filter(|cause| concerns(cause))?;
        let mut evidence = self.ask_the_endpoint(cause)?;
        self.learn(cause, &mut evidence);
        Some(evidence)
    }

    /// A failure outside any attempt: of the answer, as far as an endpoint gave one; before that of
    /// the upstream as a whole.
    fn ask_whoever_was_reached(&mut self) -> Option<Evidence> {
        let cause = self.exchange.verdict_beyond().filter(|cause| concerns(cause))?;
        if cause.party == Party::Proxy {
            // A refusal, or a limit of our own: no endpoint had a part in it.
            return None;
        }
        if self.lane.is_some() {
            return self.ask_the_endpoint(cause);
        }
        let upstream = self.exchange.upstream.as_deref()?;
        if std::mem::replace(&mut self.noted_upstream, true) {
            return None;
        }
        let upstream = self.books.ledger.upstream(upstream);
        let (now, manner) = (Instant::now(), Manner { reused: None, size: 0 });
        upstream.minutes().bad(now, manner);
        let mut evidence = Evidence::new();
        upstream.minutes().account(now).tell(&mut evidence);
        Some(evidence)
    }

    fn ask_the_endpoint(&mut self, cause: Cause) -> Option<Evidence> {
        let manner = self.manner();
        let lane = self.lane.as_mut()?;
        let account = lane.failed(cause, manner)?;
        let mut evidence = Evidence::new();
        account.tell(&mut evidence);
        if let Some((age, finding)) = lane.neighbour().check(Instant::now()) {
            evidence.set(Key::Check, finding.as_str());
            evidence.set(Key::CheckAgeMs, age);
        }
        Some(evidence)
    }

    /// What a failure teaches about the endpoint's own time limits.
    fn learn(&self, cause: Cause, evidence: &mut Evidence) {
        let (Some(lane), Some(attempt)) = (&self.lane, self.exchange.last_attempt()) else {
            return;
        };
        if cause == &KEEPALIVE_RACE {
            lane.closed_after(self.idle());
            self.advise();
        }
        let Some(failure) = attempt.failure.as_deref() else { return };
        if (cause == &ORIGIN_CLOSED || cause == &ORIGIN_RESET)
            && failure.evidence.number(Key::Received).unwrap_or(0) == 0
        {
            let now = Instant::now();
            lane.neighbour().gave_up_after(now, self.at_work());
            if let Some(usual) = lane.neighbour().usual_wait(now) {
                evidence.set(Key::UsualWaitMs, usual);
            }
        }
    }
}

/// Whether a failure says anything of the endpoint or the upstream: one for want of this machine's
/// own resources does not, nor does what the client did.
fn concerns(cause: Cause) -> bool {
    let ours = [&PROXY_BUG, &PROXY_FILES_EXHAUSTED, &PROXY_PORTS_EXHAUSTED, &PROXY_STOPPING];
    cause.party != Party::Client && cause != &ORIGIN_EARLY_RESPONSE && !ours.contains(&cause)
}
