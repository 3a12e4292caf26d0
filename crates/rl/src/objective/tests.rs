use super::*;

fn close(got: &[f32], expected: &[f64]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((f64::from(*got) - expected).abs() < 2e-6, "{got} {expected}");
    }
}

/// `torch` 2.15 in float64: `Categorical(logits=z)`, `ratio = (lp - old).exp()`, advantages normalised by
/// their mean and `std()`, `pl = -min(A*ratio, A*clamp(ratio, .8, 1.2)).mean()`, `vl = mse(ret, old_v +
/// clamp(v - old_v, -.3, .3))`, `loss = pl - 0.01*entropy.mean() + 0.5*vl`, then `loss.backward()`.
#[test]
fn the_loss_of_ppo_and_its_derivatives_are_those_of_torch() {
    let objective = Objective {
        clip_range: Some(0.2),
        value_clip_range: Some(0.3),
        entropy_coefficient: 0.01,
        value_coefficient: 0.5,
        normalise_advantages: true,
    };
    let minibatch = Minibatch {
        sequences: 2,
        time: 2,
        actions: vec![2.0, 0.0, 1.0, 1.0],
        values: vec![0.4, -0.5, 1.0, 0.35],
        log_probabilities: vec![-0.9, -1.5, -0.8, -0.75],
        advantages: vec![0.9, -0.4, -1.3, 0.2],
        returns: vec![1.0, -0.2, 1.5, -0.6],
        ..Minibatch::default()
    };
    let evaluation = Evaluation {
        distribution: &Distribution::Categorical { count: 3 },
        outputs: &[0.2, -0.4, 1.1, 0.0, 0.5, -0.3, 2.0, 1.0, -1.0, -0.7, 0.3, 0.1],
        values: &[0.5, -1.2, 2.0, 0.3],
        log_deviations: &[],
    };
    let (mut outputs, mut values) = ([f32::NAN; 12], [f32::NAN; 4]);
    let mut gradients =
        OutputGradients { outputs: &mut outputs, values: &mut values, log_deviations: &mut [] };
    let terms = objective.derivative(&minibatch, &evaluation, &mut gradients);
    let LossTerms { policy, value, entropy, approximate_kl, clip_fraction } = terms;
    close(
        &[policy, value, entropy, approximate_kl, clip_fraction, terms.total(&objective)],
        &[
            -0.093_355_509_265_055_45,
            0.365,
            0.925_174_163_832_928_9,
            0.066_897_138_142_511_94,
            0.75,
            0.079_892_749_096_615_26,
        ],
    );
    close(
        &outputs,
        &[
            -0.000_293_195_715_166_422_34,
            -0.000_366_281_544_620_781_56,
            0.000_659_477_259_787_204_2,
            0.062_327_965_228_277_854,
            -0.042_703_103_631_809_83,
            -0.019_624_861_596_467_983,
            0.000_643_405_093_450_015_8,
            -0.000_412_045_644_630_796_5,
            -0.000_231_359_448_819_220_17,
            0.014_961_962_405_287_346,
            -0.049_009_280_552_113_725,
            0.034_047_318_146_826_38,
        ],
    );
    close(&values, &[-0.125, 0.0, 0.0, 0.225]);
}

/// As above with `Normal(m, ls.exp())` summed over both numbers, `pl = -(adv*lp).mean()`,
/// `loss = pl - 0.02*entropy.mean() + 0.25*mse`.
#[test]
fn the_loss_of_a2c_and_its_derivatives_are_those_of_torch() {
    let objective = Objective {
        clip_range: None,
        value_clip_range: None,
        entropy_coefficient: 0.02,
        value_coefficient: 0.25,
        normalise_advantages: false,
    };
    let minibatch = Minibatch {
        sequences: 3,
        time: 1,
        actions: vec![0.3, 0.5, -0.2, 1.0, -0.9, -2.0],
        values: vec![0.0; 3],
        log_probabilities: vec![0.0; 3],
        advantages: vec![0.5, 1.0, -0.5],
        returns: vec![1.0, -0.2, 1.5],
        ..Minibatch::default()
    };
    let evaluation = Evaluation {
        distribution: &Distribution::DiagonalGaussian { low: vec![-1.0; 2], high: vec![1.0; 2] },
        outputs: &[0.1, -0.2, 0.4, 0.9, -1.0, 0.0],
        values: &[0.5, -1.2, 2.0],
        log_deviations: &[-0.5, 0.3],
    };
    let (mut outputs, mut values, mut logs) = ([f32::NAN; 6], [f32::NAN; 3], [0.0; 2]);
    let mut gradients =
        OutputGradients { outputs: &mut outputs, values: &mut values, log_deviations: &mut logs };
    let terms = objective.derivative(&minibatch, &evaluation, &mut gradients);
    close(
        &[terms.policy, terms.value, terms.entropy, terms.total(&objective)],
        &[0.556_238_918_927_799_3, 0.5, 2.637_877_066_409_345, 0.628_481_377_589_606],
    );
    close(
        &outputs,
        &[
            -0.090_609_394_281_968_18,
            -0.064_028_024_210_969_73,
            0.543_656_365_691_809_1,
            -0.018_293_721_203_134_206,
            0.045_304_697_140_984_077,
            -0.182_937_212_031_342_1,
        ],
    );
    close(&values, &[-1.0 / 12.0, -1.0 / 6.0, 1.0 / 12.0]);
    close(&logs, &[-0.026_451_895_224_047_353, 0.632_558_768_328_025_3]);
}
