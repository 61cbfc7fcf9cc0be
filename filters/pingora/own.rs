//! The safety net: a 5xx that the service writes by itself, without an error, is told of as well.
//!
//! Such an answer passes none of [`Attributed`](crate::Attributed)'s hooks. Written through
//! Pingora's `Session` it passes the downstream modules, ours among them; what is written below
//! them (`respond_error`) only the gate sees, on HTTP/1. The one that sees it first adds our member.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use whodunit_filters::attribution::cause::proxy::DENIED_BY_POLICY;
use whodunit_filters::attribution::disclosure::Disclosure;
use whodunit_filters::attribution::{Diagnosis, Exchange, Failure, Key, RequestId, header};

use crate::settings::Settings;

/// What is seen of an answer of the service's own.
pub(crate) fn failure() -> Failure {
    Failure::denied(&DENIED_BY_POLICY).with(Key::Rule, "the service's own answer")
}

/// What our member is made of before there is a verdict.
pub(crate) struct Own {
    pub(crate) settings: Arc<Settings>,
    pub(crate) id: RequestId,
    pub(crate) disclosure: Disclosure,
}

/// Holds [`Own`] from the request's beginning until somebody has told who failed.
#[derive(Default)]
pub(crate) struct Net {
    own: Mutex<Option<Own>>,
    told: AtomicBool,
}

impl Net {
    /// The request begins: a 5xx from here on is told of.
    pub(crate) fn spread(&self, own: Own) {
        *self.locked() = Some(own);
    }

    /// An answer goes out that needs no net.
    pub(crate) fn settle(&self) {
        *self.locked() = None;
    }

    /// Our member for an answer with this status, if it is the service's own and a 5xx.
    pub(crate) fn tell(&self, status: u16) -> Option<String> {
        if !(500..=599).contains(&status) {
            return None;
        }
        let Own { settings, id, disclosure } = self.locked().take()?;
        self.told.store(true, Ordering::Release);
        let mut exchange = Exchange::begin(id);
        exchange.fail(failure());
        let verdict = Diagnosis::of(&exchange)?;
        Some(header::member(&settings.node, &exchange, &verdict, status, disclosure))
    }

    /// Whether an answer of the service's own was told of.
    pub(crate) fn told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    fn locked(&self) -> MutexGuard<'_, Option<Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").field("told", &self.told()).finish_non_exhaustive()
    }
}
