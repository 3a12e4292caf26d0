use super::*;
use crate::actor_critic::{ActorCritic, ActorCriticConfig, Backbone};
use crate::classic::{CartPole, ContextualBandit};
use crate::dqn::{Dqn, DqnConfig, ReplayConfig};
use crate::environment::{Environment, SyncVecEnvironment, VecEnvironment};
use crate::evaluation::{EvaluationConfig, evaluate};
use crate::network::{Mlp, MlpConfig, Network, OutputHead, ParameterGroup, SequenceBatch};
use crate::random::generator;
use crate::training::{Control, Learner, Progress};
use crate::{A2c, A2cConfig, Ppo, PpoConfig, ValuePolicy};

fn vector<E: Environment + Sync + Clone + 'static>(one: &E, count: usize) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![one.clone(); count], false).unwrap())
}

fn bandit() -> ContextualBandit {
    ContextualBandit::new(vec![vec![0.1, 0.9], vec![0.95, 0.0]]).unwrap()
}

/// An MLP with groups.
struct Grouped(Mlp, Vec<ParameterGroup>);

impl Network for Grouped {
    fn inputs(&self) -> usize {
        self.0.inputs()
    }

    fn outputs(&self) -> usize {
        self.0.outputs()
    }

    fn state_width(&self) -> usize {
        0
    }

    fn initial_state(&self, _: &mut [f32]) {}

    fn parameters(&self) -> &[f32] {
        self.0.parameters()
    }

    fn parameters_mut(&mut self) -> &mut [f32] {
        self.0.parameters_mut()
    }

    fn parameter_groups(&self) -> Vec<ParameterGroup> {
        self.1.clone()
    }

    fn step(&mut self, observations: &[f32], states: &mut [f32], outputs: &mut [f32]) -> Result<(), RlError> {
        self.0.step(observations, states, outputs)
    }

    fn forward(&mut self, batch: &SequenceBatch<'_>, outputs: &mut [f32]) -> Result<(), RlError> {
        self.0.forward(batch, outputs)
    }

    fn backward(&mut self, output_gradient: &[f32], gradient: &mut [f32]) -> Result<(), RlError> {
        self.0.backward(output_gradient, gradient)
    }
}

const FROZEN: usize = 24;

fn network(outputs: usize, seed: u64, frozen: bool) -> Box<dyn Network> {
    let config = MlpConfig { hidden: vec![16], ..MlpConfig::default() };
    let mlp = Mlp::new(2, &[OutputHead { outputs, gain: 1.0 }], &config, seed, "test").unwrap();
    if !frozen {
        return Box::new(mlp);
    }
    let rest = mlp.parameters().len() - FROZEN;
    let groups = vec![
        ParameterGroup { parameters: FROZEN, learning_rate_factor: 0.0 },
        ParameterGroup { parameters: rest, learning_rate_factor: 0.5 },
    ];
    Box::new(Grouped(mlp, groups))
}

/// One of each algorithm on a bandit.
fn learners(frozen: bool, seed: u64) -> Vec<Box<dyn Learner>> {
    let model = || {
        let (actor, critic) = (network(2, 1, frozen), network(1, 2, frozen));
        ActorCritic::new(Backbone::Separate { actor, critic }, bandit().action_space(), 0.0).unwrap()
    };
    let ppo = PpoConfig { total_steps: 4096, steps: 32, ..PpoConfig::default() };
    let a2c = A2cConfig {
        total_steps: 8000,
        learning_rate: crate::Schedule::constant(3e-3),
        ..A2cConfig::with_experience_buffer()
    };
    let replay = ReplayConfig { capacity: 2000, prioritised: None };
    let learning_rate = crate::Schedule::constant(1e-2);
    let dqn = DqnConfig { total_steps: 4000, learning_rate, dueling: true, replay, ..DqnConfig::default() };
    let all = || vector(&bandit(), 4);
    let (online, target) = (network(3, 3, frozen), network(3, 4, frozen));
    vec![
        Box::new(A2c::new(a2c, model(), all(), seed).unwrap()),
        Box::new(Ppo::new(ppo, model(), all(), seed).unwrap()),
        Box::new(Dqn::new(dqn, online, target, all(), seed).unwrap()),
    ]
}

#[test]
fn a_program_holds_any_algorithm() {
    let best = bandit().optimal_return();
    for (mut learner, mut other) in learners(false, 1).into_iter().zip(learners(false, 2)) {
        let mut last = Progress::default();
        let mut half = None;
        while !learner.is_done() {
            last = learner.iterate().unwrap();
            if half.is_none() && last.steps * 2 >= last.total_steps {
                half = Some(learner.to_bytes().unwrap());
            }
        }
        assert_eq!((last.steps, last.mean_length), (last.total_steps, Some(1.0)));
        assert!(last.loss.is_some() && last.gradient_norm.is_some() && last.mean_value.is_some());
        // What one has and the others have not.
        assert_ne!(last.losses.is_some(), last.replayed.is_none() && last.exploration.is_some());
        let line = serde_json::to_value(last).unwrap();
        assert_eq!(line["steps"], last.steps);
        assert_eq!(line["losses"].is_null(), last.losses.is_none());

        other.restore(&half.unwrap()).unwrap();
        other.learn(&mut |_: &Progress| Control::Continue).unwrap();
        assert_eq!(other.to_bytes().unwrap(), learner.to_bytes().unwrap());
        assert_eq!(other.agent().to_bytes(), learner.agent_mut().to_bytes());
        let config = EvaluationConfig { episodes: 2000, ..EvaluationConfig::default() };
        let mut agent = learner.into_agent();
        let reached = evaluate(&mut *agent, &mut *vector(&bandit(), 4), &config).unwrap().mean_return;
        assert!((reached - best).abs() < 0.03, "{reached} of {best}");
    }
}

/// All three hand the groups of their networks to the optimiser.
#[test]
fn what_networks_freeze_stays_to_the_bit_whatever_learns() {
    let parameters = |learner: &dyn Learner| -> Vec<f32> {
        let bytes = learner.agent().to_bytes();
        // The first network stands first: its length, then its numbers.
        let mut reader = Reader::with_checksum(&bytes).unwrap();
        reader.f32s().unwrap()
    };
    for (mut learner, untouched) in learners(true, 1).into_iter().zip(learners(true, 1)) {
        let before = parameters(&*untouched);
        (0..100).for_each(|_| _ = learner.iterate().unwrap());
        let after = parameters(&*learner);
        assert_eq!(after[..FROZEN], before[..FROZEN]);
        assert!(after[FROZEN..].iter().zip(&before[FROZEN..]).filter(|(a, b)| a != b).count() > 20);
    }
}

#[test]
fn groups_of_a_policy_are_those_of_its_networks_and_its_deviations() {
    let actions = Space::Continuous { low: vec![-1.0; 2], high: vec![1.0; 2] };
    let group = |parameters, learning_rate_factor| ParameterGroup { parameters, learning_rate_factor };
    let backbone = Backbone::Separate { actor: network(2, 1, true), critic: network(1, 2, false) };
    let model = ActorCritic::new(backbone, &actions, 0.0).unwrap();
    let (actor, critic) = (2 * 16 + 16 + 16 * 2 + 2, 2 * 16 + 16 + 16 + 1);
    let expected = [group(FROZEN, 0.0), group(actor - FROZEN, 0.5), group(critic, 1.0), group(2, 1.0)];
    assert_eq!(model.parameter_groups(), expected);
    let sum: usize = model.parameter_groups().iter().map(|group| group.parameters).sum();
    assert_eq!(sum, model.parameter_count());
    // One whose groups are more than there is.
    let mlp = Mlp::new(2, &[OutputHead { outputs: 2, gain: 1.0 }], &MlpConfig::default(), 0, "test").unwrap();
    let too_many = vec![group(mlp.parameters().len() + 1, 1.0)];
    let backbone =
        Backbone::Separate { actor: Box::new(Grouped(mlp, too_many)), critic: network(1, 2, false) };
    let error = ActorCritic::new(backbone, &Space::Discrete { count: 2 }, 0.0).unwrap_err().to_string();
    assert!(error.contains("groups"), "{error}");
}

#[test]
fn a_random_agent_draws_from_all_that_there_is() {
    let observations = Space::unbounded(1);
    let draw = |actions: &Space, rows: usize| {
        let mut agent = RandomAgent::new(&observations, actions).unwrap();
        let mut drawn = vec![0.0; rows * actions.width()];
        agent.act(&vec![0.0; rows], &mut [], Some(&mut generator(1, "draw", 0)), &mut drawn).unwrap();
        drawn
    };
    let drawn = draw(&Space::MultiDiscrete { counts: vec![2, 5] }, 10_000);
    for (part, count) in [(0, 2), (1, 5)] {
        for choice in 0..count {
            let found = drawn.iter().skip(part).step_by(2).filter(|value| **value == choice as f32).count();
            let (expected, found) = (1.0 / f64::from(count), found as f64 / 1e4);
            // Five standard errors.
            assert!((found - expected).abs() < 5.0 * (expected * (1.0 - expected) / 1e4).sqrt(), "{found}");
        }
    }
    let (low, high) =
        (vec![-2.0, 1.0, f32::NEG_INFINITY, f32::NEG_INFINITY], vec![4.0, f32::INFINITY, 1.0, f32::INFINITY]);
    let drawn = draw(&Space::Continuous { low, high }, 20_000);
    let mean = |column: usize| drawn.iter().skip(column).step_by(4).sum::<f32>() / 20_000.0;
    let (least, most) = (f32::min as fn(f32, f32) -> f32, f32::max as fn(f32, f32) -> f32);
    let extreme = |column: usize, of: fn(f32, f32) -> f32| {
        drawn.iter().skip(column).step_by(4).copied().reduce(of).unwrap()
    };
    // Uniform: mean 1; exponential from its bound: one away from it; normal: mean 0.
    for (column, expected) in [1.0, 2.0, 0.0, 0.0].into_iter().enumerate() {
        assert!((mean(column) - expected).abs() < 0.065, "{column}: {}", mean(column));
    }
    assert!(extreme(0, least) >= -2.0 && extreme(0, most) <= 4.0 && extreme(0, most) > 3.9);
    assert!(extreme(1, least) >= 1.0 && extreme(1, most) > 6.0);
    assert!(extreme(2, most) <= 1.0 && extreme(2, least) < -4.0);
    assert!(extreme(3, most) > 3.0 && extreme(3, least) < -3.0);
}

/// Random actions earn about 22 on CartPole (Gymnasium's own, 10⁵ episodes: 22.2).
#[test]
fn anything_that_acts_is_evaluated() {
    let environments = || vector(&CartPole::new(), 8);
    let one = CartPole::new();
    let mut random = RandomAgent::new(one.observation_space(), one.action_space()).unwrap();
    let drawn = EvaluationConfig { episodes: 2000, deterministic: false, seed: 1 };
    let result = evaluate(&mut random, &mut *environments(), &drawn).unwrap();
    assert!((result.mean_return - 22.2).abs() < 1.5, "{}", result.mean_return);
    let config = EvaluationConfig::default();
    let error = evaluate(&mut random, &mut *environments(), &config).unwrap_err().to_string();
    assert!(error.contains("deterministic"), "{error}");
    random.restore_bytes(&random.to_bytes()).unwrap();

    let head = [OutputHead { outputs: 2, gain: 1.0 }];
    let mlp = Mlp::new(4, &head, &MlpConfig::default(), 0, "values").unwrap();
    let mut policy = ValuePolicy::new(Box::new(mlp), 2, false).unwrap();
    let greedy = evaluate(&mut policy, &mut *environments(), &config).unwrap();
    // Without a chance of random actions a generator changes nothing; with certainty it is all that counts.
    assert_eq!(
        evaluate(&mut policy, &mut *environments(), &EvaluationConfig { deterministic: false, ..config })
            .unwrap(),
        greedy
    );
    policy.exploration = 1.0;
    assert_eq!(evaluate(&mut policy, &mut *environments(), &config).unwrap(), greedy);
    let explored = evaluate(&mut policy, &mut *environments(), &drawn).unwrap();
    assert!((explored.mean_return - 22.2).abs() < 1.5, "{}", explored.mean_return);

    // Not what it was made for.
    let actor_critic = ActorCritic::from_config(
        one.observation_space(),
        &Space::Discrete { count: 3 },
        &ActorCriticConfig::default(),
        0,
    );
    let mut other = crate::Policy::new(actor_critic.unwrap(), crate::NormalisationConfig::default()).unwrap();
    assert!(matches!(evaluate(&mut other, &mut *environments(), &config), Err(RlError::Shape { .. })));
    assert!(policy.act(&[0.0; 7], &mut [], None, &mut [0.0]).is_err());
    assert!(policy.act(&[0.0; 4], &mut [], None, &mut [0.0; 2]).is_err());
}
