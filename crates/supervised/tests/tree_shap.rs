//! Shapley values of trees, held against the Python package `shap` and against their definition.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use proptest::prelude::*;
use serde::Deserialize;
use supervised::baseline::{Link, Table, Tree, TreeEnsemble, TreeNode};
use supervised::explanation::tree_shap;

/// As `tests/fixtures/tree_models.py` writes it.
#[derive(Deserialize)]
struct Case {
    name: String,
    ensemble: TreeEnsemble,
    rows: Vec<f32>,
    outputs: Vec<f64>,
    expected: Vec<f64>,
    values: Vec<f64>,
}

fn assert_close(name: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < tolerance, "{name}, {place}: {found} for {expected}");
    }
}

#[test]
fn values_are_those_of_the_python_package() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/tree_shap.json")).unwrap();
    assert_eq!(cases.len(), 2);
    for case in cases {
        let table = Table::new(&case.rows, 6).unwrap();
        let shap = tree_shap(&case.ensemble, &table).unwrap();
        // The stored leaves are f32, theirs are f64.
        assert_close(&case.name, &case.ensemble.raw_outputs(&table).unwrap(), &case.outputs, 1e-6);
        assert_close(&case.name, &shap.expected, &case.expected, 1e-6);
        assert_close(&case.name, &shap.values, &case.values, 1e-6);
        assert!(case.values.iter().any(|value| value.abs() > 0.1));
    }
}

/// A complete tree of depth `depth` from a list of random numbers; column and threshold, covers and leaves from them.
fn complete_tree(depth: u32, columns: u32, numbers: &[u32]) -> Tree {
    let mut take = numbers.iter().copied().cycle();
    let mut next = || take.next().unwrap();
    let splits = 2_u32.pow(depth) - 1;
    let mut nodes: Vec<TreeNode> = (0..splits)
        .map(|node| TreeNode::Split {
            feature: next() % columns,
            threshold: (next() % 7) as f32,
            left: 2 * node + 1,
            right: 2 * node + 2,
            cover: 1.0,
            gain: 0.0,
        })
        .collect();
    let covers =
        (0..=splits).map(|leaf| TreeNode::Leaf { first_value: 2 * leaf, cover: (1 + next() % 9) as f32 });
    nodes.extend(covers);
    for node in (0..splits as usize).rev() {
        let sum = nodes[2 * node + 1].cover() + nodes[2 * node + 2].cover();
        if let TreeNode::Split { cover, .. } = &mut nodes[node] {
            *cover = sum;
        }
    }
    let values = (0..2 * (splits + 1)).map(|_| (next() % 100) as f32 / 10.0 - 5.0).collect();
    Tree { nodes, values, first_output: 0, width: 2 }
}

/// What a tree is expected to say of output 0 where only the columns in `known` are known: algorithm 1 of Lundberg et al. 2020.
fn conditional(tree: &Tree, node: u32, row: &[f32], known: u32) -> f64 {
    match tree.nodes[node as usize] {
        TreeNode::Leaf { first_value, .. } => f64::from(tree.values[first_value as usize]),
        TreeNode::Split { feature, threshold, left, right, cover, .. } => {
            if known & (1 << feature) != 0 {
                let next = if row[feature as usize] < threshold { left } else { right };
                return conditional(tree, next, row, known);
            }
            let part = |child: u32| {
                f64::from(tree.nodes[child as usize].cover()) * conditional(tree, child, row, known)
            };
            (part(left) + part(right)) / f64::from(cover)
        }
    }
}

/// Shapley's definition, over all subsets of columns.
fn definition(tree: &Tree, row: &[f32], column: usize) -> f64 {
    let columns = row.len() as u32;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let others = (0..1_u32 << columns).filter(|subset| subset & (1 << column) == 0);
    others
        .map(|subset| {
            let size = subset.count_ones();
            let weight = factorial(size) * factorial(columns - size - 1) / factorial(columns);
            let with = conditional(tree, 0, row, subset | (1 << column));
            weight * (with - conditional(tree, 0, row, subset))
        })
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Depths up to 6 on 4 columns: columns come back on a path, satisfied and not.
    #[test]
    fn values_are_shapleys(
        depth in 1_u32..7,
        numbers in prop::collection::vec(any::<u32>(), 97),
        values in prop::collection::vec(0_i8..8, 11 * 4),
    ) {
        let values: Vec<f32> = values.into_iter().map(f32::from).collect();
        let table = Table::new(&values, 4).unwrap();
        let trees = vec![complete_tree(depth, 4, &numbers), complete_tree(3, 4, &numbers[1..])];
        let ensemble = TreeEnsemble::new(4, vec![0.25, -1.0], 0.5, Link::Softmax, trees).unwrap();
        let shap = tree_shap(&ensemble, &table).unwrap();
        let outputs = ensemble.raw_outputs(&table).unwrap();
        for row in 0..table.rows() {
            for output in 0..2 {
                let first = (row * 2 + output) * 4;
                let sum: f64 = shap.values[first..first + 4].iter().sum();
                let gap = outputs[row * 2 + output] - shap.expected[output] - sum;
                prop_assert!(gap.abs() < 1e-11, "completeness is off by {}", gap);
            }
            for column in 0..4 {
                let exact: f64 = ensemble.trees().iter().map(|tree| definition(tree, table.row(row), column)).sum();
                let found = shap.values[row * 8 + column];
                prop_assert!((found - 0.5 * exact).abs() < 1e-11, "{} for {}", found, 0.5 * exact);
            }
        }
    }

    /// Columns 0 and 1 change places in every tree of a second copy; where their values are equal, so are theirs.
    #[test]
    fn symmetric_columns_get_the_same_and_unused_ones_nothing(
        numbers in prop::collection::vec(any::<u32>(), 97),
        values in prop::collection::vec(0_i8..8, 9 * 2),
    ) {
        let tree = complete_tree(5, 3, &numbers);
        let mut other = tree.clone();
        for node in &mut other.nodes {
            if let TreeNode::Split { feature, .. } = node {
                *feature = [1, 0, 2][*feature as usize];
            }
        }
        let ensemble = TreeEnsemble::new(4, vec![0.0; 2], 1.0, Link::Identity, vec![tree, other]).unwrap();
        let rows: Vec<f32> = values.chunks(2).flat_map(|pair| [pair[0], pair[0], pair[1], pair[1]]).map(f32::from).collect();
        let shap = tree_shap(&ensemble, &Table::new(&rows, 4).unwrap()).unwrap();
        for values in shap.values.chunks(4) {
            prop_assert!((values[0] - values[1]).abs() < 1e-12);
            prop_assert_eq!(values[3].to_bits(), 0.0_f64.to_bits());
        }
    }
}

#[test]
fn an_empty_table_and_an_ensemble_without_splits_are_no_special_case() {
    let leaf = TreeNode::Leaf { first_value: 0, cover: 3.0 };
    let constant = Tree { nodes: vec![leaf], values: vec![2.0], first_output: 1, width: 1 };
    let ensemble = TreeEnsemble::new(2, vec![1.0, 1.0], 1.0, Link::Softmax, vec![constant]).unwrap();
    let shap = tree_shap(&ensemble, &Table::new(&[], 2).unwrap()).unwrap();
    assert_eq!((shap.rows, shap.expected), (0, vec![1.0, 3.0]));
    let shap = tree_shap(&ensemble, &Table::new(&[0.0, 1.0], 2).unwrap()).unwrap();
    assert_eq!(shap.values, [0.0; 4]);
    assert!(tree_shap(&ensemble, &Table::new(&[0.0; 3], 3).unwrap()).is_err());
}

#[test]
fn deep_paths_over_few_columns_stay_complete() {
    // 60 splits in a chain on three columns.
    let mut nodes = Vec::new();
    for split in 0..60_u32 {
        let feature = split % 3;
        let cover = (61 - split) as f32;
        nodes.push(TreeNode::Split {
            feature,
            threshold: 0.5 + split as f32,
            left: 2 * split + 1,
            right: 2 * split + 2,
            cover,
            gain: 0.0,
        });
        nodes.push(TreeNode::Leaf { first_value: split, cover: 1.0 });
    }
    nodes.push(TreeNode::Leaf { first_value: 60, cover: 1.0 });
    let values = (0..61).map(|leaf| (leaf as f32).sin()).collect();
    let tree = Tree { nodes, values, first_output: 0, width: 1 };
    let ensemble = TreeEnsemble::new(3, vec![0.0], 1.0, Link::Softmax, vec![tree]).unwrap();
    let values = [0.0, 70.0, 30.0, 61.0, 61.0, 61.0, 20.0, 19.0, 18.0];
    let table = Table::new(&values, 3).unwrap();
    let shap = tree_shap(&ensemble, &table).unwrap();
    for (values, output) in shap.values.chunks(3).zip(ensemble.raw_outputs(&table).unwrap()) {
        assert!((values.iter().sum::<f64>() - output + shap.expected[0]).abs() < 1e-12);
    }
}
