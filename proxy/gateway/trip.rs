//! What the gateway keeps of one request.

use std::sync::Arc;
use std::time::Duration;

use whodunit_filters::attribution::{Failure, Key, NextHop};
use whodunit_pingora::Note;
use whodunit_pingora::connect::Latch;

use crate::compress::Encoder;
use crate::plan::Destination;
use crate::routes::lane::Stay;
use crate::treatment::Treatment;
use crate::upstream::balance;
use crate::upstream::places::Place;
use crate::upstream::pool::Picked;
use crate::upstream::rotation::word;

/// What the gateway keeps of one request.
#[derive(Default)]
pub struct Trip {
    pub(super) destination: Option<Arc<Destination>>,
    /// Why the request goes no further than to its route.
    pub(super) closed: Option<Box<Failure>>,
    pub(super) tried: Vec<NextHop>,
    pub(super) endpoints: Vec<usize>,
    /// What the attempt under way goes to.
    pub(super) picked: Option<Picked>,
    /// What stands for its client, where the upstream tells requests apart.
    pub(super) key: Option<balance::Key>,
    /// The attempt is made only at an address that was not tried yet.
    pub(super) elsewhere: bool,
    /// The origin's answer was not taken: another attempt follows.
    pub(super) declined: bool,
    pub(super) latch: Option<Latch>,
    /// How long it has waited for places.
    pub(super) queued: Duration,
    /// What compresses the answer, if it is.
    pub(super) encoder: Option<Box<Encoder>>,
    /// On a route with a limit; like the places below, held until the request ends, however that
    /// comes about.
    pub(super) stay: Option<Stay>,
    pub(super) place: Option<Place>,
    pub(super) line: Option<Place>,
}

impl Trip {
    /// Whether the request may be tried once more: attempts are left, and there is an endpoint
    /// that was not tried, or the connection had merely grown stale.
    pub(super) fn may_go_on(&self, stale: bool) -> bool {
        self.destination.as_ref().is_some_and(|destination| {
            let upstream = &destination.pool.upstream;
            let others = upstream.endpoints.iter().enumerate();
            let another = || {
                others.clone().any(|(i, (_, weight))| {
                    *weight > 0 && !self.endpoints.contains(&i) && destination.pool.in_rotation(i)
                }) || self.picked.as_ref().is_some_and(|picked| picked.more)
            };
            self.attempts_left() && (stale || another())
        })
    }

    /// What the route does beside passing the request on.
    pub(super) fn treatment(&self) -> Option<(&Destination, &Treatment)> {
        let destination = self.destination.as_deref()?;
        Some((destination, destination.treatment.as_deref()?))
    }

    pub(super) fn attempts_left(&self) -> bool {
        self.destination
            .as_ref()
            .is_some_and(|destination| self.endpoints.len() < destination.pool.upstream.attempts)
    }

    /// What is known here of an attempt that failed.
    pub(super) fn tell(&self, note: &mut Note) {
        let (Some(destination), Some(picked)) = (&self.destination, &self.picked) else { return };
        let upstream = &destination.pool.upstream;
        let out = destination.pool.out_of_rotation();
        if !out.is_empty() {
            note.evidence.set(Key::OutOfRotation, out);
        }
        if let Some(stale) = &picked.stale {
            for key in [Key::Name, Key::Rcode, Key::InfoCode, Key::Resolver] {
                if let Some(value) = stale.evidence.find(key) {
                    note.evidence.set(key, value.clone());
                }
            }
            note.evidence.set(Key::AnswerOverdue, true);
        }
        if !picked.passed_over.is_empty() {
            let passed = picked.passed_over.iter().map(|(index, failure)| {
                format!("{} ({})", upstream.endpoints[*index].0, word(failure))
            });
            note.evidence.set(Key::Endpoints, passed.collect::<Vec<_>>());
        }
    }

    /// Whether another attempt is within the upstream's budget; if not, that is told.
    pub(super) fn within_budget(&self, note: &mut Note) -> bool {
        let Some(destination) = &self.destination else { return false };
        let within = destination.pool.may_retry();
        if !within {
            let setting = format!("upstreams.{}.retries.budget", destination.pool.upstream.name);
            note.evidence.set(Key::RetryWithheld, setting);
        }
        within
    }
}
