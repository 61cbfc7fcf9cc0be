//! Exchanges for the rows' witnesses.

use crate::attribution::evidence::{Failure, Fault, Party, Phase, Sent, Side};
use crate::attribution::exchange::{Attempt, Connection, Exchange, NextHop};
use crate::attribution::id::RequestId;

/// An exchange with nothing in it but its upstream.
pub(super) fn exchange() -> Exchange {
    let mut exchange = Exchange::begin(RequestId::new());
    exchange.upstream = Some("web".into());
    exchange.route = Some("web".into());
    exchange
}

/// One that was ended outside any attempt.
pub(super) fn ended(failure: Failure) -> Exchange {
    let mut exchange = exchange();
    exchange.fail(failure);
    exchange
}

/// One whose only attempt failed on the origin's side.
pub(super) fn failed(
    phase: Phase,
    fault: Fault,
    shape: impl FnOnce(&mut Attempt, &mut Failure),
) -> Exchange {
    let mut exchange = exchange();
    let mut attempt = Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 8080).into()));
    if phase > Phase::Tls {
        attempt.connection = Some(Connection::default());
        attempt.sent = Sent::Full;
    }
    let mut failure = Failure::new(Side::Origin, phase, fault);
    shape(&mut attempt, &mut failure);
    attempt.fail(failure);
    exchange.attempt(attempt);
    exchange
}

/// One that a filter refused by naming the cause.
pub(super) fn denied(cause: super::Cause, shape: impl FnOnce(&mut Failure)) -> Exchange {
    let mut failure = Failure::denied(cause);
    shape(&mut failure);
    debug_assert!(cause.party != Party::Network, "a filter cannot deny for the network");
    ended(failure)
}
