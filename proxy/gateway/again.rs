//! Whether and when a request is tried again.

use std::time::Duration;

use http::StatusCode;
use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use whodunit_filters::attribution::cause::answer::ORIGIN_ERROR;
use whodunit_filters::attribution::{Failure, Key, Side};

/// The longest that an attempt waits, in terms of the time that the second one does.
const LONGEST: u32 = 10;

/// Whether another attempt could be made at all: the client has no answer yet, and what it sent is
/// still held.
pub(super) fn possible(session: &Session) -> bool {
    let open = |written: &ResponseHeader| {
        written.status.is_informational() && written.status != StatusCode::SWITCHING_PROTOCOLS
    };
    session.response_written().is_none_or(open) && !session.as_downstream().retry_buffer_truncated()
}

/// How an attempt ends whose answer is not taken.
pub(super) fn declined(status: u16) -> Failure {
    let failure = Failure { side: Side::Origin, ..Failure::denied(&ORIGIN_ERROR) };
    failure.with(Key::Status, status)
}

/// How long an attempt waits after `made` others: any time up to `most` for the second attempt, up
/// to twice as long for each further one. That it is any time keeps clients that failed together
/// from coming back together.
pub(super) fn backoff(most: Duration, made: usize) -> Duration {
    let doubled = u32::try_from(made.saturating_sub(1)).ok().and_then(|n| 2_u32.checked_pow(n));
    let times = doubled.map_or(LONGEST, |times| times.min(LONGEST));
    most.saturating_mul(times).mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_waits_longer_than_the_one_before_and_not_for_ever() {
        let most = Duration::from_millis(25);
        for (made, longest) in [(1, 25), (2, 50), (3, 100), (4, 200), (5, 250), (60, 250)] {
            let waits: Vec<_> = (0..500).map(|_| backoff(most, made).as_millis()).collect();
            assert!(waits.iter().all(|wait| *wait <= longest), "{made}");
            assert!(waits.iter().any(|wait| *wait > longest / 2), "{made}");
            assert!(waits.iter().any(|wait| *wait < longest / 2), "{made}");
        }
        assert!(backoff(Duration::MAX, 9) <= Duration::MAX);
    }
}
