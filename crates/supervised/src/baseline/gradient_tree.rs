//! One tree of gradient boosting.

use std::ops::Range;

use rayon::prelude::*;

use crate::baseline::Tree;
use crate::baseline::binned::{BinnedTable, MOST_BINS};
use crate::baseline::histogram::{GradientHistogram, GradientRow, GradientSum, add_gradients, subtract};
use crate::baseline::tree_growth::{ChosenSplit, GrowingTree, partition};

/// Columns that one task counts together, whose histograms (16 KiB) stay in the first cache.
const COLUMNS_TOGETHER: usize = 4;
/// Rows that are counted for all those columns before the next ones are read.
const ROWS_TOGETHER: usize = 1024;
/// A split that gains less is none (XGBoost's `kRtEps`).
const LEAST_GAIN: f64 = 1e-6;

/// What limits a tree, and the factor of its leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GradientTreeRule {
    /// Splits on a path at most.
    pub(crate) depth: usize,
    /// Sum of second derivatives in a leaf at least.
    pub(crate) leaf_weight: f64,
    /// L2 penalty on the values of the leaves.
    pub(crate) l2: f64,
    /// Factor of the leaves' values.
    pub(crate) learning_rate: f64,
}

impl GradientTreeRule {
    /// Twice what the best value of a leaf lowers the loss by (Chen and Guestrin 2016, equation 6).
    fn score(&self, sum: GradientSum) -> f64 {
        sum.gradient * sum.gradient / (sum.hessian + self.l2)
    }

    /// The best value of a leaf (equation 5) times the learning rate.
    fn leaf_value(&self, sum: GradientSum) -> f32 {
        (-self.learning_rate * sum.gradient / (sum.hessian + self.l2)) as f32
    }

    fn may_split(&self, sum: GradientSum, depth: usize) -> bool {
        depth < self.depth && sum.hessian >= 2.0 * self.leaf_weight
    }
}

/// Memory that trees of the same class use one after another.
#[derive(Default)]
pub(crate) struct GradientTreeMemory {
    /// The rows to grow a tree on; the trees reorder them.
    pub(crate) rows: Vec<GradientRow>,
    spare: Vec<GradientRow>,
    /// Histograms of nodes, `[columns]` each, that no node uses now.
    free: Vec<Vec<GradientHistogram>>,
}

/// The best split of a node.
#[derive(Clone, Copy)]
struct Split {
    /// Place among the drawn columns.
    place: usize,
    /// The last bin that goes left.
    last: u8,
    /// Twice the decrease of the loss, as XGBoost reports it.
    gain: f64,
    left: GradientSum,
}

/// A node that is still to be made a split or a leaf.
struct OpenNode {
    index: usize,
    depth: usize,
    rows: Range<usize>,
    sum: GradientSum,
    split: Option<Split>,
}

/// Grows a tree for `output` on the rows in `memory` (at least one) with splits on `columns`.
///
/// The bits of the result do not depend on the number of threads: each column is summed by one of them, in
/// the order of the rows.
pub(crate) fn grow_gradient_tree(
    table: &BinnedTable,
    columns: &[u32],
    rule: &GradientTreeRule,
    memory: &mut GradientTreeMemory,
    output: usize,
) -> Tree {
    let GradientTreeMemory { rows, spare, free } = memory;
    spare.clear();
    spare.extend_from_slice(rows);
    let mut sum = GradientSum::default();
    rows.iter().for_each(|row| sum.add(row));
    let mut root = OpenNode { index: 0, depth: 0, rows: 0..rows.len(), sum, split: None };
    let mut growth = Growth { table, columns, rule, rows, spare, free, tree: GrowingTree::new(1) };
    let mut histograms = growth.free_histograms();
    if rule.may_split(sum, 0) {
        root.split = growth.count(&root, &mut histograms);
    }
    growth.grow(&root, histograms);
    growth.tree.finish(output)
}

/// A tree being grown.
struct Growth<'a> {
    table: &'a BinnedTable,
    columns: &'a [u32],
    rule: &'a GradientTreeRule,
    rows: &'a mut [GradientRow],
    spare: &'a mut [GradientRow],
    free: &'a mut Vec<Vec<GradientHistogram>>,
    tree: GrowingTree,
}

impl Growth<'_> {
    /// Makes `node`, whose sums by bin are `histograms`, a split with all below it, or a leaf. The tree is
    /// that of growing level by level; going down at once needs histograms for one path only.
    fn grow(&mut self, node: &OpenNode, mut histograms: Vec<GradientHistogram>) {
        let Some(split) = node.split else {
            self.leaf(node.index, node.sum);
            self.free.push(histograms);
            return;
        };
        let number = self.columns[split.place];
        let column = self.table.column(number);
        let chosen =
            ChosenSplit { column: number, threshold: column.threshold(split.last), gain: split.gain };
        let [left, right] = self.tree.split(node.index, &chosen, node.sum.hessian);
        let right_sum = node.sum.minus(split.left);
        let depth = node.depth + 1;
        if !self.rule.may_split(split.left, depth) && !self.rule.may_split(right_sum, depth) {
            self.leaf(left, split.left);
            self.leaf(right, right_sum);
            self.free.push(histograms);
            return;
        }
        let goes_left = |row: &GradientRow| column.bins()[row.row as usize] <= split.last;
        let middle = node.rows.start + partition(&mut self.rows[node.rows.clone()], self.spare, goes_left);
        let left =
            OpenNode { index: left, depth, rows: node.rows.start..middle, sum: split.left, split: None };
        let right =
            OpenNode { index: right, depth, rows: middle..node.rows.end, sum: right_sum, split: None };
        let (mut small, mut large) =
            if left.rows.len() <= right.rows.len() { (left, right) } else { (right, left) };
        let mut small_histograms = self.free_histograms();
        small.split = self.count(&small, &mut small_histograms);
        large.split = self.subtract(&large, &mut histograms, &small_histograms);
        self.grow(&small, small_histograms);
        self.grow(&large, histograms);
    }

    fn leaf(&mut self, index: usize, sum: GradientSum) {
        self.tree.leaf(index, &[self.rule.leaf_value(sum)], sum.hessian);
    }

    fn free_histograms(&mut self) -> Vec<GradientHistogram> {
        let mut histograms = self.free.pop().unwrap_or_default();
        histograms.resize(self.columns.len(), [GradientSum::default(); MOST_BINS]);
        histograms
    }

    /// Fills `histograms` with the rows of `node` and returns its best split.
    fn count(&self, node: &OpenNode, histograms: &mut [GradientHistogram]) -> Option<Split> {
        let rows = &self.rows[node.rows.clone()];
        let tasks = histograms.par_chunks_mut(COLUMNS_TOGETHER).enumerate();
        let best = tasks.map(|(task, histograms)| {
            let first = task * COLUMNS_TOGETHER;
            let columns = &self.columns[first..first + histograms.len()];
            for histogram in histograms.iter_mut() {
                histogram.fill(GradientSum::default());
            }
            for rows in rows.chunks(ROWS_TOGETHER) {
                for (&column, histogram) in columns.iter().zip(histograms.iter_mut()) {
                    add_gradients(self.table.column(column), rows, histogram);
                }
            }
            self.best_of_columns(node, first, histograms)
        });
        best.reduce(|| None, better)
    }

    /// Leaves in `histograms`, which are the parent's, the rows of `node`, whose sibling has those in
    /// `sibling`, and returns its best split.
    fn subtract(
        &self,
        node: &OpenNode,
        histograms: &mut [GradientHistogram],
        sibling: &[GradientHistogram],
    ) -> Option<Split> {
        if !self.rule.may_split(node.sum, node.depth) {
            return None;
        }
        for (parent, sibling) in histograms.iter_mut().zip(sibling) {
            subtract(parent, sibling);
        }
        self.best_of_columns(node, 0, histograms)
    }

    /// The best split on the columns from place `first` on, whose sums are `histograms`.
    fn best_of_columns(
        &self,
        node: &OpenNode,
        first: usize,
        histograms: &[GradientHistogram],
    ) -> Option<Split> {
        if !self.rule.may_split(node.sum, node.depth) {
            return None;
        }
        let columns = self.columns[first..].iter().zip(histograms).enumerate();
        let best = columns.map(|(place, (&column, histogram))| {
            let bins = self.table.column(column).len();
            best_split(self.rule, first + place, &histogram[..bins], node.sum)
        });
        best.fold(None, better)
    }
}

/// The better one; of equals that of the column in front, so that it does not matter who compares first.
fn better(a: Option<Split>, b: Option<Split>) -> Option<Split> {
    match (a, b) {
        (Some(a), Some(b)) if b.gain > a.gain || (b.gain == a.gain && b.place < a.place) => Some(b),
        (Some(a), _) => Some(a),
        (None, b) => b,
    }
}

/// The split of one column with the largest gain (Chen and Guestrin 2016, equation 7, without the factor ½),
/// the first of equals. `sum` is that of all bins.
fn best_split(
    rule: &GradientTreeRule,
    place: usize,
    histogram: &[GradientSum],
    sum: GradientSum,
) -> Option<Split> {
    let whole = rule.score(sum);
    let mut left = GradientSum::default();
    let mut best: Option<Split> = None;
    for (last, bin) in histogram[..histogram.len() - 1].iter().enumerate() {
        left = left.plus(*bin);
        let right = sum.minus(left);
        if left.hessian < rule.leaf_weight {
            continue;
        }
        if right.hessian < rule.leaf_weight {
            break;
        }
        let gain = rule.score(left) + rule.score(right) - whole;
        if gain > best.map_or(LEAST_GAIN, |best| best.gain) {
            best = Some(Split { place, last: last as u8, gain, left });
        }
    }
    best
}
