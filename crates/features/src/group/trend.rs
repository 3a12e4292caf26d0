//! Moving averages and the direction of the price.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::aroon::Aroon;
use crate::indicator::directional_movement::DirectionalMovement;
use crate::indicator::kama::Kama;
use crate::indicator::macd::Macd;
use crate::indicator::moving_average::{
    DoubleExponential, ExponentialMovingAverages, SimpleMovingAverage, TripleExponential,
};
use crate::indicator::parabolic_sar::ParabolicSar;
use crate::indicator::regression::LinearRegressionSlope;
use crate::indicator::supertrend::SuperTrend;
use crate::plan::{Planned, check_period, check_periods, ema_alpha, memory_of};

/// The columns about moving averages and the direction of the price. Periods are in candles; an empty list
/// gives no column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrendOptions {
    /// Whether the group is there at all.
    pub enabled: bool,
    /// Periods of exponential moving averages.
    pub ema: Vec<usize>,
    /// Periods of simple moving averages.
    pub sma: Vec<usize>,
    /// Periods of double exponential moving averages.
    pub dema: Vec<usize>,
    /// Periods of triple exponential moving averages.
    pub tema: Vec<usize>,
    /// Moving average convergence/divergence: line, signal and histogram each.
    pub macd: Vec<MacdPeriods>,
    /// Periods of Kaufman's adaptive moving averages.
    pub kama: Vec<usize>,
    /// SuperTrend: line and direction each.
    pub supertrend: Vec<SuperTrendSettings>,
    /// Periods of Wilder's directional movement: ADX, +DI and −DI each.
    pub adx: Vec<usize>,
    /// Periods of Aroon: down and up each.
    pub aroon: Vec<usize>,
    /// Wilder's parabolic stop and reverse.
    pub sar: Vec<SarSettings>,
    /// Periods of the slope of the line of least squares.
    pub linear_regression_slope: Vec<usize>,
}

/// Periods of the moving average convergence/divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MacdPeriods {
    /// Period of the fast average, shorter than that of the slow one.
    pub fast: usize,
    /// Period of the slow average.
    pub slow: usize,
    /// Period of the signal, the average of the difference of the two.
    pub signal: usize,
}

/// Settings of SuperTrend.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuperTrendSettings {
    /// Period of the average true range.
    pub period: usize,
    /// Distance of the band from the middle of the candle, in average true ranges.
    pub multiplier: f64,
}

/// Settings of the parabolic stop and reverse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SarSettings {
    /// What the factor of approach begins with and grows by.
    pub acceleration: f64,
    /// The largest factor of approach.
    pub maximum: f64,
}

impl Default for TrendOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            ema: vec![9, 20, 50, 100, 200],
            sma: vec![20, 50, 200],
            dema: vec![20],
            tema: vec![20],
            macd: vec![MacdPeriods { fast: 12, slow: 26, signal: 9 }],
            kama: vec![30],
            supertrend: vec![SuperTrendSettings { period: 10, multiplier: 3.0 }],
            adx: vec![14],
            aroon: vec![14],
            sar: vec![SarSettings { acceleration: 0.02, maximum: 0.2 }],
            linear_regression_slope: vec![20, 60],
        }
    }
}

/// The shortest period of anything here.
const SHORTEST: usize = 2;

impl TrendOptions {
    /// The indicators with the descriptions of their columns.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names a period or setting outside its range, or given twice.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        self.check()?;
        let mut planned = Vec::new();
        let (fours, rest) = self.ema.as_chunks::<4>();
        planned.extend(fours.iter().map(|&periods| exponential(periods)));
        match *rest {
            [first] => planned.push(exponential([first])),
            [first, second] => planned.push(exponential([first, second])),
            [first, second, third] => planned.push(exponential([first, second, third])),
            _ => {}
        }
        planned.extend(self.sma.iter().map(|&period| simple(period)));
        planned.extend(self.dema.iter().map(|&period| double_exponential(period)));
        planned.extend(self.tema.iter().map(|&period| triple_exponential(period)));
        planned.extend(self.macd.iter().map(|&periods| macd(periods)));
        planned.extend(self.kama.iter().map(|&period| kama(period)));
        planned.extend(self.supertrend.iter().map(|&settings| supertrend(settings)));
        planned.extend(self.adx.iter().map(|&period| directional_movement(period)));
        planned.extend(self.aroon.iter().map(|&period| aroon(period)));
        planned.extend(self.sar.iter().map(|&settings| parabolic_sar(settings)));
        planned.extend(self.linear_regression_slope.iter().map(|&period| slope(period)));
        Ok(planned)
    }

    fn check(&self) -> Result<(), FeatureError> {
        check_periods("trend.ema", &self.ema, SHORTEST)?;
        check_periods("trend.sma", &self.sma, SHORTEST)?;
        check_periods("trend.dema", &self.dema, SHORTEST)?;
        check_periods("trend.tema", &self.tema, SHORTEST)?;
        check_periods("trend.kama", &self.kama, SHORTEST)?;
        check_periods("trend.adx", &self.adx, SHORTEST)?;
        check_periods("trend.aroon", &self.aroon, SHORTEST)?;
        check_periods("trend.linear_regression_slope", &self.linear_regression_slope, SHORTEST)?;
        check_once("trend.macd", &self.macd)?;
        for &MacdPeriods { fast, slow, signal } in &self.macd {
            check_period("trend.macd.fast", fast, SHORTEST)?;
            check_period("trend.macd.slow", slow, SHORTEST)?;
            check_period("trend.macd.signal", signal, SHORTEST)?;
            if fast >= slow {
                return Err(FeatureError::spec(
                    "trend.macd.fast",
                    fast,
                    format!("give a period below that of the slow average, {slow}"),
                ));
            }
        }
        check_once("trend.supertrend", &self.supertrend)?;
        for &SuperTrendSettings { period, multiplier } in &self.supertrend {
            check_period("trend.supertrend.period", period, SHORTEST)?;
            if !(0.1..=20.0).contains(&multiplier) {
                let remedy = "give a number of average true ranges from 0.1 to 20";
                return Err(FeatureError::spec("trend.supertrend.multiplier", multiplier, remedy));
            }
        }
        check_once("trend.sar", &self.sar)?;
        for &SarSettings { acceleration, maximum } in &self.sar {
            if !(0.001..=1.0).contains(&acceleration) {
                let remedy = "give a factor from 0.001 to 1; usual is 0.02";
                return Err(FeatureError::spec("trend.sar.acceleration", acceleration, remedy));
            }
            if !(acceleration..=1.0).contains(&maximum) {
                let remedy =
                    format!("give a factor from the acceleration, {acceleration}, to 1; usual is 0.2");
                return Err(FeatureError::spec("trend.sar.maximum", maximum, remedy));
            }
        }
        Ok(())
    }
}

/// Refuses settings that are given twice.
fn check_once<T: PartialEq + std::fmt::Debug>(field: &str, settings: &[T]) -> Result<(), FeatureError> {
    for (index, setting) in settings.iter().enumerate() {
        if settings[..index].contains(setting) {
            return Err(FeatureError::spec(field, format!("{setting:?} twice"), "name each setting once"));
        }
    }
    Ok(())
}

/// A number as part of a column's name.
fn in_name(number: f64) -> String {
    number.to_string().replace('.', "_")
}

fn column(name: String, formula: String, source: &'static str) -> ColumnInfo {
    ColumnInfo::new(Group::Trend, name, formula, source)
}

fn exponential<const N: usize>(periods: [usize; N]) -> Planned
where
    [f64; N]: Serialize + DeserializeOwned,
    [usize; N]: Serialize + DeserializeOwned,
{
    let columns = periods.map(|n| {
        let formula = format!("ema += 2/{} * (close - ema), from the mean of the first {n} closes", n + 1);
        column(format!("ema_{n}"), formula, "TA-Lib EMA")
            .unit(Unit::PriceLevel)
            .warm_up(n - 1 + memory_of(ema_alpha(n)))
            .between(0.0, f64::INFINITY)
    });
    Planned::new(ExponentialMovingAverages::new(periods), columns)
}

fn simple(n: usize) -> Planned {
    let info = column(format!("sma_{n}"), format!("mean of the last {n} closes"), "TA-Lib SMA")
        .unit(Unit::PriceLevel)
        .warm_up(n - 1)
        .between(0.0, f64::INFINITY);
    Planned::new(SimpleMovingAverage::new(n), [info])
}

fn double_exponential(n: usize) -> Planned {
    let source = "TA-Lib DEMA; Mulloy, Stocks & Commodities 12:1 (1994)";
    let info = column(format!("dema_{n}"), format!("2 * ema_{n} - ema_{n} of ema_{n}"), source)
        .unit(Unit::PriceLevel)
        .warm_up(2 * (n - 1 + memory_of(ema_alpha(n))));
    Planned::new(DoubleExponential::new(n), [info])
}

fn triple_exponential(n: usize) -> Planned {
    let formula = format!("3 * e1 - 3 * e2 + e3; e1 = ema_{n}, e2 = ema_{n} of e1, e3 = ema_{n} of e2");
    let source = "TA-Lib TEMA; Mulloy, Stocks & Commodities 12:2 (1994)";
    let info = column(format!("tema_{n}"), formula, source)
        .unit(Unit::PriceLevel)
        .warm_up(3 * (n - 1 + memory_of(ema_alpha(n))));
    Planned::new(TripleExponential::new(n), [info])
}

fn macd(MacdPeriods { fast, slow, signal }: MacdPeriods) -> Planned {
    let periods = format!("{fast}_{slow}_{signal}");
    let line_warm_up = slow + signal - 2 + memory_of(ema_alpha(slow));
    let signal_warm_up = line_warm_up + memory_of(ema_alpha(signal));
    let info = |name: &str, formula: String, warm_up| {
        column(format!("{name}_{periods}"), formula, "TA-Lib MACD; Appel, Stock Market Trading Systems")
            .unit(Unit::PriceDifference)
            .warm_up(warm_up)
    };
    let columns = [
        info("macd", format!("ema_{fast} - ema_{slow} of the close"), line_warm_up),
        info("macd_signal", format!("ema_{signal} of macd_{periods}"), signal_warm_up),
        info("macd_histogram", format!("macd_{periods} - macd_signal_{periods}"), signal_warm_up),
    ];
    Planned::new(Macd::new(fast, slow, signal), columns)
}

fn kama(n: usize) -> Planned {
    // The weight is never below (2/31)², so that n + 3865 candles are enough on any series. On four real
    // series of 17 to 58 thousand candles, begun at every third candle, it took at most 524 for n = 10, 973
    // for 20, 1277 for 30 and 1879 for 60 (a coin with coarse ticks; 281, 486, 625 and 1053 on the others).
    const SLOWEST: f64 = 2.0 / 31.0;
    let settled = (300 + 50 * n).min(memory_of(SLOWEST * SLOWEST));
    let formula = format!(
        "kama += (e * (2/3 - 2/31) + 2/31)^2 * (close - kama); e = |close - close {n} ago| / sum of the last \
         {n} absolute changes"
    );
    let info = column(format!("kama_{n}"), formula, "TA-Lib KAMA; Kaufman, Smarter Trading (1995)")
        .unit(Unit::PriceLevel)
        .warm_up(n + settled)
        .between(0.0, f64::INFINITY);
    Planned::new(Kama::new(n), [info])
}

fn supertrend(SuperTrendSettings { period, multiplier }: SuperTrendSettings) -> Planned {
    // Runs agree once the average true range does and both have turned, and a turn takes about as many
    // candles as the square of the multiplier. On four real series, begun at every third candle, the turn
    // took at most 53 times the square, on a coin with coarse ticks; in all 505 candles for the defaults.
    let turns = (100.0 * multiplier * multiplier).ceil() as usize;
    let warm_up = period + memory_of(1.0 / period as f64) + turns;
    let settings = format!("{period}_{}", in_name(multiplier));
    let source = "TA-Lib SUPERTREND; Seban, Tout le monde mérite d'être riche";
    let line = format!(
        "(high + low)/2 - {multiplier} * atr_{period} in a rise, + in a fall; each of the two moves only \
         towards the price until a close lies beyond it"
    );
    let direction = "1 in a rise, -1 in a fall; turns when the close lies beyond the band".to_owned();
    let columns = [
        column(format!("supertrend_{settings}"), line, source).unit(Unit::PriceLevel).warm_up(warm_up),
        column(format!("supertrend_direction_{settings}"), direction, source)
            .warm_up(warm_up)
            .between(-1.0, 1.0),
    ];
    Planned::new(SuperTrend::new(period, multiplier), columns)
}

fn directional_movement(n: usize) -> Planned {
    let memory = memory_of(1.0 / n as f64);
    // A spike in the seed's true ranges weighs fifty times what follows, so that its memory must fade further.
    let di_memory = memory * 5 / 4;
    let info = |name: &str, formula: String, source, warm_up| {
        column(format!("{name}_{n}"), formula, source).warm_up(warm_up).between(0.0, 100.0)
    };
    let indicator = |moved: &str| format!("100 * Wilder sum of {moved} / Wilder sum of the true range");
    let columns = [
        info(
            "adx",
            format!("Wilder average over {n} of 100 * |plus_di - minus_di| / (plus_di + minus_di)"),
            "TA-Lib ADX; Wilder, New Concepts in Technical Trading Systems (1978)",
            2 * n - 1 + 2 * memory,
        ),
        info(
            "plus_di",
            indicator("what the high rose, where more than the low fell"),
            "TA-Lib PLUS_DI; Wilder, New Concepts in Technical Trading Systems (1978)",
            n + di_memory,
        ),
        info(
            "minus_di",
            indicator("what the low fell, where more than the high rose"),
            "TA-Lib MINUS_DI; Wilder, New Concepts in Technical Trading Systems (1978)",
            n + di_memory,
        ),
    ];
    Planned::new(DirectionalMovement::new(n), columns)
}

fn aroon(n: usize) -> Planned {
    let info = |name: &str, extreme: &str| {
        let formula = format!("100 * ({n} - candles since the {extreme} of the last {})/{n}", n + 1);
        let source = "TA-Lib AROON; Chande, Stocks & Commodities 13:9 (1995)";
        column(format!("{name}_{n}"), formula, source).warm_up(n).between(0.0, 100.0)
    };
    Planned::new(Aroon::new(n), [info("aroon_down", "lowest low"), info("aroon_up", "highest high")])
}

fn parabolic_sar(SarSettings { acceleration, maximum }: SarSettings) -> Planned {
    // Runs agree from a reversal on that both make with the same extreme. On four real series, begun at every
    // third candle, 7.6 / acceleration was the most, where the factor does not grow; 223 candles for the
    // default settings.
    let warm_up = (16.0 / acceleration).ceil() as usize;
    let name = format!("sar_{}_{}", in_name(acceleration), in_name(maximum));
    let formula = format!(
        "stop += f * (extreme - stop), not beyond the last two lows (highs if short); f grows by \
         {acceleration} with each new extreme up to {maximum}; a candle that reaches the stop reverses"
    );
    let source = "TA-Lib SAR; Wilder, New Concepts in Technical Trading Systems (1978)";
    let info =
        column(name, formula, source).unit(Unit::PriceLevel).warm_up(warm_up).between(0.0, f64::INFINITY);
    Planned::new(ParabolicSar::new(acceleration, maximum), [info])
}

fn slope(n: usize) -> Planned {
    let formula = format!("slope of the line of least squares through the last {n} closes, per candle");
    let info = column(format!("linear_regression_slope_{n}"), formula, "TA-Lib LINEARREG_SLOPE")
        .unit(Unit::PriceDifference)
        .warm_up(n - 1);
    Planned::new(LinearRegressionSlope::new(n), [info])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bar::Bar;
    use crate::indicator::ta_lib_trend::{begun_anew, extremes, random_walk};
    use crate::indicator::{BLOCK, Node};

    fn push_all(node: &mut dyn Node, bars: &[Bar]) -> Vec<Vec<f64>> {
        let mut values = vec![0.0; node.width()];
        let mut push = |bar| {
            node.push(bar, &mut values);
            values.clone()
        };
        bars.iter().map(&mut push).collect()
    }

    #[test]
    fn the_default_columns() {
        let planned = TrendOptions::default().plan().unwrap();
        let names: Vec<_> = planned.iter().flat_map(|planned| &planned.columns).map(|it| &it.name).collect();
        let expected = "ema_9 ema_20 ema_50 ema_100 ema_200 sma_20 sma_50 sma_200 dema_20 \
                        tema_20 macd_12_26_9 macd_signal_12_26_9 macd_histogram_12_26_9 kama_30 \
                        supertrend_10_3 supertrend_direction_10_3 adx_14 plus_di_14 minus_di_14 \
                        aroon_down_14 aroon_up_14 sar_0_02_0_2 linear_regression_slope_20 \
                        linear_regression_slope_60";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    }

    #[test]
    fn a_group_switched_off_has_no_columns_and_no_errors() {
        let off = TrendOptions { enabled: false, ema: vec![0], ..TrendOptions::default() };
        assert!(off.plan().unwrap().is_empty());
        let empty: TrendOptions = toml::from_str(
            "ema = []\nsma = []\ndema = []\ntema = []\nmacd = []\nkama = []\nsupertrend = []\nadx = []\n\
             aroon = []\nsar = []\nlinear_regression_slope = []",
        )
        .unwrap();
        assert!(empty.plan().unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |text: &str| {
            let options: TrendOptions = toml::from_str(text).unwrap();
            options.plan().err().unwrap().to_string()
        };
        let begins_with = [
            ("ema = [1]", "`trend.ema` is 1"),
            ("sma = [20, 20]", "`trend.sma` is 20"),
            ("dema = [0]", "`trend.dema` is 0"),
            ("tema = [10001]", "`trend.tema` is 10001"),
            ("kama = [1]", "`trend.kama` is 1"),
            ("adx = [1]", "`trend.adx` is 1"),
            ("aroon = [1]", "`trend.aroon` is 1"),
            ("linear_regression_slope = [1]", "`trend.linear_regression_slope` is 1"),
            ("macd = [{ fast = 26, slow = 12, signal = 9 }]", "`trend.macd.fast` is 26"),
            ("macd = [{ fast = 12, slow = 26, signal = 0 }]", "`trend.macd.signal` is 0"),
            ("supertrend = [{ period = 1, multiplier = 3.0 }]", "`trend.supertrend.period` is 1"),
            ("supertrend = [{ period = 10, multiplier = nan }]", "`trend.supertrend.multiplier` is NaN"),
            ("sar = [{ acceleration = 0.0, maximum = 0.2 }]", "`trend.sar.acceleration` is 0"),
            ("sar = [{ acceleration = 0.3, maximum = 0.2 }]", "`trend.sar.maximum` is 0.2"),
        ];
        for (text, beginning) in begins_with {
            let message = refused(text);
            assert!(message.starts_with(beginning) && message.contains("; "), "{text}: {message}");
        }
        let twice = "sar = [{ acceleration = 0.1, maximum = 0.2 }, { acceleration = 0.1, maximum = 0.2 }]";
        assert!(refused(twice).contains("once"), "{}", refused(twice));
        assert!(toml::from_str::<TrendOptions>("emas = [3]").is_err());
    }

    #[test]
    fn the_values_stay_finite_and_within_their_bounds() {
        // 100 / 11 * 11 rounds to more than 100.
        let options = TrendOptions { aroon: vec![11, 14], adx: vec![2, 14], ..TrendOptions::default() };
        for (series, bars) in extremes() {
            for Planned { mut node, columns } in options.plan().unwrap() {
                let rows = push_all(&mut *node, &bars);
                for (number, info) in columns.iter().enumerate() {
                    let begun = rows.iter().map(|row| row[number]).skip_while(|value| value.is_nan());
                    for value in begun {
                        assert!(
                            value.is_finite() && (info.minimum..=info.maximum).contains(&value),
                            "{} on {series}: {value}",
                            info.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn after_the_warm_up_the_beginning_does_not_matter() {
        for (seed, volatility) in [(11, 0.001), (12, 0.01), (13, 0.05)] {
            let bars = random_walk(seed, 9500, volatility);
            for Planned { node, columns } in TrendOptions::default().plan().unwrap() {
                let scaled = |bars: &[Bar]| {
                    let mut rows = push_all(&mut *node.boxed(), bars);
                    for (row, bar) in rows.iter_mut().zip(bars) {
                        for (value, info) in row.iter_mut().zip(&columns) {
                            *value = match info.unit {
                                Unit::PriceLevel => (*value - bar.close) / bar.close,
                                Unit::PriceDifference => *value / bar.close,
                                _ => *value,
                            };
                        }
                    }
                    rows
                };
                let whole = scaled(&bars);
                for start in (5000..7000).step_by(37) {
                    let part = scaled(&begun_anew(&bars[start..start + 2500]));
                    for (number, info) in columns.iter().enumerate() {
                        let used = (info.warm_up..part.len())
                            .map(|age| (part[age][number], whole[start + age][number]));
                        let level =
                            used.clone().map(|(_, value)| value.abs()).sum::<f64>() / used.len() as f64;
                        for (ours, theirs) in used {
                            assert!(
                                (ours - theirs).abs() <= 1e-6 * level,
                                "{}: {ours} or {theirs}",
                                info.name
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn blocks_and_saved_states_go_on_to_the_bit() {
        let bars = random_walk(14, 20 * BLOCK, 0.01);
        for Planned { mut node, columns } in TrendOptions::default().plan().unwrap() {
            let mut resumed = node.boxed();
            let rows = push_all(&mut *node.boxed(), &bars);
            for (number, (block, rows)) in bars.chunks(BLOCK).zip(rows.chunks(BLOCK)).enumerate() {
                let mut values = vec![vec![0.0; block.len()]; columns.len()];
                let mut out: Vec<&mut [f64]> = values.iter_mut().map(Vec::as_mut_slice).collect();
                if number % 3 == 1 {
                    resumed.restore(&node.save().unwrap()).unwrap();
                    std::mem::swap(&mut node, &mut resumed);
                }
                node.run(block, &mut out);
                for (column, info) in columns.iter().enumerate() {
                    let same = |(row, value): (&Vec<f64>, &f64)| row[column].to_bits() == value.to_bits();
                    assert!(rows.iter().zip(&values[column]).all(same), "{}", info.name);
                }
            }
        }
    }
}
