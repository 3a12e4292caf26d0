//! What may be learned from.

use crate::symbol::SeriesKey;

/// The candles of one series on which something may be fitted: a scaler, a selection, a model.
///
/// Whatever is fitted takes this and not a list of indices, so that a test set cannot slip in by mistake.
/// Splits make it (`labels::splits::TrainView`); to implement it elsewhere is to state that no test and no
/// later judgement uses these candles.
pub trait TrainingRows {
    /// The series whose candles are counted.
    fn series(&self) -> &SeriesKey;
    /// How many candles that series has, training or not.
    fn candles(&self) -> usize;
    /// The candles that may be learned from, in increasing order.
    fn indices(&self) -> &[usize];
}
