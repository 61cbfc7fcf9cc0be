//! Exchanges for the rows' witnesses.

use crate::attribution::evidence::{Failure, Fault, Phase, Sent, Side};
use crate::attribution::exchange::{Attempt, Connection, Exchange, NextHop};
use crate::attribution::id::RequestId;

/// An exchange with nothing in it but its route and upstream.
pub(super) fn exchange() -> Exchange {
    let mut exchange = Exchange::begin(RequestId::new());
    exchange.upstream = Some("web".into());
    exchange.route = Some("web".into());
    exchange
}

/// A failure on the client's side.
pub(super) const fn client(phase: Phase, fault: Fault) -> Failure {
    Failure::new(Side::Client, phase, fault)
}

/// A failure within this process.
pub(super) const fn inside(phase: Phase, fault: Fault) -> Failure {
    Failure::new(Side::Inside, phase, fault)
}

/// A failure on the origin's side.
pub(super) const fn origin(phase: Phase, fault: Fault) -> Failure {
    Failure::new(Side::Origin, phase, fault)
}

/// An exchange that was ended outside any attempt.
pub(super) fn ended(failure: Failure) -> Exchange {
    let mut exchange = exchange();
    exchange.fail(failure);
    exchange
}

/// One whose only attempt failed, over a fresh connection if there was any.
pub(super) fn attempted(failure: Failure) -> Exchange {
    tried(failure, Connection::default())
}

/// The same over a connection that had carried requests before.
pub(super) fn reused(failure: Failure) -> Exchange {
    let idle = std::time::Duration::from_mins(1);
    tried(failure, Connection { reused: true, age: idle, idle, requests: 2 })
}

/// One that the origin answered with this status, by the only attempt.
pub(super) fn told(status: u16, sent: Sent) -> Exchange {
    let mut exchange = exchange();
    let mut attempt = begun();
    attempt.connection = Some(Connection::default());
    attempt.sent = sent;
    exchange.attempt(attempt);
    exchange.upstream_status = Some(status);
    exchange
}

fn tried(failure: Failure, connection: Connection) -> Exchange {
    let mut exchange = exchange();
    let mut attempt = begun();
    if failure.phase > Phase::Tls {
        attempt.connection = Some(connection);
        attempt.sent = Sent::Full;
    }
    attempt.fail(failure);
    exchange.attempt(attempt);
    exchange
}

fn begun() -> Attempt {
    Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 8080).into()))
}
