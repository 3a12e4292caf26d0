//! Columns of volume and where it went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::column::{ColumnInfo, Group, Unit};
use crate::error::FeatureError;
use crate::indicator::deviation::largest_score;
use crate::indicator::money_flow::{
    ChaikinMoneyFlow, ChaikinOscillator, CumulativeVolume, MoneyFlowIndex, VolumeBalance,
};
use crate::indicator::traded_volume::{Illiquidity, RelativeVolume, VolumeScore};
use crate::indicator::vwap::{DayVwapDistance, RollingVwapDistance};
use crate::plan::{Planned, check_period, check_periods, ema_alpha, memory_of};

/// Which columns of volume there are. A list without entries gives no column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeOptions {
    /// Whether there are columns of this group at all.
    pub enabled: bool,
    /// Periods of On Balance Volume as a share of the volume of as many candles.
    pub obv: Vec<usize>,
    /// Whether there are TA-Lib's OBV and AD since the first candle of a run. Their level depends on where
    /// the run begins, so that a model that has learnt from them sees other values when it trades.
    pub cumulative: bool,
    /// Periods of the Money Flow Index (TA-Lib MFI).
    pub mfi: Vec<usize>,
    /// Periods of the Chaikin A/D Oscillator (TA-Lib ADOSC).
    pub adosc: Vec<AdoscOptions>,
    /// Periods of Chaikin Money Flow (TA-Lib CMF), which is the Accumulation/Distribution line of that many
    /// candles as a share of their volume.
    pub cmf: Vec<usize>,
    /// Periods of the distance from the volume-weighted average price.
    pub vwap_distance: Vec<usize>,
    /// Whether there is the distance from the volume-weighted average price since 00:00 UTC.
    pub vwap_day: bool,
    /// Periods over which the volume is standardised.
    pub volume_z: Vec<usize>,
    /// Periods of the volume relative to its mean.
    pub relative_volume: Vec<usize>,
    /// Periods of Amihud's illiquidity, compared with that of five times as many candles.
    pub amihud: Vec<usize>,
}

/// One Chaikin A/D Oscillator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdoscOptions {
    /// Period of the exponential average that is subtracted from.
    pub fast: usize,
    /// Period of the exponential average that is subtracted.
    pub slow: usize,
}

impl Default for VolumeOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            obv: vec![20],
            cumulative: false,
            mfi: vec![14],
            adosc: vec![AdoscOptions::default()],
            cmf: vec![20],
            vwap_distance: vec![20],
            vwap_day: true,
            volume_z: vec![20, 60],
            relative_volume: vec![20],
            amihud: vec![20],
        }
    }
}

impl Default for AdoscOptions {
    fn default() -> Self {
        Self { fast: 3, slow: 10 }
    }
}

impl VolumeOptions {
    fn check(&self) -> Result<(), FeatureError> {
        check_periods("volume.obv", &self.obv, 1)?;
        check_periods("volume.mfi", &self.mfi, 2)?;
        for (index, oscillator) in self.adosc.iter().enumerate() {
            let AdoscOptions { fast, slow } = *oscillator;
            check_period("volume.adosc.fast", fast, 2)?;
            check_period("volume.adosc.slow", slow, 2)?;
            if fast >= slow {
                let remedy = format!("give a period above the fast one, {fast}");
                return Err(FeatureError::spec("volume.adosc.slow", slow, remedy));
            }
            if self.adosc[..index].contains(oscillator) {
                let value = format!("{fast}, {slow}");
                return Err(FeatureError::spec("volume.adosc", value, "name each pair once"));
            }
        }
        check_periods("volume.cmf", &self.cmf, 2)?;
        check_periods("volume.vwap_distance", &self.vwap_distance, 1)?;
        check_periods("volume.volume_z", &self.volume_z, 2)?;
        check_periods("volume.relative_volume", &self.relative_volume, 2)?;
        check_periods("volume.amihud", &self.amihud, 1)
    }

    /// The indicators of these options and what their columns are.
    pub(crate) fn plan(&self) -> Result<Vec<Planned>, FeatureError> {
        if !self.enabled {
            return Ok(vec![]);
        }
        self.check()?;
        let mut planned = vec![];
        planned.extend(self.obv.iter().map(|&period| plan_obv(period)));
        planned.extend(self.cumulative.then(plan_cumulative));
        planned.extend(self.mfi.iter().map(|&period| plan_mfi(period)));
        planned.extend(self.adosc.iter().map(plan_adosc));
        planned.extend(self.cmf.iter().map(|&period| plan_cmf(period)));
        planned.extend(self.vwap_distance.iter().map(|&period| plan_vwap_distance(period)));
        planned.extend(self.vwap_day.then(plan_vwap_day));
        planned.extend(self.volume_z.iter().map(|&period| plan_volume_z(period)));
        planned.extend(self.relative_volume.iter().map(|&period| plan_relative_volume(period)));
        planned.extend(self.amihud.iter().map(|&period| plan_amihud(period)));
        Ok(planned)
    }
}

fn column(name: String, formula: String, source: &'static str) -> ColumnInfo {
    ColumnInfo::new(Group::Volume, name, formula, source)
}

fn plan_obv(period: usize) -> Planned {
    let formula = format!(
        "sum of volume * sign(close - previous close) over {period} candles / sum of volume; 0 without volume"
    );
    let info = column(format!("obv_{period}"), formula, "TA-Lib OBV over a window; Granville 1963")
        .warm_up(period)
        .between(-1.0, 1.0);
    Planned::new(VolumeBalance::new(period), [info])
}

fn plan_cumulative() -> Planned {
    const NO_WARM_UP: &str =
        "; the level depends on where the run begins, so no warm-up makes two runs agree";
    let columns = [
        column(
            "obv".into(),
            format!("sum of volume * sign(close - previous close) since the first candle{NO_WARM_UP}"),
            "TA-Lib OBV; Granville 1963",
        )
        .unit(Unit::Volume),
        column(
            "ad".into(),
            format!(
                "sum of volume * ((close - low) - (high - close)) / (high - low) since the first \
                 candle{NO_WARM_UP}"
            ),
            "TA-Lib AD; Chaikin",
        )
        .unit(Unit::Volume),
    ];
    Planned::new(CumulativeVolume::default(), columns)
}

fn plan_mfi(period: usize) -> Planned {
    let formula = format!(
        "100 * rising / (rising + falling), sums over {period} candles of typical price * volume where the \
         typical price rose or fell; 0 where no money moved"
    );
    let info = column(format!("mfi_{period}"), formula, "TA-Lib MFI; Quong and Soudack 1989")
        .warm_up(period)
        .between(0.0, 100.0);
    Planned::new(MoneyFlowIndex::new(period), [info])
}

/// The averages may begin next to a volume a thousand times the mean one, and have to forget that too.
fn adosc_warm_up(fast: usize, slow: usize) -> usize {
    ChaikinOscillator::lookback(fast, slow) + memory_of(ema_alpha(slow)) * 3 / 2
}

fn plan_adosc(options: &AdoscOptions) -> Planned {
    let &AdoscOptions { fast, slow } = options;
    let formula = format!("EMA(AD, {fast}) - EMA(AD, {slow}), both beginning with the first AD");
    let info = column(format!("adosc_{fast}_{slow}"), formula, "TA-Lib ADOSC; Chaikin")
        .unit(Unit::Volume)
        .warm_up(adosc_warm_up(fast, slow));
    Planned::new(ChaikinOscillator::new(fast, slow), [info])
}

fn plan_cmf(period: usize) -> Planned {
    let formula = format!(
        "sum of volume * ((close - low) - (high - close)) / (high - low) over {period} candles / sum of \
         volume; 0 without volume"
    );
    let info = column(format!("cmf_{period}"), formula, "TA-Lib CMF; Chaikin")
        .warm_up(period - 1)
        .between(-1.0, 1.0);
    Planned::new(ChaikinMoneyFlow::new(period), [info])
}

fn plan_vwap_distance(period: usize) -> Planned {
    let formula = format!(
        "close / vwap - 1, vwap = sum of typical price * volume over {period} candles / sum of volume; 0 \
         without volume"
    );
    let info = column(format!("vwap_distance_{period}"), formula, "volume-weighted average price")
        .warm_up(period - 1)
        .between(-1.0, f64::INFINITY);
    Planned::new(RollingVwapDistance::new(period), [info])
}

fn plan_vwap_day() -> Planned {
    let formula = "close / vwap - 1, vwap = sum of typical price * volume since 00:00 UTC / sum of volume; 0 \
                   without volume; missing until the first midnight of a run";
    let info = column("vwap_day".into(), formula.into(), "volume-weighted average price")
        .waits()
        .between(-1.0, f64::INFINITY);
    Planned::new(DayVwapDistance::default(), [info])
}

fn plan_volume_z(period: usize) -> Planned {
    let formula = format!(
        "(volume - mean) / standard deviation of the volume over {period} candles, this one included; 0 where \
         all are equal"
    );
    let info = column(format!("volume_z_{period}"), formula, "standard score")
        .warm_up(period - 1)
        .between(-largest_score(period), largest_score(period));
    Planned::new(VolumeScore::new(period), [info])
}

fn plan_relative_volume(period: usize) -> Planned {
    let formula =
        format!("volume / mean volume over {period} candles, this one included, - 1; 0 without volume");
    let info = column(format!("relative_volume_{period}"), formula, "ratio to the mean")
        .warm_up(period - 1)
        .between(-1.0, period as f64 - 1.0);
    Planned::new(RelativeVolume::new(period), [info])
}

fn plan_amihud(period: usize) -> Planned {
    let formula = format!(
        "(short - long) / (short + long), means of |ln(close / previous close)| / (close * volume) over \
         {period} and {} candles, without those that traded nothing; 0 where none moved",
        5 * period,
    );
    let info = column(format!("amihud_{period}"), formula, "Amihud 2002, against its own past")
        .warm_up(Illiquidity::lookback(period))
        .between(-1.0, 1.0);
    Planned::new(Illiquidity::new(period), [info])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicator::extreme_series::assert_sound;

    fn names(options: &VolumeOptions) -> Vec<String> {
        let planned = options.plan().unwrap();
        planned.into_iter().flat_map(|planned| planned.columns).map(|info| info.name).collect()
    }

    fn refused(options: &VolumeOptions) -> String {
        options.plan().err().unwrap().to_string()
    }

    #[test]
    fn the_default_columns() {
        assert_eq!(
            names(&VolumeOptions::default()),
            [
                "obv_20",
                "mfi_14",
                "adosc_3_10",
                "cmf_20",
                "vwap_distance_20",
                "vwap_day",
                "volume_z_20",
                "volume_z_60",
                "relative_volume_20",
                "amihud_20",
            ]
        );
    }

    #[test]
    fn options_from_toml() {
        let options: VolumeOptions = toml::from_str(
            "obv = []\ncumulative = true\nmfi = []\ncmf = []\nvwap_distance = []\nvwap_day = false\n\
             volume_z = []\nrelative_volume = []\namihud = [30]\n[[adosc]]\nslow = 12",
        )
        .unwrap();
        assert_eq!(names(&options), ["obv", "ad", "adosc_3_12", "amihud_30"]);
        assert!(toml::from_str::<VolumeOptions>("ad = [3]").is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let options = |change: fn(&mut VolumeOptions)| {
            let mut options = VolumeOptions::default();
            change(&mut options);
            options
        };
        let message = refused(&options(|o| o.adosc[0].slow = 3));
        assert_eq!(message, "`volume.adosc.slow` is 3; give a period above the fast one, 3");
        assert!(refused(&options(|o| o.adosc.push(AdoscOptions::default()))).contains("3, 10"));
        assert!(refused(&options(|o| o.adosc[0].fast = 1)).contains("volume.adosc.fast"));
        assert!(refused(&options(|o| o.volume_z = vec![20, 20])).contains("volume.volume_z"));
        assert!(refused(&options(|o| o.amihud = vec![0])).contains("volume.amihud"));
        assert!(names(&options(|o| (o.enabled, o.obv) = (false, vec![0]))).is_empty());
    }

    #[test]
    fn values_are_finite_and_forget_where_they_began() {
        assert_sound(|| VolumeOptions::default().plan().unwrap());
    }
}
