//! Timeouts: the settings, and the deadline of the whole answer. The other timeouts are timers,
//! and stand where the bytes are waited for.

use std::time::Duration;

use crate::attribution::{Failure, Fault, Key, Phase, Side};
use crate::chain::{Filter, RouteView, Verdict};
use crate::layers::layers;
use crate::units::Span;

layers! {
    "timeouts":
    /// How long things may take.
    Timeouts,
    /// What a route or an upstream changes about [`Timeouts`].
    TimeoutsOverride,
    /// The timeouts in force somewhere, each with the place of its setting.
    TimeoutsInForce;

    anywhere {
        /// Connecting to the origin by TCP. Default `5s`.
        connect: Span = Span::seconds(5),
        /// The TLS handshake with the origin. Default `5s`.
        tls: Span = Span::seconds(5),
        /// Between two reads of the request's body from the client. Default `60s`.
        request_body: Span = Span::seconds(60),
        /// Between two writes to the origin. Default `30s`.
        write: Span = Span::seconds(30),
        /// To the first byte of the answer, and between two reads from the origin. Default `60s`.
        read: Span = Span::seconds(60),
        /// The whole answer, from the end of the request on. No limit by default.
        response: Option<Span> = None,
        /// How long an unused connection to the origin is kept. Default `60s`.
        idle: Span = Span::seconds(60),
    }
    global {
        /// The client's whole header section, from its first byte on. Default `10s`.
        request_header: Span = Span::seconds(10),
        /// How long an unused connection of a client's is kept. Default `75s`.
        keepalive: Span = Span::seconds(75),
    }
}

/// The filter that holds answers to `timeouts.response`.
#[derive(Debug)]
pub struct Deadline(());

impl Deadline {
    pub(crate) const fn new(_: &str, _: &Timeouts) -> Self {
        Self(())
    }
}

impl Filter for Deadline {
    fn response_body(&self, so_far: u64, elapsed: Duration, route: &RouteView<'_>) -> Verdict {
        let limit = &route.timeouts.response;
        limit
            .value
            .filter(|span| elapsed > span.0)
            .map(|span| {
                Failure::new(Side::Origin, Phase::Receive, Fault::Deadline)
                    .with(Key::LimitMs, span.0)
                    .with(Key::Setting, limit.setting())
                    .with(Key::WaitedMs, elapsed)
                    .with(Key::BytesSoFar, so_far)
            })
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::LimitsInForce;
    use crate::rules::Rules;

    #[test]
    fn an_answer_that_takes_too_long_is_broken_off_while_bytes_still_come() {
        let part: TimeoutsOverride =
            serde_json::from_str(r#"{"response":"2s"}"#).expect("a valid override");
        let timeouts = TimeoutsInForce::default().with("routes[0]", &part);
        let limits = LimitsInForce::default();
        let rules = Rules::default();
        let route = RouteView { name: "web", limits: &limits, timeouts: &timeouts, rules: &rules };
        let deadline = Deadline::new("edge", &Timeouts::default());
        assert!(deadline.response_body(9, Duration::from_secs(2), &route).denied().is_none());
        let failure = deadline
            .response_body(9, Duration::from_millis(2_001), &route)
            .denied()
            .expect("over the deadline");
        assert_eq!((failure.side, failure.phase), (Side::Origin, Phase::Receive));
        assert_eq!(failure.fault, Fault::Deadline);
        assert_eq!(failure.evidence.number(Key::LimitMs), Some(2_000));
        assert_eq!(failure.evidence.number(Key::BytesSoFar), Some(9));
        assert_eq!(failure.evidence.text(Key::Setting), Some("routes[0].timeouts.response"));
        let unlimited = TimeoutsInForce::default();
        let route = RouteView { timeouts: &unlimited, ..route };
        assert!(deadline.response_body(9, Duration::MAX, &route).denied().is_none());
    }

    #[test]
    fn the_defaults_are_those_that_users_were_promised() {
        assert_eq!(
            serde_json::to_value(Timeouts::default()).expect("plain data"),
            serde_json::json!({
                "connect": "5s", "tls": "5s", "request_header": "10s", "request_body": "1m",
                "write": "30s", "read": "1m", "response": null, "idle": "1m", "keepalive": "75s",
            })
        );
        for global in [r#"{"keepalive":"1s"}"#, r#"{"request_header":"1s"}"#] {
            assert!(serde_json::from_str::<TimeoutsOverride>(global).is_err(), "{global}");
        }
    }
}
