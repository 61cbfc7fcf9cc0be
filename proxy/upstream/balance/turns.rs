//! Whose turn it is: round robin by weight, smoothly, so that an endpoint of weight 5 among two of
//! weight 1 is not asked five times in a row.

use std::sync::{Mutex, PoisonError};

use super::Share;

/// The turns of one upstream's endpoints.
#[derive(Debug)]
pub(super) struct Turns {
    weights: Vec<u32>,
    /// What each endpoint is owed: it gains its weight at each turn, and whoever is owed most has
    /// the turn and pays what all gained together.
    owed: Mutex<Vec<i64>>,
}

impl Turns {
    /// Endpoints with these weights; one of weight 0 never has a turn.
    pub(super) fn new(weights: Vec<u32>) -> Self {
        let owed = Mutex::new(vec![0; weights.len()]);
        Self { weights, owed }
    }

    /// The next, by the weights and by how much of its weight each has at present ([`Share`]); `None`
    /// if none has any.
    pub(super) fn next(&self, share: impl Fn(usize) -> Share) -> Option<usize> {
        if let [weight] = *self.weights {
            return (weight > 0 && share(0) > 0).then_some(0);
        }
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut best, mut gained) = (None, 0);
        for (index, weight) in self.weights.iter().enumerate() {
            let weight = i64::from(*weight) * i64::from(share(index));
            if weight == 0 {
                continue;
            }
            owed[index] += weight;
            gained += weight;
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
    use super::super::WHOLE;
    use super::*;

    fn turns(turns: &Turns, count: usize, may: impl Fn(usize) -> bool) -> Vec<usize> {
        let share = |index| if may(index) { WHOLE } else { 0 };
        (0..count).map(|_| turns.next(share).expect("somebody may")).collect()
    }

    #[test]
    fn who_has_a_tenth_of_its_weight_has_a_tenth_of_the_turns() {
        let round = Turns::new(vec![1, 1]);
        let share = |index| if index == 0 { WHOLE } else { WHOLE / 10 };
        let picks: Vec<_> = (0..110).filter_map(|_| round.next(share)).collect();
        assert_eq!(picks.iter().sum::<usize>(), 10);
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
        assert_eq!(round.next(|index| if index == 1 { WHOLE } else { 0 }), None);
        assert_eq!(Turns::new(vec![0]).next(|_| WHOLE), None);
        assert_eq!(Turns::new(Vec::new()).next(|_| WHOLE), None);
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
