//! How many requests are under way on a route, where there is a limit (`concurrency`).
//!
//! The counts outlive a change of the configuration: a request that began before it is counted until
//! it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use whodunit_filters::attribution::cause::proxy::PROXY_OVERLOADED;
use whodunit_filters::attribution::{Failure, Key};

/// After how long a request that was turned away may come again, in milliseconds.
const AGAIN: u64 = 1_000;

/// A route with a limit.
#[derive(Debug)]
pub struct Lane {
    open: Arc<AtomicU32>,
    most: u32,
    /// The place of the setting.
    setting: String,
}

/// A request that is under way there, until this is dropped.
#[derive(Debug)]
pub struct Stay(Arc<AtomicU32>);

/// The counts of all routes that have or had a limit, as long as anybody uses them.
#[derive(Debug, Default)]
pub struct Lanes(Mutex<BTreeMap<String, Weak<AtomicU32>>>);

impl Lane {
    /// One more request. Never counts beyond the limit, not even for a moment: another one could be
    /// refused for it.
    ///
    /// # Errors
    /// `proxy_overloaded` when there is no place.
    pub fn enter(&self) -> Result<Stay, Failure> {
        let more = |open: u32| (open < self.most).then(|| open + 1);
        match self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Stay(self.open.clone())),
            Err(open) => Err(Failure::denied(&PROXY_OVERLOADED)
                .with(Key::Open, u64::from(open))
                .with(Key::MaxCount, u64::from(self.most))
                .with(Key::Setting, self.setting.clone())
                .with(Key::RetryAfterMs, AGAIN)),
        }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lanes {
    /// The lane of the route of this name, on which `most` requests may be under way as the setting
    /// at this place says.
    pub fn of(&self, name: &str, most: u32, setting: String) -> Lane {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, open| open.strong_count() > 0);
        let open = all.get(name).and_then(Weak::upgrade).unwrap_or_else(|| {
            let open = Arc::new(AtomicU32::new(0));
            all.insert(name.to_owned(), Arc::downgrade(&open));
            open
        });
        Lane { open, most, setting }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_counts_on_through_a_change_of_its_limit() {
        let lanes = Lanes::default();
        let lane = |most| lanes.of("web", most, "routes[0].concurrency".to_owned());
        let (before, after) = (lane(2), lane(1));
        let first = before.enter().expect("room for two");
        let refused = after.enter().expect_err("the first one is still under way");
        assert_eq!(refused.evidence.number(Key::Open), Some(1));
        assert_eq!(refused.evidence.number(Key::MaxCount), Some(1));
        assert_eq!(refused.evidence.text(Key::Setting), Some("routes[0].concurrency"));
        let _second = before.enter().expect("room for two");
        lanes.of("api", 1, String::new()).enter().expect("another route");
        drop(first);
        after.enter().expect_err("the second one is");
        drop((before, after));
    }
}
