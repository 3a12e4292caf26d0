//! Sums by bin, from which splits are found.

use crate::baseline::binned::{BinnedColumn, MOST_BINS};
use crate::baseline::targets::CLASSES;

/// A row of a boosting tree: its number, and first and second derivative of its loss by the tree's output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GradientRow {
    pub(crate) row: u32,
    pub(crate) gradient: f32,
    pub(crate) hessian: f32,
}

/// First and second derivatives summed over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct GradientSum {
    pub(crate) gradient: f64,
    pub(crate) hessian: f64,
}

impl GradientSum {
    pub(crate) fn add(&mut self, row: &GradientRow) {
        self.gradient += f64::from(row.gradient);
        self.hessian += f64::from(row.hessian);
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { gradient: self.gradient + other.gradient, hessian: self.hessian + other.hessian }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { gradient: self.gradient - other.gradient, hessian: self.hessian - other.hessian }
    }
}

/// Sums by bin of one column in one node of a boosting tree.
pub(crate) type GradientHistogram = [GradientSum; MOST_BINS];

/// Adds `rows` to the bins of `column`, in their order: the bits of the sums depend on it.
pub(crate) fn add_gradients(column: &BinnedColumn, rows: &[GradientRow], histogram: &mut GradientHistogram) {
    let bins = column.bins();
    for row in rows {
        histogram[usize::from(bins[row.row as usize])].add(row);
    }
}

/// Takes the sums of one child from those of the parent; the other child's are left.
pub(crate) fn subtract(parent: &mut GradientHistogram, child: &GradientHistogram) {
    for (parent, child) in parent.iter_mut().zip(child) {
        *parent = parent.minus(*child);
    }
}

/// A row of a forest's tree: its number, its class, and how many times it was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ClassRow {
    pub(crate) row: u32,
    /// Times drawn, times 4, plus the class.
    drawn: u32,
}

impl ClassRow {
    pub(crate) fn new(row: u32, class: u8, times: u32) -> Self {
        Self { row, drawn: times << 2 | u32::from(class & 3) }
    }

    pub(crate) fn class(self) -> usize {
        (self.drawn & 3) as usize
    }

    pub(crate) fn times(self) -> u32 {
        self.drawn >> 2
    }
}

/// Rows by class, each as often as it was drawn. The last one is always 0: four are a power of two.
pub(crate) type ClassCounts = [u32; CLASSES + 1];

/// Counts by bin of one column in one node of a forest's tree.
pub(crate) type ClassHistogram = [ClassCounts; MOST_BINS];

/// Adds `rows` to the bins of `column`.
pub(crate) fn add_classes(column: &BinnedColumn, rows: &[ClassRow], histogram: &mut ClassHistogram) {
    let bins = column.bins();
    for row in rows {
        histogram[usize::from(bins[row.row as usize])][row.class()] += row.times();
    }
}
