//! Choice of the negatives.

/// One choice of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Triplet {
    pub(super) positive: u32,
    pub(super) negative: u32,
}

/// The triplets of one anchor; its memory serves one anchor after another.
#[derive(Debug, Default)]
pub(super) struct Triplets {
    /// Distance and row of the anchor's negatives, nearest first.
    negatives: Vec<(f64, u32)>,
    /// Positives of the anchor, with and without a triplet.
    pub(super) pairs: usize,
    /// One per pair that adds to the loss, in the order of the positives' rows.
    pub(super) chosen: Vec<Triplet>,
}

impl Triplets {
    /// Replaces the triplets by those of `anchor`, by the rule of [`triplet_loss`](super::triplet_loss):
    /// `distances` are d(anchor, row) of all rows, `classes` their classes, `None` for rows that do not
    /// count. Of equally near negatives the first row is taken, so that a tie never depends on how a sort was
    /// done.
    pub(super) fn mine(&mut self, anchor: usize, distances: &[f64], classes: &[Option<u8>], margin: f64) {
        self.negatives.clear();
        self.chosen.clear();
        self.pairs = 0;
        let own = classes[anchor];
        for (row, class) in classes.iter().enumerate() {
            if class.is_some() && *class != own {
                self.negatives.push((distances[row], row as u32));
            }
        }
        self.negatives.sort_unstable_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
        let Some(&farthest) = self.negatives.last() else { return };
        for (row, class) in classes.iter().enumerate() {
            if row == anchor || *class != own {
                continue;
            }
            self.pairs += 1;
            let positive = distances[row];
            let beyond = self.negatives.partition_point(|negative| negative.0 <= positive);
            let (distance, negative) = self.negatives.get(beyond).copied().unwrap_or(farthest);
            if distance < positive + margin {
                self.chosen.push(Triplet { positive: row as u32, negative });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_case_of_the_rule() {
        // Row 0 is the anchor; 1, 2, 3 are its positives; 4, 5 its negatives; 6 does not count.
        let classes = [Some(1), Some(1), Some(1), Some(1), Some(0), Some(2), None];
        let distances = [0.0, 0.3, 0.05, 0.9, 0.4, 0.5, 0.31];
        let mut triplets = Triplets::default();
        triplets.mine(0, &distances, &classes, 0.2);
        assert_eq!(triplets.pairs, 3);
        // 1 finds 4 within its margin, 2 is apart from all, 3 lies beyond all and takes the farthest.
        let expected = [Triplet { positive: 1, negative: 4 }, Triplet { positive: 3, negative: 5 }];
        assert_eq!(triplets.chosen, expected);
        // A negative exactly as far as the positive is not semi-hard, one exactly at the margin adds nothing.
        triplets.mine(0, &[0.0, 0.5, 0.25, 0.25, 0.5, 0.75], &classes[..6], 0.25);
        assert_eq!(triplets.chosen, []);
        triplets.mine(0, &[0.0, 0.5, 0.25, 0.25, 0.5, 0.75], &classes[..6], 0.2501);
        let chosen: Vec<_> =
            triplets.chosen.iter().map(|triplet| (triplet.positive, triplet.negative)).collect();
        assert_eq!(chosen, [(1, 5), (2, 4), (3, 4)]);
    }

    proptest! {
        /// Against the rule read off directly, over distances with many ties.
        #[test]
        fn the_choice_is_that_of_brute_force(
            rows in prop::collection::vec((0_u8..12, prop::option::weighted(0.8, 0_u8..3)), 1..30),
            margin in 0.05..1.0_f64,
        ) {
            let mut classes: Vec<Option<u8>> = rows.iter().map(|row| row.1).collect();
            classes[0] = Some(0);
            let distances: Vec<f64> = rows.iter().map(|row| f64::from(row.0) / 4.0).collect();
            let mut triplets = Triplets::default();
            triplets.mine(0, &distances, &classes, margin);

            let negatives: Vec<usize> =
                (0..rows.len()).filter(|row| matches!(classes[*row], Some(1 | 2))).collect();
            let positives: Vec<usize> = (1..rows.len()).filter(|row| classes[*row] == Some(0)).collect();
            let mut chosen = triplets.chosen.iter();
            for positive in positives {
                let near = distances[positive];
                let semi_hard = |row: usize| near < distances[row] && distances[row] < near + margin;
                let beyond: Vec<usize> =
                    negatives.iter().copied().filter(|row| distances[*row] > near).collect();
                if negatives.is_empty() || (!beyond.is_empty() && !beyond.iter().any(|row| semi_hard(*row))) {
                    continue;
                }
                let triplet = chosen.next();
                prop_assert!(triplet.is_some_and(|triplet| triplet.positive as usize == positive));
                let negative = triplet.map_or(0, |triplet| triplet.negative as usize);
                prop_assert!(negatives.contains(&negative));
                if beyond.is_empty() {
                    prop_assert!(negatives.iter().all(|row| distances[*row] <= distances[negative]));
                } else {
                    prop_assert!(semi_hard(negative));
                    prop_assert!(beyond.iter().all(|row| distances[*row] >= distances[negative]));
                    let first = beyond.iter().find(|row| distances[**row] == distances[negative]);
                    prop_assert_eq!(first, Some(&negative));
                }
            }
            prop_assert!(chosen.next().is_none());
        }
    }
}
