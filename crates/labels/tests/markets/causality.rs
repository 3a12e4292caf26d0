//! Nothing looks further ahead than it says.

use labels::{AdaptiveThreshold, HorizonReturn, Threshold};
use labels::{LabelRow, LabelSeries, Labeler, TrendScanning};
use market_data::CandleSeries;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::candles::{labelers, noise_from, walks};

/// What is known of a label when it becomes known; how unique it is depends on those that follow.
fn known(row: Option<LabelRow>) -> Option<(labels::Label, u32, u64)> {
    row.map(|row| (row.label, row.known_at_index, row.forward_return.to_bits()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_label_does_not_change_once_it_is_known(series in walks(40..90), factor in 0.5..2.0) {
        for labeler in labelers() {
            let labels = labeler.label(&series).unwrap();
            for (index, row) in labels.iter() {
                let at = row.known_at_index as usize;
                prop_assert!(at > index && row.window_end_index >= row.known_at_index);
                prop_assert_eq!(row.window_end_index as usize, index + labeler.window() as usize);
                prop_assert!(!series.gaps().spanned_by(index..at + 1));
                let later = labeler.label(&noise_from(&series, at + 1, factor)).unwrap();
                prop_assert_eq!(known(later.get(index)), known(Some(row)), "{} {}", labeler.to_toml(), index);
                let ended = series.columns().slice(0..at + 1);
                let ended = CandleSeries::new(series.key().clone(), ended).unwrap();
                let ended = labeler.label(&ended).unwrap();
                // Cut off there, a barrier label may be absent, because its window is not whole; it is never another.
                if let Some(early) = ended.get(index) {
                    prop_assert_eq!(known(Some(early)), known(Some(row)), "{} {}", labeler.to_toml(), index);
                }
            }
        }
    }

    #[test]
    fn a_threshold_is_known_at_its_candle(series in walks(20..60), factor in 0.5..2.0) {
        let adaptive = AdaptiveThreshold { volatility_window: 5, ..Default::default() };
        let labeler = HorizonReturn { horizon: 3, threshold: Threshold::Adaptive(adaptive) };
        let before = labeler.thresholds(&series).unwrap();
        for index in 0..series.len() {
            let after = labeler.thresholds(&noise_from(&series, index + 1, factor)).unwrap();
            prop_assert_eq!(&after[..=index], &before[..=index]);
        }
    }

    #[test]
    fn uniqueness_is_that_of_the_definition(series in walks(20..90)) {
        for labeler in labelers() {
            let labels = labeler.label(&series).unwrap();
            let spans: Vec<_> = labels.iter().map(|(at, row)| at + 1..row.known_at_index as usize + 1).collect();
            let concurrency = |at: &usize| spans.iter().filter(|span| span.contains(at)).count() as f64;
            for ((_, row), span) in labels.iter().zip(&spans) {
                let expected = span.clone().map(|at| 1.0 / concurrency(&at)).sum::<f64>() / span.len() as f64;
                prop_assert!((row.uniqueness - expected).abs() < 1e-12);
            }
        }
    }

    /// Against regressions with residuals written out.
    #[test]
    fn trends_are_those_of_plain_regressions(series in walks(30..60), t_threshold in 0.5..8.0) {
        let labeler = TrendScanning { minimum_window: 3, maximum_window: 11, t_threshold };
        let labels = labeler.label(&series).unwrap();
        for (index, row) in labels.iter() {
            let mut best = 0.0_f64;
            for window in 3..=11 {
                let values: Vec<f64> = series.columns().close[index..index + window].iter().map(|c| c.ln()).collect();
                let t_value = plain_t_value(&values);
                if t_value.abs() > best.abs() {
                    best = t_value;
                }
            }
            if (best.abs() - t_threshold).abs() > 1e-6 {
                let expected = if best.abs() < t_threshold { 1 } else { 2 * usize::from(best > 0.0) };
                prop_assert_eq!(row.label.index(), expected, "{} {}", index, best);
            }
        }
    }
}

fn plain_t_value(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let (middle, mean) = ((n - 1.0) / 2.0, values.iter().sum::<f64>() / n);
    let at = |x: usize| x as f64 - middle;
    let time: f64 = (0..values.len()).map(|x| at(x).powi(2)).sum();
    let slope = values.iter().enumerate().map(|(x, y)| at(x) * (y - mean)).sum::<f64>() / time;
    let residual = |(x, y): (usize, &f64)| (y - mean - slope * at(x)).powi(2);
    let residuals: f64 = values.iter().enumerate().map(residual).sum();
    slope / (residuals / (n - 2.0) / time).sqrt()
}

/// The candle at which a label is said to become known is needed: with other prices there it changes.
#[test]
fn the_candle_at_which_a_label_becomes_known_matters() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let series = walks(300..301).new_tree(&mut runner).unwrap().current();
    for labeler in labelers() {
        let changed = |factor| count_changed(&labeler, &labeler.label(&series).unwrap(), &series, factor);
        // Only a few for trends, whose longest window seldom decides.
        let (fallen, risen) = (changed(0.8), changed(1.25));
        assert!(fallen + risen > 5, "{fallen} {risen} {}", labeler.to_toml());
    }
}

fn count_changed(labeler: &Labeler, labels: &LabelSeries, series: &CandleSeries, factor: f64) -> usize {
    let changes = |(index, row): &(usize, LabelRow)| {
        let other = labeler.label(&noise_from(series, row.known_at_index as usize, factor)).unwrap();
        other.label(*index) != Some(row.label)
    };
    labels.iter().filter(changes).count()
}
