//! The summed trees of boosting while it grows.

use rayon::prelude::*;

use crate::baseline::targets::CLASSES;
use crate::baseline::tree_ensemble::softmax;
use crate::baseline::{Table, Tree};

/// Rows that a round's trees are applied to before the next ones; fixed, so that sums over rows have the same
/// bits for any number of threads.
const BLOCK_ROWS: usize = 512;

/// Summed trees of each row of a table, and their softmax.
pub(crate) struct Margins<'a> {
    table: Table<'a>,
    /// `[rows, 3]`, f64 as in the ensemble, which adds in the same order.
    margins: Vec<[f64; CLASSES]>,
    /// `[rows, 3]`.
    shares: Vec<[f64; CLASSES]>,
}

impl<'a> Margins<'a> {
    /// The margins of all rows before any tree.
    pub(crate) fn new(table: &Table<'a>, base: [f64; CLASSES]) -> Self {
        let mut share = base;
        softmax(&mut share);
        Self { table: *table, margins: vec![base; table.rows()], shares: vec![share; table.rows()] }
    }

    /// Adds `trees`, each to its own class.
    pub(crate) fn add(&mut self, trees: &[Tree]) {
        let table = self.table;
        let blocks = self.margins.par_chunks_mut(BLOCK_ROWS).zip(self.shares.par_chunks_mut(BLOCK_ROWS));
        blocks.enumerate().for_each(|(block, (margins, shares))| {
            for tree in trees {
                for (place, margins) in margins.iter_mut().enumerate() {
                    let values = tree.leaf_values(table.row(block * BLOCK_ROWS + place));
                    margins[tree.first_output] += f64::from(values[0]);
                }
            }
            for (margins, shares) in margins.iter().zip(shares) {
                *shares = *margins;
                softmax(shares);
            }
        });
    }

    /// The probability of `class` in `row`.
    pub(crate) fn share(&self, row: usize, class: usize) -> f64 {
        self.shares[row][class]
    }

    /// Mean of `−ln` of the targets' probabilities over the rows, of which there is at least one.
    pub(crate) fn cross_entropy(&self, targets: &[u8]) -> f64 {
        let blocks = self.shares.par_chunks(BLOCK_ROWS).zip(targets.par_chunks(BLOCK_ROWS));
        let sums: Vec<f64> = blocks
            .map(|(shares, targets)| {
                let rows = shares.iter().zip(targets);
                rows.map(|(shares, &target)| -shares[usize::from(target)].max(f64::MIN_POSITIVE).ln()).sum()
            })
            .collect();
        sums.iter().sum::<f64>() / targets.len() as f64
    }
}
