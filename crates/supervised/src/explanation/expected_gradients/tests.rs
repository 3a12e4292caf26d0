use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::explanation::test_networks::{Perceptron, Places, inputs, uniform};
use crate::explanation::{CentredOutputs, ExplanationReport, ReportConfig, ReportNames};

/// Made by `expected_gradients.py` beside it.
#[derive(Deserialize)]
struct Golden {
    time: usize,
    features: usize,
    hidden: Vec<usize>,
    outputs: usize,
    weights: Vec<Vec<f64>>,
    biases: Vec<Vec<f64>>,
    windows: Vec<f32>,
    background: Vec<f32>,
    expectation: Vec<f64>,
    exact: Vec<f64>,
    shap: Vec<f64>,
    shap_error: Vec<f64>,
}

impl Golden {
    fn read() -> Self {
        let text = include_str!("../../../tests/fixtures/explanation/expected_gradients.json");
        serde_json::from_str(text).unwrap()
    }

    fn network(&self) -> Perceptron {
        let network = Perceptron::new(self.weights.clone(), self.biases.clone());
        assert_eq!(network.outputs(), self.outputs);
        assert_eq!([network.biases[0].len(), network.biases[1].len()], self.hidden[..]);
        network
    }
}

fn explain(
    model: &dyn DifferentiableModel,
    windows: &[f32],
    background: &[f32],
    shape: [usize; 2],
    config: &PathConfig,
) -> ExpectedGradients {
    let [time, features] = shape;
    let windows = Windows::new(windows, time, features).unwrap();
    let background = Windows::new(background, time, features).unwrap();
    expected_gradients(model, windows, background, config, &mut |_| {}).unwrap()
}

#[test]
fn values_are_those_of_exact_integration_and_of_shap() {
    let golden = Golden::read();
    let network = golden.network();
    let config = PathConfig { nodes: 8, tolerance: 1e-5, ..PathConfig::default() };
    let shape = [golden.time, golden.features];
    let seen = explain(&network, &golden.windows, &golden.background, shape, &config);
    assert!(seen.completeness.complete && seen.cost.unfinished_paths == 0, "{:?}", seen.completeness);
    for (mean, wanted) in seen.attributions.expectation().iter().zip(&golden.expectation) {
        assert!((mean - wanted).abs() < 1e-6);
    }
    assert_eq!(seen.attributions.values().len(), golden.exact.len());
    for (index, value) in seen.attributions.values().iter().copied().map(f64::from).enumerate() {
        assert!((value - golden.exact[index]).abs() < 1e-6, "{index}: {value}, not {}", golden.exact[index]);
        // Of 108 normal numbers one is beyond 4 deviations once in 150 times; SHAP's seeds are fixed.
        let off = (value - golden.shap[index]).abs() / golden.shap_error[index];
        assert!(off < 4.0, "{index}: {value}, not {} of SHAP, {off} standard errors", golden.shap[index]);
    }
}

#[test]
fn a_linear_model_is_weights_times_distance_from_the_mean() {
    let (weights, bias) = (uniform(3 * 4 * 2, 1.0, 1), uniform(2, 1.0, 2));
    let network = Perceptron::new(vec![weights.clone()], vec![bias]);
    let (windows, background) = (inputs(5 * 12, 3), inputs(7 * 12, 4));
    let seen = explain(&network, &windows, &background, [3, 4], &PathConfig::default());
    for input in 0..12 {
        let column = background.iter().skip(input).step_by(12);
        let mean = column.copied().map(f64::from).sum::<f64>() / 7.0;
        for window in 0..5 {
            for output in 0..2 {
                let wanted = weights[input * 2 + output] * (f64::from(windows[window * 12 + input]) - mean);
                let value = f64::from(seen.attributions.of(window, output)[input]);
                assert!((value - wanted).abs() < 5e-7, "{value} {wanted}");
            }
        }
    }
    assert_eq!((seen.cost.most_nodes, seen.cost.cut_paths), (8, 0));
    assert_eq!(seen.cost.gradient_evaluations, 5 * 7 * 8);
}

#[test]
fn a_sharp_network_is_complete() {
    // Weights forty times the usual: steps, in all but name.
    let network = Perceptron::random(&[12, 16, 3], 40.0, 5);
    let (windows, background) = (inputs(4 * 12, 6), inputs(6 * 12, 7));
    let config = PathConfig { maximum_nodes: 4096, ..PathConfig::default() };
    let seen = explain(&network, &windows, &background, [4, 3], &config);
    assert!(seen.completeness.maximum_residual <= 1e-3 && seen.completeness.complete);
    assert!(
        seen.cost.unfinished_paths == 0 && seen.cost.cut_paths == 24 && seen.cost.most_nodes > 64,
        "{:?} {:?}",
        seen.cost,
        seen.completeness
    );
    assert_eq!(network.gradient_rows.get() as u64, 3 * seen.cost.gradient_evaluations);
}

#[test]
fn what_a_kink_takes_is_the_logarithm_of_the_tolerance() {
    // A ReLU whose kink lies in the middle of nowhere in particular.
    let network = Places {
        places: vec![vec![(0, 1.0)]],
        function: |value| value.max(0.0),
        slope: |value| f64::from(u8::from(value > 0.0)),
    };
    let config = PathConfig { nodes: 4, tolerance: 1e-5, ..PathConfig::default() };
    let seen = explain(&network, &[1.0, 3.0], &[-0.7, 0.5], [1, 2], &config);
    assert!(seen.completeness.complete && seen.cost.unfinished_paths == 0, "{:?}", seen.cost);
    assert!((f64::from(seen.attributions.values()[0]) - 1.0).abs() < 1e-5);
    assert!(seen.cost.most_nodes < 160, "{:?}", seen.cost);
}

#[test]
fn what_is_left_is_reported_and_not_hidden() {
    let network = Perceptron::random(&[12, 16, 3], 40.0, 5);
    let (windows, background) = (inputs(4 * 12, 6), inputs(6 * 12, 7));
    let config = PathConfig { nodes: 4, maximum_nodes: 20, ..PathConfig::default() };
    let seen = explain(&network, &windows, &background, [4, 3], &config);
    assert!(seen.cost.most_nodes <= 20 && seen.cost.unfinished_paths > 0, "{:?}", seen.cost);
    assert!(!seen.completeness.complete && seen.completeness.maximum_residual > 0.01);
    // By outputs and values alone, without the module's own sums.
    let outputs = network.evaluate(Windows::new(&windows, 4, 3).unwrap()).unwrap();
    let background = network.evaluate(Windows::new(&background, 4, 3).unwrap()).unwrap();
    let mut most = 0.0_f64;
    for window in 0..4 {
        for output in 0..3 {
            let mean = background.iter().skip(output).step_by(3).copied().map(f64::from).sum::<f64>() / 6.0;
            let sum: f64 = seen.attributions.of(window, output).iter().copied().map(f64::from).sum();
            let gap = sum - (f64::from(outputs[window * 3 + output]) - mean);
            assert!((gap - seen.attributions.residual()[window * 3 + output]).abs() < 1e-9);
            most = most.max(gap.abs());
        }
    }
    assert!((most - seen.completeness.maximum_residual).abs() < 1e-9);
}

#[test]
fn the_background_itself_and_ignored_features_get_nothing() {
    let mut network = Perceptron::random(&[12, 16, 3], 2.0, 8);
    // Feature 1 of 3, at all four steps.
    for step in 0..4 {
        network.weights[0][(step * 3 + 1) * 16..][..16].fill(0.0);
    }
    let (window, other) = (inputs(12, 9), inputs(12, 10));
    let same = [window.clone(), window.clone()].concat();
    let seen = explain(&network, &window, &same, [4, 3], &PathConfig::default());
    assert!(seen.attributions.values().iter().all(|value| *value == 0.0));
    assert_eq!(seen.attributions.expectation_error(), Some(&[0.0; 3][..]));
    let seen = explain(&network, &window, &other, [4, 3], &PathConfig::default());
    assert_eq!(seen.attributions.expectation_error(), None);
    for output in 0..3 {
        for (input, value) in seen.attributions.of(0, output).iter().enumerate() {
            assert_eq!(*value == 0.0, input % 3 == 1, "input {input}: {value}");
        }
    }
}

#[test]
fn the_size_of_a_batch_and_threads_do_not_matter() {
    let network = Perceptron::random(&[12, 16, 3], 6.0, 11);
    // More windows than a group.
    let (windows, background) = (inputs(37 * 12, 12), inputs(5 * 12, 13));
    let run = |batch, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let config = PathConfig { nodes: 4, batch, maximum_nodes: 60, ..PathConfig::default() };
        let runs =
            || explain(&Perceptron::random(&[12, 16, 3], 6.0, 11), &windows, &background, [4, 3], &config);
        pool.install(runs)
    };
    let first = run(256, 1);
    assert!(first.cost.cut_paths > 100 && first.cost.unfinished_paths > 0, "{:?}", first.cost);
    assert_eq!(first, run(256, 1));
    assert_eq!(first, run(256, 3));
    for batch in [8, 11, 100, 100_000] {
        let other = run(batch, 2);
        assert_eq!(other.cost, first.cost);
        for (value, wanted) in other.attributions.values().iter().zip(first.attributions.values()) {
            assert!((value - wanted).abs() < 1e-6);
        }
    }
    // Each window by itself.
    let alone = explain(
        &network,
        &windows[35 * 12..36 * 12],
        &background,
        [4, 3],
        &PathConfig { nodes: 4, maximum_nodes: 60, ..PathConfig::default() },
    );
    for output in 0..3 {
        assert_eq!(alone.attributions.of(0, output), first.attributions.of(35, output));
    }
}

#[test]
fn centred_outputs_are_explained_with_one_pass_fewer() {
    let network = Perceptron::random(&[12, 16, 3], 2.0, 14);
    let (windows, background) = (inputs(2 * 12, 15), inputs(3 * 12, 16));
    let config = PathConfig { nodes: 16, tolerance: 1e-4, ..PathConfig::default() };
    let plain = explain(&network, &windows, &background, [4, 3], &config).attributions;
    network.gradient_rows.set(0);
    let seen = explain(&CentredOutputs::new(&network), &windows, &background, [4, 3], &config);
    assert_eq!(network.gradient_rows.get() as u64, 2 * seen.cost.gradient_evaluations);
    assert!(seen.completeness.complete);
    for window in 0..2 {
        for input in 0..12 {
            let mean = (0..3).map(|output| plain.of(window, output)[input]).sum::<f32>() / 3.0;
            for output in 0..3 {
                let wanted = plain.of(window, output)[input] - mean;
                assert!((seen.attributions.of(window, output)[input] - wanted).abs() < 2e-5);
            }
        }
    }
}

#[test]
fn planted_features_and_steps_come_first() {
    // Output 0 depends on features 2 and 5 at the last three of twenty steps, output 1 on feature 5 alone.
    let at = |feature: usize, scale: f64| (17..20).map(move |step| (step * 8 + feature, scale));
    let network = Places {
        places: vec![at(2, 1.0).chain(at(5, 0.6)).collect(), at(5, -1.0).collect()],
        function: |value| (2.0 * value).tanh(),
        slope: |value| 2.0 * (1.0 - (2.0 * value).tanh().powi(2)),
    };
    let (windows, background) = (inputs(40 * 160, 17), inputs(10 * 160, 18));
    let seen = explain(&network, &windows, &background, [20, 8], &PathConfig::default());
    assert!(seen.completeness.complete);
    let names = ReportNames {
        method: "expected-gradients".into(),
        quantity: "logits".into(),
        outputs: ["first", "second"].map(str::to_owned).to_vec(),
        features: (0..8).map(|feature| format!("f{feature}")).collect(),
        groups: (0..8).map(|feature| format!("g{}", feature / 4)).collect(),
    };
    let inputs = Windows::new(&windows, 20, 8).unwrap();
    let config = ReportConfig { beeswarm_windows: 16, beeswarm_features: 3, ..ReportConfig::default() };
    let report = ExplanationReport::new(&seen.attributions, inputs, &names, &config).unwrap();
    let order: Vec<&str> = report.features.by_output[0].iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(order[..2], ["f2", "f5"]);
    assert_eq!(report.features.by_output[1][0].name, "f5");
    assert!(report.features.by_output[1][1..].iter().all(|entry| entry.importance == 0.0));
    assert_eq!(report.groups.by_output[1][0].name, "g1");
    let used = |steps: &[f64]| steps.iter().map(|importance| *importance > 0.0).collect::<Vec<_>>();
    assert_eq!(used(&report.time.overall), (0..20).map(|step| step >= 17).collect::<Vec<_>>());
    assert_eq!((report.time.steps_back[17], report.time.steps_back[19]), (2, 0));
    assert_eq!(used(&report.heat_map.by_output[1][5]), (0..20).map(|step| step >= 17).collect::<Vec<_>>());
    assert!(report.heat_map.by_output[1][2].iter().all(|value| *value == 0.0));
    let swarm = &report.beeswarm;
    assert_eq!(
        (swarm.windows.len(), swarm.windows[1], swarm.windows[15], swarm.features.len()),
        (16, 2, 37, 3)
    );
    let (five, of_two) = (swarm.features.iter().find(|feature| feature.name == "f5").unwrap(), 2);
    assert_eq!(five.last_input[1], windows[of_two * 160 + 19 * 8 + 5]);
    let sum: f32 = (0..20).map(|step| seen.attributions.of(of_two, 1)[step * 8 + 5]).sum();
    assert!((five.values[1][1] - sum).abs() < 1e-6);
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<ExplanationReport>(&text).unwrap(), report);
    let few = ReportNames { features: vec!["f".into()], ..names };
    assert!(ExplanationReport::new(&seen.attributions, inputs, &few, &config).is_err());
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let network = Perceptron::random(&[12, 16, 3], 6.0, 19);
    let (windows, background) = (inputs(34 * 12, 20), inputs(3 * 12, 21));
    let (windows, background) =
        (Windows::new(&windows, 4, 3).unwrap(), Windows::new(&background, 4, 3).unwrap());
    let mut shares = Vec::new();
    expected_gradients(&network, windows, background, &PathConfig::default(), &mut |share| {
        shares.push(share);
    })
    .unwrap();
    assert!(shares.is_sorted() && shares.len() > 34 * 3 && shares[0] < 0.02);
    assert!((shares[shares.len() - 1] - 1.0).abs() < 1e-9);
}

#[test]
fn what_cannot_be_explained_is_refused() {
    let network = Perceptron::random(&[12, 16, 3], 1.0, 22);
    let values = inputs(24, 23);
    let windows = Windows::new(&values, 4, 3).unwrap();
    let run = |model: &dyn DifferentiableModel, background, config: PathConfig| {
        expected_gradients(model, windows, background, &config, &mut |_| {})
            .map_err(|error| error.to_string())
    };
    let config = PathConfig::default;
    let turned = Windows::new(&values, 3, 4).unwrap();
    assert!(run(&network, turned, config()).unwrap_err().contains("[3, 4]"));
    assert!(run(&network, Windows::new(&[], 4, 3).unwrap(), config()).unwrap_err().contains("0 background"));
    let faults = [
        ("nodes", PathConfig { nodes: 1, ..config() }),
        ("maximum_nodes", PathConfig { maximum_nodes: 3, ..config() }),
        ("tolerance", PathConfig { tolerance: 0.0, ..config() }),
        ("batch", PathConfig { batch: 7, ..config() }),
    ];
    for (name, config) in faults {
        assert!(run(&network, windows, config).unwrap_err().contains(&format!("path.{name}")));
    }
    let steep = |slope| Places { places: vec![vec![(0, 1.0)]], function: |value| value, slope };
    assert!(run(&steep(|_| 1.0), windows, config()).is_ok());
    assert!(run(&steep(|_| f64::NAN), windows, config()).unwrap_err().contains("gradients of the model"));
    assert!(toml::from_str::<PathConfig>("nodes = 6\nmaximal = 3").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn smooth_networks_are_complete(index in 30..10_000_u64, steepness in 0.2..4.0_f64, nodes in 2..12_usize) {
        let network = Perceptron::random(&[6, 10, 6, 2], steepness, index);
        let (windows, background) = (inputs(3 * 6, index), inputs(4 * 6, index + 1));
        let config = PathConfig { nodes, ..PathConfig::default() };
        let seen = explain(&network, &windows, &background, [3, 2], &config);
        prop_assert!(seen.completeness.complete && seen.cost.unfinished_paths == 0);
        prop_assert!(seen.completeness.maximum_residual < 0.6e-3);
    }
}
