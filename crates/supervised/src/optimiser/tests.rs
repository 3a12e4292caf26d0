//! The whole step.

use rand_distr::{Distribution, StandardNormal};

use super::layout::layout_of;
use super::*;
use crate::random::generator;

/// A small network's parameters: of every kind that is treated differently.
fn layout() -> ParameterLayout {
    layout_of(&[
        ("up.weight", &[3, 5]),
        ("up.bias", &[5]),
        ("gates", &[2, 2, 3, 3]),
        ("head.weight", &[5, 3]),
        ("head.bias", &[3]),
    ])
}

fn everything() -> OptimiserConfig {
    let mut config = OptimiserConfig { weight_decay: 0.1, ..OptimiserConfig::default() };
    config.norm_clipping.maximum_norm = 0.4;
    config.adaptive_clipping.enabled = true;
    config.adaptive_clipping.threshold = 0.5;
    config.lookahead = LookaheadConfig { enabled: true, steps: 3, alpha: 0.4 };
    config.average = AverageConfig { enabled: true, decay: 0.9 };
    config
}

fn normal(purpose: &str, index: u64, count: usize) -> Vec<f32> {
    StandardNormal.sample_iter(generator(3, purpose, index)).take(count).collect()
}

/// Steps from `from` to before `to`; the gradients depend on parameters and step.
fn run(optimiser: &mut Optimiser, parameters: &mut [f32], from: u64, to: u64) -> Vec<StepReport> {
    let mut reports = Vec::new();
    for step in from..to {
        let noise = normal("gradients", step, parameters.len());
        let mut gradients: Vec<f32> =
            parameters.iter().zip(noise).map(|(parameter, noise)| 0.1 * (parameter + noise)).collect();
        reports.push(optimiser.step(0.01, parameters, &mut gradients).unwrap());
    }
    reports
}

#[test]
fn stopping_and_going_on_changes_no_bit() {
    let (layout, config) = (layout(), everything());
    let initial = normal("initial", 0, layout.total());
    let mut whole = Optimiser::new(&config, layout.clone(), &initial).unwrap();
    let mut expected = initial.clone();
    let reports = run(&mut whole, &mut expected, 0, 20);
    assert!(reports.iter().any(|report| report.clipped));
    assert!(reports.iter().any(|report| report.adaptive_clipped_units > 0));
    // Seven is amid the three steps of the slow weights.
    for stop in [0, 7, 12] {
        let mut first = Optimiser::new(&config, layout.clone(), &initial).unwrap();
        let mut parameters = initial.clone();
        run(&mut first, &mut parameters, 0, stop);
        let stored = serde_json::to_string(&first.state()).unwrap();
        // Another start, as a program that begins anew would have.
        let mut second = Optimiser::new(&config, layout.clone(), &vec![0.0; layout.total()]).unwrap();
        second.restore(serde_json::from_str(&stored).unwrap()).unwrap();
        let rest = run(&mut second, &mut parameters, stop, 20);
        assert_eq!(rest, reports[usize::try_from(stop).unwrap()..]);
        assert_eq!(parameters, expected);
        assert_eq!(second.state(), whole.state());
        assert_eq!((second.average(), second.slow_weights()), (whole.average(), whole.slow_weights()));
        assert_eq!(second.steps(), 20);
    }
}

#[test]
fn foreign_states_are_refused_by_name_and_change_nothing() {
    let (layout, config) = (layout(), everything());
    let mut optimiser = Optimiser::new(&config, layout.clone(), &vec![0.5; layout.total()]).unwrap();
    let before = optimiser.state();
    let mut refused = |change: &dyn Fn(&mut OptimiserState)| {
        let mut state = before.clone();
        state.numbers.insert("steps".to_owned(), 9);
        change(&mut state);
        let message = optimiser.restore(state).unwrap_err().to_string();
        assert_eq!(optimiser.state(), before);
        message
    };
    let name = |name: &str| name.to_owned();
    assert!(refused(&|state| state.numbers.clear()).contains("`steps`"));
    assert!(refused(&|state| state.numbers.extend([(name("epochs"), 1)])).contains("`epochs`"));
    assert!(
        refused(&|state| state.vectors.retain(|name, _| name != "average")).contains("no vector `average`")
    );
    assert!(refused(&|state| state.vectors.extend([(name("third"), vec![])])).contains("`third`"));
    let message = refused(&|state| state.vectors.extend([(name("second_moment"), vec![0.0; 7])]));
    assert!(message.contains("`second_moment` has 7 numbers, the parameters have 74"), "{message}");
    // What another configuration remembers.
    let mut plain = config;
    plain.lookahead.enabled = false;
    let mut plain = Optimiser::new(&plain, layout.clone(), &vec![0.5; layout.total()]).unwrap();
    assert!(plain.restore(before.clone()).unwrap_err().to_string().contains("`slow_weights`"));
    assert!(refused(&|state| *state = plain.state()).contains("no vector `slow_weights`"));
}

#[test]
fn gradients_that_are_not_finite_are_skipped_and_leave_no_trace() {
    let (layout, config) = (layout(), everything());
    let initial = normal("initial", 0, layout.total());
    let mut optimiser = Optimiser::new(&config, layout.clone(), &initial).unwrap();
    let mut parameters = initial;
    run(&mut optimiser, &mut parameters, 0, 5);
    let (state, before) = (optimiser.state(), parameters.clone());
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut gradients = normal("gradients", 5, parameters.len());
        gradients[20] = wrong;
        let report = optimiser.step(0.01, &mut parameters, &mut gradients).unwrap();
        assert!(report.skipped && !report.gradient_norm.is_finite());
        assert_eq!((report.update_norm, report.clipped, report.adaptive_clipped_units), (0.0, false, 0));
        assert_eq!((optimiser.state(), &parameters), (state.clone(), &before));
    }
    // Clipped, a huge gradient is harmless; unclipped its square would make the second moment infinite.
    let mut huge = vec![1e30; parameters.len()];
    let report = optimiser.step(0.01, &mut parameters, &mut huge).unwrap();
    assert!(!report.skipped && report.clipped && report.update_norm > 0.0);
    let mut plain = OptimiserConfig::default();
    plain.norm_clipping.enabled = false;
    let mut plain = Optimiser::new(&plain, layout, &before).unwrap();
    let state = plain.state();
    parameters.clone_from(&before);
    assert!(plain.step(0.01, &mut parameters, &mut vec![1e30; before.len()]).unwrap().skipped);
    assert_eq!((plain.state(), parameters), (state, before));
}

#[test]
fn the_order_is_clipping_then_adamw_then_slow_weights_then_average() {
    let layout = layout_of(&[("up.weight", &[2, 2]), ("up.bias", &[2]), ("head.weight", &[2, 2])]);
    let mut config = everything();
    config.lookahead.steps = 1;
    // Low, so that a step from unlike gradients shows how they were clipped.
    config.epsilon = 1.0;
    let initial = [0.1, 0.2, -0.3, 0.4, 0.0, 0.05, 1.0, -1.0, 0.5, 0.5];
    let given = [1.0, 0.001, -2.0, 0.002, 0.3, 0.4, 0.01, 0.02, -0.03, 0.2];
    let mut optimiser = Optimiser::new(&config, layout, &initial).unwrap();
    let (mut parameters, mut gradients) = (initial, given);
    let report = optimiser.step(0.1, &mut parameters, &mut gradients).unwrap();

    // By the definitions, in f64. Of the units only the first column and the bias are above half their
    // weights.
    let mut expected = given.map(f64::from);
    let shrink = |values: &mut [f64; 10], indices: &[usize], maximum: f64| {
        let norm = indices.iter().map(|&index| values[index].powi(2)).sum::<f64>().sqrt();
        indices.iter().for_each(|&index| values[index] *= maximum / norm);
    };
    let column = 0.5 * (0.1_f64.powi(2) + 0.3_f64.powi(2)).sqrt();
    shrink(&mut expected, &[0, 2], column);
    shrink(&mut expected, &[4, 5], 0.5 * 0.05);
    assert_eq!(report.adaptive_clipped_units, 2);
    let left = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
    assert!(left < 0.4);
    assert!(!report.clipped);
    let mut distance = 0.0;
    for index in 0..10 {
        let (start, gradient) = (f64::from(initial[index]), expected[index]);
        assert!((f64::from(gradients[index]) - gradient).abs() < 1e-6);
        // At the first step both corrected moments are the gradient and its square.
        let decay = if (4..6).contains(&index) { 0.0 } else { 0.1 * 0.1 * start };
        let fast = start - decay - 0.1 * gradient / (gradient.abs() + 1.0);
        let slow = start + 0.4 * (fast - start);
        assert!((f64::from(parameters[index]) - slow).abs() < 1e-6, "{index}");
        let average = start + 0.9 * (slow - start);
        assert!((f64::from(optimiser.average().unwrap()[index]) - average).abs() < 1e-6, "{index}");
        distance += (slow - start).powi(2);
    }
    assert_eq!(optimiser.slow_weights().unwrap(), parameters);
    assert!((report.update_norm - distance.sqrt()).abs() < 1e-6);
}

#[test]
fn slow_weights_move_only_at_their_steps() {
    let (layout, config) = (layout(), everything());
    let mut parameters = normal("initial", 0, layout.total());
    let mut optimiser = Optimiser::new(&config, layout, &parameters).unwrap();
    for step in 0..6 {
        let before = optimiser.slow_weights().unwrap().to_vec();
        run(&mut optimiser, &mut parameters, step, step + 1);
        let slow = optimiser.slow_weights().unwrap();
        assert_eq!(slow != before, step % 3 == 2, "{step}");
        assert_eq!(slow == parameters, step % 3 == 2, "{step}");
    }
}

/// Mean squared distance from the minimum of a noisy quadratic, of the last weights and of the average, after
/// the start is forgotten, with a constant rate.
fn errors_on_a_noisy_quadratic(config: &OptimiserConfig) -> [f64; 2] {
    let layout = layout_of(&[("x", &[200])]);
    let mut optimiser = Optimiser::new(config, layout, &[3.0; 200]).unwrap();
    let mut parameters = vec![3.0_f32; 200];
    let mut errors = [0.0; 2];
    for step in 0..1_500 {
        let noise = normal("noise", step, parameters.len());
        let mut gradients: Vec<f32> = parameters.iter().zip(noise).map(|(x, noise)| x + noise).collect();
        optimiser.step(0.02, &mut parameters, &mut gradients).unwrap();
        if step >= 1_000 {
            let error = |values: &[f32]| norm(values).powi(2) / (values.len() as f64 * 500.0);
            errors[0] += error(&parameters);
            errors[1] += optimiser.average().map_or(0.0, error);
        }
    }
    errors
}

#[test]
fn average_and_slow_weights_take_out_noise() {
    let mut config = OptimiserConfig { weight_decay: 0.0, ..OptimiserConfig::default() };
    config.norm_clipping.enabled = false;
    config.average = AverageConfig { enabled: true, decay: 0.99 };
    let [last, average] = errors_on_a_noisy_quadratic(&config);
    assert!(average < 0.5 * last, "{average} {last}");
    config.average.enabled = false;
    config.lookahead.enabled = true;
    let [with_lookahead, _] = errors_on_a_noisy_quadratic(&config);
    assert!(with_lookahead < 0.8 * last, "{with_lookahead} {last}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let layout = layout_of(&[("x", &[2])]);
    let config = OptimiserConfig::default();
    assert!(Optimiser::new(&config, layout.clone(), &[0.0]).is_err());
    assert!(Optimiser::new(&config, layout.clone(), &[0.0, f32::NAN]).is_err());
    let invalid = OptimiserConfig { betas: [0.9, 1.0], ..config.clone() };
    assert!(Optimiser::new(&invalid, layout.clone(), &[0.0, 0.0]).is_err());
    let mut unfit = config.clone();
    unfit.adaptive_clipping.enabled = true;
    let message = Optimiser::new(&unfit, layout.clone(), &[0.0, 0.0]).unwrap_err().to_string();
    assert!(message.contains("head."), "{message}");
    let mut optimiser = Optimiser::new(&config, layout, &[1.0, 2.0]).unwrap();
    let state = optimiser.state();
    let mut parameters = [1.0, 2.0];
    assert!(optimiser.step(0.1, &mut [0.0; 3], &mut [0.0; 2]).is_err());
    assert!(optimiser.step(0.1, &mut parameters, &mut [0.0; 1]).is_err());
    for learning_rate in [f64::NAN, f64::INFINITY, -0.1, 101.0] {
        assert!(optimiser.step(learning_rate, &mut parameters, &mut [1.0; 2]).is_err());
    }
    assert_eq!((optimiser.state(), parameters), (state, [1.0, 2.0]));
}
