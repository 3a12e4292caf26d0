//! What must hold for every network: fused equals plain, pieces equal wholes, nothing looks ahead.

use crate::cases::{KERNELS, assert_close, devices, generator, random, to_vec};
use crate::networks::{configurations, network, pass, reset};
use burn::tensor::{DType, Device, Tensor};
use xlstm::{DropoutConfig, Kernel, ResetMask, Run, Stepper, XlstmConfig};

#[test]
fn fused_equals_plain_in_values_and_gradients() {
    for (backend, device) in devices() {
        let device = device.autodiff();
        for (index, config) in configurations().iter().enumerate() {
            for (number_type, bound) in [(DType::F64, 1e-8), (DType::F32, 3e-4)] {
                for masked in [false, true] {
                    // The plain reference always on flex: functions of `burn-ndarray` are coarse.
                    let plain =
                        pass(config, Kernel::Reference, number_type, &Device::flex().autodiff(), masked);
                    let fused = pass(config, Kernel::Fused, number_type, &device, masked);
                    let at = format!("{backend} configuration {index} {number_type:?} masked {masked}");
                    fused.assert_close(&at, &plain, bound);
                }
            }
        }
    }
}

#[test]
fn steps_and_pieces_equal_the_whole() {
    for (backend, device) in devices() {
        for (index, config) in configurations().iter().enumerate() {
            for kernel in KERNELS {
                for masked in [false, true] {
                    let at = format!("{backend} configuration {index} {kernel:?} masked {masked}");
                    let network = network(config, kernel, DType::F32, &device);
                    let x = random(&mut generator(23), [3, 9, 5], DType::F32, &device);
                    let mask = reset();
                    let rows: Vec<Vec<bool>> = mask.steps().chunks(9).map(<[bool]>::to_vec).collect();
                    let part = |from: usize, to: usize| {
                        let cut: Vec<Vec<bool>> = rows.iter().map(|row| row[from..to].to_vec()).collect();
                        ResetMask::from_rows(&cut).unwrap()
                    };
                    let run = Run { reset: masked.then_some(&mask), keep_state: true, ..Run::default() };
                    let (whole, last) = network.run(x.clone(), run).unwrap();
                    for cuts in [vec![0, 4, 9], vec![0, 1, 2, 9], (0..=9).collect::<Vec<_>>()] {
                        let mut state = network.empty_state(3);
                        let mut pieces = Vec::new();
                        for pair in cuts.windows(2) {
                            let mask = part(pair[0], pair[1]);
                            let run = Run {
                                state: Some(state),
                                reset: masked.then_some(&mask),
                                keep_state: true,
                                ..Run::default()
                            };
                            let input = x.clone().narrow(1, pair[0], pair[1] - pair[0]);
                            let (y, next) = network.run(input, run).unwrap();
                            pieces.push(y);
                            state = next.unwrap();
                        }
                        assert_close(&format!("{at} cut at {cuts:?}"), &Tensor::cat(pieces, 1), &whole, 5e-5);
                        let next = random(&mut generator(29), [3, 5], DType::F32, &device);
                        let (a, _) = network.step(next.clone(), state).unwrap();
                        let (b, _) = network.step(next, last.clone().unwrap()).unwrap();
                        assert_close(&format!("{at} after {cuts:?}"), &a, &b, 5e-5);
                    }
                }
            }
        }
    }
}

#[test]
fn the_last_step_alone_is_the_last_step() {
    let device = Device::flex().autodiff();
    for (index, config) in configurations().iter().enumerate() {
        for kernel in KERNELS {
            let network = network(config, kernel, DType::F64, &device);
            let pass = |last_only: bool| {
                let mut numbers = generator(47);
                let x = random(&mut numbers, [3, 9, 5], DType::F64, &device).require_grad();
                let dy = random(&mut numbers, [3, 1, config.width], DType::F64, &device);
                let run = Run { last_only, ..Run::default() };
                let y = network.run(x.clone(), run).unwrap().0;
                let y = if last_only { y } else { y.narrow(1, 8, 1) };
                let gradients = (y.clone() * dy).sum().backward();
                (y.detach(), x.grad(&gradients).unwrap())
            };
            let (whole, last) = (pass(false), pass(true));
            assert_close(&format!("{index} {kernel:?} y"), &last.0, &whole.0, 1e-12);
            assert_close(&format!("{index} {kernel:?} dx"), &last.1, &whole.1, 1e-12);
        }
    }
}

#[test]
fn the_stepper_is_the_network() {
    let device = Device::flex();
    for (index, config) in configurations().iter().enumerate() {
        let network = network(config, Kernel::Fused, DType::F32, &device);
        if config.attention.is_some() || config.feature_groups.is_some() {
            let text = Stepper::new(&network).err().unwrap().to_string();
            assert!(text.contains("Xlstm::step"), "{text}");
            continue;
        }
        let stepper = Stepper::new(&network).unwrap();
        for masked in [false, true] {
            let x = random(&mut generator(43), [3, 9, 5], DType::F32, &device);
            let mask = reset();
            let run = Run { reset: masked.then_some(&mask), ..Run::default() };
            let whole = network.run(x.clone(), run).unwrap().0;
            let mut state = stepper.empty_state(3);
            let mut found = Vec::new();
            for step in 0..9 {
                let input: Vec<f32> =
                    to_vec(&x.clone().narrow(1, step, 1)).into_iter().map(|v| v as f32).collect();
                let resets: Vec<bool> = mask.steps().chunks(9).map(|row| row[step]).collect();
                let mut output = vec![0.0; 3 * config.width];
                stepper.step(&input, masked.then_some(&resets[..]), &mut state, &mut output).unwrap();
                let output = burn::tensor::TensorData::new(output, [3, 1, config.width]);
                found.push(Tensor::<3>::from_data(output, &device));
            }
            assert_close(&format!("{index} masked {masked}"), &Tensor::cat(found, 1), &whole, 5e-5);
        }
        let mut state = stepper.empty_state(2);
        assert!(stepper.step(&[0.0; 9], None, &mut state, &mut vec![0.0; 2 * config.width]).is_err());
    }
}

#[test]
fn nothing_looks_ahead_or_at_other_sequences() {
    let device = Device::flex();
    for config in configurations() {
        for kernel in KERNELS {
            let network = network(&config, kernel, DType::F32, &device);
            let x = random(&mut generator(31), [3, 9, 5], DType::F32, &device);
            let y = to_vec(&network.forward(x.clone()).unwrap());
            // Another future from step 5 on in the first sequence.
            let other = random(&mut generator(37), [1, 4, 5], DType::F32, &device);
            let changed = x.slice_assign([0..1, 5..9, 0..5], other);
            let z = to_vec(&network.forward(changed).unwrap());
            let (width, row) = (config.width, 9 * config.width);
            assert_eq!(y[..5 * width], z[..5 * width], "the past moved");
            assert_eq!(y[row..], z[row..], "another sequence moved");
            assert_ne!(y[5 * width..row], z[5 * width..row]);
        }
    }
}

#[test]
fn dropout_happens_only_with_a_generator_and_repeats_with_its_seed() {
    let device = Device::flex();
    let dropout = DropoutConfig { input: 0.2, recurrent: 0.3, output: 0.4 };
    for share in [
        DropoutConfig { input: 0.5, ..DropoutConfig::default() },
        DropoutConfig { recurrent: 0.5, ..DropoutConfig::default() },
        DropoutConfig { output: 0.5, ..DropoutConfig::default() },
        dropout,
    ] {
        let config =
            XlstmConfig { inputs: 5, width: 16, heads: 2, dropout: share.clone(), ..XlstmConfig::default() };
        let network = network(&config, Kernel::Fused, DType::F32, &device);
        let x = random(&mut generator(41), [2, 6, 5], DType::F32, &device);
        let plain = to_vec(&network.forward(x.clone()).unwrap());
        let dropped = |seed| {
            let mut drops = generator(seed);
            let run = Run { dropout: Some(&mut drops), ..Run::default() };
            to_vec(&network.run(x.clone(), run).unwrap().0)
        };
        assert_ne!(dropped(1), plain, "{share:?}");
        assert_eq!(dropped(1), dropped(1));
        assert_ne!(dropped(1), dropped(2), "{share:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let device = Device::flex();
    let config = XlstmConfig { inputs: 5, width: 16, heads: 2, ..XlstmConfig::default() };
    let network = config.init(&device).unwrap();
    let text = network.forward(Tensor::zeros([2, 3, 4], &device)).unwrap_err().to_string();
    assert!(text.contains("[2, 3, 4]") && text.contains("5"), "{text}");
    let mask = reset();
    let run = Run { reset: Some(&mask), ..Run::default() };
    let text = network.run(Tensor::zeros([2, 3, 5], &device), run).err().unwrap().to_string();
    assert!(text.contains("reset mask"), "{text}");
    let text =
        network.step(Tensor::zeros([2, 5], &device), network.empty_state(3)).err().unwrap().to_string();
    assert!(text.contains("3 sequences"), "{text}");
    let wider = XlstmConfig { width: 32, ..config }.init(&device).unwrap();
    let text = network.step(Tensor::zeros([2, 5], &device), wider.empty_state(2)).err().unwrap().to_string();
    assert!(text.contains("sizes of layer 1"), "{text}");
}
