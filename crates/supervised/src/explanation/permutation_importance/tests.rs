use proptest::prelude::*;

use super::*;

fn group(name: &str, columns: &[usize]) -> ColumnGroup {
    ColumnGroup { name: name.to_owned(), columns: columns.to_vec() }
}

/// Says the class that the first column holds, unless the second one is above it.
fn model(table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
    let of_row = |row: usize| {
        let values = table.row(row);
        let class = if values[1] > values[0] { 1 } else { values[0] as usize };
        let mut shares = [0.1_f32; 3];
        shares[class] = 0.8;
        shares
    };
    Ok((0..table.rows()).flat_map(of_row).collect())
}

/// Rows whose first column is the class, the second −1, the third noise; three classes in turns.
fn rows(count: usize) -> (Vec<f32>, Vec<u8>) {
    let targets: Vec<u8> = (0..count).map(|row| (row % 3) as u8).collect();
    let values =
        targets.iter().enumerate().flat_map(|(row, &class)| [f32::from(class), -1.0, row as f32 * 0.37]);
    (values.collect(), targets)
}

#[test]
fn importance_is_what_chance_leaves() {
    let (values, targets) = rows(3000);
    let table = Table::new(&values, 3).unwrap();
    let groups = [group("class", &[0]), group("second", &[1]), group("noise", &[2]), group("both", &[2, 0])];
    let config = PermutationConfig { repeats: 20, seed: 1 };
    let mut shares = Vec::new();
    let seen = permutation_importance(&table, &targets, &[0; 3000], &groups, &config, model, &mut |share| {
        shares.push(share);
    })
    .unwrap();
    // A shuffled class is right by chance in a third of all rows. Log-loss: 2/3 of the rows go from −ln 0.8 to −ln 0.1.
    for important in [&seen[0], &seen[3]] {
        assert!((important.macro_f1_drop.mean - 2.0 / 3.0).abs() < 0.01, "{important:?}");
        assert!((important.log_loss_rise.mean - 2.0 / 3.0 * 8.0_f64.ln()).abs() < 0.02, "{important:?}");
        assert!((0.003..0.02).contains(&important.macro_f1_drop.standard_deviation), "{important:?}");
    }
    let none = ImportanceSummary { mean: 0.0, standard_deviation: 0.0 };
    // Log-loss is summed in the order of rows and so the same to the bit.
    for unused in &seen[1..3] {
        assert_eq!((unused.macro_f1_drop, unused.log_loss_rise), (none, none));
    }
    assert_eq!((shares.len(), shares.last()), (81, Some(&1.0)));
    assert!(shares.is_sorted());
}

#[test]
fn blocks_keep_their_values() {
    let (values, targets) = rows(300);
    let table = Table::new(&values, 3).unwrap();
    // Blocks that hold one class each: a shuffle within them changes nothing.
    let blocks: Vec<u32> = targets.iter().map(|&class| u32::from(class) * 7).collect();
    let groups = [group("class", &[0])];
    let config = PermutationConfig::default();
    let run = |blocks: &[u32]| {
        permutation_importance(&table, &targets, blocks, &groups, &config, model, &mut |_| ()).unwrap()
    };
    assert_eq!(run(&blocks)[0].macro_f1_drop.mean, 0.0);
    assert!(run(&[5; 300])[0].macro_f1_drop.mean > 0.5);
    assert_eq!(run(&[5; 300]), run(&[6; 300]));
}

#[test]
fn columns_of_a_group_stay_together_and_all_come_back() {
    let values: Vec<f32> = (0..90).map(|at| at as f32).collect();
    let table = Table::new(&values, 3).unwrap();
    let targets: Vec<u8> = (0..30).map(|row| (row % 3) as u8).collect();
    let blocks: Vec<u32> = (0..30).map(|row| row / 10).collect();
    let groups = [group("pair", &[2, 0]), group("middle", &[1])];
    let mut calls = 0;
    let even = |shuffled: &Table<'_>| {
        calls += 1;
        let mut moved = 0;
        for row in 0..30 {
            let [first, middle, last] = [0, 1, 2].map(|column| shuffled.row(row)[column]);
            match calls {
                1 => assert_eq!(shuffled.row(row), table.row(row)),
                2..=6 => assert!(last == first + 2.0 && middle == (3 * row + 1) as f32),
                _ => assert!(first == (3 * row) as f32 && last == first + 2.0),
            }
            let source = if calls < 7 { first / 3.0 } else { (middle - 1.0) / 3.0 } as usize;
            assert_eq!(source / 10, row / 10, "values crossed a border of blocks");
            moved += usize::from(source != row);
        }
        assert!(calls == 1 || moved > 15);
        Ok(vec![1.0 / 3.0; 90])
    };
    permutation_importance(
        &table,
        &targets,
        &blocks,
        &groups,
        &PermutationConfig::default(),
        even,
        &mut |_| (),
    )
    .unwrap();
    assert_eq!(calls, 11);
}

proptest! {
    #[test]
    fn permutations_hold_each_row_once(blocks in prop::collection::vec(0_u32..5, 1..100), index in 0_u64..9) {
        let sources = permutation(&rows_by_block(&blocks), 1, index);
        let mut sorted = sources.clone();
        sorted.sort_unstable();
        prop_assert!(sorted.iter().enumerate().all(|(row, &source)| row == source as usize));
        prop_assert!(sources.iter().zip(&blocks).all(|(&source, &block)| blocks[source as usize] == block));
    }
}

#[test]
fn what_cannot_be_shuffled_is_refused() {
    let (values, targets) = rows(6);
    let table = Table::new(&values, 3).unwrap();
    let bad = |targets: &[u8], blocks: &[u32], columns: &[usize], repeats| {
        let config = PermutationConfig { repeats, seed: 0 };
        let groups = [group("bad", columns)];
        permutation_importance(&table, targets, blocks, &groups, &config, model, &mut |_| ())
            .unwrap_err()
            .to_string()
    };
    assert!(bad(&targets, &[0; 6], &[0], 0).contains("`repeats` is 0"));
    assert!(bad(&targets[1..], &[0; 6], &[0], 1).contains("6 rows, but 5 of targets"));
    assert!(bad(&targets, &[0; 5], &[0], 1).contains("6 rows, but 5 of blocks"));
    assert!(bad(&targets, &[0; 6], &[], 1).contains("group bad: it has no columns"));
    assert!(bad(&targets, &[0; 6], &[3], 1).contains("column 3"));
    assert!(bad(&targets, &[0; 6], &[1, 0, 1], 1).contains("column 1 is named twice"));
    let wrong = |_: &Table<'_>| Ok(vec![1.0; 18]);
    let config = PermutationConfig::default();
    assert!(permutation_importance(&table, &targets, &[0; 6], &[], &config, wrong, &mut |_| ()).is_err());
}
