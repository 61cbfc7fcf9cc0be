//! An endpoint by lot, each as often as its weight says: two of them are drawn, and the less busy
//! one gets the request. While neither is busy that is the first, so that the weights hold for a
//! trickle of requests as well.
//!
//! Envoy's policy of the same kind draws both without regard to weights, and falls back to turns
//! where these differ.

use super::{Share, WHOLE};

/// Draws before those that may be picked are looked for one by one.
const TRIES: usize = 8;

/// A table of aliases (Vose): a draw takes the same time however many there are.
#[derive(Debug)]
pub(super) struct Draw {
    weights: Vec<u32>,
    /// For each column: below which share of it the column's own index is drawn, and the index that
    /// has the rest.
    columns: Vec<(f64, usize)>,
}

impl Draw {
    pub(super) fn new(weights: &[u32]) -> Self {
        let total: f64 = weights.iter().copied().map(f64::from).sum();
        let count = f64::from(u32::try_from(weights.len()).unwrap_or(u32::MAX));
        let mut left: Vec<f64> = weights.iter().map(|w| f64::from(*w) * count / total).collect();
        let mut columns: Vec<_> = (0..weights.len()).map(|index| (1.0, index)).collect();
        let (mut small, mut large): (Vec<_>, Vec<_>) =
            (0..weights.len()).partition(|index| left[*index] < 1.0);
        while let (Some(less), Some(more)) = (small.pop(), large.pop()) {
            columns[less] = (left[less], more);
            left[more] -= 1.0 - left[less];
            if left[more] < 1.0 { small.push(more) } else { large.push(more) }
        }
        Self { weights: weights.to_vec(), columns }
    }

    /// One that may be picked; `None` if none may.
    pub(super) fn next(&self, share: impl Fn(usize) -> Share) -> Option<usize> {
        let share = |index: usize| if self.weights[index] == 0 { 0 } else { share(index) };
        if let [_] = *self.weights {
            return (share(0) > 0).then_some(0);
        }
        if self.columns.is_empty() {
            return None;
        }
        for _ in 0..TRIES {
            let column = fastrand::usize(..self.columns.len());
            let (own, other) = self.columns[column];
            let index = if fastrand::f64() < own { column } else { other };
            let share = share(index);
            if share >= WHOLE || share > 0 && fastrand::u32(..WHOLE) < share {
                return Some(index);
            }
        }
        let weigh = |index| u64::from(self.weights[index]) * u64::from(share(index));
        let total: u64 = (0..self.weights.len()).map(weigh).sum();
        let mut lot = if total == 0 { return None } else { fastrand::u64(..total) };
        (0..self.weights.len()).find(|index| {
            let weight = weigh(*index);
            let here = lot < weight;
            lot = lot.saturating_sub(weight);
            here
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(draw: &Draw, times: usize, share: impl Fn(usize) -> Share) -> Vec<usize> {
        let mut counts = vec![0; draw.weights.len()];
        for _ in 0..times {
            counts[draw.next(&share).expect("somebody may")] += 1;
        }
        counts
    }

    /// Within five standard deviations of what the weight says.
    fn near(count: usize, times: f64, part: f64) -> bool {
        let count = f64::from(u32::try_from(count).expect("small"));
        (count - times * part).abs() < 5.0 * (times * part * (1.0 - part)).sqrt() + 1.0
    }

    #[test]
    fn each_is_drawn_as_often_as_it_weighs() {
        for weights in [&[1, 1, 1][..], &[5, 1, 2], &[0, 9, 1], &[1], &[65_535, 1, 0, 300]] {
            let total: f64 = weights.iter().copied().map(f64::from).sum();
            let counts = counted(&Draw::new(weights), 20_000, |_| WHOLE);
            for (count, weight) in counts.iter().zip(weights) {
                assert!(
                    near(*count, 20_000.0, f64::from(*weight) / total),
                    "{weights:?} {counts:?}"
                );
            }
        }
    }

    #[test]
    fn a_share_of_the_weight_is_kept() {
        let counts =
            counted(&Draw::new(&[1, 1]), 22_000, |index| if index == 0 { WHOLE } else { 100 });
        assert!(near(counts[1], 22_000.0, 1.0 / 11.0), "{counts:?}");
    }

    #[test]
    fn the_only_one_that_may_is_found_among_many() {
        let draw = Draw::new(&vec![1; 1_000]);
        let only = |index| Share::from(index == 777);
        assert_eq!(draw.next(only), Some(777));
        assert_eq!(draw.next(|_| 0), None);
        assert_eq!(Draw::new(&[]).next(|_| WHOLE), None);
        assert_eq!(Draw::new(&[0, 0]).next(|_| WHOLE), None);
        assert_eq!(Draw::new(&[0]).next(|_| WHOLE), None);
    }
}
