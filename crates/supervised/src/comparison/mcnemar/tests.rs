use proptest::prelude::*;

use super::*;
use crate::comparison::simulation::Simulation;

/// What statsmodels says; the script beside the file makes it.
#[derive(Deserialize)]
struct Fixture {
    mcnemar: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    b: u64,
    c: u64,
    statistic: f64,
    p_value: f64,
}

#[test]
fn p_values_are_those_of_statsmodels() {
    let golden: Fixture =
        serde_json::from_str(include_str!("../../../tests/fixtures/tabular_baselines.json")).unwrap();
    for wanted in golden.mcnemar {
        let seen = mcnemar(wanted.b, wanted.c);
        assert!((seen.p_value - wanted.p_value).abs() < 1e-12, "{seen:?}");
        assert!((seen.p_value / wanted.p_value - 1.0).abs() < 1e-9, "{seen:?}");
        assert_eq!(seen.chi_square.is_none(), wanted.b + wanted.c < 25);
        if let Some(chi_square) = seen.chi_square {
            assert!((chi_square - wanted.statistic).abs() < 1e-12);
        }
    }
    // No rows to tell them apart, and equal numbers of them.
    assert_eq!([mcnemar(0, 0).p_value, mcnemar(40, 40).p_value], [1.0; 2]);
    assert!(mcnemar(u64::MAX, u64::MAX).p_value.is_finite());
}

/// Rows at which only the first (+1), only the second (−1) or both are right (0), by time.
fn rows_of(times: &[i64], signs: &[i8], block_length: usize) -> ClusteredMcNemar {
    let right = |wrong: i8| signs.iter().map(|&sign| u8::from(sign == wrong)).collect::<Vec<u8>>();
    let rows = PairedRows {
        open_times: times,
        targets: &vec![0; signs.len()],
        classes_a: &right(-1),
        classes_b: &right(1),
    };
    clustered_mcnemar(&rows, block_length).unwrap()
}

#[test]
fn blocks_are_the_units() {
    // By hand. Times 1, 2 | 3, 5 | 8 hold 1 + 1 − 1 | 1 + 1 + 1 | −1: d = 1, 3, −1, and z = 3 / √11.
    let seen = rows_of(&[1, 5, 2, 3, 8, 2, 3, 5], &[1, 1, 1, 1, -1, -1, 0, 1], 2);
    assert_eq!((seen.only_first, seen.only_second, seen.blocks), (5, 2, 3));
    assert!((seen.z - 3.0 / 11.0_f64.sqrt()).abs() < 1e-15);
    // scipy.stats.norm.sf(3 / sqrt(11)) * 2
    assert!((seen.p_value - 0.36571229628151325).abs() < 1e-12, "{}", seen.p_value);
    let none = rows_of(&[1, 2], &[0, 0], 1);
    assert_eq!((none.z, none.p_value), (0.0, 1.0));
}

proptest! {
    /// With blocks of one row, z² is McNemar's chi-square without correction.
    #[test]
    fn single_rows_are_mcnemar(signs in prop::collection::vec(-1_i8..=1, 2..80)) {
        let times: Vec<i64> = (0..signs.len() as i64).collect();
        let seen = rows_of(&times, &signs, 1);
        let (b, c) = (seen.only_first as f64, seen.only_second as f64);
        let wanted = if b + c == 0.0 { 0.0 } else { (b - c) * (b - c) / (b + c) };
        prop_assert!((seen.z * seen.z - wanted).abs() < 1e-9);
        prop_assert!((0.0..=1.0).contains(&seen.p_value));
        let turned: Vec<i8> = signs.iter().map(|sign| -sign).collect();
        prop_assert_eq!(rows_of(&times, &turned, 1).z, -seen.z);
        prop_assert_eq!(mcnemar(seen.only_first, seen.only_second).p_value, mcnemar(seen.only_second, seen.only_first).p_value);
    }
}

#[test]
fn blocks_are_right_where_rows_are_too_sure() {
    let (mut of_rows, mut of_blocks) = (0, 0);
    for index in 0..300 {
        let simulation = Simulation::new(2400, 0.0, index);
        let seen = clustered_mcnemar(&simulation.rows(), 60).unwrap();
        of_blocks += usize::from(seen.p_value < 0.05);
        of_rows += usize::from(mcnemar(seen.only_first, seen.only_second).p_value < 0.05);
    }
    // Of models that are equally good 5 % should be told apart: 15, give or take 3.8.
    assert!((4..=27).contains(&of_blocks), "{of_blocks}");
    assert!(of_rows > 60, "{of_rows}");
    let simulation = Simulation::new(2400, 0.15, 0);
    let seen = clustered_mcnemar(&simulation.rows(), 60).unwrap();
    assert!(seen.z > 0.0 && seen.p_value < 0.05, "{seen:?}");
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let simulation = Simulation::new(20, 0.0, 0);
    let rows = simulation.rows();
    let bad = |rows, length| clustered_mcnemar(&rows, length).unwrap_err().to_string();
    assert!(bad(rows, 0).contains("`block_length` is 0"));
    assert!(bad(rows, 20).contains("fewer than two blocks of 20"));
    assert!(bad(PairedRows { targets: &[], ..rows }, 5).contains("targets: 0 rows"));
}
