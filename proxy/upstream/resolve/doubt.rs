//! A name asked for anew because an address of it could not be reached: is it still there?
//!
//! The question is put in the background, once for all who doubt the name at the same time, and not
//! more often than a failed one. Whoever waits for the answer decides for how long.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use whodunit_filters::attribution::{Evidence, Key};

use super::{Entry, RETRY, Resolver, literal, locked};

/// Somebody who waits to hear of an address.
pub(super) type Doubt = (IpAddr, oneshot::Sender<Evidence>);

impl Resolver {
    /// A connection to `address`, which was found under `name`, has failed: tells whether a fresh
    /// answer still holds it ([`Key::AddressGone`]), or nothing where there is no fresh answer.
    /// `None` where none can be expected: for an address that was written as one, and while the
    /// name server is known not to answer.
    #[must_use]
    pub fn doubt(&self, name: &str, address: IpAddr) -> Option<oneshot::Receiver<Evidence>> {
        if literal(name).is_some() {
            return None;
        }
        let entry = self.0.entry(name);
        let (tell, told) = oneshot::channel();
        locked(&entry.doubts).push((address, tell));
        let state = locked(&entry.state);
        let failed = state.failed.as_ref().is_some_and(|(_, until)| Instant::now() < *until);
        drop(state);
        if failed {
            settle(&entry);
            return None;
        }
        if fresh(&entry).is_some() {
            settle(&entry);
        } else {
            self.renew_in_background(name, &entry);
        }
        Some(told)
    }
}

/// The addresses, if they were learned just now.
fn fresh(entry: &Entry) -> Option<Arc<[IpAddr]>> {
    let state = locked(&entry.state);
    let good = state.good.as_ref().filter(|good| good.learned.elapsed() < RETRY)?;
    Some(good.addresses.clone())
}

/// Tells all who wait.
pub(super) fn settle(entry: &Entry) {
    let doubts = std::mem::take(&mut *locked(&entry.doubts));
    if doubts.is_empty() {
        return;
    }
    let fresh = fresh(entry);
    for (address, tell) in doubts {
        let mut found = Evidence::new();
        if let Some(addresses) = &fresh {
            found.set(Key::AddressGone, !addresses.contains(&address));
        }
        // Who does not wait any more needs no answer.
        let _ = tell.send(found);
    }
}
