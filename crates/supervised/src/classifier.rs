//! The network with its head, and its parameters as one flat vector.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use networks::{Architecture, Network};
use serde::{Deserialize, Serialize};
use xlstm::{Head, HeadConfig};

use crate::error::SupervisedError;
use crate::optimiser::{ParameterInfo, ParameterLayout, decays, unit_order};
use crate::random::generator;

/// What a classifier consists of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Columns of an input row.
    pub inputs: usize,
    /// The network.
    pub network: Architecture,
    /// The linear layer on it.
    pub head: HeadConfig,
}

impl ClassifierConfig {
    /// Makes a classifier with initial weights from the seeds of the configuration.
    ///
    /// # Errors
    /// Those of [`Architecture::init`] and [`HeadConfig::init`].
    pub fn init(&self, device: &Device) -> Result<Classifier, SupervisedError> {
        let mut random = generator(self.head.seed, "supervised/baseline-network", 0);
        let network = self.network.init(self.inputs, &mut random, device)?;
        let head = self.head.init(self.network.width(), device)?;
        Ok(Classifier { network, head, inputs: self.inputs })
    }
}

/// A network and a head on it.
#[derive(Module, Debug)]
pub struct Classifier {
    /// From windows `[batch, time, inputs]` to `[batch, time, width]`.
    pub network: Network,
    /// From there to the logits of SELL, HOLD, BUY.
    pub head: Head,
    #[module(skip)]
    inputs: usize,
}

impl Classifier {
    /// What it was made from.
    #[must_use]
    pub fn config(&self) -> ClassifierConfig {
        ClassifierConfig {
            inputs: self.inputs,
            network: self.network.architecture(),
            head: self.head.config().clone(),
        }
    }

    /// Names, shapes and places of its parameters in a flat vector: in the order of the module, each row-major.
    ///
    /// # Errors
    /// None for a classifier that [`ClassifierConfig::init`] made.
    pub fn layout(&self) -> Result<ParameterLayout, SupervisedError> {
        let mut layout = Layout::default();
        self.visit(&mut layout);
        ParameterLayout::new(layout.parts)
    }

    /// All parameters as one vector, in the order of [`Self::layout`].
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where a parameter is not of f32.
    pub fn parameters(&self) -> Result<Vec<f32>, SupervisedError> {
        Ok(networks::parameters(self)?)
    }

    /// The gradients of all parameters, in the order of [`Self::layout`]; zeros for those that had no part in the loss.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where a gradient is not of f32.
    pub fn gradients(&self, gradients: &Gradients) -> Result<Vec<f32>, SupervisedError> {
        Ok(networks::parameter_gradients(self, gradients)?)
    }

    /// The same architecture with other parameters.
    ///
    /// # Errors
    /// [`SupervisedError::Data`] where there are more or fewer than its own.
    pub fn with_parameters(self, parameters: &[f32]) -> Result<Self, SupervisedError> {
        Ok(networks::with_parameters(self, parameters)?)
    }
}

#[derive(Default)]
struct Layout {
    path: Vec<(String, bool)>,
    parts: Vec<ParameterInfo>,
    next: usize,
}

impl ModuleVisitor for Layout {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        // Burn enters the variant of an enum as a module of its own; files do not name it.
        self.path.push((name.to_owned(), container_type.starts_with("Enum:")));
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let names: Vec<&str> =
            self.path.iter().filter(|(_, variant)| !variant).map(|(name, _)| name.as_str()).collect();
        let name = names.join(".");
        let shape = param.val().dims().to_vec();
        let end = self.next + shape.iter().product::<usize>();
        let (decay, order) = (decays(&name, &shape), unit_order(&name, &shape));
        self.parts.push(ParameterInfo { name, shape, range: self.next..end, decay, order });
        self.next = end;
    }
}

#[cfg(test)]
mod tests {
    use xlstm::XlstmConfig;

    use super::*;

    fn small() -> ClassifierConfig {
        let network = XlstmConfig { inputs: 3, width: 16, heads: 2, ..XlstmConfig::default() };
        let network = Architecture::Xlstm(Box::new(network));
        ClassifierConfig { inputs: 3, network, head: HeadConfig::default() }
    }

    #[test]
    fn parameters_go_out_and_in() {
        let device = Device::flex().autodiff();
        let classifier = small().init(&device).unwrap();
        let layout = classifier.layout().unwrap();
        let values = classifier.parameters().unwrap();
        assert_eq!(values.len(), layout.total());
        assert_eq!(values.len(), classifier.num_params());
        let changed: Vec<f32> = (0..values.len()).map(|index| index as f32 * 1e-3).collect();
        let classifier = classifier.with_parameters(&changed).unwrap();
        assert_eq!(classifier.parameters().unwrap(), changed);
        let part = layout.parts().iter().find(|part| part.name == "head.linear.weight").unwrap();
        let weight: Vec<f32> = classifier.head.linear.weight.val().into_data().try_into_vec().unwrap();
        assert_eq!(weight, changed[part.range.clone()]);
        assert!(part.decay && part.shape == [16, 3]);
        for wrong in [values.len() - 1, values.len() + 1] {
            assert!(classifier.clone().with_parameters(&vec![0.0; wrong]).is_err());
        }
    }

    #[test]
    fn norms_and_biases_do_not_decay() {
        let layout = small().init(&Device::flex()).unwrap().layout().unwrap();
        for part in layout.parts() {
            let word = part.name.rsplit('.').next().unwrap();
            let exempt = part.shape.len() < 2 || word.contains("bias") || word.contains("norm");
            assert_eq!(part.decay, !exempt, "{}", part.name);
        }
        assert!(layout.parts().iter().any(|part| !part.decay));
    }

    #[test]
    fn gradients_are_those_of_the_loss() {
        let device = Device::flex().autodiff();
        let classifier = small().init(&device).unwrap();
        let layout = classifier.layout().unwrap();
        let hidden = classifier.network.forward(Tensor::ones([2, 4, 3], &device)).unwrap();
        let logits = classifier.head.forward(hidden, None, None).unwrap();
        let gradients = classifier.gradients(&logits.sum().backward()).unwrap();
        assert_eq!(gradients.len(), layout.total());
        // The bias of each class is added to the logit of two windows.
        let bias = layout.parts().iter().find(|part| part.name == "head.linear.bias").unwrap();
        assert_eq!(gradients[bias.range.clone()], [2.0, 2.0, 2.0]);
    }
}
