//! Learns Pendulum-v1 by PPO with continuous actions.
//!
//! `cargo run --release -p rl --example pendulum -- SEED [STEPS]`
//!
//! Settings are those of RL Baselines3 Zoo (4 environments, 1024 steps, γ 0.9, learning rate 1e-3) without
//! state-dependent exploration; nothing is normalised. Exit code 1: a mean return below −250.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not the library")]

use std::process::ExitCode;
use std::time::Instant;

use rl::classic::Pendulum;
use rl::{
    ActorCritic, ActorCriticConfig, Control, EvaluationConfig, Learner, Ppo, PpoConfig, Progress, RlError,
    Schedule, SyncVecEnvironment, VecEnvironment, evaluate,
};

/// Mean return that counts as learned.
const LEARNED: f64 = -250.0;

fn environments(count: usize) -> Result<Box<dyn VecEnvironment>, RlError> {
    Ok(Box::new(SyncVecEnvironment::new(vec![Pendulum::new(); count], false)?))
}

fn run(seed: u64, total_steps: u64) -> Result<bool, RlError> {
    let config = PpoConfig {
        total_steps,
        steps: 1024,
        discount: 0.9,
        learning_rate: Schedule::constant(1e-3),
        ..PpoConfig::default()
    };
    let vector = environments(4)?;
    let (observations, actions) = (vector.observation_space(), vector.action_space());
    let model = ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), seed)?;
    let mut learner = Ppo::new(config, model, vector, seed)?;
    let (mut learned_at, mut steps, begin) = (None, 0, Instant::now());
    learner.learn(&mut |progress: &Progress| {
        steps = progress.steps;
        if learned_at.is_none() && progress.mean_return.is_some_and(|mean| mean >= LEARNED) {
            learned_at = Some(steps);
        }
        Control::Continue
    })?;
    let speed = steps as f64 / begin.elapsed().as_secs_f64();
    let config = EvaluationConfig { seed: seed.wrapping_add(1_000_000), ..EvaluationConfig::default() };
    let result = evaluate(&mut learner.into_policy(), &mut *environments(10)?, &config)?;
    let value = serde_json::json!({
        "environment": "Pendulum-v1", "algorithm": "ppo", "seed": seed, "steps": steps,
        "learned_at": learned_at,
        "mean_return": result.mean_return, "half_width": result.half_width, "steps_per_second": speed.round(),
    });
    println!("{value}");
    Ok(result.mean_return >= LEARNED)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (seed, steps) = match (arguments.next().unwrap_or(Ok(0)), arguments.next().unwrap_or(Ok(100_000))) {
        (Ok(seed), Ok(steps)) => (seed, steps),
        _ => {
            eprintln!("error: give a seed and a number of steps, as `pendulum 0 100000`");
            return ExitCode::from(2);
        }
    };
    match run(seed, steps) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
