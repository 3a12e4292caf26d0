use super::*;

/// `torch` 2.15 (float32): parameters [1, −2, 0.5], three gradients clipped to a norm of 0.5, learning rate
/// 0.01: `torch.optim.Adam(p, lr=1e-2, eps=1e-5)`, `torch.optim.RMSprop(p, lr=1e-2, alpha=.99, eps=1e-5)`;
/// the third by numpy: `s = .99*s + .01*g*g; p -= 1e-2*g/np.sqrt(s + 1e-5)` from `s = np.ones(3)`.
const GOLDEN: [(OptimiserConfig, [f32; 3]); 3] = [
    (OptimiserConfig::adam(1e-5), [0.993_784_9, -1.998_469_6, 0.484_240_9]),
    (OptimiserConfig::RmsProp { alpha: 0.99, epsilon: 1e-5 }, [0.933_387_4, -2.018_627_6, 0.471_781_55]),
    (
        OptimiserConfig::RmsPropTfLike { alpha: 0.99, epsilon: 1e-5 },
        [0.999_677_2, -2.003_984_3, 0.500_131_66],
    ),
];

fn whole(parameters: usize) -> [ParameterGroup; 1] {
    [ParameterGroup { parameters, learning_rate_factor: 1.0 }]
}

fn run(optimiser: &mut Optimiser, parameters: &mut [f32], gradients: &[[f32; 3]]) {
    for gradient in gradients {
        let mut gradient = *gradient;
        clip_by_global_norm(&mut gradient, 0.5);
        let (first, second) = parameters.split_at_mut(1);
        optimiser.step(&mut [first, &mut [], second], &gradient, 1e-2).unwrap();
    }
}

#[test]
fn parameters_are_those_of_torch_in_pieces_and_after_a_restore() {
    let gradients = [[0.3, -1.0, 2.0], [-0.2, 0.5, 0.0], [1.0, 1.0, -3.0]];
    for (config, expected) in GOLDEN {
        let mut parameters = [1.0, -2.0, 0.5];
        let mut optimiser = Optimiser::new(config, &whole(3)).unwrap();
        run(&mut optimiser, &mut parameters, &gradients[..2]);
        let mut writer = Writer::default();
        optimiser.save(&mut writer);
        let bytes = writer.finish();
        let mut again = Optimiser::new(config, &whole(3)).unwrap();
        again.restore(&mut Reader::new(&bytes)).unwrap();
        run(&mut again, &mut parameters, &gradients[2..]);
        for (got, expected) in parameters.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{config:?}: {got} {expected}");
        }
        assert!(Optimiser::new(config, &whole(4)).unwrap().restore(&mut Reader::new(&bytes)).is_err());
    }
}

#[test]
fn norms_are_clipped_from_above_alone() {
    let mut gradient = vec![0.0; 20];
    (gradient[0], gradient[19]) = (3.0, 4.0);
    assert_eq!(clip_by_global_norm(&mut gradient, 10.0), 5.0);
    assert_eq!((gradient[0], gradient[19]), (3.0, 4.0));
    assert_eq!(clip_by_global_norm(&mut gradient, 0.5), 5.0);
    assert!((gradient[0] - 0.3).abs() < 1e-6 && (gradient[19] - 0.4).abs() < 1e-6);
    gradient[3] = f32::NAN;
    assert!(clip_by_global_norm(&mut gradient, 0.5).is_nan());
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut optimiser = Optimiser::new(OptimiserConfig::adam(1e-5), &whole(3)).unwrap();
    assert!(optimiser.step(&mut [&mut [0.0; 2]], &[0.0; 2], 0.1).is_err());
    assert!(OptimiserConfig::adam(0.0).validate().is_err());
    assert!(OptimiserConfig::RmsProp { alpha: 1.0, epsilon: 1e-5 }.validate().is_err());
}

/// `torch` (float32): `torch.optim.Adam([{"params": [a, c], "lr": 1e-2}, {"params": [b], "lr": 2.5e-3}],
/// eps=1e-5)`, `a = [1, −2]`, `b = [0.5, 3]`, `c = [−1]`, and two gradients. Groups do not keep to pieces.
#[test]
fn groups_move_as_those_of_torch() {
    let group = |parameters, learning_rate_factor| ParameterGroup { parameters, learning_rate_factor };
    let groups = [group(2, 1.0), group(1, 0.25), group(1, 0.25), group(1, 1.0)];
    let mut optimiser = Optimiser::new(OptimiserConfig::adam(1e-5), &groups).unwrap();
    let mut parameters = [1.0, -2.0, 0.5, 3.0, -1.0];
    for gradient in [[0.3, -1.0, 2.0, -0.1, 0.7], [-0.2, 0.5, 0.1, 4.0, 0.6]] {
        let (first, second) = parameters.split_at_mut(3);
        optimiser.step(&mut [first, second], &gradient, 1e-2).unwrap();
    }
    let expected = [0.988_555_13, -1.987_336_8, 0.495_734, 3.000_681_9, -1.019_930_2];
    for (got, expected) in parameters.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
}

#[test]
fn what_is_frozen_stays_to_the_bit_and_does_not_count() {
    let group = |parameters, learning_rate_factor| ParameterGroup { parameters, learning_rate_factor };
    for (config, _) in GOLDEN {
        let mut frozen = Optimiser::new(config, &[group(2, 1.0), group(3, 0.0), group(1, 1.0)]).unwrap();
        let before = frozen.second.clone();
        let mut parameters = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
        let mut alone = Optimiser::new(config, &whole(3)).unwrap();
        let mut others = [0.1, 0.2, 0.6];
        for _ in 0..3 {
            let mut gradient = [3.0, 0.0, 100.0, f32::NAN, -7.0, 4.0];
            assert_eq!(frozen.clip(&mut gradient, 1.0).unwrap(), 5.0);
            frozen.step(&mut [&mut parameters], &gradient, 1e-2).unwrap();
            let mut gradient = [3.0, 0.0, 4.0];
            assert_eq!(alone.clip(&mut gradient, 1.0).unwrap(), 5.0);
            alone.step(&mut [&mut others], &gradient, 1e-2).unwrap();
        }
        assert_eq!(parameters[2..5], [0.3, 0.4, 0.5]);
        assert_eq!([parameters[0], parameters[1], parameters[5]], others);
        assert_ne!(others, [0.1, 0.2, 0.6]);
        assert_eq!(frozen.second[2..5], before[2..5]);
        assert!(frozen.first.get(2..5).is_none_or(|first| first == [0.0; 3]));
        assert!(Optimiser::new(config, &[group(1, -1.0)]).is_err());
        assert!(Optimiser::new(config, &[group(1, f32::NAN)]).is_err());
    }
}
