//! The verdict: the only place that blames.

use super::cause::{Again, CATALOGUE, Cause, Status, answer, proxy};
use super::evidence::{Certainty, Evidence, Failure, Fault, Party, Phase, Sent};
use super::exchange::{Attempt, Exchange};
use super::key::Key;
use super::wording;

/// What a row's `when` looks at.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The whole exchange.
    pub exchange: &'a Exchange,
    /// The failure to judge; `None` for an answer of the origin's that tells of an error itself.
    pub failure: Option<&'a Failure>,
    /// The attempt that the failure belongs to, or the last one.
    pub attempt: Option<&'a Attempt>,
}

/// Who failed, in which phase, why, how sure that is, on what evidence, and what to do.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Why.
    pub cause: Cause,
    /// Who.
    pub party: Party,
    /// In which phase.
    pub phase: Phase,
    /// How sure.
    pub certainty: Certainty,
    /// What evidence would have made it sure.
    pub missing: Vec<Key>,
    /// How far the request got.
    pub sent: Sent,
    /// Whether the client may well send the request again: it helps, and does no harm.
    pub retryable: bool,
    /// On what evidence.
    pub evidence: Evidence,
    /// What happened, in one sentence.
    pub says: String,
    /// What to do about it.
    pub remedy: String,
    /// The same in a closed vocabulary, for the wire.
    pub details: String,
}

impl Scene<'_> {
    /// Whether the failure was seen on the origin's side in one of these phases, with this fault.
    #[must_use]
    pub fn origin(&self, phases: &[Phase], fault: Fault) -> bool {
        self.seen(super::evidence::Side::Origin, phases, fault)
    }

    /// The same for any side.
    #[must_use]
    pub fn seen(&self, side: super::evidence::Side, phases: &[Phase], fault: Fault) -> bool {
        self.failure
            .is_some_and(|f| f.side == side && f.fault == fault && phases.contains(&f.phase))
    }

    /// Whether the attempt ran over a connection that had carried requests before.
    #[must_use]
    pub fn reused(&self) -> bool {
        self.attempt.and_then(|a| a.connection).is_some_and(|c| c.reused)
    }

    /// A number from the failure's evidence.
    #[must_use]
    pub fn number(&self, key: Key) -> Option<u64> {
        self.failure.and_then(|f| f.evidence.number(key))
    }

    /// The row that is the verdict on this scene.
    pub(crate) fn verdict(&self) -> Cause {
        if let Some(Failure { fault: Fault::Denied(cause), .. }) = self.failure {
            return cause;
        }
        CATALOGUE.iter().copied().find(|row| (row.when)(self)).unwrap_or(&proxy::PROXY_BUG)
    }
}

impl Diagnosis {
    /// The verdict on an exchange; `None` when nothing failed.
    ///
    /// What ended the exchange outside any attempt is judged first. If all attempts failed, the
    /// verdict is that on the most telling of them: the one whose row comes first in the
    /// catalogue. An attempt that failed and was made good by a later one is no error.
    #[must_use]
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let last = exchange.last_attempt();
        if let Some(failure) = exchange.failure() {
            return Some(Self::on(Scene { exchange, failure: Some(failure), attempt: last }));
        }
        if exchange.attempt_failed() {
            return exchange
                .attempts()
                .filter_map(|a| {
                    Some(Scene { exchange, failure: Some(a.failure.as_deref()?), attempt: Some(a) })
                })
                .min_by_key(|scene| super::cause::index(scene.verdict()))
                .map(Self::on);
        }
        let status = exchange.upstream_status.filter(|status| *status >= 500)?;
        let told = Scene { exchange, failure: None, attempt: last };
        let mut diagnosis = Self::on(told);
        diagnosis.evidence.set(Key::Status, status);
        Some(diagnosis)
    }

    fn on(scene: Scene<'_>) -> Self {
        let cause = scene.verdict();
        let exchange = scene.exchange;
        let mut evidence = scene.failure.map(|f| f.evidence.clone()).unwrap_or_default();
        if let Some(status) = exchange.upstream_status {
            evidence.set_if_absent(Key::Status, status);
        }
        if let (Some(failure), true) = (scene.failure, cause == &proxy::PROXY_BUG) {
            evidence.set_if_absent(Key::At, format!("{:?} while {}", failure.fault, failure.phase));
        }
        if let Some(connection) = scene.attempt.and_then(|a| a.connection).filter(|c| c.reused) {
            evidence.set_if_absent(Key::IdleMs, connection.idle);
        }
        let missing: Vec<Key> =
            cause.proof.iter().copied().filter(|key| evidence.find(*key).is_none()).collect();
        let certainty = if cause == &answer::NEXT_HOP_ERROR {
            Certainty::Claimed
        } else if missing.is_empty() {
            Certainty::Proved
        } else {
            Certainty::Likely
        };
        let harmless = exchange.harmless_to_repeat();
        let words = wording::Words::new(exchange, scene.attempt, &evidence);
        Self {
            cause,
            party: cause.party,
            phase: scene.failure.map_or(cause.phase, |f| f.phase),
            certainty,
            missing,
            sent: exchange.sent(),
            retryable: harmless && cause.again != Again::Never,
            says: words.fill(cause.says),
            remedy: words.fill(cause.remedy),
            details: words.fill_for_the_wire(cause.details),
            evidence,
        }
    }

    /// The seconds after which trying again is of use (`Retry-After`), where it is and is safe.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u32> {
        match self.cause.again {
            Again::After(seconds) if self.retryable => Some(seconds),
            _ => None,
        }
    }

    /// Whether the origin's own answer is passed on.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cause.standard == Status::Pass
    }
}
