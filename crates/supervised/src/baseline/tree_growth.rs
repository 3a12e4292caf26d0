//! What growing a tree is, whatever its splits are chosen by.

use crate::baseline::{Tree, TreeNode};

/// A tree whose nodes are filled in one by one.
pub(crate) struct GrowingTree {
    nodes: Vec<TreeNode>,
    values: Vec<f32>,
    width: usize,
}

/// What is stored of a split.
pub(crate) struct ChosenSplit {
    pub(crate) column: u32,
    pub(crate) threshold: f32,
    pub(crate) gain: f64,
}

impl GrowingTree {
    /// A root that is still to be made a split or a leaf, in a tree of `width` values per leaf.
    pub(crate) fn new(width: usize) -> Self {
        Self { nodes: vec![Self::UNDECIDED], values: vec![], width }
    }

    const UNDECIDED: TreeNode = TreeNode::Leaf { first_value: 0, cover: 0.0 };

    /// Makes `node` a split and returns its children, the left and the right one, which are to be filled in.
    pub(crate) fn split(&mut self, node: usize, split: &ChosenSplit, cover: f64) -> [usize; 2] {
        let left = self.nodes.len();
        self.nodes.extend([Self::UNDECIDED; 2]);
        self.nodes[node] = TreeNode::Split {
            feature: split.column,
            threshold: split.threshold,
            left: left as u32,
            right: left as u32 + 1,
            cover: cover as f32,
            gain: split.gain as f32,
        };
        [left, left + 1]
    }

    /// Makes `node` a leaf.
    pub(crate) fn leaf(&mut self, node: usize, values: &[f32], cover: f64) {
        let first_value = self.values.len() as u32;
        self.values.extend_from_slice(values);
        self.nodes[node] = TreeNode::Leaf { first_value, cover: cover as f32 };
    }

    /// The tree, which adds to the outputs from `first_output` on.
    pub(crate) fn finish(self, first_output: usize) -> Tree {
        Tree { nodes: self.nodes, values: self.values, first_output, width: self.width }
    }
}

/// Moves the rows that go left before the others, each part in the order that it had, and returns how many go
/// left. `spare` is at least as long as `rows`.
pub(crate) fn partition<R: Copy>(rows: &mut [R], spare: &mut [R], goes_left: impl Fn(&R) -> bool) -> usize {
    let (mut left, mut right) = (0, 0);
    for place in 0..rows.len() {
        let row = rows[place];
        let goes_left = usize::from(goes_left(&row));
        // Both are written, one counts: what goes where is as good as random, and a branch on it would be
        // slow.
        rows[left] = row;
        spare[right] = row;
        left += goes_left;
        right += 1 - goes_left;
    }
    rows[left..].copy_from_slice(&spare[..right]);
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_parts_keep_their_order(mut rows in prop::collection::vec(0_u32..100, 0..50)) {
            let expected = rows.iter().filter(|&&row| row % 3 == 0).chain(rows.iter().filter(|&&row| row % 3 != 0));
            let expected: Vec<u32> = expected.copied().collect();
            let left = partition(&mut rows, &mut [0; 50], |row| row % 3 == 0);
            prop_assert_eq!(left, expected.iter().filter(|&&row| row % 3 == 0).count());
            prop_assert_eq!(rows, expected);
        }
    }
}
