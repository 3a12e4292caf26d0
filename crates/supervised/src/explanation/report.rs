//! An explanation as one document: everything that its plots need.

use serde::{Deserialize, Serialize};

use super::attributions::{Attributions, Completeness};
use super::grouping::FeatureGroups;
use super::ranking::Ranking;
use super::windows::Windows;
use crate::error::SupervisedError;

/// How large a report may become.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// The most windows of the beeswarm, from 1; more are thinned out evenly. 500 fill a row of the plot.
    pub beeswarm_windows: usize,
    /// The most features of the beeswarm, from 1, the most important ones. 20 can be read on one page.
    pub beeswarm_features: usize,
    /// How far attributions may be from adding up, in units of the outputs.
    pub tolerance: f64,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { beeswarm_windows: 500, beeswarm_features: 20, tolerance: 1e-3 }
    }
}

impl ReportConfig {
    /// Refuses a beeswarm of nothing and a tolerance that is none.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let sizes =
            [("beeswarm_windows", self.beeswarm_windows), ("beeswarm_features", self.beeswarm_features)];
        for (name, size) in sizes {
            if size == 0 {
                return Err(SupervisedError::config(&format!("report.{name}"), size, "give at least 1"));
            }
        }
        if !(self.tolerance.is_finite() && self.tolerance > 0.0) {
            let remedy = "give a number above 0, in units of the outputs";
            return Err(SupervisedError::config("report.tolerance", self.tolerance, remedy));
        }
        Ok(())
    }
}

/// What is called what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportNames {
    /// How the values were found: `expected-gradients`, say.
    pub method: String,
    /// What is explained: `centred logits`, say.
    pub quantity: String,
    /// Names of the outputs.
    pub outputs: Vec<String>,
    /// Names of the columns.
    pub features: Vec<String>,
    /// Name of the group of each column.
    pub groups: Vec<String>,
}

/// Explanations of some windows, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplanationReport {
    /// How the values were found.
    pub method: String,
    /// What they are contributions to; their unit.
    pub quantity: String,
    /// Number of windows explained.
    pub windows: usize,
    /// Names of the outputs; all lists by output are in this order.
    pub outputs: Vec<String>,
    /// Mean outputs over the background: where contributions start from.
    pub expectation: Vec<f64>,
    /// Standard error of the expectation from a background of few windows, where known.
    pub expectation_error: Option<Vec<f64>>,
    /// Whether contributions add up to outputs minus expectation.
    pub completeness: Completeness,
    /// Features by importance (bar plot).
    pub features: Ranking,
    /// Groups of features by importance (bar plot).
    pub groups: Ranking,
    /// Importance of each step.
    pub time: TimeProfile,
    /// Importance of each feature at each step.
    pub heat_map: HeatMap,
    /// Values of single windows.
    pub beeswarm: Beeswarm,
}

/// Importance of steps: mean over windows of the absolute sum over the features of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeProfile {
    /// Steps before the last one of the window, from the first step on; ends with 0.
    pub steps_back: Vec<usize>,
    /// Mean over outputs.
    pub overall: Vec<f64>,
    /// `[outputs][steps]`
    pub by_output: Vec<Vec<f64>>,
}

/// Mean over windows of the absolute value of each input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeatMap {
    /// Names of the rows, in the order of the columns of the input.
    pub features: Vec<String>,
    /// Mean over outputs, `[features][steps]`.
    pub overall: Vec<Vec<f64>>,
    /// `[outputs][features][steps]`
    pub by_output: Vec<Vec<Vec<f64>>>,
}

/// Contributions of the most important features to single windows, with the inputs that colour them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Beeswarm {
    /// Positions of the windows shown among those explained.
    pub windows: Vec<usize>,
    /// By overall importance, the most important first.
    pub features: Vec<BeeswarmFeature>,
}

/// One feature of a beeswarm; lists of windows are in the order of [`Beeswarm::windows`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeeswarmFeature {
    /// Its name.
    pub name: String,
    /// Its input at the last step, as the model gets it.
    pub last_input: Vec<f32>,
    /// Mean of its inputs over the window.
    pub mean_input: Vec<f32>,
    /// Its contribution, summed over time, `[outputs][windows]`.
    pub values: Vec<Vec<f32>>,
}

impl ExplanationReport {
    /// Sums up the attributions of `windows`.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`ReportConfig::validate`]; [`SupervisedError::Data`] where names or
    /// windows do not fit the attributions.
    pub fn new(
        attributions: &Attributions,
        windows: Windows<'_>,
        names: &ReportNames,
        config: &ReportConfig,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        check_names(attributions, windows, names)?;
        let groups = FeatureGroups::new(&names.groups);
        let by_feature = attributions.by_feature();
        Ok(Self {
            method: names.method.clone(),
            quantity: names.quantity.clone(),
            windows: attributions.shape()[0],
            outputs: names.outputs.clone(),
            expectation: attributions.expectation().to_vec(),
            expectation_error: attributions.expectation_error().map(<[f64]>::to_vec),
            completeness: attributions.completeness(config.tolerance),
            features: Ranking::of(&by_feature, &names.features),
            groups: Ranking::of(&attributions.by_group(&groups)?, groups.names()),
            time: time_profile(attributions),
            heat_map: heat_map(attributions, &names.features),
            beeswarm: beeswarm(attributions, windows, &names.features, config),
        })
    }
}

fn check_names(
    attributions: &Attributions,
    windows: Windows<'_>,
    names: &ReportNames,
) -> Result<(), SupervisedError> {
    let [count, outputs, time, features] = attributions.shape();
    let sizes = [
        ("names of outputs", names.outputs.len(), outputs),
        ("names of features", names.features.len(), features),
        ("groups of features", names.groups.len(), features),
        ("windows", windows.count(), count),
        ("steps of windows", windows.time(), time),
        ("features of windows", windows.features(), features),
    ];
    for (what, size, wanted) in sizes {
        if size != wanted {
            return Err(SupervisedError::data(
                what,
                format!("they are {size}, but the attributions have {wanted}"),
            ));
        }
    }
    Ok(())
}

/// Means of equally long lists, place by place.
fn mean_of(lists: &[Vec<f64>]) -> Vec<f64> {
    let length = lists.first().map_or(0, Vec::len);
    let mean = |place| lists.iter().map(|list| list[place]).sum::<f64>() / lists.len() as f64;
    (0..length).map(mean).collect()
}

fn time_profile(attributions: &Attributions) -> TimeProfile {
    let steps = attributions.shape()[2];
    let by_output: Vec<Vec<f64>> =
        attributions.by_step().mean_absolute().chunks(steps).map(<[f64]>::to_vec).collect();
    TimeProfile { steps_back: (0..steps).rev().collect(), overall: mean_of(&by_output), by_output }
}

fn heat_map(attributions: &Attributions, names: &[String]) -> HeatMap {
    let [_, outputs, time, features] = attributions.shape();
    let values = attributions.mean_absolute();
    let row = |output: usize, feature: usize| -> Vec<f64> {
        (0..time).map(|step| values[(output * time + step) * features + feature]).collect()
    };
    let by_output: Vec<Vec<Vec<f64>>> =
        (0..outputs).map(|output| (0..features).map(|feature| row(output, feature)).collect()).collect();
    let overall = (0..features)
        .map(|feature| {
            let rows: Vec<Vec<f64>> = by_output.iter().map(|output| output[feature].clone()).collect();
            mean_of(&rows)
        })
        .collect();
    HeatMap { features: names.to_vec(), overall, by_output }
}

fn beeswarm(
    attributions: &Attributions,
    windows: Windows<'_>,
    names: &[String],
    config: &ReportConfig,
) -> Beeswarm {
    let [count, outputs, time, features] = attributions.shape();
    let grouped = attributions.by_feature();
    let importance: Vec<f64> = {
        let rows: Vec<Vec<f64>> = grouped.mean_absolute().chunks(features).map(<[f64]>::to_vec).collect();
        mean_of(&rows)
    };
    let mut order: Vec<usize> = (0..features).collect();
    order.sort_by(|left, right| importance[*right].total_cmp(&importance[*left]));
    let points = count.min(config.beeswarm_windows);
    let shown: Vec<usize> = (0..points).map(|point| point * count / points).collect();
    let feature = |feature: usize| {
        let inputs = |window: usize| {
            windows.window(window).iter().skip(feature).step_by(features).copied().map(f64::from)
        };
        let values = |output: usize| {
            let value =
                |window: &usize| grouped.values()[(window * outputs + output) * features + feature] as f32;
            shown.iter().map(value).collect()
        };
        BeeswarmFeature {
            name: names[feature].clone(),
            last_input: shown.iter().map(|w| windows.window(*w)[(time - 1) * features + feature]).collect(),
            mean_input: shown.iter().map(|w| (inputs(*w).sum::<f64>() / time as f64) as f32).collect(),
            values: (0..outputs).map(values).collect(),
        }
    };
    let features = order.into_iter().take(config.beeswarm_features).map(feature).collect();
    Beeswarm { windows: shown, features }
}
