use super::*;
use crate::random::generator;

/// A distribution, outputs, log deviations and an action.
type Case = (Distribution, Vec<f32>, Vec<f32>, Vec<f32>);

fn distributions() -> [Case; 3] {
    let (low, high) = (vec![-1.0, -2.0], vec![1.0, 2.0]);
    [
        (Distribution::Categorical { count: 3 }, vec![0.2, -0.4, 1.1], vec![], vec![2.0]),
        (
            Distribution::MultiCategorical { counts: vec![2, 3] },
            vec![0.3, -0.2, 0.2, -0.4, 1.1],
            vec![],
            vec![1.0, 0.0],
        ),
        (Distribution::DiagonalGaussian { low, high }, vec![0.1, -0.2], vec![-0.5, 0.3], vec![0.3, 0.5]),
    ]
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let wanted = RowGradient { log_probability: 0.7, entropy: -1.3 };
    for (distribution, outputs, logs, action) in distributions() {
        let loss = |outputs: &[f32], logs: &[f32]| {
            let [log_probability, entropy] = distribution.log_probability_and_entropy(outputs, logs, &action);
            wanted.log_probability * log_probability + wanted.entropy * entropy
        };
        let (mut by_output, mut by_log) = (vec![f32::NAN; outputs.len()], vec![1.0; logs.len()]);
        distribution.gradient(&outputs, &logs, &action, wanted, &mut by_output, &mut by_log);
        let slope = |values: &[f32], index: usize, loss: &dyn Fn(&[f32]) -> f32| {
            let moved = |by: f32| {
                let mut values = values.to_vec();
                values[index] += by;
                loss(&values)
            };
            (moved(1e-2) - moved(-1e-2)) / 2e-2
        };
        for (index, got) in by_output.iter().enumerate() {
            let expected = slope(&outputs, index, &|outputs| loss(outputs, &logs));
            assert!((got - expected).abs() < 3e-4, "{distribution:?} {index}: {got} {expected}");
        }
        for (index, got) in by_log.iter().enumerate() {
            let expected = 1.0 + slope(&logs, index, &|logs| loss(&outputs, logs));
            assert!((got - expected).abs() < 1e-3, "{distribution:?} {index}: {got} {expected}");
        }
    }
}

#[test]
fn log_probabilities_and_entropies_are_those_of_torch() {
    // In float64: Categorical(logits=[.2, -.4, 1.1]).log_prob(2); Normal([.1, -.2], exp([-.5,
    // .3])).entropy().sum().
    let [categorical, _, gaussian] = distributions();
    let [log_probability, _] = categorical.0.log_probability_and_entropy(&categorical.1, &[], &categorical.3);
    assert!((log_probability + 0.488_395_84).abs() < 1e-6, "{log_probability}");
    let [_, entropy] = gaussian.0.log_probability_and_entropy(&gaussian.1, &gaussian.2, &gaussian.3);
    assert!((entropy - 2.637_877).abs() < 1e-6, "{entropy}");
    // Large logits neither overflow nor lose the rest.
    let huge = Distribution::Categorical { count: 2 };
    assert_eq!(huge.log_probability_and_entropy(&[1e4, 0.0], &[], &[1.0])[0], -1e4);
}

#[test]
fn samples_have_the_frequencies_of_the_distribution() {
    let mut random = generator(5, "samples", 0);
    let [(categorical, logits, ..), (multiple, joint, ..), (gaussian, means, logs, _)] = distributions();
    let (mut counts, mut second, mut sums) = ([0.0; 3], [0.0; 3], [[0.0_f64; 2]; 2]);
    for _ in 0..40_000 {
        let (mut one, mut two, mut pair) = ([0.0], [0.0; 2], [0.0; 2]);
        categorical.sample(&logits, &[], &mut one, &mut random);
        counts[one[0] as usize] += 1.0 / 40_000.0;
        multiple.sample(&joint, &[], &mut two, &mut random);
        second[two[1] as usize] += 1.0 / 40_000.0;
        gaussian.sample(&means, &logs, &mut pair, &mut random);
        for (sums, value) in sums.iter_mut().zip(pair) {
            *sums = [sums[0] + f64::from(value), sums[1] + f64::from(value).powi(2)];
        }
    }
    for (choice, (one, two)) in counts.iter().zip(second).enumerate() {
        let expected = categorical.log_probability_and_entropy(&logits, &[], &[choice as f32])[0].exp();
        assert!(
            (one - expected).abs() < 0.01 && (two - expected).abs() < 0.01,
            "{choice}: {one} {two} {expected}"
        );
    }
    for ((sums, mean), log) in sums.iter().zip(means).zip(logs) {
        let (average, variance) = (sums[0] / 40_000.0, sums[1] / 40_000.0 - (sums[0] / 40_000.0).powi(2));
        assert!((average - f64::from(mean)).abs() < 0.03, "{average}");
        assert!((variance.sqrt() - f64::from(log).exp()).abs() < 0.02, "{variance}");
    }
}

#[test]
fn modes_are_the_most_probable_and_environments_get_what_lies_within_bounds() {
    let [(categorical, logits, ..), (multiple, joint, ..), (gaussian, ..)] = distributions();
    let (mut one, mut two) = ([0.0], [0.0; 2]);
    categorical.mode(&logits, &mut one);
    multiple.mode(&joint, &mut two);
    assert_eq!((one, two), ([2.0], [0.0, 2.0]));
    let mut actions = Actions::Discrete(Vec::new());
    gaussian.actions(&[5.0, 0.5, -0.5, -9.0], &mut actions);
    assert_eq!(actions, Actions::Continuous(vec![1.0, 0.5, -0.5, -2.0], 2));
    multiple.actions(&[1.0, 2.0, 0.0, 1.0], &mut actions);
    assert_eq!(actions, Actions::MultiDiscrete(vec![1, 2, 0, 1], 2));
}
