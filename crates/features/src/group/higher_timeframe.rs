//! Group `higher_timeframe`: which longer timeframes, and what on them.

use market_data::Timeframe;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    BollingerOptions, MomentumOptions, PriceOptions, TrendOptions, VolatilityOptions, VolumeOptions,
};
use crate::error::FeatureError;
use crate::plan::Planned;

/// Indicators on longer timeframes, each from complete candles only.
///
/// Their columns are named after the timeframe: `1h_sma_20`. All fields but the first two are periods in
/// candles of the longer timeframe, of the indicator that the other groups know under this name. The defaults have
/// finite windows, because a smoothing average on a long timeframe needs very many short candles before it
/// has forgotten where it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HigherTimeframeOptions {
    /// Whether there are such columns.
    pub enabled: bool,
    /// The timeframes; without any, two are chosen that suit the candles' own: see
    /// [`HigherTimeframeOptions::timeframes_of`].
    pub timeframes: Vec<Timeframe>,
    /// Logarithmic returns.
    pub log_return: Vec<usize>,
    /// Exponential moving averages.
    pub ema: Vec<usize>,
    /// Simple moving averages.
    pub sma: Vec<usize>,
    /// Directional movement: ADX, +DI and −DI each.
    pub adx: Vec<usize>,
    /// Slopes of the line of least squares.
    pub linear_regression_slope: Vec<usize>,
    /// Relative strength indices.
    pub rsi: Vec<usize>,
    /// Rates of change.
    pub roc: Vec<usize>,
    /// Commodity channel indices.
    pub cci: Vec<usize>,
    /// Williams' %R.
    pub willr: Vec<usize>,
    /// Average true ranges in percent of the close.
    pub natr: Vec<usize>,
    /// Standard deviations of the close.
    pub stddev: Vec<usize>,
    /// Bollinger Bands of two deviations.
    pub bollinger: Vec<usize>,
    /// Donchian Channels.
    pub donchian: Vec<usize>,
    /// Chaikin Money Flow.
    pub cmf: Vec<usize>,
    /// Standardised volumes.
    pub volume_z: Vec<usize>,
}

impl Default for HigherTimeframeOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            timeframes: Vec::new(),
            log_return: vec![1],
            ema: Vec::new(),
            sma: vec![20],
            adx: Vec::new(),
            linear_regression_slope: Vec::new(),
            rsi: Vec::new(),
            roc: vec![10],
            cci: Vec::new(),
            willr: vec![14],
            natr: Vec::new(),
            stddev: vec![20],
            bollinger: Vec::new(),
            donchian: Vec::new(),
            cmf: vec![20],
            volume_z: Vec::new(),
        }
    }
}

impl HigherTimeframeOptions {
    /// The timeframes stated, or for candles of `base`: 15m and 1h (of 1m and 3m), 1h and 4h (5m, 15m), 4h and
    /// 1d (30m, 1h), 12h and 1d (2h, 4h), 1d and 1w (6h, 8h, 12h), 1w (1d), none (1w).
    pub fn timeframes_of(&self, base: Timeframe) -> Vec<Timeframe> {
        use Timeframe::{D1, H1, H2, H4, H6, H8, H12, M1, M3, M5, M15, M30, W1};
        if !self.timeframes.is_empty() {
            return self.timeframes.clone();
        }
        match base {
            M1 | M3 => vec![M15, H1],
            M5 | M15 => vec![H1, H4],
            M30 | H1 => vec![H4, D1],
            H2 | H4 => vec![H12, D1],
            H6 | H8 | H12 => vec![D1, W1],
            D1 => vec![W1],
            W1 => Vec::new(),
        }
    }

    /// The indicators on one longer timeframe.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        let price = PriceOptions { enabled: true, log_return: self.log_return.clone(), geometry: false };
        let trend = TrendOptions {
            enabled: true,
            ema: self.ema.clone(),
            sma: self.sma.clone(),
            dema: Vec::new(),
            tema: Vec::new(),
            macd: Vec::new(),
            kama: Vec::new(),
            supertrend: Vec::new(),
            adx: self.adx.clone(),
            aroon: Vec::new(),
            sar: Vec::new(),
            linear_regression_slope: self.linear_regression_slope.clone(),
        };
        let momentum = MomentumOptions {
            enabled: true,
            rsi: self.rsi.clone(),
            cmo: Vec::new(),
            roc: self.roc.clone(),
            cci: self.cci.clone(),
            stoch: Vec::new(),
            stoch_rsi: Vec::new(),
            willr: self.willr.clone(),
            ultosc: Vec::new(),
            trix: Vec::new(),
            ppo: Vec::new(),
        };
        let bands = |&period: &usize| BollingerOptions { period, ..BollingerOptions::default() };
        let volatility = VolatilityOptions {
            enabled: true,
            atr: Vec::new(),
            natr: self.natr.clone(),
            stddev: self.stddev.clone(),
            bollinger: self.bollinger.iter().map(bands).collect(),
            keltner: Vec::new(),
            donchian: self.donchian.clone(),
            parkinson: Vec::new(),
            garman_klass: Vec::new(),
            rogers_satchell: Vec::new(),
            yang_zhang: Vec::new(),
            ewma: Vec::new(),
        };
        let volume = VolumeOptions {
            enabled: true,
            obv: Vec::new(),
            cumulative: false,
            mfi: Vec::new(),
            adosc: Vec::new(),
            cmf: self.cmf.clone(),
            vwap_distance: Vec::new(),
            vwap_day: false,
            volume_z: self.volume_z.clone(),
            relative_volume: Vec::new(),
            amihud: Vec::new(),
        };
        let plans = [price.plan(), trend.plan(), momentum.plan(), volatility.plan(), volume.plan()];
        let mut whole = Vec::new();
        for plan in plans {
            whole.extend(plan.map_err(here)?);
        }
        Ok(whole)
    }
}

/// Names the field as it stands in this group: `trend.sma` is `higher_timeframe.sma` here.
fn here(error: FeatureError) -> FeatureError {
    match error {
        FeatureError::InvalidSpec { field, value, remedy } => {
            let own = field.split('.').nth(1).unwrap_or(&field);
            FeatureError::InvalidSpec { field: format!("higher_timeframe.{own}"), value, remedy }
        }
        other => other,
    }
}
