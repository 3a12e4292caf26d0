//! Confidence interval of the mean of values that depend on each other in time.

use rand_distr::{Distribution, Geometric, Uniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::SupervisedError;
use crate::random::generator;

/// How the interval of [`block_bootstrap`] is found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BootstrapConfig {
    /// Mean length of a block in rows, from 1. Take it at least as long as the values depend on each other:
    /// the reach of a label ahead, or the length of a regime if that shows in the values. 1 takes rows for
    /// independent. The default is a day of candles of five minutes.
    pub block_length: usize,
    /// Number of resamples, from 100. With 1000 the limits are off by some 2 % of the width of the interval.
    pub resamples: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for BootstrapConfig {
    fn default() -> Self {
        Self { block_length: 288, resamples: 1000, seed: 0 }
    }
}

impl BootstrapConfig {
    /// Refuses an empty block and too few resamples.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        if self.block_length == 0 {
            let remedy = "give the mean number of rows in a block, from 1";
            return Err(SupervisedError::config("block_length", self.block_length, remedy));
        }
        if self.resamples < 100 {
            let remedy = "give at least 100; fewer do not show where 2.5 % of them lie";
            return Err(SupervisedError::config("resamples", self.resamples, remedy));
        }
        Ok(())
    }
}

/// A mean and how far it may be off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapInterval {
    /// Number of values.
    pub rows: u64,
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation of the resampled means.
    pub standard_error: f64,
    /// 2.5th percentile of the resampled means.
    pub lower: f64,
    /// 97.5th percentile of the resampled means.
    pub upper: f64,
}

/// 95 % interval of the mean over all values of all `series`, by the stationary bootstrap (Politis and Romano
/// 1994, "The stationary bootstrap", section 2) with percentiles.
///
/// A resample has as many rows as the data. It is made of blocks that begin at a row drawn from all rows and
/// whose lengths are geometric with the mean `block_length`. After the last row of a series a block goes on
/// at the first row of the same series, never in another one; so all rows weigh alike however long their
/// series are, and the resampled means are centred at the mean.
///
/// Blocks of different series are drawn apart from each other. Series of the same time that move together
/// (several symbols) must first be made one: average their values time by time, or the interval comes out too
/// narrow. It also does so with fewer than some thirty blocks, by about a tenth with twenty.
///
/// The result is the same for any number of threads.
///
/// # Errors
/// [`SupervisedError::Config`] as [`BootstrapConfig::validate`]; [`SupervisedError::Data`] for a value that
/// is not finite, whose series and row it names, and for fewer rows than two blocks.
pub fn block_bootstrap(
    series: &[&[f64]],
    config: &BootstrapConfig,
) -> Result<BootstrapInterval, SupervisedError> {
    config.validate()?;
    for (number, values) in series.iter().enumerate() {
        if let Some(row) = values.iter().position(|value| !value.is_finite()) {
            let what = format!("values, series {number}, row {row}");
            return Err(SupervisedError::data(what, format!("{} is not finite", values[row])));
        }
    }
    let rows: usize = series.iter().map(|values| values.len()).sum();
    if rows < config.block_length.saturating_mul(2).max(2) {
        let reason = format!("{rows} rows are fewer than two blocks of {}", config.block_length);
        return Err(SupervisedError::data("values", reason));
    }
    let mean = series.iter().copied().flatten().sum::<f64>() / rows as f64;
    let sums = SeriesSums::new(series, mean);
    let (start, length) = distributions(rows, config.block_length)?;
    let draw = |index: usize| {
        let mut rng = generator(config.seed, "block-bootstrap", index as u64);
        let (mut sum, mut left) = (0.0, rows);
        while left > 0 {
            let beyond_first = usize::try_from(length.sample(&mut rng)).unwrap_or(usize::MAX);
            let block = beyond_first.saturating_add(1).min(left);
            sum += sums.block(start.sample(&mut rng), block);
            left -= block;
        }
        sum / rows as f64
    };
    let mut deviations: Vec<f64> = (0..config.resamples).into_par_iter().map(draw).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    Ok(BootstrapInterval {
        rows: rows as u64,
        mean,
        standard_error: standard_deviation(&deviations),
        lower: mean + percentile(&deviations, 0.025),
        upper: mean + percentile(&deviations, 0.975),
    })
}

/// Where a block begins, and by how many rows it exceeds one.
pub(crate) fn distributions(
    rows: usize,
    block_length: usize,
) -> Result<(Uniform<usize>, Geometric), SupervisedError> {
    let start = Uniform::new(0, rows).map_err(|error| SupervisedError::data("values", error.to_string()))?;
    let length = Geometric::new(1.0 / block_length as f64)
        .map_err(|error| SupervisedError::config("block_length", block_length, &error.to_string()))?;
    Ok((start, length))
}

/// Running sums of the deviations from the mean, by which the sum of a block costs two look-ups.
struct SeriesSums {
    /// First row of each series among all rows.
    first: Vec<usize>,
    /// `running[row + 1] − running[first]`: sum of the series up to and with `row`. One element more than
    /// rows.
    running: Vec<f64>,
}

impl SeriesSums {
    fn new(series: &[&[f64]], mean: f64) -> Self {
        let mut first = Vec::with_capacity(series.len());
        let mut running = vec![0.0];
        let mut sum = 0.0;
        for values in series.iter().filter(|values| !values.is_empty()) {
            first.push(running.len() - 1);
            for value in *values {
                sum += value - mean;
                running.push(sum);
            }
        }
        Self { first, running }
    }

    /// Sum of `length` rows from `start`, around the end of its own series.
    fn block(&self, start: usize, length: usize) -> f64 {
        let next = self.first.partition_point(|&first| first <= start);
        let first = self.first[next - 1];
        let end = self.first.get(next).copied().unwrap_or(self.running.len() - 1);
        let between = |from: usize, to: usize| self.running[to] - self.running[from];
        let before_end = end - start;
        if length <= before_end {
            return between(start, start + length);
        }
        let around = length - before_end;
        let (turns, rest) = (around / (end - first), around % (end - first));
        between(start, end) + turns as f64 * between(first, end) + between(first, first + rest)
    }
}

pub(crate) fn standard_deviation(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (count - 1.0)).sqrt()
}

/// Percentile of sorted values with linear interpolation (Hyndman and Fan 1996, definition 7; NumPy's
/// default).
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (position - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use rand_distr::StandardNormal;

    use super::*;

    /// First-order autoregression with mean 0 and innovations of variance 1, after it has run in.
    fn autoregression(coefficient: f64, rows: usize, index: u64) -> Vec<f64> {
        let mut rng = generator(5, "test/autoregression", index);
        let mut value = 0.0;
        let mut step = || {
            let innovation: f64 = StandardNormal.sample(&mut rng);
            value = coefficient * value + innovation;
            value
        };
        (0..50).for_each(|_| {
            step();
        });
        (0..rows).map(|_| step()).collect()
    }

    /// Variance of the resampled mean in closed form: Lemma 1 of Politis and Romano (1994), whose circular
    /// covariances are taken within each series.
    fn exact_standard_error(series: &[&[f64]], block_length: usize) -> f64 {
        let rows: usize = series.iter().map(|values| values.len()).sum();
        let mean = series.iter().copied().flatten().sum::<f64>() / rows as f64;
        let covariance = |lag: usize| {
            let of_series = |values: &&[f64]| -> f64 {
                (0..values.len())
                    .map(|row| (values[row] - mean) * (values[(row + lag) % values.len()] - mean))
                    .sum()
            };
            series.iter().map(of_series).sum::<f64>() / rows as f64
        };
        let goes_on = 1.0 - 1.0 / block_length as f64;
        let weight = |lag: usize| 2.0 * (1.0 - lag as f64 / rows as f64) * goes_on.powi(lag as i32);
        let variance = covariance(0) + (1..rows).map(|lag| weight(lag) * covariance(lag)).sum::<f64>();
        (variance / rows as f64).sqrt()
    }

    #[test]
    fn standard_error_is_that_of_the_closed_form() {
        let long = autoregression(0.7, 300, 0);
        let short = [1.5, 2.5, 1.0];
        let opposite: Vec<f64> = long.iter().take(90).map(|value| -2.0 - value).collect();
        let sets: [&[&[f64]]; 3] = [&[&long], &[&long, &[], &opposite], &[&short, &opposite, &short]];
        for series in sets {
            for block_length in [1, 6, 25] {
                let config = BootstrapConfig { block_length, resamples: 6000, seed: 3 };
                let seen = block_bootstrap(series, &config).unwrap();
                let wanted = exact_standard_error(series, block_length);
                // The deviation of a standard deviation from 6000 draws is 0.9 %.
                assert!((seen.standard_error / wanted - 1.0).abs() < 0.035, "{seen:?}, not {wanted}");
                // The mean of many rows is nearly normal: ±1.96 about the mean. That of few and odd ones is
                // skewed.
                if seen.rows >= 300 {
                    let (half, centre) = ((seen.upper - seen.lower) / 2.0, (seen.upper + seen.lower) / 2.0);
                    assert!((half / wanted / 1.96 - 1.0).abs() < 0.08, "{seen:?}");
                    assert!((centre - seen.mean).abs() < 0.25 * wanted, "{seen:?}");
                }
            }
        }
    }

    /// Share of 400 samples whose interval holds the true mean 0.
    fn coverage(block_length: usize) -> f64 {
        let covers = |index: &u64| {
            let values = autoregression(0.6, 600, 1000 + index);
            let config = BootstrapConfig { block_length, resamples: 200, seed: *index };
            let interval = block_bootstrap(&[&values], &config).unwrap();
            interval.lower <= 0.0 && 0.0 <= interval.upper
        };
        (0..400).filter(covers).count() as f64 / 400.0
    }

    #[test]
    fn dependent_rows_need_blocks() {
        // The true deviation of the mean is twice that of independent rows: they cover P(|z| < 0.98) = 67 %.
        let independent = coverage(1);
        assert!((0.60..0.75).contains(&independent), "{independent}");
        let blocks = coverage(30);
        assert!((0.89..=0.98).contains(&blocks), "{blocks}");
    }

    #[test]
    fn any_number_of_threads_draws_the_same() {
        let values = autoregression(0.5, 500, 1);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let config = BootstrapConfig { block_length: 10, ..BootstrapConfig::default() };
            pool.install(|| block_bootstrap(&[&values], &config).unwrap())
        };
        assert_eq!(run(1), run(3));
        let other = BootstrapConfig { block_length: 10, seed: 1, ..BootstrapConfig::default() };
        assert_ne!(run(1), block_bootstrap(&[&values], &other).unwrap());
    }

    #[test]
    fn blocks_turn_at_the_end_of_their_own_series() {
        let sums = SeriesSums::new(&[&[1.0, 2.0], &[], &[10.0, 20.0, 40.0], &[500.0]], 0.0);
        assert_eq!(sums.block(0, 2), 3.0);
        assert_eq!(sums.block(1, 2), 3.0);
        assert_eq!(sums.block(1, 4), 6.0 - 1.0 + 1.0);
        assert_eq!(sums.block(3, 2), 60.0);
        assert_eq!(sums.block(4, 9), 3.0 * 70.0);
        assert_eq!(sums.block(4, 8), 3.0 * 70.0 - 20.0);
        assert_eq!(sums.block(5, 3), 1500.0);
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        // numpy.percentile([1, 2, 4, 8, 16], [2.5, 97.5])
        let sorted = [1.0, 2.0, 4.0, 8.0, 16.0];
        assert!((percentile(&sorted, 0.025) - 1.1).abs() < 1e-12);
        assert!((percentile(&sorted, 0.975) - 15.2).abs() < 1e-12);
        assert_eq!(percentile(&sorted, 1.0), 16.0);
    }

    #[test]
    fn what_has_no_interval_is_refused() {
        let config = |block_length, resamples| BootstrapConfig { block_length, resamples, seed: 0 };
        let bad = |values: &[&[f64]], config| block_bootstrap(values, &config).unwrap_err().to_string();
        assert!(bad(&[&[1.0; 9]], config(0, 100)).contains("`block_length` is 0"));
        assert!(bad(&[&[1.0; 9]], config(1, 99)).contains("`resamples` is 99"));
        assert!(bad(&[&[1.0; 9]], config(5, 100)).contains("fewer than two blocks of 5"));
        assert!(bad(&[], config(1, 100)).contains("0 rows"));
        assert!(bad(&[&[1.0], &[2.0, f64::NAN]], config(1, 100)).contains("series 1, row 1"));
        let text = toml::to_string(&config(7, 100)).unwrap();
        assert_eq!(toml::from_str::<BootstrapConfig>(&text).unwrap(), config(7, 100));
        assert_eq!(toml::from_str::<BootstrapConfig>("").unwrap(), BootstrapConfig::default());
    }
}
