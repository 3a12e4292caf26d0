//! `train-supervised ablate`: what each technique is worth.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use command_line::{
    CommonArguments, Outcome, Table, named_directory, print_json, print_text, remove_directory,
};
use serde::Serialize;
use supervised::{Checkpoints, Objective, SupervisedConfig, TrainingJob, train};

use crate::Train;
use crate::configuration::Configuration;
use crate::progress::Recorder;
use crate::training::prepare;

/// The file of the results.
const RESULTS: &str = "ablation.json";

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    train: Train,

    /// Which techniques are changed in turn [default: all that the objective has]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    techniques: Vec<Technique>,
}

/// Something that can be switched on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Technique {
    /// Asymmetric focal loss
    Afl,
    /// Mining of hard negatives
    Hnm,
    /// Moving average of the weights
    Ema,
    /// Sharpness-aware minimisation
    Sam,
    /// Slow weights
    Lookahead,
    /// Adaptive gradient clipping
    Agc,
    /// Convex combinations of samples
    MixUp,
    /// Interpolated windows of rare classes
    Smote,
    /// Noise and time masks
    Augmentation,
    /// Triplet loss on embeddings
    Triplet,
    /// Supervision of every step
    EveryStep,
    /// Class-balanced sampling or weights
    Balance,
    /// Label smoothing
    Smoothing,
}

/// One configuration over all seeds.
#[derive(Debug, Serialize)]
struct Variant {
    name: String,
    technique: Option<Technique>,
    /// Whether the technique is on in this variant.
    on: Option<bool>,
    seeds: Vec<u64>,
    /// Validation and test, per seed.
    validation_log_loss: Vec<f64>,
    validation_macro_f1: Vec<f64>,
    test_log_loss: Vec<f64>,
    test_macro_f1: Vec<f64>,
    test_mcc: Vec<f64>,
    seconds_per_epoch: Vec<f64>,
    epochs: Vec<usize>,
    labels_per_epoch: Vec<u64>,
}

/// The document on stdout.
#[derive(Debug, Serialize)]
struct Report {
    command: &'static str,
    data_hash: String,
    prior_log_loss: f64,
    config: SupervisedConfig,
    variants: Vec<Variant>,
}

impl Technique {
    const fn name(self) -> &'static str {
        match self {
            Self::Afl => "AFL",
            Self::Hnm => "HNM",
            Self::Ema => "EMA",
            Self::Sam => "SAM",
            Self::Lookahead => "Lookahead",
            Self::Agc => "AGC",
            Self::MixUp => "MixUp",
            Self::Smote => "SMOTE",
            Self::Augmentation => "augmentation",
            Self::Triplet => "triplet",
            Self::EveryStep => "every_step",
            Self::Balance => "class balance",
            Self::Smoothing => "smoothing",
        }
    }

    fn is_on(self, config: &SupervisedConfig) -> bool {
        match self {
            Self::Afl => config.loss.asymmetric_focal,
            Self::Hnm => config.sampling.hard_negatives.enabled,
            Self::Ema => config.optimiser.average.enabled,
            Self::Sam => config.optimiser.sharpness.enabled,
            Self::Lookahead => config.optimiser.lookahead.enabled,
            Self::Agc => config.optimiser.adaptive_clipping.enabled,
            Self::MixUp => config.augmentation.mix_up.alpha > 0.0,
            Self::Smote => config.augmentation.smote.is_on(),
            Self::Augmentation => {
                config.augmentation.noise.deviation > 0.0 || config.augmentation.time_mask.probability > 0.0
            }
            Self::Triplet => config.loss.triplet.weight > 0.0,
            Self::EveryStep => config.objective == Objective::EveryStep,
            Self::Balance => config.sampling.class_balanced,
            Self::Smoothing => config.loss.smoothing > 0.0,
        }
    }

    /// Switches it, with strengths from the papers where it has one.
    fn switch(self, on: bool, config: &mut SupervisedConfig) {
        match self {
            Self::Afl => config.loss.asymmetric_focal = on,
            Self::Hnm => {
                let mining = &mut config.sampling.hard_negatives;
                mining.enabled = on;
                // In a short training it must begin early to show anything.
                mining.start_epoch = mining.start_epoch.min(config.epochs / 4);
                mining.full_epoch = mining.full_epoch.min(config.epochs * 3 / 4).max(mining.start_epoch);
            }
            Self::Ema => config.optimiser.average.enabled = on,
            Self::Sam => config.optimiser.sharpness.enabled = on,
            Self::Lookahead => config.optimiser.lookahead.enabled = on,
            Self::Agc => config.optimiser.adaptive_clipping.enabled = on,
            Self::MixUp => config.augmentation.mix_up.alpha = if on { 0.2 } else { 0.0 },
            Self::Smote => config.augmentation.smote.enabled = on,
            Self::Augmentation => {
                config.augmentation.noise.deviation = if on { 0.05 } else { 0.0 };
                config.augmentation.time_mask.probability = if on { 0.2 } else { 0.0 };
            }
            Self::Triplet => config.loss.triplet.weight = if on { 0.1 } else { 0.0 },
            Self::EveryStep => {
                config.objective = if on { Objective::EveryStep } else { Objective::LastStep };
            }
            Self::Balance => config.sampling.class_balanced = on,
            Self::Smoothing => config.loss.smoothing = if on { 0.02 } else { 0.0 },
        }
    }
}

pub(crate) fn run(
    arguments: &Arguments,
    mut configuration: Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    configuration.take(&arguments.train.source.input);
    ensure!(
        !arguments.train.resume && arguments.train.commit.is_none(),
        "`ablate` keeps no checkpoint and writes no bundle; leave out --resume and --commit"
    );
    configuration.supervised.validate().context("section `supervised`")?;
    let base = configuration.supervised.clone();
    let techniques: Vec<Technique> = if arguments.techniques.is_empty() {
        let fits = |one: &Technique| *one != Technique::Smote || base.objective == Objective::LastStep;
        Technique::value_variants().iter().copied().filter(fits).collect()
    } else {
        arguments.techniques.clone()
    };
    let mut variants = vec![("as configured".to_owned(), None, base.clone())];
    for technique in techniques {
        let on = !technique.is_on(&base);
        let mut config = base.clone();
        technique.switch(on, &mut config);
        config.validate().with_context(|| format!("{} switched {}", technique.name(), word(on)))?;
        variants.push((format!("{} {}", technique.name(), word(on)), Some((technique, on)), config));
    }
    let out = arguments.train.out.clone().unwrap_or_else(|| configuration.out.clone());
    let directory = named_directory(&out, &format!("{}-ablation", arguments.train.name))?;
    let shown = directory.display();
    let first = variants[0].0.replace(' ', "-");
    ensure!(
        arguments.train.overwrite || !directory.exists(),
        "{shown}: it exists; give another --name, or --overwrite"
    );
    ensure!(
        !directory.exists() || directory.join(RESULTS).exists() || directory.join(&first).exists(),
        "{shown}: it holds no ablation of this program, so it is not replaced; give another --name or --out"
    );
    let job = prepare(&arguments.train.source, &configuration, common)?;
    remove_directory(&directory)?;
    let mut report = Report {
        command: "ablate",
        data_hash: job.data_hash.clone(),
        prior_log_loss: 0.0,
        config: base,
        variants: Vec::new(),
    };
    for (name, changed, config) in variants {
        let variant = measure(&job, &name, changed, &config, arguments, &configuration, &directory, common)?;
        report.prior_log_loss = variant.1;
        report.variants.push(variant.0);
        crate::report::write(&directory.join(RESULTS), &report)?;
    }
    if common.is_json() {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(Outcome::finding_if(!job.candles.refused.is_empty()))
}

const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[expect(clippy::too_many_arguments, reason = "one call, and what it takes has no other common name")]
fn measure(
    job: &TrainingJob,
    name: &str,
    changed: Option<(Technique, bool)>,
    config: &SupervisedConfig,
    arguments: &Arguments,
    configuration: &Configuration,
    directory: &std::path::Path,
    common: &CommonArguments,
) -> anyhow::Result<(Variant, f64)> {
    let mut variant = Variant {
        name: name.to_owned(),
        technique: changed.map(|(technique, _)| technique),
        on: changed.map(|(_, on)| on),
        seeds: Vec::new(),
        validation_log_loss: Vec::new(),
        validation_macro_f1: Vec::new(),
        test_log_loss: Vec::new(),
        test_macro_f1: Vec::new(),
        test_mcc: Vec::new(),
        seconds_per_epoch: Vec::new(),
        epochs: Vec::new(),
        labels_per_epoch: Vec::new(),
    };
    let device = configuration.device.device()?;
    let mut prior_log_loss = f64::NAN;
    for number in 0..u64::from(arguments.train.seeds) {
        let mut config = config.clone();
        config.seed = configuration.supervised.seed.wrapping_add(number);
        let own: PathBuf = directory.join(name.replace(' ', "-")).join(format!("seed-{}", config.seed));
        let mut recorder = Recorder::start(&own, &config, common)?;
        let trained =
            train(&job.dataset, &config, &device, &job.data_hash, Checkpoints::default(), &mut recorder)?;
        let last = trained.history.last().cloned();
        variant.epochs.push(trained.history.len());
        let bundle = job.finish(trained, &config, name, None, None)?.bundle;
        let of = |part: &str| bundle.metrics.get(part).context("a part was not judged");
        let (validation, test) = (of("validation")?, of("test")?);
        tracing::info!("{name}, seed {}: test macro-F1 {:.4}", config.seed, test.decided.macro_f1);
        variant.seeds.push(config.seed);
        variant.validation_log_loss.push(validation.decided.log_loss);
        variant.validation_macro_f1.push(validation.decided.macro_f1);
        variant.test_log_loss.push(test.decided.log_loss);
        variant.test_macro_f1.push(test.decided.macro_f1);
        variant.test_mcc.push(test.decided.mcc);
        variant.seconds_per_epoch.extend(recorder.seconds_per_epoch());
        variant.labels_per_epoch.extend(last.map(|epoch| epoch.labels));
        prior_log_loss = test.decided.prior_log_loss;
    }
    Ok((variant, prior_log_loss))
}

/// `mean ± standard deviation of the seeds`, with the deviation of the sample.
fn spread(values: &[f64]) -> String {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    if values.len() < 2 {
        return format!("{mean:.4}");
    }
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0);
    format!("{mean:.4} ± {:.4}", variance.sqrt())
}

fn print(report: &Report) -> anyhow::Result<()> {
    let mut table = Table::new([
        "variant",
        "validation log-loss",
        "validation macro-F1",
        "test log-loss",
        "test macro-F1",
        "test MCC",
        "s/epoch",
        "epochs",
    ]);
    for variant in &report.variants {
        let epochs: Vec<f64> = variant.epochs.iter().map(|epochs| *epochs as f64).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
        table.row([
            variant.name.clone(),
            spread(&variant.validation_log_loss),
            spread(&variant.validation_macro_f1),
            spread(&variant.test_log_loss),
            spread(&variant.test_macro_f1),
            spread(&variant.test_mcc),
            format!("{:.1}", mean(&variant.seconds_per_epoch)),
            format!("{:.1}", mean(&epochs)),
        ]);
    }
    table.print()?;
    print_text(&format!("log-loss of the training shares on the test: {:.4}\n", report.prior_log_loss))
}
