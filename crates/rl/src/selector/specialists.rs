//! Agents of one kind that act side by side.

use crate::agent::{Agent, check_spaces};
use crate::codec::{Reader, Writer, checksum};
use crate::distribution::Distribution;
use crate::error::RlError;
use crate::space::Space;

/// Agents that take the same observations and have the same actions. They act and do not learn.
///
/// A state is theirs in their order, `[state_width]`.
pub struct Specialists {
    agents: Vec<Box<dyn Agent>>,
    inputs: usize,
    distribution: Distribution,
    /// Of one agent, `[rows, its state_width]`, and `[rows, action_width]`.
    states: Vec<f32>,
    actions: Vec<f32>,
}

impl std::fmt::Debug for Specialists {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("Specialists");
        parts.field("count", &self.agents.len()).field("distribution", &self.distribution);
        parts.finish_non_exhaustive()
    }
}

impl Specialists {
    /// # Errors
    /// [`RlError::Shape`] for none, or ones of different observations or actions.
    pub fn new(agents: Vec<Box<dyn Agent>>) -> Result<Self, RlError> {
        let Some(first) = agents.first() else {
            return Err(RlError::shape("the specialists", "there is none; give at least one"));
        };
        let (inputs, distribution) = (first.inputs(), first.distribution().clone());
        if agents.iter().any(|one| one.inputs() != inputs || *one.distribution() != distribution) {
            let problem = "their observations or actions differ; give ones made for the same environment";
            return Err(RlError::shape("the specialists", problem));
        }
        Ok(Self { agents, inputs, distribution, states: Vec::new(), actions: Vec::new() })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Never: there is at least one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    pub(super) fn inputs(&self) -> usize {
        self.inputs
    }

    pub(super) fn distribution(&self) -> &Distribution {
        &self.distribution
    }

    /// Refuses spaces that they were not made for.
    pub(super) fn check(&self, observations: &Space, actions: &Space) -> Result<(), RlError> {
        self.agents.iter().try_for_each(|agent| check_spaces(&**agent, observations, actions))
    }

    pub(super) fn state_width(&self) -> usize {
        self.agents.iter().map(|agent| agent.state_width()).sum()
    }

    pub(super) fn initial_state(&self, mut state: &mut [f32]) {
        for agent in &self.agents {
            let (own, rest) = state.split_at_mut(agent.state_width());
            agent.initial_state(own);
            state = rest;
        }
    }

    /// All of them act on observations `[rows, inputs]`, states `[rows, state_width]` are replaced, and each
    /// row of actions `[rows, action_width]` is that of the one chosen for it, `[rows]`.
    pub(super) fn follow(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        choices: &[usize],
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        let (rows, count) = (observations.len() / self.inputs, self.agents.len());
        if choices.len() != rows || choices.iter().any(|choice| *choice >= count) {
            let problem = format!("{choices:?} are not {rows} choices among {count}, counted from 0");
            return Err(RlError::shape("the choices of specialists", problem));
        }
        let (all, action_width) = (self.state_width(), self.distribution.action_width());
        self.actions.resize(rows * action_width, 0.0);
        let mut offset = 0;
        for (number, agent) in self.agents.iter_mut().enumerate() {
            let width = agent.state_width();
            let range = offset..offset + width;
            offset = range.end;
            self.states.clear();
            for row in states.chunks_exact(all.max(1)) {
                self.states.extend_from_slice(&row[range.clone()]);
            }
            agent.act(observations, &mut self.states, None, &mut self.actions)?;
            for (index, row) in states.chunks_exact_mut(all.max(1)).enumerate() {
                row[range.clone()].copy_from_slice(&self.states[index * width..(index + 1) * width]);
            }
            let pairs = actions.chunks_exact_mut(action_width).zip(self.actions.chunks_exact(action_width));
            for ((action, own), _) in pairs.zip(choices).filter(|(_, choice)| **choice == number) {
                action.copy_from_slice(own);
            }
        }
        Ok(())
    }

    /// Of what all have learned.
    pub(super) fn checksum(&self) -> u64 {
        let mut writer = Writer::default();
        self.save(&mut writer);
        checksum(&writer.finish())
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.usize(self.agents.len());
        self.agents.iter().for_each(|agent| writer.bytes(&agent.to_bytes()));
    }

    pub(super) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        let (count, own) = (reader.usize()?, self.agents.len());
        if count != own {
            let problem = format!("it has {count} specialists, not {own}; give as many");
            return Err(RlError::checkpoint(problem));
        }
        self.agents.iter_mut().try_for_each(|agent| agent.restore_bytes(reader.bytes()?))
    }
}
