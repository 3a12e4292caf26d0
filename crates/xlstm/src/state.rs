//! What a network remembers between calls.

use burn::tensor::{Device, Tensor};
use std::sync::Arc;

/// State of an mLSTM layer of a batch. Never carries gradients.
#[derive(Debug, Clone)]
pub struct MlstmState {
    /// The last `convolution - 1` inputs of the convolution, oldest first, `[batch, convolution - 1, inner width]`.
    pub window: Tensor<3>,
    /// C, `[batch, heads, dim of keys, dim of values]`; carries the 1/sqrt(dim) of the keys.
    pub memory: Tensor<4>,
    /// n, `[batch, heads, dim]`; f64 on a CPU, because q·n cancels.
    pub normaliser: Tensor<3>,
    /// m, `[batch, heads]`; -inf where the state is empty.
    pub stabiliser: Tensor<2>,
}

/// State of an sLSTM layer of a batch. Never carries gradients.
#[derive(Debug, Clone)]
pub struct SlstmState {
    /// The last `convolution - 1` inputs of the convolution, `[batch, convolution - 1, width]`; no rows without one.
    pub window: Tensor<3>,
    /// y of the last step, `[batch, heads, dim]`.
    pub output: Tensor<3>,
    /// c, `[batch, heads, dim]`.
    pub cell: Tensor<3>,
    /// n, `[batch, heads, dim]`; 0 where the unit is empty.
    pub normaliser: Tensor<3>,
    /// m, `[batch, heads, dim]`.
    pub stabiliser: Tensor<3>,
}

/// What a self-attention layer keeps: the last `window - 1` steps. Never carries gradients.
#[derive(Debug, Clone)]
pub struct AttentionState {
    /// Keys, oldest first, `[batch, window - 1, width]`.
    pub keys: Tensor<3>,
    /// Values, `[batch, window - 1, width]`.
    pub values: Tensor<3>,
    /// 1 where a step is there, 0 where nothing has come yet, `[batch, window - 1]`.
    pub present: Tensor<2>,
}

/// State of one layer of the stack.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "a network holds a handful of them and never moves them in a loop"
)]
pub enum LayerState {
    /// Of an mLSTM block.
    Mlstm(MlstmState),
    /// Of an sLSTM block.
    Slstm(SlstmState),
    /// Of a self-attention layer.
    Attention(AttentionState),
}

/// State of a whole network, layer by layer; from [`crate::Xlstm::empty_state`] or an earlier call.
///
/// Its size does not depend on how many steps went in. It never carries gradients: what lies before it counts as
/// given (truncated back-propagation).
#[derive(Debug, Clone)]
pub struct XlstmState {
    /// Layers in the order of the stack.
    pub layers: Vec<LayerState>,
}

impl LayerState {
    /// Sequences in the batch.
    #[must_use]
    pub fn batch(&self) -> usize {
        match self {
            Self::Mlstm(state) => state.memory.dims()[0],
            Self::Slstm(state) => state.cell.dims()[0],
            Self::Attention(state) => state.keys.dims()[0],
        }
    }
}

/// Where sequences begin anew: `[batch, time]`, true where everything remembered is forgotten *before* that step
/// (an episode or another series begins there).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetMask {
    steps: Arc<[bool]>,
    batch: usize,
    time: usize,
}

impl ResetMask {
    /// A mask from its rows, one per sequence; `None` where the rows differ in length or there are none.
    #[must_use]
    pub fn from_rows(rows: &[Vec<bool>]) -> Option<Self> {
        let time = rows.first()?.len();
        if rows.iter().any(|row| row.len() != time) {
            return None;
        }
        Some(Self { steps: rows.concat().into(), batch: rows.len(), time })
    }

    /// Rows one after another, `batch · time` values.
    #[must_use]
    pub fn steps(&self) -> &[bool] {
        &self.steps
    }

    /// `[batch, time]`.
    #[must_use]
    pub fn dims(&self) -> [usize; 2] {
        [self.batch, self.time]
    }

    /// 1 where a step begins anew, `[batch, time]`.
    #[must_use]
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = self.steps.iter().map(|reset| f32::from(u8::from(*reset))).collect();
        Tensor::<1>::from_floats(values.as_slice(), device).reshape([self.batch, self.time])
    }

    /// How many beginnings lie at or before each step, `[batch, time]`.
    pub(crate) fn segments(&self) -> Vec<u32> {
        let mut segments = Vec::with_capacity(self.steps.len());
        for row in self.steps.chunks_exact(self.time) {
            let mut count = 0;
            for reset in row {
                count += u32::from(*reset);
                segments.push(count);
            }
        }
        segments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_count_beginnings() {
        let mask = ResetMask::from_rows(&[vec![false, true, false], vec![true, true, false]]).unwrap();
        assert_eq!(mask.segments(), [0, 1, 1, 1, 2, 2]);
        assert_eq!(mask.dims(), [2, 3]);
        assert!(ResetMask::from_rows(&[vec![false], vec![]]).is_none());
    }
}
