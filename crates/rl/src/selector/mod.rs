//! Specialists, of whom a learned selector picks the one to follow.
//!
//! In [`SelectorEnvironment`] the choice is the action, so that any algorithm learns the selector; what was
//! learned acts together with its specialists as [`SelectedAgent`].

mod specialists;

use rand::Rng;

pub use self::specialists::Specialists;
use crate::agent::{Agent, check_rows};
use crate::codec::{Reader, Writer};
use crate::distribution::Distribution;
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::space::Space;

/// Changes with the layout.
const FORMAT: &[u8] = b"matrela rl selector 1";

/// Environments in which an action is the specialist to follow for a step.
///
/// All specialists see each observation and go on with their memory, which begins anew with each episode; the
/// best action of the chosen one is taken. They learn nothing. Observations, rewards and episodes are those
/// of the environments inside.
pub struct SelectorEnvironment {
    inner: Box<dyn VecEnvironment>,
    specialists: Specialists,
    actions: Space,
    /// Of the specialists, `[environments, state_width]`.
    states: Vec<f32>,
    /// The next step begins an episode.
    starts: Vec<bool>,
    observations: Vec<f32>,
    rows: Vec<f32>,
    taken: Actions,
}

impl std::fmt::Debug for SelectorEnvironment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("SelectorEnvironment");
        parts.field("specialists", &self.specialists).finish_non_exhaustive()
    }
}

impl SelectorEnvironment {
    /// Around environments that all specialists were made for.
    ///
    /// # Errors
    /// [`RlError::Shape`] where they do not fit.
    pub fn new(inner: Box<dyn VecEnvironment>, specialists: Specialists) -> Result<Self, RlError> {
        specialists.check(inner.observation_space(), inner.action_space())?;
        let count = inner.len();
        Ok(Self {
            actions: Space::Discrete { count: specialists.len() },
            states: vec![0.0; count * specialists.state_width()],
            starts: vec![true; count],
            observations: vec![0.0; count * inner.observation_space().width()],
            rows: vec![0.0; count * specialists.distribution().action_width()],
            taken: Actions::Discrete(Vec::new()),
            inner,
            specialists,
        })
    }
}

impl VecEnvironment for SelectorEnvironment {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: u64) {
        self.inner.reset(seed);
        self.starts.fill(true);
    }

    fn step(&mut self, actions: &Actions, outcomes: &mut Outcomes) -> Result<(), RlError> {
        let Actions::Discrete(choices) = actions else {
            let problem = "they are no choices among specialists; give `Actions::Discrete`";
            return Err(RlError::shape("the actions", problem));
        };
        self.inner.observe(&mut self.observations);
        let width = self.specialists.state_width();
        for (state, start) in self.states.chunks_exact_mut(width.max(1)).zip(&self.starts) {
            if *start {
                self.specialists.initial_state(state);
            }
        }
        self.specialists.follow(&self.observations, &mut self.states, choices, &mut self.rows)?;
        self.specialists.distribution().actions(&self.rows, &mut self.taken);
        self.inner.step(&self.taken, outcomes)?;
        for (start, step) in self.starts.iter_mut().zip(&outcomes.steps) {
            *start = step.terminated || step.truncated;
        }
        Ok(())
    }

    fn observe(&self, observations: &mut [f32]) {
        self.inner.observe(observations);
    }

    fn observe_final(&self, index: usize, observation: &mut [f32]) {
        self.inner.observe_final(index, observation);
    }

    fn extrinsic_rewards(&self) -> Option<&[f32]> {
        self.inner.extrinsic_rewards()
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.bytes(FORMAT);
        writer.u64(self.specialists.checksum());
        writer.bytes(&self.inner.save()?);
        writer.f32s(&self.states);
        self.starts.iter().for_each(|start| writer.bool(*start));
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        if reader.bytes()? != FORMAT || reader.u64()? != self.specialists.checksum() {
            return Err(RlError::checkpoint("its specialists are others, or none; give the same"));
        }
        self.inner.restore(reader.bytes()?)?;
        let states = reader.f32s()?;
        if states.len() != self.states.len() {
            return Err(RlError::checkpoint("its states are of other specialists; give the same"));
        }
        self.states = states;
        for start in &mut self.starts {
            *start = reader.bool()?;
        }
        reader.finish()
    }
}

/// A selector and its specialists as one: the selector chooses, the best action of the chosen one is taken.
///
/// A state is that of the selector, then those of the specialists in their order.
pub struct SelectedAgent {
    selector: Box<dyn Agent>,
    specialists: Specialists,
    choices: Vec<f32>,
    chosen: Vec<usize>,
    states: [Vec<f32>; 2],
}

impl std::fmt::Debug for SelectedAgent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("SelectedAgent");
        parts.field("specialists", &self.specialists).finish_non_exhaustive()
    }
}

impl SelectedAgent {
    /// Of a selector that was learned in a [`SelectorEnvironment`] of these specialists.
    ///
    /// # Errors
    /// [`RlError::Shape`] where they do not fit.
    pub fn new(selector: Box<dyn Agent>, specialists: Specialists) -> Result<Self, RlError> {
        let wanted = Distribution::Categorical { count: specialists.len() };
        if *selector.distribution() != wanted || selector.inputs() != specialists.inputs() {
            let problem = format!(
                "it takes {} numbers and has {:?}, but must take {} and have {wanted:?}; give the one that \
                 was learned with these specialists",
                selector.inputs(),
                selector.distribution(),
                specialists.inputs()
            );
            return Err(RlError::shape("the selector", problem));
        }
        let states = [Vec::new(), Vec::new()];
        Ok(Self { selector, specialists, choices: Vec::new(), chosen: Vec::new(), states })
    }

    /// Whom the last rows followed, `[rows]`.
    #[must_use]
    pub fn chosen(&self) -> &[usize] {
        &self.chosen
    }
}

impl Agent for SelectedAgent {
    fn inputs(&self) -> usize {
        self.selector.inputs()
    }

    fn distribution(&self) -> &Distribution {
        self.specialists.distribution()
    }

    fn state_width(&self) -> usize {
        self.selector.state_width() + self.specialists.state_width()
    }

    fn initial_state(&self, state: &mut [f32]) {
        let (own, others) = state.split_at_mut(self.selector.state_width());
        self.selector.initial_state(own);
        self.specialists.initial_state(others);
    }

    /// A generator draws the choice of the selector; specialists take their best actions in any case, as they
    /// did when it learned.
    fn act(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        random: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        let rows = check_rows(self, observations, states, actions)?;
        let (own, width) = (self.selector.state_width(), self.state_width());
        let [first, second] = &mut self.states;
        first.clear();
        second.clear();
        for row in states.chunks_exact(width.max(1)) {
            first.extend_from_slice(&row[..own]);
            second.extend_from_slice(&row[own..]);
        }
        self.choices.resize(rows, 0.0);
        self.selector.act(observations, first, random, &mut self.choices)?;
        self.chosen.clear();
        self.chosen.extend(self.choices.iter().map(|choice| *choice as usize));
        self.specialists.follow(observations, second, &self.chosen, actions)?;
        let others = width - own;
        for (index, row) in states.chunks_exact_mut(width.max(1)).enumerate() {
            row[..own].copy_from_slice(&first[index * own..(index + 1) * own]);
            row[own..].copy_from_slice(&second[index * others..(index + 1) * others]);
        }
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.selector.to_bytes());
        self.specialists.save(&mut writer);
        writer.finish_with_checksum()
    }

    fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        self.selector.restore_bytes(reader.bytes()?)?;
        self.specialists.restore(&mut reader)?;
        reader.finish()
    }
}

#[cfg(test)]
mod tests;
