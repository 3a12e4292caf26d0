//! Paths against closed forms, hand computations and numpy.

use rust_decimal::Decimal;

use super::fan::fan_times;
use super::*;
use crate::luck::{automatic_block_length, generator};

fn close(found: f64, expected: f64, tolerance: f64) {
    let allowed = tolerance * expected.abs();
    assert!((found - expected).abs() <= allowed, "{found} is not {expected} within {allowed}");
}

/// `count` returns whose logarithms have exactly this mean and standard deviation (n − 1).
fn two_valued(count: usize, log_mean: f64, log_deviation: f64) -> Vec<f64> {
    let step = log_deviation * ((count - 1) as f64 / count as f64).sqrt();
    (0..count).map(|row| (log_mean + if row % 2 == 0 { step } else { -step }).exp_m1()).collect()
}

fn normal_returns(count: usize, mean: f64, deviation: f64) -> Vec<f64> {
    use rand_distr::{Distribution, StandardNormal};
    let mut rng = generator(5, "test/returns", 0);
    (0..count)
        .map(|_| {
            let normal: f64 = StandardNormal.sample(&mut rng);
            mean + deviation * normal
        })
        .collect()
}

fn config(method: MonteCarloMethod, paths: usize) -> MonteCarloConfig {
    MonteCarloConfig { method, paths, ..MonteCarloConfig::default() }
}

const METHODS: [MonteCarloMethod; 4] = [
    MonteCarloMethod::Shuffle {},
    MonteCarloMethod::StationaryBootstrap { mean_block: Some(5.0), steps: Some(700) },
    MonteCarloMethod::RandomStart { steps: 100 },
    MonteCarloMethod::Gaussian { steps: Some(2_500) },
];

#[test]
fn a_recorded_path_by_hand() {
    // 1 → 1.1 → 0.88 → 0.968 → 0.6776 → 1.0164, then flat. Peak 1.1, lowest 0.6776: drawdown 1 − 0.6776/1.1 = 0.384.
    let mut returns = vec![0.1, -0.2, 0.1, -0.3, 0.5];
    returns.extend([0.0; 15]);
    let found = monte_carlo(&returns, &config(MonteCarloMethod::Shuffle {}, 1_000)).unwrap();
    close(found.recorded.final_equity, 1.0164, 1e-12);
    close(found.recorded.maximum_drawdown, 0.384, 1e-12);
    // Mean 0.2/20 = 0.01; squares 0.01 + 0.04 + 0.01 + 0.09 + 0.25 = 0.4 less 20 · 0.0001, over 19.
    close(found.recorded.sharpe.unwrap(), 0.01 / (0.398_f64 / 19.0).sqrt(), 1e-9);
    // The first loss is a drawdown from the start: 1 → 0.5.
    let mut losing = vec![-0.5];
    losing.extend([0.0; 19]);
    let found = monte_carlo(&losing, &config(MonteCarloMethod::Shuffle {}, 1_000)).unwrap();
    close(found.recorded.maximum_drawdown, 0.5, 1e-12);
    close(found.maximum_drawdown.p5, 0.5, 1e-12);
    // At the ruin share is ruin, in each order; and each path is a loss.
    assert_eq!((found.probability_of_ruin.share, found.probability_of_loss.share), (1.0, 1.0));
}

#[test]
fn a_shuffle_keeps_the_final_equity_and_changes_the_drawdown() {
    let returns = normal_returns(300, 0.001, 0.02);
    let product: f64 = returns.iter().map(|value| 1.0 + value).product();
    let found = monte_carlo(&returns, &config(MonteCarloMethod::Shuffle {}, 1_000)).unwrap();
    for quantile in [found.final_equity.p5, found.final_equity.median, found.final_equity.p95] {
        close(quantile, product, 1e-12);
    }
    assert!(found.maximum_drawdown.p5 < 0.8 * found.maximum_drawdown.p95);
    assert_eq!(found.probability_of_loss.share, if product < 1.0 { 1.0 } else { 0.0 });
    assert_eq!(found.sharpe.unwrap().p5, found.recorded.sharpe.unwrap());
    close(found.fan.equity[0][199], product, 1e-12);
}

#[test]
fn the_drawdown_of_shuffled_trades_has_its_exact_distribution() {
    // Two losses of one half (L), a gain of 100 % (G) and eighteen trades of nothing. LLG falls to 1/4 of the start and
    // GLL from 2 to 1/2, both by 3/4; LGL falls twice by one half. So one half has the probability 1/3.
    let mut returns = vec![-0.5, -0.5, 1.0];
    returns.extend([0.0; 18]);
    let found = monte_carlo(&returns, &config(MonteCarloMethod::Shuffle {}, 20_000)).unwrap();
    close(found.maximum_drawdown.p25, 0.5, 1e-12);
    close(found.maximum_drawdown.median, 0.75, 1e-12);
    // Ruin at 0.3: LLG alone falls to 0.25 of the start (GLL to 0.5, LGL to 0.5): 1/3, standard error 0.33 %.
    let deep = MonteCarloConfig { ruin_share: 0.3, ..config(MonteCarloMethod::Shuffle {}, 20_000) };
    let ruin = monte_carlo(&returns, &deep).unwrap().probability_of_ruin;
    assert!((ruin.share - 1.0 / 3.0).abs() < 0.012, "{ruin:?}");
    assert!(ruin.low < ruin.share && ruin.share < ruin.high);
}

#[test]
fn bootstrapped_log_equity_has_the_mean_and_variance_of_its_blocks() {
    // Blocks start anywhere alike, so that E ln(final) = steps · mean; with blocks of 1 the variance is steps · σ² (n).
    // Normal enough at 400 steps: median = mean, and p95 − p5 = 2 · 1.6449 standard deviations.
    let returns = normal_returns(200, 0.002, 0.01);
    let logs: Vec<f64> = returns.iter().map(|value| value.ln_1p()).collect();
    let mean = logs.iter().sum::<f64>() / 200.0;
    let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / 200.0;
    let method = MonteCarloMethod::StationaryBootstrap { mean_block: Some(1.0), steps: Some(400) };
    let found = monte_carlo(&returns, &config(method, 10_000)).unwrap();
    let deviation = (400.0 * variance).sqrt();
    assert!((found.final_equity.median.ln() - 400.0 * mean).abs() < 4.0 * 1.2533 * deviation / 100.0);
    let spread = found.final_equity.p95.ln() - found.final_equity.p5.ln();
    close(spread, 2.0 * 1.644_853_6 * deviation, 0.04);
    assert_eq!((found.steps, found.mean_block), (400, Some(1.0)));
    let sample = crate::luck::sharpe_ratio(&returns).unwrap();
    close(found.sharpe.unwrap().median, sample, 0.03);
    // The spread of a Sharpe ratio over 400 normal returns: 2 · 1.6449 · √((1 + SR²/2)/400).
    let sharpe = found.sharpe.unwrap();
    close(sharpe.p95 - sharpe.p5, 2.0 * 1.644_853_6 * ((1.0 + 0.5 * sample * sample) / 400.0).sqrt(), 0.06);
}

#[test]
fn blocks_keep_dependence() {
    // Runs of 25 gains and 25 losses: single draws lose the runs, and with them most of the drawdown.
    let returns: Vec<f64> = (0..1_000).map(|row| if row / 25 % 2 == 0 { 0.01 } else { -0.01 }).collect();
    let median = |mean_block: Option<f64>| {
        let method = MonteCarloMethod::StationaryBootstrap { mean_block, steps: None };
        monte_carlo(&returns, &config(method, 1_000)).unwrap()
    };
    let (single, automatic) = (median(Some(1.0)), median(None));
    assert_eq!(automatic.mean_block, Some(automatic_block_length(&returns).unwrap()));
    assert!(automatic.maximum_drawdown.median > 1.3 * single.maximum_drawdown.median);
}

#[test]
fn normal_paths_fall_as_in_numpy() {
    // l = np.cumsum(default_rng(1).normal(mu, sigma, (100_000, T)), 1); pk = np.maximum(0, np.maximum.accumulate(l, 1))
    // np.quantile(1 - np.exp(-(pk - l).max(1)), [.05, .25, .5, .75, .95]); (exp(min(0, l.min(1))) <= .8).mean();
    // norm.cdf(-mu * sqrt(T) / sigma)
    let cases = [
        (0.0005, 0.01, 500, [0.0939, 0.1259, 0.1581, 0.2015, 0.2851], 0.0705, 0.1318),
        (-0.0002, 0.02, 250, [0.1644, 0.2337, 0.3030, 0.3878, 0.5142], 0.5121, 0.5628),
    ];
    for (mean, deviation, steps, drawdown, ruin, loss) in cases {
        let returns = two_valued(1_000, mean, deviation);
        let method = MonteCarloMethod::Gaussian { steps: Some(steps) };
        let asked = MonteCarloConfig { ruin_share: 0.8, ..config(method, 10_000) };
        let found = monte_carlo(&returns, &asked).unwrap();
        let Quantiles { p5, p25, median, p75, p95 } = found.maximum_drawdown;
        for (found, expected) in [p5, p25, median, p75, p95].into_iter().zip(drawdown) {
            close(found, expected, 0.03);
        }
        // Standard error of a share of 10,000: at most 0.5 %.
        assert!((found.probability_of_ruin.share - ruin).abs() < 0.018, "{:?}", found.probability_of_ruin);
        assert!((found.probability_of_loss.share - loss).abs() < 0.018, "{:?}", found.probability_of_loss);
        close(found.final_equity.median, (mean * steps as f64).exp(), 0.02);
    }
}

#[test]
fn a_random_start_takes_a_piece_of_the_record() {
    // One return of 10 % in the middle, 20 of 0 around it on each side, and pieces of 30 of 41: all contain it.
    let mut returns = vec![0.0; 41];
    returns[20] = 0.1;
    let found = monte_carlo(&returns, &config(MonteCarloMethod::RandomStart { steps: 30 }, 1_000)).unwrap();
    close(found.final_equity.p5, 1.1, 1e-12);
    // Pieces of 10: the starts 11..=20 of 0..=31 contain it, 10 of 32 (standard error 0.65 % of 5,000).
    let found = monte_carlo(&returns, &config(MonteCarloMethod::RandomStart { steps: 10 }, 5_000)).unwrap();
    let without = found.paths_without_sharpe as f64 / 5_000.0;
    assert!((without - 22.0 / 32.0).abs() < 0.026, "{without}");
    assert_eq!((found.final_equity.median, found.probability_of_loss.share), (1.0, 0.0));
    assert!(found.probability_of_loss.high > 0.0, "no loss in 5,000 paths does not exclude one");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let returns = normal_returns(250, 0.001, 0.02);
    for method in METHODS {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| monte_carlo(&returns, &config(method, 1_000)).unwrap())
        };
        let (one, two) = (on(1), on(2));
        assert_eq!(one, two);
        let other = MonteCarloConfig { seed: 1, ..config(method, 1_000) };
        assert_ne!(one.maximum_drawdown, monte_carlo(&returns, &other).unwrap().maximum_drawdown);
    }
}

#[test]
fn a_fan_is_ordered_and_ends_at_the_final_equity() {
    let returns = normal_returns(250, 0.001, 0.02);
    for method in METHODS {
        let found = monte_carlo(&returns, &config(method, 1_000)).unwrap();
        let fan = &found.fan;
        assert!(fan.times.len() <= 200 && fan.times.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((fan.times.first(), fan.times.last()), (Some(&0), Some(&found.steps)));
        for (level, quantiles) in fan.equity.iter().enumerate() {
            assert_eq!((quantiles.len(), quantiles[0]), (fan.times.len(), 1.0));
            if let Some(above) = fan.equity.get(level + 1) {
                assert!(quantiles.iter().zip(above).all(|(low, high)| low <= high));
            }
        }
        let last = |level: usize| *fan.equity[level].last().unwrap();
        let Quantiles { p5, median, p95, .. } = found.final_equity;
        assert_eq!((last(0), last(2), last(4)), (p5, median, p95));
    }
    assert_eq!(fan_times(4), [0, 1, 2, 3, 4]);
    assert_eq!((fan_times(100_000).len(), fan_times(100_000)[1]), (200, 502));
}

#[test]
fn a_constant_growth_with_one_step_fans_out_along_it() {
    // All returns 1 % but one of 2 %: after t steps the shuffled equity is 1.01^t, or 1.02/1.01 times that.
    let mut returns = vec![0.01; 50];
    returns[7] = 0.02;
    let found = monte_carlo(&returns, &config(MonteCarloMethod::Shuffle {}, 1_000)).unwrap();
    for (at, time) in found.fan.times.iter().enumerate().take(50).skip(1) {
        let usual = 1.01_f64.powi(*time as i32);
        let median = if *time < 21 { usual } else { usual * 1.02 / 1.01 };
        if !(21..30).contains(time) {
            close(found.fan.equity[2][at], median, 1e-12);
        }
    }
    assert_eq!(found.maximum_drawdown.p95, 0.0);
}

#[test]
fn returns_of_bars_and_trades_by_hand() {
    let amounts = |values: &[i64]| values.iter().map(|value| Decimal::new(*value, 1)).collect::<Vec<_>>();
    // 100 → 110 → 99 → 99
    assert_eq!(bar_returns(&amounts(&[1_000, 1_100, 990, 990])).unwrap(), [0.1, -0.1, 0.0]);
    // Profits of 10, −11 and 9.9 on 100, 110 and 99.
    assert_eq!(trade_returns(&amounts(&[100, -110, 99]), Decimal::from(100)).unwrap(), [0.1, -0.1, 0.1]);
    let says = |error: crate::SimError, words: &str| assert!(error.to_string().contains(words), "{error}");
    says(bar_returns(&amounts(&[1_000])).unwrap_err(), "1 points");
    says(bar_returns(&amounts(&[1_000, 0])).unwrap_err(), "point 1 is 0 or less");
    says(trade_returns(&amounts(&[-1_000, 1]), Decimal::from(100)).unwrap_err(), "equity before trade 1");
}

#[test]
fn what_cannot_be_resampled_is_refused_in_words() {
    let fine = normal_returns(50, 0.0, 0.01);
    let says = |returns: &[f64], config: MonteCarloConfig, words: &str| {
        let error = monte_carlo(returns, &config).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let usual = MonteCarloConfig::default();
    let with = |row: usize, value: f64| {
        let mut returns = fine.clone();
        returns[row] = value;
        returns
    };
    says(&[], usual, "20 or more");
    says(&fine[..19], usual, "20 or more");
    says(&[0.01; 50], usual, "all equal");
    says(&with(3, f64::NAN), usual, "row 3 is not a finite number");
    says(&with(4, -1.0), usual, "row 4 is -1: the equity was lost");
    says(&fine, MonteCarloConfig { paths: 999, ..usual }, "monte_carlo.paths = 999");
    says(&fine, MonteCarloConfig { paths: 100_001, ..usual }, "monte_carlo.paths");
    says(&fine, MonteCarloConfig { ruin_share: 1.0, ..usual }, "monte_carlo.ruin_share = 1");
    says(&fine, config(MonteCarloMethod::RandomStart { steps: 50 }, 1_000), "no choice of a start");
    says(&fine, config(MonteCarloMethod::RandomStart { steps: 1 }, 1_000), "monte_carlo.method.steps = 1");
    let block =
        |mean_block| MonteCarloMethod::StationaryBootstrap { mean_block: Some(mean_block), steps: None };
    says(&fine, config(block(0.5), 1_000), "monte_carlo.method.mean_block = 0.5");
    says(&fine, config(block(51.0), 1_000), "more than the record's 50");
    let growing: Vec<f64> = fine.iter().map(|value| (1.0 + value.abs()) * 1e12).collect();
    says(&growing, config(MonteCarloMethod::Shuffle {}, 1_000), "range of numbers");
}

#[test]
fn intervals_of_shares_are_wilsons() {
    // z²/(n + z²) where none of n is counted: 3.8415/1,003.84; 10 of 100: 0.0552 to 0.1744 (Wilson's score interval).
    let none = PathShare::of(0, 1_000);
    assert_eq!((none.share, none.low), (0.0, 0.0));
    close(none.high, 0.003_826_8, 1e-4);
    let tenth = PathShare::of(10, 100);
    close(tenth.low, 0.0552, 1e-3);
    close(tenth.high, 0.1744, 1e-3);
    assert_eq!(PathShare::of(1_000, 1_000).high, 1.0);
}

#[test]
fn settings_are_read_and_unknown_ones_refused() {
    let text =
        "paths = 2000\nruin_share = 0.3\n[method]\nkind = \"stationary-bootstrap\"\nmean_block = 12.5\n";
    let read: MonteCarloConfig = toml::from_str(text).unwrap();
    let method = MonteCarloMethod::StationaryBootstrap { mean_block: Some(12.5), steps: None };
    assert_eq!(read, MonteCarloConfig { paths: 2_000, ruin_share: 0.3, method, seed: 0 });
    assert!(toml::from_str::<MonteCarloConfig>("[method]\nkind = \"shuffle\"\nsteps = 3\n").is_err());
    assert!(toml::from_str::<MonteCarloConfig>("path = 3").is_err());
}
