//! `train-supervised explain`

mod document;
mod model;
mod pictures;
mod rows;
mod settings;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::ValueEnum;
use command_line::{CommonArguments, Outcome, print_json};
use labels::Label;
use market_data::Timestamp;
use supervised::ModelBundle;
use supervised::explanation::{ExplanationReport, ReportConfig, ReportNames, Windows};

use crate::Input;
use crate::configuration::Configuration;
use crate::data;
use document::{Document, ExplainedWindow, Timing};
use model::{Attributed, ExplainedModel};
use rows::{Chosen, Rows};
pub(crate) use settings::ExplanationSection;

/// Which model is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ModelName {
    /// The network of the bundle
    Xlstm,
    /// A baseline that is stored in the bundle
    Perceptron,
    /// A baseline that is stored in the bundle
    Convolutional,
    /// A baseline that is stored in the bundle
    Lstm,
    /// A baseline that is stored in the bundle
    Transformer,
    /// A baseline that is stored in the bundle
    RandomForest,
    /// A baseline that is stored in the bundle
    GradientBoosting,
}

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,

    /// Directory of the model bundle
    #[arg(long, value_name = "DIR")]
    bundle: PathBuf,

    /// The model of the bundle, or one of the baselines stored in it
    #[arg(long, default_value = "xlstm", value_name = "MODEL")]
    model: ModelName,

    /// Directory for the explanation
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Replace an earlier explanation in that directory
    #[arg(long)]
    overwrite: bool,

    /// Explain only candles that open at this time or later
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,

    /// Explain only candles that open before this time
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,

    /// Explain candles of the training and validation time too
    #[arg(long)]
    seen: bool,

    /// How many windows are explained, evenly spread over the rows asked for [default: `explanation.windows`]
    #[arg(long, value_name = "N")]
    windows: Option<usize>,

    /// Rows of a window [default: what the model was trained on, or `explanation.steps` where that was every step]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,

    /// Background windows [default: `explanation.background.windows`]
    #[arg(long, value_name = "N")]
    background: Option<usize>,

    /// Seed of the background and of the shuffles [default: those of the section `explanation`]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Take the background from rows before the explained ones, where the candles do not cover the training time
    #[arg(long)]
    earlier_background: bool,

    /// Also shuffle each feature, and each group of them, across the explained windows, and see how much worse the model gets
    #[arg(long)]
    permutation: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let mut configuration = configuration.clone();
    configuration.take(&arguments.input);
    let settings = configuration.explanation.with(arguments)?;
    document::check(&arguments.out, arguments.overwrite)?;
    let device = configuration.device.device()?;
    let bundle = ModelBundle::read(&arguments.bundle, &device)?;
    let model = ExplainedModel::read(arguments, &bundle, &settings, &device)?;
    let mut input = arguments.input.clone();
    input.timeframe.get_or_insert(bundle.origin.timeframe);
    let candles = data::read(&input, &configuration.import, &bundle.spec, common)
        .with_context(|| format!("the bundle takes candles of {}", bundle.origin.timeframe))?;
    let rows = Rows::read(&candles, &bundle, model.offsets(), arguments, common)?;
    let windows = rows.windows(settings.windows)?;
    let background = match model.needs_background() {
        true => Some(rows.background(&settings.background, windows.first_time(), arguments)?),
        false => None,
    };
    let begun = Instant::now();
    let attributed = model.explain(&windows, background.as_ref(), &settings, common)?;
    let seconds = begun.elapsed().as_secs_f64();
    let names = names(&bundle, &model, &attributed)?;
    let shape = attributed.attributions.shape();
    let config = ReportConfig {
        beeswarm_windows: settings.beeswarm_windows,
        beeswarm_features: settings.beeswarm_features,
        tolerance: settings.path.tolerance,
    };
    let shown = Windows::new(&windows.values, shape[2], shape[3])?;
    let explanation = ExplanationReport::new(&attributed.attributions, shown, &names, &config)?;
    let permutation = match arguments.permutation {
        true => Some(model.permutation(&windows, &features(&bundle)?, &settings, common)?),
        false => None,
    };
    let document = Document {
        command: "explain",
        bundle: arguments.bundle.clone(),
        name: bundle.origin.name.clone(),
        model: model.name(),
        feature_hash: bundle.feature_hash().to_owned(),
        series: candles.keys.iter().map(ToString::to_string).collect(),
        refused: candles.refused.clone(),
        rows_back: model.offsets().to_vec(),
        candidates: rows.candidates(),
        seen_explained: arguments.seen,
        background: background.as_ref().map(Chosen::origin),
        cost: attributed.cost,
        timing: Timing { seconds, explanations_per_second: windows.len() as f64 / seconds.max(1e-9) },
        explanation,
        permutation,
        windows: explained_windows(&windows, &attributed, &model)?,
        settings,
    };
    document.write(&arguments.out, &names)?;
    if common.is_json() {
        print_json(&document)?;
    } else {
        document.print(&arguments.out)?;
    }
    let incomplete = !document.explanation.completeness.complete;
    if incomplete {
        tracing::warn!(
            "the contributions do not add up within {}; raise `explanation.path.maximum_nodes`",
            document.settings.path.tolerance
        );
    }
    Ok(Outcome::finding_if(incomplete || !document.refused.is_empty()))
}

/// Name and group of each input column.
pub(crate) fn features(bundle: &ModelBundle) -> anyhow::Result<Vec<(String, String)>> {
    let columns = bundle.spec.columns(bundle.origin.timeframe)?;
    let feature = |name: &String| {
        let column = columns.iter().find(|column| column.name == *name);
        let group = column.with_context(|| format!("the column {name} is not in the specification"))?.group;
        let group = serde_json::to_value(group)?;
        let group = group.as_str().with_context(|| format!("the group of {name} has no name"))?;
        anyhow::Ok((name.clone(), group.to_owned()))
    };
    bundle.fit.selection.names().iter().map(feature).collect()
}

/// What plots and lists call things.
fn names(
    bundle: &ModelBundle,
    model: &ExplainedModel,
    attributed: &Attributed,
) -> anyhow::Result<ReportNames> {
    let features = features(bundle)?;
    let (mut names, mut groups) = (Vec::new(), Vec::new());
    // Rows side by side are columns of their own; rows of a sequence are steps.
    let lags: &[usize] = if attributed.attributions.shape()[2] == 1 { model.offsets() } else { &[0] };
    for lag in lags {
        for (name, group) in &features {
            names.push(if *lag == 0 { name.clone() } else { format!("{name}[-{lag}]") });
            groups.push(group.clone());
        }
    }
    Ok(ReportNames {
        method: attributed.method.to_owned(),
        quantity: attributed.quantity.to_owned(),
        outputs: Label::ALL.iter().map(ToString::to_string).collect(),
        features: names,
        groups,
    })
}

fn explained_windows(
    windows: &Chosen,
    attributed: &Attributed,
    model: &ExplainedModel,
) -> anyhow::Result<Vec<ExplainedWindow>> {
    let probabilities = model.decisions(windows)?;
    let outputs = attributed.attributions.predictions().chunks_exact(Label::ALL.len());
    let window = |place: &rows::Place, outputs: &[f32], (probabilities, class): ([f32; 3], u8)| {
        let name = |class: u8| {
            Label::from_index(usize::from(class)).map_or_else(String::new, |label| label.to_string())
        };
        ExplainedWindow {
            series: place.series.clone(),
            open_time: place.open_time,
            outputs: outputs.to_vec(),
            probabilities,
            predicted: name(class),
            label: name(place.class),
        }
    };
    let rows = windows.places.iter().zip(outputs).zip(probabilities);
    Ok(rows.map(|((place, outputs), decision)| window(place, outputs, decision)).collect())
}
