//! A reward for what is new: random network distillation (Burda et al. 2018, arXiv 1810.12894).

mod config;
mod novelty;

pub use self::config::CuriosityConfig;
use self::novelty::Novelty;
use crate::codec::{Reader, Writer};
use crate::environment::{Actions, Outcomes, VecEnvironment};
use crate::error::RlError;
use crate::space::Space;

/// Changes with the layout.
const FORMAT: &[u8] = b"matrela rl curiosity 1";

/// Environments whose rewards have something added for observations that are new.
///
/// A network of fixed random parameters (the target) and one that learns to say what it says (the predictor)
/// look at the observation that follows an action; where the episode ends, at the last one of it. What it is
/// worth is the mean squared error between the two (section 2.2), divided by the running standard deviation
/// of its discounted sum, which runs on over ends of episodes (sections 2.3 and 2.4), times `coefficient`.
/// Observations are normalised by running moments and cut off (section 2.4).
///
/// Two things differ from the paper. There is one stream of rewards: the sum of both is learned from, by
/// whatever algorithm. And no agent acts at random beforehand to find the moments: during the first `warm_up`
/// steps moments are learned and nothing is added.
///
/// Statistics of training ([`crate::Progress::mean_return`]) count the rewards without what is added
/// ([`VecEnvironment::extrinsic_rewards`]); evaluate in environments without curiosity. A reset begins
/// episodes anew and forgets nothing of what was seen.
pub struct CuriousEnvironment {
    inner: Box<dyn VecEnvironment>,
    novelty: Novelty,
    /// Rewards of the last step without what was added, `[environments]`.
    extrinsic: Vec<f32>,
    /// Observations that followed it, `[environments, width]`.
    observations: Vec<f32>,
}

impl std::fmt::Debug for CuriousEnvironment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = formatter.debug_struct("CuriousEnvironment");
        parts.field("config", self.novelty.config()).finish_non_exhaustive()
    }
}

impl CuriousEnvironment {
    /// Around environments; networks and what they learn from are drawn by the seed.
    ///
    /// # Errors
    /// [`RlError::Config`] as [`CuriosityConfig::validate`]; [`RlError::Shape`] for spaces that are refused.
    pub fn new(inner: Box<dyn VecEnvironment>, config: CuriosityConfig, seed: u64) -> Result<Self, RlError> {
        config.validate()?;
        inner.observation_space().validate()?;
        let (count, width) = (inner.len(), inner.observation_space().width());
        let novelty = Novelty::new(config, count, width, seed)?;
        let (extrinsic, observations) = (vec![0.0; count], vec![0.0; count * width]);
        Ok(Self { inner, novelty, extrinsic, observations })
    }

    /// How new observations `[n, width]` are, before division and coefficient, `[n]`; nothing is learned.
    ///
    /// # Errors
    /// [`RlError::Shape`] for observations of another width.
    pub fn novelty(&mut self, observations: &[f32]) -> Result<Vec<f32>, RlError> {
        let mut errors = Vec::new();
        self.novelty.errors(observations, &mut errors)?;
        Ok(errors)
    }
}

impl VecEnvironment for CuriousEnvironment {
    fn len(&self) -> usize {
        self.inner.len()
    }

    fn observation_space(&self) -> &Space {
        self.inner.observation_space()
    }

    fn action_space(&self) -> &Space {
        self.inner.action_space()
    }

    fn reset(&mut self, seed: u64) {
        self.inner.reset(seed);
    }

    fn step(&mut self, actions: &Actions, outcomes: &mut Outcomes) -> Result<(), RlError> {
        self.inner.step(actions, outcomes)?;
        // Of curiosity within curiosity, what was there without either.
        self.extrinsic.clear();
        match self.inner.extrinsic_rewards() {
            Some(rewards) => self.extrinsic.extend_from_slice(rewards),
            None => self.extrinsic.extend(outcomes.steps.iter().map(|step| step.reward)),
        }
        self.inner.observe(&mut self.observations);
        let width = self.inner.observation_space().width();
        let rows = self.observations.chunks_exact_mut(width).zip(&outcomes.steps).enumerate();
        for (index, (row, _)) in rows.filter(|(_, (_, step))| step.terminated || step.truncated) {
            self.inner.observe_final(index, row);
        }
        for (step, bonus) in outcomes.steps.iter_mut().zip(self.novelty.rewards(&self.observations)?) {
            step.reward += bonus;
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
        Some(&self.extrinsic)
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.bytes(FORMAT);
        writer.bytes(&self.inner.save()?);
        self.novelty.save(&mut writer)?;
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        if reader.bytes()? != FORMAT {
            let problem = "its environments have no curiosity, or that of another version; make the same";
            return Err(RlError::checkpoint(problem));
        }
        self.inner.restore(reader.bytes()?)?;
        self.novelty.restore(&mut reader)?;
        reader.finish()
    }
}

#[cfg(test)]
mod tests;
