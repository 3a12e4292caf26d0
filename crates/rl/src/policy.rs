//! What comes out of training: networks together with the normalisation that they were trained behind.

use rand::Rng;

use crate::actor_critic::ActorCritic;
use crate::agent::{Agent, check_rows};
use crate::codec::{Reader, Writer};
use crate::distribution::Distribution;
use crate::error::RlError;
use crate::normalisation::{Normalisation, NormalisationConfig};
use crate::value_policy::restore_parameters;

/// An actor and critic, and how their observations are normalised.
#[derive(Debug)]
pub struct Policy {
    /// The networks.
    pub model: ActorCritic,
    pub(crate) normalisation: Normalisation,
    scratch: Vec<f32>,
    outputs: Vec<f32>,
    values: Vec<f32>,
}

impl Policy {
    /// # Errors
    /// [`RlError::Config`] for a normalisation that is refused.
    pub fn new(model: ActorCritic, normalisation: NormalisationConfig) -> Result<Self, RlError> {
        let normalisation = Normalisation::new(normalisation, model.inputs())?;
        let (scratch, outputs, values) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { model, normalisation, scratch, outputs, values })
    }

    /// Moments of observations and returns.
    #[must_use]
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for piece in self.model.parameters() {
            writer.f32s(piece);
        }
        self.normalisation.save(writer);
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        for piece in self.model.parameters_mut() {
            restore_parameters(piece, reader)?;
        }
        self.normalisation.restore(reader)
    }
}

impl Agent for Policy {
    fn inputs(&self) -> usize {
        self.model.inputs()
    }

    fn distribution(&self) -> &Distribution {
        self.model.distribution()
    }

    fn state_width(&self) -> usize {
        self.model.state_width()
    }

    fn initial_state(&self, state: &mut [f32]) {
        self.model.initial_state(state);
    }

    /// Observations are normalised by the moments as they stand; without a generator actions are the most
    /// probable.
    fn act(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        mut random: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        let rows = check_rows(self, observations, states, actions)?;
        self.scratch.clear();
        self.scratch.extend_from_slice(observations);
        self.normalisation.normalise_observations(&mut self.scratch);
        let (width, outputs) =
            (self.model.distribution().action_width(), self.model.distribution().outputs());
        self.outputs.resize(rows * outputs, 0.0);
        self.values.resize(rows, 0.0);
        self.model.step(&self.scratch, states, &mut self.outputs, &mut self.values)?;
        let (distribution, log_deviations) = (self.model.distribution(), self.model.log_deviations());
        for (outputs, action) in self.outputs.chunks_exact(outputs).zip(actions.chunks_exact_mut(width)) {
            match &mut random {
                Some(random) => distribution.sample(outputs, log_deviations, action, random),
                None => distribution.mode(outputs, action),
            }
        }
        Ok(())
    }

    /// Parameters and moments.
    fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.save(&mut writer);
        writer.finish_with_checksum()
    }

    fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        self.restore(&mut reader)?;
        reader.finish()
    }
}
