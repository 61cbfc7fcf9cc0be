//! HTTP/2 connections to origins, shared by the requests that may share them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pingora::connectors::http::v2::ConnectionRef;
use pingora::protocols::http::v2::client::Http2Session;

/// The connections, by what they may be shared for.
#[derive(Clone, Default)]
pub(super) struct Pool(Arc<Mutex<HashMap<u64, Vec<Kept>>>>);

struct Kept {
    connection: ConnectionRef,
    /// Since when it has carried no request.
    idle: Option<Instant>,
}

impl Pool {
    /// A stream on a connection that has room for one more.
    pub(super) async fn stream(&self, key: u64) -> Option<Http2Session> {
        // Another request may take the room in between, or the connection end: then the next one
        // is tried. Each turn takes a connection out or returns, so it ends.
        for _ in 0..8 {
            let connection = self.roomy(key)?;
            match connection.spawn_stream().await {
                Ok(Some(stream)) => return Some(stream),
                Ok(None) => {}
                Err(_) => connection.mark_shutdown(),
            }
        }
        None
    }

    fn roomy(&self, key: u64) -> Option<ConnectionRef> {
        let mut all = self.locked();
        let kept = all.get_mut(&key)?;
        kept.retain(|kept| usable(&kept.connection));
        if kept.is_empty() {
            all.remove(&key);
            return None;
        }
        let roomy = kept.iter_mut().find(|kept| kept.connection.can_accept_streams(1))?;
        roomy.idle = None;
        Some(roomy.connection.clone())
    }

    /// Takes in a new connection.
    pub(super) fn keep(&self, key: u64, connection: ConnectionRef) {
        self.locked().entry(key).or_default().push(Kept { connection, idle: None });
    }

    /// A request is done with its stream. A connection without any is closed after `patience`.
    pub(super) fn release(&self, key: u64, stream: Http2Session, patience: Option<Duration>) {
        let connection = stream.conn.clone();
        drop(stream);
        if !connection.is_idle() {
            return;
        }
        let since = Instant::now();
        {
            let mut all = self.locked();
            let Some(kept) = all.get_mut(&key) else { return };
            kept.retain(|kept| usable(&kept.connection));
            let id = connection.id();
            match kept.iter_mut().find(|kept| kept.connection.id() == id) {
                Some(kept) => kept.idle = Some(since),
                None => return,
            }
        }
        if let Some(patience) = patience {
            let pool = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(patience).await;
                pool.retire(key, since);
            });
        }
    }

    /// Lets go of a connection that has been idle ever since.
    fn retire(&self, key: u64, since: Instant) {
        let mut all = self.locked();
        if let Some(kept) = all.get_mut(&key) {
            kept.retain(|kept| kept.idle != Some(since) && usable(&kept.connection));
            if kept.is_empty() {
                all.remove(&key);
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<u64, Vec<Kept>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn usable(connection: &ConnectionRef) -> bool {
    !connection.is_closed() && !connection.is_shutting_down()
}
