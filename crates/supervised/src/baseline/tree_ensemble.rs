//! Sums of decision trees, whoever grew them.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::baseline::Table;
use crate::error::SupervisedError;

/// Rows that one tree is applied to before the next one: their sums stay in the first cache.
const BLOCK_ROWS: usize = 128;
/// Splits on a path at most. Grown trees have some ten; whoever walks a tree by recursion relies on it.
const DEEPEST: usize = 256;

/// What the summed leaves of a [`TreeEnsemble`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Class probabilities themselves: a forest, whose leaves hold the shares of the classes.
    Identity,
    /// Margins, whose softmax is the class probabilities: gradient boosting.
    Softmax,
}

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "PackedNode", into = "PackedNode")]
pub enum TreeNode {
    /// A row goes to `left` if its value of `feature` is **less than** `threshold`, otherwise (equal, too) to
    /// `right`. Both are `f32` and compared as such.
    Split {
        /// Column of the table.
        feature: u32,
        /// The least value that goes right, finite.
        threshold: f32,
        /// Index of the left child, greater than this node's.
        left: u32,
        /// Index of the right child, greater than this node's.
        right: u32,
        /// Sum of the training weights of the rows that came here, above 0: their number (forest), or the sum of
        /// their second derivatives (boosting).
        cover: f32,
        /// By how much the split lowers the training loss, in the units of whoever grew the tree; 0 where it is
        /// not known.
        gain: f32,
    },
    /// Where a row stays.
    Leaf {
        /// Index of the first of the leaf's values in [`Tree::values`].
        first_value: u32,
        /// As for a split.
        cover: f32,
    },
}

/// As stored: `[feature, threshold, left, right, cover, gain]`, of a leaf `[null, 0, first value, 0, cover, 0]`. A
/// forest has some hundred thousand nodes, whose field names would be most of the file.
#[derive(Serialize, Deserialize)]
struct PackedNode(Option<u32>, f32, u32, u32, f32, f32);

impl From<TreeNode> for PackedNode {
    fn from(node: TreeNode) -> Self {
        match node {
            TreeNode::Split { feature, threshold, left, right, cover, gain } => {
                Self(Some(feature), threshold, left, right, cover, gain)
            }
            TreeNode::Leaf { first_value, cover } => Self(None, 0.0, first_value, 0, cover, 0.0),
        }
    }
}

impl From<PackedNode> for TreeNode {
    fn from(PackedNode(feature, threshold, left, right, cover, gain): PackedNode) -> Self {
        match feature {
            Some(feature) => Self::Split { feature, threshold, left, right, cover, gain },
            None => Self::Leaf { first_value: left, cover },
        }
    }
}

impl TreeNode {
    /// Training weight of the rows that came here.
    pub fn cover(&self) -> f32 {
        match *self {
            Self::Split { cover, .. } | Self::Leaf { cover, .. } => cover,
        }
    }
}

/// One decision tree. It adds the values of the leaf that a row reaches to one or more of the ensemble's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The nodes; the first one is the root.
    pub nodes: Vec<TreeNode>,
    /// `[leaves, width]`: what a leaf adds to outputs `first_output..first_output + width`.
    pub values: Vec<f32>,
    /// The first output that the tree adds to.
    pub first_output: usize,
    /// How many outputs it adds to: 1 (boosting), or all (forest).
    pub width: usize,
}

impl Tree {
    /// The values of the leaf that `row` reaches, `[width]`.
    pub(crate) fn leaf_values(&self, row: &[f32]) -> &[f32] {
        let mut node = 0;
        loop {
            match self.nodes[node] {
                TreeNode::Split { feature, threshold, left, right, .. } => {
                    node = if row[feature as usize] < threshold { left } else { right } as usize;
                }
                TreeNode::Leaf { first_value, .. } => {
                    let first = first_value as usize;
                    return &self.values[first..first + self.width];
                }
            }
        }
    }

    /// Refuses what could not be walked, or would read beyond its values.
    fn validate(&self, number: usize, columns: usize, outputs: usize) -> Result<(), SupervisedError> {
        let refuse = |reason: String| Err(SupervisedError::data(format!("tree {number}"), reason));
        if self.nodes.is_empty() {
            return refuse("it has no nodes".to_owned());
        }
        if self.width == 0 || self.first_output.checked_add(self.width).is_none_or(|end| end > outputs) {
            return refuse(format!(
                "{} outputs from {} on are not among {outputs}",
                self.width, self.first_output
            ));
        }
        if self.values.iter().any(|value| !value.is_finite()) {
            return refuse("a leaf's value is not finite".to_owned());
        }
        // Of each node; 0 is the root's and that of nodes without a parent.
        let mut depths = vec![0_usize; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            if !(node.cover() > 0.0 && node.cover().is_finite()) {
                return refuse(format!("the cover of node {index} is {}", node.cover()));
            }
            match *node {
                TreeNode::Split { feature, threshold, left, right, gain, .. } => {
                    if feature as usize >= columns {
                        return refuse(format!(
                            "node {index} splits on column {feature}, there are {columns} columns"
                        ));
                    }
                    if !threshold.is_finite() || !gain.is_finite() {
                        return refuse(format!("threshold or gain of node {index} is not finite"));
                    }
                    for child in [left as usize, right as usize] {
                        if child <= index || child >= self.nodes.len() || depths[child] != 0 {
                            return refuse(format!("node {index} has node {child} for a child"));
                        }
                        depths[child] = depths[index] + 1;
                        if depths[child] > DEEPEST {
                            return refuse(format!("it has paths of more than {DEEPEST} splits"));
                        }
                    }
                }
                TreeNode::Leaf { first_value, .. } => {
                    if first_value as usize + self.width > self.values.len() {
                        return refuse(format!("leaf {index} reads beyond the values"));
                    }
                }
            }
        }
        // With children after their parents and none shared, this is what is left of being one tree.
        match depths.iter().skip(1).position(|&depth| depth == 0) {
            Some(index) => refuse(format!("node {} has no parent", index + 1)),
            None => Ok(()),
        }
    }
}

/// Trees over the same columns whose leaves are summed:
/// `output = base + tree_weight · Σ (values of the leaf reached)`, in f64, tree by tree.
///
/// Every learner's trees end up here. So prediction, storage and explanation do not depend on a learner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TreeEnsembleParts", into = "TreeEnsembleParts")]
pub struct TreeEnsemble {
    columns: usize,
    base: Vec<f64>,
    tree_weight: f64,
    link: Link,
    trees: Vec<Tree>,
}

/// A [`TreeEnsemble`] before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TreeEnsembleParts {
    columns: usize,
    base: Vec<f64>,
    tree_weight: f64,
    link: Link,
    trees: Vec<Tree>,
}

impl From<TreeEnsemble> for TreeEnsembleParts {
    fn from(TreeEnsemble { columns, base, tree_weight, link, trees }: TreeEnsemble) -> Self {
        Self { columns, base, tree_weight, link, trees }
    }
}

impl TryFrom<TreeEnsembleParts> for TreeEnsemble {
    type Error = SupervisedError;

    fn try_from(parts: TreeEnsembleParts) -> Result<Self, SupervisedError> {
        Self::new(parts.columns, parts.base, parts.tree_weight, parts.link, parts.trees)
    }
}

impl TreeEnsemble {
    /// Trees over `columns` columns, with one base value per output.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for no columns or outputs, for a base or weight that is not finite, and for a tree that is
    /// none: children must stand after their parent and belong to it alone, columns, outputs and values must exist,
    /// covers must be above 0.
    pub fn new(
        columns: usize,
        base: Vec<f64>,
        tree_weight: f64,
        link: Link,
        trees: Vec<Tree>,
    ) -> Result<Self, SupervisedError> {
        if columns == 0 || base.is_empty() {
            return Err(SupervisedError::data("trees", "there must be columns and outputs"));
        }
        if !tree_weight.is_finite() || base.iter().any(|value| !value.is_finite()) {
            return Err(SupervisedError::data("trees", "the base values or the weight are not finite"));
        }
        for (number, tree) in trees.iter().enumerate() {
            tree.validate(number, columns, base.len())?;
        }
        Ok(Self { columns, base, tree_weight, link, trees })
    }

    /// Number of columns of a table that the trees read.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of outputs, one per class.
    pub fn outputs(&self) -> usize {
        self.base.len()
    }

    /// What the outputs of a row are before any tree, `[outputs]`.
    pub fn base(&self) -> &[f64] {
        &self.base
    }

    /// The factor of every tree: 1, or one divided by the number of trees where they are averaged.
    pub fn tree_weight(&self) -> f64 {
        self.tree_weight
    }

    /// What the outputs are.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The trees in the order in which they are summed.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// The summed outputs before the link, `[rows, outputs]`.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a table of other columns.
    pub fn raw_outputs(&self, table: &Table<'_>) -> Result<Vec<f64>, SupervisedError> {
        self.check_columns(table)?;
        let outputs = self.outputs();
        let mut sums = vec![0.0; table.rows() * outputs];
        sums.par_chunks_mut(BLOCK_ROWS * outputs)
            .enumerate()
            .for_each(|(block, sums)| self.sum_block(table, block * BLOCK_ROWS, sums));
        Ok(sums)
    }

    /// Class probabilities, `[rows, outputs]`; each row sums to 1 up to rounding.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] for a table of other columns.
    pub fn probabilities(&self, table: &Table<'_>) -> Result<Vec<f32>, SupervisedError> {
        self.check_columns(table)?;
        let outputs = self.outputs();
        let mut probabilities = vec![0.0; table.rows() * outputs];
        probabilities.par_chunks_mut(BLOCK_ROWS * outputs).enumerate().for_each_init(
            Vec::new,
            |sums, (block, probabilities)| {
                sums.clear();
                sums.resize(probabilities.len(), 0.0);
                self.sum_block(table, block * BLOCK_ROWS, sums);
                if self.link == Link::Softmax {
                    sums.chunks_exact_mut(outputs).for_each(softmax);
                }
                for (probability, &sum) in probabilities.iter_mut().zip(sums.iter()) {
                    *probability = sum as f32;
                }
            },
        );
        Ok(probabilities)
    }

    /// The share of each column in the gain of all splits, `[columns]`, summing to 1; all 0 where no tree has a split.
    ///
    /// Of a forest this is the mean decrease in impurity (Breiman et al. 1984, "Classification and regression
    /// trees", section 5.3.4), of boosting the total gain. It favours columns of many distinct values, and shares what two
    /// alike columns say between them.
    pub fn importance(&self) -> Vec<f64> {
        let mut importance = vec![0.0; self.columns];
        for node in self.trees.iter().flat_map(|tree| &tree.nodes) {
            if let TreeNode::Split { feature, gain, .. } = *node {
                importance[feature as usize] += f64::from(gain);
            }
        }
        let total: f64 = importance.iter().sum();
        if total > 0.0 {
            importance.iter_mut().for_each(|share| *share /= total);
        }
        importance
    }

    pub(crate) fn check_columns(&self, table: &Table<'_>) -> Result<(), SupervisedError> {
        if table.columns() == self.columns {
            return Ok(());
        }
        let reason =
            format!("the trees were grown on {} columns, the table has {}", self.columns, table.columns());
        Err(SupervisedError::data("table", reason))
    }

    /// Fills `sums` (`[rows, outputs]`) with the outputs of the rows from `first_row` on.
    fn sum_block(&self, table: &Table<'_>, first_row: usize, sums: &mut [f64]) {
        let outputs = self.outputs();
        for tree in &self.trees {
            for (place, sums) in sums.chunks_exact_mut(outputs).enumerate() {
                let values = tree.leaf_values(table.row(first_row + place));
                for (sum, &value) in sums[tree.first_output..].iter_mut().zip(values) {
                    *sum += f64::from(value);
                }
            }
        }
        for sums in sums.chunks_exact_mut(outputs) {
            for (sum, base) in sums.iter_mut().zip(&self.base) {
                *sum = base + self.tree_weight * *sum;
            }
        }
    }
}

/// Turns margins into probabilities.
pub(crate) fn softmax(margins: &mut [f64]) {
    let largest = margins.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = (*margin - largest).exp();
        sum += *margin;
    }
    margins.iter_mut().for_each(|margin| *margin /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(feature: u32, threshold: f32, left: u32, right: u32) -> TreeNode {
        TreeNode::Split { feature, threshold, left, right, cover: 2.0, gain: 1.0 }
    }

    fn leaf(first_value: u32) -> TreeNode {
        TreeNode::Leaf { first_value, cover: 1.0 }
    }

    fn stump() -> Tree {
        Tree {
            nodes: vec![split(1, 0.5, 1, 2), leaf(0), leaf(2)],
            values: vec![0.9, 0.1, 0.2, 0.8],
            first_output: 0,
            width: 2,
        }
    }

    #[test]
    fn a_value_equal_to_the_threshold_goes_right() {
        let ensemble = TreeEnsemble::new(2, vec![0.0; 2], 1.0, Link::Identity, vec![stump()]).unwrap();
        let below = 0.5_f32.next_down();
        let values = [0.0, below, 0.0, 0.5];
        let outputs = ensemble.probabilities(&Table::new(&values, 2).unwrap()).unwrap();
        assert_eq!(outputs, [0.9, 0.1, 0.2, 0.8]);
    }

    #[test]
    fn base_weight_and_outputs_are_those_of_the_formula() {
        let mut second = stump();
        (second.first_output, second.width, second.values) = (1, 1, vec![4.0, 8.0, 16.0]);
        let trees = vec![stump(), second];
        let ensemble = TreeEnsemble::new(2, vec![1.0, 2.0], 0.5, Link::Softmax, trees).unwrap();
        let values = [0.0, 1.0];
        let table = Table::new(&values, 2).unwrap();
        let outputs = ensemble.raw_outputs(&table).unwrap();
        assert!((outputs[0] - 1.1).abs() < 1e-7 && (outputs[1] - (2.0 + 0.5 * 16.8)).abs() < 1e-7);
        let probabilities = ensemble.probabilities(&table).unwrap();
        let expected = 1.0 / (1.0 + (outputs[1] - outputs[0]).exp());
        assert!((f64::from(probabilities[0]) - expected).abs() < 1e-7);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        let refused = |change: &dyn Fn(&mut Tree)| {
            let mut tree = stump();
            change(&mut tree);
            TreeEnsemble::new(2, vec![0.0; 2], 1.0, Link::Identity, vec![tree]).unwrap_err().to_string()
        };
        assert!(refused(&|tree| tree.nodes[0] = split(2, 0.5, 1, 2)).contains("column 2"));
        assert!(refused(&|tree| tree.nodes[0] = split(1, f32::NAN, 1, 2)).contains("not finite"));
        assert!(refused(&|tree| tree.nodes[0] = split(1, 0.5, 0, 2)).contains("child"));
        assert!(refused(&|tree| tree.nodes[0] = split(1, 0.5, 1, 1)).contains("child"));
        assert!(refused(&|tree| tree.nodes[0] = split(1, 0.5, 1, 3)).contains("child"));
        assert!(refused(&|tree| tree.nodes.push(leaf(0))).contains("no parent"));
        assert!(refused(&|tree| tree.nodes[2] = leaf(3)).contains("beyond"));
        assert!(refused(&|tree| tree.nodes.clear()).contains("no nodes"));
        assert!(refused(&|tree| tree.width = 3).contains("outputs"));
        assert!(
            refused(&|tree| tree.nodes[1] = TreeNode::Leaf { first_value: 0, cover: 0.0 }).contains("cover")
        );
        let other = TreeEnsemble::new(2, vec![0.0; 2], 1.0, Link::Identity, vec![stump()]).unwrap();
        assert!(other.probabilities(&Table::new(&[0.0; 3], 3).unwrap()).is_err());
    }

    #[test]
    fn a_stored_ensemble_is_checked_when_it_is_read() {
        let ensemble = TreeEnsemble::new(2, vec![0.0; 2], 1.0, Link::Identity, vec![stump()]).unwrap();
        let text = serde_json::to_string(&ensemble).unwrap();
        assert_eq!(serde_json::from_str::<TreeEnsemble>(&text).unwrap(), ensemble);
        let broken = text.replace("[1,0.5,1,2,", "[1,0.5,1,9,");
        assert_ne!(broken, text);
        assert!(serde_json::from_str::<TreeEnsemble>(&broken).is_err());
    }
}
