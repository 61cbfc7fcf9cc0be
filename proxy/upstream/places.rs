//! How many requests and connections are under way to an upstream and on a route, and how many may be.
//!
//! The counts outlive a change of the configuration: a request that began before it holds its place
//! until it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use whodunit_filters::attribution::cause::proxy::{PROXY_OVERLOADED, UPSTREAM_LIMIT_REACHED};
use whodunit_filters::attribution::{Failure, Key};
use whodunit_filters::rate;

/// What is under way to one upstream.
#[derive(Debug, Default)]
pub struct Places {
    requests: Arc<AtomicU32>,
    connections: Arc<AtomicU32>,
}

/// How much may be under way to one upstream at a time; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Connections that carry a request (`max_connections`).
    pub connections: Option<u32>,
    /// Requests, those that wait for a connection included (`max_requests`).
    pub requests: Option<u32>,
}

/// What is under way on a route with a limit (`concurrency`).
#[derive(Debug)]
pub struct Lane {
    open: Arc<AtomicU32>,
    most: u32,
    /// The place of the setting.
    setting: String,
}

/// One place that is taken, until this is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicU32>);

/// The counts of all upstreams and routes that there are or were, as long as anybody uses them.
#[derive(Debug, Default)]
pub struct Registry {
    upstreams: Kept<Places>,
    lanes: Kept<AtomicU32>,
    /// How often requests came lately, by route.
    pub rates: rate::Registry,
}

/// Counts by name.
type Kept<T> = Mutex<BTreeMap<String, Weak<T>>>;

impl Places {
    /// A place for a request to the upstream of this name.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn request(&self, name: &str, room: Room) -> Result<Place, Failure> {
        take(&self.requests, room.requests.unwrap_or(u32::MAX), busy(name, "max_requests"))
    }

    /// The same for a connection.
    ///
    /// # Errors
    /// `upstream_limit_reached` when there is none.
    pub fn connection(&self, name: &str, room: Room) -> Result<Place, Failure> {
        take(&self.connections, room.connections.unwrap_or(u32::MAX), busy(name, "max_connections"))
    }
}

/// Never counts beyond the limit, not even for a moment: another one could be refused for it.
fn take(
    count: &Arc<AtomicU32>,
    most: u32,
    failure: impl FnOnce() -> Failure,
) -> Result<Place, Failure> {
    let more = |open: u32| (open < most).then(|| open + 1);
    match count.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
        Ok(_) => Ok(Place(count.clone())),
        Err(open) => {
            Err(failure().with(Key::Open, u64::from(open)).with(Key::MaxCount, u64::from(most)))
        }
    }
}

fn busy(name: &str, key: &'static str) -> impl FnOnce() -> Failure {
    move || {
        Failure::denied(&UPSTREAM_LIMIT_REACHED)
            .with(Key::Upstream, name.to_owned())
            .with(Key::Setting, format!("upstreams.{name}.{key}"))
    }
}

impl Lane {
    /// A place for a request on this route.
    ///
    /// # Errors
    /// `proxy_overloaded` when there is none.
    pub fn request(&self) -> Result<Place, Failure> {
        take(&self.open, self.most, || {
            Failure::denied(&PROXY_OVERLOADED)
                .with(Key::Setting, self.setting.clone())
                .with(Key::RetryMs, 1_000_u64)
        })
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
        kept(&self.upstreams, name)
    }

    /// The lane of the route of this name, on which `most` requests may be under way as the setting
    /// at this place says.
    pub fn lane(&self, name: &str, most: u32, setting: String) -> Lane {
        Lane { open: kept(&self.lanes, name), most, setting }
    }
}

fn kept<T: Default>(all: &Kept<T>, name: &str) -> Arc<T> {
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|_, counts| counts.strong_count() > 0);
    if let Some(counts) = all.get(name).and_then(Weak::upgrade) {
        return counts;
    }
    let counts = Arc::new(T::default());
    all.insert(name.to_owned(), Arc::downgrade(&counts));
    counts
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
        assert_eq!(
            registry.upstreams.lock().expect("nobody panicked").len(),
            1,
            "the dead are forgotten"
        );
    }

    #[test]
    fn a_route_counts_what_is_under_way_through_a_change_of_its_limit() {
        let registry = Registry::default();
        let lane = |most| registry.lane("web", most, "routes[0].concurrency".to_owned());
        let (before, after) = (lane(2), lane(1));
        let place = before.request().expect("room for two");
        drop(before);
        let full = after.request().expect_err("one is under way");
        assert_eq!(
            (full.evidence.number(Key::Open), full.evidence.number(Key::MaxCount)),
            (Some(1), Some(1))
        );
        assert_eq!(full.evidence.text(Key::Setting), Some("routes[0].concurrency"));
        registry.lane("api", 1, String::new()).request().expect("another route");
        drop(place);
        after.request().expect("it has ended");
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
