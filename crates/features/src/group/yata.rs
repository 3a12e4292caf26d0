//! Group `yata`: indicators of the library of that name which this crate has none of its own for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use yata::indicators::{
    AwesomeOscillator, DetrendedPriceOscillator, FisherTransform, HullMovingAverage, IchimokuCloud,
    KlingerVolumeOscillator, KnowSureThing, RelativeVigorIndex, SMIErgodicIndicator, TrendStrengthIndex,
    TrueStrengthIndex,
};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::from_yata::FromYata;
use crate::plan::Planned;

/// Indicators computed by the library `yata` with its own settings.
///
/// Off by default: they are slower than this crate's own, and no second program confirms them as TA-Lib
/// confirms those. See `docs/decisions/0006-own-indicators.md`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct YataOptions {
    /// Whether there are such columns.
    pub enabled: bool,
    /// The indicators; all of them where none is named.
    pub indicators: Vec<YataIndicator>,
}

/// An indicator of `yata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum YataIndicator {
    /// Median price: mean of 5 candles minus mean of 34.
    AwesomeOscillator,
    /// Price minus the mean of 21 candles, shifted.
    DetrendedPriceOscillator,
    /// Ehlers' Fisher transform over 9 candles.
    FisherTransform,
    /// Hull's moving average over 9 candles.
    HullMovingAverage,
    /// Tenkan, kijun and both senkou lines, 9, 26, 52.
    IchimokuCloud,
    /// Klinger's volume force, 34 against 55.
    KlingerVolumeOscillator,
    /// Pring's sum of smoothed rates of change.
    KnowSureThing,
    /// Close minus open against the range, over 10 candles.
    RelativeVigorIndex,
    /// Blau's ergodic indicator, 20 and 5.
    SmiErgodic,
    /// Correlation of price and time over 14 candles.
    TrendStrengthIndex,
    /// Blau's doubly smoothed momentum, 25 and 13.
    TrueStrengthIndex,
}

impl YataIndicator {
    const ALL: [Self; 11] = [
        Self::AwesomeOscillator,
        Self::DetrendedPriceOscillator,
        Self::FisherTransform,
        Self::HullMovingAverage,
        Self::IchimokuCloud,
        Self::KlingerVolumeOscillator,
        Self::KnowSureThing,
        Self::RelativeVigorIndex,
        Self::SmiErgodic,
        Self::TrendStrengthIndex,
        Self::TrueStrengthIndex,
    ];

    /// The indicator and its columns. Windows end after the sum of their lengths; smoothing averages take
    /// eight times theirs to forget all but one part in ten million.
    fn plan(self) -> Planned {
        let column = |name: &str, what: &str, unit: Unit, warm_up: usize| {
            ColumnInfo::new(Group::Yata, format!("yata_{name}"), what, "yata 0.7").unit(unit).warm_up(warm_up)
        };
        match self {
            Self::AwesomeOscillator => Planned::new(
                FromYata::<AwesomeOscillator, 1>::new(AwesomeOscillator::default()),
                [column("awesome_oscillator", "SMA(median, 5) - SMA(median, 34)", Unit::PriceDifference, 40)],
            ),
            Self::DetrendedPriceOscillator => Planned::new(
                FromYata::<DetrendedPriceOscillator, 1>::new(DetrendedPriceOscillator::default()),
                [column(
                    "detrended_price",
                    "close of 11 candles before - SMA(close, 21)",
                    Unit::PriceDifference,
                    40,
                )],
            ),
            Self::FisherTransform => Planned::new(
                FromYata::<FisherTransform, 2>::new(FisherTransform::default()),
                [
                    column(
                        "fisher_transform",
                        "atanh of the place in the range of 9 candles",
                        Unit::Plain,
                        60,
                    ),
                    column("fisher_transform_signal", "its SMA(2)", Unit::Plain, 60),
                ],
            ),
            Self::HullMovingAverage => Planned::new(
                FromYata::<HullMovingAverage, 1>::new(HullMovingAverage::default()),
                [column(
                    "hull_moving_average",
                    "WMA(2 WMA(close, 4) - WMA(close, 9), 3)",
                    Unit::PriceLevel,
                    20,
                )],
            ),
            Self::IchimokuCloud => Planned::new(
                FromYata::<IchimokuCloud, 4>::new(IchimokuCloud::default()),
                [
                    column("ichimoku_tenkan", "middle of the range of 9 candles", Unit::PriceLevel, 80),
                    column("ichimoku_kijun", "middle of the range of 26 candles", Unit::PriceLevel, 80),
                    column(
                        "ichimoku_senkou_a",
                        "mean of tenkan and kijun 26 candles before",
                        Unit::PriceLevel,
                        80,
                    ),
                    column(
                        "ichimoku_senkou_b",
                        "middle of the range of 52 candles, 26 before",
                        Unit::PriceLevel,
                        80,
                    ),
                ],
            ),
            Self::KlingerVolumeOscillator => Planned::new(
                FromYata::<KlingerVolumeOscillator, 2>::new(KlingerVolumeOscillator::default()),
                [
                    column("klinger", "EMA(volume force, 34) - EMA(volume force, 55)", Unit::Volume, 600),
                    column("klinger_signal", "its EMA(13)", Unit::Volume, 700),
                ],
            ),
            Self::KnowSureThing => Planned::new(
                FromYata::<KnowSureThing, 2>::new(KnowSureThing::default()),
                [
                    column(
                        "know_sure_thing",
                        "weighted sum of four smoothed rates of change",
                        Unit::Plain,
                        60,
                    ),
                    column("know_sure_thing_signal", "its SMA(9)", Unit::Plain, 70),
                ],
            ),
            Self::RelativeVigorIndex => Planned::new(
                FromYata::<RelativeVigorIndex, 2>::new(RelativeVigorIndex::default()),
                [
                    column("relative_vigor", "SMA(close - open, 10) / SMA(high - low, 10)", Unit::Plain, 30),
                    column("relative_vigor_signal", "its SWMA(4)", Unit::Plain, 40),
                ],
            ),
            Self::SmiErgodic => Planned::new(
                FromYata::<SMIErgodicIndicator, 2>::new(SMIErgodicIndicator::default()),
                [
                    column("smi_ergodic", "TSI(close, 20, 5)", Unit::Plain, 300).between(-1.0, 1.0),
                    column("smi_ergodic_signal", "its EMA(5)", Unit::Plain, 350).between(-1.0, 1.0),
                ],
            ),
            Self::TrendStrengthIndex => Planned::new(
                FromYata::<TrendStrengthIndex, 1>::new(TrendStrengthIndex::default()),
                [column("trend_strength", "correlation of close and time over 14 candles", Unit::Plain, 30)],
            ),
            Self::TrueStrengthIndex => Planned::new(
                FromYata::<TrueStrengthIndex, 2>::new(TrueStrengthIndex::default()),
                [
                    column(
                        "true_strength",
                        "EMA(EMA(change, 25), 13) / EMA(EMA(|change|, 25), 13)",
                        Unit::Plain,
                        400,
                    )
                    .between(-1.0, 1.0),
                    column("true_strength_signal", "its EMA(13)", Unit::Plain, 500).between(-1.0, 1.0),
                ],
            ),
        }
    }
}

impl YataOptions {
    /// The indicators with their columns; none where the group is off.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        let chosen = if self.indicators.is_empty() { &YataIndicator::ALL[..] } else { &self.indicators };
        for (index, indicator) in chosen.iter().enumerate() {
            if chosen[..index].contains(indicator) {
                return Err(FeatureError::spec(
                    "yata.indicators",
                    format!("{indicator:?}"),
                    "name each once",
                ));
            }
        }
        Ok(chosen.iter().map(|indicator| indicator.plan()).collect())
    }
}
