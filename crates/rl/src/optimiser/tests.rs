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
        let mut optimiser = Optimiser::new(config, 3);
        run(&mut optimiser, &mut parameters, &gradients[..2]);
        let mut writer = Writer::default();
        optimiser.save(&mut writer);
        let bytes = writer.finish();
        let mut again = Optimiser::new(config, 3);
        again.restore(&mut Reader::new(&bytes)).unwrap();
        run(&mut again, &mut parameters, &gradients[2..]);
        for (got, expected) in parameters.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{config:?}: {got} {expected}");
        }
        assert!(Optimiser::new(config, 4).restore(&mut Reader::new(&bytes)).is_err());
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
    let mut optimiser = Optimiser::new(OptimiserConfig::adam(1e-5), 3);
    assert!(optimiser.step(&mut [&mut [0.0; 2]], &[0.0; 2], 0.1).is_err());
    assert!(OptimiserConfig::adam(0.0).validate().is_err());
    assert!(OptimiserConfig::RmsProp { alpha: 1.0, epsilon: 1e-5 }.validate().is_err());
}
