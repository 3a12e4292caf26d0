//! Specifications: what is wrong is named, what is decided is hashed, what is documented is true.

use features::{FeatureError, FeaturePipeline, FeatureSpec, reference};
use market_data::Timeframe;

#[test]
fn a_specification_reads_back() {
    let spec = FeatureSpec::default();
    assert_eq!(FeatureSpec::from_toml(&spec.to_toml().unwrap()).unwrap(), spec);
    assert_eq!(FeatureSpec::from_toml("").unwrap(), spec);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, named) in [
        ("[trend]\nema = [0]", "trend.ema"),
        ("[trend]\nema = [20, 20]", "trend.ema"),
        ("[momentum]\nrsi = [1]", "momentum.rsi"),
        ("[volatility]\newma = [1.0]", "volatility.ewma"),
        ("[level]\norders = [0]", "level.orders"),
        ("[higher_timeframe]\ntimeframes = [\"1m\"]", "higher_timeframe.timeframes"),
        ("[higher_timeframe]\nrsi = [1]", "higher_timeframe.rsi"),
        ("[cross_asset]\nenabled = true\nwindows = [1]", "cross_asset.windows"),
    ] {
        let error = FeatureSpec::from_toml(text).unwrap().columns(Timeframe::M5).unwrap_err();
        assert!(matches!(error, FeatureError::InvalidSpec { .. }), "{text}: {error}");
        assert!(error.to_string().contains(named), "{text}: {error}");
    }
    for (text, named) in [
        ("[trend]\nemma = [5]", "emma"),
        ("[trnd]", "trnd"),
        ("scale = \"rel\"", "rel"),
        ("[exogenous]\ncolumns = [{ series = \"x\" }]", "field"),
        ("[higher_timeframe]\ntimeframes = [\"7m\"]", "7m"),
    ] {
        let error = FeatureSpec::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

#[test]
fn every_group_can_be_switched_off() {
    let all = FeatureSpec::default().columns(Timeframe::M5).unwrap();
    assert!((110..=150).contains(&all.len()), "{} columns", all.len());
    let mut spec = FeatureSpec::default();
    let groups = [
        "price",
        "trend",
        "momentum",
        "volatility",
        "volume",
        "cycle",
        "pattern",
        "level",
        "time",
        "higher_timeframe",
    ];
    let mut seen = 0;
    for group in groups {
        let only_others = FeatureSpec::from_toml(&format!("[{group}]\nenabled = false")).unwrap();
        let left = only_others.columns(Timeframe::M5).unwrap().len();
        assert!(left < all.len(), "{group}");
        seen += all.len() - left;
    }
    assert_eq!(seen, all.len());
    spec = FeatureSpec::from_toml(&groups.map(|group| format!("[{group}]\nenabled = false")).join("\n"))
        .unwrap_or(spec);
    assert_eq!(FeaturePipeline::new(&spec, Timeframe::M5).unwrap_err(), FeatureError::NoColumns);
}

#[test]
fn the_hash_holds_all_that_decides_the_values() {
    let spec = FeatureSpec::default();
    let hash = spec.hash(Timeframe::M5).unwrap();
    assert_eq!(hash, FeatureSpec::from_toml(&spec.to_toml().unwrap()).unwrap().hash(Timeframe::M5).unwrap());
    assert_ne!(hash, spec.hash(Timeframe::M1).unwrap());
    for text in
        ["scale = \"atr\"", "[trend]\nema = [9]", "[pattern]\nenabled = false", "[level]\nlookback = 201"]
    {
        assert_ne!(hash, FeatureSpec::from_toml(text).unwrap().hash(Timeframe::M5).unwrap(), "{text}");
    }
}

#[test]
fn every_timeframe_has_a_default() {
    for timeframe in Timeframe::ALL {
        let columns = FeatureSpec::default().columns(timeframe).unwrap();
        assert!(columns.len() >= 110, "{timeframe}: {}", columns.len());
        assert!(columns.iter().all(|column| !column.formula.is_empty() && column.minimum < column.maximum));
    }
}

#[test]
fn the_reference_document_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/feature-reference.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == reference::markdown().unwrap(),
        "write it anew: cargo run --bin feature-builder -- reference > docs/feature-reference.md"
    );
}
