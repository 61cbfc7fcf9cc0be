//! One count, its limit, and who waits for a place under it.
//!
//! While nobody waits a place is taken and left by one change of a single number, without a lock.
//! As soon as somebody does, every change is made under the lock, so that a place that is left
//! cannot miss the one who has just begun to wait, and nobody can come before those who wait.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Places of one kind.
#[derive(Debug)]
pub(super) struct Line {
    /// How many are open in the lower half, how many wait in the upper one.
    state: AtomicU64,
    most: AtomicU32,
    waiting: Mutex<Waiting>,
}

/// Those who wait, in their order.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    by_number: BTreeMap<u64, oneshot::Sender<Place>>,
}

/// One place that is taken, until this is dropped.
#[derive(Debug)]
pub struct Place(Option<Arc<Line>>);

/// What comes of joining the line.
pub(super) enum Joined {
    Place(Place),
    Line(u64, oneshot::Receiver<Place>),
    Full,
}

/// One more that waits.
const WAITS: u64 = 1 << 32;

const fn open(state: u64) -> u64 {
    state & (WAITS - 1)
}

const fn waiting(state: u64) -> u64 {
    state >> 32
}

impl Default for Line {
    fn default() -> Self {
        let most = AtomicU32::new(u32::MAX);
        Self { state: AtomicU64::new(0), most, waiting: Mutex::default() }
    }
}

impl Line {
    pub(super) fn open(&self) -> u32 {
        u32::try_from(open(self.state.load(Ordering::Acquire))).expect("half of 64 bits")
    }

    pub(super) fn waiting(&self) -> u32 {
        u32::try_from(waiting(self.state.load(Ordering::Acquire))).expect("half of 64 bits")
    }

    pub(super) fn most(&self) -> u32 {
        self.most.load(Ordering::Acquire)
    }

    /// A place, if there is one and nobody waits for it. Never counts beyond the limit, not even for
    /// a moment: another one could be refused for it.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let most = u64::from(self.most());
        let more = |state| (waiting(state) == 0 && open(state) < most).then_some(state + 1);
        let taken = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Place(Some(self.clone())))
    }

    /// A place that became free in between, a number in the line, or nothing, if `length` wait.
    pub(super) fn join(self: &Arc<Self>, length: u32) -> Joined {
        let mut line = self.locked();
        let most = u64::from(self.most());
        let either = |state| {
            if waiting(state) == 0 && open(state) < most {
                Some(state + 1)
            } else {
                (waiting(state) < u64::from(length)).then_some(state + WAITS)
            }
        };
        match self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, either) {
            Err(_) => Joined::Full,
            Ok(before) if waiting(before) == 0 && open(before) < most => {
                Joined::Place(Place(Some(self.clone())))
            }
            Ok(_) => {
                let (sender, receiver) = oneshot::channel();
                let number = line.next;
                line.next += 1;
                line.by_number.insert(number, sender);
                Joined::Line(number, receiver)
            }
        }
    }

    /// Who has this number no longer waits, if it still did.
    pub(super) fn leave(&self, number: u64) {
        let mut line = self.locked();
        if line.by_number.remove(&number).is_some() {
            self.state.fetch_sub(WAITS, Ordering::AcqRel);
        }
    }

    /// So many may be open from now on.
    pub(super) fn allow(self: &Arc<Self>, most: Option<u32>) {
        let mut line = self.locked();
        self.most.store(most.unwrap_or(u32::MAX), Ordering::Release);
        self.admit(&mut line);
    }

    /// One place less is open.
    fn release(self: &Arc<Self>) {
        let fewer = |state| (waiting(state) == 0).then(|| state - 1);
        if self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, fewer).is_ok() {
            return;
        }
        let mut line = self.locked();
        self.state.fetch_sub(1, Ordering::AcqRel);
        self.admit(&mut line);
    }

    /// Gives the places that are free to those who wait.
    fn admit(self: &Arc<Self>, line: &mut Waiting) {
        let most = u64::from(self.most());
        while open(self.state.load(Ordering::Acquire)) < most {
            let Some((_, first)) = line.by_number.pop_first() else { return };
            // One that waits less, and one that is open more.
            self.state.fetch_sub(WAITS - 1, Ordering::AcqRel);
            if let Err(mut unclaimed) = first.send(Place(Some(self.clone()))) {
                // It has just given up: the next one has the place.
                unclaimed.0 = None;
                self.state.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            line.release();
        }
    }
}
