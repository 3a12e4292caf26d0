//! Environments, alone and many at once.
//!
//! Episodes of a [`VecEnvironment`] begin anew by themselves, in the step in which they end (Gymnasium's
//! `SAME_STEP`): after [`VecEnvironment::step`] the current observation of an environment whose episode ended
//! is the first of its next episode, and [`VecEnvironment::observe_final`] gives the last one of the episode
//! that ended, for bootstrapping where it was truncated.

use rayon::prelude::*;

use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::random::derived_seed;
use crate::space::Space;

/// What one environment does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action<'a> {
    /// Of [`Space::Discrete`].
    Discrete(usize),
    /// Of [`Space::MultiDiscrete`].
    MultiDiscrete(&'a [usize]),
    /// Of [`Space::Continuous`].
    Continuous(&'a [f32]),
}

/// What follows an action.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// Reward of the step.
    pub reward: f32,
    /// The episode ended by itself: nothing more could have been earned.
    pub terminated: bool,
    /// The episode was cut off, as by a limit of time: more could have been earned.
    pub truncated: bool,
}

/// One environment.
pub trait Environment: Send {
    /// Observations; always [`Space::Continuous`].
    fn observation_space(&self) -> &Space;

    /// Actions.
    fn action_space(&self) -> &Space;

    /// Begins an episode. With a seed everything random starts from it; without one it goes on from where it
    /// is.
    fn reset(&mut self, seed: Option<u64>);

    /// One step. After an episode ended, [`Environment::reset`] comes first.
    ///
    /// # Errors
    /// [`RlError::Shape`] for an action that is not of the space, [`RlError::Environment`] for a step after
    /// the end.
    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError>;

    /// Writes the current observation, `[width]`.
    fn observe(&self, observation: &mut [f32]);

    /// All that [`Environment::restore`] needs to go on to the bit, the state of its random numbers included.
    ///
    /// # Errors
    /// [`RlError::Environment`] where an environment cannot be saved, which is what this one says unless
    /// overridden.
    fn save(&self) -> Result<Vec<u8>, RlError> {
        Err(cannot_be_saved())
    }

    /// Goes on from what [`Environment::save`] gave.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes of another environment, [`RlError::Environment`] as for `save`.
    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let _ = state;
        Err(cannot_be_saved())
    }
}

fn cannot_be_saved() -> RlError {
    let problem =
        "it cannot be saved; implement `Environment::save` and `Environment::restore`, or train in one go";
    RlError::Environment { index: 0, problem: problem.to_owned() }
}

/// Actions of all environments of a vector.
#[derive(Clone, Debug, PartialEq)]
pub enum Actions {
    /// One per environment.
    Discrete(Vec<usize>),
    /// `[environments, parts]`.
    MultiDiscrete(Vec<usize>, usize),
    /// `[environments, width]`.
    Continuous(Vec<f32>, usize),
}

impl Actions {
    /// What one environment does; none where there are fewer.
    #[must_use]
    pub fn of(&self, index: usize) -> Option<Action<'_>> {
        match self {
            Self::Discrete(all) => all.get(index).copied().map(Action::Discrete),
            Self::MultiDiscrete(all, parts) => {
                all.get(index * parts..(index + 1) * parts).map(Action::MultiDiscrete)
            }
            Self::Continuous(all, width) => {
                all.get(index * width..(index + 1) * width).map(Action::Continuous)
            }
        }
    }
}

/// What followed in each environment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcomes {
    /// One per environment.
    pub steps: Vec<Step>,
}

/// Many environments of one kind that step together.
pub trait VecEnvironment: Send {
    /// How many.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Observations of each.
    fn observation_space(&self) -> &Space;

    /// Actions of each.
    fn action_space(&self) -> &Space;

    /// Begins an episode in each; each is seeded by `seed` and its index.
    fn reset(&mut self, seed: u64);

    /// One step in each. Episodes that end begin anew; see the module.
    ///
    /// # Errors
    /// [`RlError::Shape`] for actions that are too few or not of the space; [`RlError::Environment`]. After
    /// an error some have
    /// stepped and some have not: reset all.
    fn step(&mut self, actions: &Actions, outcomes: &mut Outcomes) -> Result<(), RlError>;

    /// Writes the current observations, `[environments, width]`.
    fn observe(&self, observations: &mut [f32]);

    /// Writes the last observation of the episode of `index` that ended in the last step, `[width]`;
    /// not-a-number where none did, so that what must not be used cannot be used unseen.
    fn observe_final(&self, index: usize, observation: &mut [f32]);

    /// Where a wrapper adds to the rewards of the last step: what they were without, `[environments]`, which
    /// statistics of episodes then count. None, which is what this one says unless overridden, where nothing
    /// is added.
    fn extrinsic_rewards(&self) -> Option<&[f32]> {
        None
    }

    /// All that [`VecEnvironment::restore`] needs to go on to the bit.
    ///
    /// # Errors
    /// [`RlError::Environment`] where one cannot be saved, which is what this one says unless overridden.
    fn save(&self) -> Result<Vec<u8>, RlError> {
        Err(cannot_be_saved())
    }

    /// Goes on from what [`VecEnvironment::save`] gave.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes of other environments, [`RlError::Environment`] as for `save`.
    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let _ = state;
        Err(cannot_be_saved())
    }
}

/// Environments one after the other, or on all threads of the pool.
#[derive(Debug)]
pub struct SyncVecEnvironment<E> {
    environments: Vec<E>,
    /// `[environments, width]`; rows of episodes that did not end are old.
    finals: Vec<f32>,
    /// Whether the episode of each ended in the last step.
    ended: Vec<bool>,
    parallel: bool,
}

impl<E: Environment> SyncVecEnvironment<E> {
    /// # Errors
    /// [`RlError::Shape`] for no environment, or ones of different spaces.
    pub fn new(environments: Vec<E>, parallel: bool) -> Result<Self, RlError> {
        let Some(first) = environments.first() else {
            return Err(RlError::shape("a vector of environments", "there is none; give at least one"));
        };
        first.observation_space().validate()?;
        first.action_space().validate()?;
        let same = environments.iter().all(|one| {
            one.observation_space() == first.observation_space() && one.action_space() == first.action_space()
        });
        if !same {
            let problem = "their spaces differ; give environments of one kind";
            return Err(RlError::shape("a vector of environments", problem));
        }
        let finals = vec![0.0; environments.len() * first.observation_space().width()];
        let ended = vec![false; environments.len()];
        Ok(Self { environments, finals, ended, parallel })
    }

    /// The environments.
    #[must_use]
    pub fn environments(&self) -> &[E] {
        &self.environments
    }
}

impl<E: Environment + Sync> VecEnvironment for SyncVecEnvironment<E> {
    fn len(&self) -> usize {
        self.environments.len()
    }

    fn observation_space(&self) -> &Space {
        self.environments[0].observation_space()
    }

    fn action_space(&self) -> &Space {
        self.environments[0].action_space()
    }

    fn reset(&mut self, seed: u64) {
        self.ended.fill(false);
        for (index, one) in self.environments.iter_mut().enumerate() {
            one.reset(Some(derived_seed(seed, "environment", index as u64)));
        }
    }

    fn step(&mut self, actions: &Actions, outcomes: &mut Outcomes) -> Result<(), RlError> {
        let width = self.observation_space().width();
        outcomes.steps.resize(self.len(), Step::default());
        let step = |(index, (((one, last), ended), step)): (usize, Row<'_, E>)| {
            let Some(action) = actions.of(index) else {
                let problem = format!("there is none for environment {index}; give one for each");
                return Err(RlError::shape("the actions", problem));
            };
            *step = one.step(action).map_err(|error| numbered(error, index))?;
            *ended = step.terminated || step.truncated;
            if *ended {
                one.observe(last);
                one.reset(None);
            }
            Ok(())
        };
        let steps = &mut outcomes.steps;
        if self.parallel {
            let rows = self.environments.par_iter_mut().zip(self.finals.par_chunks_exact_mut(width));
            rows.zip(&mut self.ended).zip(steps).enumerate().try_for_each(step)
        } else {
            let rows = self.environments.iter_mut().zip(self.finals.chunks_exact_mut(width));
            rows.zip(&mut self.ended).zip(steps).enumerate().try_for_each(step)
        }
    }

    fn observe(&self, observations: &mut [f32]) {
        let width = self.observation_space().width();
        for (one, row) in self.environments.iter().zip(observations.chunks_exact_mut(width)) {
            one.observe(row);
        }
    }

    fn observe_final(&self, index: usize, observation: &mut [f32]) {
        let width = self.observation_space().width();
        let ended = self.ended.get(index).copied().unwrap_or(false);
        match self.finals.chunks_exact(width).nth(index) {
            Some(row) if ended => observation.iter_mut().zip(row).for_each(|(to, from)| *to = *from),
            _ => observation.fill(f32::NAN),
        }
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.usize(self.len());
        for (index, one) in self.environments.iter().enumerate() {
            writer.bytes(&one.save().map_err(|error| numbered(error, index))?);
        }
        writer.f32s(&self.finals);
        for ended in &self.ended {
            writer.bool(*ended);
        }
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        let count = reader.usize()?;
        if count != self.len() {
            let problem =
                format!("it holds {count} environments, this vector {}; make it as many", self.len());
            return Err(RlError::checkpoint(problem));
        }
        for (index, one) in self.environments.iter_mut().enumerate() {
            one.restore(reader.bytes()?).map_err(|error| numbered(error, index))?;
        }
        let finals = reader.f32s()?;
        if finals.len() != self.finals.len() {
            return Err(RlError::checkpoint(
                "its observations have another width; make the same environments",
            ));
        }
        self.finals = finals;
        for ended in &mut self.ended {
            *ended = reader.bool()?;
        }
        reader.finish()
    }
}

/// One environment, the last observation of its episode, whether that ended, and what followed.
type Row<'a, E> = (((&'a mut E, &'a mut [f32]), &'a mut bool), &'a mut Step);

/// An environment does not know which of a vector it is.
fn numbered(error: RlError, index: usize) -> RlError {
    match error {
        RlError::Environment { problem, .. } => RlError::Environment { index, problem },
        other => other,
    }
}

#[cfg(test)]
pub(crate) mod tests;
