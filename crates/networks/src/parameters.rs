//! All parameters of a module as one flat vector: in the order of the module, each row-major.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};

use crate::error::NetworkError;

/// All parameters.
///
/// # Errors
/// [`NetworkError::Data`] where one is not of f32.
pub fn parameters(module: &impl Module) -> Result<Vec<f32>, NetworkError> {
    let mut values = Values::default();
    module.visit(&mut values);
    values.finish("the parameters")
}

/// The gradients of all parameters, in the order of [`parameters`]; zeros for those that had no part in the loss.
///
/// # Errors
/// [`NetworkError::Data`] where one is not of f32.
pub fn parameter_gradients(module: &impl Module, gradients: &Gradients) -> Result<Vec<f32>, NetworkError> {
    let mut values = GradientValues { gradients, values: Values::default() };
    module.visit(&mut values);
    values.values.finish("the gradients")
}

/// The same module with other parameters.
///
/// # Errors
/// [`NetworkError::Data`] where there are more or fewer than its own.
pub fn with_parameters<M: Module>(module: M, parameters: &[f32]) -> Result<M, NetworkError> {
    let mut source = Source { rest: parameters, missing: 0 };
    let module = module.map(&mut source);
    if source.missing > 0 || !source.rest.is_empty() {
        return Err(NetworkError::data(
            "the parameters to load",
            format!(
                "they are {}, which is {} too few and {} too many for the network; they belong to another configuration",
                parameters.len(),
                source.missing,
                source.rest.len()
            ),
        ));
    }
    Ok(module)
}

/// The values of a tensor of f32, row-major.
///
/// # Errors
/// [`NetworkError::Data`] for a tensor of another type.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, NetworkError> {
    tensor.into_data().try_into_vec().map_err(|error| {
        NetworkError::data("the outputs of the network", format!("they are not of f32: {error:?}"))
    })
}

#[derive(Default)]
struct Values {
    values: Vec<f32>,
    failed: bool,
}

impl Values {
    fn push<const D: usize>(&mut self, tensor: Tensor<D>) {
        match tensor.into_data().try_into_vec::<f32>() {
            Ok(values) => self.values.extend(values),
            Err(_) => self.failed = true,
        }
    }

    fn finish(self, what: &str) -> Result<Vec<f32>, NetworkError> {
        if self.failed {
            return Err(NetworkError::data(what, "they are not of f32, the only type that is trained in"));
        }
        Ok(self.values)
    }
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.push(param.val().detach());
    }
}

struct GradientValues<'a> {
    gradients: &'a Gradients,
    values: Values,
}

impl ModuleVisitor for GradientValues<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        match value.grad(self.gradients) {
            Some(gradient) => self.values.push(gradient),
            None => self
                .values
                .values
                .resize(self.values.values.len() + value.dims().iter().product::<usize>(), 0.0),
        }
    }
}

struct Source<'a> {
    rest: &'a [f32],
    missing: usize,
}

impl ModuleMapper for Source<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, _) = param.consume();
        let shape = tensor.dims();
        let count = shape.iter().product::<usize>();
        if self.rest.len() < count {
            self.missing += count - self.rest.len();
            self.rest = &[];
            return Param::initialized(id, tensor);
        }
        let (own, rest) = self.rest.split_at(count);
        self.rest = rest;
        let active = tensor.is_require_grad();
        let value = Tensor::from_data(TensorData::new(own.to_vec(), shape), &tensor.device());
        Param::initialized(id, value.set_require_grad(active))
    }
}
