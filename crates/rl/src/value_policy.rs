//! What DQN learns: a network of values, and the rule that takes the action of the highest.

use rand::{Rng, RngExt};

use crate::agent::{Agent, check_rows};
use crate::codec::{Reader, Writer};
use crate::distribution::Distribution;
use crate::error::RlError;
use crate::network::Network;

/// Takes the action of the highest value, or now and then any.
pub struct ValuePolicy {
    pub(crate) network: Box<dyn Network>,
    distribution: Distribution,
    actions: usize,
    dueling: bool,
    /// ε, 0 to 1: where a generator is given, the chance of a random action.
    pub exploration: f64,
    outputs: Vec<f32>,
    /// Of the last rows that were acted on, `[rows, actions]`.
    pub(crate) values: Vec<f32>,
}

impl std::fmt::Debug for ValuePolicy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("ValuePolicy");
        parts.field("actions", &self.actions).field("dueling", &self.dueling);
        parts.field("exploration", &self.exploration).finish_non_exhaustive()
    }
}

impl ValuePolicy {
    /// Of a network that gives the values of so many actions, or, dueling, the value of the state and then
    /// the advantages of actions. Greedy, until [`ValuePolicy::exploration`] is set.
    ///
    /// # Errors
    /// [`RlError::Shape`] for a network with memory, or with other outputs.
    pub fn new(network: Box<dyn Network>, actions: usize, dueling: bool) -> Result<Self, RlError> {
        if network.state_width() != 0 {
            let problem = "it has memory, which replay does not keep; take one without, or PPO";
            return Err(RlError::shape("the network", problem));
        }
        let outputs = actions + usize::from(dueling);
        if actions == 0 || network.outputs() != outputs {
            let problem = format!("{} outputs for {actions} actions; make it {outputs}", network.outputs());
            return Err(RlError::shape("the network", problem));
        }
        let distribution = Distribution::Categorical { count: actions };
        let (outputs, values) = (Vec::new(), Vec::new());
        Ok(Self { network, distribution, actions, dueling, exploration: 0.0, outputs, values })
    }

    /// The network of values.
    #[must_use]
    pub fn network(&self) -> &dyn Network {
        &*self.network
    }

    /// Values of actions `[rows, actions]` for observations `[rows, inputs]`.
    ///
    /// # Errors
    /// [`RlError::Shape`] for observations of another width.
    pub fn values(&mut self, observations: &[f32]) -> Result<&[f32], RlError> {
        let rows = observations.len() / self.network.inputs();
        self.outputs.resize(rows * self.network.outputs(), 0.0);
        self.network.step(observations, &mut [], &mut self.outputs)?;
        action_values(&self.outputs, self.actions, self.dueling, &mut self.values);
        Ok(&self.values)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f32s(self.network.parameters());
    }

    pub(crate) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        restore_parameters(self.network.parameters_mut(), reader)
    }
}

/// Overwrites parameters by saved ones.
pub(crate) fn restore_parameters(own: &mut [f32], reader: &mut Reader<'_>) -> Result<(), RlError> {
    let saved = reader.f32s()?;
    if saved.len() != own.len() {
        let (saved, own) = (saved.len(), own.len());
        let problem =
            format!("a network in it has {saved} parameters, this one {own}; make the same architecture");
        return Err(RlError::checkpoint(problem));
    }
    own.copy_from_slice(&saved);
    Ok(())
}

impl Agent for ValuePolicy {
    fn inputs(&self) -> usize {
        self.network.inputs()
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
        mut random: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        check_rows(self, observations, states, actions)?;
        if random.is_none() || self.exploration < 1.0 {
            self.values(observations)?;
            for (action, values) in actions.iter_mut().zip(self.values.chunks_exact(self.actions)) {
                *action = best(values) as f32;
            }
        }
        if let Some(random) = &mut random {
            for action in actions {
                // Both are drawn in any case, so that a change of the chance changes nothing else.
                let (explores, at_random) =
                    (random.random::<f64>() < self.exploration, random.random_range(0..self.actions));
                if explores {
                    *action = at_random as f32;
                }
            }
        }
        Ok(())
    }

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

/// Values of actions `[rows, actions]` from outputs of a network: these themselves, or, dueling, from `[rows,
/// 1 + actions]` `Q(a) = V + A(a) - mean A` (Wang et al. 2016, equation 9).
pub(crate) fn action_values(outputs: &[f32], actions: usize, dueling: bool, values: &mut Vec<f32>) {
    values.clear();
    if !dueling {
        values.extend_from_slice(outputs);
        return;
    }
    for row in outputs.chunks_exact(actions + 1) {
        if let [value, advantages @ ..] = row {
            let base = value - advantages.iter().sum::<f32>() / actions as f32;
            values.extend(advantages.iter().map(|advantage| base + advantage));
        }
    }
}

/// The action of the highest value; of several, the first.
pub(crate) fn best(values: &[f32]) -> usize {
    let higher = |best: (usize, f32), one: (usize, f32)| if one.1 > best.1 { one } else { best };
    values.iter().copied().enumerate().fold((0, f32::NEG_INFINITY), higher).0
}
