//! Weights of the public PyTorch reference (package `xlstm` by NX-AI, versions 2.0), from a `safetensors` file of its
//! `state_dict`.
//!
//! | reference | here |
//! |---|---|
//! | `blocks.N.xlstm_norm.weight` | `layers.N.norm.weight` (both hold the scale less one) |
//! | `blocks.N.xlstm.proj_up.weight` (out, in) | `layers.N.up.weight` (in, out) |
//! | `blocks.N.xlstm.conv1d.conv.weight` (I, 1, K) | `layers.N.layer.convolution_weight` (I, K) |
//! | `blocks.N.xlstm.mlstm_cell.igate`, `fgate` | `layers.N.layer.input_gate`, `forget_gate` |
//! | `blocks.N.xlstm.mlstm_cell.outnorm`, `xlstm.learnable_skip` | `layers.N.layer.norm`, `skip` |
//! | `blocks.N.xlstm.fgate`, `igate`, `zgate`, `ogate` (sLSTM) | `layers.N.layer.gates`, in the order i, f, z, o |
//! | `blocks.N.xlstm.slstm_cell._recurrent_kernel_` (NH, 4 D, D) | `layers.N.layer.recurrent` (4, NH, D, D) |
//! | `blocks.N.ffn_norm`, `ffn.proj_up`, `ffn.proj_down` | `layers.N.feed_forward.…` |
//! | `post_blocks_norm.weight` | `norm.weight` |
//!
//! In the reference's sLSTM layer the attribute `fgate` feeds the *input* gate and `igate` the *forget* gate (its issue
//! 98); the conversion follows what the numbers do, not what they are called. The recurrent weights are read in the
//! layout of its `vanilla` backend.

use super::load_bytes;
use crate::config::{MlstmConfig, SlstmConfig, XlstmConfig};
use crate::error::XlstmError;
use crate::kernel::slstm::GATES;
use crate::stack::Xlstm;
use burn::tensor::Device;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where in the file the network's tensors are.
#[derive(Debug, Clone, Default)]
pub struct TorchNames {
    /// What the names of the `xLSTMBlockStack` begin with, such as `stack.`; empty by default.
    pub stack: String,
    /// The linear layer before the stack, such as `inp`. Without one an identity matrix stands in its place.
    pub embedding: Option<String>,
}

/// Reads a `state_dict` of the reference (f32 or f64; f64 is rounded) and makes the same network. Tensors outside
/// `names` are left alone; inside, everything must be known.
///
/// # Errors
/// [`XlstmError::File`] where the file cannot be read; [`XlstmError::Weights`] with everything that is missing,
/// unknown or of an unlikely shape.
pub fn convert(path: &Path, names: &TorchNames, device: &Device) -> Result<Xlstm, XlstmError> {
    let bytes = super::read(path)?;
    let fault = |reason: String| XlstmError::File { path: path.to_owned(), reason };
    let tensors = SafeTensors::deserialize(&bytes)
        .map_err(|error| fault(format!("this is no safetensors file: {error}")))?;
    let mut source = Source::new(&tensors, &names.stack);
    let mut target = Target::default();
    let config = network(&mut source, &mut target, names);
    let mut mismatches = source.mismatches;
    let used = source.used;
    // The causal mask is a constant that some versions of the reference keep among their tensors.
    for name in tensors.names().into_iter().filter(|name| !name.ends_with("causal_mask")) {
        if name.starts_with(&names.stack) && !names.stack.is_empty() && !used.contains(name) {
            mismatches.push(format!("`{name}` is not known in a network of the reference"));
        }
        let looks_like_ours = name.starts_with("blocks.") || name.starts_with("post_blocks_norm");
        if names.stack.is_empty() && looks_like_ours && !used.contains(name) {
            mismatches.push(format!("`{name}` is not known in a network of the reference"));
        }
    }
    if !mismatches.is_empty() {
        return Err(XlstmError::Weights { path: path.to_owned(), mismatches });
    }
    let bytes = target.serialize().map_err(fault)?;
    load_bytes(config.init(device)?, bytes, path)
}

/// Reads tensors by the reference's names and notes what went wrong.
struct Source<'a> {
    tensors: &'a SafeTensors<'a>,
    prefix: &'a str,
    used: BTreeSet<String>,
    mismatches: Vec<String>,
}

/// A tensor in f32.
#[derive(Clone, Default)]
struct Values {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Values {
    /// `[a, b]` to `[b, a]`.
    fn transposed(&self) -> Self {
        let (rows, columns) = (self.shape[0], self.shape[1]);
        let data = (0..rows * columns).map(|at| self.data[at % rows * columns + at / rows]).collect();
        Self { shape: vec![columns, rows], data }
    }

    fn reshaped(self, shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), data: self.data }
    }
}

impl<'a> Source<'a> {
    fn new(tensors: &'a SafeTensors<'a>, prefix: &'a str) -> Self {
        Self { tensors, prefix, used: BTreeSet::new(), mismatches: Vec::new() }
    }

    fn has(&self, name: &str) -> bool {
        self.tensors.tensor(&format!("{}{name}", self.prefix)).is_ok()
    }

    /// The tensor, if it is there and has this many axes; else a note and nothing.
    fn get(&mut self, name: &str, axes: usize) -> Option<Values> {
        self.get_absolute(&format!("{}{name}", self.prefix), axes)
    }

    fn get_absolute(&mut self, name: &str, axes: usize) -> Option<Values> {
        self.used.insert(name.to_owned());
        let Ok(view) = self.tensors.tensor(name) else {
            self.mismatches.push(format!("`{name}` is missing"));
            return None;
        };
        if view.shape().len() != axes || view.shape().contains(&0) {
            self.mismatches.push(format!("`{name}` has the shape {:?}, expected {axes} axes", view.shape()));
            return None;
        }
        let data = match view.dtype() {
            Dtype::F32 => view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::F64 => {
                view.data().as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()
            }
            other => {
                self.mismatches.push(format!("`{name}` is of type {other:?}, expected F32 or F64"));
                return None;
            }
        };
        Some(Values { shape: view.shape().to_vec(), data })
    }

    fn expect(&mut self, holds: bool, message: impl FnOnce() -> String) -> bool {
        if !holds {
            self.mismatches.push(message());
        }
        holds
    }
}

/// Tensors under their names here.
#[derive(Default)]
struct Target(BTreeMap<String, Values>);

impl Target {
    fn put(&mut self, name: String, values: Option<Values>) {
        if let Some(values) = values {
            self.0.insert(name, values);
        }
    }

    fn serialize(&self) -> Result<Vec<u8>, String> {
        let bytes: BTreeMap<&String, Vec<u8>> = self
            .0
            .iter()
            .map(|(name, values)| (name, values.data.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let mut views = Vec::with_capacity(bytes.len());
        for (name, data) in &bytes {
            let shape = self.0[*name].shape.clone();
            let view = TensorView::new(Dtype::F32, shape, data).map_err(|error| error.to_string())?;
            views.push(((*name).clone(), view));
        }
        safetensors::serialize(views, None).map_err(|error| error.to_string())
    }
}

fn network(source: &mut Source<'_>, target: &mut Target, names: &TorchNames) -> XlstmConfig {
    let mut config = XlstmConfig { slstm_at: Vec::new(), blocks: 0, heads: 1, ..XlstmConfig::default() };
    let norm = source.get("post_blocks_norm.weight", 1);
    config.width = norm.as_ref().map_or(1, |norm| norm.shape[0]);
    target.put("norm.weight".to_owned(), norm);
    embedding(source, target, names, &mut config);
    while source.has(&format!("blocks.{}.xlstm_norm.weight", config.blocks)) {
        let block = config.blocks;
        let from = format!("blocks.{block}.");
        let to = format!("layers.{block}.");
        let norm = source.get(&format!("{from}xlstm_norm.weight"), 1);
        target.put(format!("{to}norm.weight"), norm);
        if source.has(&format!("{from}xlstm.slstm_cell._recurrent_kernel_")) {
            config.slstm_at.push(block);
            slstm_block(source, target, (&from, &to), &mut config);
        } else {
            mlstm_block(source, target, (&from, &to), &mut config);
        }
        config.blocks += 1;
    }
    let blocks = config.blocks;
    source.expect(blocks > 0, || "there is no `blocks.0.xlstm_norm.weight`: no block at all".to_owned());
    config
}

fn embedding(source: &mut Source<'_>, target: &mut Target, names: &TorchNames, config: &mut XlstmConfig) {
    let width = config.width;
    let (weight, bias) = match &names.embedding {
        Some(name) => (
            source.get_absolute(&format!("{name}.weight"), 2).map(|weight| weight.transposed()),
            source.get_absolute(&format!("{name}.bias"), 1),
        ),
        None => {
            let identity = (0..width * width).map(|at| f32::from(u8::from(at / width == at % width)));
            (
                Some(Values { shape: vec![width, width], data: identity.collect() }),
                Some(Values { shape: vec![width], data: vec![0.0; width] }),
            )
        }
    };
    config.inputs = weight.as_ref().map_or(1, |weight| weight.shape[0]);
    target.put("embedding.weight".to_owned(), weight);
    target.put("embedding.bias".to_owned(), bias);
}

fn mlstm_block(
    source: &mut Source<'_>,
    target: &mut Target,
    (from, to): (&str, &str),
    config: &mut XlstmConfig,
) {
    let up = source.get(&format!("{from}xlstm.proj_up.weight"), 2).map(|weight| weight.transposed());
    let down = source.get(&format!("{from}xlstm.proj_down.weight"), 2).map(|weight| weight.transposed());
    let inner = down.as_ref().map_or(1, |down| down.shape[0]);
    target.put(format!("{to}up.weight"), up);
    target.put(format!("{to}down.weight"), down);
    let convolution = source.get(&format!("{from}xlstm.conv1d.conv.weight"), 3);
    let taps = convolution.as_ref().map_or(1, |weight| weight.shape[2]);
    let convolution = convolution.map(|weight| {
        let shape = [weight.shape[0] * weight.shape[1], taps];
        weight.reshaped(&shape)
    });
    target.put(format!("{to}layer.convolution_weight"), convolution);
    let bias = source.get(&format!("{from}xlstm.conv1d.conv.bias"), 1);
    target.put(format!("{to}layer.convolution_bias"), bias);
    let mut side = 1;
    for (theirs, ours) in [("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value")] {
        let weight = source.get(&format!("{from}xlstm.{theirs}.weight"), 3);
        side = weight.as_ref().map_or(side, |weight| weight.shape[1]);
        target.put(format!("{to}layer.{ours}"), weight);
    }
    for (theirs, ours) in [("igate", "input_gate"), ("fgate", "forget_gate")] {
        let weight = source.get(&format!("{from}xlstm.mlstm_cell.{theirs}.weight"), 2);
        config.heads = weight.as_ref().map_or(config.heads, |weight| weight.shape[0]);
        target.put(format!("{to}layer.{ours}"), weight);
        let bias = source.get(&format!("{from}xlstm.mlstm_cell.{theirs}.bias"), 1);
        target.put(format!("{to}layer.{ours}_bias"), bias);
    }
    let norm = source.get(&format!("{from}xlstm.mlstm_cell.outnorm.weight"), 1);
    target.put(format!("{to}layer.norm"), norm);
    let skip = source.get(&format!("{from}xlstm.learnable_skip"), 1);
    target.put(format!("{to}layer.skip"), skip);
    config.mlstm = MlstmConfig {
        projection_factor: inner as f64 / config.width as f64,
        round_to: 1,
        convolution: taps,
        projection_block: side,
        ..MlstmConfig::default()
    };
}

fn slstm_block(
    source: &mut Source<'_>,
    target: &mut Target,
    (from, to): (&str, &str),
    config: &mut XlstmConfig,
) {
    let mut taps = 0;
    if source.has(&format!("{from}xlstm.conv1d.conv.weight")) {
        let weight = source.get(&format!("{from}xlstm.conv1d.conv.weight"), 3);
        taps = weight.as_ref().map_or(1, |weight| weight.shape[2]);
        let weight = weight.map(|weight| {
            let shape = [weight.shape[0] * weight.shape[1], taps];
            weight.reshaped(&shape)
        });
        target.put(format!("{to}layer.convolution_weight"), weight);
        let bias = source.get(&format!("{from}xlstm.conv1d.conv.bias"), 1);
        target.put(format!("{to}layer.convolution_bias"), bias);
    }
    // The slots i, f, z, o are fed by the attributes named fgate, igate, zgate, ogate.
    let mut gates = Values::default();
    for name in ["fgate", "igate", "zgate", "ogate"] {
        let Some(weight) = source.get(&format!("{from}xlstm.{name}.weight"), 3) else { continue };
        config.heads = weight.shape[0];
        let same = gates.shape.is_empty() || gates.shape[1..] == weight.shape[..];
        source.expect(same, || format!("`{from}xlstm.{name}.weight` is shaped unlike the other gates"));
        gates.shape = [&[GATES], weight.shape.as_slice()].concat();
        gates.data.extend(weight.data);
    }
    let complete = gates.data.len() == gates.shape.iter().product::<usize>();
    target.put(format!("{to}layer.gates"), (complete && !gates.shape.is_empty()).then_some(gates));
    let (heads, dim) = (config.heads, config.width / config.heads.max(1));
    let kernel = source.get(&format!("{from}xlstm.slstm_cell._recurrent_kernel_"), 3);
    target.put(
        format!("{to}layer.recurrent"),
        kernel.and_then(|kernel| recurrent(source, &kernel, heads, dim)),
    );
    let bias = source.get(&format!("{from}xlstm.slstm_cell._bias_"), 1);
    let bias = bias.filter(|bias| {
        let length = bias.data.len();
        source.expect(length == GATES * heads * dim, || {
            format!("`{from}xlstm.slstm_cell._bias_` has {length} values, expected {}", GATES * heads * dim)
        })
    });
    target.put(format!("{to}layer.bias"), bias.map(|bias| bias.reshaped(&[GATES, heads, dim])));
    let norm = source.get(&format!("{from}xlstm.group_norm.weight"), 1);
    target.put(format!("{to}layer.norm"), norm);
    let norm = source.get(&format!("{from}ffn_norm.weight"), 1);
    target.put(format!("{to}feed_forward.norm.weight"), norm);
    let up = source.get(&format!("{from}ffn.proj_up.weight"), 2).map(|weight| weight.transposed());
    let down = source.get(&format!("{from}ffn.proj_down.weight"), 2).map(|weight| weight.transposed());
    let inner = down.as_ref().map_or(1, |down| down.shape[0]);
    target.put(format!("{to}feed_forward.up.weight"), up);
    target.put(format!("{to}feed_forward.down.weight"), down);
    config.slstm = SlstmConfig {
        convolution: taps,
        feed_forward_factor: inner as f64 / config.width as f64,
        round_to: 1,
        ..SlstmConfig::default()
    };
}

/// `[NH, 4 D (out), D (in)]` to `[4, NH, D (out), D (in)]`.
fn recurrent(source: &mut Source<'_>, kernel: &Values, heads: usize, dim: usize) -> Option<Values> {
    let fits = kernel.shape == [heads, GATES * dim, dim];
    source.expect(fits, || {
        format!(
            "a `_recurrent_kernel_` has the shape {:?}, expected {:?}",
            kernel.shape,
            [heads, GATES * dim, dim]
        )
    });
    if !fits {
        return None;
    }
    let mut data = Vec::with_capacity(kernel.data.len());
    for gate in 0..GATES {
        for head in 0..heads {
            let start = (head * GATES + gate) * dim * dim;
            data.extend_from_slice(&kernel.data[start..start + dim * dim]);
        }
    }
    Some(Values { shape: vec![GATES, heads, dim, dim], data })
}
