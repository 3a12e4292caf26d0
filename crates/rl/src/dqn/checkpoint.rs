//! Training cut in two, without a difference to the bit.

use super::Dqn;
use crate::codec::{Reader, Writer};
use crate::error::RlError;
use crate::on_policy::fingerprint;
use crate::value_policy::restore_parameters;

/// Changes with the layout.
const FORMAT: &[u8] = b"matrela rl dqn 2";

impl Dqn {
    /// Settings, both networks, the optimiser, the replay buffer and the environments.
    pub(super) fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.bytes(FORMAT);
        writer.bytes(fingerprint(&self.config)?.as_bytes());
        for count in [self.seed, self.steps, self.calls, self.updates] {
            writer.u64(count);
        }
        self.policy.save(&mut writer);
        writer.f32s(self.target.parameters());
        self.optimiser.save(&mut writer);
        writer.bytes(&self.environments.save()?);
        self.episodes.save(&mut writer);
        self.n_step.save(&mut writer);
        self.buffer.save(&mut writer);
        self.sampler.save(&mut writer);
        Ok(writer.finish_with_checksum())
    }

    /// Goes on from what [`Dqn::save`] gave.
    pub(super) fn take_up(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::with_checksum(bytes)?;
        if reader.bytes()? != FORMAT {
            return Err(RlError::checkpoint(
                "it is none of DQN, or of another version; take one of this version",
            ));
        }
        let (found, expected) = (String::from_utf8_lossy(reader.bytes()?), fingerprint(&self.config)?);
        if found != expected {
            let problem = format!("its configuration is {found}, not {expected}; configure the same");
            return Err(RlError::checkpoint(problem));
        }
        for count in [&mut self.seed, &mut self.steps, &mut self.calls, &mut self.updates] {
            *count = reader.u64()?;
        }
        self.policy.restore(&mut reader)?;
        restore_parameters(self.target.parameters_mut(), &mut reader)?;
        self.optimiser.restore(&mut reader)?;
        self.environments.restore(reader.bytes()?)?;
        self.episodes.restore(&mut reader)?;
        self.n_step.restore(&mut reader)?;
        self.buffer.restore(&mut reader)?;
        self.sampler.restore(&mut reader)?;
        reader.finish()
    }
}
