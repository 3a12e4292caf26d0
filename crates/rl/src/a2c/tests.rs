use super::*;
use crate::actor_critic::{ActorCriticConfig, Backbone};
use crate::classic::{CartPole, ContextualBandit, Pendulum};
use crate::environment::tests::Counter;
use crate::environment::{Environment, SyncVecEnvironment};
use crate::network::elman::Elman;
use crate::space::Space;
use crate::training::Control;

fn vector<E: Environment + Sync + Clone + 'static>(one: &E, count: usize) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![one.clone(); count], false).unwrap())
}

fn learner(environments: Box<dyn VecEnvironment>, config: A2cConfig, seed: u64) -> Result<A2c, RlError> {
    let (observations, actions) = (environments.observation_space(), environments.action_space());
    let model = ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), 3).unwrap();
    A2c::new(config, model, environments, seed)
}

/// Observations [episode, step] of two; even episodes are cut off after 4 steps, odd ones end after 3.
fn counters(config: A2cConfig, poisoned: bool) -> A2c {
    let mut one = Counter::new();
    one.poisoned = poisoned;
    learner(vector(&one, 2), config, 1).unwrap()
}

fn small() -> A2cConfig {
    let experience =
        ExperienceConfig { capacity: 60, batch_size: 20, updates: 2, maximum_importance_weight: 1.0 };
    A2cConfig { experience: Some(experience), total_steps: 4000, ..A2cConfig::with_experience_buffer() }
}

#[test]
fn without_random_actions_and_buffer_nothing_changes_to_the_bit() {
    let run = |exploration| {
        let config = A2cConfig { exploration, gae_lambda: 0.9, ..A2cConfig::default() };
        let mut learner = learner(vector(&CartPole::new(), 4), config, 1).unwrap();
        (0..60).for_each(|_| _ = learner.iterate().unwrap());
        crate::Agent::to_bytes(learner.policy())
    };
    let never = ExplorationConfig { initial: 0.0, last: 0.0, ..ExplorationConfig::default() };
    assert_eq!(run(None), run(Some(never.clone())));
    let seldom = ExplorationConfig { initial: 0.05, ..never };
    assert_ne!(run(None), run(Some(seldom)));
    // What is not set does not stand in the configuration, so that older checkpoints still fit.
    let text = serde_json::to_string(&A2cConfig::default()).unwrap();
    assert!(!text.contains("exploration") && !text.contains("experience"), "{text}");
}

/// What was just done, looked at again with the same policy, is what was learned from: weights, values and
/// advantages, over ends of both kinds.
#[test]
fn replaying_the_last_rollout_is_that_rollout() {
    for exploration in [0.0, 0.5] {
        let exploration = Some(ExplorationConfig {
            initial: exploration,
            last: exploration,
            ..ExplorationConfig::default()
        });
        // As many sequences as a rollout has, so that they are all that the buffer holds.
        let experience = ExperienceConfig { capacity: 10, batch_size: 1000, ..ExperienceConfig::default() };
        let mut learner = counters(A2cConfig { exploration, experience: Some(experience), ..small() }, false);
        for _ in 0..7 {
            learner.iterate().unwrap();
            let behaviour = Behaviour {
                exploration: learner.config.exploration.as_ref().unwrap().initial,
                maximum_importance_weight: 1.0,
            };
            learner.core.collect(0.99, 0.9, Some(behaviour)).unwrap();
            let rollout = &learner.core.rollout;
            let experience = learner.experience.as_mut().unwrap();
            experience.push(rollout);
            let random = &mut generator(1, "test", 0);
            let batch = experience.sample(&mut learner.core.policy, random, 0.99, 0.9).unwrap();
            let mut met = [false; 2];
            for place in 0..200 {
                let observations = &batch.observations[place * 10..(place + 1) * 10];
                // Both environments do the same, but for their actions and so their weights.
                let same = |one: usize| {
                    rollout.observations[one * 10..(one + 1) * 10] == *observations
                        && rollout.actions[one * 5..(one + 1) * 5]
                            == batch.actions[place * 5..(place + 1) * 5]
                        && rollout.log_probabilities[one * 5..(one + 1) * 5]
                            == batch.log_probabilities[place * 5..(place + 1) * 5]
                };
                let one = (0..2).find(|one| same(*one)).unwrap();
                met[one] = true;
                for step in 0..5 {
                    let (new, old) = (place * 5 + step, one * 5 + step);
                    for (new, old) in [
                        (batch.importance_weights[new], rollout.importance_weights[old]),
                        (batch.bootstraps[new], rollout.bootstraps[old]),
                        (batch.values[new], rollout.values[old]),
                        (batch.advantages[new], rollout.advantages[old]),
                        (batch.returns[new], rollout.returns[old]),
                    ] {
                        assert!((new - old).abs() < 1e-5 * old.abs().max(1.0), "{step}: {new} {old}");
                    }
                }
            }
            assert!(met[0]);
        }
    }
}

/// A policy that has moved on: weights are the ratio of its probability to that of the time, truncated, and
/// bootstraps are by its critic.
#[test]
fn older_steps_are_weighed_by_the_policy_of_now() {
    let mut learner = counters(small(), false);
    (0..20).for_each(|_| _ = learner.iterate().unwrap());
    let [actor, critic, _] = learner.core.policy.model.parameters_mut();
    let (biases, last) = (actor.len() - 2, critic.len() - 1);
    actor[biases] += 0.7;
    critic[last] += 3.0;
    let experience = learner.experience.as_mut().unwrap();
    let policy = &mut learner.core.policy;
    let batch = experience.sample(policy, &mut generator(1, "test", 0), 0.99, 1.0).unwrap();
    let (mut below, mut at, mut cut) = (0, 0, 0);
    for row in 0..batch.rows() {
        let (mut outputs, mut value) = ([0.0; 2], [0.0]);
        let seen = &batch.observations[row * 2..row * 2 + 2];
        policy.model.step(seen, &mut [], &mut outputs, &mut value).unwrap();
        let exps = outputs.map(|logit| f64::from(logit).exp());
        let probability = exps[batch.actions[row] as usize] / (exps[0] + exps[1]);
        let ratio = probability / f64::from(batch.log_probabilities[row]).exp();
        let weight = f64::from(batch.importance_weights[row]);
        assert!((weight - ratio.min(1.0)).abs() < 1e-5, "{weight} {ratio}");
        assert!((batch.values[row] - value[0]).abs() < 1e-5);
        below += u32::from(ratio < 0.95);
        at += u32::from(ratio > 1.05);
        if batch.bootstraps[row] != 0.0 {
            // Even episodes are cut off at [episode, 4].
            policy.model.step(&[seen[0], 4.0], &mut [], &mut outputs, &mut value).unwrap();
            assert_eq!((seen[1], seen[0] % 2.0), (3.0, 0.0));
            assert!((batch.bootstraps[row] - value[0]).abs() < 1e-5);
            cut += 1;
        }
    }
    assert!(below > 0 && at > 0 && cut > 0, "{below} {at} {cut}");
}

#[test]
fn poison_after_a_termination_does_not_spread() {
    let run = |poisoned| {
        let mut learner = counters(small(), poisoned);
        (0..40).for_each(|_| _ = learner.iterate().unwrap());
        crate::Agent::to_bytes(learner.policy())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn training_goes_on_to_the_bit_from_bytes_with_its_experience() {
    let (mut whole, mut first) = (counters(small(), false), counters(small(), false));
    (0..30).for_each(|_| _ = whole.iterate().unwrap());
    // Before the ring is full, and after it has turned.
    for halfway in [3, 17] {
        (first.core.iterations as usize..halfway).for_each(|_| _ = first.iterate().unwrap());
        let mut second = counters(small(), false);
        (0..5).for_each(|_| _ = second.iterate().unwrap());
        second.restore(&first.to_bytes().unwrap()).unwrap();
        (halfway..30).for_each(|_| _ = second.iterate().unwrap());
        assert_eq!(second.to_bytes().unwrap(), whole.to_bytes().unwrap());
    }
    assert_eq!(whole.core.progress.updates, 90);
    let bytes = first.to_bytes().unwrap();
    assert!(counters(A2cConfig { experience: None, ..small() }, false).restore(&bytes).is_err());
}

#[test]
fn a_bandit_is_solved_from_experience() {
    let chances = vec![vec![0.1, 0.9, 0.2], vec![0.8, 0.3, 0.1], vec![0.0, 0.4, 0.9]];
    let bandit = ContextualBandit::new(chances).unwrap();
    let config = A2cConfig {
        total_steps: 20_000,
        learning_rate: Schedule::constant(2e-3),
        ..A2cConfig::with_experience_buffer()
    };
    let mut learner = learner(vector(&bandit, 8), config, 1).unwrap();
    let (mut last, mut least) = (Progress::default(), 1.0_f64);
    let mut observer = |progress: &Progress| {
        last = *progress;
        least = least.min(progress.replayed.unwrap().importance_weight);
        Control::Continue
    };
    learner.learn(&mut observer).unwrap();
    assert!((last.exploration.unwrap() - 0.01).abs() < 1e-12);
    // Other policies acted; none so different that nothing could be learned.
    assert!(least > 0.3 && least < 0.9, "{least}");
    let mut actions = [0.0; 3];
    let seen = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    learner.agent_mut().act(&seen, &mut [], None, &mut actions).unwrap();
    assert_eq!(actions, [1.0, 0.0, 2.0]);
}

#[test]
fn cart_pole_is_solved_from_experience() {
    let mut learner = learner(vector(&CartPole::new(), 8), A2cConfig::with_experience_buffer(), 1).unwrap();
    let mut solved = None;
    let mut observer = |progress: &Progress| {
        if progress.episodes >= 100 && progress.mean_return.unwrap_or(0.0) >= 475.0 {
            solved = Some(progress.steps);
            return Control::Stop;
        }
        Control::Continue
    };
    learner.learn(&mut observer).unwrap();
    assert!(solved.is_some_and(|steps| steps < 400_000), "{solved:?}");
}

#[test]
fn what_cannot_be_replayed_or_explored_is_refused_with_a_remedy() {
    let elman = |outputs| Box::new(Elman::new(2, 4, outputs, 1.0, 1));
    let model = || {
        let backbone = Backbone::Separate { actor: elman(2), critic: elman(1) };
        ActorCritic::new(backbone, &Space::Discrete { count: 2 }, 0.0).unwrap()
    };
    let environments = || vector(&Counter::new(), 2);
    let error = A2c::new(small(), model(), environments(), 1).unwrap_err().to_string();
    assert!(error.contains("memory") && error.contains("`experience`"), "{error}");
    // Random actions alone need no states of old.
    let mut learned =
        A2c::new(A2cConfig { experience: None, ..small() }, model(), environments(), 1).unwrap();
    (0..5).for_each(|_| _ = learned.iterate().unwrap());
    let error = learner(vector(&Pendulum::new(), 2), small(), 1).unwrap_err().to_string();
    assert!(error.contains("exploration"), "{error}");
    let mut replays =
        learner(vector(&Pendulum::new(), 2), A2cConfig { exploration: None, ..small() }, 1).unwrap();
    assert!(replays.iterate().unwrap().replayed.is_some());
}

#[test]
fn settings_are_read_and_held_to_their_ranges() {
    let text = "[exploration]\ninitial = 0.3\n[experience]\ncapacity = 500\n";
    let config: A2cConfig = toml::from_str(text).unwrap();
    config.validate().unwrap();
    assert_eq!(config.exploration.as_ref().unwrap().initial, 0.3);
    assert_eq!(config.experience.as_ref().unwrap().capacity, 500);
    for (text, field) in [
        ("experience = { capacity = 4 }", "experience.capacity"),
        ("experience = { batch_size = 4 }", "experience.batch_size"),
        ("experience = { updates = 0 }", "experience.updates"),
        ("experience = { maximum_importance_weight = 0.0 }", "experience.maximum_importance_weight"),
        ("exploration = { initial = 1.5 }", "exploration.initial"),
    ] {
        let error = toml::from_str::<A2cConfig>(text).unwrap().validate().unwrap_err().to_string();
        assert!(error.contains(field), "{text}: {error}");
    }
    A2cConfig::with_experience_buffer().validate().unwrap();
}
