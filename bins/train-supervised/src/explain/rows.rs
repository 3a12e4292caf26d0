//! Which rows are explained, and which they are compared with.

use anyhow::{Context, bail, ensure};
use command_line::CommonArguments;
use features::ScaledFrame;
use labels::LabelSeries;
use market_data::{SeriesKey, Timestamp};
use rayon::prelude::*;
use serde::Serialize;
use supervised::explanation::{BackgroundConfig, draw_background};
use supervised::{CandleSource, ModelBundle, TimeRange};

use super::Arguments;

/// All series, scaled, with the rows that may be explained and those of the training time.
pub(crate) struct Rows {
    series: Vec<SeriesRows>,
    /// Rows back that a model sees, in the order of its input.
    offsets: Vec<usize>,
    seen_rows: usize,
    training: Vec<TimeRange>,
}

struct SeriesRows {
    key: SeriesKey,
    frame: ScaledFrame,
    labels: LabelSeries,
    wanted: Vec<usize>,
    training: Vec<usize>,
    /// Usable rows with a label, whichever.
    labelled: Vec<usize>,
    seen_rows: usize,
}

/// One row with what lies before it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Position of the series among those that were read.
    pub(crate) series_index: u32,
    pub(crate) series: String,
    pub(crate) open_time: Timestamp,
    pub(crate) class: u8,
}

/// Windows: rows, each with what lies before it.
pub(crate) struct Chosen {
    pub(crate) places: Vec<Place>,
    /// `[windows, rows back, columns]`
    pub(crate) values: Vec<f32>,
    /// Columns of a row.
    pub(crate) width: usize,
    source: &'static str,
}

/// Where a background comes from.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BackgroundOrigin {
    /// `training`, or `earlier` where it is from rows before the explained ones.
    source: &'static str,
    windows: usize,
    first: Timestamp,
    last: Timestamp,
}

impl Chosen {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn first_time(&self) -> Option<Timestamp> {
        self.places.iter().map(|place| place.open_time).min()
    }

    pub(crate) fn origin(&self) -> BackgroundOrigin {
        let times = || self.places.iter().map(|place| place.open_time);
        let none = Timestamp::from_millis(0);
        let (first, last) = (times().min().unwrap_or(none), times().max().unwrap_or(none));
        BackgroundOrigin { source: self.source, windows: self.len(), first, last }
    }
}

impl Rows {
    /// Computes and scales the features of all series.
    pub(crate) fn read(
        candles: &CandleSource,
        bundle: &ModelBundle,
        offsets: &[usize],
        arguments: &Arguments,
        common: &CommonArguments,
    ) -> anyhow::Result<Self> {
        let training = bundle.origin.intervals.get("training").cloned().unwrap_or_default();
        let bar = common.progress().bar(candles.keys.len() as u64, "features");
        let read = |key: &SeriesKey| {
            let rows = SeriesRows::read(key, candles, bundle, offsets, &training, arguments);
            bar.advance(1);
            rows
        };
        let series = candles.keys.par_iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
        bar.finish();
        let seen_rows = series.iter().map(|one| one.seen_rows).sum();
        if seen_rows > 0 && !arguments.seen {
            tracing::info!(
                "{seen_rows} rows lie in the training or validation time of the bundle and are not explained; --seen explains them too"
            );
        }
        Ok(Self { series, offsets: offsets.to_vec(), seen_rows, training })
    }

    /// How many rows may be explained.
    pub(crate) fn candidates(&self) -> usize {
        self.series.iter().map(|one| one.wanted.len()).sum()
    }

    /// The rows to explain: evenly spread over those asked for, series by series.
    pub(crate) fn windows(&self, count: usize) -> anyhow::Result<Chosen> {
        let all: Vec<(usize, usize)> = self.places(|one| &one.wanted);
        if all.is_empty() && self.seen_rows > 0 {
            bail!(
                "the bundle saw all of this time; give later candles, or explain these all the same with --seen"
            );
        }
        ensure!(
            !all.is_empty(),
            "nothing to explain: no row asked for has features, a label and {} rows before it",
            self.reach()
        );
        if all.len() < count {
            tracing::warn!("there are {} rows to explain, not {count}", all.len());
        }
        let count = count.min(all.len());
        let chosen: Vec<(usize, usize)> =
            (0..count).map(|window| all[(2 * window + 1) * all.len() / (2 * count)]).collect();
        self.copy(&chosen, "explained")
    }

    /// Windows of the training time to compare with.
    pub(crate) fn background(
        &self,
        config: &BackgroundConfig,
        first: Option<Timestamp>,
        arguments: &Arguments,
    ) -> anyhow::Result<Chosen> {
        let mut source = "training";
        let mut all = self.places(|one| &one.training);
        if all.len() < config.windows {
            let spans: Vec<String> =
                self.training.iter().map(|span| format!("{} to {}", span.from, span.to)).collect();
            ensure!(
                arguments.earlier_background,
                "the background is drawn from the training time of the bundle ({}), of which these candles hold {} usable rows where {} are to be drawn; give candles of that time too (`data-loader import` joins files of one series), or take what lies before the explained rows with --earlier-background",
                spans.join(", "),
                all.len(),
                config.windows
            );
            source = "earlier";
            all = self.places(|one| &one.labelled);
            all.retain(|(series, row)| {
                let window = self.series[*series].labels.window(*row);
                window.is_some_and(|window| first.is_some_and(|first| window.end <= first))
            });
            tracing::warn!(
                "these candles do not cover the training time; the background is drawn from {} rows before the explained ones",
                all.len()
            );
        }
        let classes = all
            .iter()
            .map(|(series, row)| self.series[*series].class(*row))
            .collect::<anyhow::Result<Vec<u8>>>()?;
        let drawn = draw_background(&classes, config)?;
        let chosen: Vec<(usize, usize)> = drawn.into_iter().map(|position| all[position]).collect();
        self.copy(&chosen, source)
    }

    fn reach(&self) -> usize {
        self.offsets.iter().copied().max().unwrap_or(0)
    }

    fn places(&self, rows: impl Fn(&SeriesRows) -> &Vec<usize>) -> Vec<(usize, usize)> {
        let of = |(series, one)| rows(one).iter().map(move |row| (series, *row));
        self.series.iter().enumerate().flat_map(of).collect()
    }

    fn copy(&self, chosen: &[(usize, usize)], source: &'static str) -> anyhow::Result<Chosen> {
        let width = self.series.first().map_or(0, |one| one.frame.width());
        let mut values = vec![0.0; chosen.len() * self.offsets.len() * width];
        let mut places = Vec::with_capacity(chosen.len());
        let windows = values.chunks_exact_mut(self.offsets.len() * width);
        for ((series, row), window) in chosen.iter().zip(windows) {
            let one = &self.series[*series];
            for (back, out) in self.offsets.iter().zip(window.chunks_exact_mut(width)) {
                let row = row.checked_sub(*back).context("a window begins before its series")?;
                one.frame.copy_rows(row..row + 1, out)?;
            }
            places.push(Place {
                series_index: *series as u32,
                series: one.key.to_string(),
                open_time: one.frame.open_times()[*row],
                class: one.class(*row)?,
            });
        }
        Ok(Chosen { places, values, width, source })
    }
}

impl SeriesRows {
    fn read(
        key: &SeriesKey,
        candles: &CandleSource,
        bundle: &ModelBundle,
        offsets: &[usize],
        training: &[TimeRange],
        arguments: &Arguments,
    ) -> anyhow::Result<Self> {
        let labels = candles.labels(key, &bundle.labeler)?;
        let frame = candles.frame(key, &bundle.spec)?;
        let frame = bundle.fit.scaler.scale_selected(frame, &bundle.fit.selection).with_context(|| {
            format!("the model was trained on features of {} candles", bundle.origin.timeframe)
        })?;
        let reach = offsets.iter().copied().max().unwrap_or(0);
        let (mut wanted, mut in_training, mut labelled, mut seen_rows) =
            (Vec::new(), Vec::new(), Vec::new(), 0);
        for row in frame.runs().into_iter().flat_map(|run| run.start + reach..run.end) {
            let (Some(_), Some(window)) = (labels.label(row), labels.window(row)) else { continue };
            labelled.push(row);
            let within = |span: &TimeRange| span.from <= window.start && window.end <= span.to;
            if training.iter().any(within) {
                in_training.push(row);
            }
            let asked_for = arguments.from.is_none_or(|from| window.start >= from)
                && arguments.to.is_none_or(|to| window.start < to);
            if asked_for {
                let seen = bundle.origin.saw(&window);
                seen_rows += usize::from(seen);
                if arguments.seen || !seen {
                    wanted.push(row);
                }
            }
        }
        Ok(Self { key: key.clone(), frame, labels, wanted, training: in_training, labelled, seen_rows })
    }

    fn class(&self, row: usize) -> anyhow::Result<u8> {
        let label =
            self.labels.label(row).with_context(|| format!("row {row} of {} has no label", self.key))?;
        Ok(label.index() as u8)
    }
}
