//! A trained network as something that can be explained.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use networks::NetworkRun;
use networks::values;

use super::{DifferentiableModel, Windows};
use crate::classifier::Classifier;
use crate::dataset::CLASSES;
use crate::error::SupervisedError;

/// The logits of the last step of windows, as a function of all their rows: each window begins with an empty state, so what
/// lies before it counts nothing. For a network that was trained on every step, take windows that are long beside its memory.
#[derive(Debug)]
pub struct ExplainedNetwork {
    classifier: Classifier,
    /// With gradients, though not of the parameters.
    differentiable: Classifier,
    device: Device,
}

impl ExplainedNetwork {
    /// Explains `classifier`, which lies on a device without gradients.
    ///
    /// # Errors
    /// None for a classifier that [`crate::ClassifierConfig::init`] made.
    pub fn new(classifier: &Classifier) -> Result<Self, SupervisedError> {
        let device = classifier.head.linear.weight.val().device();
        let tracked = classifier.config().init(&device.clone().autodiff())?;
        let differentiable = tracked.with_parameters(&classifier.parameters()?)?.no_grad();
        Ok(Self { classifier: classifier.clone(), differentiable, device })
    }
}

fn tensor(windows: Windows<'_>, device: &Device) -> Tensor<3> {
    let shape = [windows.count(), windows.time(), windows.features()];
    Tensor::from_data(TensorData::new(windows.values().to_vec(), shape), device)
}

fn logits(classifier: &Classifier, input: Tensor<3>) -> Result<Tensor<2>, SupervisedError> {
    let last_only = classifier.head.config().pooling == xlstm::Pooling::Last;
    let run = NetworkRun { last_only, ..NetworkRun::default() };
    let (hidden, _) = classifier.network.run(input, run)?;
    Ok(classifier.head.forward(hidden, None, None)?)
}

impl DifferentiableModel for ExplainedNetwork {
    fn outputs(&self) -> usize {
        CLASSES
    }

    fn evaluate(&self, windows: Windows<'_>) -> Result<Vec<f32>, SupervisedError> {
        Ok(values(logits(&self.classifier, tensor(windows, &self.device))?)?)
    }

    fn input_gradients(&self, windows: Windows<'_>, upstream: &[f32]) -> Result<Vec<f32>, SupervisedError> {
        let device = self.device.clone().autodiff();
        let input = tensor(windows, &device).require_grad();
        let logits = logits(&self.differentiable, input.clone())?;
        let upstream = Tensor::<2>::from_data(TensorData::new(upstream.to_vec(), [1, CLASSES]), &device);
        let gradients = (logits * upstream).sum().backward();
        let gradient = input.grad(&gradients).ok_or_else(|| {
            SupervisedError::data("the gradient of the inputs", "the network does not depend on them")
        })?;
        Ok(values(gradient)?)
    }
}

#[cfg(test)]
mod tests {
    use xlstm::{HeadConfig, Pooling, XlstmConfig};

    use super::*;
    use crate::classifier::ClassifierConfig;
    use crate::explanation::test_networks::inputs;
    use networks::{Architecture, ConvolutionalConfig, LstmConfig, PerceptronConfig, TransformerConfig};

    const TIME: usize = 7;
    const FEATURES: usize = 5;

    fn networks() -> Vec<(Architecture, Pooling)> {
        let xlstm = XlstmConfig { inputs: FEATURES, width: 16, heads: 2, ..XlstmConfig::default() };
        let xlstm = Architecture::Xlstm(Box::new(xlstm));
        vec![
            (xlstm.clone(), Pooling::Last),
            (xlstm, Pooling::Attention),
            (Architecture::Lstm(LstmConfig { width: 6, ..LstmConfig::default() }), Pooling::Last),
            (
                Architecture::Convolutional(ConvolutionalConfig { width: 6, ..Default::default() }),
                Pooling::Last,
            ),
            (Architecture::Transformer(TransformerConfig { width: 8, ..Default::default() }), Pooling::Last),
            (Architecture::Perceptron(PerceptronConfig { width: 8, ..Default::default() }), Pooling::Last),
        ]
    }

    fn explained(network: Architecture, pooling: Pooling) -> ExplainedNetwork {
        let head = HeadConfig { outputs: CLASSES, pooling, ..HeadConfig::default() };
        let config = ClassifierConfig { inputs: FEATURES, network, head };
        let classifier = config.init(&Device::flex()).unwrap();
        // Larger weights than the initial ones, so that every path shows.
        let parameters: Vec<f32> =
            classifier.parameters().unwrap().iter().map(|value| value * 1.5 + 0.01).collect();
        ExplainedNetwork::new(&classifier.with_parameters(&parameters).unwrap()).unwrap()
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for (number, (architecture, pooling)) in networks().into_iter().enumerate() {
            let network = explained(architecture.clone(), pooling);
            let values = inputs(2 * TIME * FEATURES, 40 + number as u64);
            let windows = Windows::new(&values, TIME, FEATURES).unwrap();
            let upstream = [0.7, -1.3, 0.4];
            let seen = network.input_gradients(windows, &upstream).unwrap();
            let output = |values: &[f32], window: usize| -> f64 {
                let logits = network.evaluate(Windows::new(values, TIME, FEATURES).unwrap()).unwrap();
                let of_window = &logits[window * CLASSES..(window + 1) * CLASSES];
                of_window
                    .iter()
                    .zip(upstream)
                    .map(|(logit, share)| f64::from(*logit) * f64::from(share))
                    .sum()
            };
            let largest = seen.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
            let step = 1.0 / 128.0;
            let mut kinks = 0;
            for (place, seen) in seen.iter().enumerate() {
                let at = |shift: f32| {
                    let mut moved = values.clone();
                    moved[place] += shift;
                    output(&moved, place / (TIME * FEATURES))
                };
                let wanted = (at(step) - at(-step)) / (2.0 * f64::from(step));
                if (f64::from(*seen) - wanted).abs() > 2e-3 * f64::from(largest) {
                    kinks += 1;
                }
            }
            assert!(largest > 1e-3, "{architecture:?}: {largest}");
            // A difference may lie across the kink of an activation; a gradient does not.
            let allowed =
                if matches!(architecture, Architecture::Xlstm(_) | Architecture::Lstm(_)) { 0 } else { 2 };
            assert!(kinks <= allowed, "{architecture:?}, {pooling:?}: {kinks} of {}", seen.len());
        }
    }

    #[test]
    fn windows_of_a_batch_are_each_by_themselves() {
        for (architecture, pooling) in networks() {
            let network = explained(architecture, pooling);
            let values = inputs(3 * TIME * FEATURES, 60);
            let windows = Windows::new(&values, TIME, FEATURES).unwrap();
            let all = network.evaluate(windows).unwrap();
            let gradients = network.input_gradients(windows, &[1.0, 0.0, -1.0]).unwrap();
            let last = Windows::new(windows.window(2), TIME, FEATURES).unwrap();
            let close = |left: &[f32], right: &[f32]| {
                left.iter().zip(right).all(|(left, right)| (left - right).abs() < 2e-5)
            };
            assert!(close(&all[2 * CLASSES..], &network.evaluate(last).unwrap()));
            let own = network.input_gradients(last, &[1.0, 0.0, -1.0]).unwrap();
            assert!(close(&gradients[2 * TIME * FEATURES..], &own));
        }
    }
}
