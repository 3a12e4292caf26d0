//! Adam with decoupled weight decay.

/// What one step of AdamW does to every number alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdamW {
    /// Learning rate η.
    pub learning_rate: f64,
    /// Weight decay λ; it shrinks a parameter by the factor 1 − η λ.
    pub weight_decay: f64,
    /// β₁ and β₂, how much of the averages of gradient and squared gradient is kept.
    pub betas: [f64; 2],
    /// ε, added to the root of the second moment.
    pub epsilon: f64,
    /// t, the number of this step, from 1.
    pub step: u64,
}

impl AdamW {
    /// One step (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2, with PyTorch's η λ for the
    /// paper's scheduled λ), in one pass over four slices of one length:
    ///
    /// ```text
    /// m ← m + (1 − β₁) (g − m)          v ← β₂ v + (1 − β₂) g²
    /// θ ← θ − (η λ θ + η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε))
    /// ```
    ///
    /// The corrections of the bias are computed in f64: in f32, 1 − β₂ᵗ would lose four digits at t = 1.
    pub(super) fn update(
        &self,
        parameters: &mut [f32],
        gradients: &[f32],
        first: &mut [f32],
        second: &mut [f32],
    ) {
        let correction = self.betas.map(|beta| 1.0 - beta.powf(self.step as f64));
        let first_taken = (1.0 - self.betas[0]) as f32;
        let [second_kept, second_taken] = [self.betas[1] as f32, (1.0 - self.betas[1]) as f32];
        let step_size = (self.learning_rate / correction[0]) as f32;
        let root_factor = (1.0 / correction[1].sqrt()) as f32;
        let epsilon = self.epsilon as f32;
        let decay = (self.learning_rate * self.weight_decay) as f32;
        let averages = first.iter_mut().zip(second);
        for ((parameter, &gradient), (first, second)) in parameters.iter_mut().zip(gradients).zip(averages) {
            *first += first_taken * (gradient - *first);
            *second = second_kept * *second + second_taken * gradient * gradient;
            let direction = *first / (second.sqrt() * root_factor + epsilon);
            // One sum before the one rounding to the parameter: the decay alone may be too small for it.
            *parameter -= decay * *parameter + step_size * direction;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.AdamW(betas=(0.9, 0.99), eps=1e-6)`, PyTorch 2.15, f32: numbers 0 to 5 with a decay of
    /// 0.1, 6 to 9 without; gradients ((7 i + 5 t) mod 11 − 5) / 8 and learning rates 0.01 (1 + t mod 3) at t
    /// = 0 to 9.
    const AFTER_1: [f64; 10] = [
        -7.392_500_4e-1,
        -5.094_999_7e-1,
        -2.397_500_4e-1,
        -9.999_984e-3,
        2.397_500_9e-1,
        5.094_999_7e-1,
        -1.009_999_99,
        -5.0e-1,
        9.999_980e-3,
        4.900_000_4e-1,
    ];
    const AFTER_10: [f64; 10] = [
        -7.301_307_9e-1,
        -4.825_166_8e-1,
        -2.069_158e-1,
        -6.531_492_6e-2,
        2.402_325_3e-1,
        5.494_024_2e-1,
        -1.021_109_1,
        -5.659_156_4e-1,
        4.590_629e-2,
        5.035_993_5e-1,
    ];
    const FIRST: [f64; 10] = [
        -1.837_873_8e-2,
        4.831_955_6e-2,
        -2.132_885e-2,
        -4.652_361_2e-2,
        3.997_749_5e-2,
        -2.506_549e-3,
        9.561_195e-3,
        1.775_153_9e-2,
        -2.729_364_4e-3,
        3.952_100_1e-2,
    ];
    const SECOND: [f64; 10] = [
        1.619_576_1e-2,
        1.508_028_9e-2,
        1.410_893_6e-2,
        1.643_698_5e-2,
        1.397_683_8e-2,
        1.509_679_5e-2,
        1.637_741_6e-2,
        1.265_730_8e-2,
        1.577_049_9e-2,
        1.590_260_7e-2,
    ];

    fn assert_near(seen: &[f32], expected: &[f64]) {
        for (&seen, expected) in seen.iter().zip(expected) {
            assert!(
                (f64::from(seen) - expected).abs() <= 1e-6 * expected.abs().max(0.05),
                "{seen} {expected}"
            );
        }
    }

    #[test]
    fn ten_steps_are_those_of_pytorch() {
        let decayed = (0..6_i8).map(|i| f32::from(i - 3) / 4.0);
        let mut parameters: Vec<f32> = decayed.chain((0..4_i8).map(|i| f32::from(i - 2) / 2.0)).collect();
        let (mut first, mut second) = (vec![0.0; 10], vec![0.0; 10]);
        for t in 0..10_u8 {
            let gradients: Vec<f32> =
                (0..10_u8).map(|i| (f32::from((i * 7 + t * 5) % 11) - 5.0) / 8.0).collect();
            for (weight_decay, range) in [(0.1, 0..6), (0.0, 6..10)] {
                let learning_rate = 0.01 * f64::from(1 + t % 3);
                let adamw = AdamW {
                    learning_rate,
                    weight_decay,
                    betas: [0.9, 0.99],
                    epsilon: 1e-6,
                    step: u64::from(t) + 1,
                };
                adamw.update(
                    &mut parameters[range.clone()],
                    &gradients[range.clone()],
                    &mut first[range.clone()],
                    &mut second[range],
                );
            }
            if t == 0 {
                assert_near(&parameters, &AFTER_1);
            }
        }
        assert_near(&parameters, &AFTER_10);
        assert_near(&first, &FIRST);
        assert_near(&second, &SECOND);
    }

    /// The paper's claim: with decay as part of the gradient (Adam with L2) a parameter with large gradients
    /// decays less; decoupled, the decay does not depend on the size of the gradients.
    #[test]
    fn decay_does_not_depend_on_the_size_of_the_gradients() {
        let lost = |gradient_size: f32| {
            let run = |weight_decay: f64| {
                let (mut parameter, mut first, mut second) = ([2.0_f32], [0.0], [0.0]);
                for step in 1..=200 {
                    let sign = if step % 2 == 0 { 1.0 } else { -1.0 };
                    let (betas, epsilon) = ([0.9, 0.999], 1e-12);
                    let adamw = AdamW { learning_rate: 0.01, weight_decay, betas, epsilon, step };
                    adamw.update(&mut parameter, &[sign * gradient_size], &mut first, &mut second);
                }
                f64::from(parameter[0])
            };
            run(0.0) - run(0.2)
        };
        // θ shrinks by 1 − η λ at every step.
        let expected = 2.0 * (1.0 - (1.0_f64 - 0.01 * 0.2).powi(200));
        for gradient_size in [1e-3, 1.0, 1e3] {
            assert!((lost(gradient_size) / expected - 1.0).abs() < 0.01, "{}", lost(gradient_size));
        }
        assert!((lost(1e-3) - lost(1e3)).abs() < 1e-4);
    }
}
