//! How many requests may be sent once more: so many in a hundred, so that attempts do not multiply when
//! everything fails (as linkerd and Envoy have it). Requests are counted without a look at the clock;
//! only who wants to try again looks at it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time over which is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// In steps of this.
const STEP: Duration = Duration::from_secs(1);
/// As many may be tried again in any case: 3 a second.
const ANYWAY: u64 = 30;

/// What was tried again lately.
#[derive(Debug, Default)]
pub struct Budget(Mutex<VecDeque<Spent>>);

/// One step of time.
#[derive(Debug)]
struct Spent {
    began: Instant,
    /// Requests that there had been by then.
    asked: u64,
    /// Attempts in it.
    again: u64,
}

impl Budget {
    /// Whether one more attempt is within `percent` of the requests; it counts as made if it is.
    /// `asked` is the number of requests that there have ever been.
    #[must_use]
    pub fn take(&self, asked: u64, percent: u8) -> bool {
        self.take_at(Instant::now(), asked, percent)
    }

    fn take_at(&self, now: Instant, asked: u64, percent: u8) -> bool {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while steps.front().is_some_and(|step| now.duration_since(step.began) > WINDOW) {
            steps.pop_front();
        }
        let before = steps.front().map_or(asked, |step| step.asked);
        let again: u64 = steps.iter().map(|step| step.again).sum();
        let share = asked.saturating_sub(before).saturating_mul(u64::from(percent)) / 100;
        if again >= share.max(ANYWAY) {
            return false;
        }
        match steps.back_mut() {
            Some(step) if now.duration_since(step.began) < STEP => step.again += 1,
            _ => steps.push_back(Spent { began: now, asked, again: 1 }),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budget: &Budget, at: Instant, asked: u64, times: u64) -> u64 {
        (0..times).map(|_| u64::from(budget.take_at(at, asked, 20))).sum()
    }

    #[test]
    fn a_few_may_be_tried_again_whatever_the_share() {
        let (budget, now) = (Budget::default(), Instant::now());
        assert_eq!(taken(&budget, now, 5, 100), ANYWAY);
        assert!(!budget.take_at(now + WINDOW, 5, 0), "the window is not over");
        let later = now + WINDOW + Duration::from_millis(1);
        assert_eq!(taken(&budget, later, 5, 100), ANYWAY);
    }

    #[test]
    fn a_share_of_many_requests_is_kept_over_time() {
        let (budget, began) = (Budget::default(), Instant::now());
        let mut again = 0;
        // A thousand requests a second, all of which fail.
        for second in 0..60_u32 {
            for part in 0..10_u32 {
                let now = began + Duration::from_secs(second.into()) + part * STEP / 10;
                again += taken(&budget, now, u64::from(second * 1_000 + part * 100), 100);
            }
        }
        assert!((11_000..=12_500).contains(&again), "{again} of 60,000");
        assert!(budget.0.lock().expect("nobody panicked").len() <= 12);
    }
}
