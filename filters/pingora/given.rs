//! What the service gives for answers that are made here: a whole answer, or changes to one.

use http::StatusCode;
use pingora::proxy::Session;
use whodunit_filters::attribution::disclosure::On;
use whodunit_filters::attribution::{Diagnosis, Phase, header};

use crate::answer::{Answer, Change};
use crate::context::Case;
use crate::note::Noted;
use crate::outcome::{look, may_follow};
use crate::reply::Reply;
use crate::{guard, note, own};

/// Gives the service's answer in the origin's place.
pub(crate) async fn give(session: &mut Session, case: &mut Case, answer: Answer) {
    let code = answer.status.as_u16();
    let head = session.req_header().method == http::Method::HEAD;
    if code >= 400 {
        case.fail(answer.failure.clone().unwrap_or_else(own::failure));
        look(session, case);
        case.verdict = Diagnosis::of(&case.exchange).map(Box::new);
    }
    case.exchange.answered = Some(code);
    case.exchange.generated = true;
    note::net(session).settle();
    let node = &case.settings.node;
    let ours = match &case.verdict {
        Some(verdict) => Some(header::member(node, &case.exchange, verdict, code, case.disclosure)),
        None if case.settings.diagnosis.on == On::All => Some(header::own(node, &case.exchange)),
        None => None,
    };
    let answer = dressed(session, Reply::of(answer, ours.as_deref(), head));
    let close = !may_follow(session, case);
    if answer.write(session, close).await.is_err() {
        // The client left while it was told; the record tells the rest.
        session.set_keepalive(None);
    }
}

/// An answer with the changes that the service has for it.
pub(crate) fn dressed(session: &mut Session, answer: Reply) -> Reply {
    match changes(session, answer.status()) {
        Some(changes) => answer.dress(changes),
        None => answer,
    }
}

/// The changes that the service has for an answer with this status.
pub(crate) fn changes(session: &mut Session, status: u16) -> Option<Vec<Change>> {
    let dress = session.note().dress.clone()?;
    let status = StatusCode::from_u16(status).ok()?;
    // A service that panics here has still to be answered for.
    let changes = guard::call(Phase::Respond, || dress.changes(session, status));
    changes.map_err(|bug| guard::report(&bug)).ok()
}
