//! The last minutes of one endpoint or one upstream: how many requests went well and how many did
//! not, in slots of ten seconds, and what the failures have in common.
//!
//! A request that goes well costs a few atomic additions; no lock, no allocation.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::locked;
use super::slot::{Cell, Slots};
use crate::attribution::evidence::{Evidence, Scope};
use crate::attribution::key::{Key, Unit};
use crate::attribution::record::timestamp;

/// For so long back the neighbours of a failure are asked. Slots are ten seconds long, so the
/// oldest ten of them may be missing.
pub const LATELY: Duration = Duration::from_mins(5);

/// So many failures in a row, this one included, are the least that a claim is built on.
pub const ENOUGH: u64 = 3;

/// So many in a row it takes to say `all` where good and bad took turns shortly before: that many
/// by chance are rare even where half of the requests fail.
pub const IN_A_ROW: u64 = 10;

/// A pattern is claimed if chance would arrange the same failures so at most once in so many times.
pub const ODDS: f64 = 1_000.0;

/// What is no larger than this, in bytes, fits into the smallest packet that every host must take
/// (RFC 9293 section 3.7.1), and does not fail for its size.
pub const SMALL: u64 = 536;

/// How many slots make up the time that is remembered.
const SLOTS: usize = 30;

/// The last minutes of one endpoint or upstream.
#[derive(Debug)]
pub struct Minutes {
    slots: Slots<Slot, SLOTS>,
    /// Nanoseconds from `born` to the last request that went well, plus one; 0 for never.
    last_good: AtomicU64,
    born: Instant,
    streak: Mutex<Streak>,
}

/// Ten seconds of them.
#[derive(Debug, Default)]
struct Slot {
    good_fresh: Cell,
    good_reused: Cell,
    bad: Cell,
    bad_reused: Cell,
    largest_good: Cell,
    /// The smallest request that failed, as what is left of [`u32::MAX`] above it, so that the
    /// greatest of these is the smallest of those.
    smallest_bad: Cell,
}

/// Failures without a good request between them.
#[derive(Clone, Copy, Debug, Default)]
struct Streak {
    length: u64,
    began: Option<SystemTime>,
    last: Option<Instant>,
}

/// What one request was like, as far as it may tell why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Whether its connection had carried requests before; `None` where there was no connection.
    pub reused: Option<bool>,
    /// Bytes of the request that came from the client; above 4 GiB they are not told apart.
    pub size: u64,
}

/// What the last minutes say of a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// How many requests failed in the last minutes, this one included.
    pub failed: u64,
    /// How many went well in the same time.
    pub answered: u64,
    /// How many have failed since the last one that went well.
    pub in_a_row: u64,
    /// When those began to.
    pub since: Option<SystemTime>,
    /// Whether all fail, some, or this is the first; `None` while it is too early to tell.
    pub scope: Option<Scope>,
    /// Only requests over connections that had carried others before fail.
    pub only_reused: bool,
    /// Only requests of more than so many bytes fail: the size of the largest that went well.
    pub only_over: Option<u64>,
}

impl Account {
    /// The same as evidence.
    pub fn tell(&self, evidence: &mut Evidence) {
        if let Some(scope) = self.scope {
            evidence.set(Key::Scope, scope.as_str());
        }
        evidence.set(Key::FailedLately, self.failed);
        evidence.set(Key::AnsweredLately, self.answered);
        if let Some(since) = self.since.filter(|_| self.in_a_row >= ENOUGH) {
            evidence.set(Key::FailedInARow, self.in_a_row);
            evidence.set(Key::Since, timestamp(since));
        }
        let reused = self.only_reused.then(|| "only reused connections".to_owned());
        let over = |size| format!("only requests over {}", Unit::Bytes.words(size));
        let patterns: Vec<String> = reused.into_iter().chain(self.only_over.map(over)).collect();
        if !patterns.is_empty() {
            evidence.set(Key::Pattern, patterns);
        }
    }
}

impl Default for Minutes {
    fn default() -> Self {
        let born = Instant::now();
        Self {
            slots: Slots::new(born),
            last_good: AtomicU64::new(0),
            born,
            streak: Mutex::default(),
        }
    }
}

impl Minutes {
    /// A request went well.
    pub fn good(&self, at: Instant, manner: Manner) {
        let (era, slot) = self.slots.at(at);
        let count = if manner.reused == Some(true) { &slot.good_reused } else { &slot.good_fresh };
        count.add(era);
        slot.largest_good.raise(era, clipped(manner.size));
        self.last_good.fetch_max(self.nanos(at), Ordering::Relaxed);
    }

    /// A request failed.
    pub fn bad(&self, at: Instant, manner: Manner) {
        let (era, slot) = self.slots.at(at);
        slot.bad.add(era);
        if manner.reused == Some(true) {
            slot.bad_reused.add(era);
        }
        // What was never sent did not fail for its size.
        let size = manner.reused.map_or(0, |_| clipped(manner.size));
        slot.smallest_bad.raise(era, u32::MAX - size);
        let mut streak = locked(&self.streak);
        if streak.last.is_none_or(|last| self.good_since(last)) {
            *streak = Streak { length: 0, began: Some(SystemTime::now()), last: None };
        }
        streak.length += 1;
        streak.last = Some(at);
    }

    /// When a request last went well.
    #[must_use]
    pub fn last_good(&self) -> Option<Instant> {
        let nanos = self.last_good.load(Ordering::Relaxed).checked_sub(1)?;
        self.born.checked_add(Duration::from_nanos(nanos))
    }

    /// How many have failed since the last one that went well, if it is more than none and the
    /// last of them did so lately.
    #[must_use]
    pub fn in_a_row(&self, now: Instant) -> u64 {
        let streak = *locked(&self.streak);
        let current = streak.last.is_some_and(|last| lately(last, now) && !self.good_since(last));
        if current { streak.length } else { 0 }
    }

    /// Whether the last request of these minutes went well.
    #[must_use]
    pub fn answers(&self, now: Instant) -> bool {
        self.in_a_row(now) == 0 && self.last_good().is_some_and(|good| lately(good, now))
    }

    /// How many requests went well, and how many failed.
    #[must_use]
    pub fn counted(&self, now: Instant) -> (u64, u64) {
        self.slots.since(now, SLOTS).fold((0, 0), |(good, bad), (era, slot)| {
            let fresh = slot.good_fresh.read(era);
            (good + fresh + slot.good_reused.read(era), bad + slot.bad.read(era))
        })
    }

    /// What these minutes say of a failure that has just been [noted](Self::bad).
    #[must_use]
    pub fn account(&self, now: Instant) -> Account {
        let (mut fresh, mut reused, mut bad, mut bad_reused) = (0, 0, 0, 0);
        let (mut largest_good, mut smallest_bad) = (0, 0);
        for (era, slot) in self.slots.since(now, SLOTS) {
            fresh += slot.good_fresh.read(era);
            reused += slot.good_reused.read(era);
            bad += slot.bad.read(era);
            bad_reused += slot.bad_reused.read(era);
            largest_good = largest_good.max(slot.largest_good.read(era));
            smallest_bad = smallest_bad.max(slot.smallest_bad.read(era));
        }
        let smallest_bad = u64::from(u32::MAX) - smallest_bad;
        let answered = fresh + reused;
        let in_a_row = self.in_a_row(now);
        let told = bad >= ENOUGH && answered >= ENOUGH;
        let only_reused =
            told && bad_reused == bad && beyond_chance(bad, reused + bad, answered + bad);
        let few = bad.min(answered);
        let apart = told && smallest_bad > largest_good.max(SMALL);
        let only_over = (apart && beyond_chance(few, few, answered + bad)).then_some(largest_good);
        let scope = match scope(bad, in_a_row) {
            // Others fared well a moment ago, and may do so still.
            Some(Scope::All) if only_reused || only_over.is_some() => Some(Scope::Some),
            scope => scope,
        };
        Account {
            failed: bad,
            answered,
            in_a_row,
            since: locked(&self.streak).began.filter(|_| in_a_row > 0),
            scope,
            only_reused,
            only_over,
        }
    }

    fn good_since(&self, last: Instant) -> bool {
        self.last_good.load(Ordering::Relaxed) > self.nanos(last)
    }

    fn nanos(&self, at: Instant) -> u64 {
        let nanos = at.saturating_duration_since(self.born).as_nanos();
        u64::try_from(nanos).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Whether all requests fail, by how many failed lately and how many of them in a row until now.
const fn scope(bad: u64, in_a_row: u64) -> Option<Scope> {
    // A row of failures may be longer than what is remembered one by one.
    let clean = in_a_row >= bad;
    if in_a_row >= IN_A_ROW || clean && in_a_row >= ENOUGH {
        Some(Scope::All)
    } else if bad <= 1 && in_a_row <= 1 {
        Some(Scope::First)
    } else if clean {
        None
    } else {
        Some(Scope::Some)
    }
}

/// Whether it is beyond chance that all `bad` of `all` requests are among these `few` of them
/// (Fisher's exact test, one-sided).
fn beyond_chance(bad: u64, few: u64, all: u64) -> bool {
    /// More factors than these are not looked at; that can only miss a pattern.
    const MOST: u64 = 4_096;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let ratio = |i: u64| (few - i) as f64 / (all - i) as f64;
    let mut chance = 1.0;
    for i in 0..bad.min(few).min(MOST) {
        chance *= ratio(i);
        if chance * ODDS <= 1.0 {
            return true;
        }
    }
    false
}

fn lately(at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(at) <= LATELY
}

fn clipped(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
