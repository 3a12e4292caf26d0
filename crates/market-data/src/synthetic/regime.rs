//! The regimes of a market: what they are and how they follow each other.

use rand::{Rng, RngExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parameter::{finite, not_negative, positive, within};
use crate::error::MarketDataError;

const DAYS_PER_YEAR: f64 = 365.0;

/// The state of the whole market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Regime {
    /// Prices tend upwards.
    Bull,
    /// Prices tend downwards, with more volatility.
    Bear,
    /// No tendency, little volatility.
    Sideways,
    /// A short fall with extreme volatility in which everything moves together.
    Crash,
}

impl Regime {
    /// All regimes, in the order of [`RegimeProfile::next`].
    pub const ALL: [Self; 4] = [Self::Bull, Self::Bear, Self::Sideways, Self::Crash];

    /// Position in [`Regime::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `bull`, `bear`, `sideways` or `crash`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bull => "bull",
            Self::Bear => "bear",
            Self::Sideways => "sideways",
            Self::Crash => "crash",
        }
    }
}

/// How the market behaves within a regime.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegimeProfile {
    /// Drift of the log price per year, for a symbol of β = 1.
    pub drift: f64,
    /// Volatility per √year of a symbol of β = 1 with idiosyncratic size 1.
    pub volatility: f64,
    /// Correlation of two such symbols: the common factor's share of their variance.
    pub correlation: f64,
    /// Mean stay in days; stays are geometric.
    pub mean_days: f64,
    /// Weights of the regimes that follow, `[bull, bear, sideways, crash]`; its own entry is ignored.
    pub next: [f64; 4],
}

impl RegimeProfile {
    fn validate(&self, regime: Regime) -> Result<(), MarketDataError> {
        let name = |field: &str| format!("{} {field}", regime.as_str());
        finite(&name("drift"), self.drift)?;
        positive(&name("volatility"), self.volatility)?;
        within(&name("correlation"), self.correlation, 0.0, 1.0)?;
        positive(&name("mean_days"), self.mean_days)?;
        for weight in self.next {
            not_negative(&name("next"), weight)?;
        }
        positive(&name("next, summed over the other regimes,"), self.weight_away(regime))
    }

    fn weight_away(&self, regime: Regime) -> f64 {
        self.next.iter().sum::<f64>() - self.next[regime.index()]
    }
}

/// A profile for each regime; together they are a Markov chain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegimeProfiles {
    /// Profile of [`Regime::Bull`].
    pub bull: RegimeProfile,
    /// Profile of [`Regime::Bear`].
    pub bear: RegimeProfile,
    /// Profile of [`Regime::Sideways`].
    pub sideways: RegimeProfile,
    /// Profile of [`Regime::Crash`].
    pub crash: RegimeProfile,
}

impl Default for RegimeProfiles {
    /// Magnitudes of crypto perpetuals in 2020-2024; over the long run the drifts nearly cancel.
    fn default() -> Self {
        let profile = |drift, volatility, correlation, mean_days, next| RegimeProfile {
            drift,
            volatility,
            correlation,
            mean_days,
            next,
        };
        Self {
            bull: profile(2.0, 0.60, 0.60, 12.0, [0.0, 0.3, 0.6, 0.1]),
            bear: profile(-2.2, 0.75, 0.70, 9.0, [0.3, 0.0, 0.6, 0.1]),
            sideways: profile(0.0, 0.40, 0.50, 15.0, [0.48, 0.42, 0.0, 0.10]),
            crash: profile(-8.0, 1.60, 0.85, 2.0, [0.2, 0.4, 0.4, 0.0]),
        }
    }
}

impl RegimeProfiles {
    /// The profile of one regime.
    pub const fn of(&self, regime: Regime) -> &RegimeProfile {
        match regime {
            Regime::Bull => &self.bull,
            Regime::Bear => &self.bear,
            Regime::Sideways => &self.sideways,
            Regime::Crash => &self.crash,
        }
    }

    /// Refuses parameters outside their range.
    ///
    /// # Errors
    /// [`MarketDataError::InvalidRequest`] names the regime, the parameter and its range.
    pub fn validate(&self) -> Result<(), MarketDataError> {
        Regime::ALL.into_iter().try_for_each(|regime| self.of(regime).validate(regime))
    }

    /// Share of time spent in each regime in the long run, in the order of [`Regime::ALL`].
    ///
    /// Shares of visits solve ν = ν J for the chain of jumps J (found by iterating the lazy chain, which has
    /// the same solution and no period); shares of time are those weighted with the mean stays.
    pub fn stationary_shares(&self) -> [f64; 4] {
        let mut visits = [0.25; 4];
        for _ in 0..2_000 {
            let mut after = [0.0; 4];
            for regime in Regime::ALL {
                let (profile, here) = (self.of(regime), regime.index());
                let away = profile.weight_away(regime);
                after[here] += 0.5 * visits[here];
                for other in Regime::ALL.map(Regime::index).into_iter().filter(|other| *other != here) {
                    after[other] += 0.5 * visits[here] * profile.next[other] / away;
                }
            }
            visits = after;
        }
        let time = Regime::ALL.map(|regime| visits[regime.index()] * self.of(regime).mean_days);
        let total: f64 = time.iter().sum();
        time.map(|share| share / total)
    }

    /// The true regime of each of `candles` candles of `years` length, starting from the long-run shares.
    ///
    /// A regime of mean stay T is left after a candle with probability 1 − exp(−years/T).
    pub fn simulate(&self, candles: usize, years: f64, rng: &mut impl Rng) -> Vec<Regime> {
        let leave = Regime::ALL.map(|regime| -(-years * DAYS_PER_YEAR / self.of(regime).mean_days).exp_m1());
        let mut regime = choose(&self.stationary_shares(), None, rng);
        let mut path = Vec::with_capacity(candles);
        for _ in 0..candles {
            path.push(regime);
            if rng.random::<f64>() < leave[regime.index()] {
                regime = choose(&self.of(regime).next, Some(regime), rng);
            }
        }
        path
    }
}

/// A regime in proportion to its weight, never `except`.
fn choose(weights: &[f64; 4], except: Option<Regime>, rng: &mut impl Rng) -> Regime {
    let weight = |regime: Regime| if Some(regime) == except { 0.0 } else { weights[regime.index()] };
    let total: f64 = Regime::ALL.into_iter().map(weight).sum();
    let mut rest = rng.random::<f64>() * total;
    let mut chosen = Regime::Sideways;
    for regime in Regime::ALL.into_iter().filter(|regime| weight(*regime) > 0.0) {
        // Where rounding leaves a rest, the last possible regime takes it.
        chosen = regime;
        rest -= weight(regime);
        if rest < 0.0 {
            break;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::generator;

    #[test]
    fn time_is_shared_as_the_chain_says() {
        let profiles = RegimeProfiles::default();
        let shares = profiles.stationary_shares();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // Hours over 400 years, some 10 000 stays.
        let candles = 400 * 365 * 24;
        let path = profiles.simulate(candles, 1.0 / 8_760.0, &mut generator(2, "chain-test", 0));
        for regime in Regime::ALL {
            let seen = path.iter().filter(|seen| **seen == regime).count() as f64 / candles as f64;
            let expected = shares[regime.index()];
            assert!((seen / expected - 1.0).abs() < 0.1, "{}: {seen} {expected}", regime.as_str());
        }
    }

    #[test]
    fn stays_last_as_long_as_they_should() {
        let mut profiles = RegimeProfiles::default();
        // A regime's own entry among the weights is ignored.
        profiles.bull.next[Regime::Bull.index()] = 5.0;
        profiles.validate().unwrap();
        let path = profiles.simulate(1_000_000, 1.0 / 8_760.0, &mut generator(3, "chain-test", 0));
        for regime in Regime::ALL {
            let inside = path.iter().filter(|seen| **seen == regime).count() as f64;
            let entries =
                path.windows(2).filter(|pair| pair[0] != regime && pair[1] == regime).count() as f64;
            let days = inside / entries / 24.0;
            let expected = profiles.of(regime).mean_days;
            assert!((days / expected - 1.0).abs() < 5.0 / entries.sqrt(), "{}", regime.as_str());
        }
    }

    #[test]
    fn a_regime_without_exit_is_refused() {
        let mut profiles = RegimeProfiles::default();
        profiles.bear.next = [0.0, 1.0, 0.0, 0.0];
        assert!(profiles.validate().unwrap_err().to_string().contains("bear next"));
    }
}
