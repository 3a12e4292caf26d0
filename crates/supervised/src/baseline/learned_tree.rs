//! What this crate asks of, and takes from, the library that grows trees.

use hessboost::data::DMatrix;
use hessboost::error::HessboostError;
use hessboost::tree::RegTree;

use crate::baseline::{Table, Tree, TreeNode};
use crate::error::SupervisedError;

/// Number of classes: SELL, HOLD, BUY.
pub(crate) const CLASSES: usize = 3;

/// The library's table. It copies the values, and bins them at the first use.
pub(crate) fn matrix(table: &Table<'_>) -> Result<DMatrix, SupervisedError> {
    DMatrix::from_dense(table.values(), table.rows(), table.columns()).map_err(refused)
}

/// What the library refuses, in its words.
#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
pub(crate) fn refused(error: HessboostError) -> SupervisedError {
    SupervisedError::data("trees", error.to_string())
}

/// Refuses no rows, a number of targets that is not the number of rows, and a class beyond the third.
pub(crate) fn check_targets(table: &Table<'_>, targets: &[u8]) -> Result<(), SupervisedError> {
    if table.rows() == 0 {
        return Err(SupervisedError::data("table", "it has no rows; give at least one"));
    }
    if targets.len() != table.rows() {
        let reason = format!("there are {} for {} rows", targets.len(), table.rows());
        return Err(SupervisedError::data("targets", reason));
    }
    match targets.iter().position(|&target| usize::from(target) >= CLASSES) {
        Some(row) => {
            let reason = format!("{} is no class; classes are 0 (sell), 1 (hold), 2 (buy)", targets[row]);
            Err(SupervisedError::data(format!("targets, row {row}"), reason))
        }
        None => Ok(()),
    }
}

/// A grown tree with leaves only for values. The library's rule of a split (less than goes left) is that of
/// [`TreeNode`].
pub(crate) fn learned_tree(grown: &RegTree, first_output: usize) -> Tree {
    let width = grown.size_leaf_vector();
    let mut values = Vec::with_capacity(grown.num_leaves() * width);
    let mut nodes = Vec::with_capacity(grown.num_nodes());
    for (index, node) in grown.nodes().iter().enumerate() {
        let cover = node.sum_hess;
        nodes.push(if node.is_leaf() {
            let first_value = values.len() as u32;
            values.extend_from_slice(grown.leaf_vector(index));
            TreeNode::Leaf { first_value, cover }
        } else {
            TreeNode::Split {
                feature: node.split_feature,
                threshold: node.split_cond,
                left: node.left as u32,
                right: node.right as u32,
                cover,
                gain: node.split_gain,
            }
        });
    }
    Tree { nodes, values, first_output, width }
}
