//! The learners and their settings. One set for each algorithm, on both kinds of market.

use std::sync::Arc;

use rl::dqn::ReplayConfig;
use rl::{
    A2c, A2cConfig, Activation, ActorCritic, ActorCriticConfig, Agent, Control, Dqn, DqnConfig,
    ExplorationConfig, Initialisation, Learner, Mlp, MlpConfig, OptimiserConfig, OutputHead, Ppo, PpoConfig,
    Schedule, VecEnvironment,
};
use sim::market_environment::MarketFrames;

use super::judgement::Chooses;
use super::{Fallible, Fault, Kind};

/// Which algorithm learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Ppo,
    A2c,
    Dqn,
}

/// How it learns.
#[derive(Clone, Debug)]
pub(crate) enum Settings {
    Ppo(PpoConfig),
    A2c(A2cConfig),
    Dqn(DqnConfig),
}

/// What it learned.
pub(crate) struct Learned(Box<dyn Agent>);

/// Steps count for little beyond the time a position is held.
const DISCOUNT: f64 = 0.7;
/// Accounts that step together.
const ENVIRONMENTS: usize = 64;

impl Settings {
    pub(crate) fn of(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Ppo => Self::Ppo(PpoConfig {
                total_steps: 200_000,
                steps: 32,
                batch_size: 256,
                epochs: 10,
                learning_rate: Schedule::Linear { start: 1e-3, end: 0.0 },
                discount: DISCOUNT as f32,
                gae_lambda: 0.9,
                ..PpoConfig::default()
            }),
            Algorithm::A2c => Self::A2c(A2cConfig {
                total_steps: 400_000,
                optimiser: OptimiserConfig::adam(1e-5),
                learning_rate: Schedule::Linear { start: 2e-3, end: 0.0 },
                discount: DISCOUNT as f32,
                gae_lambda: 0.9,
                // Without it one constant position or another wins early on noise, and what it cost to enter is not met again.
                entropy_coefficient: 0.05,
                normalise_advantages: true,
                ..A2cConfig::default()
            }),
            Algorithm::Dqn => Self::Dqn(DqnConfig {
                total_steps: 200_000,
                learning_rate: Schedule::Linear { start: 1e-3, end: 0.0 },
                learning_starts: 5_000,
                batch_size: 256,
                discount: DISCOUNT,
                train_frequency: 1,
                gradient_steps: 1,
                target_update_interval: 2_000,
                double: true,
                exploration: ExplorationConfig { fraction: 0.5, ..ExplorationConfig::default() },
                replay: ReplayConfig { capacity: 200_000, prioritised: None },
                ..DqnConfig::default()
            }),
        }
    }

    /// Trains to the end.
    pub(crate) fn learn(
        &self,
        kind: Kind,
        fault: Option<Fault>,
        frames: Arc<MarketFrames>,
        seed: u64,
    ) -> Fallible<Learned> {
        let environments = Box::new(kind.training(fault, frames, ENVIRONMENTS)?);
        let observations = environments.observation_space().clone();
        let actions = environments.action_space().clone();
        let model = || ActorCritic::from_config(&observations, &actions, &ActorCriticConfig::default(), seed);
        let mut learner: Box<dyn Learner> = match self {
            Self::Ppo(config) => Box::new(Ppo::new(config.clone(), model()?, environments, seed)?),
            Self::A2c(config) => Box::new(A2c::new(config.clone(), model()?, environments, seed)?),
            Self::Dqn(config) => {
                let shape = MlpConfig {
                    hidden: vec![64, 64],
                    activation: Activation::Relu,
                    initialisation: Initialisation::Uniform,
                };
                let heads = [OutputHead { outputs: config.outputs(3), gain: 1.0 }];
                let online = Box::new(Mlp::new(observations.width(), &heads, &shape, seed, "online")?);
                Box::new(Dqn::new(config.clone(), online.clone(), online, environments, seed)?)
            }
        };
        learner.learn(&mut |_: &rl::Progress| Control::Continue)?;
        Ok(Learned(learner.into_agent()))
    }
}

impl Chooses for Learned {
    /// The most probable or the most valuable action.
    fn choose(&mut self, observations: &[f32], width: usize, chosen: &mut Vec<usize>) -> Fallible<()> {
        let mut rows = vec![0.0; observations.len() / width];
        self.0.act(observations, &mut [], None, &mut rows)?;
        chosen.extend(rows.iter().map(|row| *row as usize));
        Ok(())
    }
}
