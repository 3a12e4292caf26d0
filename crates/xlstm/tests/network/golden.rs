//! Whole blocks and a whole stack of the public reference, brought in through the converter: values and gradients.

use crate::cases::{Golden, KERNELS, devices, error, fixtures, to_vec};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Gradients, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::path::Path;
use xlstm::weights::NumberType;
use xlstm::weights::torch::{TorchNames, convert};
use xlstm::{Kernel, Xlstm, XlstmConfig};

/// f64: rounding only. f32: the bound of the issue. Some functions of `burn-ndarray` are coarser than f32 even in
/// f64, which the plain reference shows on that backend; the fused kernels do not use them.
fn tolerance(number_type: DType, backend: &str, kernel: Kernel) -> f64 {
    match (number_type, backend, kernel) {
        (_, "ndarray", Kernel::Reference) => 1e-3,
        (DType::F64, ..) => 1e-9,
        _ => 1e-4,
    }
}

/// Gradients by the parameter's name.
struct Collected<'a> {
    gradients: &'a Gradients,
    path: Vec<(String, bool)>,
    found: BTreeMap<String, Vec<f64>>,
}

impl ModuleVisitor for Collected<'_> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push((name.to_owned(), container_type.starts_with("Enum:")));
    }
    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let names: Vec<&str> = self.path.iter().filter(|p| !p.1).map(|p| p.0.as_str()).collect();
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(names.join("."), to_vec(&gradient));
        }
    }
}

fn gradients_of<M: Module>(module: &M, gradients: &Gradients) -> BTreeMap<String, Vec<f64>> {
    let mut collected = Collected { gradients, path: Vec::new(), found: BTreeMap::new() };
    module.visit(&mut collected);
    collected.found
}

/// The converted network with another kernel: made anew, loaded through a file of our own.
fn with_kernel(network: &Xlstm, kernel: Kernel, directory: &Path) -> XlstmConfig {
    let path = directory.join("converted.safetensors");
    network.save(&path, true).unwrap();
    XlstmConfig { kernel, ..network.config().clone() }
}

fn transposed(values: &(Vec<usize>, Vec<f64>)) -> Vec<f64> {
    let (rows, columns) = (values.0[0], values.0[1]);
    (0..rows * columns).map(|at| values.1[at % rows * columns + at / rows]).collect()
}

#[test]
fn a_stack_of_the_reference_gives_the_same_values_and_gradients() {
    let path = fixtures().join("stack_msm_e16h2b2t12.safetensors");
    let golden = Golden::open(&path);
    let names = TorchNames { stack: "model.".to_owned(), embedding: None };
    let directory = tempfile::tempdir().unwrap();
    for (backend, device) in devices() {
        let converted = convert(&path, &names, &device).unwrap();
        assert_eq!(converted.config().slstm_at, [1]);
        assert_eq!((converted.config().blocks, converted.config().heads), (3, 2));
        for kernel in KERNELS {
            let config = with_kernel(&converted, kernel, directory.path());
            for number_type in [DType::F64, DType::F32] {
                let file = directory.path().join("converted.safetensors");
                let device = device.clone().autodiff();
                let network = xlstm::weights::load(config.init(&device).unwrap(), &file).unwrap();
                let network = network.map(&mut NumberType(number_type));
                let x = golden.tensor::<3>("golden.x", number_type, &device).require_grad();
                let y = network.forward(x.clone()).unwrap();
                let at = format!("{backend} {kernel:?} {number_type:?}");
                let bound = tolerance(number_type, backend, kernel);
                let found = error(&to_vec(&y), &golden.values("golden.y").1);
                assert!(found <= bound, "{at} y: {found:e}");
                let dy = golden.tensor::<3>("golden.dy", number_type, &device);
                let gradients = (y * dy).sum().backward();
                let dx = to_vec(&x.grad(&gradients).unwrap());
                let found = error(&dx, &golden.values("golden.dx").1);
                assert!(found <= bound, "{at} dx: {found:e}");
                let ours = gradients_of(&network, &gradients);
                for (name, theirs) in [
                    ("layers.0.layer.query", "blocks.0.xlstm.q_proj.weight"),
                    ("layers.0.layer.skip", "blocks.0.xlstm.learnable_skip"),
                    ("layers.0.layer.convolution_weight", "blocks.0.xlstm.conv1d.conv.weight"),
                    ("layers.0.layer.input_gate", "blocks.0.xlstm.mlstm_cell.igate.weight"),
                    ("layers.0.layer.forget_gate_bias", "blocks.0.xlstm.mlstm_cell.fgate.bias"),
                    ("layers.0.norm.weight", "blocks.0.xlstm_norm.weight"),
                    ("layers.1.layer.bias", "blocks.1.xlstm.slstm_cell._bias_"),
                    ("layers.1.layer.norm", "blocks.1.xlstm.group_norm.weight"),
                    ("layers.1.layer.convolution_bias", "blocks.1.xlstm.conv1d.conv.bias"),
                    ("layers.2.layer.value", "blocks.2.xlstm.v_proj.weight"),
                    ("norm.weight", "post_blocks_norm.weight"),
                ] {
                    let exact = golden.values(&format!("golden.grad.{theirs}")).1;
                    let found = error(&ours[name], &exact);
                    // The gates' gradients are small differences of large ones.
                    assert!(found <= bound * 5.0, "{at} {name}: {found:e}");
                }
                let exact = transposed(&golden.values("golden.grad.blocks.0.xlstm.proj_up.weight"));
                let found = error(&ours["layers.0.up.weight"], &exact);
                assert!(found <= bound, "{at} up: {found:e}");
            }
        }
    }
}

/// Names of a `block_*` file's parameters in the reference and here.
fn block_names(kind: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    if kind == "mlstm" {
        vec![
            ("norm_g", "xlstm_norm.weight", "norm.weight"),
            ("w_up", "xlstm.proj_up.weight", "up.weight"),
            ("w_down", "xlstm.proj_down.weight", "down.weight"),
            ("conv_w", "xlstm.conv1d.conv.weight", "layer.convolution_weight"),
            ("conv_b", "xlstm.conv1d.conv.bias", "layer.convolution_bias"),
            ("w_q", "xlstm.q_proj.weight", "layer.query"),
            ("w_k", "xlstm.k_proj.weight", "layer.key"),
            ("w_v", "xlstm.v_proj.weight", "layer.value"),
            ("w_i", "xlstm.mlstm_cell.igate.weight", "layer.input_gate"),
            ("b_i", "xlstm.mlstm_cell.igate.bias", "layer.input_gate_bias"),
            ("w_f", "xlstm.mlstm_cell.fgate.weight", "layer.forget_gate"),
            ("b_f", "xlstm.mlstm_cell.fgate.bias", "layer.forget_gate_bias"),
            ("outnorm_g", "xlstm.mlstm_cell.outnorm.weight", "layer.norm"),
            ("skip", "xlstm.learnable_skip", "layer.skip"),
        ]
    } else {
        vec![
            ("norm_g", "xlstm_norm.weight", "norm.weight"),
            ("conv_w", "xlstm.conv1d.conv.weight", "layer.convolution_weight"),
            ("conv_b", "xlstm.conv1d.conv.bias", "layer.convolution_bias"),
            // The reference's attribute fgate feeds the input gate.
            ("w_i", "xlstm.fgate.weight", "gate 0"),
            ("w_f", "xlstm.igate.weight", "gate 1"),
            ("w_z", "xlstm.zgate.weight", "gate 2"),
            ("w_o", "xlstm.ogate.weight", "gate 3"),
            ("R", "xlstm.slstm_cell._recurrent_kernel_", "layer.recurrent"),
            ("b", "xlstm.slstm_cell._bias_", "layer.bias"),
            ("outnorm_g", "xlstm.group_norm.weight", "layer.norm"),
            ("ffn_norm_g", "ffn_norm.weight", "feed_forward.norm.weight"),
            ("ffn_up", "ffn.proj_up.weight", "feed_forward.up.weight"),
            ("ffn_down", "ffn.proj_down.weight", "feed_forward.down.weight"),
        ]
    }
}

/// A `state_dict` of the reference with this one block.
fn write_state_dict(golden: &Golden, kind: &str, path: &Path) {
    let mut tensors: Vec<(String, Vec<usize>, Vec<f64>)> = Vec::new();
    for (short, theirs, _) in block_names(kind) {
        let (mut shape, mut values) = golden.values(&format!("p_{short}"));
        match short {
            "conv_w" => shape.insert(1, 1),
            "b" => shape = vec![values.len()],
            "R" => {
                // [4, NH, D, D] to the reference's [NH, 4 D, D].
                let (heads, size) = (shape[1], shape[2] * shape[3]);
                let block = |index: usize| {
                    let (head, gate) = (index / 4, index % 4);
                    let start = (gate * heads + head) * size;
                    values[start..start + size].to_vec()
                };
                values = (0..heads * 4).flat_map(block).collect();
                shape = vec![heads, 4 * shape[2], shape[3]];
            }
            _ => {}
        }
        tensors.push((format!("blocks.0.{theirs}"), shape, values));
    }
    let width = golden.values("x").0[2];
    tensors.push(("post_blocks_norm.weight".to_owned(), vec![width], vec![0.0; width]));
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.clone(), TensorView::new(Dtype::F64, shape.clone(), bytes).unwrap())
    });
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    assert!(SafeTensors::deserialize(&std::fs::read(path).unwrap()).is_ok());
}

fn block_file(path: &Path, kind: &str) {
    let golden = Golden::open(path);
    let directory = tempfile::tempdir().unwrap();
    let state_dict = directory.path().join("state_dict.safetensors");
    write_state_dict(&golden, kind, &state_dict);
    for (backend, device) in devices() {
        let converted = convert(&state_dict, &TorchNames::default(), &device).unwrap();
        for kernel in KERNELS {
            let config = with_kernel(&converted, kernel, directory.path());
            for number_type in [DType::F64, DType::F32] {
                let file = directory.path().join("converted.safetensors");
                let device = device.clone().autodiff();
                let network = xlstm::weights::load(config.init(&device).unwrap(), &file).unwrap();
                let network = network.map(&mut NumberType(number_type));
                let at = format!("{} {backend} {kernel:?} {number_type:?}", path.display());
                let bound = tolerance(number_type, backend, kernel);
                let x = golden.tensor::<3>("x", number_type, &device).require_grad();
                let y = network.layers[0].forward(x.clone());
                let found = error(&to_vec(&y), &golden.values("y").1);
                assert!(found <= bound, "{at} y: {found:e}");
                let dy = golden.tensor::<3>("dy", number_type, &device);
                let gradients = (y * dy).sum().backward();
                let found = error(&to_vec(&x.grad(&gradients).unwrap()), &golden.values("dx").1);
                assert!(found <= bound, "{at} dx: {found:e}");
                let ours = gradients_of(&network.layers[0], &gradients);
                for (short, _, name) in block_names(kind) {
                    let exact = golden.values(&format!("dp_{short}"));
                    let linear = name.ends_with("up.weight") || name.ends_with("down.weight");
                    let exact = if linear { transposed(&exact) } else { exact.1 };
                    let found = match name.strip_prefix("gate ") {
                        Some(gate) => {
                            let gates = &ours["layer.gates"];
                            let (gate, size): (usize, usize) = (gate.parse().unwrap(), gates.len() / 4);
                            error(&gates[gate * size..(gate + 1) * size], &exact)
                        }
                        None => error(&ours[name], &exact),
                    };
                    assert!(found <= bound, "{at} {name}: {found:e}");
                }
            }
        }
    }
}

#[test]
fn blocks_of_the_reference_give_the_same_values_and_gradients() {
    let mut files = 0;
    for entry in std::fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        for kind in ["mlstm", "slstm"] {
            if name.starts_with(&format!("block_{kind}")) {
                block_file(&path, kind);
                files += 1;
            }
        }
    }
    assert!(files >= 2, "found {files} block files in {}", fixtures().display());
}
