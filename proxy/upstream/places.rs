//! How many requests and connections are under way to an upstream, and how many may be. What finds
//! no place may wait for one: first come, first served.
//!
//! The counts outlive a change of the configuration: a request that began before it holds its place
//! until it ends, and one that waits goes on waiting.

mod line;
mod ticket;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use whodunit_filters::attribution::cause::proxy::UPSTREAM_LIMIT_REACHED;
use whodunit_filters::attribution::{Failure, Key};

use line::{Joined, Line};

pub use line::Place;
pub use ticket::Ticket;

/// What is under way to one upstream.
#[derive(Debug, Default)]
pub struct Places {
    requests: Arc<Line>,
    connections: Arc<Line>,
    /// Requests that there have ever been.
    asked: AtomicU64,
}

/// What a place is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A request.
    Request,
    /// A connection that carries one.
    Connection,
}

/// How much may be under way to one upstream at a time; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Connections that carry a request (`max_connections`).
    pub connections: Option<u32>,
    /// Requests, those that wait for a connection included (`max_requests`).
    pub requests: Option<u32>,
    /// Whether what finds no place may wait.
    pub queue: Option<Queue>,
}

/// How many may wait, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// How many at a time.
    pub length: u32,
    /// How long each, in all.
    pub timeout: Duration,
}

/// What comes of asking for a place.
#[derive(Debug)]
pub enum Asked {
    /// It is there.
    Place(Place),
    /// It has to be waited for, in this queue.
    Wait(Ticket, Queue),
    /// There is none, and nothing to wait for.
    Full(Failure),
}

impl Places {
    /// So much may be under way from now on.
    pub fn allow(&self, room: Room) {
        self.requests.allow(room.requests);
        self.connections.allow(room.connections);
    }

    /// A place for a request to the upstream of this name, or for its connection; `waited` is how
    /// long the request has waited already.
    #[must_use]
    pub fn ask(&self, kind: Kind, name: &str, room: Room, waited: Duration) -> Asked {
        if kind == Kind::Request {
            self.asked.fetch_add(1, Ordering::Relaxed);
        }
        let line = self.line(kind);
        if let Some(place) = line.take() {
            return Asked::Place(place);
        }
        let Some(queue) = room.queue else { return Asked::Full(self.full(kind, name)) };
        let elsewhere = self.queued().saturating_sub(line.waiting());
        let length = queue.length.saturating_sub(elsewhere);
        if waited < queue.timeout {
            match line.join(length) {
                Joined::Place(place) => return Asked::Place(place),
                Joined::Line(number, place) => {
                    return Asked::Wait(Ticket::new(line, number, place), queue);
                }
                Joined::Full => {}
            }
        }
        Asked::Full(self.too_late(kind, name, queue, waited))
    }

    /// Requests under way.
    #[must_use]
    pub fn requests(&self) -> u32 {
        self.requests.open()
    }

    /// Connections that carry one and only one.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections.open()
    }

    /// Requests that wait.
    #[must_use]
    pub fn queued(&self) -> u32 {
        self.requests.waiting() + self.connections.waiting()
    }

    /// Requests that there have ever been.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// What is to be said of a request that finds no place.
    fn full(&self, kind: Kind, name: &str) -> Failure {
        let key = match kind {
            Kind::Request => "max_requests",
            Kind::Connection => "max_connections",
        };
        let line = self.line(kind);
        Failure::denied(&UPSTREAM_LIMIT_REACHED)
            .with(Key::Upstream, name.to_owned())
            .with(Key::Open, u64::from(line.open()))
            .with(Key::MaxCount, u64::from(line.most()))
            .with(Key::Setting, format!("upstreams.{name}.{key}"))
    }

    /// The same of one that has waited for so long, or that too many wait before.
    #[must_use]
    pub fn too_late(&self, kind: Kind, name: &str, queue: Queue, waited: Duration) -> Failure {
        let failure = self
            .full(kind, name)
            .with(Key::Queued, u64::from(self.queued()))
            .with(Key::WaitedMs, waited);
        if waited >= queue.timeout {
            failure.with(Key::LimitMs, queue.timeout)
        } else {
            failure.with(Key::MaxQueued, u64::from(queue.length))
        }
    }

    const fn line(&self, kind: Kind) -> &Arc<Line> {
        match kind {
            Kind::Request => &self.requests,
            Kind::Connection => &self.connections,
        }
    }
}

#[cfg(test)]
mod tests;
