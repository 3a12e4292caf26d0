use burn::tensor::{Device, Tensor, TensorData};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use xlstm::XlstmConfig;

use crate::*;

const INPUTS: usize = 5;

fn generator(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

fn architectures() -> Vec<Architecture> {
    vec![
        Architecture::Perceptron(PerceptronConfig { lags: vec![0, 1, 3], width: 7, ..Default::default() }),
        Architecture::Convolutional(ConvolutionalConfig { width: 6, layers: 3, ..Default::default() }),
        Architecture::Lstm(LstmConfig { width: 6, ..Default::default() }),
        Architecture::Transformer(TransformerConfig { width: 8, window: 4, ..Default::default() }),
        Architecture::Xlstm(Box::new(XlstmConfig {
            inputs: INPUTS,
            width: 16,
            heads: 2,
            ..Default::default()
        })),
    ]
}

fn input(batch: usize, time: usize) -> Tensor<3> {
    let rows: Vec<f32> = (0..batch * time * INPUTS).map(|index| (index as f32 * 1.3).sin() * 1.5).collect();
    Tensor::from_data(TensorData::new(rows, [batch, time, INPUTS]), &Device::flex())
}

fn network(architecture: &Architecture) -> Network {
    architecture.init(INPUTS, &mut generator(3), &Device::flex()).unwrap()
}

fn close(left: &[f32], right: &[f32]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| (left - right).abs() < 2e-5)
}

#[test]
fn a_sequence_is_its_pieces_and_its_steps() {
    for architecture in architectures() {
        let network = network(&architecture);
        let whole = values(network.forward(input(2, 11)).unwrap()).unwrap();
        for length in [1, 4] {
            let mut state = None;
            let mut pieces = Vec::new();
            for start in (0..11).step_by(length) {
                let time = length.min(11 - start);
                let run = NetworkRun { state, keep_state: true, ..NetworkRun::default() };
                let (hidden, next) = network.run(input(2, 11).narrow(1, start, time), run).unwrap();
                pieces.push(hidden);
                state = next;
            }
            let pieces = values(Tensor::cat(pieces, 1)).unwrap();
            assert!(close(&whole, &pieces), "{architecture:?} in pieces of {length}");
        }
        let run = NetworkRun { last_only: true, ..NetworkRun::default() };
        let last = values(network.run(input(2, 11), run).unwrap().0).unwrap();
        let width = architecture.width();
        let expected: Vec<f32> =
            whole.chunks_exact(11 * width).flat_map(|row| &row[10 * width..]).copied().collect();
        assert!(close(&expected, &last), "{architecture:?}: the last step alone");
    }
}

#[test]
fn an_empty_state_is_none() {
    for architecture in architectures() {
        let network = network(&architecture);
        let state = Some(network.empty_state(2, &Device::flex()));
        let run = NetworkRun { state, ..NetworkRun::default() };
        let with = values(network.run(input(2, 5), run).unwrap().0).unwrap();
        assert_eq!(with, values(network.forward(input(2, 5)).unwrap()).unwrap(), "{architecture:?}");
    }
}

/// Changing a row changes no output before it, and only as many after it as the network sees.
#[test]
fn outputs_depend_on_the_rows_that_they_see() {
    for architecture in architectures() {
        let network = network(&architecture);
        let before = values(network.forward(input(1, 30)).unwrap()).unwrap();
        let mut rows = values(input(1, 30)).unwrap();
        rows[10 * INPUTS..11 * INPUTS].fill(3.0);
        let changed = Tensor::from_data(TensorData::new(rows, [1, 30, INPUTS]), &Device::flex());
        let after = values(network.forward(changed).unwrap()).unwrap();
        let width = architecture.width();
        let differs = |step: usize| {
            let of_step = step * width..(step + 1) * width;
            before[of_step.clone()].iter().zip(&after[of_step]).any(|(left, right)| left != right)
        };
        assert!((0..10).all(|step| !differs(step)), "{architecture:?} looks ahead");
        assert!(differs(10), "{architecture:?} does not see the present row");
        let seen: Option<Vec<usize>> = match architecture {
            Architecture::Perceptron(_) => Some(vec![10, 11, 13]),
            Architecture::Convolutional(_) => Some((10..=24).collect()),
            Architecture::Transformer(_) => Some((10..=16).collect()),
            _ => None,
        };
        if let Some(seen) = seen {
            for step in 10..30 {
                assert_eq!(differs(step), seen.contains(&step), "{architecture:?} at {step}");
            }
        }
    }
}

#[test]
fn dropout_follows_its_generator() {
    for architecture in architectures() {
        let Architecture::Xlstm(_) = architecture else {
            let network = network(&architecture);
            assert!(architecture.drops());
            let run = |seed: u64| {
                let mut generator = generator(seed);
                let dropout = Some(&mut generator as &mut dyn Rng);
                let run = NetworkRun { dropout, ..NetworkRun::default() };
                values(network.run(input(3, 8), run).unwrap().0).unwrap()
            };
            assert_eq!(run(1), run(1), "{architecture:?}");
            assert_ne!(run(1), run(2), "{architecture:?}");
            assert_ne!(run(1), values(network.forward(input(3, 8)).unwrap()).unwrap(), "{architecture:?}");
            continue;
        };
    }
}

#[test]
fn seeds_decide_the_initial_weights() {
    for architecture in architectures() {
        if matches!(architecture, Architecture::Xlstm(_)) {
            continue;
        }
        let of = |seed: u64| {
            let network = architecture.init(INPUTS, &mut generator(seed), &Device::flex()).unwrap();
            values(network.forward(input(1, 4)).unwrap()).unwrap()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2), "{architecture:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let all = architectures();
    for (index, architecture) in all.iter().enumerate() {
        let network = network(architecture);
        let wrong = Tensor::<3>::zeros([1, 3, INPUTS + 1], &Device::flex());
        assert!(network.forward(wrong).is_err(), "{architecture:?}");
        let other = super::tests::network(&all[(index + 1) % all.len()]);
        let state = Some(other.empty_state(1, &Device::flex()));
        let run = NetworkRun { state, ..NetworkRun::default() };
        assert!(network.run(input(1, 3), run).is_err(), "{architecture:?}");
    }
    for wrong in [
        Architecture::Perceptron(PerceptronConfig { lags: vec![1, 1], ..Default::default() }),
        Architecture::Perceptron(PerceptronConfig { dropout: 1.0, ..Default::default() }),
        Architecture::Convolutional(ConvolutionalConfig { kernel: 0, ..Default::default() }),
        Architecture::Convolutional(ConvolutionalConfig { layers: 17, ..Default::default() }),
        Architecture::Lstm(LstmConfig { layers: 0, ..Default::default() }),
        Architecture::Transformer(TransformerConfig { heads: 5, ..Default::default() }),
    ] {
        assert!(wrong.init(INPUTS, &mut generator(1), &Device::flex()).is_err(), "{wrong:?}");
    }
}

/// A state that goes out as rows and comes back runs on as the one that stayed.
#[test]
fn a_state_goes_out_and_in_as_rows() {
    let device = Device::flex();
    for architecture in architectures() {
        let network = network(&architecture);
        let run = |state, from: usize| {
            let run = NetworkRun { state, keep_state: true, ..NetworkRun::default() };
            let (hidden, state) = network.run(input(3, 9).narrow(1, from, 4), run).unwrap();
            (values(hidden).unwrap(), state.unwrap())
        };
        let (_, state) = run(None, 0);
        let rows = state.to_rows().unwrap();
        let width = network.state_width(&device).unwrap();
        assert_eq!(rows.len(), 3 * width, "{architecture:?}");
        let back = network.state_from_rows(&rows, 3, &device).unwrap();
        assert_eq!(back.to_rows().unwrap(), rows, "{architecture:?}");
        assert_eq!(run(Some(back), 4).0, run(Some(state), 4).0, "{architecture:?}");
        // Sequences can be taken apart: the second row alone is the second sequence.
        let second = network.state_from_rows(&rows[width..2 * width], 1, &device).unwrap();
        let run_second = NetworkRun { state: Some(second), ..NetworkRun::default() };
        let alone = network.run(input(3, 9).narrow(0, 1, 1).narrow(1, 4, 4), run_second).unwrap().0;
        let all = run(Some(network.state_from_rows(&rows, 3, &device).unwrap()), 4).0;
        let per_sequence = all.len() / 3;
        assert!(close(&values(alone).unwrap(), &all[per_sequence..2 * per_sequence]), "{architecture:?}");
        for wrong in [rows.len() - 3, rows.len() + 3, rows.len() - 1] {
            assert!(network.state_from_rows(&vec![0.0; wrong], 3, &device).is_err(), "{architecture:?}");
        }
    }
}
