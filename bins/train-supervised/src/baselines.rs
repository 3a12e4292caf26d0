//! The baselines of a training: fitted, judged and set beside the xLSTM.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use command_line::CommonArguments;
use serde::Serialize;
use supervised::baseline::{
    Baseline, BaselineKind, BaselineRun, BaselinesConfig, FittedBaseline, fit_baseline,
};
use supervised::comparison::{Comparison, SeedSummary};
use supervised::dataset::{Dataset, Part, prepare_with};
use supervised::{
    Assessment, Checkpoints, Device, JudgedRows, StoredBaseline, SupervisedConfig, SupervisedError,
    TrainingJob, assess_judged,
};

use crate::progress::Recorder;

/// Parts that models are judged on.
pub(crate) const PARTS: [&str; 2] = ["validation", "test"];

/// What one seed of a baseline gave.
#[derive(Debug, Serialize)]
pub(crate) struct BaselineSeed {
    pub(crate) seed: u64,
    pub(crate) validation: Assessment,
    pub(crate) test: Assessment,
    /// The xLSTM of the same seed minus this model, on the test part.
    pub(crate) comparison: Comparison,
}

/// A kind of model over all seeds.
#[derive(Debug, Serialize)]
pub(crate) struct BaselineReport {
    pub(crate) model: BaselineKind,
    pub(crate) seeds: Vec<BaselineSeed>,
    pub(crate) summary: ModelSummary,
}

/// Scores on the test part over all seeds.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ModelSummary {
    pub(crate) macro_f1: SeedSummary,
    pub(crate) mcc: SeedSummary,
    pub(crate) log_loss: SeedSummary,
    /// Absent where a seed has none.
    pub(crate) direction_auc: Option<SeedSummary>,
}

impl ModelSummary {
    pub(crate) fn of<'a>(tests: impl Iterator<Item = &'a Assessment>) -> anyhow::Result<Self> {
        let tests: Vec<&Assessment> = tests.collect();
        let over = |value: fn(&Assessment) -> f64| {
            SeedSummary::of(&tests.iter().map(|test| value(test)).collect::<Vec<_>>())
        };
        let direction: Option<Vec<f64>> = tests.iter().map(|test| test.direction_auc).collect();
        Ok(Self {
            macro_f1: over(|test| test.decided.macro_f1)?,
            mcc: over(|test| test.decided.mcc)?,
            log_loss: over(|test| test.decided.log_loss)?,
            direction_auc: direction.map(|values| SeedSummary::of(&values)).transpose()?,
        })
    }
}

/// Refuses settings that no baseline can be fitted with, before anything is written.
pub(crate) fn check(config: &BaselinesConfig) -> anyhow::Result<()> {
    config.validate().context("section `baselines`")?;
    ensure!(!config.models.is_empty(), "section `baselines`: `models` names none; name at least one");
    Ok(())
}

/// What is the same for all seeds.
pub(crate) struct Baselines<'a> {
    job: &'a TrainingJob,
    config: &'a BaselinesConfig,
    device: &'a Device,
    /// The rows of the test part.
    test: Dataset,
    /// Models that no seed changes, and what they say of the rows of both parts.
    fitted: BTreeMap<BaselineKind, (Baseline, Vec<JudgedRows>)>,
    resume: bool,
}

/// A fit that a resumed run can take up: what it was made from.
#[derive(Serialize)]
struct Key<'a> {
    data_hash: &'a str,
    config: &'a BaselinesConfig,
    supervised: &'a SupervisedConfig,
}

impl<'a> Baselines<'a> {
    pub(crate) fn prepare(
        job: &'a TrainingJob,
        config: &'a BaselinesConfig,
        device: &'a Device,
        resume: bool,
    ) -> anyhow::Result<Self> {
        let labelled = job.candles.labelled_as(&job.dataset, &job.spec, &job.labeler)?;
        let test = prepare_with(labelled, &job.periods.outer, &job.fit)?;
        Ok(Self { job, config, device, test, fitted: BTreeMap::new(), resume })
    }

    /// Fits, judges and compares all of them with the model of this seed.
    pub(crate) fn of_seed(
        &mut self,
        directory: &Path,
        config: &SupervisedConfig,
        model: &BTreeMap<&'static str, JudgedRows>,
        common: &CommonArguments,
    ) -> anyhow::Result<Vec<StoredBaseline>> {
        let mut all = Vec::with_capacity(self.config.models.len());
        for kind in &self.config.models {
            let own = directory.join("baselines").join(kind.name());
            let stored = self
                .one(*kind, &own, config, model, common)
                .with_context(|| format!("the baseline {kind}"))?;
            all.push(stored);
        }
        all.sort_by_key(|stored| stored.baseline.kind);
        Ok(all)
    }

    fn one(
        &mut self,
        kind: BaselineKind,
        directory: &Path,
        config: &SupervisedConfig,
        model: &BTreeMap<&'static str, JudgedRows>,
        common: &CommonArguments,
    ) -> anyhow::Result<StoredBaseline> {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("{}: cannot create the directory", directory.display()))?;
        let key_path = directory.join("key.json");
        let model_path = directory.join("model.msgpack");
        let key = Key { data_hash: &self.job.data_hash, config: self.config, supervised: config };
        let key = serde_json::to_string_pretty(&key)?;
        let same = std::fs::read_to_string(&key_path).is_ok_and(|written| written == key);
        if self.resume && same && model_path.exists() {
            return Ok(StoredBaseline::read(&model_path)?);
        }
        let (baseline, judged) = match self.fitted.get(&kind) {
            Some(fitted) => fitted.clone(),
            None => self.fit(kind, directory, config, common)?,
        };
        if !kind.uses_seed() {
            self.fitted.insert(kind, (baseline.clone(), judged.clone()));
        }
        let stored = self.assess(baseline, &judged, config, model)?;
        stored.write(&model_path)?;
        std::fs::write(&key_path, key).with_context(|| format!("{}: cannot write", key_path.display()))?;
        Ok(stored)
    }

    fn fit(
        &self,
        kind: BaselineKind,
        directory: &Path,
        config: &SupervisedConfig,
        common: &CommonArguments,
    ) -> anyhow::Result<(Baseline, Vec<JudgedRows>)> {
        let begun = std::time::Instant::now();
        let mut recorder = Recorder::start(directory, config, common)?;
        let checkpoints = directory.join("checkpoints");
        let bar = common.progress().bar(1_000, kind.name());
        let FittedBaseline { baseline, validation } = fit_baseline(
            kind,
            &self.job.dataset,
            config,
            self.config,
            BaselineRun {
                device: self.device,
                data_hash: &self.job.data_hash,
                checkpoints: Checkpoints { directory: Some(&checkpoints), resume: self.resume },
                observer: &mut recorder,
                progress: &mut |done| bar.set_position((done * 1_000.0) as u64),
            },
        )?;
        bar.finish();
        tracing::info!("{kind}, seed {}: fitted in {:.1} s", config.seed, begun.elapsed().as_secs_f64());
        let judged = vec![
            baseline.judge_logits(&self.job.dataset, &validation)?,
            baseline.judge(&self.test, Part::Test, config, self.device)?,
        ];
        Ok((baseline, judged))
    }

    /// What it is worth on both parts, and beside the model.
    fn assess(
        &self,
        baseline: Baseline,
        judged: &[JudgedRows],
        config: &SupervisedConfig,
        model: &BTreeMap<&'static str, JudgedRows>,
    ) -> anyhow::Result<StoredBaseline> {
        let block = self.job.block();
        let prior = self.job.dataset.class_shares(Part::Training)?;
        let (mut metrics, mut comparisons) = (BTreeMap::new(), BTreeMap::new());
        for (name, judged) in PARTS.into_iter().zip(judged) {
            let assessed = assess_judged(judged, prior, block, config.seed)?;
            metrics.insert(name.to_owned(), assessed);
            let of_model = model.get(name).with_context(|| format!("the model was not judged on {name}"))?;
            comparisons.insert(name.to_owned(), Comparison::of(of_model, judged, block, config.seed)?);
        }
        Ok(StoredBaseline { baseline, config: self.config.clone(), metrics, comparisons })
    }
}

/// The reports of all kinds, from what every seed stored.
pub(crate) fn reports(seeds: &[(u64, Vec<StoredBaseline>)]) -> anyhow::Result<Vec<BaselineReport>> {
    let mut kinds: BTreeMap<BaselineKind, Vec<BaselineSeed>> = BTreeMap::new();
    for (seed, stored) in seeds {
        for one in stored {
            let assessed = |part: &str| one.metrics.get(part).cloned().context("a part was not judged");
            kinds.entry(one.baseline.kind).or_default().push(BaselineSeed {
                seed: *seed,
                validation: assessed(PARTS[0])?,
                test: assessed(PARTS[1])?,
                comparison: one.comparisons.get(PARTS[1]).cloned().context("a part was not compared")?,
            });
        }
    }
    let report = |(model, seeds): (BaselineKind, Vec<BaselineSeed>)| {
        let summary = ModelSummary::of(seeds.iter().map(|seed| &seed.test))?;
        Ok(BaselineReport { model, seeds, summary })
    };
    kinds.into_iter().map(report).collect()
}

/// The names of models on the command line.
pub(crate) fn parse_kind(name: &str) -> Result<BaselineKind, SupervisedError> {
    BaselineKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
        let names: Vec<&str> = BaselineKind::ALL.iter().map(|kind| kind.name()).collect();
        SupervisedError::Config {
            field: "--baselines".to_owned(),
            value: name.to_owned(),
            remedy: format!("give some of {}", names.join(", ")),
        }
    })
}
