//! Who is told how each attempt ends, while the request is still under way: a service that keeps
//! endpoints which fail from further requests.

use whodunit_filters::attribution::{Cause, NextHop};

use crate::context::Case;

/// Is told how attempts end, by the [note](crate::Note::audience).
pub trait Audience: Send + Sync {
    /// The attempt at this endpoint failed. The cause is the verdict on it by itself, whether or not
    /// another attempt makes up for it, as far as it is known at that moment: a name server that was
    /// only then asked anew has its say later.
    fn failed(&self, next_hop: &NextHop, cause: Cause);

    /// The endpoint answered with this status, and nothing of the attempt failed until its end. The
    /// cause is the verdict on an answer that tells of an error itself.
    fn answered(&self, next_hop: &NextHop, status: u16, cause: Option<Cause>);
}

impl Case {
    /// The attempt under way has just failed.
    pub(crate) fn tell_of_failure(&self) {
        if let (Some(audience), Some(attempt)) = (&self.audience, self.exchange.last_attempt())
            && let Some(cause) = self.exchange.verdict_on(attempt)
        {
            audience.failed(&attempt.next_hop, cause);
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
