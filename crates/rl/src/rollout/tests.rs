use super::*;

/// One environment of five steps: cut off at step 1 (worth 4 more), ended by itself at step 3.
fn rollout() -> Rollout {
    let shape =
        RolloutShape { environments: 1, steps: 5, inputs: 1, action_width: 1, state_width: 0, sequence: 1 };
    let mut rollout = Rollout::new(shape).unwrap();
    rollout.rewards = vec![1.0, 2.0, -1.0, 0.5, 3.0];
    rollout.values = vec![0.5, 1.0, -0.5, 2.0, 1.5];
    rollout.starts = vec![true, false, true, false, true];
    rollout.ended = vec![false, true, false, true, false];
    rollout.bootstraps = vec![0.0, 4.0, 0.0, 0.0, 0.0];
    rollout
}

/// Stable-Baselines3's loop (`RolloutBuffer.compute_returns_and_advantage`) in numpy, with γ 0.9, λ 0.8, a
/// last value of 0.7, and γ · 4 added to the second reward, as `OnPolicyAlgorithm.collect_rollouts` does
/// where `TimeLimit.truncated`.
#[test]
fn advantages_are_those_of_stable_baselines() {
    let mut rollout = rollout();
    rollout.compute_advantages(&[0.7], 0.9, 0.8).unwrap();
    let expected = [(4.712, 5.212), (4.6, 5.6), (0.22, -0.28), (-1.5, 0.5), (2.13, 3.63)];
    for ((advantage, target), expected) in rollout.advantages.iter().zip(&rollout.returns).zip(expected) {
        assert!((advantage - expected.0).abs() < 1e-6 && (target - expected.1).abs() < 1e-6, "{expected:?}");
    }
}

#[test]
fn poison_in_one_episode_reaches_no_advantage_of_another() {
    let mut clean = rollout();
    clean.compute_advantages(&[0.7], 0.9, 0.8).unwrap();
    for (poisoned, last) in [(0..2, 0.7), (2..4, 0.7), (4..5, f32::NAN)] {
        let mut rollout = rollout();
        for row in poisoned.clone() {
            (rollout.rewards[row], rollout.values[row], rollout.bootstraps[row]) =
                (f32::NAN, f32::NAN, f32::NAN);
        }
        rollout.compute_advantages(&[last], 0.9, 0.8).unwrap();
        for row in 0..5 {
            if poisoned.contains(&row) {
                assert!(rollout.advantages[row].is_nan());
            } else {
                assert_eq!(rollout.advantages[row].to_bits(), clean.advantages[row].to_bits(), "{row}");
                assert_eq!(rollout.returns[row].to_bits(), clean.returns[row].to_bits(), "{row}");
            }
        }
    }
}

#[test]
fn a_minibatch_holds_the_rows_of_its_sequences() {
    let shape =
        RolloutShape { environments: 2, steps: 4, inputs: 2, action_width: 1, state_width: 3, sequence: 2 };
    let mut rollout = Rollout::new(shape).unwrap();
    let number = |values: &mut Vec<f32>| {
        values.iter_mut().enumerate().for_each(|(index, value)| *value = index as f32);
    };
    number(&mut rollout.observations);
    number(&mut rollout.states);
    number(&mut rollout.advantages);
    rollout.starts[6] = true;
    let mut minibatch = Minibatch::default();
    rollout.gather(&[3, 0], &mut minibatch);
    assert_eq!((minibatch.sequences, minibatch.time, minibatch.rows()), (2, 2, 4));
    assert_eq!(minibatch.observations, [12.0, 13.0, 14.0, 15.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(minibatch.states, [9.0, 10.0, 11.0, 0.0, 1.0, 2.0]);
    assert_eq!(minibatch.advantages, [6.0, 7.0, 0.0, 1.0]);
    assert_eq!(minibatch.starts, [true, false, false, false]);
}

#[test]
fn explained_variance_is_that_computed_by_hand() {
    let mut rollout = rollout();
    rollout.returns = vec![1.0, 2.0, 3.0, 4.0, 5.0];
    rollout.values = vec![1.0, 2.0, 3.0, 4.0, 3.0];
    // Variance of returns 2, of errors (0, 0, 0, 0, 2) 0.64.
    assert!((rollout.explained_variance() - 0.68).abs() < 1e-6);
    rollout.returns = vec![1.0; 5];
    assert!(rollout.explained_variance().is_nan());
}

#[test]
fn sequences_must_divide_the_steps() {
    let shape =
        RolloutShape { environments: 1, steps: 5, inputs: 1, action_width: 1, state_width: 1, sequence: 2 };
    assert!(Rollout::new(shape).unwrap_err().to_string().contains("divide"));
    assert!(rollout().compute_advantages(&[0.0; 2], 0.9, 0.8).is_err());
}

/// V-trace by its definition (Espeholt et al. 2018, equation 1, c times λ as in remark 2), in numpy, γ 0.9:
/// `vs = V[s] + sum(g**(t-s) * prod(c[s:t]) * rho[t] * (r[t] + g*nxt[t] - V[t]))` up to the end of the
/// episode, `adv = rho[s] * (r[s] + g*(lam*vs[s+1] + (1-lam)*V[s+1]) - V[s])`, with weights 0.5, 1.3, 0.25,
/// 0.9, 2.5 truncated at 1.
#[test]
fn weighted_advantages_are_those_of_v_trace() {
    for (lambda, targets, advantages) in [
        (1.0, [3.27, 5.6, -0.478_75, 0.65, 3.63], [2.77, 4.6, 0.021_25, -1.35, 2.13]),
        (0.8, [2.856, 5.6, -0.418, 0.65, 3.63], [2.356, 4.6, 0.082, -1.35, 2.13]),
    ] {
        let mut rollout = rollout();
        rollout.importance_weights = vec![0.5, 1.0, 0.25, 0.9, 1.0];
        rollout.compute_advantages(&[0.7], 0.9, lambda).unwrap();
        for (got, expected) in
            rollout.returns.iter().zip(targets).chain(rollout.advantages.iter().zip(advantages))
        {
            assert!((got - expected).abs() < 1e-6, "{lambda}: {got} {expected}");
        }
    }
}
