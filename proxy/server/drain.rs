//! The end: what tells the process to stop, and how long requests under way may take.

use std::io;
use std::time::Duration;

use super::Running;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

/// What tells the process to stop: SIGTERM and SIGINT.
pub(super) struct Told {
    terminate: Signal,
    interrupt: Signal,
}

impl Told {
    /// Listens from now on. Until then the signals' default action ends the process.
    pub(super) fn listen(runtime: &Runtime) -> io::Result<Self> {
        let _within = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until no connection is left, at most for the grace, and not at all once told again. Says
/// whether all ended by themselves.
pub(super) async fn finish(running: &Running, told: &mut Told, grace: Duration) -> bool {
    let deadline = Instant::now() + grace;
    let empty = async {
        while running.open() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ended = timeout_at(deadline, empty) => ended.is_ok(),
        () = told.wait() => false,
    }
}
