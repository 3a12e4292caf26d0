//! Policies over models: trained in the market environment, kept as one directory, played over whole series, judged beside what
//! needs no learning.
//!
//! [`PolicyInputs`] turns candles and a model bundle into what a policy sees, [`PolicyTraining`] trains one, a [`PolicyBundle`] is all
//! of it as one directory, [`play`](play()) lets it trade its own account through whole series, and [`judge_players`] sets it beside
//! buy and hold, random actions, nothing, and the model alone.
//!
//! Invariants:
//! - A policy sees what was known at the close of the candle that it decides at, as the model does.
//! - Weights come from the training time, the choice among them from the validation time; what comes after both decides nothing.
//! - What a policy wants of a candle follows from the candles up to it alone: it trades an account of its own.

mod bundle;
mod config;
mod evaluation;
mod inputs;
mod play;
mod signals;
mod specialists;
mod training;

pub use bundle::{PolicyBundle, PolicyOrigin};
pub use config::{FineTuning, PolicyConfig};
pub use evaluation::{JudgedPlayer, PlayerKind, judge_players};
pub use inputs::{InputSource, PolicyInputs, SeriesFrame};
pub use play::{AccountPath, Player, play, together};
pub use signals::policy_actions;
pub use specialists::{KINDS, MarketKinds, SpecialistsConfig};
pub use training::{Advance, AgentBytes, PolicyTraining, Validation};
