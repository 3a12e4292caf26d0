//! Test-time augmentation: declared transforms of scaled feature rows. A [`Predictor`](crate::Predictor) takes the mean
//! of the logits that a network gives for them.
//!
//! A transform sees one row, its open time and its own place in the list, nothing else. So a batch of windows
//! and a live stream that steps row by row get the same inputs to the bit, whichever rows came before and in
//! whatever order rows are worked on. Random numbers depend on seed, open time and place only: a row has the
//! same noise in every window that contains it, and rows of different series with one open time share it.

use rand::RngExt;
use rand_distr::StandardNormal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;
use crate::random::generator;

/// One way in which rows are changed before a network sees them, named in its field `transform`:
///
/// ```toml
/// transform = "noise"
/// deviation = 0.02
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "transform", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Transform {
    // With braces, since serde would let unknown fields of a unit variant pass.
    /// The rows as they are.
    Identity {},
    /// Independent Gaussian noise on every feature.
    Noise {
        /// Standard deviation in units of the scaled features, at least 0.
        deviation: f32,
    },
    /// All features times one factor.
    Scale {
        /// The factor, above 0; 1 changes nothing.
        factor: f32,
    },
    /// Some columns set to 0, the mean of scaled features; the same ones in every row.
    MaskColumns {
        /// Share of the columns, in [0, 1); the number of columns is rounded to the nearest, a half upwards.
        share: f64,
    },
}

impl Transform {
    /// Refuses values outside their range; `field` is the name in messages.
    fn validate(&self, field: &str) -> Result<(), SupervisedError> {
        let refuse = |part: &str, value: String, remedy: &str| {
            Err(SupervisedError::config(&format!("{field}.{part}"), value, remedy))
        };
        match *self {
            Self::Noise { deviation } if !(deviation.is_finite() && deviation >= 0.0) => {
                refuse("deviation", deviation.to_string(), "give a finite standard deviation of at least 0")
            }
            Self::Scale { factor } if !(factor.is_finite() && factor > 0.0) => {
                refuse("factor", factor.to_string(), "give a finite factor above 0")
            }
            Self::MaskColumns { share } if !(0.0..1.0).contains(&share) => {
                refuse("share", share.to_string(), "give a share of the columns from 0 to below 1")
            }
            _ => Ok(()),
        }
    }

    /// Changes one row of scaled features, `[features]`, in place.
    ///
    /// `open_time_millis` is the open time of the row's candle (milliseconds since 1970), `index` the place
    /// of this transform in its list, `seed` that of the run. The same arguments give the same bits.
    pub fn apply(&self, row: &mut [f32], open_time_millis: i64, index: usize, seed: u64) {
        match *self {
            Self::Identity {} => {}
            Self::Noise { deviation } => {
                // Gives different numbers for all open times of less than 47 bits (the year 6429) and 65536
                // places.
                let number = (open_time_millis as u64).rotate_left(16) ^ index as u64;
                let mut rng = generator(seed, "transform/noise", number);
                for value in row {
                    *value += deviation * rng.sample::<f32, _>(StandardNormal);
                }
            }
            Self::Scale { factor } => row.iter_mut().for_each(|value| *value *= factor),
            Self::MaskColumns { share } => {
                // Selection sampling (Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S):
                // exactly as many as wanted, each set as likely, and nothing to store.
                let mut rng = generator(seed, "transform/mask-columns", index as u64);
                let columns = row.len();
                let mut wanted = (share * columns as f64).round() as usize;
                for (column, value) in row.iter_mut().enumerate() {
                    if wanted > 0 && rng.random_range(0..columns - column) < wanted {
                        *value = 0.0;
                        wanted -= 1;
                    }
                }
            }
        }
    }
}

/// The transforms whose logits are averaged, in order. A network runs once for each. The default is
/// the identity alone: no test-time augmentation.
///
/// The identity counts as one of the list only if it is written there:
///
/// ```toml
/// transforms = [
///     { transform = "identity" },
///     { transform = "noise", deviation = 0.02 },
///     { transform = "scale", factor = 0.95 },
///     { transform = "scale", factor = 1.05 },
/// ]
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transforms(pub Vec<Transform>);

impl Default for Transforms {
    fn default() -> Self {
        Self(vec![Transform::Identity {}])
    }
}

impl Transforms {
    /// Refuses an empty list, one of more than 64 transforms (a network runs once for each), and values out
    /// of range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let count = self.0.len();
        if !(1..=64).contains(&count) {
            let value = format!("a list of {count}");
            return Err(SupervisedError::config("transforms", value, "give 1 to 64 transforms"));
        }
        self.0.iter().enumerate().try_for_each(|(index, one)| one.validate(&format!("transforms[{index}]")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OPEN: i64 = 1_700_000_000_000;

    fn applied(transform: Transform, row: &[f32], open_time: i64, index: usize, seed: u64) -> Vec<f32> {
        let mut row = row.to_vec();
        transform.apply(&mut row, open_time, index, seed);
        row
    }

    #[test]
    fn noise_depends_on_seed_time_and_place_and_on_nothing_else() {
        let noise = Transform::Noise { deviation: 0.5 };
        let base = applied(noise, &[0.0; 8], OPEN, 1, 2);
        assert_eq!(base, applied(noise, &[0.0; 8], OPEN, 1, 2));
        // A row with other values gets the same noise.
        let shifted = applied(noise, &[64.0; 8], OPEN, 1, 2);
        assert!(base.iter().zip(&shifted).all(|(a, b)| (a - (b - 64.0)).abs() < 1e-5));
        for other in [(OPEN + 1, 1, 2), (OPEN + 60_000, 1, 2), (-OPEN, 1, 2), (OPEN, 0, 2), (OPEN, 1, 3)] {
            assert_ne!(base, applied(noise, &[0.0; 8], other.0, other.1, other.2));
        }
    }

    #[test]
    fn noise_has_the_asked_deviation_and_is_independent_over_time() {
        let noise = Transform::Noise { deviation: 0.1 };
        let rows: Vec<Vec<f32>> =
            (0..20_000).map(|row| applied(noise, &[0.0; 5], OPEN + row * 60_000, 1, 0)).collect();
        let values: Vec<f64> = rows.concat().iter().map(|&x| f64::from(x) / 0.1).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square = values.iter().map(|x| x * x).sum::<f64>() / n;
        assert!(
            mean.abs() < 5.0 / n.sqrt() && (square - 1.0).abs() < 5.0 * (2.0 / n).sqrt(),
            "{mean} {square}"
        );
        let next = values.iter().zip(&values[5..]).map(|(a, b)| a * b).sum::<f64>() / n;
        assert!(next.abs() < 5.0 / n.sqrt(), "{next}");
    }

    #[test]
    fn masked_columns_are_fixed_as_many_as_asked_and_each_as_likely() {
        let mask = Transform::MaskColumns { share: 0.3 };
        let masked = |index, seed| -> Vec<usize> {
            let row = applied(mask, &[1.0; 10], OPEN, index, seed);
            (0..10).filter(|&column| row[column] == 0.0).collect()
        };
        let mut times = [0_u32; 10];
        for seed in 0..2_000 {
            let columns = masked(2, seed);
            assert_eq!(columns.len(), 3);
            columns.iter().for_each(|&column| times[column] += 1);
        }
        // Binomial(2000, 0.3): mean 600, deviation 20.5.
        assert!(times.iter().all(|count| (500..700).contains(count)), "{times:?}");
        assert_eq!(applied(mask, &[1.0; 10], OPEN, 1, 7), applied(mask, &[1.0; 10], OPEN + 60_000, 1, 7));
        assert!((0..20).any(|index| masked(index, 7) != masked(20, 7)));
    }

    proptest! {
        #[test]
        fn what_does_nothing_changes_no_bit(
            bits in prop::collection::vec(any::<u32>(), 0..20), time: i64, seed: u64,
        ) {
            // Scaled features are finite; a product with a signalling NaN may change its bits.
            let row: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).filter(|x| x.is_finite()).collect();
            let before: Vec<u32> = row.iter().map(|x| x.to_bits()).collect();
            let mask = Transform::MaskColumns { share: 0.0 };
            for nothing in [Transform::Identity {}, Transform::Scale { factor: 1.0 }, mask] {
                let after = applied(nothing, &row, time, 3, seed);
                prop_assert_eq!(after.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), &before[..]);
            }
            prop_assert_eq!(applied(Transform::Noise { deviation: 0.0 }, &row, time, 3, seed), row);
        }
    }

    #[test]
    fn scale_by_hand() {
        assert_eq!(applied(Transform::Scale { factor: 0.5 }, &[2.0, -4.0], OPEN, 0, 0), [1.0, -2.0]);
    }

    #[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct File {
        transforms: Transforms,
    }

    #[test]
    fn files_declare_transforms() {
        let text = r#"transforms = [{ transform = "identity" }, { transform = "noise", deviation = 0.02 },
            { transform = "scale", factor = 0.95 }, { transform = "mask-columns", share = 0.1 }]"#;
        let file: File = toml::from_str(text).unwrap();
        file.transforms.validate().unwrap();
        assert_eq!(file.transforms.0[3], Transform::MaskColumns { share: 0.1 });
        assert_eq!(toml::from_str::<File>(&toml::to_string(&file).unwrap()).unwrap(), file);
        assert_eq!(toml::from_str::<File>("").unwrap().transforms.0, [Transform::Identity {}]);
        for unknown in [
            r#"transforms = [{ transform = "identity", deviation = 0.1 }]"#,
            r#"transforms = [{ transform = "noise", deviations = 0.1 }]"#,
            r#"transforms = [{ transform = "noise", deviation = 0.1, factor = 2.0 }]"#,
            r#"transforms = [{ transform = "rotate" }]"#,
        ] {
            assert!(toml::from_str::<File>(unknown).is_err(), "{unknown}");
        }
        for wrong in [
            vec![],
            vec![Transform::Identity {}; 65],
            vec![Transform::Noise { deviation: f32::NAN }],
            vec![Transform::Noise { deviation: -0.1 }],
            vec![Transform::Scale { factor: 0.0 }],
            vec![Transform::MaskColumns { share: 1.0 }],
        ] {
            assert!(Transforms(wrong).validate().is_err());
        }
    }
}
