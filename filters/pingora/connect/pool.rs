//! HTTP/2 connections to origins, shared by the requests that may share them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use pingora::connectors::http::v2::ConnectionRef;
use pingora::protocols::http::v2::client::Http2Session;

use super::wire::Wire;

/// A connection that is in use is looked at no more often.
const SELDOM: Duration = Duration::from_millis(100);

/// The connections, by what they may be shared for.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<Connections>>);

type Connections = HashMap<u64, Vec<Kept>>;

struct Kept {
    connection: ConnectionRef,
    wire: Arc<Wire>,
    /// When a request last took it, or was done with it.
    used: Instant,
}

impl Pool {
    /// A stream on a connection that has room for one more.
    pub(super) async fn stream(&self, key: u64) -> Option<(Http2Session, Arc<Wire>)> {
        // Another request may take the room in between, or the connection end: then the next one
        // is tried. Each turn takes a connection out or returns, so it ends.
        for _ in 0..8 {
            let (connection, wire) = self.roomy(key)?;
            match connection.spawn_stream().await {
                Ok(Some(stream)) => return Some((stream, wire)),
                Ok(None) => {}
                Err(_) => connection.mark_shutdown(),
            }
        }
        None
    }

    fn roomy(&self, key: u64) -> Option<(ConnectionRef, Arc<Wire>)> {
        let mut all = self.locked();
        let kept = usable(&mut all, key)?;
        let roomy = kept.iter_mut().find(|kept| kept.connection.can_accept_streams(1))?;
        roomy.used = Instant::now();
        Some((roomy.connection.clone(), roomy.wire.clone()))
    }

    /// Takes in a new connection, to be closed once it has carried no request for so long. Must be
    /// called on a runtime.
    pub(super) fn keep(
        &self,
        key: u64,
        connection: ConnectionRef,
        wire: &Arc<Wire>,
        patience: Duration,
    ) {
        let kept = Kept { connection, wire: wire.clone(), used: Instant::now() };
        self.locked().entry(key).or_default().push(kept);
        tokio::spawn(watch(Arc::downgrade(&self.0), key, Arc::downgrade(wire), patience));
    }

    /// A request is done with its stream.
    pub(super) fn release(&self, key: u64, stream: Http2Session, wire: &Arc<Wire>) {
        drop(stream);
        let mut all = self.locked();
        let Some(kept) = usable(&mut all, key) else { return };
        if let Some(kept) = kept.iter_mut().find(|kept| Arc::ptr_eq(&kept.wire, wire)) {
            kept.used = Instant::now();
        }
    }

    fn locked(&self) -> MutexGuard<'_, Connections> {
        locked(&self.0)
    }
}

fn locked(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connections that another request may be put on, once all others are forgotten.
fn usable(all: &mut Connections, key: u64) -> Option<&mut Vec<Kept>> {
    let kept = all.get_mut(&key)?;
    kept.retain(|kept| !kept.connection.is_closed() && !kept.connection.is_shutting_down());
    if kept.is_empty() {
        all.remove(&key);
        return None;
    }
    all.get_mut(&key)
}

/// Sees to the end of one connection. It does not count on being told that a request is done: one
/// that is given up is dropped without a word.
async fn watch(pool: Weak<Mutex<Connections>>, key: u64, wire: Weak<Wire>, patience: Duration) {
    let mut wait = patience;
    loop {
        tokio::time::sleep(wait).await;
        let (Some(pool), Some(wire)) = (pool.upgrade(), wire.upgrade()) else { return };
        let mut all = locked(&pool);
        let Some(kept) = usable(&mut all, key) else { return };
        let own = |kept: &Kept| Arc::ptr_eq(&kept.wire, &wire);
        let Some(place) = kept.iter().position(own) else { return };
        let rested = kept[place].used.elapsed();
        if !kept[place].connection.is_idle() {
            wait = patience.max(SELDOM);
        } else if rested < patience {
            wait = patience.saturating_sub(rested);
        } else {
            // With the last of its handles the connection is closed.
            kept.swap_remove(place);
            usable(&mut all, key);
            return;
        }
    }
}
