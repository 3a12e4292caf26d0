//! Reinforcement learning: environments in Gymnasium's terms, networks with their derivatives, A2C, PPO and
//! DQN.
//!
//! It knows nothing of markets. Invariants:
//! - The same seed gives the same run, to the bit, on any number of threads.
//! - Nothing crosses the end of an episode: no state of a network, no part of an observation, no advantage.
//! - What was cut off (truncated) is bootstrapped from the observation it was cut off at; what ended
//!   (terminated) is worth nothing more.
//! - No clock, file, print or environment variable: checkpoints are bytes, progress goes to an [`Observer`].
//!
//! ```
//! use rl::classic::CartPole;
//! use rl::{ActorCritic, ActorCriticConfig, Control, Learner, Ppo, PpoConfig, Progress};
//! use rl::{SyncVecEnvironment, VecEnvironment};
//!
//! let environments = SyncVecEnvironment::new(vec![CartPole::new(); 8], false)?;
//! let (observations, actions) = (environments.observation_space(), environments.action_space());
//! let model = ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), 0)?;
//! let config = PpoConfig { total_steps: 2048, steps: 128, ..PpoConfig::default() };
//! let mut learner = Ppo::new(config, model, Box::new(environments), 0)?;
//! learner.learn(&mut |progress: &Progress| {
//!     assert!(progress.losses.is_some_and(|losses| losses.entropy > 0.0));
//!     Control::Continue
//! })?;
//! # Ok::<(), rl::RlError>(())
//! ```

pub mod a2c;
pub mod actor_critic;
pub mod agent;
pub mod classic;
mod codec;
mod collection;
pub mod curiosity;
pub mod distribution;
pub mod dqn;
pub mod environment;
mod error;
pub mod evaluation;
pub mod exploration;
pub mod network;
pub mod normalisation;
pub mod objective;
mod on_policy;
pub mod optimiser;
pub mod policy;
pub mod ppo;
mod random;
pub mod recipe;
pub mod replay;
pub mod rollout;
pub mod schedule;
pub mod selector;
pub mod space;
pub mod training;
mod value_policy;

pub use a2c::{A2c, A2cConfig, ExperienceConfig};
pub use actor_critic::{ActorCritic, ActorCriticConfig, Backbone};
pub use agent::{Agent, RandomAgent};
pub use curiosity::{CuriosityConfig, CuriousEnvironment};
pub use dqn::{Dqn, DqnConfig};
pub use environment::{Action, Actions, Environment, Outcomes, Step, SyncVecEnvironment, VecEnvironment};
pub use error::RlError;
pub use evaluation::{Evaluated, EvaluationConfig, evaluate};
pub use exploration::{Decay, ExplorationConfig};
pub use network::{
    Activation, Initialisation, Mlp, MlpConfig, Network, NetworkConfig, OutputHead, ParameterGroup,
    SequenceBatch,
};
#[cfg(feature = "sequence-networks")]
pub use network::{SequenceConfig, SequenceNetwork};
pub use normalisation::NormalisationConfig;
pub use optimiser::{Optimiser, OptimiserConfig};
pub use policy::Policy;
pub use ppo::{Ppo, PpoConfig};
pub use recipe::{Algorithm, Recipe};
pub use schedule::Schedule;
pub use selector::{SelectedAgent, SelectorEnvironment, Specialists};
pub use space::Space;
pub use training::{Control, Learner, Observer, Progress, ReplayTerms};
pub use value_policy::ValuePolicy;

/// The guide's Rust code, compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/reinforcement-learning.md")]
struct Guide;
