//! HTTP/2 from clients: over TLS, and by prior knowledge over plain TCP (RFC 9113 section 3.3).
//!
//! ```text
//! socket ▶ wire: which frames come and go ▶ codec (the h2 crate) ▶ one task a request
//!            │ room: since when, RST_STREAM, end of the connection      │
//!            ▼                                                          ▼
//!          facts of each request's client ◀──────────── session: what Pingora asks of a stream
//! ```
//!
//! The codec answers for what is wrong with frames; what it turns away is recorded here, and what it
//! would put up with without end is ended here. A request
//! that is wrong by the rules of HTTP is handed on with its refusal, and refused like any other.

mod calm;
mod preface;
mod request;
mod room;
mod session;
mod stream;
mod turn;
mod visit;
mod wire;

use std::sync::Arc;

use bytes::BytesMut;
use h2::server::Builder;
use pingora::apps::HttpServerApp;
use pingora::protocols::{Digest, SocketDigest, Stream};
use pingora::server::ShutdownWatch;
use tokio::time::timeout;
use whodunit_filters::attribution::Failure;
use whodunit_filters::head::Glimpse;

pub(crate) use self::preface::{Opening, PREFACE, opening};
use self::room::Room;
pub(crate) use self::turn::handed;
use self::visit::Visit;
use self::wire::Wire;
use crate::arrival::ClientFacts;
use crate::house::Entrance;
use crate::ingress::{Doorman, Refusal, Rules};
use crate::tally::Tally;

/// The most requests that one connection may have under way.
const STREAMS: u32 = 100;
/// How much of a body a client may send ahead of its being read, in bytes. As a connection's window
/// is that of all its streams, an upload that is not read cannot hold up another.
const WINDOW: u32 = 128 << 10;
/// The most of an answer that waits for the client's socket.
const AHEAD: usize = 64 << 10;
/// How many requests a client may take back before they were looked at (CVE-2023-44487).
const TAKEN_BACK: usize = 20;
/// How many streams may be reset for the client's mistakes (CVE-2025-8671).
const MISTAKEN: usize = 100;

/// Whether HTTP/2 may come on a connection.
pub(crate) fn welcome(door: &dyn Doorman, stream: &Stream) -> bool {
    if stream.get_ssl_digest().is_some() {
        return false;
    }
    if let Some(entrance) = stream.get_proxy_digest().as_deref().and_then(Entrance::of) {
        return entrance.h2c;
    }
    let socket = stream.get_socket_digest();
    let local = socket.as_deref().and_then(SocketDigest::local_addr);
    local.is_some_and(|at| door.speaks_h2c(at))
}

/// Serves a connection that begins with HTTP/2's preface, of which `ahead` was read already.
pub(crate) async fn serve<A: HttpServerApp + Send + Sync + 'static>(
    app: &Arc<A>,
    door: &Arc<dyn Doorman>,
    (stream, ahead): (Stream, BytesMut),
    shutdown: &ShutdownWatch,
    tally: Tally,
) {
    let rules = door.rules();
    let digest = Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    };
    let room = Arc::new(Room::default());
    let wire = Wire::new(stream, ahead, room.clone(), rules.write);
    let Ok(Ok(speaking)) = timeout(rules.request_header, settings(&rules).handshake(wire)).await
    else {
        return;
    };
    let visit = Visit::new(app, door, shutdown, tally, room, digest);
    visit.serve(speaking).await;
}

/// Records what cannot be answered.
fn turn_away(door: &Arc<dyn Doorman>, failure: Failure, client: &ClientFacts, digest: &Digest) {
    door.turn_away(Refusal {
        failure,
        head: Glimpse::hidden("HTTP/2"),
        client,
        began: client.began,
        socket: digest.socket_digest.as_deref(),
        entrance: digest.proxy_digest.as_deref(),
        answerable: false,
    });
}

fn settings(rules: &Rules) -> Builder {
    // Sizes that are measured otherwise here (RFC 9113 section 6.5.2) are left room for, so that
    // what is too large is refused by us, who say why.
    let section = u32::try_from(rules.head.section.saturating_mul(2)).unwrap_or(u32::MAX);
    let mut settings = Builder::new();
    settings
        .max_header_list_size(section.max(16 << 10))
        .max_concurrent_streams(STREAMS)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * STREAMS)
        .max_send_buffer_size(AHEAD)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(Some(MISTAKEN));
    settings
}
