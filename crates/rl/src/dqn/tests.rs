use super::loss::{output_gradient, targets, temporal_difference};
use super::*;
use crate::classic::{ContextualBandit, Pendulum};
use crate::environment::tests::Counter;
use crate::environment::{Environment, SyncVecEnvironment};
use crate::exploration::{Decay, ExplorationConfig};
use crate::network::{Activation, Initialisation, Mlp, MlpConfig, OutputHead, SequenceBatch};
use crate::replay::{PrioritisedConfig, Transition};
use crate::schedule::Schedule;
use crate::training::Control;
use crate::value_policy::{action_values, best};

fn network(inputs: usize, outputs: usize, seed: u64) -> Mlp {
    let (activation, initialisation) = (Activation::Tanh, Initialisation::Uniform);
    let config = MlpConfig { hidden: vec![8], activation, initialisation };
    Mlp::new(inputs, &[OutputHead { outputs, gain: 1.0 }], &config, seed, "test").unwrap()
}

fn small() -> DqnConfig {
    DqnConfig {
        total_steps: 400,
        learning_rate: Schedule::Linear { start: 1e-2, end: 1e-3 },
        learning_starts: 20,
        batch_size: 8,
        target_update_interval: 12,
        replay: ReplayConfig { capacity: 64, prioritised: None },
        ..DqnConfig::default()
    }
}

/// Everything at once.
fn rainbow() -> DqnConfig {
    let replay = ReplayConfig { capacity: 64, prioritised: Some(PrioritisedConfig::default()) };
    DqnConfig { double: true, dueling: true, n_step: 3, target_update_rate: 0.3, replay, ..small() }
}

fn counters(count: usize, poisoned: bool, parallel: bool) -> SyncVecEnvironment<Counter> {
    let mut one = Counter::new();
    one.poisoned = poisoned;
    SyncVecEnvironment::new(vec![one; count], parallel).unwrap()
}

fn agent<E: Environment + Sync + 'static>(
    config: DqnConfig,
    seed: u64,
    environments: SyncVecEnvironment<E>,
) -> Dqn {
    let Space::Discrete { count } = *environments.action_space() else { panic!("not discrete") };
    let inputs = environments.observation_space().width();
    let online = network(inputs, config.outputs(count), seed);
    make(config, online.clone(), online, Box::new(environments), seed).unwrap()
}

fn make(
    config: DqnConfig,
    online: Mlp,
    target: Mlp,
    environments: Box<dyn VecEnvironment>,
    seed: u64,
) -> Result<Dqn, RlError> {
    Dqn::new(config, Box::new(online), Box::new(target), environments, seed)
}

/// Iterates until so many steps are done.
fn until(agent: &mut Dqn, steps: u64) {
    while agent.steps < steps {
        agent.iterate().unwrap();
    }
}

/// PyTorch 2.15 in `f64`: `q = v + A - A.mean(1)`, `(w * smooth_l1_loss(q[a], y, reduction='none')).mean()`,
/// `backward`.
#[test]
fn loss_and_gradient_are_pytorchs() {
    let outputs = [0.5, 1.0, -0.25, 0.75, -1.0, 0.3, 0.2, 3.1, 2.0, -1.5, 0.5, 0.25];
    let (taken, wanted, weights) = ([2, 0, 1], [1.0, -2.5, 2.2], [1.0, 0.5, 0.25]);
    let mut values = Vec::new();
    action_values(&outputs, 3, true, &mut values);
    let golden = [1.0, -0.25, 0.75, -1.9, -2.0, 0.9, 0.75, 2.75, 2.5];
    values.iter().zip(golden).for_each(|(ours, theirs)| assert!((ours - theirs).abs() < 1e-6));
    let (mut errors, mut by_value, mut gradient) = (Vec::new(), Vec::new(), Vec::new());
    let of_taken = taken.iter().enumerate().map(|(row, action)| values[3 * row + action]);
    let loss = temporal_difference(Loss::default(), of_taken, &wanted, &weights, &mut errors, &mut by_value);
    assert!((loss - 0.053_020_83).abs() < 1e-7, "{loss}");
    output_gradient(&by_value, &taken, 3, true, &mut gradient);
    let golden = [
        [-0.083_333_336, 0.027_777_778, 0.027_777_778, -0.055_555_556],
        [0.1, 0.066_666_67, -0.033_333_335, -0.033_333_335],
        [0.045_833_334, -0.015_277_778, 0.030_555_556, -0.015_277_778],
    ];
    for (ours, theirs) in gradient.iter().zip(golden.iter().flatten()) {
        assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
    }
}

#[test]
fn losses_by_hand() {
    let huber = Loss::Huber { threshold: 2.0 };
    assert_eq!(huber.of(1.0), (0.5, 1.0));
    assert_eq!(huber.of(-5.0), (8.0, -2.0));
    assert_eq!(Loss::SquaredError.of(-5.0), (12.5, -5.0));
    assert!(Loss::Huber { threshold: 0.0 }.validate().is_err());
}

/// By hand. Alone, the target network takes its own best (4 and 3); double, it values what the online network
/// finds best (1 and 3). The last row terminated: what follows it is not looked at.
#[test]
fn targets_by_hand() {
    let (rewards, discounts) = ([1.0, 2.0, 3.0], [0.5, 0.5, 0.0]);
    let valuing = [1.0, 4.0, 3.0, -1.0, f32::NAN, f32::NAN];
    let choosing = [9.0, 8.0, 0.5, 0.4, f32::NAN, f32::NAN];
    let mut wanted = Vec::new();
    targets(&rewards, &discounts, 2, &valuing, None, &mut wanted);
    assert_eq!(wanted, [3.0, 3.5, 3.0]);
    targets(&rewards, &discounts, 2, &valuing, Some(&choosing), &mut wanted);
    assert_eq!(wanted, [1.5, 3.5, 3.0]);
    assert_eq!(best(&[1.0, 2.0, 2.0]), 1, "of several, the first");
}

/// Loss of the agent's batch at given parameters, worked out anew in `f64` with the targets held fixed.
fn loss_at(
    agent: &Dqn,
    parameters: &[f32],
    wanted: &[f64],
    taken: &[usize],
    seen: &[f32],
    weights: &[f32],
) -> f64 {
    let mut network = network(2, agent.policy.network.outputs(), 0);
    network.parameters_mut().copy_from_slice(parameters);
    let rows = taken.len();
    let mut outputs = vec![0.0; rows * network.outputs()];
    let starts = vec![true; rows];
    let batch = SequenceBatch { sequences: rows, time: 1, observations: seen, starts: &starts, states: &[] };
    network.forward(&batch, &mut outputs).unwrap();
    let width = network.outputs();
    let mut sum = 0.0;
    for row in 0..rows {
        let outputs: Vec<f64> =
            outputs[row * width..][..width].iter().map(|value| f64::from(*value)).collect();
        let value = if agent.config.dueling {
            let mean = outputs[1..].iter().sum::<f64>() / (width - 1) as f64;
            outputs[0] + outputs[1 + taken[row]] - mean
        } else {
            outputs[taken[row]]
        };
        let error = (value - wanted[row]).abs();
        let loss = if error < 1.0 { 0.5 * error * error } else { error - 0.5 };
        sum += f64::from(weights[row]) * loss;
    }
    sum / rows as f64
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    for (double, dueling) in [(false, false), (true, false), (false, true), (true, true)] {
        let environments = SyncVecEnvironment::new(vec![Counter::new()], false).unwrap();
        let mut agent = agent(DqnConfig { double, dueling, ..small() }, 3, environments);
        // Another target network, or double and plain would not differ.
        agent.target = Box::new(network(2, agent.config.outputs(2), 4));
        for index in 0..6 {
            let value = index as f32;
            let (observation, next_observation) =
                ([0.3 * value - 1.0, 0.2], [0.5 - 0.4 * value, 0.1 * value]);
            let (action, reward) = (index % 2, 0.7 * value - 1.5);
            let discount = if index == 4 { 0.0 } else { 0.9 };
            let (observation, next_observation) = (&observation[..], &next_observation[..]);
            agent
                .buffer
                .push(&Transition { observation, action, reward, discount, next_observation })
                .unwrap();
        }
        agent.sampler.sample(&agent.buffer, 8, (1, 2), 0.0, &mut agent.work.batch).unwrap();
        agent
            .work
            .batch
            .weights
            .iter_mut()
            .enumerate()
            .for_each(|(row, weight)| *weight = 1.0 / (1.0 + row as f32));
        let (loss, _) = agent.gradient().unwrap();
        let batch = agent.work.batch.clone();
        // y = Q - error: what was aimed at, from what the agent reports.
        let wanted: Vec<f64> = agent.work.targets.iter().map(|value| f64::from(*value)).collect();
        let at = |parameters: &[f32]| {
            loss_at(&agent, parameters, &wanted, &batch.actions, &batch.observations, &batch.weights)
        };
        let base = agent.policy.network.parameters().to_vec();
        assert!((f64::from(loss) - at(&base)).abs() < 1e-6, "{loss}");
        let scale = agent.work.gradient.iter().fold(0.0_f32, |most, slope| most.max(slope.abs()));
        assert!(scale > 0.01);
        for index in 0..base.len() {
            let moved = |by: f32| {
                let mut parameters = base.clone();
                parameters[index] += by;
                at(&parameters)
            };
            let numeric = (moved(4e-3) - moved(-4e-3)) / 8e-3;
            let ours = f64::from(agent.work.gradient[index]);
            assert!(
                (numeric - ours).abs() < 2e-3 * f64::from(scale),
                "{double} {dueling} {index}: {numeric} {ours}"
            );
        }
    }
}

/// Each transition is of one episode, and only what terminated has no value after it.
#[test]
fn nothing_crosses_an_episode() {
    for n_step in [1, 3] {
        let mut agent = agent(DqnConfig { n_step, ..small() }, 1, counters(3, false, false));
        until(&mut agent, 120);
        assert!(agent.buffer.len() > 50);
        let mut ends = [0, 0];
        for index in 0..agent.buffer.len() {
            let one = agent.buffer.get(index).unwrap();
            let (episode, from, to) = (one.observation[0], one.observation[1], one.next_observation[1]);
            assert_eq!(one.next_observation[0], episode);
            assert!(to > from && to - from <= n_step as f32);
            // Rewards count up with the steps: γ^(i) (from + 1 + i).
            let span = (to - from) as usize;
            let earned: f64 =
                (0..span).map(|step| 0.99_f64.powi(step as i32) * f64::from(from + 1.0 + step as f32)).sum();
            assert!((f64::from(one.reward) - earned).abs() < 1e-5);
            let odd = episode % 2.0 == 1.0;
            let terminated = odd && to == 3.0;
            let discount = if terminated { 0.0 } else { 0.99_f64.powi(span as i32) };
            assert!((f64::from(one.discount) - discount).abs() < 1e-6, "{one:?}");
            ends[usize::from(odd)] += u32::from(terminated || (!odd && to == 4.0));
        }
        assert!(ends[0] > 5 && ends[1] > 5, "{ends:?}");
    }
}

/// What is seen after a termination is worth nothing, be it what it may.
#[test]
fn poison_after_the_end_does_not_spread() {
    for config in [small(), rainbow()] {
        let mut poisoned = agent(config.clone(), 5, counters(2, true, false));
        until(&mut poisoned, 400);
        assert!(
            (0..poisoned.buffer.len())
                .any(|row| poisoned.buffer.get(row).unwrap().next_observation[0].is_nan())
        );
        let mut clean = agent(config, 5, counters(2, false, false));
        until(&mut clean, 400);
        assert_eq!(poisoned.policy.network.parameters(), clean.policy.network.parameters());
        assert!(clean.updates > 30);
    }
}

#[test]
fn a_seed_is_a_run_on_any_number_of_threads() {
    let run = |seed, parallel| {
        let mut agent = agent(rainbow(), 5, counters(3, false, parallel));
        agent.seed = seed;
        until(&mut agent, 400);
        agent.policy.network.parameters().to_vec()
    };
    let one = run(1, false);
    assert_eq!(one, run(1, false));
    assert_eq!(one, run(1, true));
    assert_ne!(one, run(2, false));
}

#[test]
fn goes_on_from_bytes_to_the_bit() {
    for config in [small(), rainbow()] {
        let mut whole = agent(config.clone(), 9, counters(2, false, false));
        // Past the capacity, so that the ring has turned.
        until(&mut whole, 150);
        let bytes = whole.to_bytes().unwrap();
        let mut last = None;
        let mut observer = |progress: &Progress| {
            last = Some(*progress);
            Control::Continue
        };
        whole.learn(&mut observer).unwrap();

        let fresh = network(2, config.outputs(2), 77);
        let fresh = |seed| {
            make(config.clone(), fresh.clone(), fresh.clone(), Box::new(counters(2, false, false)), seed)
        };
        let mut resumed = fresh(3).unwrap();
        resumed.restore(&bytes).unwrap();
        assert_eq!(resumed.to_bytes().unwrap(), bytes);
        let mut last_resumed = None;
        let mut observer = |progress: &Progress| {
            last_resumed = Some(*progress);
            Control::Continue
        };
        resumed.learn(&mut observer).unwrap();
        assert_eq!(last, last_resumed);
        assert_eq!(whole.to_bytes().unwrap(), resumed.to_bytes().unwrap());
        // What was learned goes alone, too.
        let mut policy = fresh(3).unwrap().into_policy();
        assert_ne!(policy.network().parameters(), whole.policy().network().parameters());
        policy.restore_bytes(&whole.policy().to_bytes()).unwrap();
        assert_eq!(policy.network().parameters(), whole.policy().network().parameters());
        assert!(policy.restore_bytes(&whole.policy().to_bytes()[1..]).is_err());

        let other = DqnConfig { discount: 0.5, ..config.clone() };
        let mut other = agent(other, 9, counters(2, false, false));
        assert!(other.restore(&bytes).unwrap_err().to_string().contains("configuration"));
        let mut damaged = bytes.clone();
        damaged[40] ^= 1;
        for bytes in [&damaged[..], &bytes[..bytes.len() - 9], b"matrela"] {
            assert!(matches!(fresh(3).unwrap().restore(bytes), Err(RlError::Checkpoint { .. })));
        }
    }
}

/// Copies every 12 steps, and moves by 0.3 of the way there.
#[test]
fn the_target_network_follows() {
    for (rate, expected) in [(1.0, 1.0), (0.3, 0.3 * 1.0)] {
        let config = DqnConfig { target_update_rate: rate, ..small() };
        let mut agent = agent(config, 2, counters(2, false, false));
        agent.policy.network.parameters_mut().fill(1.0);
        agent.target.parameters_mut().fill(0.0);
        for call in 1..=6 {
            assert!(agent.target.parameters().iter().all(|value| *value == 0.0), "before {call}");
            agent.count();
        }
        assert!(agent.target.parameters().iter().all(|value| (value - expected).abs() < 1e-7));
        (0..6).for_each(|_| agent.count());
        let twice = expected + (1.0 - expected) * expected;
        assert!(agent.target.parameters().iter().all(|value| (value - twice).abs() < 1e-7));
    }
}

#[test]
fn exploration_falls_as_said() {
    let linear = ExplorationConfig { decay: Decay::Linear, initial: 1.0, last: 0.1, fraction: 0.5 };
    for (share, expected) in [(0.0, 1.0), (0.25, 0.55), (0.5, 0.1), (0.9, 0.1)] {
        assert!((linear.at(share) - expected).abs() < 1e-12, "{share}");
    }
    let exponential = ExplorationConfig { decay: Decay::Exponential, last: 0.01, ..linear };
    for (share, expected) in [(0.0, 1.0), (0.25, 0.1), (0.5, 0.01), (1.0, 0.01)] {
        assert!((exponential.at(share) - expected).abs() < 1e-12, "{share}");
    }
    // How often actions are random, and that all are before learning starts.
    let always = ExplorationConfig { initial: 0.4, last: 0.4, ..ExplorationConfig::default() };
    let config = DqnConfig { exploration: always, learning_starts: 1000, ..small() };
    let mut agent = agent(config, 2, counters(1, false, false));
    let mut greedy = [0.0];
    agent.policy.act(&[0.0, 0.0], &mut [], None, &mut greedy).unwrap();
    let mut differ = |steps: u64| {
        agent.steps = steps;
        let mut count = 0;
        for call in 0..4000 {
            agent.calls = call;
            let mut actions = Actions::Discrete(Vec::new());
            agent.choose(&[0.0, 0.0], &mut actions).unwrap();
            count += u32::from(actions != Actions::Discrete(vec![greedy[0] as usize]));
        }
        f64::from(count) / 4000.0
    };
    // Half of the random actions are the greedy one; four standard errors.
    assert!((differ(0) - 0.5).abs() < 0.032);
    assert!((differ(1000) - 0.2).abs() < 0.026);
}

#[test]
fn a_bandit_is_solved() {
    let chances = vec![vec![0.1, 0.9, 0.2], vec![0.8, 0.3, 0.1], vec![0.0, 0.4, 0.9], vec![0.9, 0.2, 0.5]];
    let all = vec![ContextualBandit::new(chances).unwrap(); 4];
    for base in [small(), rainbow()] {
        let environments = SyncVecEnvironment::new(all.clone(), false).unwrap();
        let replay = ReplayConfig { capacity: 4000, ..base.replay };
        let config = DqnConfig { total_steps: 8000, batch_size: 64, replay, ..base };
        let mut agent = agent(config, 1, environments);
        agent.learn(&mut |_: &Progress| Control::Continue).unwrap();
        assert_eq!(agent.steps, 8000);
        let mut seen = [0.0; 16];
        (0..4).for_each(|context| seen[5 * context] = 1.0);
        let mut chosen = [0.0; 4];
        agent.policy.act(&seen, &mut [], None, &mut chosen).unwrap();
        assert_eq!(chosen, [1.0, 0.0, 2.0, 0.0]);
        // And it knows what the best arms pay.
        for (context, worth) in [0.9, 0.8, 0.9, 0.9].into_iter().enumerate() {
            let value = agent.policy.values[3 * context + chosen[context] as usize];
            assert!((value - worth).abs() < 0.12, "{context}: {value}");
        }
    }
}

#[test]
fn observers_stop_and_are_told() {
    let mut agent = agent(small(), 1, counters(2, false, false));
    let mut told = Vec::new();
    agent
        .learn(&mut |progress: &Progress| {
            told.push(*progress);
            if told.len() == 5 { Control::Stop } else { Control::Continue }
        })
        .unwrap();
    assert_eq!(told.iter().map(|progress| progress.steps).collect::<Vec<_>>(), [8, 16, 24, 32, 40]);
    assert_eq!(told.iter().map(|progress| progress.updates).collect::<Vec<_>>(), [0, 0, 1, 2, 3]);
    assert!(told[1].loss.is_none() && told[2].loss.is_some());
    // Episodes alternate: 1+2+3+4 in 4 steps, 1+2+3 in 3.
    let last = told[4];
    assert_eq!((last.episodes, last.mean_return, last.mean_length), (10, Some(8.4), Some(3.6)));
}

#[test]
fn what_does_not_fit_is_refused() {
    let pendulum = Box::new(SyncVecEnvironment::new(vec![Pendulum::new()], false).unwrap());
    let net = network(3, 2, 0);
    assert!(matches!(make(small(), net.clone(), net, pendulum, 0), Err(RlError::Shape { .. })));
    let environments = || Box::new(counters(1, false, false));
    let (plain, wide) = (network(2, 2, 0), network(2, 3, 0));
    assert!(make(small(), plain.clone(), wide.clone(), environments(), 0).is_err());
    assert!(make(rainbow(), plain.clone(), plain.clone(), environments(), 0).is_err());
    assert!(make(rainbow(), wide.clone(), wide, environments(), 0).is_ok());
    let mut agent = make(small(), plain.clone(), plain, environments(), 0).unwrap();
    agent.policy.network.parameters_mut().fill(f32::NAN);
    let diverged = agent.learn(&mut |_: &Progress| Control::Continue);
    assert!(matches!(diverged, Err(RlError::Diverged { .. })), "{diverged:?}");
}

#[test]
fn settings_are_read_and_held_to_their_ranges() {
    let text = "learning_rate = { kind = \"cosine\", start = 1e-3, end = 0.0 }\ndouble = true\n\
        [exploration]\ndecay = \"exponential\"\n[loss]\nkind = \"huber\"\nthreshold = 2.0\n[replay.prioritised]\nexponent = 0.5\n";
    let config: DqnConfig = toml::from_str(text).unwrap();
    config.validate().unwrap();
    assert!(config.double && config.exploration.decay == Decay::Exponential);
    assert_eq!(config.replay.prioritised.as_ref().unwrap().exponent, 0.5);
    assert_eq!(config.replay.capacity, 1_000_000);
    assert_eq!(toml::from_str::<DqnConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
    assert!(toml::from_str::<DqnConfig>("duelling = true").is_err());
    let bad: [(&str, &str); 13] = [
        ("batch_size = 0", "batch_size"),
        ("n_step = 0", "n_step"),
        ("train_frequency = 0", "train_frequency"),
        ("gradient_steps = 0", "gradient_steps"),
        ("total_steps = 0", "total_steps"),
        ("target_update_rate = 1.5", "target_update_rate"),
        ("maximum_gradient_norm = nan", "maximum_gradient_norm"),
        ("discount = 1.5", "discount"),
        ("exploration = { last = -0.1 }", "exploration.last"),
        ("exploration = { fraction = 0.0 }", "exploration.fraction"),
        ("exploration = { decay = \"exponential\", last = 0.0 }", "exploration.last"),
        ("replay = { capacity = 0 }", "replay.capacity"),
        ("replay = { capacity = 4294967296 }", "replay.capacity"),
    ];
    for (text, field) in bad {
        let error = toml::from_str::<DqnConfig>(text).unwrap().validate().unwrap_err().to_string();
        assert!(error.contains(field), "{text}: {error}");
    }
}
