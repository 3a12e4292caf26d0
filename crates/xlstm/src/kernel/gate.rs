//! What a forget gate's pre-activation means, in both cells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the forget gate's pre-activation f becomes the factor that the memory keeps per step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForgetGate {
    /// sigmoid(f): never more than 1.
    #[default]
    Sigmoid,
    /// exp(f): f is the logarithm of the factor, and the stabiliser takes care of factors beyond 1.
    Exponential,
}
