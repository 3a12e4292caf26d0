//! What a trial is worth: the mean over walk-forward folds of its best epoch's validation.

use anyhow::Context;
use command_line::Bar;
use labels::splits::{LastDays, SplitPlan};
use supervised::dataset::{Dataset, Part, prepare};
use supervised::metrics::MetricName;
use supervised::tuning::{Advice, Assignment, TrialHandle};
use supervised::{
    Checkpoints, Device, EpochReport, Observer, Periods, StepReport, SupervisedConfig, SupervisedError,
    TrainingJob, train,
};

use super::section::{assigned, table};

/// The folds, earliest first: each validates `validation_days` and trains on all that comes before them; the last is
/// the division of a training. The test lies behind all of them.
pub(super) fn folds(periods: &Periods, count: u32, validation_days: u32) -> anyhow::Result<Vec<SplitPlan>> {
    let mut plans = vec![periods.inner.clone()];
    for _ in 1..count {
        let learned = plans.last().and_then(|plan| plan.train().first()).copied();
        let learned = learned.context("a fold has no training time")?;
        let earlier = LastDays { validation_days }.plan(learned).with_context(|| {
            format!("`tuning.folds` = {count} validations of `validation_days` = {validation_days} each")
        })?;
        plans.extend(earlier);
    }
    plans.reverse();
    Ok(plans)
}

/// Everything that trials have in common.
pub(super) struct FoldObjective<'a> {
    job: &'a TrainingJob,
    base: toml::Table,
    metric: MetricName,
    epochs: u64,
    /// The datasets of all folds but the last, which is the job's own.
    earlier: Vec<Dataset>,
    device: &'a Device,
    bar: &'a Bar,
}

impl<'a> FoldObjective<'a> {
    /// Makes the datasets: scaler and selection are fitted anew on the training time of each fold.
    pub(super) fn prepare(
        job: &'a TrainingJob,
        config: &SupervisedConfig,
        folds: &[SplitPlan],
        device: &'a Device,
        bar: &'a Bar,
    ) -> anyhow::Result<Self> {
        let mut earlier = Vec::new();
        for (number, plan) in folds.iter().take(folds.len().saturating_sub(1)).enumerate() {
            let what = || {
                let shown = |range: &[_]| range.first().map(ToString::to_string).unwrap_or_default();
                let (training, validation) = (shown(plan.train()), shown(plan.test()));
                format!(
                    "fold {number} of `tuning.folds` = {}: training on {training}, validation on {validation}",
                    folds.len()
                )
            };
            let labelled = job.candles.labelled_as(&job.dataset, &job.spec, &job.labeler)?;
            let (dataset, _fit) = prepare(labelled, plan, &config.preparation).with_context(what)?;
            for excluded in dataset.excluded() {
                tracing::warn!("fold {number}: {} is left out: {}", excluded.series, excluded.reason);
            }
            for part in [Part::Training, Part::Validation] {
                dataset.class_shares(part).with_context(what)?;
            }
            earlier.push(dataset);
        }
        Ok(Self {
            job,
            base: table(config)?,
            metric: config.validation.metric,
            epochs: config.epochs as u64,
            earlier,
            device,
            bar,
        })
    }

    /// Trains on each fold. NaN where a training left the finite numbers, and where the values do not fit together:
    /// either way they are at fault, and the sampler is to learn it.
    ///
    /// # Errors
    /// Those of training that have other reasons, and of the study's file.
    pub(super) fn value(&self, assignment: &Assignment, handle: &mut TrialHandle<'_>) -> anyhow::Result<f64> {
        let number = handle.number();
        let config = match assigned(&self.base, assignment) {
            Ok(config) => config,
            Err(error) => {
                tracing::warn!("trial {number}: no training takes these values: {error:#}");
                return Ok(f64::NAN);
            }
        };
        let mut values = Vec::new();
        for (fold, dataset) in self.earlier.iter().chain([&self.job.dataset]).enumerate() {
            let mut observer = FoldObserver {
                metric: self.metric,
                steps_before: fold as u64 * self.epochs,
                before: &values,
                best: None,
                pruned: false,
                label: format!("trial {number} fold {fold}"),
                bar: self.bar,
                handle,
            };
            let hash = &self.job.data_hash;
            let trained = train(dataset, &config, self.device, hash, Checkpoints::default(), &mut observer);
            let FoldObserver { best, pruned, .. } = observer;
            match trained {
                Ok(_) if pruned => return Ok(f64::NAN),
                Ok(_) => values.push(best.unwrap_or(f64::NAN)),
                Err(error @ SupervisedError::Diverged { .. }) => {
                    tracing::warn!("trial {number}, fold {fold}: {error}");
                    return Ok(f64::NAN);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(mean(&values))
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Follows the training of one fold and tells the study.
struct FoldObserver<'a, 'b> {
    metric: MetricName,
    /// Epochs of the folds before this one; fewer may have run, where patience ended.
    steps_before: u64,
    /// Values of the folds before this one.
    before: &'a [f64],
    /// Of the epochs of this fold.
    best: Option<f64>,
    pruned: bool,
    label: String,
    bar: &'a Bar,
    handle: &'a mut TrialHandle<'b>,
}

impl Observer for FoldObserver<'_, '_> {
    fn step(&mut self, _report: StepReport) {}

    fn epoch(&mut self, report: &EpochReport) -> Result<bool, SupervisedError> {
        self.bar.set_label(format!("{} epoch {}", self.label, report.epoch));
        if report.best {
            self.best = Some(report.validation.get(self.metric));
        }
        // What would come out if training ended here. Early in a fold it stands beside other trials at the same place.
        let so_far = self.before.iter().copied().chain(self.best).collect::<Vec<_>>();
        let value = mean(&so_far);
        if self.best.is_none() || !value.is_finite() {
            return Ok(true);
        }
        let step = self.steps_before + report.epoch as u64 + 1;
        self.pruned = self.handle.report(step, value)? == Advice::Prune;
        Ok(!self.pruned)
    }
}

#[cfg(test)]
mod tests {
    use labels::splits::TimeRange;
    use market_data::Timestamp;

    use super::*;
    use crate::configuration::Configuration;

    #[test]
    fn folds_walk_forward_and_end_before_the_test() {
        let day = |day: i64| Timestamp::from_millis(1_700_000_000_000 + day * 86_400_000);
        let configuration = Configuration { validation_days: 10, ..Configuration::default() };
        let periods = crate::data::periods(&configuration, TimeRange::new(day(0), day(100))).unwrap();
        let plans = folds(&periods, 3, 10).unwrap();
        let shown: Vec<_> = plans.iter().map(|plan| (plan.train().to_vec(), plan.test().to_vec())).collect();
        let range = |from, to| vec![TimeRange::new(day(from), day(to))];
        assert_eq!(
            shown,
            [(range(0, 50), range(50, 60)), (range(0, 60), range(60, 70)), (range(0, 70), range(70, 80))]
        );
        assert_eq!(plans[2], periods.inner);
        assert_eq!(periods.outer.test(), range(80, 100));
        let error = folds(&periods, 8, 10).unwrap_err();
        assert!(format!("{error:#}").contains("`tuning.folds` = 8"), "{error:#}");
    }
}
