//! The end: what tells the process to stop, and how long requests under way may take.

use std::time::Duration;

use super::Running;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

/// Waits for SIGTERM or SIGINT.
pub(super) async fn until_told() {
    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
        // Without handlers the signals' default action ends the process.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Waits until no connection is left, at most for the grace, and not at all once told again. Says
/// whether all ended by themselves.
pub(super) async fn finish(running: &Running, grace: Duration) -> bool {
    let deadline = Instant::now() + grace;
    let empty = async {
        while running.open() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        ended = timeout_at(deadline, empty) => ended.is_ok(),
        () = until_told() => false,
    }
}
