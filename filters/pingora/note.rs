//! The door through which a service tells what only it knows: the route it took, the upstream it
//! chose, how long a look-up took. Nobody has to use it; what is not told is missing in the record.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use whodunit_filters::attribution::{Cause, Failure, NextHop};
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::timeouts::TimeoutsInForce;

/// What a service tells about the request under way.
#[derive(Default)]
pub struct Note {
    /// The route taken, by name. Part of what makes a loop, and a label of the request counter.
    pub route: Option<Arc<str>>,
    /// The upstream chosen, by name. A label of the error counter.
    pub upstream: Option<Arc<str>>,
    /// Whether that upstream is a proxy whose word about failures is believed.
    pub trusted_hop: bool,
    /// Limits for this request in place of the settings'.
    pub limits: Option<Arc<LimitsInForce>>,
    /// Time limits for this request in place of the settings'.
    pub timeouts: Option<Arc<TimeoutsInForce>>,
    /// How long the look-up of the origin's name took.
    pub dns: Option<Duration>,
    /// The age of the answer that was used, if it was not fresh any more.
    pub answer_age: Option<Duration>,
}

/// Gives a Pingora session its [`Note`].
pub trait Noted {
    /// The note of the request under way.
    ///
    /// # Panics
    /// When the service is not wrapped in [`crate::Attributed`].
    fn note(&mut self) -> &mut Note;
}

impl Noted for Session {
    fn note(&mut self) -> &mut Note {
        &mut self
            .downstream_modules_ctx
            .get_mut::<NoteModule>()
            .expect("`Attributed` installs the note")
            .0
    }
}

/// An error that names its cause. Return it from any hook, and the client is answered, the record
/// written and the counter moved accordingly.
#[must_use]
pub fn deny(failure: Failure) -> Box<Error> {
    Error::because(ErrorType::Custom("Denied"), "", Denial { failure, next_hop: None })
}

/// The same for a cause that needs no evidence.
#[must_use]
pub fn deny_for(cause: Cause) -> Box<Error> {
    deny(Failure::denied(cause))
}

/// A failure found by the service itself while it tried a certain endpoint.
#[must_use]
pub fn fail_at(next_hop: NextHop, failure: Failure) -> Box<Error> {
    Error::because(ErrorType::Custom("Denied"), "", Denial { failure, next_hop: Some(next_hop) })
}

/// The cause inside an error made by [`deny`] or [`fail_at`].
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) failure: Failure,
    pub(crate) next_hop: Option<NextHop>,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.failure.fault)
    }
}

impl std::error::Error for Denial {}

/// Carries the note with the session.
#[derive(Default)]
struct NoteModule(Note);

#[async_trait]
impl HttpModule for NoteModule {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Makes a note for every request.
pub(crate) struct NoteBuilder;

impl HttpModuleBuilder for NoteBuilder {
    fn init(&self) -> Module {
        Box::<NoteModule>::default()
    }
}
