//! Which fields stay when a layer sets another kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::ConfigLoader;

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    threshold: Threshold,
    costs: Costs,
    body: Option<Body>,
}

/// By the name of the table, or a word.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Threshold {
    Fixed(Fixed),
    Adaptive(Adaptive),
    None,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Fixed {
    value: f64,
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Adaptive {
    window: u32,
    factor: f64,
}

impl Default for Threshold {
    fn default() -> Self {
        Self::Fixed(Fixed { value: 0.5 })
    }
}

/// By a field.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Costs {
    Flat { fee: f64 },
    Steps { first: f64, second: f64 },
}

impl Default for Costs {
    fn default() -> Self {
        Self::Flat { fee: 0.1 }
    }
}

/// Kinds within a kind.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "network", rename_all = "kebab-case", deny_unknown_fields)]
enum Body {
    Sequence { architecture: Architecture },
    Dense { width: u32 },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Architecture {
    Lstm { width: u32 },
    Transformer { heads: u32 },
}

/// What the file and then the variables, which are a higher layer, make of the defaults.
fn loaded(file: &str, variables: &[(&str, &str)]) -> Result<Value, String> {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("example.toml"), file).unwrap();
    let loader = ConfigLoader::<Config>::new("example").directory(directory.path());
    let loaded = loader.environment(variables.to_vec()).load().map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(&loaded.config).unwrap())
}

#[test]
fn another_kind_by_name_leaves_the_old_one() {
    let file = "[threshold.adaptive]\nwindow = 7\nfactor = 2.0";
    assert_eq!(
        loaded(file, &[]).unwrap()["threshold"],
        json!({ "adaptive": { "window": 7, "factor": 2.0 } })
    );
    let over = loaded(file, &[("MATRELA__THRESHOLD__FIXED__VALUE", "0.25")]).unwrap();
    assert_eq!(over["threshold"], json!({ "fixed": { "value": 0.25 } }));
    let word = loaded(file, &[("MATRELA__THRESHOLD", "none")]).unwrap();
    assert_eq!(word["threshold"], json!("none"));
    let back = loaded("threshold = \"none\"", &[("MATRELA__THRESHOLD__ADAPTIVE__WINDOW", "3")]).unwrap();
    assert_eq!(back["threshold"], json!({ "adaptive": { "window": 3, "factor": 0.0 } }));
}

#[test]
fn the_same_kind_keeps_what_lower_layers_say_of_it() {
    let file = "[threshold.adaptive]\nwindow = 7\nfactor = 2.0";
    let same = loaded(file, &[("MATRELA__THRESHOLD__ADAPTIVE__WINDOW", "9")]).unwrap();
    assert_eq!(same["threshold"], json!({ "adaptive": { "window": 9, "factor": 2.0 } }));
    let same = loaded("[costs]\nkind = \"flat\"", &[]).unwrap();
    assert_eq!(same["costs"], json!({ "kind": "flat", "fee": 0.1 }));
}

#[test]
fn one_layer_cannot_say_two_kinds() {
    let error = loaded("[threshold.fixed]\nvalue = 1.0\n[threshold.adaptive]\nwindow = 7", &[]).unwrap_err();
    assert!(error.contains("`threshold` (from ") && error.contains("example.toml:"), "{error}");
    assert!(error.contains("both `adaptive` and `fixed` are given"), "{error}");
}

#[test]
fn another_kind_by_field_leaves_the_old_one() {
    let steps = loaded("[costs]\nkind = \"steps\"\nfirst = 1.0\nsecond = 2.0", &[]).unwrap();
    assert_eq!(steps["costs"], json!({ "kind": "steps", "first": 1.0, "second": 2.0 }));
    let missing = loaded("[costs]\nkind = \"steps\"\nfirst = 1.0", &[]).unwrap_err();
    assert!(missing.contains("second"), "{missing}");
    let variables = [("MATRELA__COSTS__KIND", "flat"), ("MATRELA__COSTS__FEE", "0.3")];
    let flat = loaded("[costs]\nkind = \"steps\"\nfirst = 1.0\nsecond = 2.0", &variables).unwrap();
    assert_eq!(flat["costs"], json!({ "kind": "flat", "fee": 0.3 }));
}

#[test]
fn kinds_within_kinds_and_where_nothing_was_are_found() {
    let file = "[body]\nnetwork = \"sequence\"\narchitecture.lstm.width = 8";
    let found = loaded(file, &[]).unwrap();
    assert_eq!(found["body"], json!({ "network": "sequence", "architecture": { "lstm": { "width": 8 } } }));
    let over = loaded(file, &[("MATRELA__BODY__ARCHITECTURE__TRANSFORMER__HEADS", "2")]).unwrap();
    assert_eq!(
        over["body"],
        json!({ "network": "sequence", "architecture": { "transformer": { "heads": 2 } } })
    );
    let dense = loaded(file, &[("MATRELA__BODY__NETWORK", "dense"), ("MATRELA__BODY__WIDTH", "4")]).unwrap();
    assert_eq!(dense["body"], json!({ "network": "dense", "width": 4 }));
}
