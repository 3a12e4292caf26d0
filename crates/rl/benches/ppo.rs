//! Steps per second of PPO and A2C end to end on CartPole: acting, environments, advantages and updates.
//!
//! `cargo bench -p rl --bench ppo`. The items of the report are steps of environments.
#![expect(clippy::expect_used, reason = "a benchmark that cannot run must say so")]

use divan::Bencher;
use divan::counter::ItemsCount;
use rl::classic::CartPole;
use rl::{
    A2c, A2cConfig, ActorCritic, ActorCriticConfig, Learner, Ppo, PpoConfig, SyncVecEnvironment,
    VecEnvironment,
};

fn main() {
    divan::main();
}

fn environments(count: usize) -> (Box<dyn VecEnvironment>, ActorCritic) {
    let vector =
        SyncVecEnvironment::new(vec![CartPole::new(); count], false).expect("environments of one kind");
    let config = ActorCriticConfig::default();
    let model = ActorCritic::from_config(vector.observation_space(), vector.action_space(), &config, 0);
    (Box::new(vector), model.expect("spaces that fit"))
}

/// One rollout of 2048 steps, ten passes in minibatches of 64 through two networks of 64 × 64:
/// Stable-Baselines3's defaults with one environment, and the same rollout from eight.
#[divan::bench(args = [1, 8])]
fn ppo(bencher: Bencher<'_, '_>, count: usize) {
    let (vector, model) = environments(count);
    let config = PpoConfig { total_steps: u64::MAX, steps: 2048 / count, ..PpoConfig::default() };
    let mut learner = Ppo::new(config, model, vector, 0).expect("a configuration that is valid");
    bencher.counter(ItemsCount::new(2048_usize)).bench_local(|| learner.iterate().expect("no divergence"));
}

/// 51 rollouts of five steps from eight environments: 2040 steps.
#[divan::bench]
fn a2c(bencher: Bencher<'_, '_>) {
    let (vector, model) = environments(8);
    let config = A2cConfig { total_steps: u64::MAX, ..A2cConfig::default() };
    let mut learner = A2c::new(config, model, vector, 0).expect("a configuration that is valid");
    bencher
        .counter(ItemsCount::new(2040_usize))
        .bench_local(|| (0..51).for_each(|_| _ = learner.iterate().expect("no divergence")));
}
