//! Columns cut into few intervals, so that splits are found by counting.

use rayon::prelude::*;

use crate::baseline::Table;

/// Intervals of a column at most: a bin is one byte.
pub(crate) const MOST_BINS: usize = 256;

/// A table whose values are replaced by the numbers of the intervals (bins) in which they lie.
pub(crate) struct BinnedTable {
    columns: Vec<BinnedColumn>,
}

/// One column of a [`BinnedTable`].
pub(crate) struct BinnedColumn {
    /// Bin of each row.
    bins: Vec<u8>,
    /// Bin `b` holds the values from `cuts[b − 1]` up to, but without, `cuts[b]`. Ascending; one fewer than
    /// bins.
    cuts: Vec<f32>,
}

impl BinnedTable {
    /// Cuts each column of `table` into at most `bins` (2 to 256) intervals of about as many rows each; a
    /// column of no more different values than that gets one interval per value.
    pub(crate) fn new(table: &Table<'_>, bins: usize) -> Self {
        let bins = bins.min(MOST_BINS);
        let cut = |column: usize| {
            let values = || table.values().iter().skip(column).step_by(table.columns()).copied();
            let mut sorted: Vec<f32> = values().collect();
            sorted.sort_unstable_by(f32::total_cmp);
            let cuts = quantile_cuts(&sorted, bins);
            let bins = values().map(|value| bin(&cuts, value)).collect();
            BinnedColumn { bins, cuts }
        };
        Self { columns: (0..table.columns()).into_par_iter().map(cut).collect() }
    }

    /// Number of columns, from 1.
    pub(crate) fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Column number `column`.
    pub(crate) fn column(&self, column: u32) -> &BinnedColumn {
        &self.columns[column as usize]
    }
}

impl BinnedColumn {
    /// Bin of each row.
    pub(crate) fn bins(&self) -> &[u8] {
        &self.bins
    }

    /// Number of bins, from 1.
    pub(crate) fn len(&self) -> usize {
        self.cuts.len() + 1
    }

    /// The `t` for which `value < t` says the same as `bin <= last` of the value's bin; `last` is not the
    /// last bin.
    pub(crate) fn threshold(&self, last: u8) -> f32 {
        self.cuts[usize::from(last)]
    }
}

/// Number of cuts at or below `value`.
fn bin(cuts: &[f32], value: f32) -> u8 {
    // At most 255 cuts, see MOST_BINS.
    cuts.partition_point(|&cut| cut <= value) as u8
}

/// Cuts between different neighbours of `sorted`. An interval is closed as soon as it has its share of the
/// rows that are left for the intervals that are left, so that a value of many rows does not use up the
/// intervals of others.
fn quantile_cuts(sorted: &[f32], bins: usize) -> Vec<f32> {
    let steps = sorted.windows(2).filter(|pair| pair[0] < pair[1]).count();
    let every = steps < bins;
    let mut cuts = Vec::with_capacity(steps.min(bins - 1));
    let mut first = 0;
    for (place, pair) in sorted.windows(2).enumerate() {
        if pair[0] < pair[1] {
            let (end, intervals) = (place + 1, bins - cuts.len());
            let full = intervals > 1 && (end - first) * intervals >= sorted.len() - first;
            if every || full {
                cuts.push(between(pair[0], pair[1]));
                first = end;
            }
        }
    }
    cuts
}

/// The middle of `low < high`; above `low` and at most `high` whatever is rounded.
fn between(low: f32, high: f32) -> f32 {
    let middle = f64::midpoint(f64::from(low), f64::from(high)) as f32;
    if middle > low { middle } else { high }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn few_values_get_a_bin_each_and_many_share_them_evenly() {
        assert_eq!(quantile_cuts(&[1.0, 1.0, 2.0, 4.0, 4.0], 4), [1.5, 3.0]);
        assert_eq!(quantile_cuts(&[3.0; 5], 4), [0.0; 0]);
        let even: Vec<f32> = (0..100).map(|value| value as f32).collect();
        assert_eq!(quantile_cuts(&even, 4), [24.5, 49.5, 74.5]);
        // Nine of ten rows are 0; the others still share what is left.
        let heavy: Vec<f32> = (0..100).map(|value| (value - 90).max(0) as f32).collect();
        assert_eq!(quantile_cuts(&heavy, 4), [0.5, 3.5, 6.5]);
    }

    #[test]
    fn neighbours_without_a_number_between_them_are_parted() {
        let (low, high) = (1.0_f32, 1.0_f32.next_up());
        let cuts = quantile_cuts(&[low, high, high.next_up()], 256);
        assert_eq!([bin(&cuts, low), bin(&cuts, high), bin(&cuts, high.next_up())], [0, 1, 2]);
        assert_eq!(between(-f32::MAX, f32::MAX), 0.0);
        assert_eq!(quantile_cuts(&[-0.0, 0.0], 2), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn bins_say_what_thresholds_say(values in prop::collection::vec(-50_i16..50, 1..300), bins in 2_usize..40) {
            let values: Vec<f32> = values.into_iter().map(|value| f32::from(value) / 8.0).collect();
            let table = BinnedTable::new(&Table::new(&values, 1).unwrap(), bins);
            let column = table.column(0);
            prop_assert!(column.len() <= bins);
            for last in 0..column.len() - 1 {
                let threshold = column.threshold(last as u8);
                for (&value, &bin) in values.iter().zip(column.bins()) {
                    prop_assert_eq!(value < threshold, usize::from(bin) <= last);
                }
                // No bin is empty.
                prop_assert!(column.bins().iter().any(|&bin| usize::from(bin) == last));
            }
        }
    }
}
