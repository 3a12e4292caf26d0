//! Whatever acts: what was learned, what draws at random, and what is put together of several.

use rand::Rng;

use crate::codec::{Reader, Writer};
use crate::distribution::Distribution;
use crate::error::RlError;
use crate::space::Space;

/// Takes observations, gives actions. Acting learns nothing.
pub trait Agent: Send {
    /// Numbers of one observation.
    fn inputs(&self) -> usize;

    /// The kind of its actions: how many numbers one has, and what environments get of them.
    fn distribution(&self) -> &Distribution;

    /// Numbers of one state; 0 without memory.
    fn state_width(&self) -> usize;

    /// Writes the state at the beginning of an episode, `[state_width]`.
    fn initial_state(&self, state: &mut [f32]);

    /// Acts on raw observations `[n, inputs]`: states `[n, state_width]` are replaced, actions `[n,
    /// action_width]` written. With a generator actions are drawn, without one they are the best it knows.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    fn act(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        random: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError>;

    /// What it has learned, with a checksum. The architecture is not in it: [`Agent::restore_bytes`] goes
    /// into one made alike.
    fn to_bytes(&self) -> Vec<u8>;

    /// Takes up what [`Agent::to_bytes`] gave.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes that are damaged or of another architecture. The agent may then be
    /// half restored.
    fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError>;
}

/// Refuses lengths that do not fit the agent; gives the number of rows.
pub(crate) fn check_rows(
    agent: &dyn Agent,
    observations: &[f32],
    states: &[f32],
    actions: &[f32],
) -> Result<usize, RlError> {
    let (inputs, width) = (agent.inputs(), agent.distribution().action_width());
    let rows = observations.len() / inputs.max(1);
    let (state_width, wanted) =
        (agent.state_width(), [rows * inputs, rows * agent.state_width(), rows * width]);
    if [observations.len(), states.len(), actions.len()] != wanted {
        let problem = format!(
            "{rows} rows need {inputs} observed numbers, {state_width} of state and {width} of action each, \
             not {}, {} and {} in all",
            observations.len(),
            states.len(),
            actions.len()
        );
        return Err(RlError::shape("the rows of an agent", problem));
    }
    Ok(rows)
}

/// Refuses an agent that was not made for such spaces.
pub(crate) fn check_spaces(agent: &dyn Agent, observations: &Space, actions: &Space) -> Result<(), RlError> {
    let width = observations.width();
    if agent.inputs() != width {
        let problem = format!("the policy takes {} numbers, not {width}", agent.inputs());
        return Err(RlError::shape("the observations of the environments", problem));
    }
    let wanted = Distribution::of(actions)?;
    if *agent.distribution() != wanted {
        let problem = format!("the policy has {:?}, they need {wanted:?}", agent.distribution());
        return Err(RlError::shape("the actions of the environments", problem));
    }
    Ok(())
}

/// Acts without looking: all actions alike, as of [`Distribution::sample_uniform`]. It has no best action, so
/// it needs a generator.
#[derive(Clone, Debug, PartialEq)]
pub struct RandomAgent {
    inputs: usize,
    distribution: Distribution,
}

impl RandomAgent {
    /// For these spaces.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a space that is refused.
    pub fn new(observations: &Space, actions: &Space) -> Result<Self, RlError> {
        observations.validate()?;
        Ok(Self { inputs: observations.width(), distribution: Distribution::of(actions)? })
    }
}

impl Agent for RandomAgent {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    fn state_width(&self) -> usize {
        0
    }

    fn initial_state(&self, _: &mut [f32]) {}

    fn act(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        random: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        check_rows(self, observations, states, actions)?;
        let Some(mut random) = random else {
            let problem = "all its actions are alike, there is no best one; give a generator, or \
                           evaluate with `deterministic = false`";
            return Err(RlError::shape("a random agent", problem));
        };
        for action in actions.chunks_exact_mut(self.distribution.action_width()) {
            self.distribution.sample_uniform(action, &mut random);
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        Writer::default().finish_with_checksum()
    }

    fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        Reader::with_checksum(bytes)?.finish()
    }
}

#[cfg(test)]
mod tests;
