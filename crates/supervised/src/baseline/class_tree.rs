//! One tree of a random forest.

use std::ops::Range;

use rand::{Rng, RngExt};

use crate::baseline::Tree;
use crate::baseline::binned::{BinnedTable, MOST_BINS};
use crate::baseline::histogram::{ClassCounts, ClassHistogram, ClassRow, add_classes};
use crate::baseline::targets::CLASSES;
use crate::baseline::tree_growth::{ChosenSplit, GrowingTree, partition};

/// A split that gains less than this for each row is rounding.
const LEAST_GAIN: f64 = 1e-9;

/// What limits a tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClassTreeRule {
    /// Splits on a path at most.
    pub(crate) depth: usize,
    /// Rows, as often as they were drawn, in a leaf at least.
    pub(crate) leaf_rows: usize,
    /// Columns that are drawn for each split, from 1 to those of the table.
    pub(crate) split_columns: usize,
}

/// The best split of a node.
struct Split {
    column: u32,
    /// The last bin that goes left.
    last: u8,
    /// Decrease of the Gini impurity times the node's rows.
    gain: f64,
    left: ClassCounts,
}

/// Grows a tree on `rows` (at least one, reordered), whose splits maximise the decrease of the Gini impurity
/// (Breiman et al. 1984, "Classification and regression trees", section 4.3). Leaves hold the shares of the
/// classes.
pub(crate) fn grow_class_tree(
    table: &BinnedTable,
    rule: &ClassTreeRule,
    rows: &mut [ClassRow],
    rng: &mut impl Rng,
) -> Tree {
    let mut counts = ClassCounts::default();
    for row in rows.iter() {
        counts[row.class()] += row.times();
    }
    let spare = rows.to_vec();
    let mut growth = Growth {
        table,
        rule,
        spare,
        rng,
        columns: (0..table.columns() as u32).collect(),
        histogram: [ClassCounts::default(); MOST_BINS],
        tree: GrowingTree::new(CLASSES),
    };
    growth.grow(rows, 0..rows.len(), 0, 0, counts);
    growth.tree.finish(0)
}

/// A tree being grown.
struct Growth<'a, R> {
    table: &'a BinnedTable,
    rule: &'a ClassTreeRule,
    spare: Vec<ClassRow>,
    rng: &'a mut R,
    /// All columns; the first ones are those drawn for the node.
    columns: Vec<u32>,
    histogram: ClassHistogram,
    tree: GrowingTree,
}

impl<R: Rng> Growth<'_, R> {
    /// Makes `node`, which has the rows of `range`, a split with all below it, or a leaf.
    fn grow(
        &mut self,
        rows: &mut [ClassRow],
        range: Range<usize>,
        node: usize,
        depth: usize,
        counts: ClassCounts,
    ) {
        let total = number(&counts);
        let pure = counts.contains(&total);
        let may_split = depth < self.rule.depth && total as usize >= 2 * self.rule.leaf_rows && !pure;
        let best = if may_split { self.best_split(&rows[range.clone()], &counts) } else { None };
        let Some(split) = best else {
            let shares: [f32; CLASSES] =
                std::array::from_fn(|class| (f64::from(counts[class]) / f64::from(total)) as f32);
            self.tree.leaf(node, &shares, f64::from(total));
            return;
        };
        let column = self.table.column(split.column);
        let threshold = column.threshold(split.last);
        let chosen = ChosenSplit { column: split.column, threshold, gain: split.gain };
        let [left, right] = self.tree.split(node, &chosen, f64::from(total));
        let goes_left = |row: &ClassRow| column.bins()[row.row as usize] <= split.last;
        let middle = range.start + partition(&mut rows[range.clone()], &mut self.spare, goes_left);
        self.grow(rows, range.start..middle, left, depth + 1, split.left);
        self.grow(rows, middle..range.end, right, depth + 1, difference(&counts, &split.left));
    }

    /// The best split of a node with `rows`, on columns drawn for it; the first of equals.
    fn best_split(&mut self, rows: &[ClassRow], counts: &ClassCounts) -> Option<Split> {
        let mut best = None;
        for drawn in 0..self.rule.split_columns {
            let other = self.rng.random_range(drawn..self.columns.len());
            self.columns.swap(drawn, other);
            let number = self.columns[drawn];
            let column = self.table.column(number);
            let histogram = &mut self.histogram;
            histogram[..column.len()].fill(ClassCounts::default());
            add_classes(column, rows, histogram);
            best_of_column(number, &histogram[..column.len()], counts, self.rule.leaf_rows, &mut best);
        }
        best
    }
}

/// Replaces `best` by the best split of a column with `histogram`, if that is better.
fn best_of_column(
    column: u32,
    histogram: &[ClassCounts],
    counts: &ClassCounts,
    leaf_rows: usize,
    best: &mut Option<Split>,
) {
    let least = LEAST_GAIN * f64::from(number(counts));
    let whole = purity(counts);
    let mut left = ClassCounts::default();
    for (last, bin) in histogram[..histogram.len() - 1].iter().enumerate() {
        if *bin == ClassCounts::default() {
            continue;
        }
        for (left, count) in left.iter_mut().zip(bin) {
            *left += count;
        }
        let right = difference(counts, &left);
        if (number(&left) as usize) < leaf_rows {
            continue;
        }
        if (number(&right) as usize) < leaf_rows {
            break;
        }
        let gain = purity(&left) + purity(&right) - whole;
        if gain > best.as_ref().map_or(least, |best| best.gain) {
            *best = Some(Split { column, last: last as u8, gain, left });
        }
    }
}

/// Number of rows.
fn number(counts: &ClassCounts) -> u32 {
    counts.iter().sum()
}

/// What is left of `counts` without `part`.
fn difference(counts: &ClassCounts, part: &ClassCounts) -> ClassCounts {
    std::array::from_fn(|class| counts[class] - part[class])
}

/// Rows times one minus the Gini impurity.
fn purity(counts: &ClassCounts) -> f64 {
    let squares: f64 = counts.iter().map(|&count| f64::from(count) * f64::from(count)).sum();
    squares / f64::from(number(counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{Table, TreeNode};
    use crate::random::generator;

    const ROWS: u32 = 200;
    const RULE: ClassTreeRule = ClassTreeRule { depth: 6, leaf_rows: 4, split_columns: 2 };

    /// `[200, 3]` and the class and times of each row.
    fn sample() -> (Vec<f32>, Vec<ClassRow>) {
        let mut rng = generator(5, "sample", 0);
        let values: Vec<f32> = (0..ROWS * 3).map(|_| rng.random_range(0..40) as f32).collect();
        let row = |row: u32| {
            let class =
                u8::from(values[row as usize * 3] > 17.0) + u8::from(values[row as usize * 3 + 2] > 25.0);
            ClassRow::new(row, class, row % 4)
        };
        let rows = (0..ROWS).map(row).filter(|row| row.times() > 0).collect();
        (values, rows)
    }

    fn grow(values: &[f32], mut rows: Vec<ClassRow>) -> Tree {
        let table = BinnedTable::new(&Table::new(values, 3).unwrap(), 16);
        grow_class_tree(&table, &RULE, &mut rows, &mut generator(1, "tree", 0))
    }

    #[test]
    fn a_row_drawn_twice_is_two_rows() {
        let (values, rows) = sample();
        let single = |row: &ClassRow| {
            std::iter::repeat_n(ClassRow::new(row.row, row.class() as u8, 1), row.times() as usize)
        };
        let singles: Vec<ClassRow> = rows.iter().flat_map(single).collect();
        let tree = grow(&values, rows);
        assert!(tree.nodes.len() > 8);
        assert_eq!(tree, grow(&values, singles));
    }

    #[test]
    fn leaves_hold_the_shares_of_the_rows_that_reach_them() {
        let (values, rows) = sample();
        let tree = grow(&values, rows.clone());
        let mut counts = vec![[0.0_f32; CLASSES]; tree.nodes.len()];
        for row in rows {
            let mut node = 0;
            while let TreeNode::Split { feature, threshold, left, right, .. } = tree.nodes[node] {
                let value = values[row.row as usize * 3 + feature as usize];
                node = if value < threshold { left } else { right } as usize;
            }
            counts[node][row.class()] += row.times() as f32;
        }
        for (node, counts) in tree.nodes.iter().zip(counts) {
            if let TreeNode::Leaf { first_value, cover } = *node {
                assert_eq!(cover, counts.iter().sum::<f32>());
                assert!(cover >= RULE.leaf_rows as f32);
                let shares = &tree.values[first_value as usize..first_value as usize + CLASSES];
                assert_eq!(shares, counts.map(|count| count / cover));
            }
        }
    }
}
