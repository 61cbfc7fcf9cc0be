//! The rig: the real binary between a client and an origin that do exactly what a test says.
//!
//! Every exchange that goes through [`proxy::Proxy`] is checked against what must hold for all of
//! them (see [`promise`]); a test adds what must hold for it.

pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod dns;
pub(crate) mod frames;
pub(crate) mod h2;
pub(crate) mod h2client;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod net;
pub(crate) mod origin;
pub(crate) mod promise;
pub(crate) mod proxy;
pub(crate) mod relay;
pub(crate) mod secured;
pub(crate) mod settings;
pub(crate) mod there;
pub(crate) mod tls;

use std::io::Write;
use std::time::{Duration, Instant};

/// The longest that anything in a test may take. Nothing waits for it to pass: running out of it
/// is always a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `look` sees what it looks for.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Says that a test is left out here, and why. Not by the macro: what that prints is kept from
/// sight when a test passes.
pub(crate) fn skip(test: &str, why: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {test}: {why}\n").as_bytes()).ok();
}
