//! Synthetic markets against their laws: sample moments, fingerprints of real markets, calibration.
//!
//! Tolerances are 4.5 standard errors, estimated from the sample itself, at fixed seeds: a test that
//! fails here has found a wrong formula or a wrong generator, not bad luck.

use market_data::synthetic::{
    BayesOptimum, CandleStyle, CoxIngersollRoss, FractionalBrownianMotion, GeometricBrownianMotion, Heston,
    MarketShape, MertonJumpDiffusion, NoiseMarket, OrnsteinUhlenbeck, PlantedMarket, PriceModel, Regime,
    RegimeMarket, SyntheticMarket, generator,
};
use market_data::{CandleSeries, Timeframe};

const ERRORS: f64 = 4.5;

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// The mean of independent `values` is `expected`, within the sample's own standard error.
fn assert_mean(what: &str, values: &[f64], expected: f64) {
    let error = deviation(values) / (values.len() as f64).sqrt();
    let seen = mean(values);
    assert!(
        (seen - expected).abs() < ERRORS * error,
        "{what}: {seen:e}, expected {expected:e}, standard error {error:e}"
    );
    // A sample so noisy that it could not have failed proves nothing.
    assert!(expected == 0.0 || error < 0.2 * expected.abs(), "{what}: too few samples to tell");
}

/// Means over blocks so long that they are nearly independent, for serially dependent values.
fn blocks(values: &[f64], length: usize) -> Vec<f64> {
    values.chunks_exact(length).map(mean).collect()
}

fn powers(values: &[f64], centre: f64, power: i32) -> Vec<f64> {
    values.iter().map(|x| (x - centre).powi(power)).collect()
}

fn products(values: &[f64], centre: f64, lag: usize) -> Vec<f64> {
    values.windows(lag + 1).map(|w| (w[0] - centre) * (w[lag] - centre)).collect()
}

fn log_returns(prices: &[f64]) -> Vec<f64> {
    prices.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect()
}

fn correlation(xs: &[f64], ys: &[f64]) -> f64 {
    let (mx, my) = (mean(xs), mean(ys));
    let sum: f64 = xs.iter().zip(ys).map(|(x, y)| (x - mx) * (y - my)).sum();
    sum / xs.len() as f64 / (deviation(xs) * deviation(ys))
}

fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    correlation(&values[..values.len() - lag], &values[lag..])
}

fn sizes(values: &[f64]) -> Vec<f64> {
    values.iter().map(|x| x.abs()).collect()
}

fn excess_kurtosis(values: &[f64]) -> f64 {
    mean(&powers(values, mean(values), 4)) / deviation(values).powi(4) - 3.0
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank as f64;
    }
    ranks
}

fn ranges(series: &CandleSeries) -> Vec<f64> {
    let columns = series.columns();
    columns.high.iter().zip(&columns.low).map(|(high, low)| (high / low).ln()).collect()
}

#[test]
fn geometric_brownian_motion() {
    let process = GeometricBrownianMotion { start: 50.0, drift: 0.8, volatility: 0.7 };
    process.validate().unwrap();
    let dt = 1.0 / 365.0;
    let returns = log_returns(&process.simulate(200_000, dt, &mut generator(1, "moments/gbm", 0)));
    let centre = process.log_return_mean(dt);
    assert_mean("mean log return", &returns, centre);
    assert_mean("variance", &powers(&returns, centre, 2), process.log_return_variance(dt));
    assert_mean("skew", &powers(&returns, centre, 3), 0.0);
    assert_mean("autocovariance", &products(&returns, centre, 1), 0.0);
    let ends: Vec<f64> = (0..40_000)
        .map(|path| process.simulate(2, 0.25, &mut generator(1, "moments/gbm-ends", path))[2])
        .collect();
    assert_mean("E[S]", &ends, process.mean(0.5));
    assert_mean("Var[S]", &powers(&ends, process.mean(0.5), 2), process.variance(0.5));
}

#[test]
fn merton_jump_diffusion() {
    let process = MertonJumpDiffusion {
        jump_intensity: 60.0,
        jump_mean: -0.03,
        jump_deviation: 0.04,
        drift: 0.5,
        ..Default::default()
    };
    process.validate().unwrap();
    let dt = 2.0 / 365.0;
    let returns = log_returns(&process.simulate(400_000, dt, &mut generator(1, "moments/merton", 0)));
    let (centre, variance) = (process.log_return_mean(dt), process.log_return_variance(dt));
    assert_mean("mean log return", &returns, centre);
    assert_mean("variance", &powers(&returns, centre, 2), variance);
    let standard: Vec<f64> = returns.iter().map(|r| (r - centre) / variance.sqrt()).collect();
    let (skewness, kurtosis) = (process.log_return_skewness(dt), process.log_return_excess_kurtosis(dt));
    assert!(skewness < -0.3 && kurtosis > 0.6, "{skewness} {kurtosis}");
    assert_mean("skewness", &powers(&standard, 0.0, 3), skewness);
    assert_mean("kurtosis", &powers(&standard, 0.0, 4), kurtosis + 3.0);
    let ends: Vec<f64> = (0..40_000)
        .map(|path| process.simulate(1, 0.5, &mut generator(1, "moments/merton-ends", path))[1])
        .collect();
    assert_mean("E[S]", &ends, process.mean(0.5));
}

#[test]
fn ornstein_uhlenbeck() {
    let process = OrnsteinUhlenbeck { start: 0.5, reversion_speed: 12.0, mean: 0.5, volatility: 0.6 };
    process.validate().unwrap();
    let dt = 0.05;
    let path = process.simulate(400_000, dt, &mut generator(1, "moments/ou", 0));
    assert_mean("mean", &blocks(&path, 100), 0.5);
    let squares = powers(&path, 0.5, 2);
    assert_mean("variance", &blocks(&squares, 100), process.stationary_variance());
    for lag in [1, 2, 3] {
        let covariances = blocks(&products(&path, 0.5, lag), 100);
        let expected = process.autocovariance(lag as f64 * dt);
        assert_mean(&format!("autocovariance at {lag}"), &covariances, expected);
    }
    let step: Vec<f64> = (0..100_000)
        .map(|path| {
            let process = OrnsteinUhlenbeck { start: 2.0, ..process };
            process.simulate(1, dt, &mut generator(1, "moments/ou-step", path))[1]
        })
        .collect();
    let centre = process.conditional_mean(2.0, dt);
    assert_mean("conditional mean", &step, centre);
    assert_mean("conditional variance", &powers(&step, centre, 2), process.conditional_variance(dt));
}

#[test]
fn cox_ingersoll_ross() {
    // Once far from zero, once with zero within reach (2κθ < σ²).
    for volatility in [0.8, 6.0] {
        let process = CoxIngersollRoss { start: 1.5, reversion_speed: 12.0, mean: 1.5, volatility };
        process.validate().unwrap();
        let dt = 0.05;
        let path = process.simulate(400_000, dt, &mut generator(1, "moments/cir", 0));
        assert!(path.iter().all(|x| *x >= 0.0));
        assert_mean("mean", &blocks(&path, 100), 1.5);
        let squares = powers(&path, 1.5, 2);
        assert_mean("variance", &blocks(&squares, 100), process.stationary_variance());
        for lag in [1, 3] {
            let covariances = blocks(&products(&path, 1.5, lag), 100);
            let expected = process.autocovariance(lag as f64 * dt);
            assert_mean(&format!("autocovariance at {lag}"), &covariances, expected);
        }
        let step: Vec<f64> = (0..100_000)
            .map(|path| {
                let process = CoxIngersollRoss { start: 0.2, ..process };
                process.simulate(1, dt, &mut generator(1, "moments/cir-step", path))[1]
            })
            .collect();
        let centre = process.conditional_mean(0.2, dt);
        assert_mean("conditional mean", &step, centre);
        let expected = process.conditional_variance(0.2, dt);
        assert_mean("conditional variance", &powers(&step, centre, 2), expected);
    }
}

#[test]
fn heston() {
    let process = Heston { start_variance: 0.8, drift: 0.4, correlation: -0.7, ..Default::default() };
    process.validate().unwrap();
    let (steps, dt) = (40, 1.0 / 365.0);
    let (mut prices, mut early, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for path in 0..20_000 {
        let made = process.simulate(steps, dt, &mut generator(1, "moments/heston", path));
        prices.push(made.price[steps]);
        early.push(made.variance[5]);
        late.push(made.variance[steps]);
    }
    assert_mean("E[S]", &prices, process.mean(steps as f64 * dt));
    assert_mean("E[V] early", &early, process.variance_mean(5.0 * dt));
    assert_mean("E[V] late", &late, process.variance_mean(steps as f64 * dt));

    let long = Heston { start_variance: 0.36, ..process }.simulate(
        800_000,
        dt,
        &mut generator(2, "moments/heston", 0),
    );
    let theta = process.long_run_variance;
    let squares = powers(&long.variance, theta, 2);
    assert_mean("Var[V]", &blocks(&squares, 2_000), process.variance_of_variance());
    let lagged = blocks(&products(&long.variance, theta, 10), 2_000);
    let expected = process.variance_of_variance() * process.variance_autocorrelation(10.0 * dt);
    assert_mean("autocovariance of V", &lagged, expected);
    let returns = log_returns(&long.price);
    let centre = (process.drift - 0.5 * theta) * dt;
    let squares = blocks(&powers(&returns, centre, 2), 2_000);
    assert_mean("return variance", &squares, process.log_return_variance(dt));
    let leverage: Vec<f64> =
        returns.iter().zip(long.variance.windows(2)).map(|(r, v)| (r - centre) * (v[1] - v[0])).collect();
    let expected = process.leverage_covariance(dt);
    assert!(expected < 0.0);
    assert_mean("leverage", &blocks(&leverage, 2_000), expected);
    assert!(excess_kurtosis(&returns) > 0.5);
}

#[test]
fn fractional_brownian_motion() {
    for hurst in [0.2, 0.5, 0.8] {
        let process = FractionalBrownianMotion { hurst, start: 2.0, ..Default::default() };
        process.validate().unwrap();
        let (steps, dt, paths) = (100, 0.01, 8_000);
        let mut ends: Vec<Vec<f64>> = vec![Vec::new(); 3];
        let lags = [1, 2, 20];
        let mut lagged: Vec<Vec<f64>> = vec![Vec::new(); 3];
        for path in 0..paths {
            let prices = process.simulate(steps, dt, &mut generator(1, "moments/fbm", path));
            for (square, step) in ends.iter_mut().zip([1, 10, 100]) {
                square.push((prices[step] / 2.0).ln().powi(2));
            }
            let returns = log_returns(&prices);
            for (covariance, lag) in lagged.iter_mut().zip(lags) {
                covariance.push(mean(&products(&returns, 0.0, lag)));
            }
        }
        for (squares, time) in ends.iter().zip([0.01, 0.1, 1.0]) {
            assert_mean(&format!("variance, H {hurst}"), squares, process.log_variance(time));
        }
        for (covariances, lag) in lagged.iter().zip(lags) {
            let expected = process.increment_autocovariance(lag, dt);
            let error = deviation(covariances) / (paths as f64).sqrt();
            let seen = mean(covariances);
            assert!((seen - expected).abs() < ERRORS * error, "H {hurst} lag {lag}: {seen:e} {expected:e}");
        }
    }
}

#[test]
fn closes_of_a_price_model_follow_the_process() {
    let process = GeometricBrownianMotion::default();
    let shape = MarketShape { candles: 100_000, ..Default::default() };
    let market = PriceModel::Gbm(process).generate(&shape, &CandleStyle::default()).unwrap();
    let dt = shape.years_per_candle();
    let returns = log_returns(&market.series[0].columns().close);
    assert_mean("variance", &powers(&returns, 0.0, 2), process.log_return_variance(dt));
    // Parkinson 1980, equation 3: E[(ln high/low)²] = 4 ln 2 σ². The bridge's extremes are drawn
    // independently, which costs some of it; the excess over |r| alone must still be there.
    let squared = powers(&ranges(&market.series[0]), 0.0, 2);
    let ratio = mean(&squared) / (4.0 * 2_f64.ln() * process.log_return_variance(dt));
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}

fn regime_shape(timeframe: Timeframe, candles: usize) -> MarketShape {
    MarketShape { candles, timeframe, seed: 5, ..Default::default() }
}

#[test]
fn the_regime_market_has_the_fingerprints_of_real_ones() {
    for (timeframe, candles) in [(Timeframe::M5, 200_000), (Timeframe::H1, 50_000), (Timeframe::D1, 4_000)] {
        let shape = regime_shape(timeframe, candles);
        let market = RegimeMarket::default().generate(&shape).unwrap();
        assert_eq!(market.series.len(), shape.symbols.len());
        for series in &market.series {
            let name = series.key().to_string();
            assert_eq!((series.len(), series.gaps().len()), (candles, 0));
            assert!(series.iter().all(|candle| candle.fault().is_none() && candle.volume > 0.0));
            let columns = series.columns();
            assert!((1..candles).all(|t| columns.open[t] == columns.close[t - 1]));
            let returns = log_returns(&columns.close);
            let kurtosis = excess_kurtosis(&returns);
            let clustering = autocorrelation(&sizes(&returns), 1);
            let linked = correlation(&ranks(&columns.volume), &ranks(&ranges(series)));
            let log_volume: Vec<f64> = columns.volume.iter().map(|v| v.ln()).collect();
            let memory = autocorrelation(&log_volume, 1);
            let seen = format!(
                "{name}: kurtosis {kurtosis:.2}, |r| {clustering:.3}, volume~range {linked:.3}, volume {memory:.3}"
            );
            println!("{seen}");
            assert!((3.0..60.0).contains(&kurtosis), "{seen}");
            assert!((0.13..0.5).contains(&clustering), "{seen}");
            assert!((0.2..0.9).contains(&linked), "{seen}");
            assert!((0.2..0.9).contains(&memory), "{seen}");
            // Regime drifts are too small to show in the returns' own autocovariance.
            assert_mean(&seen, &products(&returns, mean(&returns), 1), 0.0);
        }
    }
}

#[test]
fn the_regime_market_correlates_as_its_betas_imply() {
    let (shape, model) = (regime_shape(Timeframe::H1, 100_000), RegimeMarket::default());
    let market = model.generate(&shape).unwrap();
    let returns: Vec<Vec<f64>> =
        market.series.iter().map(|series| log_returns(&series.columns().close)).collect();
    for i in 0..returns.len() {
        let yearly = powers(&returns[i], 0.0, 2).iter().sum::<f64>()
            / (returns[i].len() as f64 * shape.years_per_candle());
        let expected = model.yearly_variance(&shape.symbols[i]);
        assert!((yearly / expected - 1.0).abs() < 0.2, "variance of {i}: {yearly} {expected}");
        for j in 0..i {
            let seen = correlation(&returns[i], &returns[j]);
            let expected = model.implied_correlation(&shape.symbols[i], &shape.symbols[j]);
            assert!((seen - expected).abs() < 0.06, "{i} {j}: {seen} {expected}");
        }
    }
    // Volatility follows the regime that the market says it was in.
    let regimes = market.regimes.unwrap();
    assert_eq!(regimes.len(), 100_000);
    let volatility = |regime: Regime| {
        let chosen: Vec<f64> = returns[0]
            .iter()
            .zip(&regimes[1..])
            .filter(|(_, seen)| **seen == regime)
            .map(|(r, _)| *r)
            .collect();
        deviation(&chosen)
    };
    assert!(volatility(Regime::Crash) > 1.5 * volatility(Regime::Bull));
    assert!(volatility(Regime::Bull) > 1.2 * volatility(Regime::Sideways));
}

#[test]
fn the_regime_market_does_not_know_its_threads() {
    let shape = MarketShape { candles: 5_000, seed: 3, ..Default::default() };
    let model = RegimeMarket::default();
    let alone = model.generate_on(&shape, 1).unwrap();
    for threads in [2, 3, 16] {
        assert_eq!(model.generate_on(&shape, threads).unwrap(), alone);
    }
    assert_eq!(model.generate(&shape).unwrap(), alone);
}

/// Class of the return after candle `t`: 0 sell, 1 hold, 2 buy.
fn class(close: &[f64], t: usize, horizon: usize, threshold: f64) -> usize {
    let log_return = (close[t + horizon] / close[t]).ln();
    if log_return < -threshold {
        0
    } else if log_return > threshold {
        2
    } else {
        1
    }
}

/// Predicted probabilities and what happened, on rows whose horizons do not overlap, so that the
/// outcomes given the predictions are independent.
fn outcomes(market: &SyntheticMarket, horizon: usize, threshold: f64) -> Vec<([f64; 3], usize)> {
    let mut outcomes = Vec::new();
    for (series, row) in market.series.iter().zip(market.probabilities.iter().flatten()) {
        let close = &series.columns().close;
        assert_eq!(row.len(), close.len());
        for t in (0..close.len() - horizon).step_by(horizon) {
            outcomes.push((row[t], class(close, t, horizon, threshold)));
        }
    }
    outcomes
}

/// In each tenth of predicted probability, each class happens as often as predicted.
fn assert_calibrated(outcomes: &[([f64; 3], usize)]) {
    for class in 0..3 {
        for tenth in 0..10 {
            let bucket: Vec<_> =
                outcomes.iter().filter(|(p, _)| (p[class] * 10.0) as usize == tenth).collect();
            let expected: f64 = bucket.iter().map(|(p, _)| p[class]).sum();
            let variance: f64 = bucket.iter().map(|(p, _)| p[class] * (1.0 - p[class])).sum();
            let seen = bucket.iter().filter(|(_, outcome)| *outcome == class).count() as f64;
            assert!(
                (seen - expected).abs() <= ERRORS * variance.sqrt() + 1.0,
                "class {class}, tenth {tenth}: {seen} of {} rows, expected {expected}",
                bucket.len()
            );
        }
    }
}

#[test]
fn the_planted_probabilities_are_calibrated_and_worth_having() {
    for (lag, horizon, persistence) in [(0, 1, 0.9), (1, 4, 0.9), (3, 2, 0.6), (0, 8, -0.5)] {
        let model = PlantedMarket { lag, horizon, persistence, strength: 0.7, ..Default::default() };
        let shape = MarketShape { candles: 100_000, seed: 8, ..Default::default() };
        let market = model.generate(&shape).unwrap();
        let outcomes = outcomes(&market, horizon, model.class_threshold());
        assert!(outcomes.len() > 4 * 99_000 / horizon);
        assert_calibrated(&outcomes);
        let bayes = market.bayes().unwrap();
        let count = outcomes.len() as f64;
        let hits = outcomes.iter().filter(|(p, class)| p.iter().all(|q| *q <= p[*class])).count() as f64;
        let error = (bayes.accuracy * (1.0 - bayes.accuracy) / count).sqrt();
        assert!(
            (hits / count - bayes.accuracy).abs() < ERRORS * error + 0.005,
            "{hits} of {count}, {bayes:?}"
        );
        let log_loss = -mean(&outcomes.iter().map(|(p, class)| p[*class].ln()).collect::<Vec<_>>());
        assert!((log_loss - bayes.log_loss).abs() < 0.02, "{log_loss} {bayes:?}");
        assert!((bayes.majority - 1.0 / 3.0).abs() < 0.01, "{bayes:?}");
    }
    let market = PlantedMarket::default().generate(&MarketShape::default()).unwrap();
    let bayes = market.bayes().unwrap();
    assert!(bayes.accuracy > bayes.majority + 0.15, "{bayes:?}");
    assert!(bayes.log_loss < 3_f64.ln() - 0.15, "{bayes:?}");
}

#[test]
fn in_the_noise_market_there_is_nothing() {
    let model = NoiseMarket::default();
    let shape = MarketShape { candles: 100_000, seed: 4, ..Default::default() };
    let market = model.generate(&shape).unwrap();
    let bound = 4.0 / (shape.candles as f64).sqrt();
    for series in &market.series {
        let columns = series.columns();
        let returns = log_returns(&columns.close);
        assert_mean("return", &returns, 0.0);
        assert_mean("variance", &powers(&returns, 0.0, 2), model.deviation.powi(2));
        let (sizes, volumes) = (sizes(&returns), columns.volume[1..].to_vec());
        let range = ranges(series)[1..].to_vec();
        for lag in 1..=5 {
            let last = returns.len() - lag;
            for (what, seen) in [
                ("r", autocorrelation(&returns, lag)),
                ("|r|", autocorrelation(&sizes, lag)),
                ("volume", autocorrelation(&volumes, lag)),
                ("volume to r", correlation(&volumes[..last], &returns[lag..])),
                ("volume to |r|", correlation(&volumes[..last], &sizes[lag..])),
                ("range to |r|", correlation(&range[..last], &sizes[lag..])),
            ] {
                assert!(seen.abs() < bound, "{what} at lag {lag}: {seen} over {bound}");
            }
        }
        assert!(correlation(&volumes, &sizes).abs() < bound);
        assert!(correlation(&volumes, &returns).abs() < bound);
    }
    let outcomes = outcomes(&market, model.horizon, model.class_threshold());
    assert!(outcomes.len() > 90_000);
    assert_calibrated(&outcomes);
    let best = BayesOptimum::of(market.probabilities.as_ref().unwrap().iter().flatten());
    assert!((best.accuracy - best.majority).abs() < 1e-9);
    assert!((best.log_loss - 3_f64.ln()).abs() < 1e-9);
}
