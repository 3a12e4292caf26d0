//! One round of boosting, held node by node against XGBoost's.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use serde::Deserialize;
use supervised::baseline::{GradientBoostingConfig, Table, Tree, TreeNode};

/// As `tests/fixtures/tree_models.py` writes it.
#[derive(Deserialize)]
struct Round {
    columns: usize,
    inputs: Vec<f32>,
    classes: Vec<u8>,
    base: Vec<f64>,
    /// Per tree and node `[column, threshold, gain, cover]`, of a leaf `[value, cover]`; a split's children follow it.
    trees: Vec<Vec<Vec<f64>>>,
}

/// Holds the nodes below `node`, which `rows` reach, against `expected`, and what is left of that comes back.
fn assert_same_nodes<'a>(
    tree: &Tree,
    node: u32,
    rows: &[&[f32]],
    expected: &'a [Vec<f64>],
) -> &'a [Vec<f64>] {
    let near = |ours: f32, theirs: f64| (f64::from(ours) - theirs).abs() < 1e-5 * theirs.abs().max(1.0);
    let (theirs, rest) = expected.split_first().unwrap();
    match tree.nodes[node as usize] {
        TreeNode::Split { feature, threshold, left, right, cover, gain } => {
            assert_eq!((theirs.len(), f64::from(feature)), (4, theirs[0]));
            assert!(near(gain, theirs[2]) && near(cover, theirs[3]), "{gain} and {cover}, not {theirs:?}");
            // Between the same neighbours.
            let goes_left = |row: &&[f32]| row[feature as usize] < threshold;
            for row in rows {
                let value = f64::from(row[feature as usize]);
                assert_eq!(goes_left(row), value < theirs[1], "{threshold}, not {theirs:?}");
            }
            let (lefts, rights): (Vec<&[f32]>, Vec<&[f32]>) = rows.iter().copied().partition(goes_left);
            let rest = assert_same_nodes(tree, left, &lefts, rest);
            assert_same_nodes(tree, right, &rights, rest)
        }
        TreeNode::Leaf { first_value, cover } => {
            let value = tree.values[first_value as usize];
            assert_eq!(theirs.len(), 2);
            assert!(near(value, theirs[0]) && near(cover, theirs[1]), "{value} and {cover}, not {theirs:?}");
            rest
        }
    }
}

#[test]
fn a_round_grows_the_trees_of_xgboost() {
    let round: Round = serde_json::from_str(include_str!("fixtures/xgboost_round.json")).unwrap();
    let table = Table::new(&round.inputs, round.columns).unwrap();
    let config = GradientBoostingConfig {
        rounds: 1,
        learning_rate: 0.3,
        depth: 2,
        leaf_weight: 4.0,
        l2: 1.5,
        row_share: 1.0,
        column_share: 1.0,
        ..GradientBoostingConfig::default()
    };
    let model = config.fit(&table, &round.classes, 1, &mut |_| ()).unwrap();
    for (ours, theirs) in model.ensemble().base().iter().zip(&round.base) {
        assert!((ours - theirs).abs() < 1e-6, "{ours}, not {theirs}");
    }
    assert_eq!(model.ensemble().trees().len(), round.trees.len());
    let rows: Vec<&[f32]> = (0..table.rows()).map(|row| table.row(row)).collect();
    for (tree, expected) in model.ensemble().trees().iter().zip(&round.trees) {
        assert!(assert_same_nodes(tree, 0, &rows, expected).is_empty());
    }
}
