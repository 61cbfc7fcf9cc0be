//! The admin listener: metrics, health, recent errors, configuration. It has a thread and a
//! runtime of its own, so that it answers however busy the proxy is.

mod problem;
mod routes;
mod serve;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use whodunit_filters::attribution::Record;
use whodunit_filters::attribution::ledger::Query;
use whodunit_filters::secret::Secret;

/// What the admin listener shows; somebody else knows it.
pub trait Insight: Send + Sync + 'static {
    /// All metrics in Prometheus' text format.
    fn metrics_text(&self) -> String;
    /// The recent errors that are asked for, the latest first. The query always has a limit.
    fn recent(&self, query: &Query) -> Vec<Arc<Record>>;
    /// Errors by party, cause and upstream.
    fn summary(&self) -> Value;
    /// Each upstream with its endpoints and how they fare.
    fn upstreams(&self) -> Value;
    /// The configuration in force, with its secrets masked as [`Secret`] masks itself.
    fn config(&self) -> Value;
    /// Whether requests are taken; if not, why not.
    ///
    /// # Errors
    /// The reason, in words.
    fn ready(&self) -> Result<(), String>;
}

/// How the listener is guarded.
#[derive(Clone, Debug)]
pub struct AdminSettings {
    /// The token that every request but those for `/livez` and `/readyz` must carry
    /// (`Authorization: Bearer …`). Default: none is asked for.
    pub token: Option<Secret>,
    /// How many connections may be open; one more is closed at once. Default: 64.
    pub max_connections: usize,
    /// How long a client may take over a request's header section, or stay idle. Default: 10 s.
    pub header_timeout: Duration,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { token: None, max_connections: 64, header_timeout: Duration::from_secs(10) }
    }
}

/// A running admin listener. Dropping it stops it without waiting.
pub struct Admin {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Serves on a listener that is bound already.
    ///
    /// # Errors
    /// When the listener, the runtime or the thread cannot be set up.
    pub fn start(
        listener: TcpListener,
        settings: &AdminSettings,
        insight: Arc<dyn Insight>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(false);
        let router = routes::router(insight, settings.token.clone());
        let settings = settings.clone();
        let thread = thread::Builder::new().name("admin".into()).spawn(move || {
            runtime.block_on(serve::serve(listener, router, settings, stopped));
        })?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// The address listened on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections, lets requests in progress end (at most 1 s), and returns when
    /// all is over. Blocks: not to be called on a runtime's thread.
    pub fn stop(mut self) {
        // Fails only when the thread has ended already.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported; stopping goes on.
            let _ = thread.join();
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

#[cfg(test)]
mod tests;
