//! Where an attempt goes: a place at the upstream, an endpoint, and the connection to it.

use std::time::Instant;

use http::header::{CONNECTION, UPGRADE};
use pingora::Result;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use whodunit_filters::attribution::cause::proxy::{NO_ENDPOINTS, PROXY_BUG};
use whodunit_filters::attribution::{Failure, Key, Phase};
use whodunit_filters::proxied::Greeting;
use whodunit_pingora::{Noted, deny, ends};

use super::trip::Trip;
use super::{again, wait};
use crate::upstream::balance;
use crate::upstream::dial::{self, Source};
use crate::upstream::places::Kind;
use crate::upstream::pool::Ask;

/// The next endpoint to try.
///
/// # Errors
/// Why there is none, or none for this request; that the client left while it waited.
pub(super) async fn peer(session: &mut Session, trip: &mut Trip) -> Result<Box<HttpPeer>> {
    let Some(destination) = trip.destination.clone() else {
        return Err(deny(Failure::denied(&PROXY_BUG).with(Key::At, "no route was noted")));
    };
    if let (Some(lane), None) = (&destination.lane, &trip.stay) {
        trip.stay = Some(lane.enter().map_err(deny)?);
    }
    let pool = &destination.pool;
    if trip.place.is_none() {
        trip.place = Some(wait::place(session, trip, pool, Kind::Request).await?);
        trip.key = pool.by().and_then(|by| {
            let client = session.known().and_then(|known| known.client);
            balance::key(by, &session.req_header().headers, client)
        });
    }
    if let (Some(most), false) = (pool.upstream.backoff, trip.tried.is_empty()) {
        wait::rest(session, again::backoff(most, trip.tried.len())).await?;
    }
    let began = Instant::now();
    let ask = Ask { tried: &trip.tried, key: trip.key };
    let picked = pool.pick(ask).await.map_err(|failure| {
        if failure.phase == Phase::Dns {
            session.note().dns = Some(began.elapsed());
        }
        deny(failure)
    })?;
    // Where the connection may be one that carries others, that is known once there is one. An
    // attempt that follows takes over the place of the one that failed.
    if trip.line.is_none() && !pool.upstream.line.may_be_http2() {
        trip.line = Some(wait::place(session, trip, pool, Kind::Connection).await?);
    }
    if std::mem::take(&mut trip.elsewhere) && trip.tried.contains(&picked.next_hop) {
        // The attempt that failed has its verdict; this only ends the request.
        trip.picked = Some(picked);
        trip.tell(session.note());
        let name = destination.pool.upstream.name.to_string();
        return Err(deny(Failure::denied(&NO_ENDPOINTS).with(Key::Upstream, name)));
    }
    let note = session.note();
    note.dns = picked.name.is_some().then_some(picked.dns);
    note.answer_age = picked.answer_age;
    let upgrades = upgrades(session) && destination.pool.upstream.line.may_be_http1();
    let source = if upgrades && session.as_downstream_mut().is_body_empty() {
        Source::Upgrade
    } else if trip.tried.is_empty() {
        Source::Pooled
    } else {
        Source::Fresh
    };
    let upstream = &destination.pool.upstream;
    let greeting = upstream.proxied.map(|version| Greeting::new(version, ends(session)));
    let dialled = dial::dial(upstream, &picked, &destination.timeouts, source, greeting.as_ref())
        .map_err(deny)?;
    trip.tried.push(picked.next_hop.clone());
    trip.endpoints.push(picked.endpoint);
    trip.picked = Some(picked);
    trip.latch = dialled.latch;
    Ok(dialled.peer)
}

/// Whether the client asks for another protocol on its connection (RFC 9110 section 7.8). HTTP/2 it
/// may ask for with every request, and in vain: that is no longer asked for so (RFC 9113 section
/// 3.1), and Pingora does not pass it on.
fn upgrades(session: &Session) -> bool {
    let headers = &session.req_header().headers;
    headers.get(UPGRADE).is_some_and(|to| !to.as_bytes().eq_ignore_ascii_case(b"h2c"))
        && headers.contains_key(CONNECTION)
}
