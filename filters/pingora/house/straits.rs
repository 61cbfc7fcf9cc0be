//! Connections that cannot be accepted because the system lets no more be opened.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use whodunit_filters::attribution::Failure;
use whodunit_filters::attribution::Key;
use whodunit_filters::attribution::cause::proxy::PROXY_OVERLOADED;
use whodunit_filters::head::Glimpse;

use super::listener::Listener;
use crate::arrival::ClientFacts;
use crate::ingress::{Doorman, Refusal};
use crate::observe;

/// For so long nobody is let in: connections that end make room. The kernel keeps those waiting
/// that come meanwhile.
const PAUSE: Duration = Duration::from_millis(100);
/// As long as it lasts, it is told of no more often.
const SELDOM: Duration = Duration::from_secs(10);

/// What a listener met with.
pub(super) struct Straits {
    door: Arc<dyn Doorman>,
    listener: Arc<Listener>,
    told: Option<Instant>,
}

impl Straits {
    pub(super) fn new(door: Arc<dyn Doorman>, listener: Arc<Listener>) -> Self {
        Self { door, listener, told: None }
    }

    /// A connection could not be accepted. How long to wait before the next one is tried; not at
    /// all where it was this one connection's fault, which may be gone by then (accept(2)).
    pub(super) fn met(&mut self, error: &io::Error) -> Option<Duration> {
        let failure = match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => observe::refused(error),
            Some(errno @ (libc::ENOBUFS | libc::ENOMEM)) => {
                let name = if errno == libc::ENOMEM { "ENOMEM" } else { "ENOBUFS" };
                Failure::denied(&PROXY_OVERLOADED)
                    .with(Key::Open, u64::try_from(self.door.open()).unwrap_or(0))
                    .with(Key::Setting, "limits.connections")
                    .with(Key::Errno, name)
            }
            _ => return None,
        };
        if self.told.is_none_or(|at| at.elapsed() >= SELDOM) {
            self.told = Some(Instant::now());
            self.tell(failure);
        }
        Some(PAUSE)
    }

    fn tell(&self, failure: Failure) {
        let began = Instant::now();
        let terms = self.listener.in_force();
        self.door.turn_away(Refusal {
            failure,
            head: Glimpse::of(&[]),
            client: &ClientFacts::new(began),
            began,
            socket: None,
            entrance: Some(&terms.digest),
            answerable: false,
        });
    }
}
