//! How one address stands: what checks of it found, and how the last requests to it ended.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

use whodunit_conf::schema::health::{Eject, Health};
use whodunit_conf::schema::percent::Share;
use whodunit_filters::attribution::Cause;

/// An address that keeps failing stays out for so many times as long as at first, at the most.
const LONGEST: u32 = 10;

/// How an address stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    check: Check,
    requests: Requests,
    /// Since when it is in again, if it was out.
    back: Option<SystemTime>,
}

/// By the checks.
#[derive(Clone, Debug, Default)]
struct Check {
    last: Option<(SystemTime, Result<(), Reason>)>,
    /// How many in a row say the contrary of what holds.
    contrary: u32,
    /// Since when the address is out, and why.
    out: Option<(SystemTime, Reason)>,
}

/// By requests.
#[derive(Clone, Debug, Default)]
struct Requests {
    failed_in_a_row: u32,
    /// How many times it was ejected, one soon after the other.
    times: u32,
    out: Option<Ejection>,
    /// When the last ejection ended, and how long it had been.
    last: Option<(Instant, Duration)>,
}

#[derive(Clone, Debug)]
struct Ejection {
    reason: Reason,
    since: SystemTime,
    began: Instant,
    /// Until when.
    until: Instant,
}

/// What a check or a request failed by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reason {
    /// It failed, by this verdict.
    Failed(Cause),
    /// It was answered with this status; by this verdict, if the answer tells of an error itself.
    Answered(u16, Option<Cause>),
}

impl Reason {
    /// The verdict, if there is one.
    #[must_use]
    pub const fn cause(self) -> Option<Cause> {
        match self {
            Self::Failed(cause) => Some(cause),
            Self::Answered(_, cause) => cause,
        }
    }

    /// The status, if there was an answer.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Failed(_) => None,
            Self::Answered(status, _) => Some(status),
        }
    }
}

/// Whether requests are sent there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    /// They are.
    In {
        /// Since when, if it was out before.
        since: Option<SystemTime>,
    },
    /// They are not: so many checks in a row have failed.
    Unhealthy {
        /// Since when.
        since: SystemTime,
        /// By what the last of those failed.
        reason: Reason,
    },
    /// They are not for a while: so many requests in a row have failed.
    Ejected {
        /// Since when.
        since: SystemTime,
        /// Until when.
        until: SystemTime,
        /// By what the last of those failed.
        reason: Reason,
    },
}

/// A change of an address's state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// So many checks in a row failed.
    Unhealthy(u32, Reason),
    /// So many checks in a row went well; whether it is in for that.
    Healthy(u32, bool),
    /// So many requests in a row failed; it is out for so long.
    Ejected(u32, Reason, Duration),
    /// Its time is over.
    Served,
    /// Nobody else was left.
    Recalled,
}

/// How many of so many addresses may be out when one more is ejected, that one included.
pub(super) fn allowed(addresses: usize, share: Share) -> usize {
    let part = addresses * usize::from(share.percent()) / 100;
    part.max(1).min(addresses.saturating_sub(1))
}

impl Standing {
    /// Whether requests are sent there.
    #[must_use]
    pub const fn is_in(&self) -> bool {
        self.check.out.is_none() && self.requests.out.is_none()
    }

    /// The same with what took it out. What checks find comes first: it holds until they find
    /// otherwise.
    #[must_use]
    pub fn state(&self) -> State {
        match (&self.check.out, &self.requests.out) {
            (Some((since, reason)), _) => State::Unhealthy { since: *since, reason: *reason },
            (None, Some(ejection)) => State::Ejected {
                since: ejection.since,
                until: ejection.since + (ejection.until - ejection.began),
                reason: ejection.reason,
            },
            (None, None) => State::In { since: self.back },
        }
    }

    /// When it was last checked, and what was found.
    #[must_use]
    pub const fn last_check(&self) -> Option<(SystemTime, Result<(), Reason>)> {
        self.check.last
    }

    /// How many requests in a row have failed.
    #[must_use]
    pub const fn failed_in_a_row(&self) -> u32 {
        self.requests.failed_in_a_row
    }

    /// Whether the last request failed, or it has not shown since it came back that it is well.
    pub(super) const fn is_suspected(&self) -> bool {
        self.requests.failed_in_a_row > 0
    }

    /// A check has ended.
    pub(super) fn checked(&mut self, outcome: Result<(), Reason>, health: &Health) -> Option<Turn> {
        let now = SystemTime::now();
        self.check.last = Some((now, outcome));
        if outcome.is_ok() != self.check.out.is_some() {
            self.check.contrary = 0;
            if let (Some((_, reason)), Err(latest)) = (&mut self.check.out, outcome) {
                *reason = latest;
            }
            return None;
        }
        self.check.contrary += 1;
        let in_a_row = self.check.contrary;
        match outcome {
            Ok(()) if in_a_row >= health.healthy_after => {
                self.check.contrary = 0;
                self.check.out = None;
                self.came_back();
                Some(Turn::Healthy(in_a_row, self.is_in()))
            }
            Err(reason) if in_a_row >= health.unhealthy_after => {
                self.check.contrary = 0;
                self.check.out = Some((now, reason));
                Some(Turn::Unhealthy(in_a_row, reason))
            }
            _ => None,
        }
    }

    /// A request there failed. `room` says whether one more may be out.
    pub(super) fn failed(
        &mut self,
        reason: Reason,
        eject: &Eject,
        room: bool,
        now: Instant,
    ) -> Option<Turn> {
        if self.requests.out.is_some() {
            // It had been sent before.
            return None;
        }
        let requests = &mut self.requests;
        requests.failed_in_a_row = requests.failed_in_a_row.saturating_add(1);
        if requests.failed_in_a_row < eject.after || !room || self.check.out.is_some() {
            return None;
        }
        let soon = |(ended, lasted): (Instant, Duration)| now.duration_since(ended) <= lasted;
        requests.times = if requests.last.is_some_and(soon) { requests.times + 1 } else { 1 };
        let time = eject.time.0.saturating_mul(requests.times.min(LONGEST));
        let since = SystemTime::now();
        requests.out = Some(Ejection { reason, since, began: now, until: now + time });
        Some(Turn::Ejected(requests.failed_in_a_row, reason, time))
    }

    /// A request there went well.
    pub(super) const fn answered(&mut self) {
        self.requests.failed_in_a_row = 0;
    }

    /// Comes back if its time is over. The next failure takes it out again, if none goes well.
    pub(super) fn settle(&mut self, now: Instant, eject: Option<&Eject>) -> Option<Turn> {
        self.requests.out.as_ref().filter(|ejection| now >= ejection.until)?;
        self.end(now, eject.map_or(0, |eject| eject.after.saturating_sub(1)));
        Some(Turn::Served)
    }

    /// Comes back before its time.
    pub(super) fn recall(&mut self) -> Option<Turn> {
        if self.check.out.is_some() || self.requests.out.is_none() {
            return None;
        }
        self.end(Instant::now(), 0);
        Some(Turn::Recalled)
    }

    /// Forgets what checks found.
    pub(super) fn check_anew(&mut self) {
        if std::mem::take(&mut self.check).out.is_some() {
            self.came_back();
        }
    }

    /// Forgets how requests ended.
    pub(super) fn acquit(&mut self) {
        if std::mem::take(&mut self.requests).out.is_some() {
            self.came_back();
        }
    }

    fn end(&mut self, now: Instant, failed_in_a_row: u32) {
        if let Some(ejection) = self.requests.out.take() {
            self.requests.last = Some((now, ejection.until - ejection.began));
        }
        self.requests.failed_in_a_row = failed_in_a_row;
        self.came_back();
    }

    fn came_back(&mut self) {
        if self.is_in() {
            self.back = Some(SystemTime::now());
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => f.write_str(cause.id),
            Self::Answered(status, Some(cause)) => write!(f, "{}, status {status}", cause.id),
            Self::Answered(status, None) => write!(f, "status {status}"),
        }
    }
}
