//! Every labeler behind one name, for configuration files.

use market_data::CandleSeries;
use serde::{Deserialize, Serialize};

use crate::error::LabelError;
use crate::horizon_return::{HorizonReturn, Threshold};
use crate::label_series::LabelSeries;
use crate::trend_scanning::TrendScanning;
use crate::triple_barrier::{Ambiguous, BarrierUnit, OnTimeout, TripleBarrier};

/// A labeler, named in its field `labeler`; what is left out keeps its default:
///
/// ```toml
/// labeler = "triple-barrier"
/// time_limit = 48
/// unit.atr.period = 14
/// take_profit = 2.0
/// stop_loss = 1.5
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "labeler", rename_all = "kebab-case")]
pub enum Labeler {
    /// The return over a fixed horizon.
    HorizonReturn(HorizonReturn),
    /// The barrier that is touched first.
    TripleBarrier(TripleBarrier),
    /// The most significant trend ahead.
    TrendScanning(TrendScanning),
}

impl Default for Labeler {
    fn default() -> Self {
        Self::HorizonReturn(HorizonReturn::default())
    }
}

impl Labeler {
    /// The name in the field `labeler`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::HorizonReturn(_) => "horizon-return",
            Self::TripleBarrier(_) => "triple-barrier",
            Self::TrendScanning(_) => "trend-scanning",
        }
    }

    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`] names the field and its range.
    pub fn validate(&self) -> Result<(), LabelError> {
        match self {
            Self::HorizonReturn(labeler) => labeler.validate(),
            Self::TripleBarrier(labeler) => labeler.validate(),
            Self::TrendScanning(labeler) => labeler.validate(),
        }
    }

    /// How many candles after its own the window of a label has: `horizon`, `time_limit`, or
    /// `maximum_window - 1`. Nothing later is looked at, and where they are not all there, there is no label.
    pub const fn window(&self) -> u32 {
        match self {
            Self::HorizonReturn(labeler) => labeler.horizon,
            Self::TripleBarrier(labeler) => labeler.time_limit,
            Self::TrendScanning(labeler) => labeler.maximum_window.saturating_sub(1),
        }
    }

    /// The label of every candle.
    ///
    /// # Errors
    /// [`LabelError::InvalidConfiguration`], or [`LabelError::SeriesTooLong`].
    pub fn label(&self, series: &CandleSeries) -> Result<LabelSeries, LabelError> {
        match self {
            Self::HorizonReturn(labeler) => labeler.label(series),
            Self::TripleBarrier(labeler) => labeler.label(series),
            Self::TrendScanning(labeler) => labeler.label(series),
        }
    }

    /// Reads the lines that [`to_toml`](Self::to_toml) writes.
    ///
    /// # Errors
    /// [`LabelError::UnreadableLabeler`] for other lines, [`LabelError::InvalidConfiguration`] for values out of range.
    pub fn from_toml(text: &str) -> Result<Self, LabelError> {
        let labeler: Self = toml::from_str(text).map_err(|error| LabelError::UnreadableLabeler {
            reason: error.to_string().trim_end().to_owned(),
        })?;
        labeler.validate()?;
        Ok(labeler)
    }

    /// The labeler as lines of a TOML table, which read back as exactly this labeler.
    pub fn to_toml(&self) -> String {
        let mut lines = vec![format!("labeler = \"{}\"", self.name())];
        // `{:?}` writes the shortest decimal that reads back to the same number, always as a TOML float.
        let float = |lines: &mut Vec<String>, name: &str, value: f64| {
            lines.push(format!("{name} = {value:?}"));
        };
        match self {
            Self::HorizonReturn(labeler) => {
                lines.push(format!("horizon = {}", labeler.horizon));
                match labeler.threshold {
                    Threshold::Fixed(fixed) => {
                        float(&mut lines, "threshold.fixed.value", fixed.value);
                        if let Some(sell) = fixed.sell {
                            float(&mut lines, "threshold.fixed.sell", sell);
                        }
                    }
                    Threshold::Adaptive(adaptive) => {
                        float(&mut lines, "threshold.adaptive.multiplier", adaptive.multiplier);
                        if let Some(sell) = adaptive.sell_multiplier {
                            float(&mut lines, "threshold.adaptive.sell_multiplier", sell);
                        }
                        float(&mut lines, "threshold.adaptive.minimum", adaptive.minimum);
                        float(&mut lines, "threshold.adaptive.maximum", adaptive.maximum);
                        let window = adaptive.volatility_window;
                        lines.push(format!("threshold.adaptive.volatility_window = {window}"));
                    }
                }
            }
            Self::TripleBarrier(labeler) => {
                lines.push(format!("time_limit = {}", labeler.time_limit));
                float(&mut lines, "take_profit", labeler.take_profit);
                float(&mut lines, "stop_loss", labeler.stop_loss);
                lines.push(match labeler.unit {
                    BarrierUnit::Fraction => "unit = \"fraction\"".to_owned(),
                    BarrierUnit::Atr { period } => format!("unit.atr.period = {period}"),
                });
                lines.push(format!("ambiguous = \"{}\"", labeler.ambiguous.name()));
                lines.push(format!("on_timeout = \"{}\"", labeler.on_timeout.name()));
            }
            Self::TrendScanning(labeler) => {
                lines.push(format!("minimum_window = {}", labeler.minimum_window));
                lines.push(format!("maximum_window = {}", labeler.maximum_window));
                float(&mut lines, "t_threshold", labeler.t_threshold);
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl Ambiguous {
    const fn name(self) -> &'static str {
        match self {
            Self::PessimisticLong => "pessimistic-long",
            Self::PessimisticShort => "pessimistic-short",
            Self::NoLabel => "no-label",
        }
    }
}

impl OnTimeout {
    const fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Sign => "sign",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::horizon_return::{AdaptiveThreshold, FixedThreshold};

    fn labelers() -> Vec<Labeler> {
        let horizon = HorizonReturn::default();
        let barrier = TripleBarrier::default();
        vec![
            Labeler::default(),
            Labeler::HorizonReturn(HorizonReturn {
                horizon: 7,
                threshold: Threshold::Fixed(FixedThreshold { value: 1e-17, sell: Some(0.0) }),
            }),
            Labeler::HorizonReturn(HorizonReturn {
                threshold: Threshold::Adaptive(AdaptiveThreshold {
                    sell_multiplier: Some(1.0 / 3.0),
                    ..Default::default()
                }),
                ..horizon
            }),
            Labeler::TripleBarrier(barrier),
            Labeler::TripleBarrier(TripleBarrier {
                unit: BarrierUnit::Atr { period: 14 },
                ambiguous: Ambiguous::PessimisticShort,
                on_timeout: OnTimeout::Sign,
                ..barrier
            }),
            Labeler::TripleBarrier(TripleBarrier { ambiguous: Ambiguous::NoLabel, ..barrier }),
            Labeler::TrendScanning(TrendScanning::default()),
        ]
    }

    #[test]
    fn what_is_written_as_toml_reads_back() {
        for labeler in labelers() {
            let text = labeler.to_toml();
            assert_eq!(toml::from_str::<Labeler>(&text).unwrap(), labeler, "{text}");
        }
    }

    #[test]
    fn a_name_alone_means_the_defaults_and_an_unknown_field_is_refused() {
        for (name, default) in [
            ("horizon-return", Labeler::default()),
            ("triple-barrier", Labeler::TripleBarrier(TripleBarrier::default())),
            ("trend-scanning", Labeler::TrendScanning(TrendScanning::default())),
        ] {
            let text = format!("labeler = \"{name}\"\n");
            assert_eq!(toml::from_str::<Labeler>(&text).unwrap(), default);
            for unknown in ["horzion = 3", "threshold.fixed.vlaue = 1.0", "unit.atr.perod = 3"] {
                assert!(toml::from_str::<Labeler>(&format!("{text}{unknown}")).is_err(), "{name} {unknown}");
            }
        }
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        for (text, field) in [
            ("labeler = \"horizon-return\"\nhorizon = 0", "horizon"),
            ("labeler = \"horizon-return\"\nthreshold.fixed.value = -0.1", "threshold.fixed.value"),
            ("labeler = \"horizon-return\"\nthreshold.fixed.sell = nan", "threshold.fixed.sell"),
            ("labeler = \"horizon-return\"\nthreshold.adaptive.multiplier = inf", "multiplier"),
            ("labeler = \"horizon-return\"\nthreshold.adaptive.sell_multiplier = -1.0", "sell_multiplier"),
            ("labeler = \"horizon-return\"\nthreshold.adaptive.minimum = -1.0", "minimum"),
            ("labeler = \"horizon-return\"\nthreshold.adaptive.maximum = 0.0", "maximum"),
            ("labeler = \"horizon-return\"\nthreshold.adaptive.volatility_window = 1", "volatility_window"),
            ("labeler = \"triple-barrier\"\ntime_limit = 0", "time_limit"),
            ("labeler = \"triple-barrier\"\ntake_profit = 0.0", "take_profit"),
            ("labeler = \"triple-barrier\"\nstop_loss = 1.0", "stop_loss"),
            ("labeler = \"triple-barrier\"\nunit.atr.period = 0", "unit.atr.period"),
            ("labeler = \"trend-scanning\"\nminimum_window = 2", "minimum_window"),
            ("labeler = \"trend-scanning\"\nmaximum_window = 4", "maximum_window"),
            ("labeler = \"trend-scanning\"\nt_threshold = 0.0", "t_threshold"),
        ] {
            let error = toml::from_str::<Labeler>(text).unwrap().validate().unwrap_err().to_string();
            assert!(error.contains(field), "{text}: {error}");
        }
    }
}
