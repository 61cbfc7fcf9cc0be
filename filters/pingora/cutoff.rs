//! A request that ends before its time: it leaves its answer and its record behind.

use std::time::Duration;

use whodunit_filters::attribution::cause::proxy::PROXY_STOPPING;
use whodunit_filters::attribution::{Diagnosis, Failure, Fault, Key, Phase, Side};

use crate::context::Case;
use crate::observe::Moment;
use crate::outcome::close;
use crate::reply::Reply;

impl Drop for Case {
    /// A request that ends without Pingora's saying so was lost in a panic outside any hook, or cut
    /// off when the process ended.
    fn drop(&mut self) {
        // In a panic the ingress, where there is one, catches it, answers and records.
        if self.closed || std::thread::panicking() && self.client.is_some() {
            return;
        }
        self.fail(self.given_up());
        self.exchange.times.total = Some(self.exchange.started.elapsed());
        self.exchange.request.get_or_insert_default();
        self.verdict = Diagnosis::of(&self.exchange).map(Box::new);
        self.leave_word();
        close(self, true);
    }
}

impl Case {
    /// Why the request ends before its time.
    fn given_up(&self) -> Failure {
        if self.client.as_ref().is_some_and(|client| client.expired()) {
            let phase = if self.answered_at.is_some() { Phase::Receive } else { Phase::Wait };
            let limit = &self.timeouts.response;
            let held_up = self.client.as_ref().map_or(Duration::ZERO, |client| client.held_up());
            let (side, phase) = match limit.value {
                // Most of the time the answer was there and the client did not take it.
                Some(limit) if held_up > limit.0 / 2 => (Side::Client, Phase::Respond),
                _ => (Side::Origin, phase),
            };
            let failure = Failure::new(side, phase, Fault::Deadline)
                .with(Key::Setting, limit.place.clone())
                .with(Key::BytesSoFar, self.downloaded);
            return match limit.value {
                Some(limit) => failure.with(Key::LimitMs, limit.0).with(Key::WaitedMs, limit.0),
                None => failure,
            };
        }
        let phase = match self.exchange.last_attempt() {
            None => Phase::Request,
            Some(attempt) => {
                let connecting = attempt.connection.is_none();
                Moment::of(&self.exchange, connecting, self.request_sent).phase()
            }
        };
        let stopping = self.shutdown.as_ref().is_some_and(|shutdown| *shutdown.borrow());
        let failure = if std::thread::panicking() {
            Failure::new(Side::Inside, phase, Fault::Panic).with(Key::At, "a panic")
        } else if stopping {
            let waited = self.exchange.started.elapsed();
            Failure::denied(&PROXY_STOPPING).with(Key::WaitedMs, waited)
        } else {
            let failure = Failure::new(Side::Inside, phase, Fault::Unforeseen);
            failure.with(Key::At, "cut off unfinished, and not by a stop")
        };
        Failure { phase, ..failure }
    }

    /// Makes the answer, if none was begun, and leaves it with the client's connection.
    fn leave_word(&mut self) {
        let (Some(client), Some(verdict)) = (self.client.clone(), &self.verdict) else { return };
        self.exchange.answered = client.answered();
        self.exchange.bytes.client_in = client.received();
        self.exchange.bytes.client_out = client.sent();
        let status = self.settings.statuses.of(verdict.cause);
        let (Some(status), Some(asked), None) = (status, &self.asked, client.answered()) else {
            return;
        };
        let answer = Reply::new(self, verdict, status, asked.borrow());
        let answer = asked.dress(answer);
        let status = answer.status();
        client.leave(answer);
        self.exchange.answered = Some(status);
        self.exchange.generated = true;
    }
}
