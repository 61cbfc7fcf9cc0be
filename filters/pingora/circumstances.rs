//! What only the exchange knows of a failure: the limit that ran out, how much had come, what the
//! neighbours did meanwhile.

use std::time::{Duration, Instant};

use whodunit_filters::Set;
use whodunit_filters::attribution::{Failure, Fault, Key, NextHop, Phase, Side};
use whodunit_filters::timeouts::TimeoutsInForce;
use whodunit_filters::units::Span;

use crate::context::Case;
use crate::shortage;

/// So far back other attempts say something of this one.
const LATELY: Duration = Duration::from_mins(1);

impl Case {
    /// Adds them to a failure.
    pub(crate) fn add_circumstances(&mut self, failure: &mut Failure) {
        self.ask_the_wire(failure);
        self.stop_the_clock(failure.phase);
        if let Some(age) = self.answer_age.filter(|_| failure.phase == Phase::Connect) {
            failure.evidence.set_if_absent(Key::AnswerAgeMs, age);
        }
        if let (Side::Origin, Phase::Send | Phase::Wait, Fault::TimedOut) =
            (failure.side, failure.phase, failure.fault)
            && let Some(lane) = &self.lane
        {
            let smaller = lane.neighbour().smaller_answered(Instant::now(), self.size());
            if smaller > 0 {
                failure.evidence.set_if_absent(Key::SmallerAnswered, smaller);
            }
        }
        match (failure.side, failure.phase, failure.fault) {
            (_, _, Fault::FilesExhausted) => shortage::of_files(failure),
            (_, _, Fault::PortsExhausted) => {
                let attempt = self.exchange.last_attempt();
                if let Some(NextHop::Inet(to)) = attempt.map(|attempt| &attempt.next_hop) {
                    shortage::of_ports(failure, *to);
                }
            }
            (Side::Origin, Phase::Send | Phase::Wait, Fault::Closed | Fault::Reset) => {
                failure.evidence.set_if_absent(Key::WaitedMs, self.at_work());
                let learned = self.lane.as_ref().and_then(|lane| lane.neighbour().idle_timeout());
                let idle = self.idle();
                // Well before that time the origin had another reason.
                if let Some(timeout) = learned.filter(|at| self.reused() && idle >= *at / 10 * 9) {
                    failure.evidence.set_if_absent(Key::OriginIdleMs, timeout);
                }
            }
            (Side::Origin, Phase::Connect, Fault::TimedOut) => {
                self.limit(failure, |timeouts| &timeouts.connect);
                self.ask_the_neighbours(failure);
            }
            (Side::Origin, Phase::Tls, Fault::TimedOut) => {
                self.limit(failure, |t| &t.tls);
                let success = self.lane.as_ref().and_then(|lane| lane.neighbour().last_success());
                if let Some(at) = success.filter(|at| at.elapsed() <= LATELY) {
                    failure.evidence.set_if_absent(Key::LastSuccessMs, at.elapsed());
                }
            }
            (Side::Origin, Phase::Send, Fault::TimedOut) => self.limit(failure, |t| &t.write),
            (Side::Origin, _, Fault::TimedOut | Fault::Stalled) => {
                self.limit(failure, |t| &t.read);
            }
            (Side::Client, Phase::Respond, Fault::TimedOut) => self.limit(failure, |t| &t.write),
            (Side::Client, _, Fault::TimedOut) => self.limit(failure, |t| &t.request_body),
            (Side::Client, _, Fault::Closed | Fault::Reset) => {
                failure.evidence.set_if_absent(Key::WaitedMs, self.exchange.started.elapsed());
                failure.evidence.set_if_absent(Key::During, failure.phase.as_str());
            }
            _ => {}
        }
        if failure.phase == Phase::Receive && failure.side == Side::Origin {
            failure.evidence.set_if_absent(Key::Received, self.downloaded);
            if let Some(expected) = self.expected {
                failure.evidence.set_if_absent(Key::Expected, expected);
                failure.evidence.set_if_absent(Key::Framing, "content-length");
            } else if self.chunked {
                failure.evidence.set_if_absent(Key::Framing, "chunked");
            }
        }
        if matches!(failure.phase, Phase::Request | Phase::Send) {
            let body = self.client.as_ref().map_or(self.uploaded, |client| client.body());
            failure.evidence.set_if_absent(Key::BytesSoFar, body);
        }
    }

    /// The phase that a failure ends took until now.
    fn stop_the_clock(&mut self, phase: Phase) {
        let attempt = self.exchange.last_attempt().map(|attempt| attempt.started.elapsed());
        let times = &mut self.exchange.times;
        match phase {
            Phase::Connect => times.connect = attempt,
            Phase::Tls => times.tls = attempt,
            Phase::Send => times.send = self.send_began.map(|began| began.elapsed()),
            Phase::Wait if self.answered_at.is_none() => {
                times.wait = self.sent_at.or(self.send_began).map(|since| since.elapsed());
            }
            _ => {}
        }
    }

    pub(crate) fn limit(
        &self,
        failure: &mut Failure,
        which: impl Fn(&TimeoutsInForce) -> &Set<Span>,
    ) {
        let limit = which(&self.timeouts);
        failure.evidence.set_if_absent(Key::LimitMs, limit.value.0);
        failure.evidence.set_if_absent(Key::Setting, limit.place.clone());
    }

    /// What other connections to the same endpoint met with while this one waited.
    fn ask_the_neighbours(&self, failure: &mut Failure) {
        let (Some(lane), Some(attempt)) = (&self.lane, self.exchange.last_attempt()) else {
            return;
        };
        let neighbour = lane.neighbour();
        failure.evidence.set(Key::AcceptedMeanwhile, neighbour.accepted_since(attempt.started));
        if let Some(at) = neighbour.last_accepted() {
            failure.evidence.set(Key::LastSuccessMs, at.elapsed());
        }
        let now = Instant::now();
        let since = now.checked_sub(LATELY).unwrap_or(now);
        failure.evidence.set(Key::SilentLately, neighbour.silent_since(since));
        neighbour.unanswered(now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use whodunit_filters::attribution::{Attempt, Connection};

    use super::*;
    use crate::lane::Lane;
    use crate::settings::{Books, Settings};

    /// What is said of an idle timeout of 5 s when a connection is lost after so much idleness.
    fn told(idle: Duration) -> Option<u64> {
        let mut case = Case::new(Arc::new(Settings::new("n")), Books::default());
        case.begin_attempt(Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 80).into())));
        let attempt = case.exchange.last_attempt_mut().expect("it began");
        attempt.connection = Some(Connection { reused: true, idle, ..Connection::default() });
        let lane = case.lane.as_ref().expect("it began");
        for at in [0, 6, 12].map(Duration::from_secs) {
            lane.neighbour().closed_after(Instant::now() + at, Duration::from_secs(5));
        }
        case.fail(Failure::new(Side::Origin, Phase::Wait, Fault::Closed));
        let failure = case.exchange.last_attempt().and_then(|a| a.failure.as_deref());
        failure.expect("it failed").evidence.number(Key::OriginIdleMs)
    }

    #[test]
    fn an_idle_timeout_explains_only_what_was_idle_for_so_long() {
        assert_eq!(told(Duration::from_secs(5)), Some(5_000));
        assert_eq!(told(Duration::from_secs(2)), None);
    }

    /// What is said of silence after a request of this size, when others of 300 bytes were answered.
    fn silence(size: u64) -> Option<u64> {
        let mut case = Case::new(Arc::new(Settings::new("n")), Books::default());
        case.begin_attempt(Attempt::begin(NextHop::Inet(([192, 0, 2, 1], 80).into())));
        let lane = case.lane.as_ref().expect("it began");
        (0..7).for_each(|_| lane.answered(Instant::now(), Duration::ZERO, 300));
        case.uploaded = size;
        case.fail(Failure::new(Side::Origin, Phase::Wait, Fault::TimedOut));
        let failure = case.exchange.last_attempt().and_then(|a| a.failure.as_deref());
        failure.expect("it failed").evidence.number(Key::SmallerAnswered)
    }

    #[test]
    fn smaller_requests_that_were_answered_are_held_against_silence() {
        assert_eq!(silence(9_000), Some(7));
        assert_eq!(silence(300), None, "they were no smaller");
    }

    #[test]
    fn a_short_idleness_teaches_nothing() {
        let case = Case::new(Arc::new(Settings::new("n")), Books::default());
        let lane = Lane::new(&case.books.ledger, &NextHop::Inet(([192, 0, 2, 1], 80).into()), None);
        (0..9).for_each(|_| lane.closed_after(Duration::from_millis(20)));
        assert_eq!(lane.neighbour().idle_timeout(), None);
    }
}
