//! What is known of one endpoint from other requests: whether it accepts connections and answers,
//! how long it keeps an idle connection, after what time it gives up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use super::finding::Finding;
use super::locked;
use super::minutes::{LATELY, Minutes};
use super::slot::{Cell, Slots};
use crate::attribution::cause::Cause;

/// How many accepted connections, and how many idle times of each kind, are remembered.
const MEMORY: usize = 64;
/// How many idle connections an endpoint must have closed before a timeout is read out of it.
const ENOUGH: usize = 3;
/// What is closed within this time may have been closed for one reason, such as a restart.
const MOMENT: Duration = Duration::from_secs(1);
/// How many failures are remembered one by one.
const FAILURES: usize = 8;

/// How many times without an answer are remembered, and for how long.
const WAITS: usize = 16;
const WAITS_LAST: Duration = Duration::from_hours(1);
/// Whoever gives up sooner than this may as well have crashed at once each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// Times that differ by no more than this, or by a twentieth, are taken for the same.
const SPREAD: Duration = Duration::from_millis(50);

/// The least time between two looks at an endpoint.
const BETWEEN_CHECKS: Duration = Duration::from_secs(30);

/// A minute in slots, the one that is written to included.
const MINUTE: usize = 7;
/// Sizes are told apart by their number of binary digits.
const SIZES: usize = 33;

/// What is known of one endpoint.
#[derive(Debug)]
pub struct Neighbour {
    in_flight: AtomicU32,
    minutes: Minutes,
    sizes: Slots<Sizes, MINUTE>,
    born: Instant,
    /// Nanoseconds from `born`, plus one; 0 for never.
    last_success: AtomicU64,
    /// For how long this proxy keeps idle connections to it, in milliseconds; 0 for not known.
    kept_for: AtomicU64,
    /// Something was learned of its idle timeout that nobody has looked at.
    news: AtomicBool,
    known: Mutex<Known>,
}

/// How many requests of each size were answered.
#[derive(Debug)]
struct Sizes([Cell; SIZES]);

impl Default for Sizes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Cell::default()))
    }
}

#[derive(Debug, Default)]
struct Known {
    failures: VecDeque<(SystemTime, Cause)>,
    accepted: VecDeque<Instant>,
    unanswered: VecDeque<Instant>,
    closed_after: VecDeque<(Instant, Duration)>,
    survived: VecDeque<Duration>,
    waits: VecDeque<(Instant, Duration)>,
    warned_of: Option<Duration>,
    check_began: Option<Instant>,
    check: Option<(Instant, Finding)>,
}

/// An attempt under way; it is over when this is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Neighbour>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Neighbour {
    fn default() -> Self {
        let born = Instant::now();
        Self {
            in_flight: AtomicU32::new(0),
            minutes: Minutes::default(),
            sizes: Slots::new(born),
            born,
            last_success: AtomicU64::new(0),
            kept_for: AtomicU64::new(0),
            news: AtomicBool::new(false),
            known: Mutex::default(),
        }
    }
}

impl Neighbour {
    /// Notes that an attempt begins.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// How many attempts are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How its requests ended in the last minutes.
    #[must_use]
    pub const fn minutes(&self) -> &Minutes {
        &self.minutes
    }

    /// Notes that a connection was accepted.
    pub fn accepted(&self, at: Instant) {
        remember(&mut locked(&self.known).accepted, at, MEMORY);
    }

    /// How many connections were accepted at or after `since`, as far as they are remembered: 64.
    #[must_use]
    pub fn accepted_since(&self, since: Instant) -> usize {
        locked(&self.known).accepted.iter().filter(|at| **at >= since).count()
    }

    /// When a connection was last accepted.
    #[must_use]
    pub fn last_accepted(&self) -> Option<Instant> {
        locked(&self.known).accepted.iter().max().copied()
    }

    /// Notes that an attempt to connect heard nothing.
    pub fn unanswered(&self, at: Instant) {
        remember(&mut locked(&self.known).unanswered, at, MEMORY);
    }

    /// How many attempts to connect heard nothing at or after `since`, as far as they are
    /// remembered (64), if none was accepted in that time; else 0.
    #[must_use]
    pub fn silent_since(&self, since: Instant) -> usize {
        let known = locked(&self.known);
        if known.accepted.iter().any(|at| *at >= since) {
            return 0;
        }
        known.unanswered.iter().filter(|at| **at >= since).count()
    }

    /// Notes that a request of this size, in bytes, was answered, with whatever status.
    pub fn answered(&self, at: Instant, size: u64) {
        let nanos = at.saturating_duration_since(self.born).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX).saturating_add(1);
        self.last_success.fetch_max(nanos, Ordering::Relaxed);
        let (era, sizes) = self.sizes.at(at);
        sizes.0[digits(size)].add(era);
    }

    /// When a request was last answered.
    #[must_use]
    pub fn last_success(&self) -> Option<Instant> {
        let nanos = self.last_success.load(Ordering::Relaxed).checked_sub(1)?;
        self.born.checked_add(Duration::from_nanos(nanos))
    }

    /// How many requests smaller than this, in bytes, were answered in the last minute. Sizes are
    /// told apart by powers of two; what is not smaller by that measure is not counted.
    #[must_use]
    pub fn smaller_answered(&self, now: Instant, size: u64) -> u64 {
        let slots = self.sizes.since(now, MINUTE);
        let smaller = |(era, sizes): (_, &Sizes)| -> u64 {
            sizes.0[..digits(size)].iter().map(|cell| cell.read(era)).sum()
        };
        slots.map(smaller).sum()
    }

    /// Whether somebody may look at the endpoint now: not if somebody did within the last 30 s.
    #[must_use]
    pub fn begin_check(&self, now: Instant) -> bool {
        let mut known = locked(&self.known);
        let recent = |at| now.saturating_duration_since(at) < BETWEEN_CHECKS;
        let free = !known.check_began.is_some_and(recent);
        if free {
            known.check_began = Some(now);
        }
        free
    }

    /// Notes what was found.
    pub fn checked(&self, at: Instant, finding: Finding) {
        locked(&self.known).check = Some((at, finding));
    }

    /// What was found [lately](LATELY), and how long ago. That nobody could connect is forgotten as
    /// soon as somebody does.
    #[must_use]
    pub fn check(&self, now: Instant) -> Option<(Duration, Finding)> {
        let known = locked(&self.known);
        let (at, finding) = known.check?;
        if finding.refuted_by_a_connection() && known.accepted.iter().any(|accepted| *accepted > at)
        {
            return None;
        }
        let age = now.saturating_duration_since(at);
        (age <= LATELY).then_some((age, finding))
    }

    /// Notes that an attempt failed.
    pub fn failed(&self, cause: Cause) {
        remember(&mut locked(&self.known).failures, (SystemTime::now(), cause), FAILURES);
    }

    /// The last failures, the latest first, with the reasons; 8 are remembered.
    #[must_use]
    pub fn last_failures(&self) -> Vec<(SystemTime, Cause)> {
        locked(&self.known).failures.iter().rev().copied().collect()
    }

    /// Notes that the endpoint left a request without an answer when it had waited for so long.
    pub fn gave_up_after(&self, at: Instant, waited: Duration) {
        remember(&mut locked(&self.known).waits, (at, waited), WAITS);
    }

    /// The time after which the endpoint gives a request up, if it did so the last time and at
    /// least twice right before, within an hour: the middle one of those that lie close together.
    #[must_use]
    pub fn usual_wait(&self, now: Instant) -> Option<Duration> {
        let known = locked(&self.known);
        let mut alike: Vec<Duration> = Vec::with_capacity(WAITS);
        for (at, waited) in known.waits.iter().rev() {
            let (shortest, longest) = alike
                .iter()
                .fold((*waited, *waited), |(least, most), it| (least.min(*it), most.max(*it)));
            let recent = now.saturating_duration_since(*at) <= WAITS_LAST;
            let close = longest.saturating_sub(shortest) <= SPREAD.max(shortest / 20);
            if !(recent && close && shortest >= SHORTEST_WAIT) {
                break;
            }
            alike.push(*waited);
        }
        drop(known);
        alike.sort_unstable();
        (alike.len() >= ENOUGH).then(|| alike[alike.len() / 2])
    }

    /// Notes that the endpoint was found to have closed a connection that was idle for so long.
    pub fn closed_after(&self, at: Instant, idle: Duration) {
        remember(&mut locked(&self.known).closed_after, (at, idle), MEMORY);
        self.news.store(true, Ordering::Relaxed);
    }

    /// Whether anything of that kind was noted since this was last asked.
    pub fn news(&self) -> bool {
        self.news.load(Ordering::Relaxed) && self.news.swap(false, Ordering::Relaxed)
    }

    /// Notes that a connection still worked after it had been idle for so long.
    pub fn survived(&self, idle: Duration) {
        remember(&mut locked(&self.known).survived, idle, MEMORY);
    }

    /// The endpoint's own idle timeout, as learned: the shortest time after which it closed at least
    /// three connections, give or take a tenth, of those longer than any that a connection lately
    /// survived. A restart of the endpoint closes connections as well, at whatever age they have,
    /// but all at one moment: closings of one moment alone teach nothing.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        locked(&self.known).idle_timeout()
    }

    /// Notes for how long this proxy keeps idle connections to the endpoint; whether that is longer
    /// than before.
    pub fn kept_for(&self, idle: Duration) -> bool {
        let millis = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let before = self.kept_for.load(Ordering::Relaxed);
        if before != millis {
            self.kept_for.store(millis, Ordering::Relaxed);
        }
        before < millis
    }

    /// The endpoint's idle timeout, if this proxy keeps idle connections for as long or longer: it
    /// will now and then send a request over one that is just being closed.
    #[must_use]
    pub fn outlived(&self) -> Option<Duration> {
        let kept = Duration::from_millis(self.kept_for.load(Ordering::Relaxed));
        self.idle_timeout().filter(|timeout| *timeout <= kept)
    }

    /// The same, once for each timeout that is learned: again only when it turns out to be another
    /// one by more than a tenth.
    #[must_use]
    pub fn warning(&self) -> Option<Duration> {
        let timeout = self.outlived()?;
        let mut known = locked(&self.known);
        let told = known.warned_of.is_some_and(|told| told.abs_diff(timeout) <= timeout / 10);
        if told {
            return None;
        }
        known.warned_of = Some(timeout);
        Some(timeout)
    }
}

impl Known {
    fn idle_timeout(&self) -> Option<Duration> {
        let survived = self.survived.iter().max().copied().unwrap_or_default();
        let mut closed: Vec<_> =
            self.closed_after.iter().filter(|(_, idle)| *idle > survived).collect();
        closed.sort_unstable_by_key(|(_, idle)| *idle);
        closed.iter().enumerate().find_map(|(n, (_, shortest))| {
            let most = *shortest + *shortest / 10 + SPREAD;
            let alike = &closed[n..n + closed[n..].partition_point(|(_, idle)| *idle <= most)];
            let moments = || alike.iter().map(|(at, _)| *at);
            let apart = moments().max()?.saturating_duration_since(moments().min()?);
            (alike.len() >= ENOUGH && apart >= MOMENT).then_some(*shortest)
        })
    }
}

/// How long to keep idle connections instead, to an endpoint that closes them after `timeout`:
/// shorter by a fifth, in whole seconds where that leaves any.
#[must_use]
pub fn advised_idle(timeout: Duration) -> Duration {
    let shorter = timeout / 5 * 4;
    if shorter >= Duration::from_secs(1) {
        Duration::from_secs(shorter.as_secs())
    } else {
        Duration::from_millis(u64::try_from(shorter.as_millis()).unwrap_or(u64::MAX))
    }
}

fn digits(size: u64) -> usize {
    let digits = u64::BITS - size.leading_zeros();
    usize::try_from(digits).unwrap_or(SIZES).min(SIZES - 1)
}

fn remember<T>(memory: &mut VecDeque<T>, what: T, most: usize) {
    if memory.len() >= most {
        memory.pop_front();
    }
    memory.push_back(what);
}

#[cfg(test)]
mod tests;
