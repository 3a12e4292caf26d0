//! What a network consists of.

use crate::error::XlstmError;
use crate::kernel::ForgetGate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which implementation runs the cells and the layers around them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// Ordinary tensor operations, step by step: slow, plain, and what the fused kernels are held against.
    Reference,
    /// One operation per layer with its own backward pass.
    #[default]
    Fused,
}

/// Sizes and choices of a network; see [`XlstmConfig::init`]. The default is the architecture of the benchmarks,
/// `[mLSTM, sLSTM]` of width 96 with 4 heads.
///
/// ```
/// use xlstm::XlstmConfig;
/// let config = XlstmConfig { inputs: 16, width: 32, heads: 2, ..XlstmConfig::default() };
/// assert_eq!(config.slstm_at, [1]);
/// config.validate()?;
/// # Ok::<(), xlstm::XlstmError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct XlstmConfig {
    /// Features per step.
    pub inputs: usize,
    /// Width of the residual stream (E).
    pub width: usize,
    /// Heads of every cell (NH).
    pub heads: usize,
    /// Number of blocks.
    pub blocks: usize,
    /// Which blocks are sLSTM blocks (counted from 0); the others are mLSTM blocks.
    pub slstm_at: Vec<usize>,
    /// The mLSTM blocks.
    pub mlstm: MlstmConfig,
    /// The sLSTM blocks.
    pub slstm: SlstmConfig,
    /// Causal self-attention between blocks; none by default.
    pub attention: Option<AttentionConfig>,
    /// Attention between groups of input features; none by default.
    pub feature_groups: Option<FeatureGroupsConfig>,
    /// Dropout, active only where a generator is handed to the forward pass.
    pub dropout: DropoutConfig,
    /// Fused kernels or their plain reference.
    pub kernel: Kernel,
    /// Seed of the initial weights.
    pub seed: u64,
}

impl Default for XlstmConfig {
    fn default() -> Self {
        Self {
            inputs: 64,
            width: 96,
            heads: 4,
            blocks: 2,
            slstm_at: vec![1],
            mlstm: MlstmConfig::default(),
            slstm: SlstmConfig::default(),
            attention: None,
            feature_groups: None,
            dropout: DropoutConfig::default(),
            kernel: Kernel::Fused,
            seed: 0,
        }
    }
}

/// An mLSTM block: pre-norm, up-projection, convolution, cell, gated output, down-projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MlstmConfig {
    /// Inner width over width; the inner width is rounded up to a multiple of `round_to`.
    pub projection_factor: f64,
    /// See `projection_factor`.
    pub round_to: usize,
    /// Steps that the causal convolution sees.
    pub convolution: usize,
    /// Side of the blocks of the block-diagonal query, key and value projections.
    pub projection_block: usize,
    /// Forget gate: sigmoid or exponential.
    pub forget_gate: ForgetGate,
    /// Caps gate pre-activations at `c tanh(x / c)` (xLSTM 7B: 15); none by default.
    pub soft_cap: Option<f64>,
    /// Forget-gate biases at the start: evenly spaced over the heads from the first to the second. 3 halves a memory
    /// in 14 steps, 6 in 280.
    pub forget_bias: [f64; 2],
    /// Standard deviation of the input-gate biases at the start.
    pub input_bias_deviation: f64,
    /// Mean of the input-gate biases at the start (xLSTM 7B: -10).
    pub input_bias: f64,
}

impl Default for MlstmConfig {
    fn default() -> Self {
        Self {
            projection_factor: 2.0,
            round_to: 64,
            convolution: 4,
            projection_block: 4,
            forget_gate: ForgetGate::Sigmoid,
            soft_cap: None,
            forget_bias: [3.0, 6.0],
            input_bias_deviation: 0.1,
            input_bias: 0.0,
        }
    }
}

/// An sLSTM block: pre-norm, optional convolution, cell, group norm, then a gated feed-forward part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SlstmConfig {
    /// Steps that the causal convolution before the input and forget gates sees; 0: none.
    pub convolution: usize,
    /// Forget gate: sigmoid or exponential.
    pub forget_gate: ForgetGate,
    /// Inner width of the feed-forward part over width, rounded up to a multiple of `round_to`.
    pub feed_forward_factor: f64,
    /// See `feed_forward_factor`.
    pub round_to: usize,
}

impl Default for SlstmConfig {
    fn default() -> Self {
        Self { convolution: 4, forget_gate: ForgetGate::Sigmoid, feed_forward_factor: 1.3, round_to: 64 }
    }
}

/// Causal multi-head self-attention (Vaswani et al. 2017, arXiv 1706.03762) over the last steps, as residual
/// pre-norm layers between blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionConfig {
    /// After which blocks (counted from 0) a layer stands.
    pub after: Vec<usize>,
    /// Heads; must divide the width.
    pub heads: usize,
    /// Steps that a step can see, itself included: what a live state has to keep.
    pub window: usize,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self { after: vec![0], heads: 4, window: 64 }
    }
}

/// Cross-attention between feature groups: every group is embedded on its own, asks all the others at the same
/// step, and the groups are mixed into one vector of the residual stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureGroupsConfig {
    /// Columns of each group, in the order of the inputs; their sum must be `inputs`. At least two groups.
    pub sizes: Vec<usize>,
    /// Heads; must divide the width.
    pub heads: usize,
}

impl Default for FeatureGroupsConfig {
    fn default() -> Self {
        Self { sizes: Vec::new(), heads: 4 }
    }
}

/// Shares of values that are dropped in training.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DropoutConfig {
    /// Of the embedded inputs.
    pub input: f64,
    /// Of the recurrent input of the sLSTM cells: one mask per sequence, the same at every step (Gal and Ghahramani
    /// 2016, arXiv 1512.05287). mLSTM has no recurrent input.
    pub recurrent: f64,
    /// Of what every block adds to the residual stream.
    pub output: f64,
}

impl XlstmConfig {
    /// Inner width of the mLSTM blocks (I).
    #[must_use]
    pub fn mlstm_width(&self) -> usize {
        rounded_up(self.mlstm.projection_factor * self.width as f64, self.mlstm.round_to)
    }

    /// Inner width of the feed-forward parts (FF).
    #[must_use]
    pub fn feed_forward_width(&self) -> usize {
        rounded_up(self.slstm.feed_forward_factor * self.width as f64, self.slstm.round_to)
    }

    /// Whether this block is an sLSTM block.
    #[must_use]
    pub fn is_slstm(&self, block: usize) -> bool {
        self.slstm_at.contains(&block)
    }

    /// Whether a self-attention layer stands after this block.
    #[must_use]
    pub fn has_attention_after(&self, block: usize) -> bool {
        self.attention.as_ref().is_some_and(|attention| attention.after.contains(&block))
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`XlstmError::Config`] with every fault found.
    pub fn validate(&self) -> Result<(), XlstmError> {
        let mut faults = Faults::default();
        for (name, size) in [("inputs", self.inputs), ("width", self.width), ("heads", self.heads)] {
            faults.check(size > 0, || format!("`{name}` is 0: it must be at least 1"));
        }
        faults.check(self.blocks > 0, || "`blocks` is 0: a network needs at least one".to_owned());
        for block in &self.slstm_at {
            faults.check(*block < self.blocks, || {
                format!("`slstm_at` names block {block}, but there are {} (counted from 0)", self.blocks)
            });
        }
        self.check_mlstm(&mut faults);
        self.check_slstm(&mut faults);
        self.check_attention(&mut faults);
        let DropoutConfig { input, recurrent, output } = self.dropout;
        for (name, share) in [("input", input), ("recurrent", recurrent), ("output", output)] {
            faults.check((0.0..1.0).contains(&share), || {
                format!("`dropout.{name}` is {share}: it must be at least 0 and below 1")
            });
        }
        faults.finish()
    }

    fn check_mlstm(&self, faults: &mut Faults) {
        let mlstm = &self.mlstm;
        let sizes = [
            ("mlstm.round_to", mlstm.round_to),
            ("mlstm.convolution", mlstm.convolution),
            ("mlstm.projection_block", mlstm.projection_block),
        ];
        for (name, size) in sizes {
            faults.check(size > 0, || format!("`{name}` is 0: it must be at least 1"));
        }
        let factor = mlstm.projection_factor;
        faults.check(factor.is_finite() && factor > 0.0, || {
            format!("`mlstm.projection_factor` is {factor}: it must be above 0")
        });
        if let Some(cap) = mlstm.soft_cap {
            faults.check(cap.is_finite() && cap > 0.0, || {
                format!("`mlstm.soft_cap` is {cap}: it must be above 0 (leave it out for no cap)")
            });
        }
        let [low, high] = mlstm.forget_bias;
        let deviation = mlstm.input_bias_deviation;
        let numbers = [("forget_bias", low), ("forget_bias", high), ("input_bias", mlstm.input_bias)];
        for (name, value) in numbers {
            faults.check(value.is_finite(), || format!("`mlstm.{name}` holds {value}: it must be a number"));
        }
        faults.check(deviation.is_finite() && deviation >= 0.0, || {
            format!("`mlstm.input_bias_deviation` is {deviation}: it must be at least 0")
        });
        if self.heads == 0 || faults.any() {
            return;
        }
        let inner = self.mlstm_width();
        let mlstm_blocks = (0..self.blocks).any(|block| !self.is_slstm(block));
        faults.check(!mlstm_blocks || inner.is_multiple_of(self.heads), || {
            format!("the inner width of the mLSTM blocks, {inner}, is no multiple of `heads`, {}", self.heads)
        });
        let block = mlstm.projection_block;
        faults.check(!mlstm_blocks || inner.is_multiple_of(block), || {
            format!("the inner width of the mLSTM blocks, {inner}, is no multiple of `mlstm.projection_block`, {block}")
        });
    }

    fn check_slstm(&self, faults: &mut Faults) {
        let factor = self.slstm.feed_forward_factor;
        faults.check(factor.is_finite() && factor > 0.0, || {
            format!("`slstm.feed_forward_factor` is {factor}: it must be above 0")
        });
        faults.check(self.slstm.round_to > 0, || "`slstm.round_to` is 0: it must be at least 1".to_owned());
        let uneven = self.heads > 0 && !self.slstm_at.is_empty() && !self.width.is_multiple_of(self.heads);
        faults
            .check(!uneven, || format!("`width`, {}, is no multiple of `heads`, {}", self.width, self.heads));
    }

    fn check_attention(&self, faults: &mut Faults) {
        let divides = |heads: usize| heads > 0 && self.width.is_multiple_of(heads);
        if let Some(attention) = &self.attention {
            faults.check(divides(attention.heads), || {
                format!("`attention.heads` is {}: it must divide `width`, {}", attention.heads, self.width)
            });
            faults.check(attention.window > 0, || {
                "`attention.window` is 0: a step must at least see itself".to_owned()
            });
            faults.check(!attention.after.is_empty(), || {
                "`attention.after` names no block: leave `attention` out instead".to_owned()
            });
            for block in &attention.after {
                faults.check(*block < self.blocks, || {
                    format!(
                        "`attention.after` names block {block}, but there are {} (counted from 0)",
                        self.blocks
                    )
                });
            }
        }
        if let Some(groups) = &self.feature_groups {
            faults.check(divides(groups.heads), || {
                format!("`feature_groups.heads` is {}: it must divide `width`, {}", groups.heads, self.width)
            });
            faults.check(groups.sizes.len() >= 2 && groups.sizes.iter().all(|size| *size > 0), || {
                "`feature_groups.sizes` needs at least two groups of at least one column".to_owned()
            });
            let sum: usize = groups.sizes.iter().sum();
            faults.check(sum == self.inputs, || {
                format!("`feature_groups.sizes` add up to {sum}, but `inputs` is {}", self.inputs)
            });
        }
    }
}

/// Everything that is wrong with a configuration.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn check(&mut self, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.0.push(message());
        }
    }

    fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn finish(self) -> Result<(), XlstmError> {
        if self.0.is_empty() { Ok(()) } else { Err(XlstmError::Config { faults: self.0 }) }
    }
}

fn rounded_up(size: f64, multiple: usize) -> usize {
    (size / multiple as f64).ceil() as usize * multiple
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sizes() {
        let config = XlstmConfig::default();
        config.validate().unwrap();
        assert_eq!((config.mlstm_width(), config.feed_forward_width()), (192, 128));
        assert_eq!((0..2).map(|block| config.is_slstm(block)).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn every_fault_is_named_at_once() {
        let config = XlstmConfig {
            width: 90,
            slstm_at: vec![1, 7],
            attention: Some(AttentionConfig { after: vec![5], heads: 4, window: 0 }),
            feature_groups: Some(FeatureGroupsConfig { sizes: vec![3, 4], heads: 9 }),
            dropout: DropoutConfig { input: 1.0, ..DropoutConfig::default() },
            ..XlstmConfig::default()
        };
        let text = config.validate().unwrap_err().to_string();
        for part in [
            "block 7",
            "`width`, 90",
            "`attention.heads`",
            "`attention.window`",
            "block 5",
            "add up to 7",
            "`dropout.input`",
        ] {
            assert!(text.contains(part), "{part} is missing in: {text}");
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        assert!(serde_json::from_str::<XlstmConfig>(r#"{"widht": 3}"#).is_err());
        let config: XlstmConfig = serde_json::from_str(r#"{"kernel": "reference"}"#).unwrap();
        assert_eq!(config.kernel, Kernel::Reference);
    }
}
