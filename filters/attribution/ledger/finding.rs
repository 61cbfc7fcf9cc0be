//! What a look at an endpoint found, some time after a request there failed.

use std::str::FromStr;

use crate::attribution::cause::path::DNS_STALE_ADDRESS;
use crate::attribution::cause::{self, Cause};
use crate::attribution::evidence::{Failure, Phase};
use crate::attribution::exchange::{Attempt, Exchange, NextHop};
use crate::attribution::id::RequestId;

/// What somebody found who looked at an endpoint: a closed vocabulary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// It answers: `answers`.
    Answers,
    /// The look failed, and for this reason: its id.
    Failed(Cause),
}

/// How [`Finding::Answers`] is written.
const ANSWERS: &str = "answers";

impl Finding {
    /// Whether a connection that is made later shows that this is so no more.
    pub(super) fn refuted_by_a_connection(self) -> bool {
        // Where a name leads to is not for a connection to show.
        matches!(self, Self::Failed(cause)
            if cause.phase == Phase::Connect && cause.id != DNS_STALE_ADDRESS.id)
    }

    /// The verdict on a look at this endpoint that failed, as on a request that fails so.
    #[must_use]
    pub fn failed(next_hop: NextHop, failure: Failure) -> Self {
        let mut attempt = Attempt::begin(next_hop);
        attempt.fail(failure);
        let verdict = Exchange::begin(RequestId::new()).verdict_on(&attempt);
        Self::Failed(verdict.expect("it failed"))
    }

    /// The word as it stands in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answers => ANSWERS,
            Self::Failed(cause) => cause.id,
        }
    }

    /// What came of the look, as the end of a sentence that begins with `A check`.
    pub(in crate::attribution) fn words(self) -> String {
        match self {
            Self::Answers => "was answered".to_owned(),
            Self::Failed(cause) => {
                ["failed with `", cause.id, "` in phase `", cause.phase.as_str(), "`"].concat()
            }
        }
    }
}

impl FromStr for Finding {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        if word == ANSWERS {
            Ok(Self::Answers)
        } else {
            cause::find(word).map(Self::Failed).ok_or(())
        }
    }
}
