//! What a service adds to an attempt: how long it let it wait, what it knows of its failure, and what
//! it has begun to find out.

use std::time::Duration;

use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use whodunit_filters::attribution::Evidence;

use crate::context::Case;
use crate::note::{Inquiry, Noted};

/// The longest that an answer is waited for, from the failure on: what the client may notice of it,
/// and a name server that is well needs far less.
const PATIENCE: Duration = Duration::from_millis(500);

/// An answer that is waited for.
pub(crate) struct Pending {
    /// The attempt that it is about, counted from 0.
    attempt: usize,
    due: Instant,
    first: bool,
    findings: oneshot::Receiver<Evidence>,
}

/// The service was told of a failure, and may have something to add.
pub(crate) fn noted(session: &mut Session, case: &mut Case) {
    let note = session.note();
    let evidence = std::mem::take(&mut note.evidence);
    let inquiry = note.inquiry.take();
    let Some(attempt) = case.exchange.attempts_made().checked_sub(1) else { return };
    add(case, attempt, &evidence);
    if let Some(Inquiry { findings, first }) = inquiry {
        let due = Instant::now() + PATIENCE;
        case.inquiries.push(Pending { attempt, due, first, findings });
    }
}

/// What the service did once there was a connection, which it may have waited to use.
pub(crate) fn admitted(session: &mut Session, case: &mut Case) {
    // Waiting here is for connections that might have been shared, and are not.
    if case.secured
        && !case.is_shared()
        && let Some(queue) = session.note().queue.take()
    {
        case.exchange.times.queue = Some(queue);
    }
}

/// The service saw the origin's answer, and may have something to add to one that tells of an error.
pub(crate) fn commented(session: &mut Session, response: &ResponseHeader, case: &mut Case) {
    if response.status.is_server_error() {
        case.exchange.beside.absorb(&std::mem::take(&mut session.note().evidence));
    }
}

/// Waits for the answers: for `all` of them, or for those that another attempt depends on.
pub(crate) async fn inquired(case: &mut Case, all: bool) {
    if case.inquiries.is_empty() {
        return;
    }
    let (now, later): (Vec<_>, Vec<_>) =
        std::mem::take(&mut case.inquiries).into_iter().partition(|pending| all || pending.first);
    case.inquiries = later;
    for Pending { attempt, due, findings, .. } in now {
        if let Ok(Ok(found)) = timeout_at(due, findings).await {
            add(case, attempt, &found);
        }
    }
}

fn add(case: &mut Case, attempt: usize, found: &Evidence) {
    let failure = case.exchange.attempt_mut(attempt).and_then(|attempt| attempt.failure.as_mut());
    if let Some(failure) = failure {
        failure.evidence.absorb(found);
    }
}
