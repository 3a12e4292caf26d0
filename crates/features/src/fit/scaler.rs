//! Scalers: columns of like size, by what the training rows show.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{TrainingFrame, check_frames, gather};
use crate::buffer::ColumnBuffer;
use crate::error::FeatureError;
use crate::frame::FeatureFrame;

/// How columns are brought to like size, named in the field `scaler`:
///
/// ```
/// use features::ScalerOptions;
/// let options: ScalerOptions = toml::from_str("scaler = \"standard\"\nclip = 4.0")?;
/// assert_eq!(options, ScalerOptions::Standard { clip: Some(4.0) });
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scaler", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScalerOptions {
    /// `(x - mean) / standard deviation` (of the population).
    Standard {
        /// Largest size of a scaled value; larger ones become it.
        #[serde(default)]
        clip: Option<f64>,
    },
    /// `(x - minimum) / (maximum - minimum)`, from 0 to 1 on the training rows.
    MinMax {
        /// Whether values outside the training range become 0 or 1.
        #[serde(default)]
        clip: bool,
    },
    /// `(x - median) / (upper quartile - lower quartile)`, which outliers do not move. Where the quartiles are
    /// equal, as with rare patterns, the standard deviation takes the place of their distance.
    Robust {
        /// Largest size of a scaled value; larger ones become it.
        #[serde(default)]
        clip: Option<f64>,
    },
}

impl Default for ScalerOptions {
    /// Robust, clipped at 5.
    fn default() -> Self {
        Self::Robust { clip: Some(5.0) }
    }
}

/// Centre and size of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnScale {
    /// Name of the column.
    pub name: String,
    /// What is subtracted.
    pub center: f64,
    /// What is divided by; 1 for a column that is constant on the training rows.
    pub scale: f64,
}

/// A fitted scaler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    options: ScalerOptions,
    /// [`FeatureFrame::hash`] of the frames that it was fitted on.
    feature_hash: String,
    /// How many rows it was fitted on.
    rows: usize,
    columns: Vec<ColumnScale>,
}

impl ScalerOptions {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`FeatureError::InvalidSpec`] names the field.
    pub fn validate(&self) -> Result<(), FeatureError> {
        match self {
            Self::Standard { clip: Some(clip) } | Self::Robust { clip: Some(clip) }
                if !(*clip > 0.0 && clip.is_finite()) =>
            {
                Err(FeatureError::spec("clip", clip, "give a number above 0, or leave it out"))
            }
            _ => Ok(()),
        }
    }

    /// Fits centre and size of each column on the training rows of all frames together.
    ///
    /// # Errors
    /// [`FeatureError::TooLittle`] where there are fewer than two rows, [`FeatureError::Mismatch`] where frames
    /// come from different specifications, [`FeatureError::InvalidSpec`].
    pub fn fit(&self, frames: &[TrainingFrame<'_>]) -> Result<Scaler, FeatureError> {
        self.validate()?;
        let feature_hash = check_frames("fitting a scaler", frames, 2)?;
        let rows = frames.iter().map(|frame| frame.rows().len()).sum();
        let mut values = Vec::with_capacity(rows);
        let mut columns = Vec::new();
        if let Some(first) = frames.first() {
            for (index, column) in first.frame().columns().iter().enumerate() {
                gather(frames, index, &mut values);
                let (center, scale) = self.center_and_scale(&mut values);
                columns.push(ColumnScale { name: column.name.clone(), center, scale });
            }
        }
        Ok(Scaler { options: *self, feature_hash, rows, columns })
    }

    fn center_and_scale(&self, values: &mut [f64]) -> (f64, f64) {
        if values.iter().all(|value| *value == values[0]) {
            return (values[0], 1.0);
        }
        let (center, scale) = match self {
            Self::Standard { .. } => mean_and_deviation(values),
            Self::MinMax { .. } => {
                let minimum = smallest(values);
                let maximum = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                (minimum, maximum - minimum)
            }
            Self::Robust { .. } => {
                let [lower, median, upper] = quartiles(values);
                let spread = upper - lower;
                (median, if spread > 0.0 { spread } else { mean_and_deviation(values).1 })
            }
        };
        // A deviation can vanish in rounding where the values differ only in their last bits.
        (center, if scale > 0.0 && scale.is_normal() { scale } else { 1.0 })
    }
}

/// Mean and standard deviation of the population, in two passes.
pub(super) fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}

/// Lower quartile, median and upper quartile with linear interpolation between neighbours (Hyndman & Fan 1996,
/// type 7, as NumPy's default). Reorders the values; there is at least one.
fn quartiles(values: &mut [f64]) -> [f64; 3] {
    let last = values.len() - 1;
    if last < 2 {
        let (low, high) = (values[0].min(values[last]), values[0].max(values[last]));
        return [0.25, 0.5, 0.75].map(|q| low + (high - low) * q);
    }
    let middle = last / 2;
    // What lies below the middle holds the lower quartile, what lies above it the upper one.
    let (below, median_low, above) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let median_low = *median_low;
    let median = if last.is_multiple_of(2) { median_low } else { f64::midpoint(median_low, smallest(above)) };
    let (quarter, share) = (last / 4, (last % 4) as f64 / 4.0);
    let lower = between(below, quarter, share, median_low);
    let (quarter, share) = (3 * last / 4, (3 * last % 4) as f64 / 4.0);
    let upper = match quarter.checked_sub(middle + 1) {
        None => median_low + (smallest(above) - median_low) * share,
        // The largest value has no next one, and no share beyond it is asked for.
        Some(index) => between(above, index, share, f64::INFINITY),
    };
    [lower, median, upper]
}

/// The value at `index` of the sorted values, and `share` of the way to the next one, which is `next` behind the
/// last.
fn between(values: &mut [f64], index: usize, share: f64, next: f64) -> f64 {
    if index >= values.len() {
        return next;
    }
    let (_, value, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let value = *value;
    let next = if above.is_empty() { next } else { smallest(above) };
    if share > 0.0 { value + (next - value) * share } else { value }
}

/// There is no NaN among unmasked values, so a plain comparison will do.
fn smallest(values: &[f64]) -> f64 {
    values.iter().fold(f64::INFINITY, |least, value| if *value < least { *value } else { least })
}

impl Scaler {
    /// How it was fitted.
    pub const fn options(&self) -> &ScalerOptions {
        &self.options
    }

    /// [`FeatureFrame::hash`] of the frames that it was fitted on.
    pub fn feature_hash(&self) -> &str {
        &self.feature_hash
    }

    /// How many rows it was fitted on.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Centre and size of each column.
    pub fn columns(&self) -> &[ColumnScale] {
        &self.columns
    }

    #[inline]
    fn scaled(&self, column: &ColumnScale, value: f64) -> f32 {
        let scaled = (value - column.center) / column.scale;
        let bounded = match self.options {
            ScalerOptions::Standard { clip: Some(clip) } | ScalerOptions::Robust { clip: Some(clip) } => {
                scaled.clamp(-clip, clip)
            }
            ScalerOptions::MinMax { clip: true } => scaled.clamp(0.0, 1.0),
            // A number beyond the range of f32 would become infinite.
            _ => scaled.clamp(-f64::from(f32::MAX), f64::from(f32::MAX)),
        };
        bounded as f32
    }

    /// Scales one row of features, as live.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] where `row` or `out` have another number of columns.
    pub fn scale_row(&self, row: &[f64], out: &mut [f32]) -> Result<(), FeatureError> {
        if row.len() != self.columns.len() || out.len() != row.len() {
            return Err(FeatureError::mismatch(
                "the row to scale",
                format!("{} columns", self.columns.len()),
                format!("{} columns, room for {}", row.len(), out.len()),
            ));
        }
        for ((out, value), column) in out.iter_mut().zip(row).zip(&self.columns) {
            *out = self.scaled(column, *value);
        }
        Ok(())
    }

    /// Scales a whole frame, column by column: to the bit what [`Scaler::scale_row`] gives. Masked rows stay NaN.
    ///
    /// # Errors
    /// [`FeatureError::Mismatch`] for a frame of another specification.
    pub fn scale(&self, frame: &FeatureFrame) -> Result<Vec<ColumnBuffer<f32>>, FeatureError> {
        if frame.hash() != self.feature_hash {
            let what = format!("the frame of {}", frame.key());
            return Err(FeatureError::mismatch(what, &self.feature_hash, frame.hash()));
        }
        let columns = frame.values().iter().zip(&self.columns);
        Ok(columns.map(|(values, column)| self.scale_column(column, values)).collect())
    }

    pub(super) fn scale_column(&self, column: &ColumnScale, values: &[f64]) -> ColumnBuffer<f32> {
        let mut scaled = ColumnBuffer::zeros(values.len());
        for (scaled, value) in scaled.iter_mut().zip(values) {
            *scaled = self.scaled(column, *value);
        }
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_and_sizes_are_those_of_the_textbook() {
        // NumPy: mean 4, std 2.8284271247461903, median 3, quartiles 2 and 4.
        let mut values = [1.0, 2.0, 3.0, 4.0, 10.0];
        let near = |found: (f64, f64), expected: (f64, f64)| {
            (found.0 - expected.0).abs() < 1e-12 && (found.1 - expected.1).abs() < 1e-12
        };
        let standard = ScalerOptions::Standard { clip: None }.center_and_scale(&mut values);
        assert!(near(standard, (4.0, 10.0_f64.sqrt())), "{standard:?}");
        assert_eq!(ScalerOptions::MinMax { clip: false }.center_and_scale(&mut values), (1.0, 9.0));
        assert_eq!(ScalerOptions::default().center_and_scale(&mut values), (3.0, 2.0));
    }

    #[test]
    fn quartiles_are_numpys() {
        // numpy.quantile(values, [.25, .5, .75])
        for (values, expected) in [
            (vec![7.0], [7.0, 7.0, 7.0]),
            (vec![2.0, 1.0], [1.25, 1.5, 1.75]),
            (vec![3.0, 1.0, 2.0], [1.5, 2.0, 2.5]),
            (vec![4.0, 3.0, 2.0, 1.0], [1.75, 2.5, 3.25]),
            (vec![5.0, 4.0, 3.0, 2.0, 1.0], [2.0, 3.0, 4.0]),
            (vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [2.25, 3.5, 4.75]),
            (vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0], [3.0, 8.0, 24.0]),
            (vec![1.0, 1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0], [1.0, 5.0, 9.0]),
        ] {
            let mut shuffled = values.clone();
            let length = shuffled.len();
            shuffled.rotate_left(length / 3);
            assert_eq!(quartiles(&mut shuffled), expected, "{values:?}");
        }
        // Against the definition, on all lengths.
        for length in 1..200_usize {
            let mut values: Vec<f64> = (0..length).map(|index| ((index * 7919) % 1009) as f64).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            let at = |q: f64| {
                let position = q * (length - 1) as f64;
                let below = position.floor() as usize;
                let next = sorted[(below + 1).min(length - 1)];
                sorted[below] + (next - sorted[below]) * (position - below as f64)
            };
            assert_eq!(quartiles(&mut values), [at(0.25), at(0.5), at(0.75)], "{length}");
        }
    }

    #[test]
    fn a_column_that_hardly_varies_does_not_blow_up() {
        let mut rare = [0.0; 100];
        rare[7] = 100.0;
        let (center, scale) = ScalerOptions::default().center_and_scale(&mut rare);
        assert_eq!(center, 0.0);
        assert!((scale - (1.0_f64 * 99.0).sqrt()).abs() < 1e-9, "{scale}");
        assert_eq!(ScalerOptions::default().center_and_scale(&mut [3.0; 5]), (3.0, 1.0));
    }

    #[test]
    fn clipping_bounds_what_training_never_saw() {
        let scaler = |options| Scaler {
            options,
            feature_hash: String::new(),
            rows: 2,
            columns: vec![ColumnScale { name: "x".to_owned(), center: 1.0, scale: 2.0 }],
        };
        for (options, value, expected) in [
            (ScalerOptions::Robust { clip: Some(5.0) }, 1e9, 5.0),
            (ScalerOptions::Standard { clip: Some(5.0) }, -1e9, -5.0),
            (ScalerOptions::Standard { clip: None }, 2.0, 0.5),
            (ScalerOptions::MinMax { clip: true }, 9.0, 1.0),
            (ScalerOptions::MinMax { clip: true }, 0.0, 0.0),
            (ScalerOptions::MinMax { clip: false }, 9.0, 4.0),
            (ScalerOptions::Standard { clip: None }, 1e300, f32::MAX),
        ] {
            let mut out = [0.0];
            scaler(options).scale_row(&[value], &mut out).unwrap();
            assert_eq!(out, [expected], "{options:?} {value}");
        }
        for clip in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(ScalerOptions::Standard { clip: Some(clip) }.validate().is_err());
        }
    }
}
