//! The allocator of the product, with a count of what is asked of it. Each thread counts for
//! itself, so that nothing else that goes on in the process is counted along.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ops::Sub;

use mimalloc::MiMalloc;

use crate::trace;

/// How often memory was asked for, and how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Blocks made or made larger.
    pub(crate) allocations: u64,
    /// Bytes of the blocks made, and bytes by which others were made larger.
    pub(crate) bytes: u64,
}

thread_local! {
    static TALLY: Cell<Tally> = const { Cell::new(Tally { allocations: 0, bytes: 0 }) };
}

impl Tally {
    /// What this thread has asked for so far.
    pub(crate) fn of_thread() -> Self {
        TALLY.get()
    }

    /// What this thread asks for in the course of `work`.
    pub(crate) fn of(work: impl FnOnce()) -> Self {
        let before = Self::of_thread();
        work();
        Self::of_thread() - before
    }

    /// The share of each, when so many asked for this together; to the nearest number.
    pub(crate) fn each(self, of: u64) -> Self {
        let share = |all: u64| (all + of / 2) / of;
        Self { allocations: share(self.allocations), bytes: share(self.bytes) }
    }
}

impl Sub for Tally {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            allocations: self.allocations - before.allocations,
            bytes: self.bytes - before.bytes,
        }
    }
}

/// The product's allocator, counted.
pub(crate) struct Counting;

fn note(bytes: usize) {
    let Tally { allocations, bytes: before } = TALLY.get();
    TALLY.set(Tally { allocations: allocations + 1, bytes: before + bytes as u64 });
    trace::note(bytes);
}

#[expect(unsafe_code, reason = "an allocator is one by a promise; the one underneath keeps it")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: what the caller promises here is what is to be promised there; likewise below.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() {
            note(size - layout.size());
        }
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}
