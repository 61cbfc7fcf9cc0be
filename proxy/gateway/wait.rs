//! Waiting on behalf of a client, for as long as it is there.

use std::future::pending;
use std::time::{Duration, Instant};

use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use tokio::time::sleep;
use whodunit_pingora::{Noted, deny};

use super::trip::Trip;
use crate::upstream::places::{Asked, Kind, Place, Ticket};
use crate::upstream::pool::Pool;

/// How often a client is looked for that cannot be listened to.
const LOOK: Duration = Duration::from_millis(100);

/// A place at the upstream; waits for it where the configuration says so.
///
/// # Errors
/// `upstream_limit_reached` when there is none in time; that the client left.
pub(super) async fn place(
    session: &mut Session,
    trip: &mut Trip,
    pool: &Pool,
    kind: Kind,
) -> Result<Place> {
    let (name, room) = (&pool.upstream.name, pool.upstream.room);
    let came = match pool.places().ask(kind, name, room, trip.queued) {
        Asked::Place(place) => Ok(place),
        Asked::Full(failure) => Err(deny(failure)),
        Asked::Wait(ticket, queue) => {
            let began = Instant::now();
            let left = queue.timeout.saturating_sub(trip.queued);
            let came = in_line(session, ticket, left).await;
            trip.queued += began.elapsed();
            came.and_then(|place| {
                let late = || pool.places().too_late(kind, name, queue, trip.queued);
                place.ok_or_else(|| deny(late()))
            })
        }
    };
    if room.queue.is_some() {
        session.note().queue = Some(trip.queued);
    }
    came
}

/// Waits in the line; for nothing, if the time runs out.
async fn in_line(
    session: &mut Session,
    mut ticket: Ticket,
    left: Duration,
) -> Result<Option<Place>> {
    tokio::select! {
        biased;
        place = ticket.place() => Ok(Some(place)),
        gone = gone(session) => Err(gone),
        () = sleep(left) => Ok(None),
    }
}

/// Lets this time pass.
///
/// # Errors
/// That the client left meanwhile.
pub(super) async fn rest(session: &mut Session, time: Duration) -> Result<()> {
    tokio::select! {
        () = sleep(time) => Ok(()),
        gone = gone(session) => Err(gone),
    }
}

/// Ends when the client is gone, with the error that says so.
async fn gone(session: &mut Session) -> Box<Error> {
    let client = session.as_downstream_mut();
    // Streams of HTTP/2 tell of a reset beside their body.
    if client.is_custom() || client.is_http2() || client.is_body_done() {
        return match client.read_body_or_idle(true).await {
            Err(error) => error.into_down(),
            Ok(_) => pending().await,
        };
    }
    // What it sends of its body is not for us to read: its end cannot be seen behind that.
    loop {
        sleep(LOOK).await;
        let socket = session.as_downstream().digest().and_then(|d| d.socket_digest.as_ref());
        let state = socket.and_then(|s| s.tcp_info()).map(|info| info.tcpi_state);
        if matches!(state, Some(TCP_CLOSE | TCP_CLOSE_WAIT)) {
            return Error::explain(ErrorType::ConnectionClosed, "").into_down();
        }
    }
}

/// States of a connection in `tcpi_state` (`include/net/tcp_states.h`): the other end has closed it;
/// it is closed altogether.
const TCP_CLOSE: u8 = 7;
const TCP_CLOSE_WAIT: u8 = 8;
