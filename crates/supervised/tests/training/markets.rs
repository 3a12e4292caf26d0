//! Small markets, small networks, and what stands between them.

use burn::tensor::Device;
use features::{FeatureSpec, Outside};
use labels::splits::{LastShare, SplitPlan, TimeRange};
use labels::{FixedThreshold, HorizonReturn, Labeler, Threshold};
use market_data::synthetic::{MarketShape, NoiseMarket, PlantedMarket, SyntheticModel};
use market_data::{CandleSeries, Timeframe};
use supervised::dataset::{Dataset, FeatureFit, LabelledFrame, prepare};
use supervised::optimiser::OptimiserConfig;
use supervised::{
    Checkpoints, EpochReport, Objective, Observer, StepReport, SupervisedConfig, SupervisedError, Trained,
};

/// Rows until the first usable one, with [`spec`].
pub(crate) const WARM_UP: usize = 19;
/// Candles that a label looks ahead.
pub(crate) const HORIZON: u32 = 4;

/// A dozen columns with a short warm-up.
pub(crate) fn spec() -> FeatureSpec {
    let off = ["trend", "momentum", "volatility", "cycle", "pattern", "level", "time", "higher_timeframe"];
    let off: String = off.iter().map(|group| format!("[{group}]\nenabled = false\n")).collect();
    FeatureSpec::from_toml(&format!(
        "{off}[price]\nlog_return = [1, 4]\n[volume]\nobv = []\nmfi = []\nadosc = []\ncmf = []\nvwap_distance = []\n\
         vwap_day = false\nvolume_z = [20]\nrelative_volume = [10]\namihud = []\n"
    ))
    .unwrap()
}

/// The best forecast of its returns is known and good.
pub(crate) fn planted() -> SyntheticModel {
    SyntheticModel::Planted(PlantedMarket::default())
}

/// Nothing can be forecast.
pub(crate) fn noise() -> SyntheticModel {
    SyntheticModel::Noise(NoiseMarket::default())
}

/// The first two symbols.
pub(crate) fn two(model: &SyntheticModel, candles: usize, seed: u64) -> Vec<CandleSeries> {
    let mut shape = MarketShape { candles, timeframe: Timeframe::M5, seed, ..MarketShape::default() };
    shape.symbols.truncate(2);
    model.generate(&shape).unwrap().series
}

/// Without the candles at `missing`.
pub(crate) fn with_gaps(series: &CandleSeries, missing: &[usize]) -> CandleSeries {
    let kept: Vec<usize> = (0..series.len()).filter(|index| !missing.contains(index)).collect();
    CandleSeries::new(series.key().clone(), series.columns().select(&kept)).unwrap()
}

/// Two planted series with gaps, one of them in the validation time.
pub(crate) fn gapped(candles: usize) -> Vec<CandleSeries> {
    let series = two(&planted(), candles, 7);
    vec![with_gaps(&series[0], &[200, 201, candles - 60]), with_gaps(&series[1], &[333])]
}

/// Returns over four candles beyond a third of their distribution.
pub(crate) fn labeler() -> Labeler {
    with_threshold(PlantedMarket::default().class_threshold())
}

pub(crate) fn with_threshold(value: f64) -> Labeler {
    let threshold = Threshold::Fixed(FixedThreshold { value, sell: None });
    Labeler::HorizonReturn(HorizonReturn { horizon: HORIZON, threshold })
}

pub(crate) fn labelled(series: &[CandleSeries], labeler: &Labeler) -> Vec<LabelledFrame> {
    let of = |series| LabelledFrame {
        frame: spec().frame(series, Outside::default()).unwrap(),
        labels: labeler.label(series).unwrap(),
    };
    series.iter().map(of).collect()
}

/// The last quarter held out.
pub(crate) fn plan(series: &[CandleSeries]) -> SplitPlan {
    LastShare { share: 0.25 }.plan(TimeRange::covering(series).unwrap()).unwrap().remove(0)
}

/// A small, fast training: dropout, asymmetric focal loss and averaged weights, and nothing else.
pub(crate) fn config(objective: Objective) -> SupervisedConfig {
    let mut config =
        SupervisedConfig { objective, sequence_length: 8, epochs: 3, ..SupervisedConfig::default() };
    config.preparation.minimum_rows_per_series = 50;
    let network = &mut config.network;
    (network.width, network.heads) = (16, 2);
    (network.mlstm.round_to, network.slstm.round_to) = (16, 16);
    config.sampling.batch_size = 64;
    let segments = &mut config.segments;
    (segments.batch, segments.chunk, segments.supervised_steps, segments.burn_in) = (8, 16, 48, 16);
    config.learning_rate.warmup_epochs = 0.5;
    // Whatever the defaults are, a test says which techniques it has.
    config.network.dropout = xlstm::DropoutConfig { input: 0.0, recurrent: 0.1, output: 0.1 };
    config.optimiser = OptimiserConfig { weight_decay: 0.01, ..OptimiserConfig::default() };
    config.augmentation.mix_up.alpha = 0.0;
    config.validation.patience = 0;
    config
}

pub(crate) const OBJECTIVES: [Objective; 2] = [Objective::LastStep, Objective::EveryStep];

pub(crate) fn dataset(series: &[CandleSeries], config: &SupervisedConfig) -> (Dataset, FeatureFit) {
    prepare(labelled(series, &labeler()), &plan(series), &config.preparation).unwrap()
}

/// Trains without checkpoints.
pub(crate) fn trained(dataset: &Dataset, config: &SupervisedConfig) -> Result<Trained, SupervisedError> {
    supervised::train(dataset, config, &Device::flex(), "data", Checkpoints::default(), &mut ())
}

/// Stops after an epoch, counted from 1.
pub(crate) struct StopAfter(pub(crate) usize);

impl Observer for StopAfter {
    fn step(&mut self, _report: StepReport) {}

    fn epoch(&mut self, report: &EpochReport) -> Result<bool, SupervisedError> {
        Ok(report.epoch + 1 < self.0)
    }
}

pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The parameters of the best epoch, to the bit.
pub(crate) fn parameters(trained: &Trained) -> Vec<u32> {
    bits(&trained.classifier.parameters().unwrap())
}
