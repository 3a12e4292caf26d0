//! The markets: prices, what can be seen of them, and how they are traded.

use std::ops::Range;
use std::sync::Arc;

use market_data::Timeframe;
use market_data::synthetic::{MarketShape, NoiseMarket, SyntheticSymbol, generator};
use rand::seq::SliceRandom;
use sim::market_environment::{
    CostRange, EpisodeConfig, MarketEnvironment, MarketEnvironmentConfig, MarketFrame, MarketFrames,
    RewardTerm, Sizing, WeightedReward,
};

use super::{Fallible, JUDGES};

/// Standard deviation of a candle's return, that of [`NoiseMarket`]. A change by a whole position costs 7.5 basis points, which is
/// 0.375 of it: who follows the sign of the next return alone gets about 0.81 of the best.
pub(crate) const DEVIATION: f64 = 0.002;
/// Steps of an episode that is judged.
pub(crate) const STEPS: usize = 250;
/// Candles of a market to train on.
const TRAINING_CANDLES: usize = 4_000;
/// Rows that one sees on noise; the clairvoyant needs one.
const WINDOW: usize = 4;
const TICK: f64 = 1e-9;
const LOT: f64 = 1e-3;

/// What can be known of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The next return, or two.
    Clairvoyant,
    /// Nothing of use.
    Noise,
}

/// What is broken on purpose, to see that the judgement can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Rows of features change places, in training and in judging.
    ShuffledFeatures,
    /// Training costs nothing; judging does.
    FreeTraining,
}

impl Kind {
    pub(crate) fn window(self) -> usize {
        match self {
            Self::Clairvoyant => 1,
            Self::Noise => WINDOW,
        }
    }

    /// Steps of an episode of training. On noise each constant position costs one entry and no more: episodes are short there, so that
    /// the entry is met often.
    fn training_steps(self) -> usize {
        match self {
            Self::Clairvoyant => STEPS,
            Self::Noise => 25,
        }
    }

    /// How it is traded: levels -1, 0 and 1 and costs of the default configuration. Rewards are log returns of equity in units of a
    /// candle's deviation.
    fn config(self) -> MarketEnvironmentConfig {
        let reward = WeightedReward { reward: RewardTerm::LogEquity, weight: 1.0 / DEVIATION };
        let usual = MarketEnvironmentConfig {
            window: self.window(),
            rewards: vec![reward],
            episode: EpisodeConfig::RandomWindow { length: self.training_steps() },
            ..MarketEnvironmentConfig::default()
        };
        match self {
            Self::Noise => usual,
            // As `optimal_path` has it: a fixed quantity, no band, and no bound that a fall of equity could reach.
            Self::Clairvoyant => MarketEnvironmentConfig {
                sizing: Sizing::FixedQuantity,
                rebalance_band: 0.0,
                maximum_exposure: 100.0,
                ..usual
            },
        }
    }

    /// To train in.
    pub(crate) fn training(
        self,
        fault: Option<Fault>,
        frames: Arc<MarketFrames>,
        environments: usize,
    ) -> Fallible<MarketEnvironment> {
        let mut config = MarketEnvironmentConfig { environments, ..self.config() };
        if fault == Some(Fault::FreeTraining) {
            config.costs.taker_fee = CostRange::fixed(0.0);
            config.costs.slippage = CostRange::fixed(0.0);
        }
        Ok(MarketEnvironment::new(config, frames)?)
    }

    /// To judge in: one environment per market.
    pub(crate) fn judging(self, frames: Arc<MarketFrames>) -> Fallible<MarketEnvironment> {
        let episode = EpisodeConfig::WholeSeries;
        let config = MarketEnvironmentConfig { environments: JUDGES, episode, ..self.config() };
        Ok(MarketEnvironment::new(config, frames)?.recording_fills())
    }
}

/// One market for each seed: long ones to train on, of one episode and a row more from [`super::CHOSEN_ON`] on.
pub(crate) fn frames(
    kind: Kind,
    foresight: usize,
    fault: Option<Fault>,
    seeds: Range<u64>,
) -> Fallible<Arc<MarketFrames>> {
    let one = |seed: u64| -> Fallible<MarketFrame> {
        let candles =
            if seed < super::CHOSEN_ON { TRAINING_CANDLES } else { kind.window() + STEPS + 1 + foresight };
        let symbol = SyntheticSymbol::new("BTC/USDT:USDT", 100.0)?;
        let shape = MarketShape {
            symbols: vec![symbol],
            candles,
            timeframe: Timeframe::H1,
            seed,
            ..MarketShape::default()
        };
        let market = NoiseMarket { deviation: DEVIATION, ..NoiseMarket::default() }.generate(&shape)?;
        let series = market.series.first().ok_or("a market without a series")?;
        let columns = series.columns();
        // The position of a decision at the close of a row is held from the open of the next row to its close.
        let returns = |row: usize| (columns.close[row] / columns.open[row]).ln() / DEVIATION;
        let mut rows: Vec<Vec<f32>> = match kind {
            Kind::Noise => (0..series.len()).map(|row| vec![returns(row) as f32]).collect(),
            Kind::Clairvoyant => (0..series.len() - foresight)
                .map(|row| (1..=foresight).map(|ahead| returns(row + ahead) as f32).collect())
                .collect(),
        };
        if fault == Some(Fault::ShuffledFeatures) {
            rows.shuffle(&mut generator(seed, "known-markets/shuffle", 0));
        }
        let width = rows.first().map_or(0, Vec::len);
        let known = rows.len();
        let mut frame = MarketFrame::of_series(series, width, Vec::new(), TICK, LOT);
        frame.features = rows.concat();
        // The last rows, of which the future is not known, are not there.
        frame.prices.truncate(known);
        frame.open_times.truncate(known);
        Ok(frame)
    };
    Ok(Arc::new(MarketFrames::of_single(seeds.map(one).collect::<Fallible<_>>()?)?))
}
