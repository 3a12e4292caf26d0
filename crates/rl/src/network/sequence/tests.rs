use networks::{ConvolutionalConfig, PerceptronConfig, TransformerConfig};
use xlstm::XlstmConfig;

use super::*;

const HEADS: [OutputHead; 2] = [OutputHead { outputs: 2, gain: 0.5 }, OutputHead { outputs: 1, gain: 1.0 }];

fn architectures() -> Vec<Architecture> {
    vec![
        Architecture::Lstm(LstmConfig { width: 5, layers: 1, dropout: 0.0 }),
        Architecture::Perceptron(PerceptronConfig {
            lags: vec![0, 2],
            width: 6,
            dropout: 0.0,
            ..Default::default()
        }),
        Architecture::Convolutional(ConvolutionalConfig { width: 5, kernel: 2, layers: 2, dropout: 0.0 }),
        Architecture::Transformer(TransformerConfig {
            width: 4,
            heads: 2,
            layers: 1,
            window: 3,
            dropout: 0.0,
            ..Default::default()
        }),
        Architecture::Xlstm(Box::new(XlstmConfig { width: 16, heads: 2, ..Default::default() })),
    ]
}

fn network(architecture: &Architecture, memory: bool, rest: usize) -> SequenceNetwork {
    let rows = if memory { 1 } else { 4 };
    let config = SequenceConfig {
        architecture: architecture.clone(),
        rows,
        columns: 3,
        memory,
        hidden: vec![5],
        ..Default::default()
    };
    SequenceNetwork::new(rows * 3 + rest, &HEADS, &config, 7, "test").unwrap()
}

fn numbers(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|index| (index as f32 * 1.37 + phase).sin()).collect()
}

/// The steps of a batch, one after the other, with states set where episodes begin.
fn stepped(network: &mut SequenceNetwork, batch: &SequenceBatch<'_>) -> Vec<f32> {
    let (inputs, outputs, width) = (network.inputs(), network.outputs(), network.state_width());
    let mut all = vec![0.0; batch.sequences * batch.time * outputs];
    for sequence in 0..batch.sequences {
        let mut state = batch.states[sequence * width..(sequence + 1) * width].to_vec();
        for row in sequence * batch.time..(sequence + 1) * batch.time {
            if batch.starts[row] {
                network.initial_state(&mut state);
            }
            let observation = &batch.observations[row * inputs..(row + 1) * inputs];
            network.step(observation, &mut state, &mut all[row * outputs..(row + 1) * outputs]).unwrap();
        }
    }
    all
}

fn close(left: &[f32], right: &[f32]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| (left - right).abs() < 1e-5)
}

/// Episodes that begin at the edge, in the middle and not at all; states that are not the first.
const STARTS: [bool; 15] =
    [true, false, false, true, false, false, false, false, false, false, false, true, true, false, false];

fn states(network: &mut SequenceNetwork, rest: usize) -> Vec<f32> {
    let width = network.state_width();
    let mut states = vec![0.0; 3 * width];
    states.chunks_exact_mut(width.max(1)).for_each(|state| network.initial_state(state));
    let mut outputs = vec![0.0; 9];
    for step in 0..4 {
        network.step(&numbers(3 * (3 + rest), step as f32), &mut states, &mut outputs).unwrap();
    }
    states
}

#[test]
fn a_batch_with_memory_is_its_steps() {
    for architecture in architectures() {
        let mut network = network(&architecture, true, 2);
        let (observations, states) = (numbers(15 * 5, 0.3), states(&mut network, 2));
        let batch = SequenceBatch {
            sequences: 3,
            time: 5,
            observations: &observations,
            starts: &STARTS,
            states: &states,
        };
        let mut outputs = vec![0.0; 45];
        network.forward(&batch, &mut outputs).unwrap();
        assert!(close(&outputs, &stepped(&mut network, &batch)), "{architecture:?}");
    }
}

/// Not a number in one episode and in the state before it reaches no other.
#[test]
fn nothing_crosses_the_beginning_of_an_episode() {
    for architecture in architectures() {
        let mut network = network(&architecture, true, 0);
        let width = network.state_width();
        let mut observations = numbers(6 * 3, 0.1);
        let starts = [false, false, true, false, false, false];
        let mut of = |observations: &[f32], states: &[f32]| {
            let batch = SequenceBatch { sequences: 1, time: 6, observations, starts: &starts, states };
            let mut outputs = vec![0.0; 18];
            network.forward(&batch, &mut outputs).unwrap();
            outputs
        };
        let clean = of(&observations, &vec![0.0; width]);
        observations[..6].fill(f32::NAN);
        let poisoned = of(&observations, &vec![f32::NAN; width]);
        assert!(poisoned[0].is_nan(), "{architecture:?}");
        assert_eq!(clean[6..], poisoned[6..], "{architecture:?}");
    }
}

#[test]
fn derivatives_are_finite_differences() {
    for memory in [true, false] {
        for architecture in architectures() {
            let mut network = network(&architecture, memory, 2);
            // Biases of 0 and rows of 0 would be normed where a norm is steepest.
            let shifts = numbers(network.parameters().len(), 1.8);
            network.parameters_mut().iter_mut().zip(shifts).for_each(|(value, shift)| *value += 0.2 * shift);
            let states = if memory { states(&mut network, 2) } else { Vec::new() };
            let inputs = network.inputs();
            let observations = numbers(15 * inputs, 0.7);
            let batch = SequenceBatch {
                sequences: 3,
                time: 5,
                observations: &observations,
                starts: &STARTS,
                states: &states,
            };
            let upstream = numbers(45, 2.0);
            let loss = |network: &mut SequenceNetwork| {
                let mut outputs = vec![0.0; 45];
                network.forward(&batch, &mut outputs).unwrap();
                outputs.iter().zip(&upstream).map(|(y, by)| f64::from(*y) * f64::from(*by)).sum::<f64>()
            };
            loss(&mut network);
            // What is there already is added to.
            let mut gradient = vec![1.0; network.parameters().len()];
            network.backward(&upstream, &mut gradient).unwrap();
            assert!(network.backward(&upstream, &mut gradient).is_err(), "a forward serves one backward");
            let count = gradient.len();
            let (mut checked, mut missed, mut largest) = (0, 0, 0.0_f64);
            for index in (0..count).step_by((count / 40).max(1)) {
                let mut at = |shift: f32| {
                    network.parameters_mut()[index] += shift;
                    let loss = loss(&mut network);
                    network.parameters_mut()[index] -= shift;
                    loss
                };
                let (low, here, high) = (at(-1e-3), at(0.0), at(1e-3));
                // Where a kink lies on one side, the other side is right.
                let differences = [(high - low) / 2e-3, (high - here) / 1e-3, (here - low) / 1e-3];
                let found = f64::from(gradient[index]) - 1.0;
                largest = largest.max(found.abs());
                let near = |by: &f64| (found - by).abs() < 2e-2 * (1.0 + by.abs());
                missed += usize::from(!differences.iter().any(near));
                checked += 1;
            }
            assert!(missed <= 1, "{architecture:?}, memory {memory}: {missed} of {checked}");
            assert!(checked >= 30 && largest > 0.05, "{architecture:?}: {checked} of size {largest}");
        }
    }
}

#[test]
fn a_body_that_was_trained_elsewhere_is_taken_up() {
    let config = SequenceConfig { columns: 3, body_learning_rate: 0.1, ..Default::default() };
    let of = |seed| SequenceNetwork::new(4, &HEADS, &config, seed, "test").unwrap();
    let (mut one, mut other) = (of(1), of(2));
    let groups = one.parameter_groups();
    let body = one.body_mut().to_vec();
    assert_eq!(groups.iter().map(|group| group.parameters).sum::<usize>(), one.parameters().len());
    assert_eq!((groups[0].parameters, groups[0].learning_rate_factor), (body.len(), 0.1));
    other.body_mut().copy_from_slice(&body);
    assert_ne!(one.parameters(), other.parameters());
    let dense = one.parameters()[body.len()..].to_vec();
    other.parameters_mut()[body.len()..].copy_from_slice(&dense);
    let begun = SequenceConfig { body: Some(body.as_slice().into()), ..config.clone() };
    let begun = SequenceNetwork::new(4, &HEADS, &begun, 3, "test").unwrap();
    assert_eq!(begun.parameters()[..body.len()], body);
    let wrong = SequenceConfig { body: Some(body[1..].into()), ..config.clone() };
    assert!(SequenceNetwork::new(4, &HEADS, &wrong, 3, "test").is_err());
    let outputs = |network: &mut SequenceNetwork| {
        let (mut state, mut outputs) = (vec![0.0; network.state_width()], vec![0.0; 3]);
        network.step(&numbers(4, 0.0), &mut state, &mut outputs).unwrap();
        outputs
    };
    assert_eq!(outputs(&mut one), outputs(&mut other));
}

#[test]
fn what_does_not_fit_is_refused() {
    let new = |config: SequenceConfig| SequenceNetwork::new(6, &HEADS, &config, 0, "test").map(|_| ());
    assert!(new(SequenceConfig::default()).is_ok());
    let dropping = Architecture::Lstm(LstmConfig::default());
    for (config, word) in [
        (SequenceConfig { architecture: dropping, ..Default::default() }, "dropout"),
        (SequenceConfig { rows: 2, ..Default::default() }, "rows"),
        (SequenceConfig { rows: 0, memory: false, ..Default::default() }, "rows"),
        (SequenceConfig { columns: 7, ..Default::default() }, "columns"),
        (SequenceConfig { rows: 7, memory: false, ..Default::default() }, "rows"),
        (SequenceConfig { hidden: vec![0], ..Default::default() }, "hidden"),
        (SequenceConfig { body_learning_rate: -1.0, ..Default::default() }, "body_learning_rate"),
    ] {
        let message = new(config.clone()).unwrap_err().to_string();
        assert!(message.contains(word), "{config:?}: {message}");
    }
    let mut network = SequenceNetwork::new(6, &HEADS, &SequenceConfig::default(), 0, "test").unwrap();
    assert!(network.step(&[0.0; 5], &mut [], &mut [0.0; 3]).is_err());
    assert!(network.step(&[0.0; 6], &mut [], &mut [0.0; 3]).is_err());
    assert!(network.backward(&[0.0; 3], &mut []).is_err());
}
