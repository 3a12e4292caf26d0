use super::*;
use crate::actor_critic::{ActorCriticConfig, Backbone};
use crate::classic::{CartPole, Memory, Pendulum};
use crate::distribution::Distribution;
use crate::environment::{Environment, SyncVecEnvironment};
use crate::evaluation::{EvaluationConfig, evaluate};
use crate::network::elman::Elman;
use crate::network::{Network, SequenceBatch};
use crate::objective::{Evaluation, OutputGradients};
use crate::rollout::Minibatch;
use crate::space::Space;
use crate::training::Control;
use crate::{A2c, A2cConfig};

fn vector<E: Environment + Sync + Clone + 'static>(
    one: &E,
    count: usize,
    parallel: bool,
) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![one.clone(); count], parallel).unwrap())
}

fn mlp(environments: &dyn VecEnvironment, shared: bool) -> ActorCritic {
    let config = ActorCriticConfig { shared, ..ActorCriticConfig::default() };
    ActorCritic::from_config(environments.observation_space(), environments.action_space(), &config, 5)
        .unwrap()
}

fn config() -> PpoConfig {
    let normalisation =
        NormalisationConfig { observations: true, rewards: true, ..NormalisationConfig::default() };
    PpoConfig {
        total_steps: 4096,
        steps: 64,
        batch_size: 50,
        epochs: 3,
        learning_rate: Schedule::Cosine { start: 1e-3, end: 1e-4 },
        entropy_coefficient: 0.01,
        value_clip_range: Some(Schedule::constant(0.2)),
        target_kl: Some(0.05),
        normalisation,
        ..PpoConfig::default()
    }
}

fn ppo(parallel: bool, seed: u64) -> Ppo {
    let environments = vector(&Pendulum::new(), 4, parallel);
    let model = mlp(&*environments, true);
    Ppo::new(config(), model, environments, seed).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    let run = |parallel, seed| {
        let mut learner = ppo(parallel, seed);
        let progress: Vec<_> = (0..5).map(|_| learner.iterate().unwrap().losses).collect();
        (progress, learner.into_policy().to_bytes())
    };
    assert_eq!(run(false, 1), run(true, 1));
    assert_ne!(run(false, 1).1, run(false, 2).1);
}

#[test]
fn training_goes_on_to_the_bit_from_bytes() {
    let (mut whole, mut first) = (ppo(false, 1), ppo(false, 1));
    (0..6).for_each(|_| _ = whole.iterate().unwrap());
    (0..3).for_each(|_| _ = first.iterate().unwrap());
    let bytes = first.to_bytes().unwrap();
    let mut second = ppo(false, 99);
    second.restore(&bytes).unwrap();
    (0..3).for_each(|_| _ = second.iterate().unwrap());
    assert_eq!(second.to_bytes().unwrap(), whole.to_bytes().unwrap());

    let make = |seed| {
        let environments = vector(&CartPole::new(), 3, false);
        let model = mlp(&*environments, false);
        A2c::new(A2cConfig::default(), model, environments, seed).unwrap()
    };
    let (mut whole, mut first, mut second) = (make(1), make(1), make(2));
    (0..80).for_each(|_| _ = whole.iterate().unwrap());
    (0..50).for_each(|_| _ = first.iterate().unwrap());
    second.restore(&first.to_bytes().unwrap()).unwrap();
    (0..30).for_each(|_| _ = second.iterate().unwrap());
    assert_eq!(second.to_bytes().unwrap(), whole.to_bytes().unwrap());
    // Bytes of another algorithm, and damaged ones.
    assert!(second.restore(&bytes).unwrap_err().to_string().contains("algorithm"));
    let mut bad = bytes;
    bad[40] ^= 1;
    assert!(ppo(false, 1).restore(&bad).is_err());
}

/// Both backbones, both kinds of network, all distributions: the whole way from parameters to the loss.
#[test]
fn gradients_by_parameters_are_those_of_finite_differences() {
    let objective = Objective {
        clip_range: Some(0.2),
        value_clip_range: None,
        entropy_coefficient: 0.05,
        value_coefficient: 0.5,
        normalise_advantages: true,
    };
    let spaces = [
        Space::Discrete { count: 3 },
        Space::MultiDiscrete { counts: vec![2, 3] },
        Space::Continuous { low: vec![-1.0; 2], high: vec![1.0; 2] },
    ];
    for space in spaces {
        let outputs = Distribution::of(&space).unwrap().outputs();
        let elman = |outputs, seed| -> Box<dyn Network> { Box::new(Elman::new(3, 5, outputs, 0.5, seed)) };
        for backbone in [
            Backbone::Shared(elman(outputs + 1, 1)),
            Backbone::Separate { actor: elman(outputs, 1), critic: elman(1, 2) },
        ] {
            let model = ActorCritic::new(backbone, &space, -0.3).unwrap();
            check_gradient(model, &objective);
        }
    }
}

fn check_gradient(mut model: ActorCritic, objective: &Objective) {
    let (sequences, time) = (3, 4);
    let rows = sequences * time;
    let mut random = generator(8, "gradient", 0);
    let mut noise = |count: usize| {
        let mut values = vec![0.0; count];
        crate::network::initialisation::uniform(&mut values, 1.0, &mut random);
        values
    };
    let mut minibatch = Minibatch { sequences, time, starts: vec![false; rows], ..Minibatch::default() };
    (minibatch.starts[0], minibatch.starts[6]) = (true, true);
    minibatch.observations = noise(rows * 3);
    minibatch.states = noise(sequences * model.state_width());
    (minibatch.values, minibatch.advantages, minibatch.returns) = (noise(rows), noise(rows), noise(rows));
    let width = model.distribution().action_width();
    let whole = model.log_deviations().is_empty();
    minibatch.actions =
        noise(rows * width).into_iter().map(|v| if whole { f32::from(v > 0.0) } else { v }).collect();
    let per_row = model.distribution().outputs();
    let (mut outputs, mut values) = (vec![0.0; rows * per_row], vec![0.0; rows]);
    model.forward(&minibatch.batch(), &mut outputs, &mut values).unwrap();
    let logs = model.log_deviations().to_vec();
    // Old probabilities a little off, so that some ratios are clipped and none lies on the edge.
    minibatch.log_probabilities = (0..rows)
        .map(|row| {
            let (out, action) =
                (&outputs[row * per_row..], &minibatch.actions[row * width..(row + 1) * width]);
            let [log, _] = model.distribution().log_probability_and_entropy(&out[..per_row], &logs, action);
            log + 0.11 * (row % 5) as f32 - 0.25
        })
        .collect();
    let mut evaluate = |model: &mut ActorCritic, gradient: Option<&mut Vec<f32>>| {
        model.forward(&minibatch.batch(), &mut outputs, &mut values).unwrap();
        let (mut by_output, mut by_value) = (vec![0.0; outputs.len()], vec![0.0; rows]);
        let mut by_log = vec![0.0; model.log_deviations().len()];
        let evaluation = Evaluation {
            distribution: model.distribution(),
            outputs: &outputs,
            values: &values,
            log_deviations: model.log_deviations(),
        };
        let (outputs, values, log_deviations) = (&mut by_output[..], &mut by_value[..], &mut by_log[..]);
        let mut gradients = OutputGradients { outputs, values, log_deviations };
        let terms = objective.derivative(&minibatch, &evaluation, &mut gradients);
        if let Some(gradient) = gradient {
            model.backward(&by_output, &by_value, gradient).unwrap();
            let networks = gradient.len() - by_log.len();
            gradient[networks..].iter_mut().zip(by_log).for_each(|(sum, value)| *sum += value);
        }
        terms.total(objective)
    };
    let mut gradient = vec![0.0; model.parameter_count()];
    evaluate(&mut model, Some(&mut gradient));
    let mut index = 0;
    for piece in 0..3 {
        for place in 0..model.parameters()[piece].len() {
            let mut moved = |model: &mut ActorCritic, by: f32| {
                model.parameters_mut()[piece][place] += by;
                evaluate(model, None)
            };
            let above = moved(&mut model, 5e-3);
            let below = moved(&mut model, -1e-2);
            model.parameters_mut()[piece][place] += 5e-3;
            let slope = (above - below) / 1e-2;
            assert!(
                (slope - gradient[index]).abs() < 1e-3 * (1.0 + slope.abs()),
                "{index}: {slope} {}",
                gradient[index]
            );
            index += 1;
        }
    }
}

#[test]
fn poison_in_a_state_that_is_reset_reaches_neither_outputs_nor_gradients() {
    let mut results = Vec::new();
    for poison in [0.25, f32::NAN] {
        let mut network = Elman::new(2, 4, 2, 1.0, 1);
        let observations: Vec<f32> = (0..12).map(|index| index as f32 * 0.1).collect();
        let starts = [true, false, true, true, false, false];
        let states = vec![poison; 8];
        let batch = SequenceBatch {
            sequences: 2,
            time: 3,
            observations: &observations,
            starts: &starts,
            states: &states,
        };
        let (mut outputs, mut gradient) = (vec![0.0; 12], vec![0.0; network.parameters().len()]);
        network.forward(&batch, &mut outputs).unwrap();
        network.backward(&[1.0; 12], &mut gradient).unwrap();
        assert!(gradient.iter().all(|value| value.is_finite()));
        results.push((outputs, gradient));
    }
    assert_eq!(results[0], results[1]);
}

fn remembered(model: ActorCritic) -> f64 {
    let config = PpoConfig {
        total_steps: 60_000,
        steps: 30,
        sequence: 5,
        batch_size: 120,
        epochs: 5,
        learning_rate: Schedule::constant(3e-3),
        entropy_coefficient: 0.01,
        ..PpoConfig::default()
    };
    let mut learner = Ppo::new(config, model, vector(&Memory::new(3), 16, false), 2).unwrap();
    learner.learn(&mut |_: &Progress| Control::Continue).unwrap();
    let config = EvaluationConfig { episodes: 200, ..EvaluationConfig::default() };
    evaluate(learner.policy_mut(), &mut *vector(&Memory::new(3), 8, false), &config).unwrap().mean_return
}

#[test]
fn memory_is_learned_with_a_recurrent_network_and_not_without() {
    let environments = vector(&Memory::new(3), 1, false);
    let actor = Box::new(Elman::new(2, 8, 2, 0.01, 1));
    let critic = Box::new(Elman::new(2, 8, 1, 1.0, 2));
    let recurrent =
        ActorCritic::new(Backbone::Separate { actor, critic }, environments.action_space(), 0.0).unwrap();
    let with = remembered(recurrent);
    let without = remembered(mlp(&*environments, false));
    assert!(with > 0.95, "{with}");
    assert!(without.abs() < 0.3, "{without}");
}

/// What is saved acts as what was trained: parameters and moments are both in the bytes.
#[test]
fn a_policy_comes_back_with_its_normalisation() {
    let mut learner = ppo(false, 1);
    (0..3).for_each(|_| _ = learner.iterate().unwrap());
    let bytes = learner.policy().to_bytes();
    let environments = vector(&Pendulum::new(), 1, false);
    let fresh = || Policy::new(mlp(&*environments, true), config().normalisation).unwrap();
    let mut policy = fresh();
    let act = |policy: &mut Policy| {
        let mut action = [0.0; 2];
        policy
            .act(&[0.3, 0.9, -2.0, 1.0, 0.0, 5.0], &mut [], Some(&mut generator(1, "act", 0)), &mut action)
            .unwrap();
        action
    };
    let before = act(&mut policy);
    policy.restore_bytes(&bytes).unwrap();
    assert_eq!(act(&mut policy), act(learner.policy_mut()));
    assert_ne!(act(&mut policy), before);
    // The same parameters behind other moments act otherwise.
    let mut bare = Policy::new(mlp(&*environments, true), NormalisationConfig::default()).unwrap();
    bare.restore_bytes(&bytes).unwrap();
    assert_ne!(act(&mut bare), act(&mut policy));
    let mut separate = Policy::new(mlp(&*environments, false), config().normalisation).unwrap();
    assert!(separate.restore_bytes(&bytes).unwrap_err().to_string().contains("parameters"));
    assert!(fresh().restore_bytes(&bytes[..bytes.len() - 3]).is_err());
}

#[test]
fn evaluation_plays_what_was_asked_and_changes_nothing() {
    let environments = vector(&CartPole::new(), 2, false);
    let mut policy = Policy::new(mlp(&*environments, false), NormalisationConfig::default()).unwrap();
    let before = policy.to_bytes();
    let mut run = |deterministic, seed| {
        let config = EvaluationConfig { episodes: 7, deterministic, seed };
        evaluate(&mut policy, &mut *vector(&CartPole::new(), 3, false), &config).unwrap()
    };
    let one = run(false, 4);
    assert_eq!((one.returns.len(), one.mean_return), (7, one.mean_length));
    assert_eq!(one, run(false, 4));
    assert_ne!(one, run(false, 5));
    assert_ne!(one, run(true, 4));
    assert_eq!(before, policy.to_bytes());
    let config = EvaluationConfig { episodes: 1, ..EvaluationConfig::default() };
    assert!(evaluate(&mut policy, &mut *vector(&CartPole::new(), 3, false), &config).is_err());
}

#[test]
fn the_divergence_stops_the_passes() {
    let make = |target_kl| {
        let environments = vector(&CartPole::new(), 4, false);
        let model = mlp(&*environments, false);
        let config = PpoConfig {
            steps: 64,
            target_kl,
            learning_rate: Schedule::constant(1e-2),
            ..PpoConfig::default()
        };
        Ppo::new(config, model, environments, 1).unwrap().iterate().unwrap()
    };
    let (free, stopped) = (make(None), make(Some(1e-4)));
    assert_eq!((free.epochs, free.updates), (Some(10), 40));
    assert!(stopped.epochs < Some(10) && stopped.updates < 40, "{stopped:?}");
}

#[test]
fn configurations_are_read_and_refused_with_the_field() {
    assert!(toml::from_str::<PpoConfig>("clip_rnage = 0.2").unwrap_err().to_string().contains("clip_rnage"));
    assert!(
        toml::from_str::<PpoConfig>(
            "[learning_rate]
kind = \"linear\"
value = 1.0"
        )
        .is_err()
    );
    assert_eq!(toml::from_str::<PpoConfig>("").unwrap(), PpoConfig::default());
    let text = "steps = 64\n[learning_rate]\nkind = \"linear\"\nstart = 1e-3\nend = 0.0\n";
    let config: PpoConfig = toml::from_str(text).unwrap();
    assert_eq!((config.steps, config.learning_rate), (64, Schedule::Linear { start: 1e-3, end: 0.0 }));
    let bad = [
        (PpoConfig { batch_size: 0, ..PpoConfig::default() }, "batch_size"),
        (PpoConfig { discount: 1.5, ..PpoConfig::default() }, "discount"),
        (PpoConfig { sequence: 7, ..PpoConfig::default() }, "sequence"),
        (PpoConfig { maximum_gradient_norm: f32::NAN, ..PpoConfig::default() }, "maximum_gradient_norm"),
        (PpoConfig { clip_range: Schedule::constant(-1.0), ..PpoConfig::default() }, "clip_range"),
    ];
    for (config, field) in bad {
        assert!(config.validate().unwrap_err().to_string().contains(field), "{field}");
    }
}
