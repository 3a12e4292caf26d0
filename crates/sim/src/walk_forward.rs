//! A result cut into the folds of a walk-forward: each stretch of time judged by itself.
//!
//! Whoever fits anew for each fold (a model by the trainer, settings by a search) trades all folds one after the other on one
//! account; here the one curve is divided again, so that a single good month is seen as one (Pardo 2008, *The Evaluation and
//! Optimization of Trading Strategies*, ch. 11).

use labels::splits::TimeRange;
use serde::Serialize;

use crate::backtest::BacktestResult;
use crate::error::SimError;
use crate::metrics::{ClosedTrade, EquityCurve, Metrics, MetricsConfig, OrderCounts};

/// What a fold came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldOutcome {
    /// From when its first candle opens to when its last one closes.
    pub span: TimeRange,
    /// Of the curve and of the trades that closed in it. Orders are counted for the whole run only, and are 0 here.
    pub metrics: Metrics,
    /// Total return of the benchmark in the same time.
    pub benchmark: Option<f64>,
}

/// Divides a result at the ends of `spans`, which follow each other in time. The returns of spans that touch multiply to the
/// return of the whole.
///
/// # Errors
/// [`SimError::Data`] for spans that are out of order or hold no point of the curve; those of [`Metrics::of`].
pub fn judge_folds(
    result: &BacktestResult,
    benchmark: Option<&EquityCurve>,
    spans: &[TimeRange],
    config: &MetricsConfig,
) -> Result<Vec<FoldOutcome>, SimError> {
    if let Some(pair) = spans.windows(2).find(|pair| pair[0].to > pair[1].from) {
        let problem = format!("it ends at {}, after the next begins at {}", pair[0].to, pair[1].from);
        return Err(SimError::data("a fold", problem));
    }
    let of = |span: &TimeRange| {
        let curve = result.curve.between(span.from, span.to);
        if curve.times.len() < 2 {
            let problem = "no candle was traded in it; leave it out".to_owned();
            return Err(SimError::data(format!("the fold from {} to {}", span.from, span.to), problem));
        }
        let trades: Vec<ClosedTrade> = result
            .trades
            .iter()
            .filter(|trade| trade.closed > span.from && trade.closed <= span.to)
            .map(ClosedTrade::from)
            .collect();
        let metrics = Metrics::of(&curve, &trades, &OrderCounts::default(), config)?;
        let benchmark = benchmark.map(|curve| curve.between(span.from, span.to)).and_then(|curve| {
            let (first, last) = (curve.equity.first()?, curve.equity.last()?);
            Some(last / first - 1.0).filter(|value| value.is_finite())
        });
        Ok(FoldOutcome { span: *span, metrics, benchmark })
    };
    spans.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use market_data::Timestamp;
    use rust_decimal::Decimal;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_millis(1_700_006_400_000 + hour * HOUR)
    }

    /// A curve of an hour a point.
    fn curve(equity: &[f64]) -> EquityCurve {
        EquityCurve {
            times: (0..equity.len() as i64).map(at).collect(),
            equity: equity.to_vec(),
            exposure: vec![0.0; equity.len()],
        }
    }

    fn result(equity: &[f64]) -> BacktestResult {
        BacktestResult {
            curve: curve(equity),
            trades: Vec::new(),
            executions: Vec::new(),
            orders: OrderCounts::default(),
            turnover: Decimal::ZERO,
            refused: 0,
            rejected: 0,
            liquidations: 0,
            ledger: trading::account::Ledger::default(),
            open_at_the_end: false,
            moments: equity.len() - 1,
            journal: Vec::new(),
        }
    }

    fn per_bar() -> MetricsConfig {
        MetricsConfig { basis: crate::metrics::Basis::PerBar, ..MetricsConfig::default() }
    }

    /// 100 → 110 → 99 | 99 → 108.9: +10 % and −10 %, then +10 %. The point at the border belongs to both: it ends one, and the
    /// other begins with it.
    #[test]
    fn folds_divide_the_curve_and_multiply_to_the_whole() {
        let result = result(&[100.0, 110.0, 99.0, 108.9, 108.9]);
        let spans = [TimeRange { from: at(0), to: at(2) }, TimeRange { from: at(2), to: at(4) }];
        let benchmark = curve(&[50.0, 50.0, 55.0, 55.0, 44.0]);
        let folds = judge_folds(&result, Some(&benchmark), &spans, &per_bar()).unwrap();
        let returns: Vec<f64> = folds.iter().map(|fold| fold.metrics.total_return).collect();
        assert!((returns[0] + 0.01).abs() < 1e-12 && (returns[1] - 0.1).abs() < 1e-12, "{returns:?}");
        assert!((folds[0].benchmark.unwrap() - 0.1).abs() < 1e-12);
        assert!((folds[1].benchmark.unwrap() + 0.2).abs() < 1e-12);
        let product: f64 = returns.iter().map(|value| 1.0 + value).product();
        assert!((product - 1.089).abs() < 1e-12, "{product}");
    }

    #[test]
    fn folds_that_overlap_or_hold_nothing_are_refused() {
        let result = result(&[100.0, 110.0, 99.0]);
        let overlap = [TimeRange { from: at(0), to: at(2) }, TimeRange { from: at(1), to: at(3) }];
        let error = judge_folds(&result, None, &overlap, &per_bar()).unwrap_err().to_string();
        assert!(error.contains("after the next begins"), "{error}");
        let empty = [TimeRange { from: at(10), to: at(20) }];
        let error = judge_folds(&result, None, &empty, &per_bar()).unwrap_err().to_string();
        assert!(error.contains("no candle was traded in it"), "{error}");
    }
}
