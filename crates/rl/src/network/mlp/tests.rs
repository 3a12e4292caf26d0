use super::*;

fn network(activation: Activation, hidden: &[usize]) -> Mlp {
    let config = MlpConfig { hidden: hidden.to_vec(), activation, ..MlpConfig::default() };
    let heads = [OutputHead { outputs: 3, gain: 0.5 }, OutputHead { outputs: 1, gain: 1.0 }];
    Mlp::new(5, &heads, &config, 7, "test").unwrap()
}

fn values(count: usize, index: u64) -> Vec<f32> {
    let mut values = vec![0.0; count];
    uniform(&mut values, 1.5, &mut generator(3, "values", index));
    values
}

fn forward(network: &mut Mlp, observations: &[f32]) -> Vec<f32> {
    let rows = observations.len() / 5;
    let mut outputs = vec![0.0; rows * 4];
    let batch =
        SequenceBatch { sequences: rows, time: 1, observations, starts: &vec![true; rows], states: &[] };
    network.forward(&batch, &mut outputs).unwrap();
    outputs
}

/// The same network in f64, one number after the other.
fn reference(network: &Mlp, observation: &[f32]) -> Vec<f64> {
    let mut input: Vec<f64> = observation.iter().map(|value| f64::from(*value)).collect();
    for (index, layer) in network.layers.iter().enumerate() {
        let (weight, bias) = layer.weight_and_bias(&network.parameters);
        input = (0..layer.outputs)
            .map(|out| {
                let sum: f64 =
                    (0..layer.inputs).map(|k| input[k] * f64::from(weight[k * layer.outputs + out])).sum();
                let sum = sum + f64::from(bias[out]);
                match network.activation(index) {
                    None => sum,
                    Some(Activation::Tanh) => sum.tanh(),
                    Some(Activation::Relu) => sum.max(0.0),
                }
            })
            .collect();
    }
    input
}

#[test]
fn outputs_are_those_of_the_reference_in_f64_for_all_widths() {
    for activation in [Activation::Tanh, Activation::Relu] {
        for hidden in [&[][..], &[1], &[16, 33], &[64, 64], &[7, 50, 3], &[150]] {
            let mut network = network(activation, hidden);
            let biases = values(network.parameters.len(), 9);
            network.parameters_mut().iter_mut().zip(biases).for_each(|(value, noise)| *value += 0.1 * noise);
            let observations = values(5 * 11, 1);
            let outputs = forward(&mut network, &observations);
            for (row, outputs) in observations.chunks(5).zip(outputs.chunks(4)) {
                for (expected, got) in reference(&network, row).into_iter().zip(outputs) {
                    assert!((expected - f64::from(*got)).abs() < 3e-6, "{expected} {got}");
                }
            }
        }
    }
}

#[test]
fn a_row_gives_the_same_bits_alone_and_in_a_batch_and_in_a_step() {
    let mut network = network(Activation::Tanh, &[33, 18]);
    let observations = values(5 * 9, 2);
    let all = forward(&mut network, &observations);
    let mut stepped = vec![0.0; all.len()];
    network.step(&observations, &mut [], &mut stepped).unwrap();
    assert_eq!(all, stepped);
    for (row, expected) in observations.chunks(5).zip(all.chunks(4)) {
        assert_eq!(forward(&mut network, row), expected);
    }
}

#[test]
fn gradients_are_those_of_finite_differences_and_are_added() {
    for activation in [Activation::Tanh, Activation::Relu] {
        let mut network = network(activation, &[19, 6]);
        let biases = values(network.parameters.len(), 9);
        network.parameters_mut().iter_mut().zip(biases).for_each(|(value, noise)| *value += 0.1 * noise);
        // More rows than a block, not a multiple of a tile.
        let (observations, weights) = (values(5 * 71, 4), values(4 * 71, 5));
        forward(&mut network, &observations);
        let mut gradient = vec![1.0; network.parameters.len()];
        network.backward(&weights, &mut gradient).unwrap();
        let loss = |network: &Mlp| -> f64 {
            let rows = observations.chunks(5).zip(weights.chunks(4));
            rows.map(|(row, weights)| {
                reference(network, row).iter().zip(weights).map(|(y, w)| y * f64::from(*w)).sum::<f64>()
            })
            .sum()
        };
        for (index, got) in gradient.iter().enumerate() {
            let here = network.parameters[index];
            network.parameters[index] = here + 2e-5;
            let above = loss(&network);
            let high = network.parameters[index];
            network.parameters[index] = here - 2e-5;
            let slope = (above - loss(&network)) / f64::from(high - network.parameters[index]);
            network.parameters[index] = here;
            let got = f64::from(*got) - 1.0;
            assert!(
                (slope - got).abs() < 1e-3 * (1.0 + slope.abs()),
                "{activation:?} {index}: {slope} {got}"
            );
        }
    }
}

#[test]
fn initial_weights_are_orthogonal_with_their_gains() {
    let network = network(Activation::Tanh, &[64, 32]);
    for (index, layer) in network.layers.iter().enumerate() {
        let (weight, bias) = layer.weight_and_bias(&network.parameters);
        assert!(bias.iter().all(|value| *value == 0.0));
        let heads: &[(usize, usize, f64)] =
            if index == 2 { &[(0, 3, 0.25), (3, 1, 1.0)] } else { &[(0, layer.outputs, 2.0)] };
        for &(column, count, square) in heads {
            let at = |row: usize, out: usize| f64::from(weight[row * layer.outputs + column + out]);
            let tall = layer.inputs >= count;
            let (vectors, length) = if tall { (count, layer.inputs) } else { (layer.inputs, count) };
            for a in 0..vectors {
                for b in 0..vectors {
                    let product: f64 = (0..length)
                        .map(|k| if tall { at(k, a) * at(k, b) } else { at(a, k) * at(b, k) })
                        .sum();
                    let expected = if a == b { square } else { 0.0 };
                    assert!((product - expected).abs() < 1e-5, "layer {index}: {a} {b}: {product}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_visible_in_its_row_alone() {
    for activation in [Activation::Tanh, Activation::Relu] {
        let mut network = network(activation, &[18]);
        let mut observations = values(5 * 6, 4);
        let clean = forward(&mut network, &observations);
        observations[5 * 2 + 1] = f32::NAN;
        let outputs = forward(&mut network, &observations);
        assert!(outputs[8..12].iter().all(|value| value.is_nan()));
        assert_eq!((&outputs[..8], &outputs[12..]), (&clean[..8], &clean[12..]));
    }
}

#[test]
fn the_tangent_is_within_four_units_in_the_last_place_and_bounded() {
    let one = MlpConfig { hidden: vec![1], ..MlpConfig::default() };
    let mut network = Mlp::new(1, &[OutputHead { outputs: 1, gain: 1.0 }], &one, 0, "tangent").unwrap();
    network.parameters_mut().copy_from_slice(&[1.0, 0.0, 1.0, 0.0]);
    for step in -40_000..=40_000 {
        let value = step as f32 * 5e-4;
        let mut output = [0.0];
        network.step(&[value], &mut [], &mut output).unwrap();
        let expected = f64::from(value).tanh();
        assert!(
            (f64::from(output[0]) - expected).abs() <= 4e-7 * expected.abs(),
            "{value}: {} {expected}",
            output[0]
        );
        assert!(output[0].abs() <= 1.0);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut network = network(Activation::Tanh, &[4]);
    assert!(network.step(&[0.0; 7], &mut [], &mut [0.0; 4]).is_err());
    assert!(network.backward(&[0.0; 4], &mut vec![0.0; network.parameters.len()]).is_err());
    assert!(Mlp::new(0, &[OutputHead { outputs: 1, gain: 1.0 }], &MlpConfig::default(), 0, "none").is_err());
    let config = MlpConfig { hidden: vec![3, 0], ..MlpConfig::default() };
    assert!(config.validate().unwrap_err().to_string().contains("hidden"));
}
