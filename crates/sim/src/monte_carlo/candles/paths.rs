//! One market of many: which candles follow each other, and at what prices.

use market_data::synthetic::bridge_extremes;
use market_data::{Candle, CandleColumns, Timestamp};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rust_decimal::prelude::ToPrimitive;

use super::market::{CommonMarket, MarketPart, sound};
use super::{CandleMethod, CandleMonteCarloConfig};
use crate::backtest::FundingRate;
use crate::error::SimError;
use crate::luck::{StationaryBlocks, automatic_block_length, below, generator};

/// Ticks beyond which floats have gaps.
const MOST_TICKS: f64 = 9_007_199_254_740_992.0;

/// A candle relative to the close before it.
#[derive(Clone, Copy)]
struct Row {
    /// Logarithms of the open over the close before, and of high, low and close over the open.
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    /// Quote currency over volume and close, where the source states it.
    turnover: Option<f64>,
}

/// What one instrument's candles are drawn from.
struct Sample {
    rows: Vec<Row>,
    /// The grid of prices at each candle's time.
    ticks: Vec<Ticks>,
    first_open: f64,
    /// Funding by the row that it fell into: the row and the milliseconds after its open.
    funding: Vec<(usize, i64, FundingRate)>,
}

/// Log returns of all instruments as one normal distribution.
struct Normal {
    means: Vec<f64>,
    /// Lower triangle L with L Lᵀ = the covariance, row by row.
    factor: Vec<Vec<f64>>,
    variances: Vec<f64>,
}

/// How the paths of a run are made.
enum Kind {
    Blocks(StationaryBlocks),
    Windows(usize),
    Normal(Normal),
}

/// Makes paths of one recorded market.
pub(super) struct PathMaker<'a> {
    market: &'a CommonMarket<'a>,
    samples: Vec<Sample>,
    kind: Kind,
    seed: u64,
    pub(super) mean_block: Option<f64>,
    /// Candles of a path.
    pub(super) candles: usize,
}

impl<'a> PathMaker<'a> {
    pub(super) fn new(
        market: &'a CommonMarket<'a>,
        config: &CandleMonteCarloConfig,
    ) -> Result<Self, SimError> {
        let count = market.candles();
        let is_made = !matches!(config.method, CandleMethod::RandomStart { .. });
        if is_made && let Some(part) = market.parts.iter().find(|part| !part.signals.is_empty()) {
            return Err(SimError::data(
                format!("signals of {}", part.series.key()),
                "a model said them of the recorded candles and nothing of resampled ones; run a strategy that needs no \
                 model, or choose the method random-start",
            ));
        }
        let samples: Vec<Sample> =
            if is_made { market.parts.iter().map(Sample::of).collect() } else { Vec::new() };
        let (kind, candles, mean_block) = match config.method {
            CandleMethod::StationaryBootstrap { mean_block } => {
                let block = mean_block.map_or_else(|| automatic(&samples), Ok)?;
                if block > count as f64 {
                    let problem =
                        format!("{block} candles are more than the {count} recorded; give a shorter one");
                    return Err(SimError::data("mean block", problem));
                }
                (Kind::Blocks(StationaryBlocks::new(count, block)), count, Some(block))
            }
            CandleMethod::RandomStart { candles } => {
                if candles >= count {
                    let problem =
                        format!("{candles} candles leave no choice of a start in {count}; give fewer");
                    return Err(SimError::data("random start", problem));
                }
                (Kind::Windows(candles), candles, None)
            }
            CandleMethod::GeometricBrownianMotion {} => (Kind::Normal(Normal::of(&samples)), count, None),
        };
        Ok(Self { market, samples, kind, seed: config.seed, mean_block, candles })
    }

    /// Finer candles belong to the recorded ones only.
    pub(super) fn keeps_detail(&self) -> bool {
        matches!(self.kind, Kind::Windows(_))
    }

    /// Whether paths are as long as the record, so that totals compare.
    pub(super) fn is_ranked(&self) -> bool {
        !matches!(self.kind, Kind::Windows(_))
    }

    /// Market number `index`.
    pub(super) fn path(&self, index: u64) -> Result<CommonMarket<'a>, SimError> {
        let mut rng = generator(self.seed, "monte-carlo/candles", index);
        match &self.kind {
            Kind::Windows(length) => {
                let start = below(self.market.candles() - length + 1, &mut rng);
                self.market.window(start, *length)
            }
            Kind::Blocks(blocks) => {
                let mut rows = Vec::with_capacity(self.candles);
                blocks.draw(self.candles, &mut rng, |range| rows.extend(range));
                self.made(&rows, |sample, _| sample.chain(&rows))
            }
            Kind::Normal(normal) => {
                let rows: Vec<usize> = (0..self.candles).map(|_| below(self.candles, &mut rng)).collect();
                let all = normal.draw(&self.samples, &rows, &mut rng);
                self.made(&rows, |_, at| all.get(at).cloned().unwrap_or_default())
            }
        }
    }

    /// The market whose candles `prices` gives, each with volume and funding of the row drawn for it.
    fn made(
        &self,
        rows: &[usize],
        prices: impl Fn(&Sample, usize) -> Vec<[f64; 4]>,
    ) -> Result<CommonMarket<'a>, SimError> {
        let parts = self
            .market
            .parts
            .iter()
            .zip(&self.samples)
            .enumerate()
            .map(|(at, (part, sample))| sample.part(part, rows, &prices(sample, at)))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(CommonMarket { parts, left_out: self.market.left_out })
    }
}

/// The longest automatic block length of any instrument's log returns and their absolute values.
fn automatic(samples: &[Sample]) -> Result<f64, SimError> {
    let mut longest = 1.0_f64;
    for sample in samples {
        let returns = sample.log_returns();
        let sizes: Vec<f64> = returns.iter().map(|value| value.abs()).collect();
        longest = longest.max(automatic_block_length(&returns)?);
        // Moves that are all of one size have no clusters.
        longest = longest.max(automatic_block_length(&sizes).unwrap_or(1.0));
    }
    Ok(longest)
}

impl Sample {
    fn of(part: &MarketPart<'_>) -> Self {
        let columns = part.series.columns();
        let first_open = columns.open.first().copied().unwrap_or(1.0);
        let mut before = first_open;
        let rows = part
            .series
            .iter()
            .map(|candle| {
                let row = Row {
                    open: (candle.open / before).ln(),
                    high: (candle.high / candle.open).ln(),
                    low: (candle.low / candle.open).ln(),
                    close: (candle.close / candle.open).ln(),
                    volume: candle.volume,
                    turnover: candle.turnover.map(|turnover| turnover / (candle.volume * candle.close)),
                };
                before = candle.close;
                row
            })
            .collect();
        let instrument = &part.terms.instrument;
        let ticks = columns
            .open_time
            .iter()
            .map(|time| {
                let rules = instrument.rules_at(*time).or(instrument.rules().first());
                Ticks::of(rules.and_then(|rules| rules.tick_size.to_f64()).unwrap_or(1.0))
            })
            .collect();
        Self { rows, ticks, first_open, funding: funding_by_row(part) }
    }

    /// ln(close / close before), the first over its own open.
    fn log_returns(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.open + row.close).collect()
    }

    /// Open, high, low and close of the rows one after the other, from the first open. They are chained
    /// before they are rounded, so that rounding does not add up.
    fn chain(&self, rows: &[usize]) -> Vec<[f64; 4]> {
        let mut level = self.first_open.ln();
        let row = |at: &usize| self.rows.get(*at).copied();
        rows.iter()
            .filter_map(row)
            .map(|row| {
                let open = level + row.open;
                level = open + row.close;
                [open.exp(), (open + row.high).exp(), (open + row.low).exp(), level.exp()]
            })
            .collect()
    }

    /// Candles on the grid of ticks and at the recorded times.
    fn part<'a>(
        &self,
        recorded: &MarketPart<'a>,
        rows: &[usize],
        prices: &[[f64; 4]],
    ) -> Result<MarketPart<'a>, SimError> {
        let times = &recorded.series.columns().open_time;
        let has_turnover = recorded.series.columns().turnover.is_some();
        let mut columns = CandleColumns::with_capacity(rows.len(), has_turnover);
        for ((price, ticks), (time, row)) in prices.iter().zip(&self.ticks).zip(times.iter().zip(rows)) {
            let Some(row) = self.rows.get(*row) else { continue };
            let [open, high, low, close] = ticks.round(*price).ok_or_else(|| {
                SimError::data(
                    format!("made candle of {} at {time}", recorded.series.key()),
                    "its price is more than its ticks can count; give fewer candles",
                )
            })?;
            let turnover =
                row.turnover.map(|share| share * row.volume * close).filter(|value| value.is_finite());
            columns.push(&Candle { open_time: *time, open, high, low, close, volume: row.volume, turnover });
        }
        Ok(MarketPart {
            terms: recorded.terms,
            series: sound(&recorded.series, columns)?,
            detail: None,
            funding: self.funding_of(rows, times),
            signals: Vec::new(),
        })
    }

    /// Funding of the rows drawn, each as long after its candle's open as it was.
    fn funding_of(&self, rows: &[usize], times: &[Timestamp]) -> Vec<FundingRate> {
        let mut funding = Vec::new();
        for (row, time) in rows.iter().zip(times) {
            let first = self.funding.partition_point(|(at, _, _)| at < row);
            let own = self.funding.iter().skip(first).take_while(|(at, _, _)| at == row);
            funding.extend(
                own.map(|(_, after, one)| FundingRate { time: time.plus_millis(*after), rate: one.rate }),
            );
        }
        funding
    }
}

/// Funding inside a candle, with its row; what fell due in a gap has no candle.
fn funding_by_row(part: &MarketPart<'_>) -> Vec<(usize, i64, FundingRate)> {
    let (times, length) = (&part.series.columns().open_time, part.series.key().timeframe.millis());
    part.funding
        .iter()
        .filter_map(|one| {
            let row = times.partition_point(|time| *time <= one.time).checked_sub(1)?;
            let after = one.time.since(*times.get(row)?);
            (after < length).then_some((row, after, *one))
        })
        .collect()
}

/// A grid of prices.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    tick: f64,
    /// Ticks per unit of the price.
    per_unit: f64,
}

impl Ticks {
    pub(super) fn of(tick: f64) -> Self {
        // 1 / 0.00001 is 99999.99999999999.
        let (exact, whole) = (1.0 / tick, (1.0 / tick).round());
        Self { tick, per_unit: if (exact - whole).abs() <= whole * 1e-12 { whole } else { exact } }
    }

    /// Open, high, low and close on the nearest tick, at least one tick each; the high and the low still hold
    /// the others. Nothing beyond what ticks can count.
    pub(super) fn round(self, [open, high, low, close]: [f64; 4]) -> Option<[f64; 4]> {
        let round = |price: f64| {
            let ticks = (price * self.per_unit).round().max(1.0);
            // A multiple of a tick such as 0.1 is not the float of the printed price, and neither is a
            // quotient for one of 5.
            let price = if self.tick < 1.0 { ticks / self.per_unit } else { ticks * self.tick };
            (ticks <= MOST_TICKS).then_some(price)
        };
        let (open, high, low, close) = (round(open)?, round(high)?, round(low)?, round(close)?);
        Some([open, high.max(open).max(close), low.min(open).min(close), close])
    }
}

impl Normal {
    fn of(samples: &[Sample]) -> Self {
        let returns: Vec<Vec<f64>> = samples.iter().map(Sample::log_returns).collect();
        let means: Vec<f64> =
            returns.iter().map(|values| values.iter().sum::<f64>() / values.len() as f64).collect();
        let covariance = |one: usize, other: usize| {
            let excess = |at: usize| returns.iter().zip(&means).nth(at);
            let (Some((x, mean_x)), Some((y, mean_y))) = (excess(one), excess(other)) else { return 0.0 };
            let sum: f64 = x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
            sum / (x.len() as f64 - 1.0)
        };
        let variances: Vec<f64> = (0..samples.len()).map(|at| covariance(at, at)).collect();
        // Cholesky, row by row; where a symbol follows from those before it, nothing of its own is left.
        let mut factor: Vec<Vec<f64>> = Vec::with_capacity(samples.len());
        for (row, variance) in variances.iter().enumerate() {
            let mut own: Vec<f64> = Vec::with_capacity(row + 1);
            for (column, other) in factor.iter().enumerate() {
                let explained: f64 = own.iter().zip(other).map(|(x, y)| x * y).sum();
                let pivot = other.get(column).copied().unwrap_or(0.0);
                own.push(if pivot > 0.0 { (covariance(row, column) - explained) / pivot } else { 0.0 });
            }
            let left = variance - own.iter().map(|value| value * value).sum::<f64>();
            own.push(if left > variance * 1e-12 { left.sqrt() } else { 0.0 });
            factor.push(own);
        }
        Self { means, factor, variances }
    }

    /// Candles of all instruments, each opening where the one before closed.
    fn draw(&self, samples: &[Sample], rows: &[usize], rng: &mut impl Rng) -> Vec<Vec<[f64; 4]>> {
        let mut levels: Vec<f64> = samples.iter().map(|sample| sample.first_open.ln()).collect();
        let mut all: Vec<Vec<[f64; 4]>> = levels.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        let mut shocks = vec![0.0; levels.len()];
        for _ in rows {
            shocks.fill_with(|| StandardNormal.sample(rng));
            let laws = self.factor.iter().zip(&self.means).zip(&self.variances);
            for ((level, candles), ((factor, mean), variance)) in levels.iter_mut().zip(&mut all).zip(laws) {
                let open = *level;
                *level +=
                    mean + factor.iter().zip(&shocks).map(|(weight, shock)| weight * shock).sum::<f64>();
                let (low, high) = bridge_extremes(open, *level, *variance, rng);
                candles.push([open.exp(), high.exp(), low.exp(), level.exp()]);
            }
        }
        all
    }
}
