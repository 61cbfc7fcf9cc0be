//! What the wire of an HTTP/2 connection knows of the requests on it, for whoever serves them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use crate::arrival::{ClientFacts, Left};
use crate::frames::{DATA, Frame, HEADERS, RST_STREAM};

/// The most streams that are followed. More than may be open at once: those that are refused are
/// followed until they are.
const FOLLOWED: usize = 512;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Room {
    state: Mutex<State>,
    /// Something of a request went out whose end is waited for.
    moved: Notify,
    /// The client sends more of what is for nothing than is borne.
    flooded: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    guests: Vec<Guest>,
    /// The highest stream that the client began.
    newest: u32,
    refused: Vec<Refused>,
    /// Since when something has been midway that nothing else can go before.
    midway: Option<Instant>,
}

#[derive(Debug)]
struct Guest {
    stream: u32,
    facts: Arc<ClientFacts>,
    /// It was handed on.
    accepted: bool,
    /// What went out of its answer: 1 for the header section, and the bytes of its body.
    out: u64,
    /// Somebody waits for more of it to go out.
    watched: bool,
}

impl Guest {
    fn new(stream: u32, accepted: bool) -> Self {
        let facts = Arc::new(ClientFacts::new(Instant::now()));
        Self { stream, facts, accepted, out: 0, watched: false }
    }
}

/// A request that the codec turned away by itself.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) facts: Arc<ClientFacts>,
    /// The code that it was reset with; `None` if it got an answer without a body.
    pub(super) reset: Option<u32>,
}

impl Room {
    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A header section of the client's begins: of a new request, or the trailers of an old one.
    pub(super) fn begins(&self, stream: u32) {
        let mut room = self.locked();
        if stream.is_multiple_of(2) || stream <= room.newest {
            return;
        }
        room.newest = stream;
        if room.guests.len() < FOLLOWED {
            room.guests.push(Guest::new(stream, false));
        }
    }

    /// What is known of a stream.
    pub(super) fn facts(&self, stream: u32) -> Option<Arc<ClientFacts>> {
        let room = self.locked();
        room.guests.iter().rev().find(|guest| guest.stream == stream).map(|g| g.facts.clone())
    }

    /// A request is handed on.
    pub(super) fn accept(&self, stream: u32) -> Arc<ClientFacts> {
        let mut room = self.locked();
        if let Some(guest) = room.guests.iter_mut().find(|guest| guest.stream == stream) {
            guest.accepted = true;
            return guest.facts.clone();
        }
        let guest = Guest::new(stream, true);
        let facts = guest.facts.clone();
        room.guests.push(guest);
        facts
    }

    /// It is done with.
    pub(super) fn leave(&self, stream: u32) {
        self.locked().guests.retain(|guest| guest.stream != stream);
    }

    /// The client's end of the connection is gone, and with it everybody.
    pub(super) fn lost(&self, left: Left) {
        for guest in &self.locked().guests {
            guest.facts.lost(left);
        }
        self.moved.notify_waiters();
    }

    /// A frame went out to the client; `code` is that of an `RST_STREAM`.
    pub(super) fn sent(&self, frame: Frame, code: u32) {
        if !matches!(frame.kind, DATA | HEADERS | RST_STREAM) {
            return;
        }
        let mut room = self.locked();
        let own = |guest: &Guest| guest.stream == frame.stream;
        let Some(place) = room.guests.iter().position(own) else { return };
        let guest = &mut room.guests[place];
        if guest.accepted {
            guest.out += if frame.kind == DATA { u64::from(frame.length) } else { 1 };
            if guest.watched {
                self.moved.notify_waiters();
            }
        } else {
            let facts = room.guests.swap_remove(place).facts;
            let reset = (frame.kind == RST_STREAM).then_some(code);
            room.refused.push(Refused { facts, reset });
        }
    }

    /// Waits until so much of an answer went out, or the client is gone.
    pub(super) async fn went(&self, stream: u32, out: u64) {
        loop {
            let moved = self.moved.notified();
            {
                let mut room = self.locked();
                let own = |guest: &&mut Guest| guest.stream == stream;
                let Some(guest) = room.guests.iter_mut().find(own) else { return };
                if guest.out >= out || guest.facts.left().is_some() {
                    return;
                }
                guest.watched = true;
            }
            moved.await;
        }
    }

    /// More comes than is borne.
    pub(super) fn flood(&self) {
        self.flooded.store(true, Ordering::Relaxed);
    }

    /// Whether that is so.
    pub(super) fn flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// Those that were turned away since this was asked last.
    pub(super) fn refused(&self) -> Vec<Refused> {
        std::mem::take(&mut self.locked().refused)
    }

    /// Whether something is midway that nothing else can go before.
    pub(super) fn turn(&self, midway: bool) {
        let since = &mut self.locked().midway;
        if midway {
            since.get_or_insert_with(Instant::now);
        } else {
            *since = None;
        }
    }

    /// Since when that is so.
    pub(super) fn midway(&self) -> Option<Instant> {
        self.locked().midway
    }

    /// A request whose header section never became complete.
    pub(super) fn unfinished(&self) -> Option<Arc<ClientFacts>> {
        let room = self.locked();
        let last = room.guests.iter().find(|guest| guest.stream == room.newest)?;
        (!last.accepted).then(|| last.facts.clone())
    }
}
