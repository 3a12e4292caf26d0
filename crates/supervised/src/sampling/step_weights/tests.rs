use proptest::prelude::*;

use super::*;
use crate::sampling::{HardNegativeConfig, NO_CLASS};

fn config(class_balanced: bool, symbol_stratified: bool, uniqueness_weights: bool) -> SamplingConfig {
    SamplingConfig { class_balanced, symbol_stratified, uniqueness_weights, ..SamplingConfig::default() }
}

/// Rows as lists of class and uniqueness; a row without class is not supervised.
struct Data {
    supervised: Vec<Vec<bool>>,
    classes: Vec<Vec<u8>>,
    uniqueness: Vec<Vec<f32>>,
}

impl Data {
    fn new(series: &[Vec<(u8, f32)>]) -> Self {
        let map = |row: &Vec<(u8, f32)>| row.iter().map(|row| row.0 != NO_CLASS).collect();
        Self {
            supervised: series.iter().map(map).collect(),
            classes: series.iter().map(|rows| rows.iter().map(|row| row.0).collect()).collect(),
            uniqueness: series.iter().map(|rows| rows.iter().map(|row| row.1).collect()).collect(),
        }
    }

    fn rows(&self) -> StepRows<'_> {
        StepRows { supervised: &self.supervised, classes: &self.classes, uniqueness: &self.uniqueness }
    }

    fn weigh(&self, config: &SamplingConfig, epoch: usize, pool: Option<&HardPool>) -> Vec<Vec<f32>> {
        StepWeights::new(config, self.rows(), epoch, pool).unwrap().into_weights()
    }
}

fn close(found: &[Vec<f32>], expected: &[&[f32]]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(*expected).all(|(f, e)| (f - e).abs() < 1e-6), "{found:?} {expected:?}");
    }
}

fn by_hand() -> Data {
    Data::new(&[
        vec![(0, 1.0), (1, 0.5), (NO_CLASS, 0.0), (1, 0.5)],
        vec![(1, 1.0), (NO_CLASS, 0.0), (2, 0.5), (1, 0.5)],
    ])
}

#[test]
fn factors_by_hand() {
    let data = by_hand();
    close(
        &data.weigh(&config(false, false, false), 0, None),
        &[&[1.0, 1.0, 0.0, 1.0], &[1.0, 0.0, 1.0, 1.0]],
    );
    // The uniqueness sums to 4 over 6 rows.
    close(
        &data.weigh(&config(false, false, true), 0, None),
        &[&[1.5, 0.75, 0.0, 0.75], &[1.5, 0.0, 0.75, 0.75]],
    );
    // A third of 6 to each class: Sell 2; Hold 2 over four rows; Buy 2.
    close(&data.weigh(&config(true, false, false), 0, None), &[&[2.0, 0.5, 0.0, 0.5], &[0.5, 0.0, 2.0, 0.5]]);
    // The same by uniqueness: Holds of 1/2, 1/2, 1, 1/2 share 2.
    close(&data.weigh(&config(true, false, true), 0, None), &[&[2.0, 0.4, 0.0, 0.4], &[0.8, 0.0, 2.0, 0.4]]);
    // Of which the first series has 2.8 and the second 3.2; each is to have 3.
    let (up, down) = (3.0 / 2.8, 3.0 / 3.2);
    close(
        &data.weigh(&config(true, true, true), 0, None),
        &[&[2.0 * up, 0.4 * up, 0.0, 0.4 * up], &[0.8 * down, 0.0, 2.0 * down, 0.4 * down]],
    );
}

#[test]
fn mining_by_hand() {
    let data = by_hand();
    let mut config = config(true, false, true);
    config.hard_negatives = HardNegativeConfig { enabled: true, top_fraction: 0.5, ..Default::default() };
    let losses = [vec![f32::NAN, 3.0, 9.0, 1.0], vec![2.0, 9.0, 0.1, 0.5]];
    let pool = HardPool::from_step_losses(&data.classes, &losses, &config.hard_negatives).unwrap();
    // Two of four Holds and the only Buy; of the Sell no loss is known.
    assert_eq!(pool.members(), [1, 4, 6]);
    assert_eq!(data.weigh(&config, 4, Some(&pool)), data.weigh(&config, 4, None));
    // Share 1/2: rows outside halve, the pool of 1.2 of the 2 of Hold gains 1: times 1/2 + 1/1.2.
    let inside = 0.5 + 1.0 / 1.2;
    close(
        &data.weigh(&config, 15, Some(&pool)),
        &[&[2.0, 0.4 * inside, 0.0, 0.2], &[0.8 * inside, 0.0, 2.0, 0.2]],
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    let data = by_hand();
    let message = |data: &Data, pool: Option<&HardPool>| {
        let mut config = config(true, true, true);
        config.hard_negatives.enabled = true;
        StepWeights::new(&config, data.rows(), 20, pool).unwrap_err().to_string()
    };
    let pool = HardPool::from_step_losses(&[vec![0, 1]], &[vec![1.0, 2.0]], &HardNegativeConfig::default());
    assert!(message(&data, Some(&pool.unwrap())).contains("hard pool"));
    let mut shorter = by_hand();
    shorter.classes[1].pop();
    assert!(message(&shorter, None).contains("differ"));
    let mut fewer = by_hand();
    fewer.uniqueness.pop();
    assert!(message(&fewer, None).contains("differ"));
    let mut unlabelled = by_hand();
    unlabelled.supervised[1][1] = true;
    assert!(message(&unlabelled, None).contains("row 1 of series 1"));
    assert!(message(&Data::new(&[vec![(1, 1.0); 3]]), None).contains("all are Hold"));
    assert!(message(&Data::new(&[vec![(1, 1.0), (0, 0.0)]]), None).contains("uniqueness 0"));
    assert!(message(&Data::new(&[]), None).contains("there are none"));
}

/// Sums of weights by class and by series.
fn sums(data: &Data, weights: &[Vec<f32>]) -> ([f64; 3], Vec<f64>) {
    let mut by_class = [0.0; 3];
    let mut by_series = vec![0.0; weights.len()];
    for (series, weights) in weights.iter().enumerate() {
        for (row, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            by_class[data.classes[series][row] as usize] += f64::from(*weight);
            by_series[series] += f64::from(*weight);
        }
    }
    (by_class, by_series)
}

proptest! {
    #[test]
    fn totals_are_as_intended(
        series in prop::collection::vec(prop::collection::vec((0_u8..4, 0.05_f32..=1.0), 0..60), 1..6),
        class_balanced: bool,
        symbol_stratified: bool,
        unique: bool,
        epoch in 0_usize..20,
        enabled: bool,
        curriculum: bool,
    ) {
        let mut series = series;
        for rows in &mut series {
            rows.iter_mut().for_each(|row| if row.0 == 3 { row.0 = NO_CLASS });
        }
        series[0].extend([(0, 0.3), (1, 0.7)]);
        let data = Data::new(&series);
        let mut config = config(class_balanced, symbol_stratified, unique);
        config.target_class_ratios = [0.5, 0.2, 0.3];
        config.curriculum_epochs = if curriculum && class_balanced { 10.0 } else { 0.0 };
        config.hard_negatives.enabled = enabled;
        let losses = |rows: &Vec<_>| (0..rows.len()).map(|row| (row * 13 % 7) as f32).collect();
        let losses: Vec<Vec<f32>> = series.iter().map(losses).collect();
        let pool = HardPool::from_step_losses(&data.classes, &losses, &config.hard_negatives).unwrap();
        let weights = data.weigh(&config, epoch, Some(&pool));
        let (by_class, by_series) = sums(&data, &weights);
        let supervised = data.supervised.iter().flatten().filter(|supervised| **supervised).count() as f64;
        let close = |left: f64, right: f64| (left - right).abs() < 1e-4 * supervised;
        prop_assert!(close(by_class.iter().sum(), supervised));
        for (supervised, weight) in data.supervised.iter().flatten().zip(weights.iter().flatten()) {
            prop_assert_eq!(*supervised, *weight > 0.0);
        }
        let share = config.hard_negatives.share(epoch);
        if symbol_stratified && share == 0.0 {
            let there: Vec<f64> = by_series.iter().copied().filter(|sum| *sum > 0.0).collect();
            prop_assert!(there.iter().all(|sum| close(*sum, supervised / there.len() as f64)));
        }
        if class_balanced && !symbol_stratified && !curriculum {
            let there: Vec<usize> = (0..3).filter(|class| by_class[*class] > 0.0).collect();
            let target: f64 = there.iter().map(|class| config.target_class_ratios[*class]).sum();
            for class in there {
                let share = config.target_class_ratios[class] / target;
                prop_assert!(close(by_class[class], supervised * share));
            }
        }
        // What mining leaves alone and what it gives.
        let (without, _) = sums(&data, &data.weigh(&config, epoch, None));
        let of_pool = |weights: &[Vec<f32>], class: usize| -> f64 {
            let classes: Vec<u8> = data.classes.iter().flatten().copied().collect();
            let weights: Vec<f32> = weights.iter().flatten().copied().collect();
            let members = pool.members().iter().map(|member| *member as usize);
            members.filter(|row| classes[*row] as usize == class).map(|row| f64::from(weights[row])).sum()
        };
        let plain = data.weigh(&config, epoch, None);
        for class in 0..3 {
            prop_assert!(close(by_class[class], without[class]));
            let expected = share * without[class] + (1.0 - share) * of_pool(&plain, class);
            prop_assert!(close(of_pool(&weights, class), expected));
        }
    }
}
