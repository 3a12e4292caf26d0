use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

use super::*;
use crate::random::generator;

/// What scikit-learn says; the script beside the file makes it.
#[derive(Deserialize)]
struct Fixture {
    columns: usize,
    train: Vec<f32>,
    targets: Vec<u8>,
    queries: Vec<f32>,
    logistic_regression: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    inverse_regularisation: f64,
    coefficients: Vec<f64>,
    intercepts: Vec<f64>,
    probabilities: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../../tests/fixtures/tabular_baselines.json")).unwrap()
}

/// Rows of a known model, whose columns differ in size by `spread`.
fn drawn(rows: usize, columns: usize, spread: f32) -> (Vec<f32>, Vec<u8>) {
    let mut rng = generator(4, "test/logistic-regression", 0);
    let mut normal = || -> f32 { StandardNormal.sample(&mut rng) };
    let mut values = Vec::with_capacity(rows * columns);
    let mut targets = Vec::with_capacity(rows);
    for _ in 0..rows {
        let row: Vec<f32> = (0..columns).map(|_| normal()).collect();
        let noisy = [row[0] + normal(), 0.3 + normal(), row[1] - row[0] + normal()];
        let best =
            (0..3_u8).max_by(|&one, &other| noisy[usize::from(one)].total_cmp(&noisy[usize::from(other)]));
        targets.push(best.unwrap());
        values.extend(row.iter().enumerate().map(|(column, value)| value * spread.powi(column as i32)));
    }
    (values, targets)
}

fn near(seen: &[f64], wanted: &[f64], tolerance: f64) {
    assert_eq!(seen.len(), wanted.len());
    for (seen, wanted) in seen.iter().zip(wanted) {
        assert!((seen - wanted).abs() < tolerance, "{seen} is not {wanted}");
    }
}

#[test]
fn coefficients_and_probabilities_are_those_of_scikit_learn() {
    let golden = fixture();
    let table = Table::new(&golden.train, golden.columns).unwrap();
    let queries = Table::new(&golden.queries, golden.columns).unwrap();
    for wanted in &golden.logistic_regression {
        let config = LogisticRegressionConfig {
            inverse_regularisation: wanted.inverse_regularisation,
            gradient_tolerance: 5e-8,
            ..Default::default()
        };
        let mut shares = Vec::new();
        let model = config.fit(&table, &golden.targets, 0, &mut |share| shares.push(share)).unwrap();
        assert!(model.converged(), "{model:?}");
        near(model.coefficients(), &wanted.coefficients, 1e-6);
        near(&model.intercepts(), &wanted.intercepts, 1e-6);
        let seen: Vec<f64> = model.probabilities(&queries).unwrap().into_iter().map(f64::from).collect();
        near(&seen, &wanted.probabilities, 1e-6);
        assert!(shares.is_sorted() && shares.last() == Some(&1.0));
    }
}

#[test]
fn the_default_tolerance_settles_probabilities() {
    let golden = fixture();
    let table = Table::new(&golden.train, golden.columns).unwrap();
    let queries = Table::new(&golden.queries, golden.columns).unwrap();
    let model = LogisticRegressionConfig::default().fit(&table, &golden.targets, 0, &mut |_| ()).unwrap();
    let seen: Vec<f64> = model.probabilities(&queries).unwrap().into_iter().map(f64::from).collect();
    near(&seen, &golden.logistic_regression[0].probabilities, 1e-4);
}

#[test]
fn the_gradient_is_that_of_the_loss() {
    let (values, targets) = drawn(50, 7, 1.0);
    let objective = Objective::new(Table::new(&values, 7).unwrap(), &targets, 0.3);
    let mut rng = generator(1, "test/gradient", 0);
    let point: Vec<f64> = (0..24).map(|_| StandardNormal.sample(&mut rng)).collect();
    let gradient = objective.at(&point).gradient;
    for (at, &slope) in gradient.iter().enumerate() {
        let moved = |by: f64| {
            let mut parameters = point.clone();
            parameters[at] += by;
            objective.at(&parameters).loss
        };
        let wanted = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((slope - wanted).abs() < 1e-8, "{at}: {slope} is not {wanted}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (values, targets) = drawn(9000, 5, 1.0);
    let fit = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let table = Table::new(&values, 5).unwrap();
        let config = LogisticRegressionConfig::default();
        pool.install(|| config.fit(&table, &targets, 0, &mut |_| ()).unwrap())
    };
    let model = fit(1);
    assert!(model.converged());
    assert_eq!(model, fit(3));
}

#[test]
fn hard_tables_end_in_finite_models() {
    let (values, targets) = drawn(400, 4, 30.0);
    let table = Table::new(&values, 4).unwrap();
    let fit = |table: &Table<'_>, targets: &[u8]| {
        LogisticRegressionConfig::default().fit(table, targets, 0, &mut |_| ()).unwrap()
    };
    // Columns up to 27,000 times as large as the first, one class only, constant columns, one row.
    let constant = [2.0_f32; 12];
    let uneven = Table::new(&constant, 4).unwrap();
    let one = Table::new(&constant[..4], 4).unwrap();
    let cases: [(&Table<'_>, &[u8]); 4] =
        [(&table, &targets), (&table, &[1; 400]), (&uneven, &[0, 0, 2]), (&one, &[2])];
    for (table, targets) in cases {
        let model = fit(table, targets);
        let probabilities = model.probabilities(table).unwrap();
        for row in probabilities.chunks_exact(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6 && row.iter().all(|&share| share >= 0.0));
        }
        assert!(model.coefficients().iter().all(|value| value.is_finite()));
    }
    let shares = fit(&uneven, &[0, 0, 2]).probabilities(&one).unwrap();
    assert!((shares[0] - 2.0 / 3.0).abs() < 1e-2, "{shares:?}");
}

#[test]
fn a_fit_cut_short_says_so() {
    let (values, targets) = drawn(500, 4, 1.0);
    let config = LogisticRegressionConfig { maximum_iterations: 1, ..Default::default() };
    let model = config.fit(&Table::new(&values, 4).unwrap(), &targets, 0, &mut |_| ()).unwrap();
    assert!(!model.converged() && model.gradient_norm() > 1e-5);
}

#[test]
fn what_cannot_be_fitted_is_refused_and_models_stored() {
    let table = Table::new(&[1.0, 2.0], 1).unwrap();
    let bad = |text: &str| {
        let config: LogisticRegressionConfig = toml::from_str(text).unwrap();
        config.fit(&table, &[0, 1], 0, &mut |_| ()).unwrap_err().to_string()
    };
    assert!(bad("inverse_regularisation = 0.0").contains("`inverse_regularisation` is 0"));
    assert!(bad("inverse_regularisation = nan").contains("`inverse_regularisation`"));
    assert!(bad("gradient_tolerance = -1.0").contains("`gradient_tolerance`"));
    assert!(bad("maximum_iterations = 0").contains("`maximum_iterations`"));
    let config = LogisticRegressionConfig::default();
    assert!(config.fit(&table, &[0], 0, &mut |_| ()).is_err());
    let model = config.fit(&table, &[0, 1], 0, &mut |_| ()).unwrap();
    assert!(model.probabilities(&Table::new(&[1.0, 2.0], 2).unwrap()).is_err());
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<LogisticRegression>(&text).unwrap(), model);
}
