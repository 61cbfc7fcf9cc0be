//! What a route does to its requests and answers beside passing them on.

mod answer;
mod edits;
mod maintenance;
mod rewrite;
mod text;

use std::sync::Arc;

use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, Result};
use whodunit_conf::Way;
use whodunit_conf::schema::address::Target;
use whodunit_filters::attribution::Failure;
use whodunit_pingora::{Dress, Noted, deny};

use self::answer::Fixed;
use self::edits::Edits;
use self::maintenance::Closed;
use self::rewrite::Rewriting;

/// All of it, ready to be done.
#[derive(Debug)]
pub struct Treatment {
    closed: Option<Closed>,
    answer: Option<Fixed>,
    rewriting: Option<Rewriting>,
    request: Edits,
    response: Option<Arc<Edits>>,
}

impl Treatment {
    /// What a route does; `None` where it passes everything on as it is.
    #[must_use]
    pub fn of(way: &Way) -> Option<Box<Self>> {
        let route = &way.route;
        let treatment = Self {
            closed: Closed::of(way),
            answer: Fixed::of(way),
            rewriting: Rewriting::of(way),
            request: Edits::of_request(way),
            response: Some(Edits::of_response(way)).filter(|e| !e.is_empty()).map(Arc::new),
        };
        let nothing = route.redirect.is_none()
            && route.respond.is_none()
            && treatment.closed.is_none()
            && treatment.rewriting.is_none()
            && treatment.request.is_empty()
            && treatment.response.is_none();
        (!nothing).then(|| Box::new(treatment))
    }

    /// A request comes in. Why it ends here, if nothing refuses its client before: `maintenance`,
    /// where the route is out of service; `client_request_ambiguous`, where it cannot be said what a
    /// rewrite would make of the path.
    pub fn begin(&self, session: &mut Session) -> Option<Box<Failure>> {
        if let Some(response) = &self.response {
            let dress: Arc<dyn Dress> = response.clone();
            session.note().dress = Some(dress);
        }
        let closed = self.closed.as_ref().and_then(|closed| closed.refuse(session));
        let refused = closed.or_else(|| self.rewriting.as_ref()?.check(session.req_header()).err());
        if let (Some(answer), None) = (&self.answer, &refused) {
            session.note().answer = Some(answer.fill(session));
        }
        refused.map(Box::new)
    }

    /// Its header section is about to go to this endpoint.
    ///
    /// # Errors
    /// `proxy_config_invalid`, when the path comes out longer than a path may be.
    pub fn forward(
        &self,
        session: &Session,
        request: &mut RequestHeader,
        endpoint: Option<(&Target, bool)>,
    ) -> Result<(), Box<Error>> {
        if let Some(rewriting) = &self.rewriting {
            rewriting.apply(request, endpoint).map_err(|failure| deny(*failure))?;
        }
        for change in self.request.changes(session, None) {
            change.request(request);
        }
        Ok(())
    }

    /// The origin's answer is about to be passed on.
    pub fn answer(&self, session: &Session, response: &mut ResponseHeader) {
        let Some(edits) = &self.response else { return };
        if response.status.is_informational() {
            return;
        }
        for change in edits.changes(session, Some(response.status)) {
            change.response(response);
        }
    }
}
