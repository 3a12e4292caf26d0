//! Oscillators: how far and how steadily the price has moved, and where in its range it stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group};
use crate::error::FeatureError;
use crate::indicator::commodity_channel::CommodityChannelIndex;
use crate::indicator::percentage_oscillator::{PercentagePriceOscillator, Trix};
use crate::indicator::rate_of_change::RateOfChange;
use crate::indicator::relative_strength::{ChandeMomentum, RelativeStrengthIndex};
use crate::indicator::stochastic::{Stochastic, StochasticRsi, WilliamsPercentRange};
use crate::indicator::ultimate_oscillator::UltimateOscillator;
use crate::plan::{Planned, check_period, check_periods, ema_alpha, memory_of};

/// Which oscillators to compute. An empty list gives no columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MomentumOptions {
    /// Whether the group gives any columns.
    pub enabled: bool,
    /// Periods of the relative strength index, at least 2.
    pub rsi: Vec<usize>,
    /// Periods of Chande's momentum oscillator, at least 2.
    pub cmo: Vec<usize>,
    /// Periods of the rate of change in percent, at least 1.
    pub roc: Vec<usize>,
    /// Periods of the commodity channel index, at least 2.
    pub cci: Vec<usize>,
    /// Periods of slow stochastics.
    pub stoch: Vec<StochasticPeriods>,
    /// Periods of stochastics of the relative strength index.
    pub stoch_rsi: Vec<StochasticRsiPeriods>,
    /// Periods of Williams' %R, at least 2.
    pub willr: Vec<usize>,
    /// Periods of ultimate oscillators.
    pub ultosc: Vec<UltimatePeriods>,
    /// Periods of TRIX, at least 2.
    pub trix: Vec<usize>,
    /// Periods of percentage price oscillators.
    pub ppo: Vec<PercentagePricePeriods>,
}

/// Periods of a slow stochastic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StochasticPeriods {
    /// Candles among which the close is placed, at least 1.
    pub fast_k: usize,
    /// Candles over which that is averaged to slow %K, at least 1.
    pub slow_k: usize,
    /// Candles over which slow %K is averaged to slow %D, at least 1.
    pub slow_d: usize,
}

/// Periods of a stochastic of the relative strength index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StochasticRsiPeriods {
    /// Period of the relative strength index, at least 2.
    pub period: usize,
    /// Candles among whose indices the newest one is placed, at least 2.
    pub fast_k: usize,
    /// Candles over which that is averaged to fast %D, at least 1.
    pub fast_d: usize,
}

/// Periods of an ultimate oscillator, which rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UltimatePeriods {
    /// The period that weighs four parts of seven, at least 1.
    pub short: usize,
    /// The period that weighs two parts of seven.
    pub medium: usize,
    /// The period that weighs one part of seven.
    pub long: usize,
}

/// Periods of a percentage price oscillator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PercentagePricePeriods {
    /// Period of the fast exponential average, at least 2.
    pub fast: usize,
    /// Period of the slow exponential average, longer than the fast one.
    pub slow: usize,
}

impl Default for MomentumOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            rsi: vec![7, 14, 21],
            cmo: vec![14],
            roc: vec![10],
            cci: vec![20],
            stoch: vec![StochasticPeriods { fast_k: 5, slow_k: 3, slow_d: 3 }],
            stoch_rsi: vec![StochasticRsiPeriods { period: 14, fast_k: 5, fast_d: 3 }],
            willr: vec![14],
            ultosc: vec![UltimatePeriods { short: 7, medium: 14, long: 28 }],
            trix: vec![30],
            ppo: vec![PercentagePricePeriods { fast: 12, slow: 26 }],
        }
    }
}

impl MomentumOptions {
    /// The indicators with the descriptions of their columns.
    ///
    /// # Errors
    ///
    /// [`FeatureError::InvalidSpec`] names the option that is out of range, if the group is enabled.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        self.check()?;
        let mut planned = Vec::new();
        planned.extend(self.rsi.iter().map(|&period| rsi(period)));
        planned.extend(self.cmo.iter().map(|&period| cmo(period)));
        planned.extend(self.roc.iter().map(|&period| roc(period)));
        planned.extend(self.cci.iter().map(|&period| cci(period)));
        planned.extend(self.stoch.iter().map(|&periods| stoch(periods)));
        planned.extend(self.stoch_rsi.iter().map(|&periods| stoch_rsi(periods)));
        planned.extend(self.willr.iter().map(|&period| willr(period)));
        planned.extend(self.ultosc.iter().map(|&periods| ultosc(periods)));
        planned.extend(self.trix.iter().map(|&period| trix(period)));
        planned.extend(self.ppo.iter().map(|&periods| ppo(periods)));
        Ok(planned)
    }

    fn check(&self) -> Result<(), FeatureError> {
        check_periods("momentum.rsi", &self.rsi, 2)?;
        check_periods("momentum.cmo", &self.cmo, 2)?;
        check_periods("momentum.roc", &self.roc, 1)?;
        check_periods("momentum.cci", &self.cci, 2)?;
        for periods in &self.stoch {
            check_period("momentum.stoch.fast_k", periods.fast_k, 1)?;
            check_period("momentum.stoch.slow_k", periods.slow_k, 1)?;
            check_period("momentum.stoch.slow_d", periods.slow_d, 1)?;
        }
        check_different("momentum.stoch", &self.stoch)?;
        for periods in &self.stoch_rsi {
            check_period("momentum.stoch_rsi.period", periods.period, 2)?;
            check_period("momentum.stoch_rsi.fast_k", periods.fast_k, 2)?;
            check_period("momentum.stoch_rsi.fast_d", periods.fast_d, 1)?;
        }
        check_different("momentum.stoch_rsi", &self.stoch_rsi)?;
        check_periods("momentum.willr", &self.willr, 2)?;
        for periods in &self.ultosc {
            check_period("momentum.ultosc.short", periods.short, 1)?;
            check_period("momentum.ultosc.medium", periods.medium, 1)?;
            check_period("momentum.ultosc.long", periods.long, 1)?;
            check_longer("momentum.ultosc.medium", periods.medium, "short", periods.short)?;
            check_longer("momentum.ultosc.long", periods.long, "medium", periods.medium)?;
        }
        check_different("momentum.ultosc", &self.ultosc)?;
        check_periods("momentum.trix", &self.trix, 2)?;
        for periods in &self.ppo {
            check_period("momentum.ppo.fast", periods.fast, 2)?;
            check_period("momentum.ppo.slow", periods.slow, 2)?;
            check_longer("momentum.ppo.slow", periods.slow, "fast", periods.fast)?;
        }
        check_different("momentum.ppo", &self.ppo)
    }
}

/// Refuses a period that is not longer than another one.
fn check_longer(field: &str, period: usize, other: &str, shorter: usize) -> Result<(), FeatureError> {
    if period > shorter {
        return Ok(());
    }
    Err(FeatureError::spec(field, period, format!("give more candles than `{other}`, which is {shorter}")))
}

/// Refuses an entry that is in the list twice.
fn check_different<T: PartialEq + std::fmt::Debug>(field: &str, entries: &[T]) -> Result<(), FeatureError> {
    match entries.iter().enumerate().find(|(index, entry)| entries[..*index].contains(entry)) {
        None => Ok(()),
        Some((_, entry)) => Err(FeatureError::spec(field, format!("{entry:?}"), "name each of them once")),
    }
}

fn column(name: String, formula: String, source: &'static str) -> ColumnInfo {
    ColumnInfo::new(Group::Momentum, name, formula, source)
}

/// Candles after which what an oscillator remembers of its beginning no longer counts, where its averages
/// have the weight `alpha` on the newest value.
///
/// A quarter more than the averages need for themselves: an oscillator is a difference or a quotient of
/// averages and magnifies what they remember. There is no strict bound, since in a market that stands still
/// nothing is forgotten; runs begun at 1,500 candles in each of four series of hourly, five-minute and
/// one-minute candles agreed after at most 1.2 times the averages' own memory.
fn memory_of_oscillator(alpha: f64) -> usize {
    memory_of(alpha) * 5 / 4
}

/// For Wilder's averages over `period` changes.
fn wilder_warm_up(period: usize) -> usize {
    period + memory_of_oscillator(1.0 / period as f64)
}

fn rsi(period: usize) -> Planned {
    let info = column(
        format!("rsi_{period}"),
        format!(
            "100 * gain / (gain + loss), Wilder averages of the close's rises and falls over {period} candles"
        ),
        "Wilder, New Concepts in Technical Trading Systems (1978); TA-Lib RSI",
    );
    Planned::new(
        RelativeStrengthIndex::new(period),
        [info.warm_up(wilder_warm_up(period)).between(0.0, 100.0)],
    )
}

fn cmo(period: usize) -> Planned {
    let info = column(
        format!("cmo_{period}"),
        format!(
            "100 * (gain - loss) / (gain + loss), \
             Wilder averages of the close's rises and falls over {period} candles"
        ),
        "Chande and Kroll, The New Technical Trader (1994); TA-Lib CMO",
    );
    Planned::new(ChandeMomentum::new(period), [info.warm_up(wilder_warm_up(period)).between(-100.0, 100.0)])
}

fn roc(period: usize) -> Planned {
    let info = column(
        format!("roc_{period}"),
        format!("100 * (close / close {period} candles before - 1)"),
        "TA-Lib ROC",
    );
    Planned::new(RateOfChange::new(period), [info.warm_up(period).between(-100.0, f64::INFINITY)])
}

fn cci(period: usize) -> Planned {
    let info = column(
        format!("cci_{period}"),
        format!("(typical - mean) / (0.015 * mean absolute deviation), typical prices of {period} candles"),
        "Lambert, Commodities (October 1980); TA-Lib CCI",
    );
    Planned::new(CommodityChannelIndex::new(period), [info.warm_up(period - 1)])
}

fn stoch(StochasticPeriods { fast_k, slow_k, slow_d }: StochasticPeriods) -> Planned {
    const SOURCE: &str = "Lane, Stocks & Commodities 2:3 (1984); TA-Lib STOCH";
    let name = format!("{fast_k}_{slow_k}_{slow_d}");
    let k = format!("100 * (close - lowest) / (highest - lowest) of {fast_k} candles, mean of {slow_k}");
    let d = format!("mean of {slow_d} values of stoch_k_{name}");
    Planned::new(
        Stochastic::new(fast_k, slow_k, slow_d),
        [(format!("stoch_k_{name}"), k), (format!("stoch_d_{name}"), d)].map(|(name, formula)| {
            column(name, formula, SOURCE).warm_up(fast_k + slow_k + slow_d - 3).between(0.0, 100.0)
        }),
    )
}

fn stoch_rsi(StochasticRsiPeriods { period, fast_k, fast_d }: StochasticRsiPeriods) -> Planned {
    const SOURCE: &str = "Chande and Kroll, Stocks & Commodities 11:5 (1993); TA-Lib STOCHRSI";
    let name = format!("{period}_{fast_k}_{fast_d}");
    let k = format!("100 * (rsi_{period} - lowest) / (highest - lowest) of {fast_k} candles");
    let d = format!("mean of {fast_d} values of stoch_rsi_k_{name}");
    let warm_up = wilder_warm_up(period) + fast_k + fast_d - 2;
    Planned::new(
        StochasticRsi::new(period, fast_k, fast_d),
        [(format!("stoch_rsi_k_{name}"), k), (format!("stoch_rsi_d_{name}"), d)]
            .map(|(name, formula)| column(name, formula, SOURCE).warm_up(warm_up).between(0.0, 100.0)),
    )
}

fn willr(period: usize) -> Planned {
    let info = column(
        format!("willr_{period}"),
        format!("-100 * (highest - close) / (highest - lowest) of {period} candles"),
        "Williams, How I Made One Million Dollars Last Year Trading Commodities (1973); TA-Lib WILLR",
    );
    Planned::new(WilliamsPercentRange::new(period), [info.warm_up(period - 1).between(-100.0, 0.0)])
}

fn ultosc(UltimatePeriods { short, medium, long }: UltimatePeriods) -> Planned {
    let info = column(
        format!("ultosc_{short}_{medium}_{long}"),
        format!(
            "100 * (4 * s({short}) + 2 * s({medium}) + s({long})) / 7, \
             s(n) = sum of close - true low / sum of true range over n candles"
        ),
        "Williams, Stocks & Commodities 3:4 (1985); TA-Lib ULTOSC",
    );
    Planned::new(UltimateOscillator::new([short, medium, long]), [info.warm_up(long).between(0.0, 100.0)])
}

fn trix(period: usize) -> Planned {
    let info = column(
        format!("trix_{period}"),
        format!(
            "change in percent per candle of the close's triple exponential average over {period} candles"
        ),
        "Hutson, Stocks & Commodities 1:5 (1983); TA-Lib TRIX",
    );
    // Three averages in a row forget more slowly than one, though not by three times: after n candles of
    // weight a each they remember (1 + na + (na)^2 / 2) / e^(na), which is one part in ten million after 1.4
    // times as many candles.
    let warm_up = 3 * (period - 1) + 1 + memory_of(ema_alpha(period)) * 3 / 2;
    Planned::new(Trix::new(period), [info.warm_up(warm_up).between(-100.0, f64::INFINITY)])
}

fn ppo(PercentagePricePeriods { fast, slow }: PercentagePricePeriods) -> Planned {
    let info = column(
        format!("ppo_{fast}_{slow}"),
        format!("100 * (ema_{fast} - ema_{slow}) / ema_{slow} of the close"),
        "Appel's MACD in percent; TA-Lib PPO with EMA",
    );
    let warm_up = slow - 1 + memory_of_oscillator(ema_alpha(slow));
    Planned::new(
        PercentagePriceOscillator::new(fast, slow),
        [info.warm_up(warm_up).between(-100.0, f64::INFINITY)],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::plan_checks::{check, names, refused_field};

    #[test]
    fn the_columns_by_default() {
        let plan = MomentumOptions::default().plan().unwrap();
        assert_eq!(
            names(&plan),
            [
                "rsi_7",
                "rsi_14",
                "rsi_21",
                "cmo_14",
                "roc_10",
                "cci_20",
                "stoch_k_5_3_3",
                "stoch_d_5_3_3",
                "stoch_rsi_k_14_5_3",
                "stoch_rsi_d_14_5_3",
                "willr_14",
                "ultosc_7_14_28",
                "trix_30",
                "ppo_12_26",
            ]
        );
        check(&plan);
    }

    #[test]
    fn other_periods() {
        let options: MomentumOptions = toml::from_str(
            "rsi = [2, 50]
            cmo = [2]
            roc = [1, 100]
            cci = [2, 7, 100]
            stoch = [{ fast_k = 1, slow_k = 1, slow_d = 1 }, { fast_k = 14, slow_k = 1, slow_d = 3 }]
            stoch_rsi = [{ period = 2, fast_k = 2, fast_d = 1 }, { period = 14, fast_k = 14, fast_d = 3 }]
            willr = [2, 100]
            ultosc = [{ short = 1, medium = 2, long = 3 }]
            trix = [2, 15]
            ppo = [{ fast = 2, slow = 3 }, { fast = 25, slow = 26 }]",
        )
        .unwrap();
        let plan = options.plan().unwrap();
        assert_eq!(names(&plan).len(), 23);
        check(&plan);
    }

    #[test]
    fn a_group_that_is_off_has_no_columns_and_no_faults() {
        let options = MomentumOptions { enabled: false, rsi: vec![0], ..MomentumOptions::default() };
        assert!(options.plan().unwrap().is_empty());
        let empty = "rsi = []\ncmo = []\nroc = []\ncci = []\nstoch = []\nstoch_rsi = []\nwillr = []\n\
                     ultosc = []\ntrix = []\nppo = []";
        assert!(toml::from_str::<MomentumOptions>(empty).unwrap().plan().unwrap().is_empty());
        assert!(toml::from_str::<MomentumOptions>("rsj = [14]").is_err());
    }

    #[test]
    fn options_out_of_range_are_refused_by_name() {
        for (options, field) in [
            ("rsi = [1]", "momentum.rsi"),
            ("rsi = [14, 14]", "momentum.rsi"),
            ("cmo = [1]", "momentum.cmo"),
            ("roc = [0]", "momentum.roc"),
            ("cci = [1]", "momentum.cci"),
            ("stoch = [{ fast_k = 0, slow_k = 3, slow_d = 3 }]", "momentum.stoch.fast_k"),
            ("stoch = [{ fast_k = 5, slow_k = 0, slow_d = 3 }]", "momentum.stoch.slow_k"),
            ("stoch = [{ fast_k = 5, slow_k = 3, slow_d = 0 }]", "momentum.stoch.slow_d"),
            (
                "stoch = [{ fast_k = 5, slow_k = 3, slow_d = 3 }, { fast_k = 5, slow_k = 3, slow_d = 3 }]",
                "momentum.stoch",
            ),
            ("stoch_rsi = [{ period = 1, fast_k = 5, fast_d = 3 }]", "momentum.stoch_rsi.period"),
            ("stoch_rsi = [{ period = 14, fast_k = 1, fast_d = 3 }]", "momentum.stoch_rsi.fast_k"),
            ("stoch_rsi = [{ period = 14, fast_k = 5, fast_d = 0 }]", "momentum.stoch_rsi.fast_d"),
            ("willr = [1]", "momentum.willr"),
            ("ultosc = [{ short = 0, medium = 14, long = 28 }]", "momentum.ultosc.short"),
            ("ultosc = [{ short = 14, medium = 14, long = 28 }]", "momentum.ultosc.medium"),
            ("ultosc = [{ short = 7, medium = 28, long = 14 }]", "momentum.ultosc.long"),
            ("trix = [1]", "momentum.trix"),
            ("ppo = [{ fast = 1, slow = 26 }]", "momentum.ppo.fast"),
            ("ppo = [{ fast = 26, slow = 12 }]", "momentum.ppo.slow"),
        ] {
            let options: MomentumOptions = toml::from_str(options).unwrap();
            assert_eq!(refused_field(options.plan()), field);
        }
    }
}
