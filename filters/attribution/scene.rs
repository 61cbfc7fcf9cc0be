//! One failure in its surroundings: what the rows of the catalogue look at.

use super::alert;
use super::cause::{self, Cause, answer, path, proxy, send};
use super::evidence::{Evidence, Failure, Fault, Phase, Sent, Side, Value};
use super::exchange::{Attempt, Exchange};
use super::key::Key;
use super::redact;

/// How many facts most verdicts add to what was seen.
const ROOM: usize = 4;

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

impl Scene<'_> {
    /// What broke, and in which phase, if it was seen on this side.
    #[must_use]
    pub fn at(&self, side: Side) -> Option<(Phase, Fault)> {
        self.failure.filter(|f| f.side == side).map(|f| (f.phase, f.fault))
    }

    /// What broke, and in which phase, if it was seen beyond the client: inside this process or
    /// towards the origin.
    #[must_use]
    pub fn beyond(&self) -> Option<(Phase, Fault)> {
        self.failure.filter(|f| f.side != Side::Client).map(|f| (f.phase, f.fault))
    }

    /// What broke, wherever it was seen.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.failure.map(|f| f.fault)
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

    /// Words from the failure's evidence.
    #[must_use]
    pub fn text(&self, key: Key) -> Option<&str> {
        self.failure.and_then(|f| f.evidence.text(key))
    }

    /// A yes or no from the failure's evidence.
    #[must_use]
    pub fn flag(&self, key: Key) -> Option<bool> {
        match self.failure.and_then(|f| f.evidence.find(key))? {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// Whether the failure's evidence holds a fact that bears a verdict out.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.failure.and_then(|f| f.evidence.find(key)).is_some_and(|v| key.bears_out(v))
    }

    /// The bytes that came look like this protocol ([`Key::LooksLike`], by its first word).
    #[must_use]
    pub fn looks_like(&self, protocol: &str) -> bool {
        self.text(Key::LooksLike)
            .and_then(|like| like.get(..protocol.len()))
            .is_some_and(|like| like.eq_ignore_ascii_case(protocol))
    }

    /// The row that is the verdict on this scene.
    pub(crate) fn verdict(&self) -> Cause {
        if let Some(Failure { fault: Fault::Denied(cause), .. }) = self.failure {
            return cause;
        }
        match cause::first(self) {
            Some(row)
                if row == &path::DNS_STALE_ADDRESS && self.fault() == Some(Fault::TimedOut) =>
            {
                &path::DNS_STALE_ADDRESS_TIMED_OUT
            }
            Some(row) => row,
            None => &proxy::PROXY_BUG,
        }
    }

    /// How little the verdict on this scene tells beside those on other attempts. A limit that ran
    /// out says less than what was seen to happen; a reused connection that was lost says nothing
    /// once another attempt was made, for that one was to make it good, and still less does an answer
    /// that was not taken. An answer that had begun
    /// did make good all that failed before it, so that what broke it off is all there is to tell.
    pub(super) fn reticence(&self, verdict: Cause) -> u8 {
        match self.fault() {
            _ if self.failure.is_some_and(|failure| failure.phase >= Phase::Receive) => 0,
            Some(Fault::Denied(cause)) if cause == &answer::ORIGIN_ERROR => 4,
            _ if verdict == &send::KEEPALIVE_RACE => 3,
            Some(Fault::TimedOut | Fault::NameTimedOut | Fault::Stalled | Fault::Deadline) => 2,
            _ => 1,
        }
    }

    /// The failure's evidence together with the facts that lie in the failure itself and, as far
    /// as `cause` rests on them, in the exchange.
    pub(super) fn evidence(&self, cause: Cause) -> Evidence {
        let mut evidence = self.failure.map(|f| f.evidence.with_room(ROOM)).unwrap_or_default();
        if let Some(status) = self.exchange.upstream_status {
            evidence.set_if_absent(Key::Status, status);
        }
        if let Some(failure) = self.failure {
            told_by(failure, &mut evidence);
        } else {
            evidence.absorb(&self.exchange.inner);
            evidence.absorb(&self.exchange.beside);
        }
        if let Some(connection) = self.attempt.and_then(|a| a.connection).filter(|c| c.reused) {
            evidence.set_if_absent(Key::IdleMs, connection.idle);
        }
        if let Some(Failure { side, phase, fault, .. }) = self.failure
            && cause == &proxy::PROXY_BUG
            && !matches!(fault, Fault::Panic | Fault::Denied(_))
        {
            evidence.set_if_absent(Key::At, format!("{fault:?} in phase {phase}, {side} side"));
        }
        for key in cause.proof {
            if let (None, Some(value)) = (evidence.find(*key), self.held(*key)) {
                evidence.set(*key, value);
            }
        }
        evidence
    }

    /// A fact that the exchange holds by itself.
    fn held(&self, key: Key) -> Option<Value> {
        let request = self.exchange.request.as_deref();
        match key {
            Key::Upstream => self.exchange.upstream.as_deref().map(|name| name.to_owned().into()),
            Key::Host => request.map(|r| r.host.clone().into()),
            Key::Path => request.map(|r| redact::bare(&r.path).into_owned().into()),
            Key::Method => request.map(|r| r.method.clone().into()),
            Key::Rule => match self.fault()? {
                Fault::TlsAlert(number) => {
                    let name = alert::name(number).unwrap_or("unknown");
                    Some(format!("TLS alert {number} ({name})").into())
                }
                _ => None,
            },
            Key::Address => self.attempt.map(|a| a.next_hop.text().into()),
            Key::Written => {
                let written = self.exchange.bytes.upstream_out;
                // After an early answer it is known at the end only, and is that attempt's alone.
                let early = self.exchange.early && self.exchange.times.total.is_some();
                let alone = self.exchange.attempts_made() == 1;
                (early || written > 0 && alone).then(|| written.into())
            }
            Key::WaitedMs => match self.failure.map(|f| f.side)? {
                Side::Client => self.exchange.times.total.map(Into::into),
                Side::Origin => {
                    let attempt = self.attempt.and_then(|a| a.took);
                    self.exchange.times.wait.or(attempt).map(Into::into)
                }
                Side::Inside => None,
            },
            Key::BytesAcked => {
                let acked = self.attempt.is_some_and(|a| a.sent == Sent::Acked);
                let written = self.exchange.bytes.upstream_out;
                (acked && written > 0).then(|| written.into())
            }
            _ => None,
        }
    }
}

/// The facts that lie in the fault itself.
fn told_by(failure: &Failure, evidence: &mut Evidence) {
    match failure.fault {
        Fault::Closed | Fault::Truncated => evidence.set_if_absent(Key::Left, "closed"),
        Fault::Reset | Fault::StreamReset(_) => evidence.set_if_absent(Key::Left, "reset"),
        Fault::TlsAlert(number) => {
            evidence.set_if_absent(Key::AlertId, u64::from(number));
            if let Some(name) = alert::name(number) {
                evidence.set_if_absent(Key::Alert, name);
            }
        }
        _ => {}
    }
    match failure.fault {
        Fault::StreamReset(code) | Fault::GoAway(code) => {
            evidence.set_if_absent(Key::ErrorCode, u64::from(code));
        }
        _ => {}
    }
    if failure.side == Side::Client {
        evidence.set_if_absent(Key::During, failure.phase.as_str());
    }
}
