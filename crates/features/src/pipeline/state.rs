//! Stopping a fold and going on later, to the bit.

use market_data::{Timeframe, Timestamp};
use serde::{Deserialize, Serialize};

use super::FeaturePipeline;
use super::cross::CrossAsset;
use super::higher::HigherState;
use super::outside::ExogenousInput;
use super::set::SetState;
use crate::error::FeatureError;
use crate::spec::FeatureSpec;

/// Bytes of the check sum in front of a state.
const CHECK_SUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct State {
    hash: String,
    last: Option<Timestamp>,
    seen: usize,
    own: SetState,
    higher: Vec<HigherState>,
    cross: Option<CrossAsset>,
    exogenous: Vec<ExogenousInput>,
}

impl FeaturePipeline {
    /// The whole state: [`FeaturePipeline::restore`] goes on from it to the bit. The bytes carry a check sum and
    /// the hash of the specification.
    ///
    /// # Errors
    /// [`FeatureError::UnreadableState`] when it cannot be written.
    pub fn save(&self) -> Result<Vec<u8>, FeatureError> {
        let state = State {
            hash: self.hash.clone(),
            last: self.last,
            seen: self.seen,
            own: self.own.save()?,
            higher: self.higher.iter().map(|higher| higher.save()).collect::<Result<_, _>>()?,
            cross: self.cross.clone(),
            exogenous: self.exogenous.clone(),
        };
        let body = rmp_serde::to_vec(&state).map_err(unreadable)?;
        let mut bytes = blake3::hash(&body).as_bytes().to_vec();
        bytes.extend(body);
        Ok(bytes)
    }

    /// A pipeline that goes on from what [`FeaturePipeline::save`] gave.
    ///
    /// # Errors
    /// [`FeatureError::UnreadableState`] for damaged bytes, [`FeatureError::Mismatch`] for a state of another
    /// specification, timeframe or version of the formulas; as [`FeaturePipeline::new`].
    pub fn restore(spec: &FeatureSpec, timeframe: Timeframe, bytes: &[u8]) -> Result<Self, FeatureError> {
        let mut pipeline = Self::new(spec, timeframe)?;
        let Some((sum, body)) = bytes.split_at_checked(CHECK_SUM) else {
            return Err(unreadable("it is too short"));
        };
        if blake3::hash(body).as_bytes() != sum {
            return Err(unreadable("it was changed or cut off: the check sum differs"));
        }
        let state: State = rmp_serde::from_slice(body).map_err(unreadable)?;
        if state.hash != pipeline.hash {
            return Err(FeatureError::mismatch("the saved state", &pipeline.hash, &state.hash));
        }
        if state.higher.len() != pipeline.higher.len() {
            return Err(unreadable("it has other timeframes"));
        }
        pipeline.last = state.last;
        pipeline.seen = state.seen;
        pipeline.own.restore(state.own)?;
        for (higher, state) in pipeline.higher.iter_mut().zip(state.higher) {
            higher.restore(state)?;
        }
        pipeline.cross = state.cross;
        pipeline.exogenous = state.exogenous;
        Ok(pipeline)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used to map errors")]
fn unreadable(reason: impl ToString) -> FeatureError {
    FeatureError::UnreadableState { reason: reason.to_string() }
}
