//! Holding back an origin's answer to an upgrade until the request's end has been taken.
//!
//! Pingora's upstream half waits for two things at once, in no fixed order: the origin's answer,
//! and the request body, which for an upgrade is empty and only has an end. Should it see `101`
//! first, it takes the end of that body for the end of the tunnel and closes it
//! (cloudflare/pingora#946). So the answer must not be readable before the end has been taken. The
//! taking shows on the connection: Pingora flushes once after the request's head, and once more at
//! the body's end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// Reads pass.
const OPEN: u8 = 0;
/// They wait for the request's head to be flushed, and then for its end.
const BEFORE_HEAD: u8 = 1;
/// They wait for the request's end.
const BEFORE_END: u8 = 2;

/// Whether an upgrade's answer may be read yet. It is open at first.
#[derive(Clone, Debug, Default)]
pub struct Latch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    phase: AtomicU8,
    reader: AtomicWaker,
}

impl Latch {
    /// Holds the answer back until the request has been sent whole. To be called when the
    /// connection stands and nothing of the request is written (`connected_to_upstream`).
    pub fn hold(&self) {
        self.0.phase.store(BEFORE_HEAD, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.0.phase.load(Ordering::Acquire) == OPEN
    }

    /// Waits until reads may pass.
    pub(super) fn poll_open(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_open() {
            self.0.reader.register(cx.waker());
            if !self.is_open() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Lets reads pass.
    pub(super) fn open(&self) {
        self.0.phase.store(OPEN, Ordering::Release);
        self.0.reader.wake();
    }

    /// What was written has gone out.
    pub(super) fn flushed(&self) {
        match self.0.phase.load(Ordering::Acquire) {
            BEFORE_HEAD => self.0.phase.store(BEFORE_END, Ordering::Release),
            BEFORE_END => self.open(),
            _ => {}
        }
    }
}
