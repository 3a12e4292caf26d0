//! Columns of the size of movements.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::deviation::{BollingerBands, StandardDeviation};
use crate::indicator::donchian::DonchianChannel;
use crate::indicator::range_volatility::{
    EwmaVolatility, GarmanKlassVolatility, ParkinsonVolatility, RogersSatchellVolatility, YangZhangVolatility,
};
use crate::indicator::true_range::{AverageTrueRange, KeltnerChannel, NormalizedAverageTrueRange};
use crate::plan::{Planned, check_period, check_periods, ema_alpha, memory_of};

/// Which columns of the size of movements there are. A list without entries gives no column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VolatilityOptions {
    /// Whether there are columns of this group at all.
    pub enabled: bool,
    /// Periods of the average true range (TA-Lib ATR).
    pub atr: Vec<usize>,
    /// Periods of the average true range in percent of the close (TA-Lib NATR).
    pub natr: Vec<usize>,
    /// Periods of the standard deviation of the close (TA-Lib STDDEV).
    pub stddev: Vec<usize>,
    /// Bollinger Bands (TA-Lib BBANDS, PERCENTB and BBW).
    pub bollinger: Vec<BollingerOptions>,
    /// Keltner Channels (TA-Lib KC).
    pub keltner: Vec<KeltnerOptions>,
    /// Periods of Donchian Channels (TA-Lib DONCHIAN).
    pub donchian: Vec<usize>,
    /// Periods of Parkinson's volatility, from highs and lows.
    pub parkinson: Vec<usize>,
    /// Periods of Garman and Klass's volatility, from all four prices of a candle.
    pub garman_klass: Vec<usize>,
    /// Periods of Rogers and Satchell's volatility, which a steady drift does not raise.
    pub rogers_satchell: Vec<usize>,
    /// Periods of Yang and Zhang's volatility, which also takes the gaps between candles.
    pub yang_zhang: Vec<usize>,
    /// Decays of RiskMetrics' exponentially weighted volatility, each between 0 and 1: the weight that
    /// yesterday's variance keeps.
    pub ewma: Vec<f64>,
}

/// One pair of Bollinger Bands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BollingerOptions {
    /// Candles of the mean and of the standard deviation.
    pub period: usize,
    /// Distance of the bands from the mean, in standard deviations.
    pub deviations: f64,
}

/// One Keltner Channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeltnerOptions {
    /// Period of the exponential average in the middle.
    pub period: usize,
    /// Period of the average true range.
    pub atr_period: usize,
    /// Distance of the bands from the middle, in average true ranges.
    pub multiplier: f64,
}

impl Default for VolatilityOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            atr: vec![7, 28],
            natr: vec![14],
            stddev: vec![5, 20, 60],
            bollinger: vec![BollingerOptions::default()],
            keltner: vec![KeltnerOptions::default()],
            donchian: vec![20],
            parkinson: vec![20],
            garman_klass: vec![20],
            rogers_satchell: vec![],
            yang_zhang: vec![20],
            ewma: vec![0.94],
        }
    }
}

impl Default for BollingerOptions {
    fn default() -> Self {
        Self { period: 20, deviations: 2.0 }
    }
}

impl Default for KeltnerOptions {
    fn default() -> Self {
        Self { period: 20, atr_period: 10, multiplier: 2.0 }
    }
}

/// Bands are between this many and [`WIDEST_BAND`] deviations or ranges away from their middle.
const NARROWEST_BAND: f64 = 0.01;
const WIDEST_BAND: f64 = 100.0;

/// A slower decay would take more than ten thousand candles to forget where it began.
const SLOWEST_DECAY: f64 = 0.999;

/// An exponentially weighted variance may begin with a square a thousand times too large, and has to
/// forget that too.
fn ewma_warm_up(decay: f64) -> usize {
    1 + memory_of(1.0 - decay) * 3 / 2
}

/// The first average may be of a crash, fifty times the mean range.
fn atr_warm_up(period: usize) -> usize {
    period + memory_of(1.0 / period as f64) * 5 / 4
}

/// The position divides by the range, which may have become ten thousand times smaller since the run began:
/// so what is left of its beginning has to be that much smaller too.
fn keltner_warm_up(period: usize, atr_period: usize) -> usize {
    let memory = memory_of(ema_alpha(period)).max(memory_of(1.0 / atr_period as f64));
    KeltnerChannel::lookback(period, atr_period) + memory * 3 / 2
}

/// A number as part of a column name: `2`, `2_5`.
fn in_name(value: f64) -> String {
    value.to_string().replace('.', "_")
}

fn check_band(field: &str, value: f64) -> Result<(), FeatureError> {
    if (NARROWEST_BAND..=WIDEST_BAND).contains(&value) {
        return Ok(());
    }
    let remedy = format!("give a number from {NARROWEST_BAND} to {WIDEST_BAND}");
    Err(FeatureError::spec(field, value, remedy))
}

/// Refuses entries that would give columns of the same name.
fn check_distinct(field: &str, names: &[String]) -> Result<(), FeatureError> {
    match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
        Some((_, name)) => Err(FeatureError::spec(field, name, "name each combination once")),
        None => Ok(()),
    }
}

impl BollingerOptions {
    fn suffix(&self) -> String {
        format!("{}_{}", self.period, in_name(self.deviations))
    }
}

impl KeltnerOptions {
    fn suffix(&self) -> String {
        format!("{}_{}_{}", self.period, self.atr_period, in_name(self.multiplier))
    }
}

impl VolatilityOptions {
    fn check(&self) -> Result<(), FeatureError> {
        check_periods("volatility.atr", &self.atr, 1)?;
        check_periods("volatility.natr", &self.natr, 2)?;
        check_periods("volatility.stddev", &self.stddev, 2)?;
        for bands in &self.bollinger {
            check_period("volatility.bollinger.period", bands.period, 2)?;
            check_band("volatility.bollinger.deviations", bands.deviations)?;
        }
        let suffixes: Vec<_> = self.bollinger.iter().map(BollingerOptions::suffix).collect();
        check_distinct("volatility.bollinger", &suffixes)?;
        for channel in &self.keltner {
            check_period("volatility.keltner.period", channel.period, 2)?;
            check_period("volatility.keltner.atr_period", channel.atr_period, 1)?;
            check_band("volatility.keltner.multiplier", channel.multiplier)?;
        }
        let suffixes: Vec<_> = self.keltner.iter().map(KeltnerOptions::suffix).collect();
        check_distinct("volatility.keltner", &suffixes)?;
        check_periods("volatility.donchian", &self.donchian, 2)?;
        check_periods("volatility.parkinson", &self.parkinson, 1)?;
        check_periods("volatility.garman_klass", &self.garman_klass, 1)?;
        check_periods("volatility.rogers_satchell", &self.rogers_satchell, 1)?;
        check_periods("volatility.yang_zhang", &self.yang_zhang, 2)?;
        for &decay in &self.ewma {
            if !(decay > 0.0 && decay <= SLOWEST_DECAY) {
                let remedy = format!("give a decay above 0 and up to {SLOWEST_DECAY}, for example 0.94");
                return Err(FeatureError::spec("volatility.ewma", decay, remedy));
            }
        }
        let decays: Vec<_> = self.ewma.iter().copied().map(in_name).collect();
        check_distinct("volatility.ewma", &decays)
    }

    /// The indicators of these options and what their columns are.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(vec![]);
        }
        self.check()?;
        let mut planned = vec![];
        planned.extend(self.atr.iter().map(|&period| plan_atr(period)));
        planned.extend(self.natr.iter().map(|&period| plan_natr(period)));
        planned.extend(self.stddev.iter().map(|&period| plan_stddev(period)));
        planned.extend(self.bollinger.iter().map(plan_bollinger));
        planned.extend(self.keltner.iter().map(plan_keltner));
        planned.extend(self.donchian.iter().map(|&period| plan_donchian(period)));
        planned.extend(self.parkinson.iter().map(|&period| plan_parkinson(period)));
        planned.extend(self.garman_klass.iter().map(|&period| plan_garman_klass(period)));
        planned.extend(self.rogers_satchell.iter().map(|&period| plan_rogers_satchell(period)));
        planned.extend(self.yang_zhang.iter().map(|&period| plan_yang_zhang(period)));
        planned.extend(self.ewma.iter().map(|&decay| plan_ewma(decay)));
        Ok(planned)
    }
}

fn column(name: String, formula: String, source: &'static str) -> ColumnInfo {
    ColumnInfo::new(Group::Volatility, name, formula, source)
}

fn plan_atr(period: usize) -> Planned {
    let formula = format!(
        "Wilder average over {period} of max(high, previous close) - min(low, previous close), beginning \
         with the simple average"
    );
    let info = column(format!("atr_{period}"), formula, "TA-Lib ATR; Wilder 1978")
        .unit(Unit::PriceDifference)
        .warm_up(atr_warm_up(period))
        .between(0.0, f64::INFINITY);
    Planned::new(AverageTrueRange::new(period), [info])
}

fn plan_natr(period: usize) -> Planned {
    let formula = format!("100 * ATR({period}) / close");
    let info = column(format!("natr_{period}"), formula, "TA-Lib NATR; Forman 2006")
        .warm_up(atr_warm_up(period))
        .between(0.0, f64::INFINITY);
    Planned::new(NormalizedAverageTrueRange::new(period), [info])
}

fn plan_stddev(period: usize) -> Planned {
    let formula = format!("sqrt(sum of (close - mean)^2 over {period} candles / {period})");
    let info = column(format!("stddev_{period}"), formula, "TA-Lib STDDEV")
        .unit(Unit::PriceDifference)
        .warm_up(period - 1)
        .between(0.0, f64::INFINITY);
    Planned::new(StandardDeviation::new(period), [info])
}

fn plan_bollinger(options: &BollingerOptions) -> Planned {
    let &BollingerOptions { period, deviations } = options;
    let suffix = options.suffix();
    let info = |name: &str, formula: String, source| {
        column(format!("bollinger_{name}_{suffix}"), formula, source).warm_up(period - 1)
    };
    let band = |sign| format!("SMA(close, {period}) {sign} {deviations} * STDDEV(close, {period})");
    let (least, most) = BollingerBands::percent_b_bounds(period, deviations);
    let source = "TA-Lib BBANDS; Bollinger 2001";
    let columns = [
        info("upper", band('+'), source).unit(Unit::PriceLevel).between(0.0, f64::INFINITY),
        info("lower", band('-'), source).unit(Unit::PriceLevel),
        info(
            "percent_b",
            "(close - lower) / (upper - lower); 0.5 where the bands coincide".into(),
            "TA-Lib PERCENTB; Bollinger 2001",
        )
        .between(least, most),
        info(
            "bandwidth",
            format!("(upper - lower) / SMA(close, {period})"),
            "TA-Lib BBW / 100; Bollinger 2001",
        )
        .between(0.0, f64::INFINITY),
    ];
    Planned::new(BollingerBands::new(period, deviations), columns)
}

fn plan_keltner(options: &KeltnerOptions) -> Planned {
    let &KeltnerOptions { period, atr_period, multiplier } = options;
    let suffix = options.suffix();
    let info = |name: &str, formula: String| {
        column(format!("keltner_{name}_{suffix}"), formula, "TA-Lib KC; Keltner 1960, Raschke")
            .warm_up(keltner_warm_up(period, atr_period))
    };
    let band = |sign| format!("EMA(typical price, {period}) {sign} {multiplier} * ATR({atr_period})");
    let columns = [
        info("upper", band('+')).unit(Unit::PriceLevel).between(0.0, f64::INFINITY),
        info("lower", band('-')).unit(Unit::PriceLevel),
        info("position", "(close - lower) / (upper - lower); 0.5 where upper - lower < close / 10^7".into()),
    ];
    Planned::new(KeltnerChannel::new(period, atr_period, multiplier), columns)
}

fn plan_donchian(period: usize) -> Planned {
    let info = |name: &str, formula: String| {
        column(format!("donchian_{name}_{period}"), formula, "TA-Lib DONCHIAN; Donchian 1960")
            .warm_up(period - 1)
    };
    let columns = [
        info("upper", format!("highest high of {period} candles"))
            .unit(Unit::PriceLevel)
            .between(0.0, f64::INFINITY),
        info("lower", format!("lowest low of {period} candles"))
            .unit(Unit::PriceLevel)
            .between(0.0, f64::INFINITY),
        info("position", "(close - lower) / (upper - lower); 0.5 where they are equal".into())
            .between(0.0, 1.0),
    ];
    Planned::new(DonchianChannel::new(period), columns)
}

fn plan_parkinson(period: usize) -> Planned {
    let formula = format!("sqrt(sum of ln(high / low)^2 over {period} candles / (4 * {period} * ln 2))");
    let info = column(format!("parkinson_{period}"), formula, "Parkinson 1980")
        .warm_up(period - 1)
        .between(0.0, f64::INFINITY);
    Planned::new(ParkinsonVolatility::new(period), [info])
}

fn plan_garman_klass(period: usize) -> Planned {
    let formula = format!(
        "sqrt(mean over {period} candles of ln(high / low)^2 / 2 - (2 * ln 2 - 1) * ln(close / open)^2)"
    );
    let info = column(format!("garman_klass_{period}"), formula, "Garman and Klass 1980")
        .warm_up(period - 1)
        .between(0.0, f64::INFINITY);
    Planned::new(GarmanKlassVolatility::new(period), [info])
}

fn plan_rogers_satchell(period: usize) -> Planned {
    let formula = format!(
        "sqrt(mean over {period} candles of ln(high / close) * ln(high / open) + ln(low / close) * \
         ln(low / open))"
    );
    let source = "TA-Lib ROGERSSATCHELL with annualization 1; Rogers and Satchell 1991";
    let info = column(format!("rogers_satchell_{period}"), formula, source)
        .warm_up(period - 1)
        .between(0.0, f64::INFINITY);
    Planned::new(RogersSatchellVolatility::new(period), [info])
}

fn plan_yang_zhang(period: usize) -> Planned {
    let formula = format!(
        "sqrt(V(ln(open / previous close)) + k * V(ln(close / open)) + (1 - k) * ROGERSSATCHELL({period})^2), \
         V the sample variance over n = {period} candles, k = 0.34 / (1.34 + (n + 1) / (n - 1))"
    );
    let info = column(format!("yang_zhang_{period}"), formula, "Yang and Zhang 2000")
        .warm_up(period)
        .between(0.0, f64::INFINITY);
    Planned::new(YangZhangVolatility::new(period), [info])
}

fn plan_ewma(decay: f64) -> Planned {
    let formula = format!(
        "sigma, with sigma^2 = {decay} * previous sigma^2 + (1 - {decay}) * ln(close / previous close)^2"
    );
    let info = column(format!("ewma_{}", in_name(decay)), formula, "RiskMetrics 1996")
        .warm_up(ewma_warm_up(decay))
        .between(0.0, f64::INFINITY);
    Planned::new(EwmaVolatility::new(decay), [info])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::extreme_series::assert_sound;

    fn names(options: &VolatilityOptions) -> Vec<String> {
        let planned = options.plan().unwrap();
        planned.into_iter().flat_map(|planned| planned.columns).map(|info| info.name).collect()
    }

    fn refused(options: &VolatilityOptions) -> String {
        options.plan().err().unwrap().to_string()
    }

    #[test]
    fn the_default_columns() {
        assert_eq!(
            names(&VolatilityOptions::default()),
            [
                "atr_7",
                "atr_28",
                "natr_14",
                "stddev_5",
                "stddev_20",
                "stddev_60",
                "bollinger_upper_20_2",
                "bollinger_lower_20_2",
                "bollinger_percent_b_20_2",
                "bollinger_bandwidth_20_2",
                "keltner_upper_20_10_2",
                "keltner_lower_20_10_2",
                "keltner_position_20_10_2",
                "donchian_upper_20",
                "donchian_lower_20",
                "donchian_position_20",
                "parkinson_20",
                "garman_klass_20",
                "yang_zhang_20",
                "ewma_0_94",
            ]
        );
    }

    #[test]
    fn options_from_toml() {
        let options: VolatilityOptions = toml::from_str(
            "atr = [3]\nnatr = []\nstddev = []\nkeltner = []\ndonchian = []\nparkinson = []\n\
             garman_klass = []\nrogers_satchell = [9]\nyang_zhang = []\newma = [0.5, 0.975]\n\
             [[bollinger]]\nperiod = 50\n[[bollinger]]\ndeviations = 2.5",
        )
        .unwrap();
        let expected = ["atr_3", "bollinger_upper_50_2", "bollinger_lower_50_2", "bollinger_percent_b_50_2"];
        assert_eq!(names(&options)[..4], expected);
        assert_eq!(
            names(&options)[5..],
            [
                "bollinger_upper_20_2_5",
                "bollinger_lower_20_2_5",
                "bollinger_percent_b_20_2_5",
                "bollinger_bandwidth_20_2_5",
                "rogers_satchell_9",
                "ewma_0_5",
                "ewma_0_975",
            ]
        );
        assert!(toml::from_str::<VolatilityOptions>("atrs = [3]").is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let options = |change: fn(&mut VolatilityOptions)| {
            let mut options = VolatilityOptions::default();
            change(&mut options);
            options
        };
        let message = refused(&options(|o| o.natr = vec![1]));
        assert_eq!(message, "`volatility.natr` is 1; give a period from 2 to 10000 candles");
        let message = refused(&options(|o| o.bollinger[0].deviations = 0.0));
        assert_eq!(message, "`volatility.bollinger.deviations` is 0; give a number from 0.01 to 100");
        assert!(refused(&options(|o| o.keltner[0].multiplier = f64::NAN)).contains("keltner.multiplier"));
        assert!(refused(&options(|o| o.keltner[0].atr_period = 0)).contains("keltner.atr_period"));
        let message = refused(&options(|o| o.bollinger.push(BollingerOptions::default())));
        assert_eq!(message, "`volatility.bollinger` is 20_2; name each combination once");
        assert!(refused(&options(|o| o.ewma = vec![1.0])).contains("volatility.ewma"));
        assert!(refused(&options(|o| o.ewma = vec![0.5, 0.5])).contains("name each combination once"));
        assert!(refused(&options(|o| o.yang_zhang = vec![1])).contains("volatility.yang_zhang"));
        assert!(names(&options(|o| (o.enabled, o.natr) = (false, vec![0]))).is_empty());
    }

    #[test]
    fn values_are_finite_and_forget_where_they_began() {
        let options = VolatilityOptions { rogers_satchell: vec![20], ..VolatilityOptions::default() };
        assert_sound(|| options.plan().unwrap());
    }
}
