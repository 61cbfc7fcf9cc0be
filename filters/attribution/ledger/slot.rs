//! Counters that forget: a ring of slots, each good for ten seconds, written without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a slot is written to.
const SLOT: Duration = Duration::from_secs(10);

/// The number of a span of ten seconds, counted from 1. It comes round after 1,300 years.
pub(super) type Era = u32;

/// A ring of slots.
#[derive(Debug)]
pub(super) struct Slots<T, const N: usize> {
    born: Instant,
    ring: [T; N],
}

/// One number of a slot, with the era that it belongs to in the upper half: a number of another
/// era counts as none. So no slot has to be cleared, and none is ever seen half cleared.
#[derive(Debug, Default)]
pub(super) struct Cell(AtomicU64);

impl<T: Default, const N: usize> Slots<T, N> {
    pub(super) fn new(born: Instant) -> Self {
        Self { born, ring: std::array::from_fn(|_| T::default()) }
    }

    /// The slot that is written to at this time.
    pub(super) fn at(&self, at: Instant) -> (Era, &T) {
        let era = self.era(at);
        (era, &self.ring[era as usize % N])
    }

    /// The slot of this time and those before it, so many in all.
    pub(super) fn since(&self, now: Instant, slots: usize) -> impl Iterator<Item = (Era, &T)> {
        let now = self.era(now);
        let back = u32::try_from(slots.min(N)).unwrap_or(u32::MAX);
        (now.saturating_sub(back) + 1..=now).map(|era| (era, &self.ring[era as usize % N]))
    }

    fn era(&self, at: Instant) -> Era {
        let slots = at.saturating_duration_since(self.born).as_secs() / SLOT.as_secs();
        u32::try_from(slots).map_or(Era::MAX, |slots| slots.saturating_add(1))
    }
}

impl Cell {
    /// One more.
    pub(super) fn add(&self, era: Era) {
        self.write(era, |count| count.saturating_add(1));
    }

    /// At least so much.
    pub(super) fn raise(&self, era: Era, least: u32) {
        if self.0.load(Ordering::Relaxed) < packed(era, least) {
            self.write(era, |number| number.max(least));
        }
    }

    /// The number, if it is of this era.
    pub(super) fn read(&self, era: Era) -> u64 {
        let (written, number) = unpacked(self.0.load(Ordering::Relaxed));
        if written == era { number.into() } else { 0 }
    }

    fn write(&self, era: Era, change: impl Fn(u32) -> u32) {
        let mut held = self.0.load(Ordering::Relaxed);
        loop {
            let (written, number) = unpacked(held);
            if written > era {
                // Somebody was held up for so long that the ring came round.
                return;
            }
            let next = packed(era, change(if written == era { number } else { 0 }));
            match self.0.compare_exchange_weak(held, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => held = now,
            }
        }
    }
}

const fn packed(era: Era, number: u32) -> u64 {
    (era as u64) << 32 | number as u64
}

#[expect(clippy::cast_possible_truncation, reason = "the two halves of the number")]
const fn unpacked(held: u64) -> (Era, u32) {
    ((held >> 32) as u32, held as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_forgets_when_its_turn_comes_again() {
        let born = Instant::now();
        let slots: Slots<Cell, 3> = Slots::new(born);
        let count = |seconds| -> u64 {
            let now = born + Duration::from_secs(seconds);
            slots.since(now, 3).map(|(era, cell)| cell.read(era)).sum()
        };
        let add = |seconds| {
            let (era, cell) = slots.at(born + Duration::from_secs(seconds));
            cell.add(era);
        };
        [0, 9, 10, 25].into_iter().for_each(add);
        assert_eq!(count(25), 4);
        assert_eq!(count(30), 2, "the first ten seconds are over");
        add(30);
        assert_eq!(count(30), 3);
        assert_eq!(count(1_000), 0);
        add(0);
        assert_eq!(count(30), 3, "what comes too late is not counted for another time");
    }

    #[test]
    fn many_threads_lose_no_count() {
        let cell = Cell::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|i| cell.add(1 + i / 500)));
            }
        });
        assert_eq!(cell.read(2), 2_000);
        cell.raise(2, u32::MAX);
        cell.add(2);
        assert_eq!(cell.read(2), u64::from(u32::MAX), "it does not overflow");
    }
}
