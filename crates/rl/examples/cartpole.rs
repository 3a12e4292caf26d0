//! Learns CartPole-v1 within the budgets of RL Baselines3 Zoo, and says when it was solved.
//!
//! `cargo run --release -p rl --example cartpole -- --algorithm ppo --seed 0 --output-format json`
//!
//! Settings of `ppo`, `a2c` and `dqn-zoo` are the zoo's (`hyperparams/{ppo,a2c,dqn}.yml`, CartPole-v1). Those
//! of DQN end solved for some seeds only, there and here; `dqn` adds double, dueling, prioritised and three-step
//! learning and a learning rate that falls to 0, within the same steps. `ppo-defaults` has the library's own
//! settings. `a2c-experience` is A2C with an experience buffer and random actions, within the steps of `a2c`.
//! Exit code 1: not solved.
//!
//! JSON has the curves, `[steps, mean return]` for every 2048 steps: `curve` of the last 100 training episodes, and
//! of DQN `greedy_curve` of 20 greedy ones.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not the library")]

use std::process::ExitCode;
use std::time::Instant;

use rl::classic::CartPole;
use rl::dqn::{DqnConfig, ReplayConfig};
use rl::replay::PrioritisedConfig;
use rl::{
    A2c, A2cConfig, Activation, ActorCritic, ActorCriticConfig, Agent, Control, Dqn, EvaluationConfig,
    ExplorationConfig, Initialisation, Learner, Mlp, MlpConfig, Observer, OutputHead, Ppo, PpoConfig,
    Progress, RlError, Schedule, SyncVecEnvironment, VecEnvironment, evaluate,
};

/// Mean return from which CartPole-v1 counts as solved.
const SOLVED: f64 = 475.0;
/// Steps between two points of a curve, and after which DQN is looked at.
const LOOK_EVERY: u64 = 2_048;

struct Arguments {
    algorithm: String,
    seed: u64,
    json: bool,
}

/// What a run showed.
struct Outcome {
    steps: u64,
    /// Steps at which the mean of the last 100 training episodes first reached 475; of DQN, that of 20 greedy episodes.
    solved_at: Option<u64>,
    curve: Curve,
    greedy_curve: Curve,
    mean_return: f64,
    half_width: f64,
    seconds: f64,
}

/// Steps and the mean return there.
type Curve = Vec<(u64, f64)>;

fn arguments() -> Result<Arguments, String> {
    let mut given = Arguments { algorithm: "ppo".to_owned(), seed: 0, json: false };
    let mut rest = std::env::args().skip(1);
    while let Some(name) = rest.next() {
        let value = rest.next().ok_or_else(|| format!("{name} needs a value"))?;
        match (name.as_str(), value.as_str()) {
            ("--algorithm", _) => given.algorithm = value,
            ("--seed", number) => {
                given.seed = number.parse().map_err(|error| format!("--seed {number}: {error}"))?;
            }
            ("--output-format", "json") => given.json = true,
            ("--output-format", "text") => given.json = false,
            _ => {
                return Err(format!(
                    "{name} {value} is not known: --algorithm, --seed, --output-format text|json"
                ));
            }
        }
    }
    Ok(given)
}

fn environments(count: usize) -> Result<Box<dyn VecEnvironment>, RlError> {
    Ok(Box::new(SyncVecEnvironment::new(vec![CartPole::new(); count], false)?))
}

/// Notes the curve, and when CartPole was first solved.
#[derive(Default)]
struct Watch {
    steps: u64,
    solved_at: Option<u64>,
    curve: Curve,
}

/// Adds a point to a curve where one is due.
fn note(curve: &mut Curve, steps: u64, mean_return: Option<f64>) {
    let last = curve.last().map_or(0, |point| point.0);
    if let Some(mean) = mean_return
        && steps / LOOK_EVERY > last / LOOK_EVERY
    {
        curve.push((steps, mean));
    }
}

impl Observer for Watch {
    fn observe(&mut self, progress: &Progress) -> Control {
        self.steps = progress.steps;
        note(&mut self.curve, progress.steps, progress.mean_return);
        let mean = progress.mean_return.filter(|_| progress.episodes >= 100);
        if self.solved_at.is_none() && mean.is_some_and(|mean| mean >= SOLVED) {
            self.solved_at = Some(self.steps);
        }
        Control::Continue
    }
}

fn policy(environments: &dyn VecEnvironment, seed: u64) -> Result<ActorCritic, RlError> {
    let (observations, actions) = (environments.observation_space(), environments.action_space());
    ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), seed)
}

fn ppo(seed: u64, zoo: bool) -> Result<Outcome, RlError> {
    let defaults = PpoConfig { total_steps: 100_000, steps: 256, ..PpoConfig::default() };
    let zoos = PpoConfig {
        total_steps: 100_000,
        steps: 32,
        batch_size: 256,
        epochs: 20,
        gae_lambda: 0.8,
        discount: 0.98,
        learning_rate: Schedule::Linear { start: 1e-3, end: 0.0 },
        clip_range: Schedule::Linear { start: 0.2, end: 0.0 },
        ..PpoConfig::default()
    };
    let config = if zoo { zoos } else { defaults };
    let environments = environments(8)?;
    let model = policy(&*environments, seed)?;
    run(Box::new(Ppo::new(config, model, environments, seed)?), seed)
}

fn a2c(seed: u64, experience: bool) -> Result<Outcome, RlError> {
    let config = if experience { A2cConfig::with_experience_buffer() } else { A2cConfig::default() };
    let environments = environments(8)?;
    let model = policy(&*environments, seed)?;
    run(Box::new(A2c::new(A2cConfig { total_steps: 500_000, ..config }, model, environments, seed)?), seed)
}

/// Settings of `CartPole-v1` in rl-baselines3-zoo's `hyperparams/dqn.yml`.
fn dqn_zoo() -> DqnConfig {
    DqnConfig {
        total_steps: 50_000,
        learning_rate: Schedule::constant(2.3e-3),
        batch_size: 64,
        learning_starts: 1_000,
        discount: 0.99,
        target_update_interval: 10,
        train_frequency: 256,
        gradient_steps: 128,
        exploration: ExplorationConfig { fraction: 0.16, last: 0.04, ..ExplorationConfig::default() },
        replay: ReplayConfig { capacity: 100_000, prioritised: None },
        ..DqnConfig::default()
    }
}

fn dqn(seed: u64, zoo: bool) -> Result<Outcome, RlError> {
    let mut config = dqn_zoo();
    if !zoo {
        config.double = true;
        config.dueling = true;
        config.n_step = 3;
        config.replay.prioritised = Some(PrioritisedConfig::default());
        config.learning_rate = Schedule::Linear { start: 2.3e-3, end: 0.0 };
    }
    let shape = MlpConfig {
        hidden: vec![256, 256],
        activation: Activation::Relu,
        initialisation: Initialisation::Uniform,
    };
    let heads = [OutputHead { outputs: config.outputs(2), gain: 1.0 }];
    let online = Mlp::new(4, &heads, &shape, seed, "online")?;
    let target = Box::new(online.clone());
    let mut learner = Dqn::new(config, Box::new(online), target, environments(1)?, seed)?;
    let (mut solved_at, mut seconds, mut look) = (None, 0.0, 0);
    let (mut curve, mut greedy_curve) = (Curve::new(), Curve::new());
    while !learner.is_done() {
        let begin = Instant::now();
        look += LOOK_EVERY;
        while !learner.is_done() && learner.steps() < look {
            let progress = learner.iterate()?;
            note(&mut curve, progress.steps, progress.mean_return);
        }
        seconds += begin.elapsed().as_secs_f64();
        // What it explores while it learns keeps the returns of training below 475 for good.
        let config = EvaluationConfig { seed: seed ^ 0x5eed_0001, episodes: 20, deterministic: true };
        let reached = evaluate(learner.agent_mut(), &mut *environments(10)?, &config)?.mean_return;
        greedy_curve.push((learner.steps(), reached));
        if reached >= SOLVED && solved_at.is_none() {
            solved_at = Some(learner.steps());
        }
    }
    let watch = Watch { steps: learner.steps(), solved_at, curve };
    let outcome = finish(&mut learner.into_policy(), seed, watch, seconds)?;
    Ok(Outcome { greedy_curve, ..outcome })
}

/// Trains, and evaluates what came of it.
fn run(mut learner: Box<dyn Learner>, seed: u64) -> Result<Outcome, RlError> {
    let (mut watch, begin) = (Watch::default(), Instant::now());
    learner.learn(&mut watch)?;
    let seconds = begin.elapsed().as_secs_f64();
    finish(&mut *learner.into_agent(), seed, watch, seconds)
}

fn finish(agent: &mut dyn Agent, seed: u64, watch: Watch, seconds: f64) -> Result<Outcome, RlError> {
    let config = EvaluationConfig { seed: seed.wrapping_add(1_000_000), ..EvaluationConfig::default() };
    let result = evaluate(agent, &mut *environments(10)?, &config)?;
    let Watch { steps, solved_at, curve } = watch;
    let (mean_return, half_width) = (result.mean_return, result.half_width);
    Ok(Outcome { steps, solved_at, curve, greedy_curve: Curve::new(), mean_return, half_width, seconds })
}

fn print(given: &Arguments, outcome: &Outcome) {
    let speed = outcome.steps as f64 / outcome.seconds;
    if given.json {
        let value = serde_json::json!({
            "environment": "CartPole-v1",
            "algorithm": given.algorithm,
            "seed": given.seed,
            "steps": outcome.steps,
            "solved_at": outcome.solved_at,
            "curve": outcome.curve,
            "greedy_curve": outcome.greedy_curve,
            "mean_return": outcome.mean_return,
            "half_width": outcome.half_width,
            "steps_per_second": speed.round(),
        });
        println!("{value}");
        return;
    }
    let solved = outcome.solved_at.map_or_else(|| "never".to_owned(), |steps| format!("after {steps} steps"));
    println!(
        "{} seed {}: training reached {SOLVED} {solved}; evaluation {:.1} ± {:.1} after {} steps, \
         {speed:.0} steps/s",
        given.algorithm, given.seed, outcome.mean_return, outcome.half_width, outcome.steps
    );
}

fn main() -> ExitCode {
    let given = match arguments() {
        Ok(given) => given,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(2);
        }
    };
    let outcome = match given.algorithm.as_str() {
        "ppo" => ppo(given.seed, true),
        "ppo-defaults" => ppo(given.seed, false),
        "a2c" => a2c(given.seed, false),
        "a2c-experience" => a2c(given.seed, true),
        "dqn" => dqn(given.seed, false),
        "dqn-zoo" => dqn(given.seed, true),
        other => {
            eprintln!(
                "error: --algorithm {other} is not known: ppo, ppo-defaults, a2c, a2c-experience, dqn, dqn-zoo"
            );
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(outcome) => {
            print(&given, &outcome);
            if outcome.mean_return >= SOLVED { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
