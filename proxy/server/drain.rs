//! The end: what tells the process to stop, and how long requests under way may take.

use std::io;
use std::time::Duration;

use super::Running;
use super::takeover::Successor;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

/// What tells the process to stop: SIGTERM and SIGINT, SIGQUIT, and a successor.
pub(super) struct Told {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    successors: mpsc::Receiver<Successor>,
}

/// How it is to stop.
pub(super) enum Stop {
    /// Once what is under way has ended.
    Gracefully,
    /// At once.
    Quickly,
    /// Gracefully, and another process takes requests by now.
    Succeeded(Successor),
}

impl Told {
    /// Listens from now on. Until then the signals' default action ends the process.
    pub(super) fn listen(
        runtime: &Runtime,
        successors: mpsc::Receiver<Successor>,
    ) -> io::Result<Self> {
        let _within = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            successors,
        })
    }

    /// Waits for the first word.
    pub(super) async fn wait(&mut self) -> Stop {
        let successor = async {
            match self.successors.recv().await {
                Some(successor) => successor,
                // There is no desk to ask at.
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Stop::Gracefully,
            _ = self.interrupt.recv() => Stop::Gracefully,
            _ = self.quit.recv() => Stop::Quickly,
            successor = successor => Stop::Succeeded(successor),
        }
    }

    /// Nobody can take over any more.
    pub(super) fn refuse_successors(&mut self) {
        self.successors.close();
        // One that was ready at the same time hears of it now.
        while self.successors.try_recv().is_ok() {}
    }

    /// Waits for the word that it takes too long.
    async fn again(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }

    /// Goes on for so long; told again, there is no more waiting at all.
    pub(super) async fn delay(&mut self, delay: Duration) -> Stop {
        tokio::select! {
            biased;
            () = self.again() => Stop::Quickly,
            () = sleep(delay) => Stop::Gracefully,
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
        () = told.again() => false,
    }
}
