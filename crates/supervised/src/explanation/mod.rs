//! Which inputs a prediction came from, and how sure one can be that nothing was left out.
//!
//! [`expected_gradients`] attributes the outputs of any [`DifferentiableModel`] to every feature at every step of a window,
//! against a background of training windows ([`draw_background`]). [`Attributions`] are grouped by feature, step and group of
//! features, and [`ExplanationReport`] is what plots are drawn from.
//!
//! - **Nothing is rescaled.** Attributions of a window should add up to its output minus the expectation; what they miss
//!   stands in [`Attributions::residual`], computed from the very values handed out.
//! - **Logits are explained, not probabilities**: logits add up contributions without bound, while a softmax that is
//!   nearly certain has no gradient left and hides what made it so. Only differences of logits matter to a softmax, and
//!   training leaves what all logits share as the initial weights had it: [`CentredOutputs`] takes that noise out, and is
//!   what should be explained by default.
//! - A feature without influence gets exactly 0, a window that equals the background as well.

mod attributions;
mod background;
mod differentiable_model;
mod expected_gradients;
mod gauss_legendre;
mod grouping;
mod network;
mod path;
mod permutation_importance;
mod quadrature;
mod ranking;
mod report;
#[cfg(test)]
mod test_networks;
mod tree_attributions;
mod tree_shap;
mod windows;

pub use attributions::{Attributions, Completeness};
pub use background::{BackgroundConfig, BackgroundSampling, draw_background};
pub use differentiable_model::{CentredOutputs, DifferentiableModel};
pub use expected_gradients::{ExpectedGradients, PathConfig, PathCost, expected_gradients};
pub use grouping::{FeatureGroups, Grouped};
pub use network::ExplainedNetwork;
pub use permutation_importance::{
    ColumnGroup, ImportanceSummary, PermutationConfig, PermutationImportance, permutation_importance,
};
pub use ranking::{Importance, Ranking};
pub use report::{
    Beeswarm, BeeswarmFeature, ExplanationReport, HeatMap, ReportConfig, ReportNames, TimeProfile,
};
pub use tree_attributions::tree_attributions;
pub use tree_shap::{TreeShapValues, tree_shap};
pub use windows::Windows;
