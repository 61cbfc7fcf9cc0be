//! How many requests and connections are under way to an upstream, and how many may be.
//!
//! The counts outlive a change of the configuration: a request that began before it holds its place
//! until it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use whodunit_filters::attribution::cause::proxy::UPSTREAM_LIMIT_REACHED;
use whodunit_filters::attribution::{Failure, Key};

use super::rotation::Rotation;

/// What is under way to one upstream.
#[derive(Debug, Default)]
pub struct Places {
    requests: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
    /// Who is in rotation, which outlives a change of the configuration likewise.
    pub(super) rotation: Rotation,
}

/// How much may be under way to one upstream at a time; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Connections that carry a request (`max_connections`).
    pub connections: Option<u32>,
    /// Requests, those that wait for a connection included (`max_requests`).
    pub requests: Option<u32>,
}

/// One place that is taken, until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicU32>);

/// The counts of all upstreams that there are or were, as long as anybody uses them.
#[derive(Debug, Default)]
pub struct Registry(Mutex<BTreeMap<String, Weak<Places>>>);

impl Places {
    /// A place for a request to the upstream of this name.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn request(&self, name: &str, room: Room) -> Result<Place, Failure> {
        take(&self.requests, room.requests, name, "max_requests")
    }

    /// The same for a connection.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn connection(&self, name: &str, room: Room) -> Result<Place, Failure> {
        take(&self.connections, room.connections, name, "max_connections")
    }
}

/// Never counts beyond the limit, not even for a moment: another one could be refused for it.
fn take(
    count: &Arc<AtomicU32>,
    most: Option<u32>,
    name: &str,
    key: &'static str,
) -> Result<Place, Failure> {
    let most = most.unwrap_or(u32::MAX);
    let more = |open: u32| (open < most).then(|| open + 1);
    match count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
        Ok(_) => Ok(Place(count.clone())),
        Err(open) => Err(Failure::denied(&UPSTREAM_LIMIT_REACHED)
            .with(Key::Upstream, name.to_owned())
            .with(Key::Open, u64::from(open))
            .with(Key::MaxCount, u64::from(most))
            .with(Key::Setting, format!("upstreams.{name}.{key}"))),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Registry {
    /// The counts of the upstream of this name.
    pub fn of(&self, name: &str) -> Arc<Places> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, places| places.strong_count() > 0);
        if let Some(places) = all.get(name).and_then(Weak::upgrade) {
            return places;
        }
        let places = Arc::new(Places::default());
        all.insert(name.to_owned(), Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Room = Room { connections: Some(2), requests: None };

    #[test]
    fn a_place_is_free_again_when_it_is_left() {
        let places = Places::default();
        let first = places.connection("web", TWO).expect("room for two");
        let _second = places.connection("web", TWO).expect("room for two");
        let full = places.connection("web", TWO).expect_err("no room for three");
        assert_eq!(full.evidence.number(Key::Open), Some(2));
        assert_eq!(full.evidence.number(Key::MaxCount), Some(2));
        assert_eq!(full.evidence.text(Key::Setting), Some("upstreams.web.max_connections"));
        let _request = places.request("web", TWO).expect("requests are counted by themselves");
        drop(first);
        places.connection("web", TWO).expect("one has left");
    }

    #[test]
    fn the_counts_of_a_name_are_kept_as_long_as_they_are_used() {
        let registry = Registry::default();
        let before = registry.of("web");
        let place = before.connection("web", TWO).expect("room");
        let after = registry.of("web");
        drop(before);
        let _another = after.connection("web", TWO).expect("room");
        after.connection("web", TWO).expect_err("both are counted");
        drop(place);
        after.connection("web", TWO).expect("the first one has left");
        drop(after);
        registry.of("api");
        assert_eq!(registry.0.lock().expect("nobody panicked").len(), 1, "the dead are forgotten");
    }

    #[test]
    fn many_threads_never_hold_more_than_there_are() {
        let places = Places::default();
        let holding = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let Ok(_place) = places.connection("web", TWO) else { continue };
                        assert!(holding.fetch_add(1, Ordering::AcqRel) < 2);
                        holding.fetch_sub(1, Ordering::AcqRel);
                    }
                });
            }
        });
        assert_eq!(places.connections.load(Ordering::Acquire), 0);
    }
}
