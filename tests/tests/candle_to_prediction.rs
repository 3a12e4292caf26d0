//! A candle's way to a prediction: file → store → features and labels → training → bundle → live.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use features::{FeatureFrame, FeatureSpec, Outside};
use labels::splits::{LastDays, SplitPlan, SplitSetting, TimeRange};
use labels::threshold_search::{Goal, search_threshold};
use labels::{LabelSeries, Labeler, TripleBarrier};
use market_data::import::{ImportOptions, Imported, import_file};
use market_data::store::{OnConflict, Store};
use market_data::synthetic::{MarketShape, PlantedMarket};
use market_data::{CandleSeries, write_csv};
use supervised::dataset::{FeatureFit, LabelledFrame, Part, prepare};
use supervised::{
    Assessment, Checkpoints, DeviceKind, ModelBundle, Origin, Prediction, Predictor, ScoredRows, Skill,
    SupervisedConfig, Trained, assess, calibrate, train,
};

/// Candles of a market with a known signal, by way of a file and a store; one has a hole of thirty candles.
fn stored_market(directory: &Path) -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles: 9_000, seed: 5, ..MarketShape::default() };
    shape.symbols.truncate(2);
    let made = PlantedMarket::default().generate(&shape).unwrap().series;
    let store = Store::new(directory.join("store"));
    for (number, series) in made.iter().enumerate() {
        let mut text = Vec::new();
        write_csv(series, &mut text).unwrap();
        let lines: Vec<&str> = std::str::from_utf8(&text).unwrap().lines().collect();
        let hole = if number == 0 { 8_001..8_031 } else { 0..0 };
        let kept: Vec<&str> = lines
            .iter()
            .enumerate()
            .filter(|(line, _)| !hole.contains(line))
            .map(|(_, text)| *text)
            .collect();
        let name = series.key().symbol.exchange_id();
        let file = directory.join(format!("synthetic-linear_{name}_5m_made.csv"));
        std::fs::write(&file, kept.join("\n")).unwrap();
        let tables = import_file(&file, &ImportOptions::default(), None).unwrap();
        let Imported::Candles(found) = &tables[0].content else { panic!("these are candles") };
        store.append(&found[0].series, OnConflict::Refuse).unwrap();
    }
    made.iter().map(|series| store.read(series.key()).unwrap()).collect()
}

/// A few columns, so that the test is quick.
fn small_spec() -> FeatureSpec {
    let off = ["cycle", "pattern", "level", "time", "higher_timeframe"];
    let text: String = off.iter().map(|group| format!("[{group}]\nenabled = false\n")).collect();
    let trend = "[trend]\nema = [9, 20]\nsma = []\ndema = []\ntema = []\nkama = []\n";
    FeatureSpec::from_toml(&(text + trend)).unwrap()
}

fn small_training() -> SupervisedConfig {
    let mut config = SupervisedConfig { epochs: 3, ..SupervisedConfig::default() };
    (config.network.width, config.network.heads) = (32, 2);
    config.optimiser.average.decay = 0.95;
    config.learning_rate.base = 4e-3;
    config.segments.batch = 8;
    config
}

/// What a program keeps beside the weights.
struct Made {
    spec: FeatureSpec,
    fit: FeatureFit,
    labeler: Labeler,
    config: SupervisedConfig,
    series: Vec<CandleSeries>,
    outer: SplitPlan,
    inner: SplitPlan,
}

impl Made {
    fn frame(&self, series: &CandleSeries) -> FeatureFrame {
        self.spec.frame(series, Outside::default()).unwrap()
    }

    fn labels(&self, series: &CandleSeries) -> LabelSeries {
        self.labeler.label(series).unwrap()
    }

    /// The rows that `plan` tests on, of all series.
    fn scored(&self, predictor: &Predictor, plan: &SplitPlan) -> ScoredRows {
        let mut rows = ScoredRows::default();
        for series in &self.series {
            let labels = self.labels(series);
            let split = plan.apply(&labels);
            let logits = predictor.logits(&self.frame(series), |_| true).unwrap();
            rows.extend(&logits, &labels, |row| split.test().binary_search(&row).is_ok()).unwrap();
        }
        rows
    }

    fn judged(&self, predictor: &Predictor) -> Assessment {
        let bundle = predictor.bundle();
        let rows = self.scored(predictor, &self.outer);
        assess(&rows, &bundle.calibration, bundle.origin.prior, 60, 1).unwrap()
    }

    /// Calibrates on validation rows and writes the bundle.
    fn write(&self, trained: Trained, directory: &Path) {
        let origin = Origin {
            name: "end-to-end".to_owned(),
            timeframe: self.series[0].key().timeframe,
            series: self.series.iter().map(|series| series.key().to_string()).collect(),
            excluded: Vec::new(),
            data_hash: "synthetic".to_owned(),
            intervals: BTreeMap::from([
                ("training".to_owned(), self.inner.train().to_vec()),
                ("validation".to_owned(), self.inner.test().to_vec()),
            ]),
            prior: trained.prior,
            epoch: trained.best_epoch,
            config: self.config.clone(),
            commit: None,
            trials: None,
        };
        let mut bundle = ModelBundle {
            classifier: trained.classifier,
            spec: self.spec.clone(),
            fit: self.fit.clone(),
            labeler: self.labeler,
            calibration: Default::default(),
            metrics: BTreeMap::new(),
            origin,
        };
        let raw = Predictor::new(bundle.clone()).unwrap();
        bundle.calibration = calibrate(&self.scored(&raw, &self.inner), &self.config.calibration).unwrap();
        bundle.write(directory, false).unwrap();
    }
}

/// Candles to a bundle in `directory`, as `train-supervised` does it.
fn trained_bundle(directory: &Path) -> Made {
    let series = stored_market(directory);
    let (spec, config) = (small_spec(), small_training());
    let outer = SplitSetting::default().plan(TimeRange::covering(&series).unwrap()).unwrap();
    let inner = LastDays { validation_days: 5 }.plan(outer.train()[0]).unwrap().remove(0);
    let candles: Vec<_> = series.iter().map(|series| inner.train_candles(series)).collect();
    let unfitted = Labeler::TripleBarrier(TripleBarrier::default());
    let found = search_threshold(&unfitted, &candles, &Goal::pooled([0.33, 0.34, 0.33])).unwrap();
    let labelled = |series: &CandleSeries| LabelledFrame {
        frame: spec.frame(series, Outside::default()).unwrap(),
        labels: found.labeler.label(series).unwrap(),
    };
    let (dataset, fit) = prepare(series.iter().map(labelled).collect(), &inner, &config.preparation).unwrap();
    assert!(dataset.rows(Part::Training) > 8_000 && dataset.rows(Part::Validation) > 2_000);
    let device = DeviceKind::default().device().unwrap();
    let trained = train(&dataset, &config, &device, "synthetic", Checkpoints::default(), &mut ()).unwrap();
    let made = Made { spec, fit, labeler: found.labeler, config, series, outer, inner };
    made.write(trained, &directory.join("bundle"));
    made
}

/// Open time, bits of the probabilities, class.
fn bits(prediction: &Prediction) -> (i64, [u32; 3], usize) {
    (prediction.open_time.as_millis(), prediction.probabilities.map(f32::to_bits), prediction.class.index())
}

#[test]
fn a_candle_from_file_to_prediction() {
    let directory = tempfile::tempdir().unwrap();
    let made = trained_bundle(directory.path());
    let predictor = Predictor::load(&directory.path().join("bundle")).unwrap();

    // Candle by candle is the same as all at once, also across the hole.
    assert_eq!(made.series[0].gaps().missing(), 30);
    for series in &made.series {
        let batch = predictor.predict(&made.frame(series)).unwrap();
        let mut live = predictor.live().unwrap();
        let pushed: Vec<_> = series.iter().filter_map(|candle| live.push(&candle).unwrap()).collect();
        assert!(pushed.len() > series.len() / 2, "{} predictions", pushed.len());
        assert_eq!(
            pushed.iter().map(bits).collect::<Vec<_>>(),
            batch.predictions.iter().map(bits).collect::<Vec<_>>(),
            "{}",
            series.key()
        );
        let opened: Vec<_> = batch.rows.iter().map(|row| series.get(*row).open_time).collect();
        assert_eq!(opened, pushed.iter().map(|one| one.open_time).collect::<Vec<_>>());
    }

    // On the time that was held out it has found the planted signal: features, labels and predictions belong together.
    // Trained on labels that lie 12 rows off, the coefficient was 0.15; on 48 rows off, there was no skill left.
    let judged = made.judged(&predictor);
    assert_eq!(judged.skill, Skill::Better, "{:?}", judged.advantage);
    assert!(judged.decided.mcc > 0.18, "{:?}", judged.decided);

    // Another specification's features are refused.
    let other = FeatureSpec::default().frame(&made.series[0], Outside::default()).unwrap();
    let refused = predictor.predict(&other).unwrap_err().to_string();
    assert!(refused.contains("features.toml"), "{refused}");
}
