//! The door through which a service tells what only it knows: the route it took, the upstream it
//! chose, how long a look-up took. Nobody has to use it; what is not told is missing in the record.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::http::ResponseHeader;
use pingora::modules::http::{HttpModule, HttpModuleBuilder, HttpModuleCtx, Module};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use tokio::sync::oneshot;
use whodunit_filters::attribution::{Cause, Evidence, Failure, NextHop, RequestId, header};
use whodunit_filters::limits::LimitsInForce;
use whodunit_filters::rules::Rules;
use whodunit_filters::timeouts::TimeoutsInForce;

use crate::answer::{Answer, Dress};
use crate::arrival::ClientFacts;
use crate::audience::Audience;
use crate::connect::Wire;
use crate::own::{Net, Own};
use crate::settings::Settings;
use crate::{reply, view};

/// What a service tells about the request under way, and is told at its end.
#[derive(Default)]
pub struct Note {
    /// The route taken, by name. Part of what makes a loop, and a label of the request counter.
    pub route: Option<Arc<str>>,
    /// The upstream chosen, by name. A label of the error counter.
    pub upstream: Option<Arc<str>>,
    /// How many endpoints it has, so that a verdict can tell how many of them fail.
    pub endpoints: Option<usize>,
    /// Whether that upstream is a proxy whose word about failures is believed.
    pub trusted_hop: bool,
    /// Limits for this request in place of the settings'.
    pub limits: Option<Arc<LimitsInForce>>,
    /// Time limits for this request in place of the settings'.
    pub timeouts: Option<Arc<TimeoutsInForce>>,
    /// How long the request waited for a place at the upstream.
    pub queue: Option<Duration>,
    /// Who is told how each attempt of this request ends.
    pub audience: Option<Arc<dyn Audience>>,
    /// Rules for this request in place of the settings'.
    pub rules: Option<Arc<Rules>>,
    /// How long the look-up of the origin's name took.
    pub dns: Option<Duration>,
    /// The age of the answer that was used, if it was not fresh any more.
    pub answer_age: Option<Duration>,
    /// Told to the service: whether the attempt's connection carries other requests as well
    /// (HTTP/2). Right from `connected_to_upstream` on.
    pub shared: bool,
    /// Facts about the attempt that has just failed, to stand beside its failure. Looked at after
    /// `fail_to_connect` and `error_while_proxy`; about a 5xx of the origin's, after
    /// `upstream_response_filter`.
    pub evidence: Evidence,
    /// Takes back what the service said in the header section about a body that does not follow it,
    /// which no hook of its is told. Called as that goes out.
    pub bodiless: Option<fn(&mut ResponseHeader)>,
    /// What the service has begun to find out about that attempt. Looked at likewise.
    pub inquiry: Option<Inquiry>,
    /// An answer in the origin's place. Looked at after `request_filter`, once nothing refuses the
    /// request.
    pub answer: Option<Answer>,
    /// Changes to whatever answer is made here. Looked at from `request_filter` on.
    pub dress: Option<Arc<dyn Dress>>,
    /// The other way round: why the request failed, if it did, for the service's `logging`.
    pub verdict: Option<Cause>,
}

/// A question that a failed attempt raises. The verdict waits for the answer, until half a second
/// after the failure at most.
#[derive(Debug)]
pub struct Inquiry {
    /// The answer; a sender that is dropped has none.
    pub findings: oneshot::Receiver<Evidence>,
    /// Whether another attempt is of use only once the answer is known, and so waits for it too.
    pub first: bool,
}

/// What is known of a request from its beginning.
pub struct Known {
    /// Its id.
    pub id: RequestId,
    /// The client, seen through the proxies that are trusted; `None` for a Unix socket.
    pub client: Option<IpAddr>,
    settings: Arc<Settings>,
}

impl Known {
    /// The node's name.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.settings.node
    }

    /// The listener that the request came in at, by its name.
    #[must_use]
    pub fn listener(&self, session: &Session) -> Option<Arc<str>> {
        view::entered(session).map(|at| at.name(&self.settings.listeners))
    }
}

/// Gives a Pingora session its [`Note`].
pub trait Noted {
    /// The note of the request under way.
    ///
    /// # Panics
    /// When the service is not wrapped in [`crate::Attributed`].
    fn note(&mut self) -> &mut Note;

    /// What is known of the request under way; `None` before `early_request_filter`.
    ///
    /// # Panics
    /// As [`Noted::note`].
    fn known(&self) -> Option<&Known>;
}

impl Noted for Session {
    fn note(&mut self) -> &mut Note {
        &mut module_mut(&mut self.downstream_modules_ctx).note
    }

    fn known(&self) -> Option<&Known> {
        module(&self.downstream_modules_ctx).known.as_ref()
    }
}

/// An error that names its cause. Return it from any hook, and the client is answered, the record
/// written and the counter moved accordingly.
#[must_use]
pub fn deny(failure: Failure) -> Box<Error> {
    Error::because(ErrorType::Custom("Denied"), "", Denial { failure, next_hop: None, wire: None })
}

/// A failure after a connection to the origin was made, before it could be used.
pub(crate) fn fail_on(wire: Arc<Wire>, failure: Failure) -> Box<Error> {
    let denial = Denial { failure, next_hop: None, wire: Some(wire) };
    Error::because(ErrorType::Custom("Denied"), "", denial)
}

/// The same for a cause that needs no evidence.
#[must_use]
pub fn deny_for(cause: Cause) -> Box<Error> {
    deny(Failure::denied(cause))
}

/// A failure found by the service itself while it tried a certain endpoint.
#[must_use]
pub fn fail_at(next_hop: NextHop, failure: Failure) -> Box<Error> {
    Error::because(
        ErrorType::Custom("Denied"),
        "",
        Denial { failure, next_hop: Some(next_hop), wire: None },
    )
}

/// The cause inside an error made by [`deny`] or [`fail_at`].
#[derive(Debug)]
pub(crate) struct Denial {
    pub(crate) failure: Failure,
    pub(crate) next_hop: Option<NextHop>,
    pub(crate) wire: Option<Arc<Wire>>,
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.failure.fault)
    }
}

impl std::error::Error for Denial {}

/// Carries the note with the session, and sees the answers that the service writes through it.
#[derive(Default)]
struct NoteModule {
    note: Note,
    known: Option<Known>,
    /// Where there is an ingress, its net is the one that counts.
    client: Option<Arc<ClientFacts>>,
    net: Net,
}

impl NoteModule {
    fn net(&self) -> &Net {
        self.client.as_ref().map_or(&self.net, |client| &client.net)
    }
}

/// The net below the request under way.
pub(crate) fn net(session: &Session) -> &Net {
    module(&session.downstream_modules_ctx).net()
}

/// Spreads it.
pub(crate) fn spread(
    session: &mut Session,
    client: Option<Arc<ClientFacts>>,
    real_client: Option<IpAddr>,
    own: Own,
) {
    let module = module_mut(&mut session.downstream_modules_ctx);
    module.client = client;
    module.known = Some(Known { id: own.id, client: real_client, settings: own.settings.clone() });
    module.net().spread(own);
}

fn module(modules: &HttpModuleCtx) -> &NoteModule {
    modules.get().expect(INSTALLED)
}

fn module_mut(modules: &mut HttpModuleCtx) -> &mut NoteModule {
    modules.get_mut().expect(INSTALLED)
}

const INSTALLED: &str = "`Attributed` installs the note";

#[async_trait]
impl HttpModule for NoteModule {
    async fn response_header_filter(
        &mut self,
        response: &mut ResponseHeader,
        end: bool,
    ) -> Result<()> {
        if let (true, Some(take_back)) = (end, self.note.bodiless.take()) {
            take_back(response);
        }
        if let Some(ours) = self.net().tell(response.status.as_u16()) {
            let theirs = view::joined(&response.headers, &reply::PROXY_STATUS);
            reply::attach(response, &header::append(theirs.as_deref(), &ours));
        }
        Ok(())
    }

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
    /// After all others, so that the status seen is the one that is sent.
    fn order(&self) -> i16 {
        -i16::MAX
    }

    fn init(&self) -> Module {
        Box::<NoteModule>::default()
    }
}
