//! Against plain loops, finite differences, and its own pieces.

use super::*;
use proptest::prelude::*;

/// Numbers from −1 to 1.
fn numbers(count: usize, state: &mut u64) -> Vec<f64> {
    let draw = |_| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    };
    (0..count).map(draw).collect()
}

#[derive(Debug, Clone)]
struct Case {
    time: usize,
    channels: usize,
    taps: usize,
    stride: usize,
    x: Vec<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    window: Option<Vec<f64>>,
    reset: Option<Vec<bool>>,
    da: Vec<f64>,
}

impl Case {
    fn new((time, channels, taps): (usize, usize, usize), flags: [bool; 2], mut seed: u64) -> Self {
        let stride = channels + (seed % 7) as usize;
        Self {
            time,
            channels,
            taps,
            stride,
            x: numbers(time * stride, &mut seed),
            weight: numbers(channels * taps, &mut seed),
            bias: numbers(channels, &mut seed),
            window: flags[0].then(|| numbers((taps - 1) * channels, &mut seed)),
            reset: flags[1].then(|| numbers(time, &mut seed).iter().map(|n| *n > 0.5).collect()),
            da: numbers(time * channels, &mut seed),
        }
    }

    /// x of `back` steps before `step`, as the convolution sees it.
    fn seen(&self, step: usize, back: usize, channel: usize) -> f64 {
        for passed in 0..back {
            let Some(at) = step.checked_sub(passed) else { break };
            if self.reset.as_ref().is_some_and(|mask| mask[at]) {
                return 0.0;
            }
        }
        match step.checked_sub(back) {
            Some(row) => self.x[row * self.stride + channel],
            None => self
                .window
                .as_ref()
                .map_or(0.0, |window| window[(self.taps - 1 + step - back) * self.channels + channel]),
        }
    }

    fn plain(&self) -> Vec<f64> {
        let mut out = Vec::new();
        for step in 0..self.time {
            for channel in 0..self.channels {
                let mut y = self.bias[channel];
                for tap in 0..self.taps {
                    y += self.weight[channel * self.taps + tap]
                        * self.seen(step, self.taps - 1 - tap, channel);
                }
                out.push(y / (1.0 + (-y).exp()));
            }
        }
        out
    }

    fn loss(&self) -> f64 {
        self.plain().iter().zip(&self.da).map(|(a, da)| a * da).sum()
    }

    fn input_named(&mut self, name: &str) -> &mut Vec<f64> {
        match name {
            "x" => &mut self.x,
            "weight" => &mut self.weight,
            _ => &mut self.bias,
        }
    }
}

fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|v| T::from_f64(*v)).collect()
}

/// a, the leaving window, dx (added to ones), dw, db.
fn run<T: Real>(case: &Case, level: Level) -> [Vec<T>; 5] {
    let Case { time, channels, taps, stride, .. } = *case;
    let mut weight = vec![T::ZERO; channels * taps];
    pack_taps(taps, &cast::<T>(&case.weight), &mut weight);
    let (bias, x) = (cast::<T>(&case.bias), cast::<T>(&case.x));
    let window = case.window.as_deref().map(cast::<T>);
    let taps_of = Taps { taps, channels, weight: &weight, bias: &bias };
    let sequence =
        Sequence { time, input: &x, stride, window: window.as_deref(), reset: case.reset.as_deref() };
    let mut a = vec![T::ZERO; time * channels];
    convolve(level, taps_of, sequence, &mut a);
    // The backward pass with slopes from the forward pass and, every other case, without.
    let (mut again, mut slopes) = (a.clone(), a.clone());
    convolve_with_slopes(level, taps_of, sequence, &mut again, &mut slopes);
    assert!(again.iter().zip(&a).all(|(again, a)| again.to_f64().to_bits() == a.to_f64().to_bits()));
    slopes.truncate(if time % 2 == 0 { 0 } else { slopes.len() });
    let mut leaving = vec![T::ONE; (taps - 1) * channels];
    leaving_window(taps_of, sequence, &mut leaving);
    let (mut packed, mut db) = (vec![T::ZERO; taps * channels], vec![T::ZERO; channels]);
    let mut dx = vec![T::ONE; time * stride];
    convolve_backward(
        level,
        taps_of,
        sequence,
        &slopes,
        &cast::<T>(&case.da),
        &mut TapGradients { weight: &mut packed, bias: &mut db },
        &mut dx,
        stride,
        &mut vec![T::from_f64(f64::NAN); scratch_len(time)],
    );
    let mut dw = vec![T::ZERO; taps * channels];
    unpack_taps(taps, &packed, &mut dw);
    [a, leaving, dx, dw, db]
}

fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    (prop_oneof![Just(1_usize), 2_usize..12], 1_usize..60, prop_oneof![Just(4_usize), 1_usize..7])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn forward_is_plain_loops(sizes in sizes(), flags in any::<[bool; 2]>(), seed in any::<u64>()) {
        let case = Case::new(sizes, flags, seed);
        let exact = case.plain();
        for level in Level::available() {
            for (found, exact) in run::<f64>(&case, level)[0].iter().zip(&exact) {
                prop_assert!((found - exact).abs() < 1e-13);
            }
            for (found, exact) in run::<f32>(&case, level)[0].iter().zip(&exact) {
                prop_assert!((f64::from(*found) - exact).abs() < 2e-6);
            }
        }
    }

    #[test]
    fn backward_is_finite_differences(sizes in sizes(), flags in any::<[bool; 2]>(), seed in any::<u64>()) {
        let case = Case::new(sizes, flags, seed);
        for level in Level::available() {
            let [_, _, dx, dw, db] = run::<f64>(&case, level);
            let [.., dx_single, dw_single, db_single] = run::<f32>(&case, level);
            let dx: Vec<f64> = dx.iter().map(|d| d - 1.0).collect();
            let dx_single: Vec<f32> = dx_single.iter().map(|d| d - 1.0).collect();
            for (name, found, single) in
                [("x", &dx, &dx_single), ("weight", &dw, &dw_single), ("bias", &db, &db_single)]
            {
                for pick in 0..6 {
                    let at = (seed as usize / (pick + 1)) % found.len();
                    let mut moved = case.clone();
                    moved.input_named(name)[at] += 1e-5;
                    let up = moved.loss();
                    moved.input_named(name)[at] -= 2e-5;
                    let numeric = (up - moved.loss()) / 2e-5;
                    prop_assert!((numeric - found[at]).abs() < 1e-7, "{name}[{at}] {numeric} {}", found[at]);
                    prop_assert!((found[at] - f64::from(single[at])).abs() < 2e-5, "{name}[{at}]");
                }
            }
        }
    }

    /// Two pieces and single steps, the window carried, are the sequence, to the bit.
    #[test]
    fn sequence_is_pieces_and_steps(
        sizes in sizes(),
        flags in any::<[bool; 2]>(),
        seed in any::<u64>(),
        cut in 1_usize..11,
    ) {
        let case = Case::new(sizes, flags, seed);
        let Case { time, channels, taps, stride, .. } = case;
        let [whole, leaving, ..] = run::<f32>(&case, Level::detect());
        let mut weight = vec![0.0; channels * taps];
        pack_taps(taps, &cast::<f32>(&case.weight), &mut weight);
        let (bias, x) = (cast::<f32>(&case.bias), cast::<f32>(&case.x));
        let taps_of = Taps { taps, channels, weight: &weight, bias: &bias };
        let first = case.window.as_deref().map_or_else(|| vec![0.0; (taps - 1) * channels], cast::<f32>);
        let (mut window, mut found) = (first.clone(), Vec::new());
        for step in 0..time {
            let mut out = vec![0.0; channels];
            let reset = case.reset.as_ref().is_some_and(|mask| mask[step]);
            convolve_step(Level::detect(), taps_of, &x[step * stride..], reset, &mut window, &mut out);
            found.extend(out);
        }
        prop_assert_eq!(&found, &whole);
        prop_assert_eq!(&window, &leaving);
        let (mut window, mut found) = (first, vec![0.0; time * channels]);
        for start in (0..time).step_by(cut) {
            let end = (start + cut).min(time);
            let sequence = Sequence {
                time: end - start,
                input: &x[start * stride..],
                stride,
                window: Some(&window),
                reset: case.reset.as_ref().map(|mask| &mask[start..end]),
            };
            convolve(Level::detect(), taps_of, sequence, &mut found[start * channels..end * channels]);
            let mut next = vec![0.0; window.len()];
            leaving_window(taps_of, sequence, &mut next);
            window = next;
        }
        prop_assert_eq!(&found, &whole);
        prop_assert_eq!(&window, &leaving);
    }
}
