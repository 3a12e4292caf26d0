//! Purged splits by hand and as laws, and the gate's verdicts.

use proptest::prelude::*;

use super::super::*;

fn flat(ranges: &[std::ops::Range<usize>]) -> Vec<usize> {
    ranges.iter().cloned().flatten().collect()
}

#[test]
fn six_groups_two_of_which_test_make_the_books_five_paths() {
    // López de Prado 2018, figures 12.1 and 12.2 (splits and groups counted from 1 there): 15 splits, 2/6 · 15 = 5 paths.
    let config = PurgedPathsConfig { groups: 6, test_groups: 2, purge: 0, embargo: 0 };
    let found = PurgedPaths::new(60, &config).unwrap();
    assert_eq!(found.splits.len(), 15);
    let from_one: Vec<Vec<usize>> =
        found.paths.iter().map(|path| path.iter().map(|split| split + 1).collect()).collect();
    let expected = [
        [1, 1, 2, 3, 4, 5],
        [2, 6, 6, 7, 8, 9],
        [3, 7, 10, 10, 11, 12],
        [4, 8, 11, 13, 13, 14],
        [5, 9, 12, 14, 15, 15],
    ];
    assert_eq!(from_one, expected);
}

#[test]
fn purge_and_embargo_by_hand() {
    // Ten rows in five groups of two; groups 1 and 3 test: rows 2..4 and 6..8. A purge of 1 takes rows 1, 4, 5 and 8, an
    // embargo of 1 rows 5 and 9: only row 0 trains.
    let config = PurgedPathsConfig { groups: 5, test_groups: 2, purge: 1, embargo: 1 };
    let found = PurgedPaths::new(10, &config).unwrap();
    let split = found.splits.iter().find(|split| split.test_groups == [1, 3]).unwrap();
    assert_eq!((split.test.as_slice(), flat(&split.train)), (&[2..4, 6..8][..], vec![0]));
    // Groups 0 and 1 are one range; rows 4 (purge) and 5 (embargo) do not train.
    assert_eq!((found.splits[0].test.len(), flat(&found.splits[0].test)), (1, vec![0, 1, 2, 3]));
    assert_eq!(flat(&found.splits[0].train), [6, 7, 8, 9]);
    // Eleven rows: the first group has one more.
    assert_eq!(PurgedPaths::new(11, &config).unwrap().groups, [0..3, 3..5, 5..7, 7..9, 9..11]);
}

#[test]
fn what_cannot_be_split_is_refused_in_words() {
    let says = |rows, groups, test_groups, purge, words: &str| {
        let config = PurgedPathsConfig { groups, test_groups, purge, embargo: 0 };
        let error = PurgedPaths::new(rows, &config).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    says(60, 1, 1, 0, "purged_paths.groups = 1");
    says(60, 6, 6, 0, "purged_paths.test_groups = 6");
    says(60, 6, 0, 0, "purged_paths.test_groups = 0");
    says(600, 40, 20, 0, "20,000 splits");
    says(5, 6, 2, 0, "do not fill 6 groups");
    says(60, 6, 2, 50, "leave none of 60 rows");
    says(60, 6, 2, usize::MAX, "leave none of 60 rows");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_path_tests_each_row_once_and_no_training_row_is_near_a_test(
        groups in 2_usize..8, test_share in 0.0..1.0_f64, extra in 0_usize..40, purge in 0_usize..4, embargo in 0_usize..4,
    ) {
        let test_groups = 1 + ((groups - 1) as f64 * test_share) as usize;
        let rows = groups * 12 + extra;
        let config = PurgedPathsConfig { groups, test_groups: test_groups.min(groups - 1), purge, embargo };
        let found = PurgedPaths::new(rows, &config).unwrap();
        let mut used = Vec::new();
        for path in &found.paths {
            prop_assert_eq!(path.len(), groups);
            for (group, split) in path.iter().enumerate() {
                prop_assert!(found.splits[*split].test_groups.contains(&group));
                used.push((*split, group));
            }
        }
        used.sort_unstable();
        let mut all: Vec<(usize, usize)> = found.splits.iter().enumerate()
            .flat_map(|(at, split)| split.test_groups.iter().map(move |group| (at, *group))).collect();
        all.sort_unstable();
        prop_assert_eq!(used, all);
        for split in &found.splits {
            let tests = flat(&split.test);
            let trains = flat(&split.train);
            let near = |row: usize| tests.iter().any(|test| row + purge >= *test && row <= test + purge + embargo);
            let expected: Vec<usize> = (0..rows).filter(|row| !near(*row)).collect();
            prop_assert_eq!(trains, expected);
        }
    }
}

#[test]
fn the_gate_gives_its_reasons() {
    let good = SkillEvidence {
        trials: 20,
        trades: 150,
        observations: 900,
        deflated_sharpe: Some(0.97),
        minimum_track_record: Some(700.2),
        overfitting: Some(0.02),
        sharpe_low: Some(0.01),
    };
    let gate = SkillGate::default();
    gate.validate().unwrap();
    let verdict = gate.judge(&good);
    assert!(verdict.promote && verdict.reasons.len() == 6, "{verdict:?}");
    // What is changed in the evidence, and the one reason that it must give.
    let cases: [(SkillEvidence, &str); 10] = [
        (SkillEvidence { trials: 0, ..good }, "the number of configurations tried is 0"),
        (SkillEvidence { trades: 99, ..good }, "99 trades fails: at least 100 is asked for"),
        (
            SkillEvidence { deflated_sharpe: Some(0.9499), ..good },
            "deflated Sharpe ratio 0.9499 fails: at least 0.95",
        ),
        (SkillEvidence { deflated_sharpe: None, ..good }, "deflated Sharpe ratio was not measured"),
        (SkillEvidence { deflated_sharpe: Some(f64::NAN), ..good }, "deflated Sharpe ratio was not measured"),
        (SkillEvidence { deflated_sharpe: Some(1.5), ..good }, "deflated Sharpe ratio was not measured"),
        (SkillEvidence { observations: 700, ..good }, "700 observations fails: at least 701"),
        (SkillEvidence { overfitting: Some(0.051), ..good }, "overfitting 0.0510 fails: at most 0.05"),
        (SkillEvidence { overfitting: None, ..good }, "backtest overfitting was not measured"),
        (SkillEvidence { sharpe_low: Some(-0.001), ..good }, "lower end -0.001000"),
    ];
    for (evidence, words) in cases {
        let verdict = gate.judge(&evidence);
        let failed: Vec<&Reason> = verdict.reasons.iter().filter(|reason| !reason.passed).collect();
        assert!(
            !verdict.promote && failed.len() == 1 && failed[0].words.contains(words),
            "{words}: {failed:?}"
        );
    }
    assert!(gate.judge(&SkillEvidence { trials: 1, overfitting: None, ..good }).promote);
    assert!(!gate.judge(&SkillEvidence::default()).promote);
    let error = SkillGate { minimum_deflated_sharpe: 95.0, ..gate }.validate().unwrap_err();
    assert!(error.to_string().contains("skill_gate.minimum_deflated_sharpe = 95"), "{error}");
    assert!(toml::from_str::<SkillGate>("minimum_trade = 3").is_err());
    assert_eq!(toml::from_str::<SkillGate>("minimum_trades = 3").unwrap().minimum_trades, 3);
}
