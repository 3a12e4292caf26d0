//! Networks of many shapes, and one pass through one of them.

use crate::cases::{assert_close, generator, random, to_vec};
use burn::module::Module;
use burn::tensor::{DType, Device, Tensor};
use xlstm::kernel::ForgetGate;
use xlstm::weights::NumberType;
use xlstm::{
    AttentionConfig, DropoutConfig, FeatureGroupsConfig, Kernel, MlstmConfig, ResetMask, Run, SlstmConfig,
    Xlstm, XlstmConfig,
};

/// Networks of many shapes and options.
pub(crate) fn configurations() -> Vec<XlstmConfig> {
    let base = XlstmConfig { inputs: 5, width: 16, heads: 2, ..XlstmConfig::default() };
    let attention = Some(AttentionConfig { after: vec![0], heads: 4, window: 4 });
    vec![
        base.clone(),
        XlstmConfig { width: 12, heads: 1, blocks: 1, slstm_at: vec![], ..base.clone() },
        XlstmConfig {
            width: 12,
            heads: 4,
            blocks: 3,
            slstm_at: vec![0, 2],
            slstm: SlstmConfig {
                convolution: 0,
                forget_gate: ForgetGate::Exponential,
                ..SlstmConfig::default()
            },
            mlstm: MlstmConfig {
                projection_factor: 1.0,
                round_to: 4,
                convolution: 1,
                projection_block: 2,
                forget_gate: ForgetGate::Exponential,
                forget_bias: [-1.0, -0.1],
                soft_cap: Some(5.0),
                ..MlstmConfig::default()
            },
            ..base.clone()
        },
        XlstmConfig { attention: attention.clone(), ..base.clone() },
        XlstmConfig {
            attention,
            feature_groups: Some(FeatureGroupsConfig { sizes: vec![2, 3], heads: 2 }),
            heads: 1,
            width: 4,
            mlstm: MlstmConfig { round_to: 4, projection_factor: 2.0, ..MlstmConfig::default() },
            ..base
        },
    ]
}

/// The network with weights that are not at their starting values: zeros hide mistakes.
pub(crate) fn network(config: &XlstmConfig, kernel: Kernel, number_type: DType, device: &Device) -> Xlstm {
    let network = XlstmConfig { kernel, ..config.clone() }.init(device).unwrap();
    network.map(&mut Shaken(generator(5))).map(&mut NumberType(number_type))
}

struct Shaken(rand::rngs::StdRng);

impl burn::module::ModuleMapper for Shaken {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        let (id, tensor, _) = param.consume();
        let active = tensor.is_require_grad();
        let device = tensor.device();
        let noise = random(&mut self.0, tensor.dims(), DType::F32, &device) * 0.3;
        let shaken = Tensor::from_data((tensor.detach() + noise).into_data(), &device);
        burn::module::Param::initialized(id, shaken.set_require_grad(active))
    }
}

/// Beginnings in three sequences of nine steps.
pub(crate) fn reset() -> ResetMask {
    let row = |at: &[usize]| (0..9).map(|step| at.contains(&step)).collect::<Vec<_>>();
    ResetMask::from_rows(&[row(&[]), row(&[0, 4]), row(&[1, 2, 8])]).unwrap()
}

/// Values and gradients of one pass.
pub(crate) struct Passed {
    output: Tensor<3>,
    input_gradient: Tensor<3>,
    parameter_gradients: Vec<Vec<f64>>,
}

/// One pass forward and backward on a device with automatic differentiation; `masked`: with resets and dropout.
pub(crate) fn pass(
    config: &XlstmConfig,
    kernel: Kernel,
    number_type: DType,
    device: &Device,
    masked: bool,
) -> Passed {
    let dropout = DropoutConfig { input: 0.2, recurrent: 0.3, output: 0.1 };
    let config = &XlstmConfig { dropout, ..config.clone() };
    let network = network(config, kernel, number_type, device);
    let mask = reset();
    let mut numbers = generator(17);
    let x = random(&mut numbers, [3, 9, 5], number_type, device).require_grad();
    let dy = random(&mut numbers, [3, 9, config.width], number_type, device);
    let mut drops = generator(3);
    let run = Run {
        reset: masked.then_some(&mask),
        dropout: masked.then_some(&mut drops as &mut dyn rand::Rng),
        keep_state: masked,
        ..Run::default()
    };
    let y = network.run(x.clone(), run).unwrap().0;
    let gradients = (y.clone() * dy).sum().backward();
    let mut all = Gathered { gradients: &gradients, found: Vec::new() };
    network.visit(&mut all);
    let parameter_gradients = all.found;
    Passed { output: y.detach(), input_gradient: x.grad(&gradients).unwrap(), parameter_gradients }
}

impl Passed {
    #[track_caller]
    pub(crate) fn assert_close(&self, at: &str, exact: &Self, bound: f64) {
        assert_close(&format!("{at} y"), &self.output, &exact.output, bound);
        assert_close(&format!("{at} dx"), &self.input_gradient, &exact.input_gradient, bound);
        assert_eq!(self.parameter_gradients.len(), exact.parameter_gradients.len());
        let largest = exact.parameter_gradients.iter().flatten().fold(0.0_f64, |m, v| v.abs().max(m));
        for (parameter, (found, exact)) in
            self.parameter_gradients.iter().zip(&exact.parameter_gradients).enumerate()
        {
            assert_eq!(found.len(), exact.len(), "{at} parameter {parameter}");
            let off = found.iter().zip(exact).fold(0.0_f64, |m, (a, b)| m.max((a - b).abs()));
            assert!(off <= bound * largest, "{at} parameter {parameter}: {off:e} of {largest:e}");
        }
    }
}

struct Gathered<'a> {
    gradients: &'a burn::tensor::Gradients,
    found: Vec<Vec<f64>>,
}

impl burn::module::ModuleVisitor for Gathered<'_> {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        self.found.push(param.val().grad(self.gradients).map(|g| to_vec(&g)).unwrap_or_default());
    }
}
