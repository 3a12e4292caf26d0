//! `train-supervised tune`: searches settings on validation folds. The test part is never looked at.

mod objective;
mod report;
mod section;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use command_line::{Bar, CommonArguments, Outcome};
use labels::splits::{SplitPlan, TimeRange};
use supervised::tuning::{Study, StudyRecord, Trial, TrialState, tune};
use supervised::{Device, TrainingJob};

pub(crate) use section::TuningSection;

use crate::Source;
use crate::configuration::Configuration;
use crate::training::prepare;
use objective::{FoldObjective, folds};
use report::{Fold, TuneReport, check_out};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,

    /// Trials of the study after which the search ends: finished, pruned and diverged ones of all processes count
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    trials: u32,

    /// File of the study; where there is one, the search goes on, and several processes may search at once
    #[arg(long, value_name = "FILE")]
    study: PathBuf,

    /// Directory for best.toml and the pictures [default: that of the study]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Name of this process in the study [default: its id]
    #[arg(long, value_name = "NAME")]
    process: Option<String>,

    /// Take up again the trials that are left running; say it only when none of their processes lives any more
    #[arg(long)]
    reclaim: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    mut configuration: Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    configuration.take(&arguments.source.input);
    configuration.supervised.validate().context("section `supervised`")?;
    configuration.tuning.validate(&configuration.supervised)?;
    let device = configuration.device.device()?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => arguments.study.parent().unwrap_or(Path::new("")).to_owned(),
    };
    check_out(&out, &arguments.study)?;
    let job = prepare(&arguments.source, &configuration, common)?;
    let plans = folds(&job.periods, configuration.tuning.folds, configuration.validation_days)?;
    let context = context(&job, &configuration, &plans)?;
    let record = search(arguments, &configuration, common, &job, &plans, &context, &device)?;
    let before = configuration.trials.unwrap_or(0);
    let mut report = TuneReport::of(&arguments.study, &record, shown(&plans), &job, before);
    if !out.as_os_str().is_empty() {
        make_directory(&out)?;
    }
    report.write_files(&out, &record, &configuration, &job)?;
    report.print(common)?;
    Ok(Outcome::finding_if(!job.candles.refused.is_empty() || !report.has_finished()))
}

/// Runs trials until the study has enough of them; not one where it has.
fn search(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
    job: &TrainingJob,
    plans: &[SplitPlan],
    context: &[(&'static str, String)],
    device: &Device,
) -> anyhow::Result<StudyRecord> {
    let path = &arguments.study;
    let trials = arguments.trials as usize;
    let known = known(path, context)?;
    let text: Vec<String> = context.iter().map(|(name, value)| format!("{name} {value}")).collect();
    let definition = configuration.tuning.definition(&configuration.supervised, text.join("; "));
    let process = arguments.process.clone().unwrap_or_else(|| std::process::id().to_string());
    if known.is_some_and(|record| record.counts().settled() >= trials) {
        // Opened all the same: it must be this study.
        return Ok(Study::open(path, &definition, &process)?.record().clone());
    }
    let bar = common.progress().bar(trials as u64, "folds");
    // What cannot be learned from is refused before anything is written.
    let objective = FoldObjective::prepare(job, &configuration.supervised, plans, device, &bar)?;
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        make_directory(directory)?;
    }
    let mut study = Study::open(path, &definition, &process)?;
    take_up(&mut study, arguments.reclaim)?;
    bar.set_position(study.record().counts().settled() as u64);
    let outcome = tune(
        &mut study,
        trials,
        |assignment, handle| {
            let values: Vec<String> =
                assignment.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            tracing::info!("trial {} begins: {}", handle.number(), values.join(", "));
            objective.value(assignment, handle)
        },
        |trial| say(trial, &bar),
    )?;
    bar.finish();
    if outcome.counts.settled() < trials {
        tracing::warn!(
            "{} of {trials} trials are settled, and trials {:?} run in other processes; where those are gone, go on with --reclaim",
            outcome.counts.settled(),
            outcome.running_elsewhere
        );
    }
    study.refresh()?;
    Ok(study.record().clone())
}

/// Abandons trials that are left running, so that they are begun anew, or says that there are some.
fn take_up(study: &mut Study, reclaim: bool) -> anyhow::Result<()> {
    for number in study.running() {
        let process = study.record().trials.get(number).map_or(String::new(), |trial| trial.process.clone());
        if reclaim {
            study.abandon(number)?;
            tracing::info!("trial {number} of process {process} is begun anew");
        } else {
            tracing::warn!("trial {number} runs in process {process}; if that is gone, give --reclaim");
        }
    }
    Ok(())
}

fn say(trial: &Trial, bar: &Bar) {
    bar.advance(1);
    let number = trial.number;
    let last = trial.reports.last();
    match &trial.state {
        TrialState::Finished(value) => tracing::info!("trial {number} finished: {value:.6}"),
        TrialState::Pruned => tracing::info!(
            "trial {number} pruned after {} epochs at {:.6}",
            last.map_or(0, |report| report.step),
            last.map_or(f64::NAN, |report| report.value)
        ),
        state => tracing::info!("trial {number}: {state:?}"),
    }
}

/// What must be the same for values to be comparable, by name.
fn context(
    job: &TrainingJob,
    configuration: &Configuration,
    plans: &[SplitPlan],
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let hash = |parts: &[&str]| {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part.as_bytes()).update(&[0]);
        }
        hasher.finalize().to_hex()[..16].to_owned()
    };
    let candles = job.candles.hash();
    let keys: Vec<String> = job.dataset.series().iter().map(|series| series.key().to_string()).collect();
    let mut of_candles = vec![candles.as_str()];
    of_candles.extend(keys.iter().map(String::as_str));
    let settings = serde_json::to_string(&configuration.supervised).context("section `supervised`")?;
    let spans =
        |ranges: &[TimeRange]| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let folds: Vec<String> =
        plans.iter().map(|plan| format!("{} | {}", spans(plan.train()), spans(plan.test()))).collect();
    Ok(vec![
        ("candles", hash(&of_candles)),
        ("labeler", hash(&[&job.labeler.to_toml()])),
        ("features", hash(&[job.dataset.feature_hash()])),
        ("folds", folds.join(", ")),
        ("settings", hash(&[&settings])),
        ("device", format!("{:?}", configuration.device)),
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
    ])
}

/// The study as it stands, where there is one. One with other data or settings is refused with the names of what differs.
fn known(path: &Path, context: &[(&'static str, String)]) -> anyhow::Result<Option<StudyRecord>> {
    // An empty file is where a study begins.
    if std::fs::metadata(path).map_or(true, |found| found.len() == 0) {
        return Ok(None);
    }
    let record = StudyRecord::read(path)?;
    let there: Vec<Option<(&str, &str)>> =
        record.definition.context.split("; ").map(|part| part.split_once(' ')).collect();
    let differs: Vec<String> = context
        .iter()
        .filter_map(|(name, here)| {
            let (_, was) = there.iter().flatten().find(|(known, _)| known == name)?;
            (was != here).then(|| format!("{name} (there {was}, here {here})"))
        })
        .collect();
    ensure!(
        differs.is_empty(),
        "{}: it is a study of other {}; its trials cannot be compared with new ones: name another file with --study, or search as there",
        path.display(),
        differs.join(", ")
    );
    Ok(Some(record))
}

fn shown(plans: &[SplitPlan]) -> Vec<Fold> {
    let intervals = <[TimeRange]>::to_vec;
    plans
        .iter()
        .map(|plan| Fold { training: intervals(plan.train()), validation: intervals(plan.test()) })
        .collect()
}

fn make_directory(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("{}: cannot create the directory", path.display()))
}
