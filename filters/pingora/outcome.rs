//! How a request ends: the verdict is drawn, told to the client, counted and recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::StatusCode;
use pingora::proxy::Session;
use pingora::{Error, ErrorType};
use whodunit_filters::attribution::cause::answer::RESPONSE_DEADLINE;
use whodunit_filters::attribution::record::Record;
use whodunit_filters::attribution::{Diagnosis, Failure, Fault, Key, Phase, RequestFacts, Side};

use crate::connections::Connections;
use crate::context::Case;
use crate::note::{Noted, deny};
use crate::observe::{self, Moment};
use crate::reply::{self, Asked, Reply};
use crate::settings::Which;
use crate::{given, note, own, steps, view};

/// Draws the verdict and answers the client if it still can be. Says whether another request may
/// follow on the client's connection.
pub(crate) async fn answer(session: &mut Session, case: &mut Case, error: &Error) -> bool {
    steps::inquired(case, true).await;
    conclude(session, case, Some(error));
    let Some(verdict) = case.verdict.take() else { return false };
    let status = case.chosen.or_else(|| case.settings.statuses.of(verdict.cause));
    let open = session.response_written().is_none_or(|written| {
        written.status.is_informational() && written.status != StatusCode::SWITCHING_PROTOCOLS
    });
    let mut reuse = false;
    if let (Some(status), true, false) = (status, open, client_gone(case)) {
        let request = session.req_header();
        let asked = Asked::of(&request.method, &request.headers);
        let answer = Reply::new(case, &verdict, status, asked);
        let answer = given::dressed(session, answer);
        case.exchange.answered = Some(answer.status());
        case.exchange.generated = true;
        note::net(session).settle();
        reuse = may_follow(session, case);
        if answer.write(session, !reuse).await.is_err() {
            // The client left while it was told; the record tells the rest.
            reuse = false;
        }
        if let Some(client) = case.client.as_ref().filter(|_| reuse && case.selecting) {
            client.keep();
        }
    } else if !open && !client_gone(case) {
        reply::trail(session, case, &verdict).await;
    }
    case.verdict = Some(verdict);
    reuse
}

/// Whether another request may follow an answer of our own on the client's connection. Once an
/// endpoint was chosen Pingora lets none follow; the ingress does, where it knows that the request is
/// over.
pub(crate) fn may_follow(session: &mut Session, case: &Case) -> bool {
    let whole = case.client.as_ref().is_some_and(|client| client.complete());
    let stopping = case.shutdown.as_ref().is_some_and(|shutdown| *shutdown.borrow());
    (!case.selecting || whole)
        && !stopping
        && session.as_downstream_mut().is_body_done()
        && session.as_downstream().get_keepalive().is_some()
}

/// What the service is told of a failure after which there is nobody to answer: that, whatever
/// Pingora's error says. To any other error its default hook would write a bare answer.
pub(crate) fn unheard(case: &Case, error: &Error) -> Option<Box<Error>> {
    client_gone(case).then(|| {
        let mut gone = Error::explain(ErrorType::ConnectionClosed, error.to_string());
        gone.as_down();
        gone
    })
}

fn client_gone(case: &Case) -> bool {
    case.exchange.failure().is_some_and(|failure| {
        failure.side == Side::Client && matches!(failure.fault, Fault::Closed | Fault::Reset)
    })
}

/// Answers a request that nobody answered and nobody took for failed: the service said that it had
/// answered, or Pingora was told to make no attempt at all.
pub(crate) async fn unanswered(session: &mut Session, case: &mut Case) {
    let given = case.exchange.answered.is_some();
    if case.selecting || given || session.response_written().is_some() {
        return;
    }
    let failure = Failure::new(Side::Inside, Phase::Route, Fault::Unforeseen)
        .with(Key::At, "no answer was written and no endpoint chosen; is `max_retries` 0?");
    answer(session, case, &deny(failure)).await;
}

/// How long a client's connection may wait for its next request, in seconds.
pub(crate) fn keepalive(case: &Case) -> u64 {
    case.timeouts.keepalive.value.0.as_secs().max(1)
}

/// The end: the request is counted, and recorded if it is one to record.
pub(crate) fn finished(
    session: &mut Session,
    case: &mut Case,
    connections: &Connections,
    error: Option<&Error>,
) {
    let now = Instant::now();
    match (&case.wire, case.fd) {
        (Some(wire), _) if !wire.http2.load(Ordering::Relaxed) => {
            wire.rest.over(case.use_of_wire, now);
        }
        (_, Some(fd)) => connections.release(fd, now),
        _ => {}
    }
    let exchange = &case.exchange;
    let broken = error.is_some() || exchange.early || exchange.attempt_failed();
    // Nobody asks the kernel about what went well.
    let unsent = if broken { case.unsent() } else { 0 };
    let exchange = &mut case.exchange;
    exchange.times.total = Some(now.saturating_duration_since(exchange.started));
    exchange.times.receive = case.answered_at.map(|at| now.saturating_duration_since(at));
    let (read, sent) = if let Some(client) = &case.client {
        (client.received(), client.sent())
    } else {
        let downstream = session.as_downstream();
        (downstream.body_bytes_read() as u64, downstream.body_bytes_sent() as u64)
    };
    exchange.bytes.client_in = read;
    exchange.bytes.client_out = sent;
    exchange.bytes.upstream_in = case.downloaded;
    exchange.bytes.upstream_out = written(session, case.uploaded).saturating_sub(unsent);
    let own = exchange.answered.is_none()
        && session.response_written().is_some_and(|written| {
            exchange.answered = Some(written.status.as_u16());
            written.status.is_server_error()
        });
    exchange.generated |= own;
    // What the client was told is what is recorded.
    let told = exchange.generated && case.verdict.is_some();
    if (error.is_some() || own) && !told {
        conclude(session, case, error);
    } else if case.exchange.attempt_failed() && case.verdict.is_none()
        || case.exchange.early && case.exchange.told_of_an_error().is_some()
    {
        // What its body says, how much of the request was written, and whether all of it, is known
        // only after the answer has gone out.
        look(session, case);
        case.verdict = Diagnosis::of(&case.exchange).map(Box::new);
    }
    if let Some(verdict) = &case.verdict {
        session.note().verdict = Some(verdict.cause);
    }
    case.went_well(now);
    case.tell_of_answer();
    case.lane = None;
    let recorded = case.verdict.is_some() || wanted(case.settings.which);
    if recorded && case.exchange.request.is_none() {
        look(session, case);
    }
    close(case, recorded);
}

/// Bytes of the request's body that went to the origin: as counted by Pingora where it counts,
/// else as handed to it.
fn written(session: &Session, handed_over: u64) -> u64 {
    session.upstream_body_bytes_sent().map_or(handed_over, |bytes| bytes as u64)
}

/// Draws the verdict anew from all that is known now.
fn conclude(session: &mut Session, case: &mut Case, error: Option<&Error>) {
    look(session, case);
    case.exchange.bytes.upstream_out =
        written(session, case.uploaded).saturating_sub(case.unsent());
    if note::net(session).told() || error.is_none() {
        // First in time: an error that comes after the service's own answer changes nothing.
        case.fail(own::failure());
    }
    if let Some(error) = error
        && case.exchange.failure().is_none()
        && !case.exchange.attempt_failed()
        && !steps::served(case, error)
    {
        let failure = match steps::of_service(error) {
            Some((failure, status)) => {
                case.chosen = Some(status);
                failure
            }
            None => observe::failure(error, Moment::of(&case.exchange, false, case.request_sent)),
        };
        if failure.side != Side::Client || !steps::refused_early(case) {
            case.fail(failure);
        }
    }
    case.ask_the_others();
    case.verdict = Diagnosis::of(&case.exchange).map(Box::new);
}

/// Notes what an answer would take if the request had to be given up.
pub(crate) fn foresee(session: &mut Session, case: &mut Case) {
    look(session, case);
    if case.asked.is_some() {
        return;
    }
    // Most probably it is the time limit that the request is given up for.
    let status = case.settings.statuses.of(&RESPONSE_DEADLINE);
    let changes = status.and_then(|status| Some((status, given::changes(session, status)?)));
    let request = session.req_header();
    let asked = Asked::of(&request.method, &request.headers);
    case.asked = Some(Box::new(asked.keep(changes)));
}

/// Notes what was asked for.
pub(crate) fn look(session: &Session, case: &mut Case) {
    if case.exchange.request.is_none() {
        case.exchange.request = Some(Box::new(view::facts(session, case)));
    }
}

/// Whether a request that went well is to be recorded.
fn wanted(which: Which) -> bool {
    match which {
        Which::Errors => false,
        Which::All => true,
        Which::Sample(share) => fraction() < share,
    }
}

/// A number from 0 to 1 that is as good as random: from the clock and a counter.
fn fraction() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let hash = RandomState::new().hash_one(std::time::Instant::now());
    f64::from(u32::try_from(hash >> 32).expect("32 bits")) / f64::from(u32::MAX)
}

/// Counts, and records if that is wanted.
pub(crate) fn close(case: &mut Case, recorded: bool) {
    case.closed = true;
    let exchange = &case.exchange;
    let verdict = case.verdict.as_deref();
    let status = match verdict {
        Some(verdict) => case.settings.statuses.logged(verdict.cause, exchange.answered),
        None => exchange.answered,
    };
    let status = status.unwrap_or(0);
    if let Some(listener) = &case.listener {
        case.count(listener, status);
    }
    let ledger = &case.books.ledger;
    if let Some(verdict) = verdict {
        ledger.count(exchange, verdict);
    }
    if !recorded {
        return;
    }
    let settings = &case.settings;
    let record = Record::of(exchange, verdict, &settings.node, status, &settings.redact);
    let record = Arc::new(record);
    if verdict.is_some() {
        ledger.keep(record.clone());
    }
    case.books.sink.write(&record);
}

/// A request that Pingora never saw ends at the ingress: the answer to it, if there can be one.
pub(crate) fn refused(
    mut case: Case,
    failure: Failure,
    facts: RequestFacts,
    client: Option<std::net::IpAddr>,
    asked: Asked<'_>,
    answerable: bool,
) -> Option<Reply> {
    case.exchange.request = Some(Box::new(facts));
    case.exchange.times.total = Some(case.exchange.started.elapsed());
    case.disclosure = case.settings.diagnosis.disclose(client, None);
    case.fail(failure);
    let verdict = Diagnosis::of(&case.exchange)?;
    let status = case.settings.statuses.of(verdict.cause).filter(|_| answerable);
    let answer = status.map(|status| Reply::new(&case, &verdict, status, asked));
    if let Some(answer) = &answer {
        case.exchange.answered = Some(answer.status());
        case.exchange.generated = true;
    }
    case.verdict = Some(Box::new(verdict));
    let length = answer.as_ref().map_or(0, |answer| answer.bytes().len());
    case.exchange.bytes.client_out = length as u64;
    close(&mut case, true);
    answer
}
