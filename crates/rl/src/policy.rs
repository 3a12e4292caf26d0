//! What comes out of training: networks together with the normalisation that they were trained behind.

use rand::Rng;

use crate::actor_critic::ActorCritic;
use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::normalisation::{Normalisation, NormalisationConfig};

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

    /// Acts on raw observations `[n, inputs]`: states `[n, state_width]` are replaced, actions `[n,
    /// action_width]`. With a generator actions are drawn, without one they are the most probable. Nothing is
    /// learned, moments stay.
    ///
    /// # Errors
    /// [`RlError::Shape`] where the lengths do not fit.
    pub fn act(
        &mut self,
        observations: &[f32],
        states: &mut [f32],
        mut random: Option<&mut impl Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        self.scratch.clear();
        self.scratch.extend_from_slice(observations);
        self.normalisation.normalise_observations(&mut self.scratch);
        let rows = observations.len() / self.model.inputs();
        let (width, outputs) =
            (self.model.distribution().action_width(), self.model.distribution().outputs());
        if actions.len() != rows * width {
            let problem = format!("{rows} rows need {} numbers, not {}", rows * width, actions.len());
            return Err(RlError::shape("the actions of a policy", problem));
        }
        self.outputs.resize(rows * outputs, 0.0);
        self.values.resize(rows, 0.0);
        self.model.step(&self.scratch, states, &mut self.outputs, &mut self.values)?;
        let (distribution, log_deviations) = (self.model.distribution(), self.model.log_deviations());
        for (outputs, action) in self.outputs.chunks_exact(outputs).zip(actions.chunks_exact_mut(width)) {
            match &mut random {
                Some(random) => distribution.sample(outputs, log_deviations, action, *random),
                None => distribution.mode(outputs, action),
            }
        }
        Ok(())
    }

    /// Parameters and moments. The architecture is not in them: [`Policy::restore_bytes`] goes into a policy
    /// made alike.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.save(&mut writer);
        writer.finish_with_checksum()
    }

    /// Takes up what [`Policy::to_bytes`] gave.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes that are damaged or of another architecture.
    pub fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        self.restore(&mut reader)?;
        reader.finish()
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for piece in self.model.parameters() {
            writer.f32s(piece);
        }
        self.normalisation.save(writer);
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        for piece in self.model.parameters_mut() {
            let values = reader.f32s()?;
            if values.len() != piece.len() {
                let problem = format!(
                    "a network in it has {} parameters, this one {}; make the same architecture",
                    values.len(),
                    piece.len()
                );
                return Err(RlError::checkpoint(problem));
            }
            piece.copy_from_slice(&values);
        }
        self.normalisation.restore(reader)
    }
}
