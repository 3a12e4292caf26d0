//! A portfolio in which each instrument brings the same risk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::market::{MarketView, PortfolioView};

use super::config::{require, require_exposure, require_instruments};
use super::risk_contributions::equal_risk_contribution;
use super::rolling::sound_close;
use super::wish::{abstention, vote};
use super::{Decision, Stance, Strategy, TargetPosition};

/// The variance of log returns up to which an instrument counts as not moving: (1e-10)² per moment, near
/// rounding.
const STILL: f64 = 1e-20;

/// Settings of [`EqualRiskContribution`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EqualRiskContributionConfig {
    /// Moments whose log returns the covariance is taken from.
    pub window: usize,
    /// Moments after which weights are computed anew.
    pub every: usize,
    /// Difference between the exposure held and the one wanted, as a share of equity, from which weights are
    /// computed anew before that.
    pub band: f64,
    /// Share of the window's moments at which an instrument may be missing and still take part.
    pub missing_share: f64,
    /// Notional of all instruments together as a share of equity.
    pub exposure: f64,
}

impl Default for EqualRiskContributionConfig {
    fn default() -> Self {
        Self { window: 500, every: 168, band: 0.05, missing_share: 0.05, exposure: 1.0 }
    }
}

impl EqualRiskContributionConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field.
    pub fn validate(&self) -> Result<(), TradingError> {
        require(self.window >= 4, "strategy.window", self.window, "give at least 4 moments")?;
        require(self.every >= 1, "strategy.every", self.every, "give at least 1 moment")?;
        let is_sound = self.band.is_finite() && self.band > 0.0;
        require(is_sound, "strategy.band", self.band, "give a share of equity above 0, such as 0.05")?;
        let is_sound = (0.0..=0.5).contains(&self.missing_share);
        require(is_sound, "strategy.missing_share", self.missing_share, "give a share from 0 to 0.5")?;
        require_exposure(self.exposure)
    }
}

/// Long in all instruments with the weights of [`equal_risk_contribution`].
///
/// At each moment at which candles closed, each instrument has a log return if it closed now and at the
/// moment before, with no gap between; otherwise its return of this moment is missing. Moments without any
/// return are not counted. Once the window is full, an instrument takes part whose returns are missing in at
/// most `missing_share` of it and that moved at all. The sample covariance is taken from the moments at which
/// all that take part have returns; taking each pair from its own moments could give a matrix with negative
/// eigenvalues. What does not take part is wanted flat. So an instrument that is listed later comes in when
/// it has filled its part of the window, and one that is not traded any more goes out.
///
/// Weights are computed when the window is full, then every `every` moments, and as soon as an instrument's
/// exposure is more than `band` away from what is wanted, which also repeats orders that failed. In between
/// nothing is named. Where fewer than half the moments are complete, no instrument takes part, or the matrix
/// has no solution, the weights stay as they are and it is tried again at the next moment.
///
/// Gaps: returns across a gap are missing; the window's other rows remain, because rows need not be adjacent.
///
/// Votes: `Long` or `Flat` with the weight against the band; `Abstains` with the moments known against the
/// window while there are no weights. Memory is allocated only where weights are computed.
#[derive(Clone, Debug)]
pub struct EqualRiskContribution {
    config: EqualRiskContributionConfig,
    instruments: usize,
    /// Log closes of the moment before and of this one; NaN where missing.
    previous: Vec<f64>,
    current: Vec<f64>,
    /// Log returns, shape `[window, instruments]`, a ring; NaN where missing.
    returns: Vec<f64>,
    next_row: usize,
    rows: usize,
    moments_since: usize,
    /// Weights of all instruments; empty before the first ones.
    weights: Vec<f64>,
    is_due: Vec<bool>,
}

impl EqualRiskContribution {
    /// The strategy before its first candle.
    ///
    /// # Errors
    /// [`TradingError::Config`] as of [`EqualRiskContributionConfig::validate`], and where the window is too
    /// short for so many instruments.
    pub fn new(config: &EqualRiskContributionConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        require_instruments(instruments)?;
        // Weights are taken from half the window at least; with no more rows than instruments it is singular.
        let remedy = "give more than twice as many moments as there are instruments, plus 2";
        require(config.window > 2 * instruments + 2, "strategy.window", config.window, remedy)?;
        Ok(Self {
            instruments,
            previous: vec![f64::NAN; instruments],
            current: vec![f64::NAN; instruments],
            returns: vec![f64::NAN; config.window * instruments],
            next_row: 0,
            rows: 0,
            moments_since: 0,
            weights: Vec::with_capacity(instruments),
            is_due: vec![false; instruments],
            config: config.clone(),
        })
    }

    fn remember(&mut self, market: &MarketView<'_>) {
        self.current.fill(f64::NAN);
        let start = self.next_row * self.instruments;
        let Some(row) = self.returns.get_mut(start..start + self.instruments) else { return };
        row.fill(f64::NAN);
        let mut is_known = false;
        for update in market.updates {
            let at = update.instrument.get();
            let (Some(current), Some(previous)) = (self.current.get_mut(at), self.previous.get(at)) else {
                continue;
            };
            *current = sound_close(&update.candle).map_or(f64::NAN, f64::ln);
            if let Some(cell) = row.get_mut(at).filter(|_| !update.after_gap) {
                *cell = *current - previous;
                is_known |= !cell.is_nan();
            }
        }
        std::mem::swap(&mut self.previous, &mut self.current);
        if is_known {
            self.next_row = (self.next_row + 1) % self.config.window;
            self.rows = (self.rows + 1).min(self.config.window);
        } else if self.rows == self.config.window {
            // The row lent for this moment held the oldest returns; without them the window is one short.
            self.rows -= 1;
        }
        self.moments_since = self.moments_since.saturating_add(1);
    }

    fn is_time(&self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>) -> bool {
        self.weights.is_empty()
            || self.moments_since >= self.config.every
            || market.updates.iter().any(|update| {
                let at = update.instrument.get();
                let is_named = self.is_due.get(at).is_some_and(|is_due| !is_due);
                let weight = self.weights.get(at).filter(|_| is_named);
                weight.is_some_and(|weight| {
                    let drift = portfolio.exposure(update.instrument) - self.config.exposure * weight;
                    drift.abs() > self.config.band
                })
            })
    }

    /// New weights, where there can be any.
    fn reweight(&mut self) {
        let Some((participants, covariance)) = self.covariance() else { return };
        let Ok(weights) = equal_risk_contribution(&covariance, participants.len()) else { return };
        self.weights.clear();
        self.weights.resize(self.instruments, 0.0);
        for (participant, weight) in participants.iter().zip(weights) {
            if let Some(slot) = self.weights.get_mut(*participant) {
                *slot = weight;
            }
        }
        self.is_due.fill(true);
        self.moments_since = 0;
    }

    /// Who takes part, and the sample covariance of their log returns.
    fn covariance(&self) -> Option<(Vec<usize>, Vec<f64>)> {
        let most_missing = (self.config.missing_share * self.config.window as f64).floor() as usize;
        let missing = |instrument: &usize| self.rows().filter(|row| row[*instrument].is_nan()).count();
        let mut participants: Vec<usize> =
            (0..self.instruments).filter(|instrument| missing(instrument) <= most_missing).collect();
        while !participants.is_empty() {
            let covariance = self.covariance_of(&participants)?;
            let before = participants.len();
            let is_moving: Vec<bool> =
                covariance.iter().step_by(before + 1).map(|variance| *variance > STILL).collect();
            let mut moving = is_moving.iter();
            participants.retain(|_| moving.next().copied().unwrap_or(false));
            if participants.len() == before {
                return Some((participants, covariance));
            }
        }
        None
    }

    fn covariance_of(&self, participants: &[usize]) -> Option<Vec<f64>> {
        let complete = || self.rows().filter(|row| participants.iter().all(|at| !row[*at].is_nan()));
        let count = complete().count();
        if count * 2 < self.config.window {
            return None;
        }
        let means: Vec<f64> = participants
            .iter()
            .map(|at| complete().fold(0.0, |sum, row| sum + row[*at]) / count as f64)
            .collect();
        let mut covariance = Vec::with_capacity(participants.len() * participants.len());
        for (a, mean_a) in participants.iter().zip(&means) {
            for (b, mean_b) in participants.iter().zip(&means) {
                let sum = complete().fold(0.0, |sum, row| sum + (row[*a] - mean_a) * (row[*b] - mean_b));
                covariance.push(sum / (count - 1) as f64);
            }
        }
        Some(covariance)
    }

    /// The window, oldest moment first, so that sums depend on nothing but its values.
    fn rows(&self) -> impl Iterator<Item = &[f64]> {
        let (newer, older) = self.returns.split_at(self.next_row * self.instruments);
        older.chunks_exact(self.instruments).chain(newer.chunks_exact(self.instruments))
    }
}

impl Strategy for EqualRiskContribution {
    fn name(&self) -> &str {
        "erc"
    }

    fn warm_up(&self) -> usize {
        self.config.window + 1
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        self.remember(market);
        if self.rows == self.config.window && self.is_time(market, portfolio) {
            self.reweight();
        }
        for update in market.updates {
            let instrument = update.instrument;
            let Some(is_due) = self.is_due.get_mut(instrument.get()) else { continue };
            let Some(weight) = self.weights.get(instrument.get()).copied() else {
                decision.votes.push(abstention(instrument, self.rows, self.config.window));
                continue;
            };
            let is_wanted = weight > 0.0;
            if std::mem::take(is_due) {
                let exposure = TargetPosition::Exposure(self.config.exposure * weight);
                decision.want(instrument, if is_wanted { exposure } else { TargetPosition::Flat }, None);
            }
            let stance = if is_wanted { Stance::Long } else { Stance::Flat };
            decision.votes.push(vote(instrument, stance, weight, self.config.band));
        }
    }
}
