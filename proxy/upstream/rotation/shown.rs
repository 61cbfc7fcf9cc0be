//! What an operator is shown of an address: whether it is in rotation, and what took it out.

use std::time::SystemTime;

use serde_json::{Value, json};
use whodunit_filters::attribution::record::timestamp;

use super::{Reason, Standing, State};

impl Standing {
    /// As it is shown.
    #[must_use]
    pub fn shown(&self) -> Value {
        let (state, since, until, reason) = match self.state() {
            State::In { since } => ("in", since, None, None),
            State::Unhealthy { since, reason } => ("unhealthy", Some(since), None, Some(reason)),
            State::Ejected { since, until, reason } => {
                ("ejected", Some(since), Some(until), Some(reason))
            }
        };
        let time = |at: Option<SystemTime>| at.map(timestamp);
        let check = self.last_check().map(|(at, outcome)| {
            let failed = outcome.err();
            json!({
                "ts": timestamp(at), "passed": failed.is_none(),
                "cause": cause(failed), "status": failed.and_then(Reason::status),
            })
        });
        json!({
            "state": state,
            "since": time(since),
            "until": time(until),
            "cause": cause(reason),
            "status": reason.and_then(Reason::status),
            "failed_in_a_row": self.failed_in_a_row(),
            "last_check": check,
        })
    }
}

fn cause(reason: Option<Reason>) -> Option<&'static str> {
    reason.and_then(Reason::cause).map(|cause| cause.id)
}
