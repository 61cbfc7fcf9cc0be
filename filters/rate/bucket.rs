//! The arithmetic of a bucket of tokens, told by one number: when it will be full again (the generic
//! cell rate algorithm, ITU-T I.371, which decides as a bucket does).

use std::time::Duration;

use super::Rate;

/// How fast a bucket fills. Time is counted in ticks, of which a nanosecond has as many as requests
/// are allowed: so that a token takes a whole number of them, and nothing is rounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    ticks_a_nano: u128,
    token: u128,
    burst: u128,
}

impl Pace {
    pub(super) fn of(rate: &Rate) -> Self {
        Self {
            ticks_a_nano: rate.requests.max(1).into(),
            token: rate.per.0.as_nanos().max(1),
            burst: rate.burst().max(1).into(),
        }
    }

    pub(super) const fn ticks(self, time: Duration) -> u128 {
        time.as_nanos() * self.ticks_a_nano
    }

    /// How long an empty bucket takes to fill.
    pub(super) const fn whole(self) -> u128 {
        self.token * self.burst
    }

    /// Takes a token out of a bucket that would be full at `full`: when it is full now, or how long
    /// it is to the next token.
    pub(super) fn take(self, full: u128, now: u128) -> Result<u128, Duration> {
        let full = full.max(now) + self.token;
        match (full - now).checked_sub(self.whole()) {
            None | Some(0) => Ok(full),
            Some(ahead) => {
                let nanos = ahead.div_ceil(self.ticks_a_nano);
                Err(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
            }
        }
    }
}
