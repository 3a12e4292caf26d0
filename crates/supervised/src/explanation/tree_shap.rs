//! Shapley values of tree ensembles.
//!
//! Of one leaf with value `v`, and the columns `j` that are split on above it, let `hot_j` be 1 if the row satisfies
//! every split on column `j` (otherwise 0) and `share_j` the product of the shares of training weight that those splits let
//! through. Where the columns of `S` are known and the others are averaged over the training rows below each
//! split, the leaf contributes `v Π_{j ∈ S} hot_j Π_{j ∉ S} share_j`. Shapley's weights are
//! `|S|! (M − |S| − 1)! / M! = ∫₀¹ t^|S| (1 − t)^(M − |S| − 1) dt`, so the sum over all subsets is one integral:
//!
//! `φ_i = v (hot_i − share_i) ∫₀¹ Π_{j ≠ i} (t hot_j + (1 − t) share_j) dt`.
//!
//! The integrand is a polynomial of known degree, so Gauss–Legendre quadrature gives the integral exactly. The sum over leaves
//! is formed on the way back up from them (Yu et al. 2022, "Linear TreeShap", section 3). The values are those of
//! Lundberg et al. 2020 ("From local explanations to global understanding with explainable AI for trees", algorithm 2) in
//! less time: linear, not quadratic, in the depth, and without subtracting what was added.

use rayon::prelude::*;

use crate::baseline::{Table, Tree, TreeEnsemble, TreeNode};
use crate::error::SupervisedError;
use crate::explanation::gauss_legendre::gauss_legendre;

/// Rows that descend a tree together: one operation does all of them.
const LANES: usize = 8;
/// Rows for which a tree is prepared once.
const BLOCK_ROWS: usize = 128;
/// No edge above has the same column.
const NONE: u32 = u32::MAX;

/// One number per row of a group.
type Lanes = [f64; LANES];

/// What each column of each row adds to each output.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeShapValues {
    /// Number of rows.
    pub rows: usize,
    /// Number of outputs, one per class.
    pub outputs: usize,
    /// Number of columns.
    pub columns: usize,
    /// Row-major `[rows, outputs, columns]`, in the units of the ensemble's outputs before the link: margins of
    /// boosting, probabilities of a forest. Over the columns they sum to the output minus what is expected.
    pub values: Vec<f64>,
    /// `[outputs]`: the mean output over the training rows, by the covers of the trees.
    pub expected: Vec<f64>,
}

/// Shapley values of every row and output of `table`, where columns that are not known are averaged over the
/// training rows below each split ("path-dependent"); f64.
///
/// Over the columns they sum to [`TreeEnsemble::raw_outputs`] minus `expected`, up to rounding. A column that no tree splits
/// on gets exactly 0. The result is the same for any number of threads.
///
/// # Errors
/// [`SupervisedError::Data`] for a table of other columns.
pub fn tree_shap(ensemble: &TreeEnsemble, table: &Table<'_>) -> Result<TreeShapValues, SupervisedError> {
    ensemble.check_columns(table)?;
    let (outputs, columns) = (ensemble.outputs(), ensemble.columns());
    let mut expected = ensemble.base().to_vec();
    for tree in ensemble.trees() {
        for (sum, value) in expected[tree.first_output..].iter_mut().zip(mean_values(tree)) {
            *sum += ensemble.tree_weight() * value;
        }
    }
    let mut values = vec![0.0; table.rows() * outputs * columns];
    values.par_chunks_mut(BLOCK_ROWS * outputs * columns).enumerate().for_each(|(block, values)| {
        let inputs = transposed(table, block * BLOCK_ROWS);
        for tree in ensemble.trees() {
            let prepared = PreparedTree::new(tree);
            let mut walk = Walk::new(tree, &prepared);
            let groups = inputs.chunks_exact(columns).zip(values.chunks_mut(LANES * outputs * columns));
            for (inputs, values) in groups {
                walk.descend(0, 0, inputs, &mut |lane, output, column, value| {
                    // The lanes after the last row have no place.
                    if let Some(sum) = values.get_mut((lane * outputs + output) * columns + column) {
                        *sum += ensemble.tree_weight() * value;
                    }
                });
            }
        }
    });
    Ok(TreeShapValues { rows: table.rows(), outputs, columns, values, expected })
}

/// `[groups, columns]` of up to [`BLOCK_ROWS`] rows from `first_row` on. The last group is filled up with its last row.
fn transposed(table: &Table<'_>, first_row: usize) -> Vec<[f32; LANES]> {
    let end = table.rows().min(first_row + BLOCK_ROWS);
    let groups = (end - first_row).div_ceil(LANES);
    let mut inputs = Vec::with_capacity(groups * table.columns());
    for group in 0..groups {
        let rows: [&[f32]; LANES] =
            std::array::from_fn(|lane| table.row((first_row + group * LANES + lane).min(end - 1)));
        inputs.extend((0..table.columns()).map(|column| rows.map(|row| row[column])));
    }
    inputs
}

/// Mean of the leaves' values by their shares of the training weight, `[width]`.
fn mean_values(tree: &Tree) -> Vec<f64> {
    let mut shares = vec![1.0; tree.nodes.len()];
    let mut means = vec![0.0; tree.width];
    for (index, node) in tree.nodes.iter().enumerate() {
        match *node {
            TreeNode::Split { left, right, .. } => {
                for child in [left, right] {
                    shares[child as usize] = shares[index] * share_of_split(tree, left, right, child);
                }
            }
            TreeNode::Leaf { first_value, .. } => {
                for (mean, &value) in means.iter_mut().zip(&tree.values[first_value as usize..]) {
                    *mean += shares[index] * f64::from(value);
                }
            }
        }
    }
    means
}

/// The share of the training weight that a split sends to `child`. Of the children's sum, not the parent's cover, from which
/// rounding may have parted it: the shares of both sum to 1.
fn share_of_split(tree: &Tree, left: u32, right: u32, child: u32) -> f64 {
    let cover = |node: u32| f64::from(tree.nodes[node as usize].cover());
    cover(child) / (cover(left) + cover(right))
}

/// The edge from its parent to a node, for all rows.
struct Edge {
    column: usize,
    depth: usize,
    /// The node of the nearest edge above that has the same column.
    above: u32,
    /// `share_j` of the module's text with all splits down to here.
    share: f64,
    /// What the product is multiplied by for a row that satisfied no longer all splits above; the rest is in
    /// [`PreparedTree::points`].
    stays_cold: f64,
}

/// An edge at one point of the quadrature.
#[derive(Clone, Copy)]
struct EdgePoint {
    /// `t + (1 − t) share`: the column's term for a row that satisfies all splits down to here.
    hot: f64,
    /// What the product is multiplied by for a row that satisfies all splits down to here.
    stays_hot: f64,
    /// The same for a row of which this split is the first one that it does not satisfy.
    turns_cold: f64,
    /// `(hot_i − share_i) / (t hot_i + (1 − t) share_i)` times the weight of the point, where `hot_i` is 1.
    gain: f64,
}

/// What of a tree does not depend on rows.
struct PreparedTree {
    /// Per node; the root's is never read.
    edges: Vec<Edge>,
    /// `[nodes, quadrature]`.
    points: Vec<EdgePoint>,
    /// `[quadrature]`: as [`EdgePoint::gain`], where `hot_i` is 0.
    losses: Vec<f64>,
    depth: usize,
}

impl PreparedTree {
    fn new(tree: &Tree) -> Self {
        let (edges, distinct, depth) = edges(tree);
        // The integrand has one factor for each column of a path but one.
        let rule = gauss_legendre(distinct.div_ceil(2).max(1));
        let mut points: Vec<EdgePoint> = Vec::with_capacity(edges.len() * rule.len());
        for edge in &edges {
            for (number, &(t, weight)) in rule.iter().enumerate() {
                let above = if edge.above == NONE {
                    1.0
                } else {
                    points[edge.above as usize * rule.len() + number].hot
                };
                let hot = t + (1.0 - t) * edge.share;
                points.push(EdgePoint {
                    hot,
                    stays_hot: hot / above,
                    turns_cold: (1.0 - t) * edge.share / above,
                    gain: weight * (1.0 - edge.share) / hot,
                });
            }
        }
        let losses = rule.iter().map(|(t, weight)| -weight / (1.0 - t)).collect();
        Self { edges, points, losses, depth }
    }
}

/// The edge to each node, the largest number of distinct columns on a path, and the length of the longest path.
fn edges(tree: &Tree) -> (Vec<Edge>, usize, usize) {
    let root = || Edge { column: usize::MAX, depth: 0, above: NONE, share: 1.0, stays_cold: 1.0 };
    let mut edges: Vec<Edge> = tree.nodes.iter().map(|_| root()).collect();
    let mut parents = vec![NONE; tree.nodes.len()];
    let mut columns = vec![0; tree.nodes.len()];
    let mut longest = 0;
    for (index, node) in tree.nodes.iter().enumerate() {
        let TreeNode::Split { feature, left, right, .. } = *node else { continue };
        let column = feature as usize;
        let mut above = index as u32;
        while above != NONE && edges[above as usize].column != column {
            above = parents[above as usize];
        }
        let (share_above, new) = if above == NONE { (1.0, 1) } else { (edges[above as usize].share, 0) };
        let depth = edges[index].depth + 1;
        longest = longest.max(depth);
        for child in [left, right] {
            let stays_cold = share_of_split(tree, left, right, child);
            let place = child as usize;
            edges[place] = Edge { column, depth, above, share: share_above * stays_cold, stays_cold };
            parents[place] = index as u32;
            columns[place] = columns[index] + new;
        }
    }
    (edges, columns.into_iter().max().unwrap_or(0), longest)
}

/// One tree and a group of rows.
struct Walk<'a> {
    tree: &'a Tree,
    prepared: &'a PreparedTree,
    /// `[depth + 1]`: 1 for a row that satisfies all splits on the edge's column down to this depth, otherwise 0.
    hot: Vec<Lanes>,
    /// `[depth + 1, quadrature]`: the product over the columns down to this depth.
    products: Vec<Lanes>,
    /// `[depth + 1, width, quadrature]`: the sum over the leaves below of their value and product.
    sums: Vec<Lanes>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, prepared: &'a PreparedTree) -> Self {
        let levels = prepared.depth + 1;
        let points = prepared.losses.len();
        Self {
            tree,
            prepared,
            hot: vec![[1.0; LANES]; levels],
            products: vec![[1.0; LANES]; levels * points],
            sums: vec![[0.0; LANES]; levels * points * tree.width],
        }
    }

    /// Leaves the sums over the leaves below `node` in level `depth`, and gives to `add` (row of the group, output, column,
    /// value) what the edges below contribute.
    fn descend(
        &mut self,
        node: usize,
        depth: usize,
        inputs: &[[f32; LANES]],
        add: &mut impl FnMut(usize, usize, usize, f64),
    ) {
        let points = self.prepared.losses.len();
        let level = points * self.tree.width;
        let products = &self.products[depth * points..(depth + 1) * points];
        let sums = &mut self.sums[depth * level..(depth + 1) * level];
        let (left, right, goes_left) = match self.tree.nodes[node] {
            TreeNode::Leaf { first_value, .. } => {
                let values = &self.tree.values[first_value as usize..];
                for (sums, &value) in sums.chunks_exact_mut(points).zip(values) {
                    for (sum, product) in sums.iter_mut().zip(products) {
                        *sum = product.map(|product| f64::from(value) * product);
                    }
                }
                return;
            }
            TreeNode::Split { feature, threshold, left, right, .. } => {
                sums.fill([0.0; LANES]);
                let goes_left =
                    inputs[feature as usize].map(|value| if value < threshold { 1.0 } else { 0.0 });
                (left as usize, right as usize, goes_left)
            }
        };
        for (child, goes) in [(left, goes_left), (right, goes_left.map(|left: f64| 1.0 - left))] {
            self.enter(child, &goes);
            self.descend(child, depth + 1, inputs, add);
            self.contribute(child, add);
            let (above, below) = self.sums.split_at_mut((depth + 1) * level);
            for (sum, below) in above[depth * level..].iter_mut().zip(&below[..level]) {
                for lane in 0..LANES {
                    sum[lane] += below[lane];
                }
            }
        }
    }

    /// Extends the product by the edge to `node`, which the rows with `goes` 1 take.
    fn enter(&mut self, node: usize, goes: &Lanes) {
        let edge = &self.prepared.edges[node];
        let points = self.prepared.losses.len();
        let was_hot = self.hot_above(edge);
        let mut hot = [0.0; LANES];
        for lane in 0..LANES {
            hot[lane] = was_hot[lane] * goes[lane];
        }
        self.hot[edge.depth] = hot;
        let (above, below) = self.products.split_at_mut(edge.depth * points);
        let above = &above[(edge.depth - 1) * points..];
        let edge_points = &self.prepared.points[node * points..(node + 1) * points];
        for ((point, product), above) in edge_points.iter().zip(below).zip(above) {
            for lane in 0..LANES {
                let factor = hot[lane] * point.stays_hot
                    + (was_hot[lane] - hot[lane]) * point.turns_cold
                    + (1.0 - was_hot[lane]) * edge.stays_cold;
                product[lane] = above[lane] * factor;
            }
        }
    }

    /// Hands out what the edge's column has of the leaves below `node`. An edge above with the same column takes
    /// them for its own when it comes to it; that is taken away here, as the splits down to here are what counts.
    fn contribute(&self, node: usize, add: &mut impl FnMut(usize, usize, usize, f64)) {
        let edge = &self.prepared.edges[node];
        let points = self.prepared.losses.len();
        let level = points * self.tree.width;
        let hot = &self.hot[edge.depth];
        let was_hot = self.hot_above(edge);
        let edge_points = &self.prepared.points[node * points..(node + 1) * points];
        let sums = &self.sums[edge.depth * level..(edge.depth + 1) * level];
        for (output, sums) in sums.chunks_exact(points).enumerate() {
            let mut total = [0.0; LANES];
            for (number, ((point, &loss), sum)) in
                edge_points.iter().zip(&self.prepared.losses).zip(sums).enumerate()
            {
                // A column without an edge above has nothing to take away.
                let (gain_above, loss_above) = match edge.above {
                    NONE => (0.0, 0.0),
                    above => (self.prepared.points[above as usize * points + number].gain, loss),
                };
                for lane in 0..LANES {
                    let own = hot[lane] * point.gain + (1.0 - hot[lane]) * loss;
                    let above = was_hot[lane] * gain_above + (1.0 - was_hot[lane]) * loss_above;
                    total[lane] += sum[lane] * (own - above);
                }
            }
            for (lane, &value) in total.iter().enumerate() {
                add(lane, self.tree.first_output + output, edge.column, value);
            }
        }
    }

    /// Which rows satisfy the splits on the edge's column above it.
    fn hot_above(&self, edge: &Edge) -> Lanes {
        match edge.above {
            NONE => [1.0; LANES],
            above => self.hot[self.prepared.edges[above as usize].depth],
        }
    }
}
