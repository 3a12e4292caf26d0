//! The weights of a decision rule that do best on the rows they are fitted on.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::decision::{DecisionConfig, DecisionRule};
use crate::metrics::Confusion;
use crate::prediction_rows::class_of_highest;

/// Steps of the first grid in each direction: a thirty-second of the rows each.
const GRID_STEPS: usize = 32;
/// How often the grid is made finer about the best point. More would follow single rows.
const REFINEMENTS: usize = 3;
/// By how much each time; so the last steps are a 2048th of the rows.
const REFINEMENT: usize = 4;
/// Rounds in which each class gets its share once. Probabilities without ties need a few.
const SHARE_ROUNDS: usize = 60;
/// Logarithms are taken of probabilities of at least this, so that differences of them are finite.
const LOWEST_PROBABILITY: f32 = f32::MIN_POSITIVE;

/// Probabilities of the rows of each true class, a column per class.
struct RowsByClass([[Vec<f32>; 3]; 3]);

impl RowsByClass {
    fn new(rows: &[[f32; 3]], targets: &[u8]) -> Self {
        let mut columns: [[Vec<f32>; 3]; 3] = Default::default();
        for (values, &target) in rows.iter().zip(targets) {
            for (column, &value) in columns[usize::from(target)].iter_mut().zip(values) {
                column.push(value);
            }
        }
        Self(columns)
    }

    /// What `rule` makes of the rows: the products and the order of [`DecisionRule::decide`], so that what is
    /// found here holds there to the row.
    fn confusion(&self, rule: &DecisionRule) -> Confusion {
        let [to_sell, to_hold, to_buy] = rule.weights;
        let counts = |[sell, hold, buy]: &[Vec<f32>; 3]| {
            let mut of_class = [0_u64; 3];
            for ((&sell, &hold), &buy) in sell.iter().zip(hold).zip(buy) {
                let products =
                    [to_sell * f64::from(sell), to_hold * f64::from(hold), to_buy * f64::from(buy)];
                let class = class_of_highest(products);
                of_class[0] += u64::from(class == 0);
                of_class[2] += u64::from(class == 2);
            }
            of_class[1] = sell.len() as u64 - of_class[0] - of_class[2];
            of_class
        };
        let [sell, hold, buy] = &self.0;
        Confusion { counts: [counts(sell), counts(hold), counts(buy)] }
    }
}

/// Logarithms of the weights of Sell and Buy relative to that of Hold.
type LogRatios = [f64; 2];

fn rule_of([sell, buy]: LogRatios) -> DecisionRule {
    // The largest is exp(0), so that no weight overflows.
    let highest = sell.max(buy).max(0.0);
    let weights = [(sell - highest).exp(), (-highest).exp(), (buy - highest).exp()];
    let sum: f64 = weights.iter().sum();
    DecisionRule { weights: weights.map(|weight| weight / sum) }
}

/// A point of the search and what it is worth.
#[derive(Clone, Copy)]
struct Candidate {
    ratios: LogRatios,
    rule: DecisionRule,
    /// How far the predicted shares are from where they have to be; 0 is there.
    excess: f64,
    macro_f1: f64,
}

impl Candidate {
    fn new(ratios: LogRatios, rows: &RowsByClass, excess: impl Fn(&Confusion) -> f64) -> Self {
        // Equal weights must be those of the default to the last bit.
        let rule = if ratios == [0.0; 2] { DecisionRule::default() } else { rule_of(ratios) };
        let confusion = rows.confusion(&rule);
        Self { ratios, rule, excess: excess(&confusion), macro_f1: confusion.macro_f1() }
    }

    /// `Less` for the better one: less excess, then the higher macro F1, then the weights nearer to equal
    /// ones.
    fn compare(&self, other: &Self) -> Ordering {
        let distance = |[sell, buy]: LogRatios| sell * sell + buy * buy;
        self.excess
            .total_cmp(&other.excess)
            .then(other.macro_f1.total_cmp(&self.macro_f1))
            .then(distance(self.ratios).total_cmp(&distance(other.ratios)))
    }
}

fn logarithms(rows: &[[f32; 3]]) -> Vec<[f64; 3]> {
    rows.iter().map(|row| row.map(|value| f64::from(value.max(LOWEST_PROBABILITY)).ln())).collect()
}

/// The log-ratio at which each row changes from Hold to another class, in rising order: a grid even in the
/// ranks of these puts as many rows between any two points, however sure or unsure the model is.
struct CriticalRatios(Vec<f64>);

impl CriticalRatios {
    fn new(logarithms: &[[f64; 3]], class: usize) -> Self {
        let mut values: Vec<f64> = logarithms.iter().map(|row| row[1] - row[class]).collect();
        values.sort_unstable_by(f64::total_cmp);
        Self(values)
    }

    /// A ratio at which the class goes before Hold in exactly `rank` rows (if none are equal).
    fn at(&self, rank: usize) -> f64 {
        gap_middle(&self.0, rank)
    }

    fn rank_of(&self, ratio: f64) -> usize {
        self.0.partition_point(|&critical| critical < ratio)
    }
}

/// The middle between the `rank` lowest of `sorted` and the others; 1 beyond the end where there are no
/// others.
fn gap_middle(sorted: &[f64], rank: usize) -> f64 {
    match (rank.checked_sub(1).and_then(|below| sorted.get(below)), sorted.get(rank)) {
        (Some(below), Some(above)) => below.midpoint(*above),
        (Some(below), None) => below + 1.0,
        (None, Some(above)) => above - 1.0,
        (None, None) => 0.0,
    }
}

/// The weights with the highest macro F1 within the bounds of `config`, if it sets them.
pub(super) fn best_macro_f1(rows: &[[f32; 3]], targets: &[u8], config: &DecisionConfig) -> DecisionRule {
    let by_class = RowsByClass::new(rows, targets);
    let excess =
        |confusion: &Confusion| if config.bound_shares { config.share_excess(confusion) } else { 0.0 };
    let logarithms = logarithms(rows);
    let critical = [CriticalRatios::new(&logarithms, 0), CriticalRatios::new(&logarithms, 2)];
    let count = rows.len();
    let best_of = |ranks: [Vec<usize>; 2], start: Candidate| {
        let [sell, buy] = &ranks;
        let pairs: Vec<LogRatios> = sell
            .iter()
            .flat_map(|&sell| buy.iter().map(move |&buy| (sell, buy)))
            .map(|(sell, buy)| [critical[0].at(sell), critical[1].at(buy)])
            .collect();
        let tried: Vec<Candidate> =
            pairs.into_par_iter().map(|ratios| Candidate::new(ratios, &by_class, excess)).collect();
        tried.into_iter().fold(start, |best, next| if next.compare(&best).is_lt() { next } else { best })
    };

    // Narrow bounds may lie between the points of the grid; the matched shares lie within them.
    let equal = Candidate::new([0.0; 2], &by_class, excess);
    let matched = Candidate::new(matched_ratios(&logarithms, &by_class), &by_class, excess);
    let start = if matched.compare(&equal).is_lt() { matched } else { equal };
    let steps = GRID_STEPS.min(count);
    let everywhere: Vec<usize> = (0..=steps).map(|index| index * count / steps).collect();
    let mut best = best_of([everywhere.clone(), everywhere], start);
    let mut step = count.div_ceil(GRID_STEPS);
    for _ in 0..REFINEMENTS {
        step = step.div_ceil(REFINEMENT);
        let about = |class: usize| {
            let centre = critical[class].rank_of(best.ratios[class]);
            let around = (0..=2 * REFINEMENT)
                .filter_map(|index| (centre + index * step).checked_sub(REFINEMENT * step));
            around.filter(|&rank| rank <= count).collect::<Vec<usize>>()
        };
        best = best_of([about(0), about(1)], best);
    }
    best.rule
}

/// The weights whose predicted shares are nearest to the true ones.
pub(super) fn match_shares(rows: &[[f32; 3]], targets: &[u8]) -> DecisionRule {
    let by_class = RowsByClass::new(rows, targets);
    let ratios = matched_ratios(&logarithms(rows), &by_class);
    Candidate::new(ratios, &by_class, share_distance).rule
}

/// Largest difference of a predicted share from the true one.
fn share_distance(confusion: &Confusion) -> f64 {
    let shares = confusion.predicted_shares().into_iter().zip(confusion.true_shares());
    shares.map(|(predicted, truth)| (predicted - truth).abs()).fold(0.0, f64::max)
}

/// Adds an offset to the logarithms of one class after the other, each time so that just as many rows as are
/// of that class prefer it: coordinate ascent on the concave dual of the assignment of rows to classes with
/// given counts. The point nearest to them on the way is kept.
fn matched_ratios(logarithms: &[[f64; 3]], by_class: &RowsByClass) -> LogRatios {
    let mut best = Candidate::new([0.0; 2], by_class, share_distance);
    let wanted = by_class.confusion(&best.rule).true_counts();
    let mut offsets = [0.0_f64; 3];
    let mut critical = vec![0.0; logarithms.len()];
    for _ in 0..SHARE_ROUNDS {
        let before = offsets;
        for class in 0..3 {
            let (one, other) = ((class + 1) % 3, (class + 2) % 3);
            for (value, row) in critical.iter_mut().zip(logarithms) {
                *value = (row[one] + offsets[one]).max(row[other] + offsets[other]) - row[class];
            }
            offsets[class] = partition_middle(&mut critical, wanted[class] as usize);
            let ratios = [offsets[0] - offsets[1], offsets[2] - offsets[1]];
            let next = Candidate::new(ratios, by_class, share_distance);
            if next.compare(&best).is_lt() {
                best = next;
            }
            if best.excess == 0.0 {
                return best.ratios;
            }
        }
        let moved = offsets.iter().zip(before).map(|(now, before)| now - before);
        let (lowest, highest) =
            moved.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), by| (low.min(by), high.max(by)));
        // All moved alike: the ratios stand still.
        if highest - lowest <= 1e-12 {
            break;
        }
    }
    best.ratios
}

/// [`gap_middle`] of values in any order, without sorting them all.
fn partition_middle(values: &mut [f64], rank: usize) -> f64 {
    if rank == 0 {
        return values.iter().copied().fold(f64::INFINITY, f64::min) - 1.0;
    }
    if rank >= values.len() {
        return values.iter().copied().fold(f64::NEG_INFINITY, f64::max) + 1.0;
    }
    let (lower, above, _) = values.select_nth_unstable_by(rank, f64::total_cmp);
    lower.iter().copied().fold(f64::NEG_INFINITY, f64::max).midpoint(*above)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_distr::{Distribution, StandardNormal};

    use super::super::decision::DecisionObjective;
    use super::super::temperature::softmax;
    use super::*;
    use crate::random::generator;

    /// Probabilities of an unsure model on rare Sell and Buy, whose most probable class is nearly always
    /// Hold.
    fn unsure_model(rows: usize, skill: f64, index: u64) -> (Vec<f32>, Vec<u8>) {
        let mut rng = generator(8, "test/unsure-model", index);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let (mut logits, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let (signal, noise) = (normal(), normal());
            let outcome = skill * signal + (1.0 - skill * skill).sqrt() * noise;
            targets.push(if outcome < -1.0 {
                0
            } else if outcome > 1.2 {
                2
            } else {
                1
            });
            let blur = 0.1 * normal();
            logits.extend([(-0.4 * signal + blur) as f32, 1.6, (0.4 * signal - 0.2) as f32]);
        }
        (softmax(&logits).unwrap(), targets)
    }

    fn confusion(rule: &DecisionRule, probabilities: &[f32], targets: &[u8]) -> Confusion {
        let mut confusion = Confusion::default();
        for (class, &target) in rule.apply(probabilities).unwrap().into_iter().zip(targets) {
            confusion.counts[usize::from(target)][usize::from(class)] += 1;
        }
        confusion
    }

    fn fit(probabilities: &[f32], targets: &[u8], config: &DecisionConfig) -> (DecisionRule, Confusion) {
        let rule = DecisionRule::fit(probabilities, targets, config).unwrap();
        (rule, confusion(&rule, probabilities, targets))
    }

    fn unbounded() -> DecisionConfig {
        DecisionConfig { bound_shares: false, ..DecisionConfig::default() }
    }

    #[test]
    fn macro_f1_is_the_highest_of_a_dense_grid() {
        let (probabilities, targets) = unsure_model(600, 0.4, 0);
        let (_, argmax) = fit(
            &probabilities,
            &targets,
            &DecisionConfig { objective: DecisionObjective::Argmax, ..DecisionConfig::default() },
        );
        let highest = |config: &DecisionConfig| {
            let ratio = |step: i32| 1.0 + f64::from(step) * 0.02;
            let points = (-50..=50).flat_map(|sell| (-50..=60).map(move |buy| [ratio(sell), ratio(buy)]));
            let scores = points.map(|point| confusion(&rule_of(point), &probabilities, &targets));
            let within = scores.filter(|seen| !config.bound_shares || config.share_excess(seen) == 0.0);
            within.map(|seen| seen.macro_f1()).fold(0.0, f64::max)
        };
        let narrow = DecisionConfig { share_bounds: [0.9, 1.1], ..DecisionConfig::default() };
        for config in [unbounded(), narrow] {
            let (_, fitted) = fit(&probabilities, &targets, &config);
            let (seen, dense) = (fitted.macro_f1(), highest(&config));
            assert!(seen >= dense, "{seen} is below {dense}");
            assert!(seen > argmax.macro_f1() + 0.1, "{seen}, {}", argmax.macro_f1());
        }
    }

    #[test]
    fn narrow_bounds_hold_where_they_can() {
        // Sell 3 %: all its bounds lie within one step of the first grid.
        let (probabilities, mut targets) = unsure_model(30_000, 0.3, 1);
        let mut kept = 0;
        targets.iter_mut().filter(|target| **target == 0).for_each(|target| {
            kept += 1;
            *target = u8::from(kept % 5 != 0);
        });
        for share_bounds in [[0.6, 1.6], [0.999, 1.001]] {
            let config = DecisionConfig { share_bounds, ..DecisionConfig::default() };
            let (_, seen) = fit(&probabilities, &targets, &config);
            assert_eq!(config.share_excess(&seen), 0.0, "{seen:?}");
            let (_, free) = fit(&probabilities, &targets, &unbounded());
            assert!(free.macro_f1() >= seen.macro_f1() - 0.003);
        }
    }

    #[test]
    fn shares_that_cannot_be_kept_are_missed_as_little_as_can_be() {
        // Two kinds of rows only: the first kind is Sell or not, all three quarters of it.
        let mut probabilities = [0.5, 0.3, 0.2].repeat(75);
        probabilities.extend([0.2, 0.5, 0.3].repeat(25));
        let targets: Vec<u8> = (0..100).map(|row| if row < 50 { 0 } else { 1 }).collect();
        let (_, seen) = fit(&probabilities, &targets, &DecisionConfig::default());
        assert_eq!(seen.predicted_counts(), [75, 25, 0]);
        let config = DecisionConfig { share_bounds: [1.0, 1.0], ..DecisionConfig::default() };
        assert!((config.share_excess(&fit(&probabilities, &targets, &config).1) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn matched_shares_are_exact_without_ties() {
        let config =
            DecisionConfig { objective: DecisionObjective::MatchShares, ..DecisionConfig::default() };
        for (rows, skill, index) in [(5000, 0.3, 2), (501, 0.0, 3), (40, 0.9, 4)] {
            let (probabilities, targets) = unsure_model(rows, skill, index);
            let (rule, seen) = fit(&probabilities, &targets, &config);
            let most =
                seen.predicted_counts().iter().zip(seen.true_counts()).map(|(a, b)| a.abs_diff(b)).max();
            // Equal 32-bit probabilities leave a row or two undecided.
            assert!(most <= Some(2), "{seen:?}");
            assert!((rule.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        // Sell and Buy dispute nearly everything, and Hold is as good as impossible.
        let (mut probabilities, targets) = unsure_model(1000, 0.5, 5);
        for row in probabilities.as_chunks_mut::<3>().0 {
            let sell = row[0] / (row[0] + row[2]);
            *row = [sell - 5e-8, row[1] * 1e-7, 1.0 - sell];
        }
        let (_, seen) = fit(&probabilities, &targets, &config);
        assert!(share_distance(&seen) <= 0.003, "{seen:?}");
    }

    #[test]
    fn an_absent_class_and_impossible_probabilities_are_no_trouble() {
        let (mut probabilities, mut targets) = unsure_model(300, 0.5, 6);
        targets.iter_mut().for_each(|target| *target = (*target).min(1));
        probabilities[..3].copy_from_slice(&[0.0, 0.0, 1.0]);
        probabilities[3..6].copy_from_slice(&[0.0, 1.0, 0.0]);
        for objective in [DecisionObjective::MacroF1, DecisionObjective::MatchShares] {
            let config = DecisionConfig { objective, ..DecisionConfig::default() };
            let (rule, seen) = fit(&probabilities, &targets, &config);
            assert!(rule.validate().is_ok());
            assert!(seen.predicted_counts()[2] <= 1, "{seen:?}");
        }
    }

    #[test]
    fn any_number_of_threads_fits_the_same() {
        let (probabilities, targets) = unsure_model(3000, 0.3, 7);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| DecisionRule::fit(&probabilities, &targets, &DecisionConfig::default()).unwrap())
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn gaps_are_found_with_and_without_sorting() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (rank, wanted) in [0.0, 1.5, 3.0, 6.0, 9.0].into_iter().enumerate() {
            assert_eq!(gap_middle(&sorted, rank), wanted);
            assert_eq!(partition_middle(&mut [8.0, 1.0, 4.0, 2.0], rank), wanted);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn free_weights_never_do_worse_than_equal_ones(
            rows in prop::collection::vec((prop::array::uniform3(-3.0_f32..3.0), 0_u8..3), 2..40),
            factor in 1e-3_f64..1e3,
        ) {
            let logits: Vec<f32> = rows.iter().flat_map(|row| row.0).collect();
            let targets: Vec<u8> = rows.iter().map(|row| row.1).collect();
            prop_assume!(targets.iter().any(|&target| target != targets[0]));
            let probabilities = softmax(&logits).unwrap();
            let (rule, seen) = fit(&probabilities, &targets, &unbounded());
            let equal = confusion(&DecisionRule::default(), &probabilities, &targets);
            prop_assert!(seen.macro_f1() >= equal.macro_f1());
            // Where equal weights keep the bounds, the bounds are kept and equal weights are no better.
            let bounded = DecisionConfig::default();
            let (_, seen) = fit(&probabilities, &targets, &bounded);
            if bounded.share_excess(&equal) == 0.0 {
                prop_assert_eq!(bounded.share_excess(&seen), 0.0);
                prop_assert!(seen.macro_f1() >= equal.macro_f1());
            }
            let scaled = DecisionRule { weights: rule.weights.map(|weight| weight * factor) };
            prop_assert_eq!(scaled.apply(&probabilities).unwrap(), rule.apply(&probabilities).unwrap());
        }
    }
}
