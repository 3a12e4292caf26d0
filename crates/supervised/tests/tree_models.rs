//! Random forest (held against scikit-learn's) and gradient boosting (against XGBoost and LightGBM), and what must hold of both.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::collections::HashMap;

use serde::Deserialize;
use supervised::baseline::{
    GradientBoosting, GradientBoostingConfig, RandomForest, RandomForestConfig, Table, TreeNode,
};
use supervised::explanation::tree_shap;

/// As `tests/fixtures/tree_models.py` writes it.
#[derive(Deserialize)]
struct Reference {
    columns: usize,
    training_rows: usize,
    inputs: Vec<f32>,
    classes: Vec<u8>,
    scores: HashMap<String, Score>,
}

/// Mean and standard deviation over 20 seeds.
#[derive(Deserialize)]
struct Score {
    accuracy: [f64; 2],
    log_loss: [f64; 2],
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("fixtures/tree_model_scores.json")).unwrap()
}

impl Reference {
    fn training(&self) -> (Table<'_>, &[u8]) {
        let values = &self.inputs[..self.training_rows * self.columns];
        (Table::new(values, self.columns).unwrap(), &self.classes[..self.training_rows])
    }

    fn test(&self) -> (Table<'_>, &[u8]) {
        let values = &self.inputs[self.training_rows * self.columns..];
        (Table::new(values, self.columns).unwrap(), &self.classes[self.training_rows..])
    }
}

/// Accuracy and cross-entropy.
fn score(probabilities: &[f32], targets: &[u8]) -> (f64, f64) {
    let (mut right, mut loss) = (0, 0.0);
    for (row, &target) in probabilities.chunks(3).zip(targets) {
        let best = (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        right += usize::from(best == usize::from(target));
        loss -= f64::from(row[usize::from(target)]).max(1e-15).ln();
    }
    (right as f64 / targets.len() as f64, loss / targets.len() as f64)
}

fn small_forest() -> RandomForestConfig {
    RandomForestConfig { depth: 8, leaf_rows: 3, bins: 256, ..RandomForestConfig::default() }
}

fn small_boosting() -> GradientBoostingConfig {
    GradientBoostingConfig {
        rounds: 60,
        learning_rate: 0.1,
        depth: 4,
        leaf_weight: 2.0,
        ..GradientBoostingConfig::default()
    }
}

fn forest(config: &RandomForestConfig, table: &Table<'_>, targets: &[u8], seed: u64) -> RandomForest {
    config.fit(table, targets, seed, &mut |_| ()).unwrap()
}

fn boosting(
    config: &GradientBoostingConfig,
    table: &Table<'_>,
    targets: &[u8],
    seed: u64,
) -> GradientBoosting {
    config.fit(table, targets, seed, &mut |_| ()).unwrap()
}

/// Mean scores over five seeds lie within three of the standard deviations that one seed has in the reference.
fn assert_like(reference: &Reference, name: &str, probabilities: impl Fn(u64) -> Vec<f32>) {
    let scores: Vec<(f64, f64)> =
        (0..5).map(|seed| score(&probabilities(seed), reference.test().1)).collect();
    let accuracy = scores.iter().map(|score| score.0).sum::<f64>() / 5.0;
    let log_loss = scores.iter().map(|score| score.1).sum::<f64>() / 5.0;
    let expected = &reference.scores[name];
    assert!((accuracy - expected.accuracy[0]).abs() < 3.0 * expected.accuracy[1], "{name}: {accuracy}");
    assert!((log_loss - expected.log_loss[0]).abs() < 3.0 * expected.log_loss[1], "{name}: {log_loss}");
}

#[test]
fn a_forest_is_as_good_as_scikit_learns() {
    let reference = reference();
    let (table, targets) = reference.training();
    assert_like(&reference, "forest", |seed| {
        forest(&small_forest(), &table, targets, seed).probabilities(&reference.test().0).unwrap()
    });
}

#[test]
fn boosting_is_as_good_as_the_well_known_libraries() {
    let reference = reference();
    let (table, targets) = reference.training();
    let all_rows = GradientBoostingConfig { row_share: 1.0, ..small_boosting() };
    let settings =
        [("xgboost", small_boosting()), ("lightgbm", small_boosting()), ("xgboost, all rows", all_rows)];
    for (name, config) in settings {
        assert_like(&reference, name, |seed| {
            boosting(&config, &table, targets, seed).probabilities(&reference.test().0).unwrap()
        });
    }
}

/// Numbers from 0 to 1 by a multiplicative congruence, in which nothing repeats.
fn uniform(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 24) as f32
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn noise_teaches_nothing() {
    let (values, other) = (uniform(4000 * 6, 1), uniform(4000 * 6, 2));
    let targets: Vec<u8> = uniform(4000, 3).iter().map(|value| (value * 3.0) as u8).collect();
    let test: Vec<u8> = uniform(4000, 4).iter().map(|value| (value * 3.0) as u8).collect();
    let (table, test_table) = (Table::new(&values, 6).unwrap(), Table::new(&other, 6).unwrap());
    let config = GradientBoostingConfig { rounds: 40, ..GradientBoostingConfig::default() };
    let models = [
        forest(&RandomForestConfig { trees: 50, ..RandomForestConfig::default() }, &table, &targets, 1)
            .probabilities(&test_table)
            .unwrap(),
        boosting(&config, &table, &targets, 1).probabilities(&test_table).unwrap(),
    ];
    for probabilities in models {
        let (accuracy, log_loss) = score(&probabilities, &test);
        // 4000 rows: a standard deviation of 0.0075. It cannot do better than ln 3, and should not do much worse.
        assert!((accuracy - 1.0 / 3.0).abs() < 0.03, "{accuracy}");
        assert!(log_loss > 3.0_f64.ln() - 0.002 && log_loss < 3.0_f64.ln() + 0.05, "{log_loss}");
    }
    // Validation rows tell, and next to no round is kept.
    let kept =
        config.fit_with_validation(&table, &targets, Some((&test_table, &test)), 1, &mut |_| ()).unwrap();
    assert!(kept.rounds() < 10, "{} rounds", kept.rounds());
}

#[test]
fn an_interaction_without_main_effects_is_learnt() {
    let label = |row: &[f32]| if (row[1] > 0.5) == (row[3] > 0.5) { 0 } else { 2 };
    let (values, other) = (uniform(3000 * 5, 5), uniform(2000 * 5, 6));
    let targets: Vec<u8> = values.chunks(5).map(label).collect();
    let test: Vec<u8> = other.chunks(5).map(label).collect();
    let (table, test_table) = (Table::new(&values, 5).unwrap(), Table::new(&other, 5).unwrap());
    let forest =
        forest(&RandomForestConfig { leaf_rows: 5, ..RandomForestConfig::default() }, &table, &targets, 1);
    let boosting = boosting(
        &GradientBoostingConfig { rounds: 60, learning_rate: 0.2, ..GradientBoostingConfig::default() },
        &table,
        &targets,
        1,
    );
    for (probabilities, importance) in [
        (forest.probabilities(&test_table).unwrap(), forest.importance()),
        (boosting.probabilities(&test_table).unwrap(), boosting.importance()),
    ] {
        let (accuracy, _) = score(&probabilities, &test);
        assert!(accuracy > 0.95, "{accuracy}");
        assert!((importance.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(importance[1] + importance[3] > 0.7, "{importance:?}");
        // The class that never occurred.
        assert!(probabilities.chunks(3).all(|row| row[1] < 0.02));
    }
}

#[test]
fn probabilities_sum_to_one_and_shapley_values_to_the_output() {
    let reference = reference();
    let (table, targets) = reference.training();
    let test = reference.test().0;
    let forest = forest(&small_forest(), &table, targets, 1);
    let boosting = boosting(&small_boosting(), &table, targets, 1);
    for (probabilities, ensemble) in [
        (forest.probabilities(&test).unwrap(), forest.ensemble()),
        (boosting.probabilities(&test).unwrap(), boosting.ensemble()),
    ] {
        for row in probabilities.chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(row.iter().all(|share| (0.0..=1.0).contains(share)));
        }
        let shap = tree_shap(ensemble, &test).unwrap();
        let outputs = ensemble.raw_outputs(&test).unwrap();
        for (place, (values, output)) in shap.values.chunks(8).zip(outputs).enumerate() {
            let sum: f64 = values.iter().sum();
            assert!((sum - output + shap.expected[place % 3]).abs() < 1e-9);
        }
    }
}

#[test]
fn a_leaf_of_the_forest_holds_the_shares_of_its_rows() {
    let reference = reference();
    let (table, targets) = reference.training();
    let config = RandomForestConfig { trees: 3, ..small_forest() };
    for tree in forest(&config, &table, targets, 1).ensemble().trees() {
        assert_eq!(tree.nodes[0].cover(), 300.0);
        for node in &tree.nodes {
            if let TreeNode::Leaf { first_value, cover } = *node {
                let rows = f64::from(cover);
                assert!(rows >= 3.0 && rows.fract() == 0.0);
                let shares = &tree.values[first_value as usize..first_value as usize + 3];
                assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                for &share in shares {
                    let count = f64::from(share) * rows;
                    assert!((count - count.round()).abs() < 1e-3, "{count} rows");
                }
            }
        }
    }
}

#[test]
fn threads_seeds_and_storage() {
    let reference = reference();
    let (table, targets) = reference.training();
    let test = reference.test();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let fit = |seed| {
        let config = GradientBoostingConfig { patience: 5, ..small_boosting() };
        let validation = Some((&test.0, test.1));
        let boosting = config.fit_with_validation(&table, targets, validation, seed, &mut |_| ()).unwrap();
        let forest = forest(&RandomForestConfig { trees: 10, ..small_forest() }, &table, targets, seed);
        let shap = tree_shap(boosting.ensemble(), &test.0).unwrap();
        (forest, boosting, shap)
    };
    let one = pool(1).install(|| fit(1));
    // Equal models have equal numbers; that they have equal bits is seen by their text.
    let text = |models: &(RandomForest, GradientBoosting, _)| {
        serde_json::to_string(&(&models.0, &models.1)).unwrap()
    };
    for threads in [2, 3] {
        let more = pool(threads).install(|| fit(1));
        assert!(more == one);
        assert_eq!(text(&more), text(&one));
    }
    let other = fit(2);
    assert!(other.0 != one.0 && other.1 != one.1);
    let (forest, boosting): (RandomForest, GradientBoosting) = serde_json::from_str(&text(&one)).unwrap();
    assert!(forest == one.0 && boosting == one.1);
    assert_eq!(boosting.probabilities(&test.0).unwrap(), one.1.probabilities(&test.0).unwrap());
    assert_eq!(forest.probabilities(&test.0).unwrap(), one.0.probabilities(&test.0).unwrap());
}

#[test]
fn threads_do_not_change_sums_over_many_rows() {
    let values = uniform(6000 * 11, 7);
    let noise = uniform(6000, 8);
    let label = |(row, noise): (&[f32], &f32)| ((row[2] + row[5] * row[9] + noise) as u8).min(2);
    let targets: Vec<u8> = values.chunks(11).zip(&noise).map(label).collect();
    let (training, test) = values.split_at(4000 * 11);
    let (training, test) = (Table::new(training, 11).unwrap(), Table::new(test, 11).unwrap());
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let config =
                GradientBoostingConfig { rounds: 12, patience: 4, ..GradientBoostingConfig::default() };
            let validation = Some((&test, &targets[4000..]));
            let boosting =
                config.fit_with_validation(&training, &targets[..4000], validation, 1, &mut |_| ()).unwrap();
            let forest = RandomForestConfig { trees: 9, leaf_rows: 5, ..RandomForestConfig::default() };
            let forest = forest.fit(&training, &targets[..4000], 1, &mut |_| ()).unwrap();
            assert!(boosting.rounds() > 5 && boosting.ensemble().trees()[0].nodes.len() > 20);
            serde_json::to_string(&(boosting, forest)).unwrap()
        })
    };
    let one = fit(1);
    assert!(fit(2) == one && fit(3) == one);
}

#[test]
fn the_best_round_is_kept() {
    let reference = reference();
    let (table, targets) = reference.training();
    let test = reference.test();
    let loss = |model: &GradientBoosting| score(&model.probabilities(&test.0).unwrap(), test.1).1;
    let config = GradientBoostingConfig { rounds: 150, learning_rate: 0.3, ..small_boosting() };
    let best = config.fit_with_validation(&table, targets, Some((&test.0, test.1)), 1, &mut |_| ()).unwrap();
    assert!(best.rounds() < 150, "{}", best.rounds());
    for rounds in [best.rounds() - 1, best.rounds() + 1, best.rounds() + 5, 150] {
        let other = boosting(&GradientBoostingConfig { rounds, ..config.clone() }, &table, targets, 1);
        assert!(loss(&other) > loss(&best), "{rounds} rounds against {}", best.rounds());
    }
    let same = boosting(&GradientBoostingConfig { rounds: best.rounds(), ..config }, &table, targets, 1);
    assert!(same == best);
}

#[test]
fn progress_grows_to_one() {
    let reference = reference();
    let (table, targets) = reference.training();
    let mut seen = vec![];
    small_boosting().fit(&table, targets, 1, &mut |share| seen.push(share)).unwrap();
    assert!(seen.len() > 60 && seen.is_sorted() && seen[0] == 0.0 && seen.last() == Some(&1.0), "{seen:?}");
    seen.clear();
    small_forest().fit(&table, targets, 1, &mut |share| seen.push(share)).unwrap();
    assert!(seen.len() > 5 && seen.is_sorted() && seen[0] == 0.0 && seen.last() == Some(&1.0), "{seen:?}");
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let reference = reference();
    let (table, targets) = reference.training();
    let forest =
        |config: RandomForestConfig| config.fit(&table, targets, 1, &mut |_| ()).unwrap_err().to_string();
    let base = RandomForestConfig::default;
    assert!(forest(RandomForestConfig { trees: 0, ..base() }).contains("`trees`"));
    assert!(forest(RandomForestConfig { depth: 31, ..base() }).contains("`depth`"));
    assert!(forest(RandomForestConfig { leaf_rows: 0, ..base() }).contains("`leaf_rows`"));
    assert!(forest(RandomForestConfig { split_columns: Some(9), ..base() }).contains("`split_columns`"));
    assert!(forest(RandomForestConfig { row_share: f64::NAN, ..base() }).contains("`row_share`"));
    assert!(forest(RandomForestConfig { bins: 1, ..base() }).contains("`bins`"));
    let boosting =
        |config: GradientBoostingConfig| config.fit(&table, targets, 1, &mut |_| ()).unwrap_err().to_string();
    let base = GradientBoostingConfig::default;
    assert!(boosting(GradientBoostingConfig { rounds: 0, ..base() }).contains("`rounds`"));
    assert!(boosting(GradientBoostingConfig { learning_rate: 0.0, ..base() }).contains("`learning_rate`"));
    assert!(boosting(GradientBoostingConfig { depth: 0, ..base() }).contains("`depth`"));
    assert!(boosting(GradientBoostingConfig { leaf_weight: 0.0, ..base() }).contains("`leaf_weight`"));
    assert!(boosting(GradientBoostingConfig { l2: -1.0, ..base() }).contains("`l2`"));
    assert!(boosting(GradientBoostingConfig { row_share: 1.5, ..base() }).contains("`row_share`"));
    assert!(boosting(GradientBoostingConfig { column_share: 0.0, ..base() }).contains("`column_share`"));
    assert!(boosting(GradientBoostingConfig { bins: 257, ..base() }).contains("`bins`"));
    assert!(boosting(GradientBoostingConfig { patience: 0, ..base() }).contains("`patience`"));
    let fit = |table: &Table<'_>, targets: &[u8]| {
        let forest =
            RandomForestConfig::default().fit(table, targets, 1, &mut |_| ()).unwrap_err().to_string();
        let boosting = base().fit(table, targets, 1, &mut |_| ()).unwrap_err().to_string();
        assert_eq!(forest, boosting);
        forest
    };
    assert!(fit(&table, &targets[1..]).contains("299 for 300 rows"));
    assert!(fit(&table, &[3; 300]).contains("targets, row 0: 3 is no class"));
    assert!(fit(&Table::new(&[], 2).unwrap(), &[]).contains("no rows"));
    let unknown = toml::from_str::<GradientBoostingConfig>("leaves = 3").unwrap_err();
    assert!(unknown.to_string().contains("leaves"));
}
