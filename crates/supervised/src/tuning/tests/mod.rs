//! Tests of the search as a whole.

mod analysis;
mod files;
mod pruning;
mod quality;
mod resumption;

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Value;

use super::{
    Assignment, Direction, Parameter, PrunerConfig, SamplerConfig, SearchSpace, StudyDefinition, TpeConfig,
};

/// What Optuna says; `optuna_reference.py` beside the file made it.
#[derive(Deserialize)]
struct Reference {
    tpe_best: Vec<f64>,
    random_best: Vec<f64>,
    importance: ReferenceImportance,
    curves: Vec<Vec<f64>>,
    median: Vec<u64>,
}

#[derive(Deserialize)]
struct ReferenceImportance {
    trials: Vec<ReferenceTrial>,
    shares: BTreeMap<String, BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
struct ReferenceTrial {
    parameters: Assignment,
    value: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("../../../tests/fixtures/tuning/optuna.json")).unwrap()
}

/// Rosenbrock's valley, a rate and a width on logarithms, an integer and a choice; 0 at best. As in
/// `optuna_reference.py`.
fn cost(assignment: &Assignment) -> f64 {
    let number = |key: &str| match &assignment[key] {
        Value::Float(number) => *number,
        Value::Integer(number) => *number as f64,
        other => panic!("{other}"),
    };
    let kind = ["a", "b", "c"].iter().position(|kind| assignment["kind"].as_str() == Some(kind)).unwrap();
    let (x, y) = (number("x"), number("y"));
    let valley = ((1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)) / 100.0;
    valley
        + (number("rate").log10() + 2.0).powi(2)
        + ((number("layers") - 7.0) / 5.0).powi(2)
        + (number("width").log2() - 6.0).powi(2) / 4.0
        + 0.5 * kind as f64
}

fn space() -> SearchSpace {
    SearchSpace {
        parameters: vec![
            Parameter::Float { key: "x".into(), low: -2.0, high: 2.0, log: false },
            Parameter::Float { key: "y".into(), low: -1.0, high: 3.0, log: false },
            Parameter::Float { key: "rate".into(), low: 1e-5, high: 1.0, log: true },
            Parameter::Integer { key: "layers".into(), low: 1, high: 19, step: 2, log: false },
            Parameter::Integer { key: "width".into(), low: 8, high: 512, step: 1, log: true },
            Parameter::Choice { key: "kind".into(), values: ["a", "b", "c"].map(Value::from).to_vec() },
        ],
    }
}

fn definition(seed: u64) -> StudyDefinition {
    StudyDefinition {
        metric: "cost".into(),
        direction: Direction::Minimise,
        seed,
        sampler: SamplerConfig::Tpe(TpeConfig { startup_trials: 4, ..Default::default() }),
        pruner: PrunerConfig::None {},
        context: "data 1, split 2".into(),
        space: space(),
    }
}
