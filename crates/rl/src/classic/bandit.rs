//! Arms to choose from.

use rand::RngExt;

use super::{Episode, discrete};
use crate::codec::{Reader, Writer};
use crate::environment::{Action, Environment, Step};
use crate::error::RlError;
use crate::space::Space;

/// A contextual bandit: episodes of one step, in which an arm is chosen that pays 1 or nothing.
///
/// The observation is one context of equal probability, `[contexts]` with a single 1; the chance that an arm
/// pays depends on the context and the arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ContextualBandit {
    observations: Space,
    actions: Space,
    /// Chances to pay, `[contexts][arms]`.
    chances: Vec<Vec<f64>>,
    context: usize,
    /// The arm pays if its chance is above this, uniform in `[0, 1)`.
    luck: f64,
    episode: Episode,
}

impl ContextualBandit {
    /// With these chances to pay, `[contexts][arms]`; in the first episode of seed 0.
    ///
    /// # Errors
    /// [`RlError::Shape`] for no context, no arm, contexts of different numbers of arms, or chances outside
    /// `[0, 1]`.
    pub fn new(chances: Vec<Vec<f64>>) -> Result<Self, RlError> {
        let arms = chances.first().map_or(0, Vec::len);
        if arms == 0 || chances.iter().any(|context| context.len() != arms) {
            let problem = "give at least one context, and each the same number of arms, at least one";
            return Err(RlError::shape("a bandit", problem));
        }
        if let Some(bad) = chances.iter().flatten().find(|chance| !(0.0..=1.0).contains(*chance)) {
            return Err(RlError::shape("a bandit", format!("the chance {bad} is none; give 0 to 1")));
        }
        let contexts = chances.len();
        let observations = Space::Continuous { low: vec![0.0; contexts], high: vec![1.0; contexts] };
        let actions = Space::Discrete { count: arms };
        let episode = Episode::new();
        let mut environment = Self { observations, actions, chances, context: 0, luck: 0.0, episode };
        environment.reset(Some(0));
        Ok(environment)
    }

    /// Mean return of the best policy: the best arm of each context.
    #[must_use]
    pub fn optimal_return(&self) -> f64 {
        let best = |arms: &Vec<f64>| arms.iter().copied().fold(0.0, f64::max);
        self.chances.iter().map(best).sum::<f64>() / self.chances.len() as f64
    }
}

impl Environment for ContextualBandit {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>) {
        let mut random = self.episode.begin(seed, "bandit");
        self.context = random.random_range(0..self.chances.len());
        self.luck = random.random();
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        let arms = self.chances.get(self.context).map_or(&[][..], Vec::as_slice);
        let arm = discrete(action, arms.len())?;
        self.episode.advance()?;
        self.episode.over = true;
        let pays = arms.get(arm).is_some_and(|chance| self.luck < *chance);
        Ok(Step { reward: f32::from(u8::from(pays)), terminated: true, truncated: false })
    }

    fn observe(&self, observation: &mut [f32]) {
        let one_hot = |index| f32::from(u8::from(index == self.context));
        observation.iter_mut().enumerate().for_each(|(index, to)| *to = one_hot(index));
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        self.episode.save(&mut writer);
        writer.usize(self.context);
        writer.f64(self.luck);
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        let episode = Episode::restore(&mut reader)?;
        let context = reader.usize()?;
        if context >= self.chances.len() {
            let problem =
                format!("its context {context} is none of {}; make the same bandit", self.chances.len());
            return Err(RlError::checkpoint(problem));
        }
        self.context = context;
        self.luck = reader.f64()?;
        self.episode = episode;
        reader.finish()
    }
}
