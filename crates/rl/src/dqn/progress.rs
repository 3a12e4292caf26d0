//! How training goes.

/// How training goes, after each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DqnProgress {
    /// Steps of environments so far.
    pub steps: u64,
    /// Gradient steps so far.
    pub updates: u64,
    /// Episodes that ended so far.
    pub episodes: u64,
    /// Mean return of the last 100 episodes, random actions included; none before the first ended.
    pub mean_return: Option<f64>,
    /// Mean length of the same, in steps.
    pub mean_length: Option<f64>,
    /// Chance of a random action now.
    pub exploration: f64,
    /// Mean loss of the round; none before learning starts.
    pub loss: Option<f64>,
    /// Mean value of the actions taken, of the last batch of the round.
    pub mean_value: Option<f64>,
}
