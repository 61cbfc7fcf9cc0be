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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use pingora::protocols::l4::socket::SocketAddr;
    use whodunit_filters::attribution::ledger::Use;

    use super::*;
    use crate::house::{Entrance, Terms};
    use crate::ingress::Rules;
    use crate::reply::Reply;

    /// Remembers what it is told.
    #[derive(Default)]
    struct Remembers(Mutex<Vec<(String, Failure)>>);

    impl Doorman for Remembers {
        fn rules(&self) -> Rules {
            unreachable!("nobody is let in")
        }
        fn counted(&self, _: Use, _: i64) {}
        fn open(&self) -> i64 {
            7
        }
        fn refuse(&self, _: Refusal<'_>) -> Bytes {
            unreachable!("nobody is there to be answered")
        }
        fn turn_away(&self, refusal: Refusal<'_>) -> Option<Reply> {
            assert!(!refusal.answerable);
            let entrance = refusal.entrance.and_then(Entrance::of).expect("it has one");
            let told = (entrance.listener.to_string(), refusal.failure);
            self.0.lock().expect("no panic").push(told);
            None
        }
        fn speaks_h2c(&self, _: &SocketAddr) -> bool {
            false
        }
    }

    #[test]
    fn what_runs_out_is_told_once_and_waited_for_and_the_rest_goes_on() {
        for (errno, name) in [
            (libc::EMFILE, "EMFILE"),
            (libc::ENFILE, "ENFILE"),
            (libc::ENOBUFS, "ENOBUFS"),
            (libc::ENOMEM, "ENOMEM"),
        ] {
            let door = Arc::new(Remembers::default());
            let listener = Arc::new(Listener::new("front", &Terms::default()));
            let mut straits = Straits::new(door.clone(), listener);
            for gone in [libc::ECONNABORTED, libc::EPROTO, libc::EPERM] {
                assert_eq!(straits.met(&io::Error::from_raw_os_error(gone)), None);
            }
            for _ in 0..3 {
                assert_eq!(straits.met(&io::Error::from_raw_os_error(errno)), Some(PAUSE));
            }
            let told = door.0.lock().expect("no panic");
            let [(listener, failure)] = &told[..] else { panic!("told once: {told:?}") };
            assert_eq!(listener, "front");
            assert_eq!(failure.evidence.text(Key::Errno), Some(name));
        }
    }
}
