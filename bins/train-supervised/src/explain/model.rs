//! The model that is explained, and how.

use anyhow::{Context, bail};
use command_line::CommonArguments;
use serde::Serialize;
use supervised::baseline::{Baseline, BaselineKind, Table, TreeEnsemble};
use supervised::calibration::Calibration;
use supervised::dataset::CLASSES;
use supervised::explanation::{
    Attributions, CentredOutputs, ColumnGroup, DifferentiableModel, ExplainedNetwork, FeatureGroups,
    PathCost, PermutationImportance, Windows, expected_gradients, permutation_importance, tree_attributions,
};
use supervised::{Device, ModelBundle, Objective, SupervisedError};

use super::rows::Chosen;
use super::{Arguments, ExplanationSection, ModelName};

/// A model of the bundle.
pub(crate) struct ExplainedModel {
    name: &'static str,
    calibration: Calibration,
    /// Rows back, in the order of the input.
    offsets: Vec<usize>,
    method: Method,
    /// Windows that a network takes at a time.
    batch: usize,
}

enum Method {
    Network(Box<ExplainedNetwork>),
    Trees(Box<Baseline>),
}

/// Contributions, and how they were found.
pub(crate) struct Attributed {
    pub(crate) attributions: Attributions,
    pub(crate) method: &'static str,
    pub(crate) quantity: &'static str,
    /// Of expected gradients.
    pub(crate) cost: Option<PathCost>,
}

/// How much worse the model gets.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Permutation {
    /// By feature, the most important (by log-loss) first; all steps of a window are shuffled together.
    pub(crate) features: Vec<PermutationImportance>,
    /// By group of features.
    pub(crate) groups: Vec<PermutationImportance>,
}

impl ModelName {
    fn baseline(self) -> Option<BaselineKind> {
        Some(match self {
            Self::Xlstm => return None,
            Self::Perceptron => BaselineKind::Perceptron,
            Self::Convolutional => BaselineKind::Convolutional,
            Self::Lstm => BaselineKind::Lstm,
            Self::Transformer => BaselineKind::Transformer,
            Self::RandomForest => BaselineKind::RandomForest,
            Self::GradientBoosting => BaselineKind::GradientBoosting,
        })
    }
}

impl ExplainedModel {
    pub(crate) fn read(
        arguments: &Arguments,
        bundle: &ModelBundle,
        settings: &ExplanationSection,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let config = &bundle.origin.config;
        let trained_on = match config.objective {
            Objective::LastStep => config.sequence_length,
            Objective::EveryStep => settings.steps,
        };
        let steps = arguments.steps.unwrap_or(trained_on);
        let sequence: Vec<usize> = (0..steps).rev().collect();
        let batch = settings.path.batch;
        let Some(kind) = arguments.model.baseline() else {
            let method = Method::Network(Box::new(ExplainedNetwork::new(&bundle.classifier)?));
            return Ok(Self {
                name: "xlstm",
                calibration: bundle.calibration,
                offsets: sequence,
                method,
                batch,
            });
        };
        let baseline = stored(arguments, kind)?;
        let calibration = baseline.calibration;
        if baseline.model.trees().is_some() {
            if arguments.steps.is_some() {
                bail!(
                    "--steps: {kind} sees single rows at the lags that it was fitted with; leave --steps out"
                );
            }
            let offsets = baseline.lags.clone();
            let method = Method::Trees(Box::new(baseline));
            return Ok(Self { name: kind.name(), calibration, offsets, method, batch });
        }
        let classifier =
            baseline.classifier(device)?.with_context(|| format!("{kind} is neither trees nor a network"))?;
        let method = Method::Network(Box::new(ExplainedNetwork::new(&classifier)?));
        Ok(Self { name: kind.name(), calibration, offsets: sequence, method, batch })
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Rows back that it sees, in the order of its input.
    pub(crate) fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Trees know what they were trained on.
    pub(crate) const fn needs_background(&self) -> bool {
        matches!(self.method, Method::Network(_))
    }

    pub(crate) fn explain(
        &self,
        windows: &Chosen,
        background: Option<&Chosen>,
        settings: &ExplanationSection,
        common: &CommonArguments,
    ) -> anyhow::Result<Attributed> {
        let network = match &self.method {
            Method::Trees(baseline) => return explain_trees(trees(baseline)?, self.offsets.len(), windows),
            Method::Network(network) => network.as_ref(),
        };
        let background = background.context("a network is explained against a background")?;
        let steps = self.offsets.len();
        let bar = common.progress().bar(1_000, "explanations");
        let found = expected_gradients(
            &CentredOutputs::new(network),
            Windows::new(&windows.values, steps, windows.width)?,
            Windows::new(&background.values, steps, windows.width)?,
            &settings.path,
            &mut |done| bar.set_position((done * 1_000.0) as u64),
        )?;
        bar.finish();
        Ok(Attributed {
            attributions: found.attributions,
            method: "expected-gradients",
            quantity: "centred logits",
            cost: Some(found.cost),
        })
    }

    /// Calibrated probabilities of windows, and the class decided for.
    pub(crate) fn decisions(&self, windows: &Chosen) -> anyhow::Result<Vec<([f32; CLASSES], u8)>> {
        let columns = self.offsets.len() * windows.width;
        let logits = self.logits(&Table::new(&windows.values, columns)?, windows.width)?;
        Ok(rows(&logits).map(|row| self.calibration.apply_row(row)).collect())
    }

    /// Shuffles each feature and each group across the windows of a series.
    pub(crate) fn permutation(
        &self,
        windows: &Chosen,
        features: &[(String, String)],
        settings: &ExplanationSection,
        common: &CommonArguments,
    ) -> anyhow::Result<Permutation> {
        let groups: Vec<&str> = features.iter().map(|(_, group)| group.as_str()).collect();
        let groups = FeatureGroups::new(&groups);
        let shuffled = |name: &str, members: &dyn Fn(usize) -> bool| {
            let columns =
                (0..self.offsets.len() * features.len()).filter(|column| members(column % features.len()));
            ColumnGroup { name: name.to_owned(), columns: columns.collect() }
        };
        let by_feature =
            features.iter().enumerate().map(|(index, (name, _))| shuffled(name, &|feature| feature == index));
        let by_group = groups.names().iter().enumerate();
        let by_group =
            by_group.map(|(index, name)| shuffled(name, &|feature| groups.of_feature()[feature] == index));
        let all: Vec<ColumnGroup> = by_feature.chain(by_group).collect();
        let table = Table::new(&windows.values, self.offsets.len() * windows.width)?;
        let targets: Vec<u8> = windows.places.iter().map(|place| place.class).collect();
        let blocks: Vec<u32> = windows.places.iter().map(|place| place.series_index).collect();
        let bar = common.progress().bar(1_000, "permutations");
        let probabilities = |table: &Table<'_>| {
            let logits = self.logits(table, windows.width)?;
            Ok(rows(&logits).flat_map(|row| self.calibration.apply_row(row).0).collect())
        };
        let mut found = permutation_importance(
            &table,
            &targets,
            &blocks,
            &all,
            &settings.permutation,
            probabilities,
            &mut |done| bar.set_position((done * 1_000.0) as u64),
        )?;
        bar.finish();
        let mut groups = found.split_off(features.len());
        for list in [&mut found, &mut groups] {
            list.sort_by(|left, right| right.log_loss_rise.mean.total_cmp(&left.log_loss_rise.mean));
        }
        Ok(Permutation { features: found, groups })
    }

    /// Logits of windows, each as one row of a table.
    fn logits(&self, table: &Table<'_>, width: usize) -> Result<Vec<f32>, SupervisedError> {
        let network = match &self.method {
            Method::Trees(baseline) => return baseline.table_logits(table),
            Method::Network(network) => network,
        };
        let mut logits = Vec::with_capacity(table.rows() * CLASSES);
        for part in table.values().chunks(self.batch * table.columns()) {
            logits.extend(network.evaluate(Windows::new(part, self.offsets.len(), width)?)?);
        }
        Ok(logits)
    }
}

fn explain_trees(trees: &TreeEnsemble, lags: usize, windows: &Chosen) -> anyhow::Result<Attributed> {
    let table = Table::new(&windows.values, lags * windows.width)?;
    let quantity = match trees.link() {
        supervised::baseline::Link::Identity => "probabilities",
        supervised::baseline::Link::Softmax => "centred margins",
    };
    let attributions = tree_attributions(trees, &table)?;
    Ok(Attributed { attributions, method: "tree-shap", quantity, cost: None })
}

fn trees(baseline: &Baseline) -> anyhow::Result<&TreeEnsemble> {
    baseline.model.trees().context("the baseline has no trees")
}

fn rows(logits: &[f32]) -> impl Iterator<Item = [f32; CLASSES]> {
    logits.as_chunks::<CLASSES>().0.iter().copied()
}

/// A baseline of the bundle.
fn stored(arguments: &Arguments, kind: BaselineKind) -> anyhow::Result<Baseline> {
    let all = ModelBundle::read_baselines(&arguments.bundle)?;
    let names: Vec<&str> = all.iter().map(|stored| stored.baseline.kind.name()).collect();
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let found = all.into_iter().find(|stored| stored.baseline.kind == kind);
    let found = found.with_context(|| {
        format!(
            "{}: the bundle holds no baseline {kind} (it holds: {names}); train it with --baselines={kind}",
            arguments.bundle.display()
        )
    })?;
    Ok(found.baseline)
}
