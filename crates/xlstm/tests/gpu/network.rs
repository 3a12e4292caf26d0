//! Whole networks on the GPU against the CPU.

use crate::cases::{assert_close, generator, random};
use crate::device::device;
use crate::networks::{configurations, network, pass, reset};
use burn::tensor::{DType, Device, Tensor};
use xlstm::{Kernel, ResetMask, Run};

#[test]
fn networks_give_the_values_and_gradients_of_the_cpu() {
    let Some(device) = device("networks_give_the_values_and_gradients_of_the_cpu") else { return };
    let device = device.autodiff();
    for (index, config) in configurations().iter().enumerate() {
        for masked in [false, true] {
            let exact = pass(config, Kernel::Fused, DType::F64, &Device::flex().autodiff(), masked);
            let found = pass(config, Kernel::Fused, DType::F32, &device, masked);
            found.assert_close(&format!("configuration {index} masked {masked}"), &exact, 1e-4);
        }
    }
}

#[test]
fn pieces_and_steps_equal_the_whole() {
    let Some(device) = device("pieces_and_steps_equal_the_whole") else { return };
    let mask = reset();
    let part = |from: usize, to: usize| {
        let rows: Vec<_> = mask.steps().chunks(9).map(|row| row[from..to].to_vec()).collect();
        ResetMask::from_rows(&rows).unwrap()
    };
    for (index, config) in configurations().iter().enumerate() {
        let network = network(config, Kernel::Fused, DType::F32, &device);
        let x = random(&mut generator(23), [3, 9, 5], DType::F32, &device);
        let run = Run { reset: Some(&mask), keep_state: true, ..Run::default() };
        let (whole, last) = network.run(x.clone(), run).unwrap();
        for cuts in [vec![0, 4, 9], (0..=9).collect::<Vec<_>>()] {
            let at = format!("configuration {index} cut at {cuts:?}");
            let mut state = network.empty_state(3);
            let mut pieces = Vec::new();
            for pair in cuts.windows(2) {
                let mask = part(pair[0], pair[1]);
                let run = Run { state: Some(state), reset: Some(&mask), keep_state: true, ..Run::default() };
                let input = x.clone().narrow(1, pair[0], pair[1] - pair[0]);
                let (y, next) = network.run(input, run).unwrap();
                pieces.push(y);
                state = next.unwrap();
            }
            assert_close(&at, &Tensor::cat(pieces, 1), &whole, 5e-5);
            let next = random(&mut generator(29), [3, 5], DType::F32, &device);
            let (a, _) = network.step(next.clone(), state).unwrap();
            let (b, _) = network.step(next, last.clone().unwrap()).unwrap();
            assert_close(&format!("{at}, the step after"), &a, &b, 5e-5);
        }
    }
}
