//! The environments themselves.

use std::sync::Arc;

use rl::{Action, Actions, Outcomes, RlError, Space, Step, VecEnvironment};

use super::account::{Accounts, EnvironmentFill, Record, Terms, Wish, whole_lots};
use super::action::{Intention, check};
use super::checkpoint::Checkpoint;
use super::config::{MarketEnvironmentConfig, Sizing};
use super::episode::{Episode, Episodes};
use super::frame::{MarketFrame, MarketFrames};
use super::observation::{write_account, write_windows};
use super::reward::{Averages, Change, RewardTerm, reward};
use crate::error::SimError;

/// Logarithms see at least this share of the cash at the start.
pub(super) const LEAST_EQUITY: f64 = 1e-4;

/// Many accounts in one market, stepping together. See the module for the order of things.
///
/// An observation is `[assets, window, columns]` of the frames, then what [`super::ObservedAccount`] says of positions and account.
#[derive(Clone, Debug)]
pub struct MarketEnvironment {
    pub(super) config: MarketEnvironmentConfig,
    pub(super) frames: Arc<MarketFrames>,
    observation_space: Space,
    action_space: Space,
    episodes: Episodes,
    pub(super) accounts: Accounts,
    pub(super) now: Vec<Episode>,
    /// Lots of a whole position under [`Sizing::FixedQuantity`], `[environments, assets]`.
    pub(super) unit: Vec<f64>,
    /// `[environments, terms]`.
    pub(super) averages: Vec<Averages>,
    pub(super) seed: u64,
    /// Episodes and steps of each since the reset.
    pub(super) number: Vec<u64>,
    pub(super) steps: Vec<u64>,
    /// The episodes that ended last, and what their accounts looked like: `[environments, account width]`.
    pub(super) ended: Vec<Episode>,
    pub(super) ended_accounts: Vec<f32>,
    /// And their equity.
    pub(super) ended_equity: Vec<f64>,
    wanted: Vec<Intention>,
    /// What was wanted in the last step, as signed shares of equity at its decision, `[environments, assets]`.
    targets: Vec<f64>,
    wishes: Vec<Wish>,
    fills: Option<Vec<EnvironmentFill>>,
    /// Whether a term asks for the return of positions.
    rewards_position: bool,
}

impl MarketEnvironment {
    /// Environments at the start of their first episodes, from seed 0.
    ///
    /// # Errors
    /// [`SimError::Config`] and [`SimError::Data`] name what makes no sense.
    pub fn new(config: MarketEnvironmentConfig, frames: Arc<MarketFrames>) -> Result<Self, SimError> {
        config.validate()?;
        let (count, assets) = (config.environments, frames.assets());
        let account_width = config.account.width(assets);
        let (observation_space, action_space) = config.spaces(assets, frames.columns())?;
        let mut new = Self {
            observation_space,
            action_space,
            episodes: Episodes::new(&config, &frames)?,
            accounts: Accounts::new(count, assets),
            now: vec![Episode::default(); count],
            unit: vec![0.0; count * assets],
            averages: vec![Averages::default(); count * config.rewards.len()],
            seed: 0,
            number: vec![0; count],
            steps: vec![0; count],
            ended: vec![Episode::default(); count],
            ended_accounts: vec![0.0; count * account_width],
            ended_equity: vec![config.cash; count],
            wanted: vec![Intention::HOLD; assets],
            targets: vec![0.0; count * assets],
            wishes: Vec::with_capacity(assets),
            fills: None,
            rewards_position: config
                .rewards
                .iter()
                .any(|term| matches!(term.reward, RewardTerm::PositionBasedReturn)),
            config,
            frames,
        };
        new.reset(0);
        new.ended.clone_from(&new.now);
        Ok(new)
    }

    /// Keeps what trades in each step, for [`MarketEnvironment::fills`].
    #[must_use]
    pub fn recording_fills(mut self) -> Self {
        self.fills = Some(Vec::new());
        self
    }

    /// What traded in the last step, in order; nothing unless recorded.
    #[must_use]
    pub fn fills(&self) -> &[EnvironmentFill] {
        self.fills.as_deref().unwrap_or_default()
    }

    /// Equity of each, in quote currency, marked at the last close.
    #[must_use]
    pub fn equity(&self) -> &[f64] {
        &self.accounts.equity
    }

    /// Equity of the episode of an environment that ended last, at its end; the cash where none has, and for an environment that
    /// there is not nothing.
    #[must_use]
    pub fn final_equity(&self, index: usize) -> Option<f64> {
        self.ended_equity.get(index).copied()
    }

    /// Episodes of whole runs that the frames hold, for [`super::EpisodeConfig::WholeSeries`]; otherwise the runs that are long
    /// enough for an episode.
    #[must_use]
    pub fn whole_episodes(&self) -> usize {
        self.episodes.stretches()
    }

    /// The frames that it is played on.
    #[must_use]
    pub fn frames(&self) -> &MarketFrames {
        &self.frames
    }

    /// Signed lots, `[environments, assets]`.
    #[must_use]
    pub fn lots(&self) -> &[f64] {
        &self.accounts.lots
    }

    /// Signed notional of all positions of an environment over its equity, at the last close; 0 for one that there is not.
    #[must_use]
    pub fn exposure(&self, index: usize) -> f64 {
        let Some(episode) = self.now.get(index) else { return 0.0 };
        let equity = self.accounts.equity[index];
        let notional = |(asset, frame): (usize, &MarketFrame)| {
            self.accounts.lots[index * self.accounts.assets + asset]
                * frame.lot
                * frame.prices[episode.row].close
        };
        let frames = self.frames.portfolio(episode.portfolio);
        if equity > 0.0 { frames.iter().enumerate().map(notional).sum::<f64>() / equity } else { 0.0 }
    }

    /// What the action of the last step wanted of each asset of an environment, as a signed share of equity: known when it was
    /// decided, whatever the candle after it did. An action that leaves a position as it is wants what is held.
    #[must_use]
    pub fn targets(&self, index: usize) -> &[f64] {
        let assets = self.accounts.assets;
        self.targets.get(index * assets..(index + 1) * assets).unwrap_or_default()
    }

    /// Portfolio and row of the frames at whose close an environment decides next; none for one that there is not.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<(usize, usize)> {
        self.now.get(index).map(|episode| (episode.portfolio, episode.row))
    }

    /// Taker fee and slippage that were drawn for the episode of an environment; none for one that there is not.
    #[must_use]
    pub fn costs(&self, index: usize) -> Option<(f64, f64)> {
        self.now.get(index).map(|episode| (episode.taker_fee, episode.slippage))
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &MarketEnvironmentConfig {
        &self.config
    }

    /// Begins the next episode of one environment. Everything that an episode has is set here.
    pub(super) fn begin(&mut self, index: usize) {
        let episode = self.episodes.draw(self.seed, index, self.number[index], self.steps[index]);
        self.number[index] += 1;
        self.now[index] = episode;
        self.accounts.begin(index, self.config.cash);
        let terms = self.config.rewards.len();
        self.averages[index * terms..(index + 1) * terms].fill(Averages::default());
        let assets = self.frames.assets();
        for (asset, frame) in self.frames.portfolio(episode.portfolio).iter().enumerate() {
            let close = frame.prices[episode.row].close;
            self.unit[index * assets + asset] = whole_lots(self.config.cash / (close * frame.lot));
        }
    }

    /// Turns the shares of the action into lots.
    fn size(&mut self, index: usize, frames: &[MarketFrame], row: usize) {
        self.wishes.clear();
        let first = index * self.accounts.assets;
        let equity = self.accounts.equity[index];
        let scale = self.scale(first, frames, row, equity);
        for (asset, (frame, wanted)) in frames.iter().zip(&self.wanted).enumerate() {
            let (held, close) = (self.accounts.lots[first + asset], frame.prices[row].close);
            let share = if self.config.shorts { wanted.share } else { at_least_zero(wanted.share) };
            let unit = match self.config.sizing {
                Sizing::ShareOfEquity => equity / (close * frame.lot),
                Sizing::FixedQuantity => self.unit[first + asset],
            };
            let of_equity = frame.lot * close / equity;
            self.targets[first + asset] =
                if share.is_nan() { held * of_equity } else { share * scale * unit * of_equity };
            let mut lots = whole_lots(share * scale * unit);
            let small = ((lots - held) * frame.lot * close).abs() < equity * self.config.rebalance_band;
            if small && held * lots > 0.0 {
                lots = f64::NAN;
            }
            self.wishes.push(Wish { lots, stop: wanted.stop, target: wanted.target });
        }
    }

    /// By how much what is wanted is scaled down, so that all positions fit below the largest exposure.
    fn scale(&self, first: usize, frames: &[MarketFrame], row: usize, equity: f64) -> f64 {
        let (mut wanted, mut kept) = (0.0, 0.0);
        for (asset, (frame, intention)) in frames.iter().zip(&self.wanted).enumerate() {
            let close = frame.prices[row].close;
            let exposure = |lots: f64| (lots * frame.lot * close / equity).abs();
            if intention.share.is_nan() {
                kept += exposure(self.accounts.lots[first + asset]);
                continue;
            }
            let share = if self.config.shorts { intention.share } else { at_least_zero(intention.share) };
            wanted += match self.config.sizing {
                Sizing::ShareOfEquity => share.abs(),
                Sizing::FixedQuantity => exposure(share * self.unit[first + asset]),
            };
        }
        let room = (self.config.maximum_exposure - kept).max(0.0);
        // A share that fits but for rounding is not touched.
        if wanted > room * (1.0 + 1e-12) { room / wanted } else { 1.0 }
    }

    fn step_one(&mut self, frames: &MarketFrames, index: usize, action: Action<'_>) -> Step {
        let episode = self.now[index];
        let series = frames.portfolio(episode.portfolio);
        self.config.actions.decode(action, &mut self.wanted);
        self.size(index, series, episode.row);
        let terms = Terms {
            taker_fee: episode.taker_fee,
            slippage: episode.slippage,
            maintenance_rate: self.config.margin.maintenance_rate,
            liquidation_fee: self.config.margin.liquidation_fee,
            position_return: self.rewards_position,
        };
        let before = self.accounts.equity[index];
        let peak_before = self.accounts.peak[index];
        let row = episode.row + 1;
        let mut record = Record { environment: index, fills: self.fills.as_mut() };
        let result = self.accounts.candle(series, row, &self.wishes, &terms, &mut record);
        self.now[index].row = row;
        self.steps[index] += 1;
        let after = self.accounts.equity[index];
        let change = Change {
            before,
            after,
            least: self.config.cash * LEAST_EQUITY,
            peak_before,
            peak_after: self.accounts.peak[index],
            position_return: result.position_return,
            turnover: result.turnover,
        };
        let count = self.config.rewards.len();
        let averages = &mut self.averages[index * count..(index + 1) * count];
        let reward = reward(&self.config.rewards, averages, &change) as f32;
        let terminated = result.liquidated || after <= self.config.cash * self.config.margin.ruin;
        Step { reward, terminated, truncated: !terminated && row >= episode.last }
    }

    /// Keeps the end of an episode, by reference into the frames, and begins the next.
    fn end(&mut self, frames: &MarketFrames, index: usize) {
        let episode = self.now[index];
        self.ended[index] = episode;
        self.ended_equity[index] = self.accounts.equity[index];
        let width = self.config.account.width(self.accounts.assets);
        let part = &mut self.ended_accounts[index * width..(index + 1) * width];
        let series = frames.portfolio(episode.portfolio);
        write_account(self.config.account, &self.accounts, index, series, &episode, self.config.cash, part);
        self.begin(index);
    }

    fn write_windows(&self, episode: &Episode, observation: &mut [f32]) {
        let series = self.frames.portfolio(episode.portfolio);
        let noise = self.config.augmentation.feature_noise;
        write_windows(series, episode, self.config.window, noise, observation);
    }

    fn windows_width(&self) -> usize {
        self.frames.assets() * self.config.window * self.frames.columns()
    }
}

/// Not a number stays what it is.
fn at_least_zero(share: f64) -> f64 {
    if share < 0.0 { 0.0 } else { share }
}

impl VecEnvironment for MarketEnvironment {
    fn len(&self) -> usize {
        self.config.environments
    }

    fn observation_space(&self) -> &Space {
        &self.observation_space
    }

    fn action_space(&self) -> &Space {
        &self.action_space
    }

    fn reset(&mut self, seed: u64) {
        self.seed = seed;
        self.number.fill(0);
        self.steps.fill(0);
        if let Some(fills) = &mut self.fills {
            fills.clear();
        }
        for index in 0..self.config.environments {
            self.begin(index);
        }
    }

    fn step(&mut self, actions: &Actions, outcomes: &mut Outcomes) -> Result<(), RlError> {
        check(&self.action_space, self.config.environments, actions)?;
        if let Some(fills) = &mut self.fills {
            fills.clear();
        }
        let frames = Arc::clone(&self.frames);
        outcomes.steps.clear();
        for index in 0..self.config.environments {
            let Some(action) = actions.of(index) else { continue };
            let step = self.step_one(&frames, index, action);
            if step.terminated || step.truncated {
                self.end(&frames, index);
            }
            outcomes.steps.push(step);
        }
        Ok(())
    }

    fn observe(&self, observations: &mut [f32]) {
        let rows = observations.chunks_exact_mut(self.observation_space.width());
        for (index, (row, episode)) in rows.zip(&self.now).enumerate() {
            let (windows, account) = row.split_at_mut(self.windows_width());
            self.write_windows(episode, windows);
            let series = self.frames.portfolio(episode.portfolio);
            write_account(
                self.config.account,
                &self.accounts,
                index,
                series,
                episode,
                self.config.cash,
                account,
            );
        }
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        Checkpoint::of(self).to_bytes()
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        Checkpoint::from_bytes(state)?.restore(self)
    }

    fn observe_final(&self, index: usize, observation: &mut [f32]) {
        let (windows, account) = observation.split_at_mut(self.windows_width());
        self.write_windows(&self.ended[index], windows);
        let width = account.len();
        account.copy_from_slice(&self.ended_accounts[index * width..(index + 1) * width]);
    }
}
