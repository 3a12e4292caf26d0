//! Whole numbers in given proportions.

use super::CLASSES;

/// Divides batch after batch among classes: the method of the largest remainder (Hamilton), with what a
/// batch left over or took too much carried to the next.
///
/// Of a batch of `n`, class `c` gets `⌊n s_c⌋` or `⌈n s_c⌉`, and over any number of batches of one size no
/// class is a whole sample away from its exact share.
#[derive(Clone, Debug)]
pub(super) struct Apportionment {
    shares: [f64; CLASSES],
    /// What each class is owed; sums to 0.
    owed: [f64; CLASSES],
}

impl Apportionment {
    /// `shares` are 0 or more and sum to 1.
    pub(super) fn new(shares: [f64; CLASSES]) -> Self {
        Self { shares, owed: [0.0; CLASSES] }
    }

    /// How many of the next `size` samples each class gets; sums to `size`.
    pub(super) fn next(&mut self, size: usize) -> [usize; CLASSES] {
        let exact = self.shares.map(|share| share * size as f64);
        let mut counts = exact.map(|exact| exact.floor() as usize);
        for class in 0..CLASSES {
            self.owed[class] += exact[class] - counts[class] as f64;
        }
        let mut by_claim: [usize; CLASSES] = std::array::from_fn(|class| class);
        // Stable, so that the first of equals wins on every machine.
        by_claim.sort_by(|left, right| self.owed[*right].total_cmp(&self.owed[*left]));
        let rest = size.saturating_sub(counts.iter().sum());
        // The largest remainders are less than one short each, so `rest` never exceeds the classes present.
        for &class in by_claim.iter().filter(|class| self.shares[**class] > 0.0).take(rest) {
            counts[class] += 1;
            self.owed[class] -= 1.0;
        }
        counts
    }
}

/// Splits off a share of numbers that come one after the other, so that the sum split off is always the
/// share of the sum, rounded.
#[derive(Clone, Debug)]
pub(super) struct RunningShare {
    share: f64,
    seen: usize,
    given: usize,
}

impl RunningShare {
    /// `share` lies in `[0, 1]`.
    pub(super) fn new(share: f64) -> Self {
        Self { share, seen: 0, given: 0 }
    }

    /// How many of the next `count` fall to the share.
    pub(super) fn next(&mut self, count: usize) -> usize {
        self.seen += count;
        let due = (self.share * self.seen as f64).round() as usize;
        let now = due.saturating_sub(self.given).min(count);
        self.given += now;
        now
    }
}

/// How often to draw from each of several decks of `sizes` cards, `draws` in all: whole passes through
/// everything first, and the rest as evenly over the decks as their sizes allow without drawing a card
/// twice. What cannot be divided goes to the decks that come first.
pub(super) fn evenly(sizes: &[usize], draws: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    if total == 0 {
        return vec![0; sizes.len()];
    }
    let (passes, mut rest) = (draws / total, draws % total);
    let mut ascending = sizes.to_vec();
    ascending.sort_unstable();
    // Decks below the level are used up, the others give as much as the level.
    let (mut level, mut over) = (0, 0);
    for (index, &size) in ascending.iter().enumerate() {
        let decks = sizes.len() - index;
        if size.saturating_mul(decks) >= rest {
            (level, over) = (rest / decks, rest % decks);
            break;
        }
        rest -= size;
    }
    let mut quotas = Vec::with_capacity(sizes.len());
    for &size in sizes {
        let mut quota = passes * size + size.min(level);
        if size > level && over > 0 {
            quota += 1;
            over -= 1;
        }
        quotas.push(quota);
    }
    quotas
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_batch_could_not_give_comes_with_the_next() {
        let mut quarter = Apportionment::new([0.25, 0.25, 0.5]);
        assert_eq!(quarter.next(10), [3, 2, 5]);
        assert_eq!(quarter.next(10), [2, 3, 5]);
        assert_eq!(quarter.next(10), [3, 2, 5]);
        let mut thirds = Apportionment::new([1.0 / 3.0; 3]);
        assert_eq!(thirds.next(128), [43, 43, 42]);
        assert_eq!(thirds.next(128), [43, 42, 43]);
        assert_eq!(thirds.next(128), [42, 43, 43]);
        // A class of one in ten comes once in five batches of two.
        let mut rare = Apportionment::new([0.1, 0.9, 0.0]);
        let counts: Vec<_> = (0..10).map(|_| rare.next(2)[0]).collect();
        assert_eq!(counts.iter().sum::<usize>(), 2);
        assert_eq!(Apportionment::new([1.0, 0.0, 0.0]).next(7), [7, 0, 0]);
    }

    #[test]
    fn decks_are_used_evenly_until_the_small_ones_are_used_up() {
        assert_eq!(evenly(&[10, 10, 10], 7), [3, 2, 2]);
        assert_eq!(evenly(&[2, 10, 10], 12), [2, 5, 5]);
        assert_eq!(evenly(&[2, 10, 10], 13), [2, 6, 5]);
        assert_eq!(evenly(&[1, 3, 100], 9), [1, 3, 5]);
        assert_eq!(evenly(&[10, 90], 100), [10, 90]);
        // One whole pass, then three more each.
        assert_eq!(evenly(&[10, 90], 106), [13, 93]);
        assert_eq!(evenly(&[0, 4], 3), [0, 3]);
        assert_eq!(evenly(&[], 3), [0_usize; 0]);
        assert_eq!(evenly(&[5], 12), [12]);
    }

    proptest! {
        #[test]
        fn every_batch_is_rounded_and_nothing_is_lost(
            weights in prop::array::uniform3(0.0_f64..1.0),
            zero in 0_usize..6,
            size in 1_usize..300,
            batches in 1_usize..200,
        ) {
            let mut weights = weights.map(|weight| weight + 1e-3);
            if zero < 3 {
                weights[zero] = 0.0;
            }
            let sum: f64 = weights.iter().sum();
            let shares = weights.map(|weight| weight / sum);
            let mut apportionment = Apportionment::new(shares);
            let mut totals = [0_usize; 3];
            for batch in 1..=batches {
                let counts = apportionment.next(size);
                prop_assert_eq!(counts.iter().sum::<usize>(), size);
                for class in 0..3 {
                    let exact = shares[class] * size as f64;
                    prop_assert!((counts[class] as f64 - exact).abs() < 1.0 + 1e-9);
                    totals[class] += counts[class];
                    let exact = shares[class] * (size * batch) as f64;
                    prop_assert!((totals[class] as f64 - exact).abs() < 1.0, "{} {}", totals[class], exact);
                    prop_assert!(shares[class] > 0.0 || counts[class] == 0);
                }
            }
        }

        #[test]
        fn a_running_share_is_never_more_than_rounding_away(
            share in 0.0_f64..=1.0, counts in prop::collection::vec(0_usize..60, 1..100),
        ) {
            let mut running = RunningShare::new(share);
            let (mut seen, mut given) = (0, 0);
            for count in counts {
                let now = running.next(count);
                prop_assert!((now as f64 - share * count as f64).abs() < 1.0 + 1e-9);
                seen += count;
                given += now;
                prop_assert!((given as f64 - share * seen as f64).abs() <= 0.5 + 1e-9);
            }
        }

        #[test]
        fn quotas_are_even_where_sizes_allow(
            sizes in prop::collection::vec(0_usize..40, 1..20), draws in 0_usize..1500,
        ) {
            let total: usize = sizes.iter().sum();
            prop_assume!(total > 0);
            let quotas = evenly(&sizes, draws);
            prop_assert_eq!(quotas.iter().sum::<usize>(), draws);
            let passes = draws / total;
            let rest: Vec<_> = quotas.iter().zip(&sizes).map(|(quota, size)| quota - passes * size).collect();
            let most = rest.iter().max().copied().unwrap();
            for (rest, size) in rest.iter().zip(&sizes) {
                prop_assert!(rest <= size);
                // Who gives less than the most (beyond rounding) has nothing left.
                prop_assert!(rest + 1 >= most || rest == size);
            }
        }
    }
}
