//! Whose turn it is: round robin by weight, smoothly, so that an endpoint of weight 5 among two of
//! weight 1 is not asked five times in a row.

use std::sync::{Mutex, PoisonError};

/// The turns of one upstream's endpoints.
#[derive(Debug)]
pub struct Turns {
    weights: Vec<u32>,
    /// What each endpoint is owed: it gains its weight at each turn, and whoever is owed most has
    /// the turn and pays what all gained together.
    owed: Mutex<Vec<i64>>,
}

impl Turns {
    /// Endpoints with these weights; one of weight 0 never has a turn.
    #[must_use]
    pub fn new(weights: Vec<u32>) -> Self {
        let owed = Mutex::new(vec![0; weights.len()]);
        Self { weights, owed }
    }

    /// The next among those that `may` have a turn; `None` if none may.
    pub fn next(&self, may: impl Fn(usize) -> bool) -> Option<usize> {
        if let [weight] = *self.weights {
            return (weight > 0 && may(0)).then_some(0);
        }
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut best, mut gained) = (None, 0);
        for (index, weight) in self.weights.iter().enumerate() {
            if *weight == 0 || !may(index) {
                continue;
            }
            owed[index] += i64::from(*weight);
            gained += i64::from(*weight);
            if best.is_none_or(|best: usize| owed[index] > owed[best]) {
                best = Some(index);
            }
        }
        let best = best?;
        owed[best] -= gained;
        Some(best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(turns: &Turns, count: usize, may: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..count).map(|_| turns.next(&may).expect("somebody may")).collect()
    }

    #[test]
    fn weights_are_kept_and_turns_are_spread() {
        let round = Turns::new(vec![5, 1, 1]);
        assert_eq!(turns(&round, 7, |_| true), [0, 0, 1, 0, 2, 0, 0]);
        assert_eq!(turns(&round, 7, |_| true), [0, 0, 1, 0, 2, 0, 0], "each round is alike");
    }

    #[test]
    fn who_may_not_and_who_weighs_nothing_has_no_turn() {
        let round = Turns::new(vec![1, 0, 1]);
        assert_eq!(turns(&round, 3, |index| index != 0), [2, 2, 2]);
        assert_eq!(round.next(|index| index == 1), None);
        assert_eq!(Turns::new(vec![0]).next(|_| true), None);
        assert_eq!(Turns::new(Vec::new()).next(|_| true), None);
    }

    #[test]
    fn many_threads_share_the_turns_exactly() {
        let round = Turns::new(vec![3, 1]);
        let counts: Vec<usize> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| turns(&round, 1_000, |_| true).iter().sum()))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(counts.iter().sum::<usize>(), 1_000, "one turn in four is the second's");
    }
}
