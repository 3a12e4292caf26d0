use super::*;
use crate::actor_critic::{ActorCritic, Backbone};
use crate::environment::{Action, Environment, Step, SyncVecEnvironment};
use crate::network::elman::Elman;
use crate::normalisation::NormalisationConfig;
use crate::rollout::RolloutShape;
use crate::space::Space;

/// Observes [episode, step]; episodes have three steps and end in turn by themselves and by being cut off.
struct Turns {
    spaces: [Space; 2],
    episode: u64,
    step: u64,
}

impl Turns {
    fn new() -> Self {
        Self { spaces: [Space::unbounded(2), Space::Discrete { count: 2 }], episode: 0, step: 0 }
    }
}

impl Environment for Turns {
    fn observation_space(&self) -> &Space {
        &self.spaces[0]
    }

    fn action_space(&self) -> &Space {
        &self.spaces[1]
    }

    fn reset(&mut self, seed: Option<u64>) {
        (self.episode, self.step) = (if seed.is_some() { 0 } else { self.episode + 1 }, 0);
    }

    fn step(&mut self, _: Action<'_>) -> Result<Step, RlError> {
        self.step += 1;
        let over = self.step == 3;
        Ok(Step {
            reward: 1.0,
            terminated: over && self.episode.is_multiple_of(2),
            truncated: over && !self.episode.is_multiple_of(2),
        })
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&[self.episode as f32, self.step as f32]);
    }
}

fn elman_policy() -> Policy {
    let actor = Box::new(Elman::new(2, 4, 2, 1.0, 1));
    let critic = Box::new(Elman::new(2, 3, 1, 1.0, 2));
    let actions = Space::Discrete { count: 2 };
    let model = ActorCritic::new(Backbone::Separate { actor, critic }, &actions, 0.0).unwrap();
    Policy::new(model, NormalisationConfig::default()).unwrap()
}

fn collected(rollouts: usize, mut before: impl FnMut(&mut Collector)) -> Rollout {
    let mut policy = elman_policy();
    let environments = SyncVecEnvironment::new(vec![Turns::new(), Turns::new()], false).unwrap();
    let mut collector = Collector::new(Box::new(environments), &mut policy, 3).unwrap();
    let shape =
        RolloutShape { environments: 2, steps: 8, inputs: 2, action_width: 1, state_width: 7, sequence: 4 };
    let mut rollout = Rollout::new(shape).unwrap();
    for _ in 0..rollouts {
        before(&mut collector);
        collector.collect(&mut policy, &mut rollout, 0.9, 0.8, None).unwrap();
    }
    rollout
}

#[test]
fn starts_ends_and_bootstraps_stand_where_they_belong() {
    let rollout = collected(1, |_| {});
    for environment in 0..2 {
        let rows = environment * 8..environment * 8 + 8;
        let flags =
            |values: &[bool]| values[rows.clone()].iter().map(|value| u8::from(*value)).collect::<Vec<_>>();
        assert_eq!(flags(&rollout.starts), [1, 0, 0, 1, 0, 0, 1, 0]);
        assert_eq!(flags(&rollout.ended), [0, 0, 1, 0, 0, 1, 0, 0]);
        let expected: Vec<f32> = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2], [2, 0], [2, 1]]
            .concat()
            .into_iter()
            .map(|v| v as f32)
            .collect();
        assert_eq!(rollout.observations[environment * 16..environment * 16 + 16], expected);
        // The second episode was cut off at [1, 3]: the critic's value of it, with the memory of that episode
        // alone.
        let (mut critic, mut state, mut value) = (Elman::new(2, 3, 1, 1.0, 2), [0.0; 3], [0.0]);
        for step in 0..4 {
            crate::network::Network::step(&mut critic, &[1.0, step as f32], &mut state, &mut value).unwrap();
        }
        for row in rows {
            let expected = if row % 8 == 5 { value[0] } else { 0.0 };
            assert_eq!(rollout.bootstraps[row], expected, "{row}");
        }
    }
}

/// The look ahead at the end of a rollout must not move the memory: the second one begins in mid-episode.
#[test]
fn memory_goes_on_from_one_rollout_to_the_next() {
    let rollout = collected(2, |_| {});
    let (mut critic, mut state, mut value) = (Elman::new(2, 3, 1, 1.0, 2), [0.0; 3], [0.0]);
    for step in 0..3 {
        crate::network::Network::step(&mut critic, &[2.0, step as f32], &mut state, &mut value).unwrap();
    }
    assert!(!rollout.starts[0] && rollout.starts[1]);
    assert_eq!(rollout.observations[..2], [2.0, 2.0]);
    assert_eq!(rollout.values[0], value[0]);
}

/// Learning sees what acting saw: the same outputs from sequences that begin in mid-episode and cross ends.
#[test]
fn sequences_give_the_values_and_probabilities_of_acting() {
    let rollout = collected(3, |_| {});
    let mut policy = elman_policy();
    let mut minibatch = crate::rollout::Minibatch::default();
    rollout.gather(&[2, 0, 3, 1], &mut minibatch);
    let (mut outputs, mut values) = (vec![0.0; 32], vec![0.0; 16]);
    policy.model.forward(&minibatch.batch(), &mut outputs, &mut values).unwrap();
    assert_eq!(values, minibatch.values);
    for (row, outputs) in outputs.chunks(2).enumerate() {
        let action = &minibatch.actions[row..row + 1];
        let [log_probability, _] =
            policy.model.distribution().log_probability_and_entropy(outputs, &[], action);
        assert_eq!(log_probability, minibatch.log_probabilities[row]);
    }
}

#[test]
fn poison_in_the_state_of_the_episode_before_reaches_nothing() {
    // After 24 steps all environments begin an episode.
    let run = |poison: f32| {
        let mut rollouts = 0;
        collected(4, |collector| {
            rollouts += 1;
            if rollouts == 4 {
                assert_eq!(collector.starts, [true, true]);
                collector.states.fill(poison);
            }
        })
    };
    let (clean, poisoned) = (run(0.5), run(f32::NAN));
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert!(clean.starts[0] && clean.advantages.iter().all(|value| value.is_finite()));
    assert_eq!(bits(&clean.values), bits(&poisoned.values));
    assert_eq!(bits(&clean.log_probabilities), bits(&poisoned.log_probabilities));
    assert_eq!(bits(&clean.advantages), bits(&poisoned.advantages));
    assert_eq!(bits(&clean.states), bits(&poisoned.states));
}

/// The share of each action is that of the mixture, the log probability its logarithm, and the mean of
/// weights (not truncated) 1, which is what makes them importance weights.
#[test]
fn random_actions_are_drawn_and_weighed_as_a_mixture() {
    let policy = elman_policy();
    let behaviour = Behaviour { exploration: 0.4, maximum_importance_weight: 10.0 };
    let logits = [1.5_f32, -0.5];
    let own = f64::from((-2.0_f32).exp()).mul_add(1.0, 1.0).recip();
    let mixture = [0.6 * own + 0.2, 0.6 * (1.0 - own) + 0.2];
    let (mut random, mut exploring) = (generator(1, "actions", 0), generator(1, "exploration", 0));
    let (mut counts, mut weights, draws) = ([0.0; 2], 0.0, 40_000);
    let (mut action, mut other) = ([0.0], [0.0]);
    for _ in 0..draws {
        policy.model.distribution().sample(&logits, &[], &mut action, &mut random);
        let [log, weight] = behaviour.mix(&policy, &logits, &mut action, &mut other, &mut exploring);
        let choice = action[0] as usize;
        assert!((f64::from(log) - mixture[choice].ln()).abs() < 1e-6);
        assert!((f64::from(weight) - [own, 1.0 - own][choice] / mixture[choice]).abs() < 1e-6);
        counts[choice] += 1.0;
        weights += f64::from(weight);
    }
    let draws = f64::from(draws);
    // Five standard errors.
    assert!(
        (counts[0] / draws - mixture[0]).abs() < 5.0 * (mixture[0] * mixture[1] / draws).sqrt(),
        "{counts:?}"
    );
    assert!((weights / draws - 1.0).abs() < 0.01, "{}", weights / draws);
    let truncated = Behaviour { maximum_importance_weight: 1.0, ..behaviour };
    action = [0.0];
    let [_, weight] = Behaviour { exploration: 1e-9, ..truncated }.mix(
        &policy,
        &logits,
        &mut action,
        &mut other,
        &mut exploring,
    );
    assert_eq!(weight, 1.0);
}
