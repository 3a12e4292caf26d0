//! Spreading the points of a beeswarm so that none covers another.

/// Vertical offsets of points at the pixels `positions` so that the centres of any two are at least `apart` away from each
/// other; each point lies as near to 0 as those left of it allow (the "swarm" method of Eklund's R package `beeswarm`).
///
/// Deterministic: ties go up and down in turn. O(n log n) for n points and as many neighbours as touch.
pub(crate) fn swarm_offsets(positions: &[f64], apart: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..positions.len()).collect();
    order.sort_by(|&one, &two| positions[one].total_cmp(&positions[two]).then(one.cmp(&two)));
    let mut offsets = vec![0.0; positions.len()];
    let mut first_near = 0;
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (rank, &point) in order.iter().enumerate() {
        while positions[point] - positions[order[first_near]] >= apart {
            first_near += 1;
        }
        taken.clear();
        for &other in &order[first_near..rank] {
            let across = positions[point] - positions[other];
            let reach = (apart * apart - across * across).max(0.0).sqrt();
            taken.push((offsets[other] - reach, offsets[other] + reach));
        }
        offsets[point] = nearest_free(&mut taken, rank % 2 == 0);
    }
    offsets
}

/// The number nearest to 0 that lies within none of the open intervals `taken`.
fn nearest_free(taken: &mut [(f64, f64)], up_first: bool) -> f64 {
    // The union of the intervals around 0, grown to either side.
    taken.sort_by(|one, two| one.0.total_cmp(&two.0));
    let above =
        taken.iter().fold(0.0, |above: f64, &(low, high)| if low < above { above.max(high) } else { above });
    taken.sort_by(|one, two| two.1.total_cmp(&one.1));
    let below =
        taken.iter().fold(0.0, |below: f64, &(low, high)| if high > below { below.min(low) } else { below });
    if above == 0.0 || below == 0.0 {
        return 0.0;
    }
    if above < -below || (above == -below && up_first) { above } else { below }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nearest_distance(positions: &[f64], offsets: &[f64]) -> f64 {
        let mut nearest = f64::INFINITY;
        for one in 0..positions.len() {
            for two in 0..one {
                nearest = nearest.min((positions[one] - positions[two]).hypot(offsets[one] - offsets[two]));
            }
        }
        nearest
    }

    #[test]
    fn points_on_one_spot_become_a_column() {
        let mut offsets = swarm_offsets(&[5.0; 5], 2.0);
        offsets.sort_by(f64::total_cmp);
        assert_eq!(offsets, [-4.0, -2.0, 0.0, 2.0, 4.0]);
        assert_eq!(swarm_offsets(&[0.0, 10.0, 3.0], 2.0), [0.0; 3]);
        assert!(swarm_offsets(&[], 2.0).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_two_points_touch(positions in prop::collection::vec(0.0..60.0_f64, 0..120)) {
            let offsets = swarm_offsets(&positions, 4.0);
            prop_assert_eq!(offsets.len(), positions.len());
            prop_assert!(nearest_distance(&positions, &offsets) >= 4.0 - 1e-9);
        }

        /// Against trying every candidate: 0 and both ends of each interval.
        #[test]
        fn the_free_place_is_the_nearest(intervals in prop::collection::vec((-9.0..9.0_f64, 0.1..6.0_f64), 0..8)) {
            let mut taken: Vec<(f64, f64)> = intervals.iter().map(|(middle, reach)| (middle - reach, middle + reach)).collect();
            let candidates = taken.iter().flat_map(|&(low, high)| [low, high]).chain([0.0]);
            let best = candidates
                .filter(|place| !taken.iter().any(|&(low, high)| *place > low && *place < high))
                .map(f64::abs)
                .fold(f64::INFINITY, f64::min);
            prop_assert_eq!(nearest_free(&mut taken, true).abs(), best);
        }
    }
}
