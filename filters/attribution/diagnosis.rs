//! The verdict: the only place that blames.

use super::around;
use super::cause::{self, Again, Cause, Status, answer, proxy};
use super::evidence::{Certainty, Evidence, Fault, Party, Phase, Scope, Sent};
use super::exchange::Exchange;
use super::key::Key;
pub use super::scene::Scene;
use super::wording;

/// Who failed, in which phase, why, how sure that is, on what evidence, and what to do.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Why.
    pub cause: Cause,
    /// Who.
    pub party: Party,
    /// In which phase.
    pub phase: Phase,
    /// Which attempt that was, counted from 0; `None` if it was none of them.
    pub attempt: Option<usize>,
    /// How sure.
    pub certainty: Certainty,
    /// What evidence would have made it sure.
    pub missing: Vec<Key>,
    /// Whether other requests fail as well; `None` where that is not known, or matters nothing.
    pub scope: Option<Scope>,
    /// How far the request got.
    pub sent: Sent,
    /// Whether the client may well send the request again: it helps, and does no harm.
    pub retryable: bool,
    /// On what evidence.
    pub evidence: Evidence,
    /// What happened, in one sentence, and in further ones what other requests met with.
    pub says: String,
    /// What to do about it.
    pub remedy: String,
    /// The same in a closed vocabulary, for the wire.
    pub details: String,
}

impl Diagnosis {
    /// The verdict on an exchange; `None` when nothing failed.
    ///
    /// What ended the exchange outside any attempt is judged first. If all attempts failed, the
    /// verdict is that on the most telling of them: what was seen to happen before a limit that
    /// ran out, then by the order of the catalogue. An attempt that failed and was made good by a
    /// later one is no error.
    #[must_use]
    pub fn of(exchange: &Exchange) -> Option<Self> {
        let last = exchange.last_attempt();
        if let Some(failure) = exchange.failure() {
            let scene = Scene { exchange, failure: Some(failure), attempt: last };
            return Some(Self::on(scene, scene.verdict(), None));
        }
        if exchange.attempt_failed() {
            return exchange
                .attempts()
                .enumerate()
                .filter_map(|(n, a)| {
                    let failure = Some(a.failure.as_deref()?);
                    Some((n, Scene { exchange, failure, attempt: Some(a) }))
                })
                .map(|(n, scene)| (n, scene, scene.verdict()))
                .min_by(|(_, one, verdict), (_, other, next)| {
                    let rank = one.reticence(verdict).cmp(&other.reticence(next));
                    rank.then_with(|| cause::index(verdict).cmp(&cause::index(next)))
                })
                .map(|(n, scene, verdict)| Self::on(scene, verdict, Some(n)));
        }
        exchange.told_of_an_error()?;
        let told = Scene { exchange, failure: None, attempt: last };
        Some(Self::on(told, told.verdict(), exchange.attempts_made().checked_sub(1)))
    }

    fn on(scene: Scene<'_>, cause: Cause, attempt: Option<usize>) -> Self {
        let exchange = scene.exchange;
        let evidence = scene.evidence(cause);
        let missing: Vec<Key> = cause
            .proof
            .iter()
            .copied()
            .filter(|key| !evidence.find(*key).is_some_and(|value| key.bears_out(value)))
            .collect();
        let foreseen = matches!(scene.fault(), Some(Fault::Panic | Fault::Denied(_)));
        let certainty = if cause == &answer::NEXT_HOP_ERROR {
            Certainty::Claimed
        } else if cause == &proxy::PROXY_BUG && !foreseen {
            Certainty::Unknown
        } else if missing.is_empty() {
            Certainty::Proved
        } else {
            Certainty::Likely
        };
        let words = wording::Words::new(cause, exchange, scene.attempt, &evidence);
        let mut says = words.says();
        around::tell(exchange, scene.attempt.is_some(), &evidence, &mut says);
        Self {
            cause,
            party: cause.party,
            phase: scene.failure.map_or(cause.phase, |f| f.phase),
            attempt,
            certainty,
            missing,
            scope: evidence.text(Key::Scope).and_then(|word| word.parse().ok()),
            sent: exchange.sent(),
            retryable: exchange.harmless_to_repeat() && cause.again != Again::Never,
            says,
            remedy: words.remedy(),
            details: words.details(),
            evidence,
        }
    }

    /// The seconds after which trying again is of use (`Retry-After`), where it is and is safe: those
    /// that a setting says, or else the catalogue.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self.cause.again {
            Again::After(seconds) if self.retryable => {
                let told = self.evidence.number(Key::RetryAfterMs);
                let told = told.map(|ms| u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX));
                Some(told.unwrap_or(seconds))
            }
            _ => None,
        }
    }

    /// Whether the origin's own answer is passed on.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cause.standard == Status::Pass
    }
}

#[cfg(test)]
mod tests;
