//! Cycles: the Hilbert transform's dominant cycle.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::hilbert::HilbertCycle;
use crate::plan::Planned;

/// Candles until two runs that began apart agree to one part in a million. The recursions have no strict
/// bound: on hourly, five-minute and minute candles of BTC, SOL and PEPE, begun at 400 candles each, it took
/// at most 360 candles, on generated spikes of ten times the price 566. Standstills are left out there: once
/// some 20 closes are the same, the phase and what follows from it is nothing but TA-Lib's rounding error.
const WARM_UP: usize = 600;

/// Which cycle columns there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CycleOptions {
    /// Whether the group's seven columns are computed at all.
    pub enabled: bool,
}

impl Default for CycleOptions {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl CycleOptions {
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(Vec::new());
        }
        let column =
            |name, formula, source| ColumnInfo::new(Group::Cycle, name, formula, source).warm_up(WARM_UP);
        let columns = [
            column(
                "ht_dcperiod",
                "length of the dominant cycle of the close in candles, by the Hilbert transform's homodyne \
                 discriminator",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_DCPERIOD",
            )
            .between(0.0, 50.0),
            column(
                "ht_dcphase",
                "where the close is in its dominant cycle, in degrees: phase of the discrete Fourier \
                 transform of the smoothed close over one cycle",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_DCPHASE",
            )
            .between(-45.0, 315.0),
            column(
                "ht_inphase",
                "in-phase component of the detrended close",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_PHASOR",
            )
            .unit(Unit::PriceDifference),
            column(
                "ht_quadrature",
                "quadrature component of the detrended close: its Hilbert transform",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_PHASOR",
            )
            .unit(Unit::PriceDifference),
            column("ht_sine", "sin(ht_dcphase)", "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_SINE")
                .between(-1.0, 1.0),
            column(
                "ht_lead_sine",
                "sin(ht_dcphase + 45 degrees)",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_SINE",
            )
            .between(-1.0, 1.0),
            column(
                "ht_trendmode",
                "1 in a trend, 0 in a cycle: a cycle while the sines crossed less than half a cycle ago or \
                 the phase turns at the cycle's rate, unless the smoothed close is 1.5 % off its trend line",
                "Ehlers, Rocket Science for Traders, 2001; TA-Lib HT_TRENDMODE",
            )
            .between(0.0, 1.0),
        ];
        Ok(vec![Planned::new(HilbertCycle::new(), columns)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_columns_or_none() {
        let plan = CycleOptions::default().plan().unwrap();
        assert_eq!(plan.iter().map(|planned| planned.columns.len()).collect::<Vec<_>>(), [7]);
        assert_eq!(plan[0].node.width(), 7);
        assert!(CycleOptions { enabled: false }.plan().unwrap().is_empty());
    }
}
