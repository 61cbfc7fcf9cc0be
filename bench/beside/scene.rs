//! What is measured.

use crate::load::{Load, Outcome};

/// The port of a proxy that a scene goes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    H2c,
    Tls,
    /// Of a second process, which has 1,000 routes.
    Routes,
}

/// One scene.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) door: Door,
    pub(crate) path: &'static str,
    pub(crate) load: Load,
    /// What every answer has to be.
    fails: bool,
}

impl Scene {
    pub(crate) const fn all() -> &'static [Self] {
        ALL
    }

    /// Whether the answers are what they have to be: a proxy that fails may well be fast.
    pub(crate) fn judge(&self, outcome: &Outcome) -> Result<(), String> {
        let wrong = if self.fails {
            outcome.requests.saturating_sub(outcome.refused)
        } else {
            outcome.refused
        };
        // Where connections are many, a few may be under way at the end.
        if wrong > 0 || outcome.broken > outcome.requests / 1_000 + 5 {
            return Err(format!("not what was asked for: {outcome:?}"));
        }
        Ok(())
    }
}

const SMALL: Scene = Scene {
    name: "small",
    title: "small GET, 64 kept connections",
    door: Door::Plain,
    path: "/",
    load: Load::Kept(64),
    fails: false,
};

const ALL: &[Scene] = &[
    SMALL,
    Scene {
        name: "many",
        title: "small GET, 1,000 kept connections",
        load: Load::Kept(1_000),
        ..SMALL
    },
    Scene { name: "passed", title: "5xx passed on", path: "/503", fails: true, ..SMALL },
    Scene {
        name: "dead",
        title: "502 for a refused connection",
        path: "/dead",
        fails: true,
        ..SMALL
    },
    Scene { name: "large", title: "body of 1 MiB", path: "/large", load: Load::Kept(16), ..SMALL },
    Scene {
        name: "fresh",
        title: "a new connection for each request",
        load: Load::Fresh(64),
        ..SMALL
    },
    Scene { name: "routes", title: "small GET, 1,000 routes", door: Door::Routes, ..SMALL },
    Scene {
        name: "http2",
        title: "small GET over HTTP/2, 16 connections of 8 requests",
        door: Door::H2c,
        load: Load::Http2(16, 8),
        ..SMALL
    },
    Scene {
        name: "tls",
        title: "small GET over TLS, 64 kept connections",
        door: Door::Tls,
        ..SMALL
    },
    Scene {
        name: "handshake",
        title: "a new TLS connection for each request",
        door: Door::Tls,
        load: Load::Fresh(64),
        ..SMALL
    },
];
