//! Exact search for the nearest rows: a matrix product in 32 bits rules out nearly all of them, the rest are
//! measured in 64.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use crate::baseline::Table;

/// Rows to be classified that one thread works on. With [`TRAINING_BLOCK`] it fills 1 MiB of products.
const QUERY_BLOCK: usize = 256;
/// Training rows whose products are computed at once.
const TRAINING_BLOCK: usize = 1024;
/// Training rows ruled out by one look.
const LANES: usize = 16;
/// Squared lengths beyond which products of 32 bits may overflow; such rows are always measured.
const HUGE: f64 = 1e37;

/// A training row and how far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Neighbour {
    pub(super) squared_distance: f64,
    pub(super) row: u32,
}

/// Rows less the mean of the training rows, which makes lengths short and rounding small.
struct Centred {
    /// `[rows, columns]`.
    values: Vec<f32>,
    /// Squared length of each row.
    squares: Vec<f64>,
}

impl Centred {
    fn new(table: &Table<'_>, first: usize, rows: usize, means: &[f64]) -> Self {
        let columns = table.columns();
        let mut values = Vec::with_capacity(rows * columns);
        let mut squares = Vec::with_capacity(rows);
        for row in first..first + rows {
            let at = values.len();
            values.extend(
                table.row(row).iter().zip(means).map(|(&value, mean)| (f64::from(value) - mean) as f32),
            );
            squares.push(values[at..].iter().map(|&value| f64::from(value) * f64::from(value)).sum());
        }
        Self { values, squares }
    }
}

fn column_means(table: &Table<'_>) -> Vec<f64> {
    let mut means = vec![0.0; table.columns()];
    for row in table.values().chunks_exact(table.columns()) {
        means.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    means.iter_mut().for_each(|sum| *sum /= table.rows() as f64);
    means
}

/// Squared Euclidean distance in 64 bits.
fn squared_distance(one: &[f32], other: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 4];
    let ((ones, one_end), (others, other_end)) = (one.as_chunks::<4>(), other.as_chunks::<4>());
    for (one, other) in ones.iter().zip(others) {
        for lane in 0..4 {
            let difference = f64::from(one[lane]) - f64::from(other[lane]);
            lanes[lane] += difference * difference;
        }
    }
    let square = |(&one, &other): (&f32, &f32)| (f64::from(one) - f64::from(other)).powi(2);
    lanes.iter().sum::<f64>() + one_end.iter().zip(other_end).map(square).sum::<f64>()
}

/// The nearest rows so far, by distance and then by row.
struct Nearest {
    rows: Vec<Neighbour>,
    wanted: usize,
}

impl Nearest {
    fn offer(&mut self, new: Neighbour) {
        let before = |old: &Neighbour| {
            old.squared_distance < new.squared_distance
                || (old.squared_distance == new.squared_distance && old.row < new.row)
        };
        let at = self.rows.partition_point(before);
        if at == self.wanted {
            return;
        }
        if self.rows.len() == self.wanted {
            self.rows.pop();
        }
        self.rows.insert(at, new);
    }

    /// Squared distance beyond which a row is none of the nearest.
    fn limit(&self) -> f64 {
        match self.rows.last() {
            Some(last) if self.rows.len() == self.wanted => last.squared_distance,
            _ => f64::INFINITY,
        }
    }
}

/// Calls `classify` with the `wanted` nearest of the `training` rows, nearest first, and three places of `out`
/// (`[queries, 3]`) for each row of `queries`.
///
/// `‖q − t‖² = ‖q‖² − 2 q·t + ‖t‖²` is computed in 32 bits on centred rows. Its error is at most `(columns + 16) ε
/// (‖q‖ + ‖t‖)²` with ε = 2⁻²³ (Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1: a
/// product of two rows is off by less than `columns × ε/2 × ‖q‖‖t‖`; the 16 is room for centring, squares and sums), and so
/// at most twice that of `‖q‖² + ‖t‖²`. A row is left out only if it is too far with this error taken off.
pub(super) fn each_row(
    training: &Table<'_>,
    queries: &Table<'_>,
    wanted: usize,
    out: &mut [f32],
    classify: impl Fn(&[Neighbour], &mut [f32]) + Sync,
) {
    let means = column_means(training);
    let shrink = 1.0 - 2.0 * (training.columns() + 16) as f64 * f64::from(f32::EPSILON);
    let centred = Centred::new(training, 0, training.rows(), &means);
    let shrunk = |&square: &f64| if square < HUGE { (square * shrink) as f32 } else { f32::NEG_INFINITY };
    let squares: Vec<f32> = centred.squares.iter().map(shrunk).collect();
    out.par_chunks_mut(QUERY_BLOCK * 3).enumerate().for_each(|(block, out)| {
        let first = block * QUERY_BLOCK;
        let own = Centred::new(queries, first, out.len() / 3, &means);
        let nearest =
            search_block(training, queries, wanted, &Block { first, own, shrink }, &centred.values, &squares);
        for (nearest, out) in nearest.iter().zip(out.chunks_exact_mut(3)) {
            classify(&nearest.rows, out);
        }
    });
}

/// Rows that are classified together.
struct Block {
    first: usize,
    own: Centred,
    shrink: f64,
}

fn search_block(
    training: &Table<'_>,
    queries: &Table<'_>,
    wanted: usize,
    block: &Block,
    centred: &[f32],
    squares: &[f32],
) -> Vec<Nearest> {
    let columns = training.columns();
    let rows = block.own.squares.len();
    let mut nearest: Vec<Nearest> =
        (0..rows).map(|_| Nearest { rows: Vec::with_capacity(wanted + 1), wanted }).collect();
    let mut products = vec![0.0_f32; rows * TRAINING_BLOCK];
    let parts = centred.chunks(TRAINING_BLOCK * columns).zip(squares.chunks(TRAINING_BLOCK));
    for (part, (values, squares)) in parts.enumerate() {
        let products = &mut products[..rows * squares.len()];
        multiply(&block.own.values, values, columns, products);
        for (row, (nearest, products)) in
            nearest.iter_mut().zip(products.chunks_exact(squares.len())).enumerate()
        {
            let square = block.own.squares[row];
            let room = |nearest: &Nearest| {
                if square < HUGE { (nearest.limit() - square * block.shrink) as f32 } else { f32::INFINITY }
            };
            let query = queries.row(block.first + row);
            let mut limit = room(nearest);
            for (piece, (products, squares)) in products.chunks(LANES).zip(squares.chunks(LANES)).enumerate()
            {
                if all_beyond(products, squares, limit) {
                    continue;
                }
                for (lane, (product, square)) in products.iter().zip(squares).enumerate() {
                    if product + square > limit {
                        continue;
                    }
                    let row = part * TRAINING_BLOCK + piece * LANES + lane;
                    let squared_distance = squared_distance(query, training.row(row));
                    nearest.offer(Neighbour { squared_distance, row: row as u32 });
                    limit = room(nearest);
                }
            }
        }
    }
    nearest
}

/// Whether no row of the piece can be near. What is not a number counts as near.
fn all_beyond(products: &[f32], squares: &[f32], limit: f32) -> bool {
    match (<&[f32; LANES]>::try_from(products), <&[f32; LANES]>::try_from(squares)) {
        (Ok(products), Ok(squares)) => {
            let mut beyond = true;
            for lane in 0..LANES {
                beyond &= products[lane] + squares[lane] > limit;
            }
            beyond
        }
        _ => false,
    }
}

/// `out = −2 queries trainingᵀ`, `[queries, training rows]`.
fn multiply(queries: &[f32], training: &[f32], columns: usize, out: &mut [f32]) {
    let (rows, others) = (queries.len() / columns, training.len() / columns);
    let queries = ArrayView2::from_shape((rows, columns), queries);
    let training = ArrayView2::from_shape((others, columns), training);
    let out = ArrayViewMut2::from_shape((rows, others), out);
    // The lengths fit: every caller passes whole rows.
    if let (Ok(queries), Ok(training), Ok(mut out)) = (queries, training, out) {
        general_mat_mul(-2.0, &queries, &training.t(), 0.0, &mut out);
    }
}
