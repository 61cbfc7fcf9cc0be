//! Counters of what passes through.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::minutes::Minutes;
use crate::attribution::cause::{self, CATALOGUE, Cause};
use crate::attribution::exchange::Times;

/// The classes that statuses are counted by.
pub const STATUS_CLASSES: [&str; 6] = ["other", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// The phases that are timed, as in the log's `times_ms`.
pub const PHASES: [&str; 9] =
    ["request", "queue", "dns", "connect", "tls", "send", "wait", "receive", "total"];

/// Requests of one listener and route.
#[derive(Debug)]
pub struct Requests {
    listener: Box<str>,
    route: Box<str>,
    classes: [AtomicU64; STATUS_CLASSES.len()],
}

/// What happened at one upstream.
#[derive(Debug)]
pub struct Upstream {
    name: Box<str>,
    /// For each cause: passed on, generated.
    failures: Vec<[AtomicU64; 2]>,
    phases: [Histogram; PHASES.len()],
    minutes: Minutes,
}

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    /// For each bound how often it took at most so long, but longer than the bound before; last,
    /// how often it took longer than all of them.
    buckets: [AtomicU64; Histogram::BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Requests {
    pub(super) fn new(listener: &str, route: &str) -> Self {
        Self { listener: listener.into(), route: route.into(), classes: Default::default() }
    }

    /// The listener's name or address.
    #[must_use]
    pub fn listener(&self) -> &str {
        &self.listener
    }

    /// The route's name.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Counts one request that was answered with this status.
    pub fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        let slot = if class < STATUS_CLASSES.len() { class } else { 0 };
        self.classes[slot].fetch_add(1, Ordering::Relaxed);
    }

    /// The number of requests in one of [`STATUS_CLASSES`].
    #[must_use]
    pub fn counted(&self, class: &str) -> u64 {
        let slot = STATUS_CLASSES.iter().position(|known| *known == class);
        slot.map_or(0, |slot| self.classes[slot].load(Ordering::Relaxed))
    }
}

impl Upstream {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            failures: CATALOGUE.iter().map(|_| Default::default()).collect(),
            phases: Default::default(),
            minutes: Minutes::default(),
        }
    }

    /// How its requests ended in the last minutes, whichever endpoints they went to.
    #[must_use]
    pub const fn minutes(&self) -> &Minutes {
        &self.minutes
    }

    /// Its name in the configuration; empty for what concerns none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Counts a failed request.
    pub fn failed(&self, cause: Cause, generated: bool) {
        self.failures[cause::index(cause)][usize::from(generated)].fetch_add(1, Ordering::Relaxed);
    }

    /// How many requests failed so.
    #[must_use]
    pub fn failures(&self, cause: Cause, generated: bool) -> u64 {
        self.failures[cause::index(cause)][usize::from(generated)].load(Ordering::Relaxed)
    }

    /// Notes how long each phase of a request took.
    pub fn timed(&self, times: &Times) {
        let Times { request, queue, dns, connect, tls, send, wait, receive, total } = *times;
        let took = [request, queue, dns, connect, tls, send, wait, receive, total];
        for (histogram, took) in self.phases.iter().zip(took) {
            if let Some(took) = took {
                histogram.observe(took);
            }
        }
    }

    /// How long each of [`PHASES`] took.
    pub fn phases(&self) -> impl Iterator<Item = (&'static str, &Histogram)> {
        PHASES.into_iter().zip(&self.phases)
    }
}

impl Histogram {
    /// The upper bounds of the buckets, in microseconds.
    pub const BOUNDS_US: [u64; 17] = [
        500,
        1_000,
        2_500,
        5_000,
        10_000,
        25_000,
        50_000,
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        120_000_000,
    ];

    /// Counts one.
    pub fn observe(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = Self::BOUNDS_US.partition_point(|bound| *bound < micros);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many took at most as long as each bound; last, how many there were.
    #[must_use]
    pub fn cumulative(&self) -> [u64; Self::BOUNDS_US.len() + 1] {
        let mut so_far = 0;
        self.buckets.each_ref().map(|bucket| {
            so_far += bucket.load(Ordering::Relaxed);
            so_far
        })
    }

    /// How long they took together, in microseconds.
    #[must_use]
    pub fn sum_us(&self) -> u64 {
        self.sum_us.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_counted_by_class() {
        let requests = Requests::new("l", "r");
        for status in [0, 99, 100, 200, 204, 301, 404, 499, 502, 599, 600, 999] {
            requests.count(status);
        }
        let counted = STATUS_CLASSES.map(|class| requests.counted(class));
        assert_eq!(counted, [4, 1, 2, 1, 2, 2]);
        assert_eq!(requests.counted("no such class"), 0);
    }

    #[test]
    fn a_time_falls_into_the_bucket_that_it_fits() {
        let histogram = Histogram::default();
        for micros in [0, 500, 501, 1_000, 120_000_000, 120_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let cumulative = histogram.cumulative();
        assert_eq!(cumulative[..3], [2, 4, 4]);
        assert_eq!(cumulative[16..], [5, 6]);
        assert_eq!(histogram.sum_us(), 240_002_002);
    }

    #[test]
    fn a_phase_never_reached_is_not_counted() {
        let upstream = Upstream::new("web");
        let wait = Some(Duration::from_millis(3));
        upstream.timed(&Times { wait, ..Times::default() });
        for (phase, histogram) in upstream.phases() {
            assert_eq!(histogram.cumulative()[17], u64::from(phase == "wait"), "{phase}");
        }
    }
}
