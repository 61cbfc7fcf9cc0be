//! The buckets of a rate, one for each key. Only those that are not full are of interest, and of
//! those only so many are kept that memory stays bounded whatever clients send.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::Pace;
use super::{By, Rate};

/// The most keys that a rate counts. Of more than half as many the ones that were quiet longest may
/// be forgotten, which then begin anew; a key that goes on being refused is not quiet.
pub const MAX_KEYS: usize = 1 << 17;

const SHARDS: usize = 64;
/// How many keys of a shard are kept for certain.
const GENERATION: usize = MAX_KEYS / SHARDS / 2;

/// The buckets of a rate.
#[derive(Debug)]
pub struct Table {
    pace: Pace,
    epoch: Instant,
    shards: Box<[Mutex<Shard>]>,
    /// Secrets of this table, so that nobody can choose keys that meet.
    pub(super) hashing: [RandomState; 2],
}

/// Buckets by key, each told by when it will be full: those that were used since the last turn, and
/// those that were last used before it. A turn forgets the latter.
#[derive(Debug, Default)]
struct Shard {
    young: HashMap<u128, u128>,
    old: HashMap<u128, u128>,
    turned: u128,
}

/// A token that may be taken. Nobody else takes from its bucket as long as this is held.
pub(super) struct Place<'t> {
    shard: MutexGuard<'t, Shard>,
    key: u128,
    full: u128,
}

impl Table {
    /// Full buckets for this rate.
    #[must_use]
    pub fn new(rate: &Rate) -> Self {
        let shards = if rate.by == By::Route { 1 } else { SHARDS };
        Self {
            pace: Pace::of(rate),
            epoch: Instant::now(),
            shards: std::iter::repeat_with(Mutex::default).take(shards).collect(),
            hashing: std::array::from_fn(|_| RandomState::new()),
        }
    }

    /// A token out of this key's bucket, or how long it is to the next one.
    pub(super) fn look(&self, key: u128, now: Instant) -> Result<Place<'_>, Duration> {
        let now = self.pace.ticks(now.saturating_duration_since(self.epoch));
        let mut shard = self.shard(key);
        shard.turn(now, self.pace.whole());
        let full = self.pace.take(shard.full(key), now)?;
        Ok(Place { shard, key, full })
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        let all = self.shards.len() as u64;
        let at = usize::try_from(self.hashing[0].hash_one(key) % all).expect("there are few");
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many keys are remembered.
    #[cfg(test)]
    pub(super) fn keys(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().expect("nobody panicked"));
        shards.map(|shard| shard.young.len() + shard.old.len()).sum()
    }
}

impl Shard {
    /// A bucket that was not used for as long as an empty one takes to fill is full: to forget it
    /// changes nothing.
    fn turn(&mut self, now: u128, whole: u128) {
        let due = now.saturating_sub(self.turned) >= whole;
        if due || self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }

    /// When this key's bucket will be full. To ask is to use it.
    fn full(&mut self, key: u128) -> u128 {
        if let Some(full) = self.young.get(&key) {
            return *full;
        }
        let Some(full) = self.old.remove(&key) else { return 0 };
        self.young.insert(key, full);
        full
    }
}

impl Place<'_> {
    /// Takes it.
    pub(super) fn take(mut self) {
        self.shard.young.insert(self.key, self.full);
    }
}
