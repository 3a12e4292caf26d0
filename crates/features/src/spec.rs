//! What to compute: one table per group.

use market_data::{SeriesKey, Symbol, Timeframe};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::ColumnInfo;
use crate::error::FeatureError;
use crate::group::{
    CrossAssetOptions, CycleOptions, ExogenousOptions, HigherTimeframeOptions, LevelOptions, MomentumOptions,
    PatternOptions, PriceOptions, TimeOptions, TrendOptions, VolatilityOptions, VolumeOptions, YataOptions,
};
use crate::pipeline::FeaturePipeline;
use crate::plan::Planned;

/// Counted up when a formula changes, so that a model trained on the old one is refused.
const FORMULAS: u32 = 1;

/// What a value in quote currency is measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PriceScale {
    /// The close: a level becomes `(level - close) / close`, a difference `difference / close`. Scale-free, so
    /// that one model serves all symbols.
    #[default]
    Close,
    /// The mean true range of 14 candles: `(level - close) / ATR`, `difference / ATR`. Scale-free, and
    /// comparable between calm and wild times. It is the simple mean, which forgets, not Wilder's, and counts as
    /// at least a millionth of the close.
    Atr,
    /// Nothing: the indicator's own value, in quote or base currency. For comparison with other programs.
    Raw,
}

/// The features of one timeframe: a table per group, each of which can be switched off with
/// `enabled = false`. The default has about 120 columns and needs nothing but the candles.
///
/// ```
/// let spec = features::FeatureSpec::from_toml("scale = \"atr\"\n[trend]\nema = [10, 50]\n[cycle]\nenabled = false")?;
/// let columns = spec.columns(market_data::Timeframe::M5)?;
/// assert!(columns.iter().any(|column| column.name == "ema_10"));
/// assert!(!columns.iter().any(|column| column.name.starts_with("ht_")));
/// # Ok::<(), features::FeatureError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureSpec {
    /// What values in quote currency are measured against.
    pub scale: PriceScale,
    /// Returns and the geometry of the candle.
    pub price: PriceOptions,
    /// Moving averages and the direction of the price.
    pub trend: TrendOptions,
    /// Oscillators.
    pub momentum: MomentumOptions,
    /// The size of movements.
    pub volatility: VolatilityOptions,
    /// Volume and where it went.
    pub volume: VolumeOptions,
    /// The Hilbert transform's cycles.
    pub cycle: CycleOptions,
    /// Candlestick patterns.
    pub pattern: PatternOptions,
    /// Support and resistance.
    pub level: LevelOptions,
    /// The calendar.
    pub time: TimeOptions,
    /// Indicators of the library `yata`. Off unless switched on.
    pub yata: YataOptions,
    /// Longer timeframes.
    pub higher_timeframe: HigherTimeframeOptions,
    /// Relation to another symbol. Off unless switched on: it needs that symbol's candles.
    pub cross_asset: CrossAssetOptions,
    /// Series from outside the market. Empty unless columns are named.
    pub exogenous: ExogenousOptions,
}

impl FeatureSpec {
    /// Reads a specification. What is absent has its default.
    ///
    /// # Errors
    /// [`FeatureError::UnreadableSpec`] for text that is no such TOML, with line and column; values out of
    /// range are found by [`FeatureSpec::columns`] and [`FeaturePipeline::new`].
    pub fn from_toml(text: &str) -> Result<Self, FeatureError> {
        toml::from_str(text).map_err(|error| FeatureError::UnreadableSpec { reason: error.to_string() })
    }

    /// The whole specification, defaults included.
    ///
    /// # Errors
    /// [`FeatureError::UnreadableSpec`] where a value cannot be written as TOML.
    pub fn to_toml(&self) -> Result<String, FeatureError> {
        toml::to_string(self).map_err(|error| FeatureError::UnreadableSpec { reason: error.to_string() })
    }

    /// The columns that it gives for candles of `timeframe`, in their order.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names the field and its range.
    pub fn columns(&self, timeframe: Timeframe) -> Result<Vec<ColumnInfo>, FeatureError> {
        Ok(FeaturePipeline::new(self, timeframe)?.columns().to_vec())
    }

    /// A hash of all that decides the values: specification, timeframe and version of the formulas.
    ///
    /// # Errors
    /// [`FeatureError::UnreadableSpec`] where a value cannot be written.
    pub fn hash(&self, timeframe: Timeframe) -> Result<String, FeatureError> {
        let whole = rmp_serde::to_vec_named(&(FORMULAS, timeframe, self))
            .map_err(|error| FeatureError::UnreadableSpec { reason: error.to_string() })?;
        Ok(blake3::hash(&whole).to_hex().to_string())
    }

    /// The series whose candles the cross-asset columns of `key` need; none where that group is off.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] where the reference is no symbol of that venue.
    pub fn reference_of(&self, key: &SeriesKey) -> Result<Option<SeriesKey>, FeatureError> {
        if !self.cross_asset.enabled {
            return Ok(None);
        }
        let text = &self.cross_asset.reference;
        let symbol = Symbol::parse_on(text, key.venue.market())
            .map_err(|error| FeatureError::spec("cross_asset.reference", text, error.to_string()))?;
        Ok(Some(SeriesKey { symbol, ..key.clone() }))
    }

    /// The exogenous series that the columns of `key` need, each once.
    pub fn exogenous_of(&self, key: &SeriesKey) -> Vec<String> {
        let columns = self.exogenous.columns.iter().filter(|_| self.exogenous.enabled);
        let mut names: Vec<String> =
            columns.map(|column| column.series.replace("{symbol}", &key.symbol.exchange_id())).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The indicators on the candles' own timeframe.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        let mut plan = self.price.plan()?;
        plan.extend(self.trend.plan()?);
        plan.extend(self.momentum.plan()?);
        plan.extend(self.volatility.plan()?);
        plan.extend(self.volume.plan()?);
        plan.extend(self.cycle.plan()?);
        plan.extend(self.pattern.plan()?);
        plan.extend(self.level.plan()?);
        plan.extend(self.time.plan()?);
        plan.extend(self.yata.plan()?);
        Ok(plan)
    }
}
