//! What a look at an endpoint found, some time after a request there failed.

use crate::attribution::token::tokens;

tokens! {
    /// What somebody found who looked at an endpoint: a closed vocabulary.
    pub enum Finding {
        /// It accepts connections and answers.
        Answers = "answers",
        /// It accepts connections; nothing was asked of it.
        Accepts = "accepts",
        /// It accepts connections and does not answer in time.
        Silent = "silent",
        /// It accepts connections and closes them without an answer.
        Closes = "closes",
        /// It accepts connections and answers something that is not HTTP.
        NotHttp = "not-http",
        /// It refuses connections.
        Refuses = "refuses",
        /// It does not accept a connection in time.
        TimedOut = "timed-out",
        /// No connection could be made for another reason.
        Unreachable = "unreachable",
        /// Its name has no address.
        Nameless = "nameless",
        /// Its name has other addresses now.
        Moved = "moved",
    }
}

impl Finding {
    /// Whether a connection that is made later shows that this is so no more.
    pub(super) const fn refuted_by_a_connection(self) -> bool {
        matches!(self, Self::Refuses | Self::TimedOut | Self::Unreachable)
    }

    /// What came of the look, as the end of a sentence that begins with `A check`.
    pub(in crate::attribution) const fn words(self) -> &'static str {
        match self {
            Self::Answers => "connected there and was answered",
            Self::Accepts => "connected there",
            Self::Silent => "connected there and was not answered in time",
            Self::Closes => "connected there and was cut off without an answer",
            Self::NotHttp => "connected there and heard something that is not HTTP",
            Self::Refuses => "was refused the connection",
            Self::TimedOut => "could not connect there in time",
            Self::Unreachable => "could not connect there",
            Self::Nameless => "found no address for the origin's name",
            Self::Moved => "found that the origin's name no longer has this address",
        }
    }
}
