//! Which status a cause is answered with: the dialects, and a configuration's exceptions to them.

use super::cause::{self, Cause, Row, Status, proxy};
use super::token::tokens;

mod settings;

tokens! {
    /// A manner of choosing statuses.
    pub enum Dialect {
        /// What RFC 9209 recommends, but 404 for `no_route`, 508 for `loop_detected`, and 503
        /// where this proxy is only short of something. The default.
        Standard = "standard",
        /// What RFC 9209 recommends, to the letter.
        Rfc9209 = "rfc9209",
        /// Cloudflare's 520 to 526 and 530.
        Cloudflare = "cloudflare",
        /// Alibaba's 463 for loops, and 503 with a field that says so for rate limits; else as
        /// `standard`.
        Alibaba = "alibaba",
    }
}

/// `diagnosis.statuses`: a dialect, and the causes that it does not hold for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    dialect: Dialect,
    causes: Vec<(Cause, u16)>,
}

/// Why a cause cannot be given a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No cause has this id; the one that comes nearest, if any comes near.
    UnknownCause(String, Option<&'static str>),
    /// The status is none of 400 to 599.
    NoError(u16),
    /// This cause never chooses a status: the origin's answer is passed on, or nobody is there.
    NothingSent(Cause),
    /// It was given one already.
    Twice(Cause),
}

impl Statuses {
    /// The statuses of a dialect, without exceptions.
    #[must_use]
    pub const fn new(dialect: Dialect) -> Self {
        Self { dialect, causes: Vec::new() }
    }

    /// The dialect.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Makes an exception for one cause.
    ///
    /// # Errors
    /// If there is no such cause, if it never chooses a status, if it has an exception already, or
    /// if `code` is none of 400 to 599.
    pub fn except(&mut self, id: &str, code: u16) -> Result<(), Refusal> {
        let cause = cause::find(id)
            .ok_or_else(|| Refusal::UnknownCause(id.to_owned(), cause::nearest(id)))?;
        if !(400..=599).contains(&code) {
            return Err(Refusal::NoError(code));
        }
        if matches!(cause.standard, Status::Pass | Status::Log(_)) {
            return Err(Refusal::NothingSent(cause));
        }
        if self.causes.iter().any(|(known, _)| *known == cause) {
            return Err(Refusal::Twice(cause));
        }
        self.causes.push((cause, code));
        Ok(())
    }

    /// The status to send when nothing was sent yet; `None` where the origin's answer is passed on
    /// and where nobody is left to be answered.
    #[must_use]
    pub fn of(&self, cause: Cause) -> Option<u16> {
        let excepted = self.causes.iter().find(|(known, _)| *known == cause);
        if let Some((_, code)) = excepted {
            return Some(*code);
        }
        match self.dialect {
            Dialect::Cloudflare => sent(cause, cause.cloudflare),
            Dialect::Rfc9209 => {
                let standard = sent(cause, cause.standard)?;
                Some(cause.error.and_then(super::ErrorType::status).unwrap_or(standard))
            }
            Dialect::Alibaba if cause == &proxy::LOOP_DETECTED => Some(463),
            Dialect::Alibaba if cause == &proxy::RATE_LIMITED => Some(503),
            Dialect::Standard | Dialect::Alibaba => sent(cause, cause.standard),
        }
    }

    /// The status to log: what the client was sent if it was sent anything; else what it would
    /// have been. A client that went away is logged as 499 in either case.
    #[must_use]
    pub fn logged(&self, cause: Cause, answered: Option<u16>) -> Option<u16> {
        match cause.standard {
            Status::Log(Some(code)) => Some(code),
            _ => answered.or_else(|| self.of(cause)),
        }
    }

    /// The header fields that the dialect adds to the answer.
    #[must_use]
    pub fn extra_headers(&self, cause: Cause) -> &'static [(&'static str, &'static str)] {
        match self.dialect {
            Dialect::Alibaba if cause == &proxy::RATE_LIMITED => &[("ALB-QPS-Limited", "Limited")],
            _ => &[],
        }
    }
}

/// A failure that comes too late for a status in most cases may still come in time.
fn sent(cause: &Row, status: Status) -> Option<u16> {
    match status {
        Status::Code(code) | Status::CodeOrAbort(code) => Some(code),
        Status::Abort => cause.error.and_then(super::ErrorType::status),
        Status::Pass | Status::Log(_) => None,
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self::new(Dialect::Standard)
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnknownCause(id, Some(near)) => {
                write!(f, "there is no cause `{}`; did you mean `{near}`?", id.escape_debug())
            }
            Self::UnknownCause(id, None) => write!(
                f,
                "there is no cause `{}`; `whodunit causes` lists them all",
                id.escape_debug()
            ),
            Self::NoError(code) => {
                write!(f, "{code} is no error status: write a number from 400 to 599")
            }
            Self::NothingSent(cause) if cause.standard == Status::Pass => {
                write!(f, "`{}` takes no status: the origin's answer is passed on", cause.id)
            }
            Self::NothingSent(cause) => {
                write!(f, "`{}` takes no status: nobody is left to be answered", cause.id)
            }
            Self::Twice(cause) => write!(f, "`{}` is given a status twice", cause.id),
        }
    }
}
impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::cause::{CATALOGUE, answer, client, path};

    #[test]
    fn each_dialect_speaks_as_it_should() {
        let of = |dialect, cause| Statuses::new(dialect).of(cause);
        for (dialect, refused, no_route, loops, limited, ports) in [
            (Dialect::Standard, 502, 404, 508, 429, 503),
            (Dialect::Rfc9209, 502, 500, 502, 429, 500),
            (Dialect::Cloudflare, 521, 404, 530, 429, 500),
            (Dialect::Alibaba, 502, 404, 463, 503, 503),
        ] {
            assert_eq!(of(dialect, &path::CONNECT_REFUSED), Some(refused), "{dialect}");
            assert_eq!(of(dialect, &proxy::NO_ROUTE), Some(no_route), "{dialect}");
            assert_eq!(of(dialect, &proxy::LOOP_DETECTED), Some(loops), "{dialect}");
            assert_eq!(of(dialect, &proxy::RATE_LIMITED), Some(limited), "{dialect}");
            assert_eq!(of(dialect, &proxy::PROXY_PORTS_EXHAUSTED), Some(ports), "{dialect}");
            assert_eq!(of(dialect, &answer::ORIGIN_ERROR), None, "{dialect}");
            assert_eq!(of(dialect, &client::CLIENT_ABORTED), None, "{dialect}");
            let named = Statuses::new(dialect).extra_headers(&proxy::RATE_LIMITED);
            assert_eq!(!named.is_empty(), dialect == Dialect::Alibaba, "{dialect}");
        }
    }

    #[test]
    fn whatever_can_be_answered_has_a_status_in_every_dialect() {
        for dialect in Dialect::ALL {
            for cause in CATALOGUE.iter() {
                let mute = matches!(cause.standard, Status::Pass | Status::Log(_));
                let status = Statuses::new(*dialect).of(cause);
                assert_eq!(status.is_none(), mute, "{dialect} {cause:?}");
                assert!(status.is_none_or(|code| (400..=599).contains(&code)), "{cause:?}");
            }
        }
    }

    #[test]
    fn a_client_that_left_is_logged_as_499() {
        let statuses = Statuses::default();
        assert_eq!(statuses.logged(&client::CLIENT_ABORTED, None), Some(499));
        assert_eq!(statuses.logged(&client::CLIENT_ABORTED, Some(200)), Some(499));
        assert_eq!(statuses.logged(&client::CLIENT_TLS_FAILED, None), None);
        assert_eq!(statuses.logged(&answer::RESPONSE_TRUNCATED, Some(200)), Some(200));
        assert_eq!(statuses.logged(&path::CONNECT_REFUSED, None), Some(502));
    }

    #[test]
    fn a_timeout_is_never_told_as_502() {
        for cause in CATALOGUE.iter().chain([&&path::DNS_STALE_ADDRESS_TIMED_OUT]) {
            let late = cause.error.is_some_and(|error| error.as_str().contains("timeout"));
            if late {
                assert_eq!(Statuses::default().of(cause), Some(504), "{cause:?}");
            }
        }
    }
}
