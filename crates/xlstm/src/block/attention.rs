//! Causal self-attention between blocks.

use super::{Pass, linear};
use crate::config::{AttentionConfig, Kernel};
use crate::initialisation::Initialiser;
use crate::norm::Norm;
use crate::state::{AttentionState, ResetMask};
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};

/// Added to the scores of steps that must not be seen: their weights become exact zeros.
const UNSEEN: f32 = -1e9;

/// `y = x + output(softmax(q k^T / sqrt(D)) v)` over the last `window` steps of the same sequence (Vaswani et al. 2017,
/// arXiv 1706.03762). No positions are added: the recurrent blocks around it know the order.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// Before the projections.
    pub norm: Norm,
    /// E to E.
    pub query: Linear,
    /// E to E.
    pub key: Linear,
    /// E to E.
    pub value: Linear,
    /// E to E.
    pub output: Linear,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    window: usize,
}

impl SelfAttention {
    pub(crate) fn init(
        config: &AttentionConfig,
        width: usize,
        kernel: Kernel,
        initialiser: &mut Initialiser,
    ) -> Self {
        Self {
            norm: Norm::init(width, kernel, initialiser),
            query: linear(initialiser.small([width, width]), None),
            key: linear(initialiser.small([width, width]), None),
            value: linear(initialiser.small([width, width]), None),
            output: linear(initialiser.wang([width, width]), None),
            heads: config.heads,
            window: config.window,
        }
    }

    /// The state before the first step.
    #[must_use]
    pub fn empty_state(&self, batch: usize, device: &Device) -> AttentionState {
        let [width, _] = self.query.weight.dims();
        let kept = self.window - 1;
        let options = (device, self.norm.weight.val().dtype());
        AttentionState {
            keys: Tensor::zeros([batch, kept, width], options),
            values: Tensor::zeros([batch, kept, width], options),
            present: Tensor::zeros([batch, kept], options),
        }
    }

    /// `x` and the result `[batch, time, width]`. Takes `time · (time + window)` scores per head.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        state: Option<AttentionState>,
        pass: &mut Pass<'_, '_>,
    ) -> (Tensor<3>, Option<AttentionState>) {
        let [batch, time, width] = x.dims();
        let device = x.device();
        let state = match state {
            None if pass.keep_state => Some(self.empty_state(batch, &device)),
            state => state,
        };
        let normed = self.norm.forward(x.clone());
        let query = self.query.forward(normed.clone());
        let (mut keys, mut values) = (self.key.forward(normed.clone()), self.value.forward(normed));
        let mut absent = None;
        if let Some(state) = &state {
            keys = Tensor::cat(vec![state.keys.clone(), keys], 1);
            values = Tensor::cat(vec![state.values.clone(), values], 1);
            absent = Some((state.present.clone() - 1.0) * -UNSEEN);
        }
        let earlier = keys.dims()[1] - time;
        let dim = width / self.heads;
        let split = |tensor: Tensor<3>| {
            let rows = tensor.dims()[1];
            tensor.reshape([batch, rows, self.heads, dim]).swap_dims(1, 2)
        };
        let scores = split(query).matmul(split(keys.clone()).swap_dims(2, 3)) * (1.0 / (dim as f64).sqrt());
        let number_type = x.dtype();
        let mut hidden = visible(self.window, time, earlier, pass.reset, &device).cast(number_type);
        if let Some(absent) = absent
            && earlier > 0
        {
            let present = Tensor::zeros([batch, time], (&device, number_type));
            hidden = hidden + Tensor::cat(vec![absent, present], 1).reshape([batch, 1, 1, earlier + time]);
        }
        let weights = activation::softmax(scores + hidden, 3);
        let mixed = weights.matmul(split(values.clone())).swap_dims(1, 2).reshape([batch, time, width]);
        let state =
            state.filter(|_| pass.keep_state).map(|state| self.leave(state, keys, values, time, pass.reset));
        let added = self.output.forward(pass.wanted(mixed));
        (pass.drop_output(added) + pass.wanted(x), state)
    }

    /// The last `window - 1` keys and values.
    fn leave(
        &self,
        state: AttentionState,
        keys: Tensor<3>,
        values: Tensor<3>,
        time: usize,
        reset: Option<&ResetMask>,
    ) -> AttentionState {
        let kept = self.window - 1;
        if kept == 0 {
            return state;
        }
        let [batch, _, _] = keys.dims();
        let device = keys.device();
        let number_type = keys.dtype();
        let ones = Tensor::ones([batch, time], (&device, number_type));
        let mut present = Tensor::cat(vec![state.present, ones], 1).narrow(1, time, kept);
        if let Some(reset) = reset {
            let mut same = Vec::with_capacity(batch * kept);
            for row in reset.segments().chunks_exact(time) {
                for place in 0..kept {
                    let segment = (place + time).checked_sub(kept).map_or(0, |step| row[step]);
                    same.push(f32::from(u8::from(segment == row[time - 1])));
                }
            }
            let same = Tensor::<1>::from_floats(same.as_slice(), &device).cast(number_type);
            present = present * same.reshape([batch, kept]);
        }
        AttentionState {
            keys: keys.narrow(1, time, kept).detach(),
            values: values.narrow(1, time, kept).detach(),
            present,
        }
    }
}

/// 0 where a step may look, [`UNSEEN`] elsewhere, `[1 or batch, 1, time, earlier + time]`: itself and the
/// `window - 1` steps before, of the same sequence. `earlier` columns come from the state.
fn visible(
    window: usize,
    time: usize,
    earlier: usize,
    reset: Option<&ResetMask>,
    device: &Device,
) -> Tensor<4> {
    let segments = reset.map_or_else(|| vec![0; time], ResetMask::segments);
    let rows = segments.len() / time;
    let mut mask = Vec::with_capacity(rows * time * (earlier + time));
    for row in segments.chunks_exact(time) {
        for step in 0..time {
            for column in 0..earlier + time {
                let distance = (step + earlier).checked_sub(column);
                let near = distance.is_some_and(|distance| distance < window);
                let segment = column.checked_sub(earlier).map_or(0, |earlier_step| row[earlier_step]);
                mask.push(if near && segment == row[step] { 0.0 } else { UNSEEN });
            }
        }
    }
    Tensor::<1>::from_floats(mask.as_slice(), device).reshape([rows, 1, time, earlier + time])
}
