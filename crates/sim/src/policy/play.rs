//! Accounts that go through whole series, one each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use market_data::Timestamp;
use rl::distribution::Distribution;
use rl::{Actions, Agent, Outcomes, RandomAgent, RlError, VecEnvironment};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::luck::generator;
use crate::market_environment::{
    ActionScheme, Augmentation, CostRange, EpisodeConfig, MarketEnvironment, MarketEnvironmentConfig,
    MarketFrames,
};
use crate::metrics::EquityCurve;

/// Who decides.
pub enum Player<'a> {
    /// A policy, by its most probable actions.
    Agent(&'a mut dyn Agent),
    /// The same share of equity at every close: 1 is buy and hold, 0 stays flat.
    Constant(f64),
    /// A share by portfolio and row.
    Scripted(&'a dyn Fn(usize, usize) -> f64),
    /// Uniformly random actions.
    Random(u64),
}

/// One account through one run of rows without a gap.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AccountPath {
    /// Which portfolio.
    pub portfolio: usize,
    /// The row at whose close the first decision was taken.
    pub first_row: usize,
    /// Equity over cash at the start, at the close of `first_row` and of each row after it.
    pub equity: Vec<f64>,
    /// Signed notional of all assets over equity, at the same closes.
    pub exposure: Vec<f64>,
    /// What was wanted of the first asset at each close but the last, as a signed share of equity.
    pub targets: Vec<f64>,
    /// Notional of all that traded over equity, summed.
    pub turnover: f64,
    /// Trades, those that stops and liquidation made included.
    pub fills: usize,
    /// It was liquidated or ruined before its data ended.
    pub terminated: bool,
}

/// Plays all whole runs of the frames at once, each from flat (a position at the end of a run is valued and not closed), with the costs of the configuration (the highest where they are
/// drawn), no augmentation and no curriculum. A script or a constant trades by targets, whatever the scheme of actions.
///
/// # Errors
/// [`SimError::Config`] and [`SimError::Data`] for what the environment refuses; [`SimError::Data`] where the agent fails.
pub fn play(
    config: &MarketEnvironmentConfig,
    frames: &Arc<MarketFrames>,
    player: &mut Player<'_>,
) -> Result<Vec<AccountPath>, SimError> {
    let mut config = whole(config);
    if matches!(player, Player::Constant(_) | Player::Scripted(_)) {
        config.actions = ActionScheme::ContinuousTarget { maximum: config.maximum_exposure };
    }
    let one = MarketEnvironment::new(
        MarketEnvironmentConfig { environments: 1, ..config.clone() },
        Arc::clone(frames),
    )?;
    config.environments = one.whole_episodes();
    drop(one);
    let mut environment = MarketEnvironment::new(config, Arc::clone(frames))?.recording_fills();
    let failed = |error: RlError| SimError::data("a policy in the market", error.to_string());
    let mut table = Table::new(&environment);
    let mut chooser = Chooser::new(player, &environment).map_err(failed)?;
    let mut outcomes = Outcomes::default();
    while table.open > 0 {
        let actions = chooser.choose(&environment).map_err(failed)?;
        environment.step(actions, &mut outcomes).map_err(failed)?;
        table.note(&environment, &outcomes);
        chooser.end(&outcomes);
    }
    Ok(table.finish())
}

fn whole(config: &MarketEnvironmentConfig) -> MarketEnvironmentConfig {
    let mut config = config.clone();
    config.episode = EpisodeConfig::WholeSeries;
    config.augmentation = Augmentation::default();
    config.costs.curriculum = None;
    for cost in [&mut config.costs.taker_fee, &mut config.costs.slippage] {
        *cost = CostRange::fixed(cost.to);
    }
    config
}

/// What a player needs from step to step.
struct Chooser<'a, 'b> {
    player: &'a mut Player<'b>,
    /// Of the agents, `[environments, …]`.
    observations: Vec<f32>,
    states: Vec<f32>,
    rows: Vec<f32>,
    random: Option<RandomAgent>,
    actions: Actions,
    steps: u64,
}

impl<'a, 'b> Chooser<'a, 'b> {
    fn new(player: &'a mut Player<'b>, environment: &MarketEnvironment) -> Result<Self, RlError> {
        let count = environment.len();
        let mut new = Self {
            observations: Vec::new(),
            states: Vec::new(),
            rows: Vec::new(),
            random: None,
            actions: Actions::Discrete(Vec::new()),
            steps: 0,
            player,
        };
        let distribution = Distribution::of(environment.action_space())?;
        if let Player::Agent(agent) = new.player {
            let inputs = environment.observation_space().width();
            if agent.inputs() != inputs || *agent.distribution() != distribution {
                let problem = format!(
                    "it takes {} numbers for {:?}, the market gives {inputs} for {distribution:?}; play it in the environment that it \
                     was trained in",
                    agent.inputs(),
                    agent.distribution()
                );
                return Err(RlError::Shape { what: "the policy", problem });
            }
            new.states = vec![0.0; count * agent.state_width()];
            if agent.state_width() > 0 {
                new.states.chunks_exact_mut(agent.state_width()).for_each(|state| agent.initial_state(state));
            }
        }
        if let Player::Random(_) = new.player {
            new.random = Some(RandomAgent::new(environment.observation_space(), environment.action_space())?);
        }
        new.observations = vec![0.0; count * environment.observation_space().width()];
        new.rows = vec![0.0; count * distribution.action_width()];
        Ok(new)
    }

    fn choose(&mut self, environment: &MarketEnvironment) -> Result<&Actions, RlError> {
        let assets = environment.frames().assets();
        let targets = |share: &dyn Fn(usize) -> f64| {
            let shares = (0..environment.len()).flat_map(|index| vec![share(index) as f32; assets]).collect();
            Actions::Continuous(shares, assets)
        };
        match (&mut *self.player, &mut self.random) {
            (Player::Constant(share), _) => self.actions = targets(&|_| *share),
            (Player::Scripted(script), _) => {
                let of =
                    |index| environment.place(index).map_or(0.0, |(portfolio, row)| script(portfolio, row));
                self.actions = targets(&of);
            }
            (Player::Agent(agent), _) => {
                environment.observe(&mut self.observations);
                agent.act(&self.observations, &mut self.states, None, &mut self.rows)?;
                agent.distribution().actions(&self.rows, &mut self.actions);
            }
            (Player::Random(seed), Some(agent)) => {
                let mut random = generator(*seed, "policy/random", self.steps);
                agent.act(&self.observations, &mut [], Some(&mut random), &mut self.rows)?;
                agent.distribution().actions(&self.rows, &mut self.actions);
            }
            (Player::Random(_), None) => {}
        }
        self.steps += 1;
        Ok(&self.actions)
    }

    /// Memory begins anew with each episode.
    fn end(&mut self, outcomes: &Outcomes) {
        let Player::Agent(agent) = &mut *self.player else { return };
        let width = agent.state_width();
        for (index, step) in outcomes.steps.iter().enumerate() {
            if width > 0 && (step.terminated || step.truncated) {
                agent.initial_state(&mut self.states[index * width..(index + 1) * width]);
            }
        }
    }
}

/// Paths under way: each environment plays one run, and what it does after it does not count.
struct Table {
    paths: Vec<AccountPath>,
    done: Vec<bool>,
    open: usize,
    cash: f64,
    /// Equity before the step.
    before: Vec<f64>,
}

impl Table {
    fn new(environment: &MarketEnvironment) -> Self {
        let begin = |index| {
            let (portfolio, first_row) = environment.place(index).unwrap_or_default();
            AccountPath {
                portfolio,
                first_row,
                equity: vec![1.0],
                exposure: vec![0.0],
                ..AccountPath::default()
            }
        };
        let count = environment.len();
        let (cash, before) = (environment.config().cash, environment.equity().to_vec());
        Self { paths: (0..count).map(begin).collect(), done: vec![false; count], open: count, cash, before }
    }

    /// The paths without those of accounts that had ended before: what is liquidated does not begin again.
    fn finish(self) -> Vec<AccountPath> {
        let mut ended = BTreeSet::new();
        let mut stands = |path: &AccountPath| {
            let stands = !ended.contains(&path.portfolio);
            if path.terminated {
                ended.insert(path.portfolio);
            }
            stands
        };
        self.paths.into_iter().filter(|path| stands(path)).collect()
    }

    fn note(&mut self, environment: &MarketEnvironment, outcomes: &Outcomes) {
        for fill in environment.fills() {
            if !self.done[fill.environment] {
                let path = &mut self.paths[fill.environment];
                let (portfolio, equity) = (path.portfolio, self.before[fill.environment]);
                let lot =
                    environment.frames().portfolio(portfolio).get(fill.asset).map_or(0.0, |frame| frame.lot);
                path.turnover += (fill.lots * lot * fill.price).abs() / equity;
                path.fills += 1;
            }
        }
        for (index, step) in outcomes.steps.iter().enumerate() {
            if self.done[index] {
                continue;
            }
            let path = &mut self.paths[index];
            path.targets.push(environment.targets(index).first().copied().unwrap_or(0.0));
            if step.terminated || step.truncated {
                path.equity.push(environment.final_equity(index).unwrap_or(self.cash) / self.cash);
                path.exposure.push(path.exposure.last().copied().unwrap_or(0.0));
                path.terminated = step.terminated;
                self.done[index] = true;
                self.open -= 1;
            } else {
                path.equity.push(environment.equity()[index] / self.cash);
                path.exposure.push(environment.exposure(index));
            }
        }
        self.before.copy_from_slice(environment.equity());
    }
}

/// What equal shares of cash, one for each portfolio, come to together: nothing is moved between them, and a portfolio without a
/// run at some time keeps what it has. Runs of a portfolio follow each other.
///
/// # Errors
/// [`SimError::Data`] where there is no path.
pub fn together(paths: &[AccountPath], frames: &MarketFrames) -> Result<EquityCurve, SimError> {
    let portfolios: BTreeSet<usize> = paths.iter().map(|path| path.portfolio).collect();
    // Growth and exposure by time, of each portfolio.
    let mut changes: BTreeMap<i64, Vec<(usize, f64, f64)>> = BTreeMap::new();
    for path in paths {
        let Some(frame) = frames.portfolio(path.portfolio).first() else { continue };
        let mut before = 1.0;
        for (step, (equity, exposure)) in path.equity.iter().zip(&path.exposure).enumerate() {
            // Known at the close.
            let Some(open) = frame.open_times.get(path.first_row + step) else { continue };
            let growth = if before > 0.0 { equity / before } else { 0.0 };
            changes.entry(open + frame.candle_ms).or_default().push((path.portfolio, growth, exposure.abs()));
            before = *equity;
        }
    }
    if changes.is_empty() {
        return Err(SimError::data("the paths", "there is none; give longer candles"));
    }
    let mut state: BTreeMap<usize, (f64, f64)> = portfolios.iter().map(|one| (*one, (1.0, 0.0))).collect();
    let mut curve = EquityCurve::default();
    for (time, all) in changes {
        for (portfolio, growth, exposure) in all {
            if let Some(state) = state.get_mut(&portfolio) {
                *state = (state.0 * growth, exposure);
            }
        }
        let equity: f64 = state.values().map(|(equity, _)| equity).sum();
        let gross: f64 = state.values().map(|(equity, exposure)| equity * exposure).sum();
        curve.times.push(Timestamp::from_millis(time));
        curve.equity.push(equity / portfolios.len() as f64);
        curve.exposure.push(if equity > 0.0 { gross / equity } else { 0.0 });
    }
    Ok(curve)
}
