//! What a model looked at, from an explanation that `train-supervised explain` wrote.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::Deserialize;
use supervised::explanation::Ranking;

/// The file in the directory of an explanation.
const DOCUMENT: &str = "explanation.json";
/// Features that a report shows.
const MOST_FEATURES: usize = 25;

/// Features by importance, the most important first, with the words for what they are measured by.
#[derive(Clone, Debug)]
pub(crate) struct FeatureImportance {
    pub(crate) label: String,
    pub(crate) features: Vec<(String, f64)>,
}

/// What is needed of the document; it says more.
#[derive(Debug, Deserialize)]
struct Document {
    model: String,
    feature_hash: String,
    explanation: Explanation,
}

#[derive(Debug, Deserialize)]
struct Explanation {
    quantity: String,
    windows: usize,
    features: Ranking,
}

/// Reads an explanation of the network of the bundle whose features have this hash.
pub(crate) fn read(directory: &Path, feature_hash: &str) -> anyhow::Result<FeatureImportance> {
    let path = directory.join(DOCUMENT);
    let shown = path.display();
    let text = std::fs::read_to_string(&path).with_context(|| {
        format!("{shown}: cannot read; give a directory that `train-supervised explain` wrote")
    })?;
    let document: Document =
        serde_json::from_str(&text).with_context(|| format!("{shown}: not an explanation"))?;
    ensure!(
        document.feature_hash == feature_hash,
        "{shown}: it is of a model with other features (hash {}, the bundle has {feature_hash}); explain this bundle",
        document.feature_hash
    );
    ensure!(
        document.model == "xlstm",
        "{shown}: it explains `{}`; explain the network of the bundle, with --model xlstm",
        document.model
    );
    let Explanation { quantity, windows, features } = document.explanation;
    let shown = features.overall.into_iter().take(MOST_FEATURES).map(|one| (one.name, one.importance));
    Ok(FeatureImportance {
        label: format!("mean absolute contribution to the {quantity}, {windows} windows"),
        features: shown.collect(),
    })
}
