use proptest::prelude::*;
use rand_distr::{Distribution, StandardNormal};

use super::*;
use crate::random::generator;

/// What scikit-learn says; the script beside the file makes it.
#[derive(Deserialize)]
struct Fixture {
    columns: usize,
    train: Vec<f32>,
    targets: Vec<u8>,
    queries: Vec<f32>,
    nearest_neighbours: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    neighbours: usize,
    weights: NeighbourWeights,
    probabilities: Vec<f64>,
}

fn fit(
    values: &[f32],
    columns: usize,
    targets: &[u8],
    config: &NearestNeighboursConfig,
) -> NearestNeighbours {
    config.fit(&Table::new(values, columns).unwrap(), targets, 0, &mut |_| ()).unwrap()
}

#[test]
fn probabilities_are_those_of_scikit_learn() {
    let golden: Fixture =
        serde_json::from_str(include_str!("../../../tests/fixtures/tabular_baselines.json")).unwrap();
    let queries = Table::new(&golden.queries, golden.columns).unwrap();
    for wanted in &golden.nearest_neighbours {
        let (neighbours, weights) = (wanted.neighbours, wanted.weights);
        let config = NearestNeighboursConfig { neighbours, weights, ..Default::default() };
        let seen =
            fit(&golden.train, golden.columns, &golden.targets, &config).probabilities(&queries).unwrap();
        assert_eq!(seen.len(), wanted.probabilities.len());
        for (seen, wanted) in seen.iter().zip(&wanted.probabilities) {
            assert!((f64::from(*seen) - wanted).abs() < 1e-6, "{config:?}: {seen} is not {wanted}");
        }
    }
}

/// The same by sorting all distances.
fn sorted(training: &Table<'_>, targets: &[u8], query: &[f32], neighbours: usize) -> [f32; 3] {
    let distance = |row: usize| -> f64 {
        training
            .row(row)
            .iter()
            .zip(query)
            .map(|(&one, &other)| (f64::from(one) - f64::from(other)).powi(2))
            .sum()
    };
    let mut rows: Vec<(f64, usize)> = (0..training.rows()).map(|row| (distance(row), row)).collect();
    rows.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
    let mut counts = [0_u32; 3];
    rows[..neighbours].iter().for_each(|&(_, row)| counts[usize::from(targets[row])] += 1);
    counts.map(|count| (f64::from(count) / neighbours as f64) as f32)
}

fn drawn(rows: usize, columns: usize, index: u64) -> Vec<f32> {
    let mut rng = generator(3, "test/nearest-neighbours", index);
    (0..rows * columns).map(|_| StandardNormal.sample(&mut rng)).collect()
}

#[test]
fn blocks_find_what_a_comparison_with_every_row_finds() {
    // More rows than a block, columns that no lane divides; far from 0 (the mean takes that off), and far from the mean
    // on both sides, where products of 32 bits alone are off by more than the distances.
    let (columns, rows) = (7, 2600);
    for (offset, apart) in [(0.0, 0.0), (3000.0, 0.0), (0.0, 3000.0)] {
        let moved = |rows, index| {
            let mut values = drawn(rows, columns, index);
            for (row, values) in values.chunks_exact_mut(columns).enumerate() {
                let by = offset + if row % 2 == 0 { apart } else { -apart };
                values.iter_mut().for_each(|value| *value += by);
            }
            values
        };
        let (values, queries) = (moved(rows, 0), moved(300, 1));
        let targets: Vec<u8> = (0..rows).map(|row| (row * row % 3) as u8).collect();
        let (training, queries) =
            (Table::new(&values, columns).unwrap(), Table::new(&queries, columns).unwrap());
        let config = NearestNeighboursConfig { neighbours: 9, ..Default::default() };
        let seen = fit(&values, columns, &targets, &config).probabilities(&queries).unwrap();
        for (row, seen) in seen.chunks_exact(3).enumerate() {
            assert_eq!(seen, sorted(&training, &targets, queries.row(row), 9), "row {row}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Few different values: many ties, equal rows, and distances of 0. Very large ones: products that overflow.
    #[test]
    fn ties_go_to_earlier_rows(
        grid in prop::collection::vec(0_u8..4, 60..200),
        scale in prop::sample::select(vec![1.0_f32, 1e-20, 1e18, 1e30]),
        neighbours in 1_usize..20,
    ) {
        let values: Vec<f32> = grid.iter().map(|&value| f32::from(value) * scale).collect();
        let values = &values[..values.len() / 3 * 3];
        let table = Table::new(values, 3).unwrap();
        let targets: Vec<u8> = (0..table.rows()).map(|row| (row % 3) as u8).collect();
        let config = NearestNeighboursConfig { neighbours, ..Default::default() };
        let seen = fit(values, 3, &targets, &config).probabilities(&table).unwrap();
        for (row, seen) in seen.chunks_exact(3).enumerate() {
            prop_assert_eq!(seen, sorted(&table, &targets, table.row(row), neighbours));
        }
    }
}

#[test]
fn kept_rows_are_spread_evenly() {
    let values: Vec<f32> = (0..10_u8).map(f32::from).collect();
    let targets = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0];
    let config = NearestNeighboursConfig { neighbours: 1, maximum_training_rows: 4, ..Default::default() };
    let model = fit(&values, 1, &targets, &config);
    assert_eq!((model.values, model.classes), (vec![0.0, 2.0, 5.0, 7.0], vec![0, 2, 2, 1]));
}

#[test]
fn distance_0_takes_all() {
    let config =
        NearestNeighboursConfig { neighbours: 3, weights: NeighbourWeights::Distance, ..Default::default() };
    let model = fit(&[0.0, 0.0, 1.0, 9.0], 1, &[0, 1, 2, 2], &config);
    assert_eq!(model.probabilities(&Table::new(&[0.0], 1).unwrap()).unwrap(), [0.5, 0.5, 0.0]);
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let values = drawn(1500, 5, 2);
    let targets: Vec<u8> = (0..1500).map(|row| (row % 3) as u8).collect();
    let config = NearestNeighboursConfig { weights: NeighbourWeights::Distance, ..Default::default() };
    let model = fit(&values, 5, &targets, &config);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| model.probabilities(&Table::new(&values, 5).unwrap()).unwrap())
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn what_cannot_be_looked_up_is_refused_and_models_stored() {
    let table = Table::new(&[1.0, 2.0], 1).unwrap();
    let bad = |text: &str| {
        let config: NearestNeighboursConfig = toml::from_str(text).unwrap();
        config.fit(&table, &[0, 1], 0, &mut |_| ()).unwrap_err().to_string()
    };
    assert!(bad("neighbours = 0").contains("`neighbours` is 0"));
    assert!(bad("neighbours = 3").contains("2 rows are fewer than 3 neighbours"));
    assert!(bad("neighbours = 2\nmaximum_training_rows = 1").contains("`maximum_training_rows` is 1"));
    let config: NearestNeighboursConfig = toml::from_str("neighbours = 2\nweights = \"distance\"").unwrap();
    let model = config.fit(&table, &[0, 1], 0, &mut |_| ()).unwrap();
    assert!(model.probabilities(&Table::new(&[1.0, 2.0], 2).unwrap()).is_err());
    assert_eq!(model.probabilities(&Table::new(&[], 1).unwrap()).unwrap(), Vec::<f32>::new());
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<NearestNeighbours>(&text).unwrap(), model);
    let changed = serde_json::from_str::<NearestNeighbours>(&text.replace("[0,1]", "[0]")).unwrap();
    assert!(changed.probabilities(&table).is_err());
}
