//! HTTP/1.1 connections to origins that carry no request for the moment. Pingora's own pool starts a
//! task for each of them, each time; here they lie still, and the kernel's word that something came
//! wakes the one task that looks after all of them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pingora::protocols::Stream;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::letter::Letter;
use super::wire::Wire;

/// How often connections are looked through for those whose time is over.
const TURN: Duration = Duration::from_secs(1);
/// The most that are kept; one more is closed.
const KEPT: usize = 8_192;
/// What is kept for less is not kept.
const LEAST: Duration = Duration::from_millis(2);

/// The connections, by what they may be used for again.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Shared>);

impl fmt::Debug for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Idle").field(&self.0.locked().count).finish()
    }
}

#[derive(Default)]
struct Shared {
    resting: Mutex<Resting>,
    stirred: Arc<Stirred>,
}

#[derive(Default)]
struct Resting {
    lines: HashMap<u64, Vec<One>, BuildHasherDefault<Itself>>,
    count: usize,
    watched: bool,
}

struct One {
    stream: Stream,
    wire: Arc<Wire>,
    since: Instant,
    patience: Duration,
}

/// The keys are hashes already.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

/// Something came over a connection that rests, if only its end.
#[derive(Default)]
struct Stirred(Notify);

impl Wake for Stirred {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

/// A connection's place among the idle ones, for when it is done with a request.
#[derive(Debug)]
pub(super) struct Berth {
    idle: Idle,
    key: u64,
    wire: Arc<Wire>,
    patience: Duration,
    /// Pingora holds it for fit to be used again, and it was quiet then.
    free: AtomicBool,
}

impl Idle {
    /// A connection that was used before and is still good, the one that rested the least.
    pub(super) fn take(&self, key: u64) -> Option<(Stream, Arc<Wire>)> {
        let now = Instant::now();
        loop {
            let mut one = self.0.pop(key)?;
            let quiet = is_quiet(&mut one.stream, None);
            if quiet && now.saturating_duration_since(one.since) < one.patience {
                one.wire.reuse();
                return Some((one.stream, one.wire));
            }
        }
    }

    /// A place for a connection that may rest for so long.
    pub(super) fn berth(&self, key: u64, wire: Arc<Wire>, patience: Duration) -> Berth {
        Berth { idle: self.clone(), key, wire, patience, free: AtomicBool::new(false) }
    }
}

impl Berth {
    /// Pingora tries whether anything can be read before it puts a connection back into its pool.
    /// If not, the connection is kept here, and Pingora is told that it has ended.
    pub(super) fn claim(&self, stream: &mut Stream) -> bool {
        let waker = Waker::from(self.idle.0.stirred.clone());
        let free = self.patience >= LEAST && is_quiet(stream, Some(&waker));
        self.free.store(free, Ordering::Relaxed);
        free
    }

    /// The header section that begins with these bytes, if lines are to be put at its end.
    pub(super) fn letter(&self, bytes: &[u8]) -> Option<io::Result<Letter>> {
        let mut lines = self.wire.postscript().filter(|lines| !lines.is_empty())?;
        Some(Letter::new(bytes, &mut lines))
    }

    /// Lays a connection that was claimed to rest; closes any other.
    pub(super) fn rest(&self, stream: Stream) {
        if self.free.load(Ordering::Relaxed) {
            let (wire, since) = (self.wire.clone(), Instant::now());
            self.idle.0.keep(self.key, One { stream, wire, since, patience: self.patience });
        }
    }
}

impl Shared {
    fn pop(&self, key: u64) -> Option<One> {
        let mut resting = self.locked();
        let one = resting.lines.get_mut(&key)?.pop()?;
        resting.count -= 1;
        Some(one)
    }

    fn keep(self: &Arc<Self>, key: u64, one: One) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut resting = self.locked();
        if resting.count >= KEPT {
            return;
        }
        resting.count += 1;
        resting.lines.entry(key).or_default().push(one);
        if !std::mem::replace(&mut resting.watched, true) {
            runtime.spawn(watch(Arc::downgrade(self), self.stirred.clone()));
        }
    }

    /// Closes those that have ended, or whose time is over; whether any are left.
    fn sweep(&self) -> bool {
        let (now, waker) = (Instant::now(), Waker::from(self.stirred.clone()));
        let mut over = Vec::new();
        let mut resting = self.locked();
        for line in resting.lines.values_mut() {
            over.extend(line.extract_if(.., |one| {
                let rested = now.saturating_duration_since(one.since);
                rested >= one.patience || !is_quiet(&mut one.stream, Some(&waker))
            }));
        }
        resting.lines.retain(|_, line| !line.is_empty());
        resting.count -= over.len();
        resting.watched = resting.count > 0;
        let left = resting.watched;
        // What is closed asks the kernel once more.
        drop(resting);
        drop(over);
        left
    }

    fn locked(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks after the connections while there are any.
async fn watch(shared: Weak<Shared>, stirred: Arc<Stirred>) {
    loop {
        // Both mean the same.
        let _ = timeout(TURN, stirred.0.notified()).await;
        if !shared.upgrade().is_some_and(|shared| shared.sweep()) {
            return;
        }
    }
}

/// Whether nothing has come over a connection, nor its end. The waker is told when that changes.
fn is_quiet(stream: &mut Stream, waker: Option<&Waker>) -> bool {
    let mut byte = [0];
    let mut read = std::pin::pin!(tokio::task::unconstrained(stream.read(&mut byte)));
    let mut cx = Context::from_waker(waker.unwrap_or(Waker::noop()));
    read.poll_unpin(&mut cx).is_pending()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    fn lay(idle: &Idle, patience: Duration) -> DuplexStream {
        let (ours, theirs) = duplex(64);
        let wire = Arc::new(Wire::new(-1, true, 0, Duration::ZERO));
        let berth = idle.berth(7, wire, patience);
        let mut stream: Stream = Box::new(ours);
        berth.claim(&mut stream);
        berth.rest(stream);
        theirs
    }

    fn count(idle: &Idle) -> usize {
        idle.0.locked().count
    }

    #[tokio::test]
    async fn a_quiet_connection_is_used_again() {
        let idle = Idle::default();
        let _theirs = lay(&idle, Duration::from_mins(1));
        assert!(idle.take(8).is_none(), "another line's");
        let (_, wire) = idle.take(7).expect("it rests");
        assert!(wire.reused());
        assert!(idle.take(7).is_none() && count(&idle) == 0);
    }

    #[tokio::test]
    async fn one_that_has_ended_or_said_something_is_not() {
        let idle = Idle::default();
        drop(lay(&idle, Duration::from_mins(1)));
        assert!(idle.take(7).is_none());
        lay(&idle, Duration::from_mins(1)).write_all(b"HTTP/1.1 408").await.expect("room");
        assert!(idle.take(7).is_none());
        let (ours, mut theirs) = duplex(64);
        theirs.write_all(b"more").await.expect("room");
        let berth = idle.berth(7, Arc::new(Wire::new(-1, true, 0, Duration::ZERO)), TURN);
        let mut stream: Stream = Box::new(ours);
        assert!(!berth.claim(&mut stream), "more than the answer came");
        berth.rest(stream);
        assert!(idle.take(7).is_none());
    }

    #[tokio::test]
    async fn the_end_of_a_resting_connection_is_seen_at_once_and_its_time_runs_out() {
        let idle = Idle::default();
        let theirs = lay(&idle, Duration::from_mins(1));
        tokio::task::yield_now().await;
        drop(theirs);
        let began = Instant::now();
        while count(&idle) > 0 {
            assert!(began.elapsed() < Duration::from_secs(20));
            tokio::task::yield_now().await;
        }
        let _short = lay(&idle, LEAST);
        let _shorter = lay(&idle, Duration::from_millis(1));
        assert_eq!(count(&idle), 1, "too short to be kept");
        tokio::time::sleep(LEAST).await;
        assert!(idle.take(7).is_none(), "its time is over");
    }
}
