//! A cue to remember.

use rand::RngExt;

use super::{Episode, discrete};
use crate::codec::{Reader, Writer};
use crate::environment::{Action, Environment, Step};
use crate::error::RlError;
use crate::space::Space;

/// A corridor with a fork at its end, after the T-maze of Bakker (2002, "Reinforcement learning with long
/// short-term memory").
///
/// The first observation shows which way to turn, `[-1, 0]` for left (0) or `[1, 0]` for right (1); `blanks`
/// observations `[0, 0]` follow, then the fork, `[0, 1]`. The action at the fork earns 1 if it is the way
/// shown and -1 if not, and the episode terminates; all other actions earn and change nothing. An episode has
/// `blanks + 2` steps.
///
/// Both ways are shown equally often, and the fork looks the same after both: the best mean return is 1 with
/// memory ([`Memory::optimal_return`]) and 0 without.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    observations: Space,
    actions: Space,
    blanks: u64,
    right: bool,
    episode: Episode,
}

impl Memory {
    /// With so many blank observations between the cue and the fork; in the first episode of seed 0.
    #[must_use]
    pub fn new(blanks: u32) -> Self {
        let observations = Space::Continuous { low: vec![-1.0, 0.0], high: vec![1.0, 1.0] };
        let actions = Space::Discrete { count: 2 };
        let blanks = u64::from(blanks);
        let mut environment = Self { observations, actions, blanks, right: false, episode: Episode::new() };
        environment.reset(Some(0));
        environment
    }

    /// Mean return of the best policy with memory.
    #[must_use]
    pub const fn optimal_return() -> f32 {
        1.0
    }
}

impl Environment for Memory {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.right = self.episode.begin(seed, "memory").random();
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        let choice = discrete(action, 2)?;
        self.episode.advance()?;
        self.episode.over = self.episode.steps > self.blanks + 1;
        let reward = match (self.episode.over, choice == usize::from(self.right)) {
            (false, _) => 0.0,
            (true, true) => 1.0,
            (true, false) => -1.0,
        };
        Ok(Step { reward, terminated: self.episode.over, truncated: false })
    }

    fn observe(&self, observation: &mut [f32]) {
        let cue = if self.right { 1.0 } else { -1.0 };
        let values = match self.episode.steps {
            0 => [cue, 0.0],
            steps if steps == self.blanks + 1 => [0.0, 1.0],
            _ => [0.0, 0.0],
        };
        observation.iter_mut().zip(values).for_each(|(to, from)| *to = from);
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        self.episode.save(&mut writer);
        writer.u64(self.blanks);
        writer.bool(self.right);
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        let episode = Episode::restore(&mut reader)?;
        let blanks = reader.u64()?;
        if blanks != self.blanks {
            let problem =
                format!("its corridor has {blanks} blanks, this one {}; make it as long", self.blanks);
            return Err(RlError::checkpoint(problem));
        }
        self.right = reader.bool()?;
        self.episode = episode;
        reader.finish()
    }
}
