//! Who is told how each attempt ends, while the request is still under way: a service that keeps
//! endpoints which fail from further requests.

use whodunit_filters::attribution::cause::answer::ORIGIN_ERROR;
use whodunit_filters::attribution::{Attempt, Cause, Key, NextHop};

use crate::context::Case;

/// Is told how attempts end, by the [note](crate::Note::audience).
pub trait Audience: Send + Sync {
    /// This attempt failed. The cause is the verdict on it by itself, whether or not another attempt
    /// makes up for it, as far as it is known at that moment: a name server that was only then asked
    /// anew has its say later.
    fn failed(&self, attempt: &Attempt, cause: Cause);

    /// The endpoint answered with this status, and nothing of the attempt failed until its end. The
    /// cause is the verdict on an answer that tells of an error itself.
    fn answered(&self, next_hop: &NextHop, status: u16, cause: Option<Cause>);
}

impl Case {
    /// The attempt under way has just failed.
    pub(crate) fn tell_of_failure(&self) {
        if let (Some(audience), Some(attempt)) = (&self.audience, self.exchange.last_attempt())
            && let Some(failure) = attempt.failure.as_deref()
            && let Some(cause) = self.exchange.verdict_on(attempt)
        {
            // An answer that was not taken is one all the same.
            let status = failure.evidence.number(Key::Status).filter(|_| cause == &ORIGIN_ERROR);
            match status.and_then(|status| u16::try_from(status).ok()) {
                Some(status) => {
                    let cause = self.exchange.verdict_on_answer();
                    audience.answered(&attempt.next_hop, status, cause);
                }
                None => audience.failed(attempt, cause),
            }
        }
    }

    /// The request is over.
    pub(crate) fn tell_of_answer(&self) {
        if let (Some(audience), Some(attempt)) = (&self.audience, self.exchange.last_attempt())
            && let (None, Some(status)) = (&attempt.failure, self.exchange.upstream_status)
        {
            audience.answered(&attempt.next_hop, status, self.exchange.verdict_on_answer());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use whodunit_filters::attribution::{Failure, Fault, Phase, Side};

    use super::*;
    use crate::settings::{Books, Settings};

    /// What was told.
    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Audience for Heard {
        fn failed(&self, attempt: &Attempt, cause: Cause) {
            let told = format!("{} {}", attempt.next_hop, cause.id);
            self.0.lock().expect("nobody panicked").push(told);
        }

        fn answered(&self, next_hop: &NextHop, status: u16, cause: Option<Cause>) {
            let cause = cause.map_or("well", |cause| cause.id);
            self.0.lock().expect("nobody panicked").push(format!("{next_hop} {status} {cause}"));
        }
    }

    fn hop(port: u16) -> NextHop {
        NextHop::Inet(([192, 0, 2, 1], port).into())
    }

    #[test]
    fn each_attempt_is_told_of_once_and_what_the_client_did_is_not() {
        let heard = Arc::new(Heard::default());
        let mut case = Case::new(Arc::new(Settings::new("n")), Books::default());
        case.audience = Some(heard.clone());
        case.begin_attempt(Attempt::begin(hop(1)));
        case.fail(Failure::new(Side::Origin, Phase::Connect, Fault::Refused));
        case.fail(Failure::new(Side::Origin, Phase::Wait, Fault::Closed));
        case.tell_of_answer();
        case.begin_attempt(Attempt::begin(hop(2)));
        case.fail(Failure::new(Side::Client, Phase::Wait, Fault::Closed));
        case.tell_of_answer();
        case.begin_attempt(Attempt::begin(hop(3)));
        case.exchange.upstream_status = Some(503);
        case.tell_of_answer();
        case.exchange.upstream_status = Some(404);
        case.tell_of_answer();
        assert_eq!(
            *heard.0.lock().expect("nobody panicked"),
            ["192.0.2.1:1 connect_refused", "192.0.2.1:3 503 origin_error", "192.0.2.1:3 404 well"]
        );
    }
}
