//! Training cut in two, without a difference to the bit.

use super::Dqn;
use crate::codec::{Reader, Writer};
use crate::environment::VecEnvironment;
use crate::error::RlError;
use crate::network::Network;

/// Changes with the layout.
const FORMAT: &[u8] = b"matrela rl dqn 1";

impl<N: Network> Dqn<N> {
    /// All that it takes to go on to the bit: settings, both networks, the optimiser, the replay buffer and
    /// the environments.
    ///
    /// # Errors
    /// [`RlError::Environment`] for environments that cannot be saved.
    pub fn to_bytes(&self, environments: &dyn VecEnvironment) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.bytes(FORMAT);
        let config = serde_json::to_vec(&self.config);
        writer.bytes(&config.map_err(|error| RlError::checkpoint(format!("its settings: {error}")))?);
        writer.u64(self.seed);
        writer.bool(self.started);
        for count in [self.steps, self.calls, self.updates] {
            writer.u64(count);
        }
        writer.f32s(self.online.parameters());
        writer.f32s(self.target.parameters());
        self.optimiser.save(&mut writer);
        writer.bytes(&environments.save()?);
        self.episodes.save(&mut writer);
        self.n_step.save(&mut writer);
        self.buffer.save(&mut writer);
        self.sampler.save(&mut writer);
        Ok(writer.finish_with_checksum())
    }

    /// Goes on from what [`Dqn::to_bytes`] gave, with networks and environments made as they were then.
    ///
    /// # Errors
    /// [`RlError::Checkpoint`] for bytes that are damaged or of something else; those of [`Dqn::new`] and
    /// [`VecEnvironment::restore`]. The environments may then be half restored.
    pub fn from_bytes(
        bytes: &[u8],
        online: N,
        target: N,
        environments: &mut dyn VecEnvironment,
    ) -> Result<Self, RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        if reader.bytes()? != FORMAT {
            return Err(RlError::checkpoint(
                "it is none of DQN, or of another version; take one of this version",
            ));
        }
        let config = serde_json::from_slice(reader.bytes()?);
        let config = config.map_err(|error| RlError::checkpoint(format!("its settings: {error}")))?;
        let mut agent = Self::new(config, reader.u64()?, online, target, environments)?;
        agent.started = reader.bool()?;
        (agent.steps, agent.calls, agent.updates) = (reader.u64()?, reader.u64()?, reader.u64()?);
        for network in [&mut agent.online, &mut agent.target] {
            let (parameters, own) = (reader.f32s()?, network.parameters_mut());
            if parameters.len() != own.len() {
                let problem =
                    format!("its network has {} parameters, this one {}", parameters.len(), own.len());
                return Err(RlError::checkpoint(problem));
            }
            own.copy_from_slice(&parameters);
        }
        agent.optimiser.restore(&mut reader)?;
        environments.restore(reader.bytes()?)?;
        agent.episodes.restore(&mut reader)?;
        agent.n_step.restore(&mut reader)?;
        agent.buffer.restore(&mut reader)?;
        agent.sampler.restore(&mut reader)?;
        reader.finish()?;
        Ok(agent)
    }
}
