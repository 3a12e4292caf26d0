//! Rows gathered by their times.

use super::PairedRows;

/// The different times of rows in order, and the rows of each.
pub(super) struct Timeline {
    /// Rows by time, and of one time in their order.
    order: Vec<u32>,
    /// Where each time begins in `order`, and the number of rows at the end.
    first: Vec<usize>,
}

impl Timeline {
    pub(super) fn new(rows: &PairedRows<'_>) -> Self {
        let times = rows.open_times;
        let mut order: Vec<u32> = (0..times.len() as u32).collect();
        order.sort_by_key(|&row| times[row as usize]);
        let time = |at: usize| times[order[at] as usize];
        let mut first: Vec<usize> =
            (0..order.len()).filter(|&at| at == 0 || time(at) != time(at - 1)).collect();
        first.push(order.len());
        Self { order, first }
    }

    /// Number of different times.
    pub(super) fn times(&self) -> usize {
        self.first.len() - 1
    }

    /// Rows from the time `from` to before the time `to`, by their places in time.
    pub(super) fn rows(&self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        self.order[self.first[from]..self.first[to]].iter().map(|&row| row as usize)
    }
}
