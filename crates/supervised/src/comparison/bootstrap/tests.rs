use proptest::prelude::*;
use rand::RngExt;
use serde::Deserialize;

use super::*;
use crate::comparison::simulation::Simulation;
use crate::metrics::block_bootstrap;

/// What scikit-learn says; the script beside the file makes it.
#[derive(Deserialize)]
struct Fixture {
    targets: Vec<u8>,
    comparison: Golden,
}

#[derive(Deserialize)]
struct Golden {
    a: Vec<u8>,
    b: Vec<u8>,
    probabilities_a: Vec<f32>,
    probabilities_b: Vec<f32>,
    macro_f1: [f64; 2],
    log_loss: [f64; 2],
}

fn config(block_length: usize, resamples: usize, seed: u64) -> BootstrapConfig {
    BootstrapConfig { block_length, resamples, seed }
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let golden: Fixture =
        serde_json::from_str(include_str!("../../../tests/fixtures/tabular_baselines.json")).unwrap();
    let comparison = &golden.comparison;
    let open_times: Vec<i64> = (0..golden.targets.len() as i64).map(|row| row % 30).collect();
    let rows = PairedRows {
        open_times: &open_times,
        targets: &golden.targets,
        classes_a: &comparison.a,
        classes_b: &comparison.b,
    };
    let probabilities = (&comparison.probabilities_a[..], &comparison.probabilities_b[..]);
    let seen = compare(&rows, Some(probabilities), &config(3, 100, 0)).unwrap();
    assert_eq!((seen.rows, seen.times), (90, 30));
    let near = |seen: &PairedDifference, wanted: [f64; 2], tolerance: f64| {
        assert!((seen.first - wanted[0]).abs() < tolerance && (seen.second - wanted[1]).abs() < tolerance);
        assert!((seen.difference - (wanted[0] - wanted[1])).abs() < 2.0 * tolerance);
        assert!(seen.lower < seen.difference && seen.difference < seen.upper);
    };
    near(&seen.macro_f1, comparison.macro_f1, 1e-14);
    // scikit-learn was given rows that add up to 1 exactly.
    near(&seen.log_loss.unwrap(), comparison.log_loss, 1e-6);
}

/// Share of `pairs` whose interval holds 0, and the share whose interval lies above.
fn coverage(pairs: u64, advantage: f64, block_length: usize) -> [f64; 2] {
    let interval = |index: u64| {
        let simulation = Simulation::new(2400, advantage, index);
        compare(&simulation.rows(), None, &config(block_length, 150, index)).unwrap().macro_f1
    };
    let all: Vec<PairedDifference> = (0..pairs).into_par_iter().map(interval).collect();
    let share = |count: usize| count as f64 / pairs as f64;
    let covers = all.iter().filter(|interval| interval.lower <= 0.0 && interval.upper >= 0.0).count();
    [share(covers), share(all.iter().filter(|interval| interval.lower > 0.0).count())]
}

#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let [covers, _] = coverage(300, 0.0, 60);
    assert!((0.90..=0.98).contains(&covers), "{covers}");
    let [covers, above] = coverage(100, 0.15, 60);
    assert!(covers < 0.1 && above > 0.9, "{covers} {above}");
}

#[test]
fn single_times_for_blocks_are_too_sure() {
    let [covers, _] = coverage(100, 0.0, 1);
    assert!(covers < 0.75, "{covers}");
}

#[test]
fn standard_error_is_that_of_the_tested_bootstrap() {
    // One row at each time: the mean of rows that metrics::block_bootstrap resamples is the same mean.
    let mut rng = generator(2, "test/paired-log-loss", 0);
    let times = 800;
    let mut level = 0.0;
    let mut shares = || {
        level = 0.9 * level + 0.1 * (rng.random::<f64>() - 0.5);
        let first = (0.4 + level + 0.1 * rng.random::<f64>()).clamp(0.05, 0.9) as f32;
        [first, 1.0 - first, 0.0]
    };
    let (a, b): (Vec<[f32; 3]>, Vec<[f32; 3]>) = (0..times).map(|_| (shares(), shares())).unzip();
    let targets: Vec<u8> = (0..times).map(|row| (row % 2) as u8).collect();
    let open_times: Vec<i64> = (0..times).map(|row| -row).collect();
    let rows =
        PairedRows { open_times: &open_times, targets: &targets, classes_a: &targets, classes_b: &targets };
    let config = config(20, 4000, 1);
    let seen = compare(&rows, Some((a.as_flattened(), b.as_flattened())), &config).unwrap();
    let of = |rows: &[[f32; 3]], row: usize| surprise(f64::from(rows[row][usize::from(targets[row])]));
    let values: Vec<f64> = (0..times as usize).map(|row| of(&a, row) - of(&b, row)).collect();
    let wanted = block_bootstrap(&[&values], &config).unwrap();
    let seen_loss = seen.log_loss.unwrap();
    assert!((seen_loss.difference - wanted.mean).abs() < 1e-12);
    assert!(
        (seen_loss.standard_error / wanted.standard_error - 1.0).abs() < 0.05,
        "{seen_loss:?} {wanted:?}"
    );
    assert!((seen_loss.lower - wanted.lower).abs() < 0.15 * wanted.standard_error);
    // Both always right: no difference, no doubt.
    assert_eq!([seen.macro_f1.lower, seen.macro_f1.upper, seen.macro_f1.standard_error], [0.0; 3]);
    assert!(!seen.macro_f1.is_clear());
}

#[test]
fn a_classifier_against_itself_and_the_other_way_round() {
    let simulation = Simulation::new(400, 0.1, 1);
    let rows = simulation.rows();
    let same = compare(&PairedRows { classes_b: rows.classes_a, ..rows }, None, &config(20, 200, 3)).unwrap();
    assert_eq!([same.macro_f1.difference, same.macro_f1.lower, same.macro_f1.upper], [0.0; 3]);
    let there = compare(&rows, None, &config(20, 200, 3)).unwrap().macro_f1;
    let turned = PairedRows { classes_a: rows.classes_b, classes_b: rows.classes_a, ..rows };
    let back = compare(&turned, None, &config(20, 200, 3)).unwrap().macro_f1;
    assert_eq!((there.difference, there.first), (-back.difference, back.second));
    assert!((there.lower + back.upper).abs() < 1e-12 && (there.upper + back.lower).abs() < 1e-12);
}

#[test]
fn neither_threads_nor_the_order_of_rows_matter() {
    let simulation = Simulation::new(300, 0.0, 2);
    let rows = simulation.rows();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| compare(&rows, None, &config(10, 200, 0)).unwrap())
    };
    assert_eq!(run(1), run(3));
    assert_ne!(run(1), compare(&rows, None, &config(10, 200, 1)).unwrap());
    let turned = |values: &[u8]| values.iter().rev().copied().collect::<Vec<u8>>();
    let times: Vec<i64> = rows.open_times.iter().rev().copied().collect();
    let (targets, a, b) = (turned(rows.targets), turned(rows.classes_a), turned(rows.classes_b));
    let other = PairedRows { open_times: &times, targets: &targets, classes_a: &a, classes_b: &b };
    assert_eq!(run(1), compare(&other, None, &config(10, 200, 0)).unwrap());
}

proptest! {
    /// Blocks by running sums are blocks row by row, with times of several rows, in any order.
    #[test]
    fn blocks_are_sums_over_their_rows(
        rows in prop::collection::vec((0_i64..12, 0_u8..3, 0_u8..3, 0_u8..3), 2..60),
        start in 0.0..1.0_f64,
        length in 1_usize..40,
    ) {
        let open_times: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let targets: Vec<u8> = rows.iter().map(|row| row.1).collect();
        let classes_a: Vec<u8> = rows.iter().map(|row| row.2).collect();
        let classes_b: Vec<u8> = rows.iter().map(|row| row.3).collect();
        let paired =
            PairedRows { open_times: &open_times, targets: &targets, classes_a: &classes_a, classes_b: &classes_b };
        let surplus = [rows.iter().map(|row| row.0 as f64).collect(), vec![0.5; rows.len()]];
        let running = Running::new(&paired, Some(&surplus), &Timeline::new(&paired));
        let mut times = open_times.clone();
        times.sort_unstable();
        times.dedup();
        prop_assert_eq!(running.times(), times.len());
        let start = (start * times.len() as f64) as usize;
        let mut wanted = Sums::default();
        for place in start..start + length {
            for row in rows.iter().filter(|row| row.0 == times[place % times.len()]) {
                wanted.counts[usize::from(3 * row.1 + row.2)] += 1;
                wanted.counts[usize::from(9 + 3 * row.1 + row.3)] += 1;
                wanted.log_loss += row.0 as f64 - 0.5;
            }
        }
        let mut seen = Sums::default();
        running.add_block(&mut seen, start, length);
        prop_assert_eq!(seen.counts, wanted.counts);
        prop_assert!((seen.log_loss - wanted.log_loss).abs() < 1e-9);
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let simulation = Simulation::new(20, 0.0, 0);
    let rows = simulation.rows();
    let bad = |rows: &PairedRows<'_>, probabilities, config: &BootstrapConfig| {
        compare(rows, probabilities, config).unwrap_err().to_string()
    };
    let fine = config(5, 100, 0);
    assert!(bad(&rows, None, &config(0, 100, 0)).contains("`block_length`"));
    assert!(bad(&rows, None, &config(11, 100, 0)).contains("20 different times are fewer than two blocks"));
    assert!(
        bad(&PairedRows { open_times: &[1], ..rows }, None, &fine).contains("40 rows, but 1 of open times")
    );
    assert!(bad(&PairedRows { classes_b: &[3; 40], ..rows }, None, &fine).contains("second, row 0"));
    let even = [1.0 / 3.0; 120];
    assert!(bad(&rows, Some((&even[..], &even[..60])), &fine).contains("20 rows, but 40 of targets"));
    assert!(bad(&rows, Some((&even[..], &[1.0; 120][..])), &fine).contains("probabilities, row 0"));
}
