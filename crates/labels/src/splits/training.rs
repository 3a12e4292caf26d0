//! A train view is what may be learned from.

use market_data::{SeriesKey, TrainingRows};

use super::TrainView;

impl TrainingRows for TrainView {
    fn series(&self) -> &SeriesKey {
        Self::series(self)
    }

    fn candles(&self) -> usize {
        Self::candles(self)
    }

    fn indices(&self) -> &[usize] {
        Self::indices(self)
    }
}
