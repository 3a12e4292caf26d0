//! Luck or skill: resampled paths, other settings, other spans.

use charts::{Bar, BarChart, Bins, ColourMap, HeatMap, Histogram, LineChart, Series};

use super::with_unit;
use crate::error::SimError;
use crate::report::calendar::{minute_text, ticks};
use crate::report::data::{MonteCarlo, NamedTable, ReportData, SensitivityGrid, WalkForward};
use crate::report::html::{Column, Markup, Page, Width, escape};
use crate::report::thinning::{DRAWN_POINTS, thin_curve};

/// Times at which quantiles of paths are drawn.
const FAN_POINTS: usize = 400;

/// Writes the section, where there is something in it.
pub(super) fn write(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    let walk_forward = data.walk_forward.as_ref().filter(|walk_forward| !walk_forward.folds.is_empty());
    let nothing = data.monte_carlo.is_none() && data.sensitivity.is_empty() && data.tables.is_empty();
    if nothing && walk_forward.is_none() {
        return Ok(());
    }
    page.open_section("robustness", "Robustness");
    if let Some(monte_carlo) = &data.monte_carlo {
        write_monte_carlo(page, data, monte_carlo)?;
    }
    if !data.sensitivity.is_empty() {
        page.heading("Sensitivity to settings");
        page.open_figures();
        data.sensitivity.iter().try_for_each(|grid| draw_grid(page, grid))?;
        page.close_figures();
    }
    if let Some(walk_forward) = walk_forward {
        write_walk_forward(page, walk_forward)?;
    }
    for table in &data.tables {
        write_table(page, table);
    }
    page.close_section();
    Ok(())
}

fn write_table(page: &mut Page, table: &NamedTable) {
    page.heading(&table.title);
    let mut columns: Vec<Column<'_>> = table.columns.iter().map(|name| Column::number(name)).collect();
    if let Some(first) = columns.first_mut() {
        first.number = false;
    }
    let cells = |row: &Vec<String>| row.iter().map(|text| Markup(escape(text))).collect();
    let rows: Vec<Vec<Markup>> = table.rows.iter().map(cells).collect();
    page.table(&table.note, &columns, &rows);
}

fn write_monte_carlo(page: &mut Page, data: &ReportData, monte_carlo: &MonteCarlo) -> Result<(), SimError> {
    page.heading("Monte Carlo");
    if !monte_carlo.method.is_empty() {
        page.paragraph("", &monte_carlo.method);
    }
    page.open_figures();
    if !monte_carlo.times.is_empty() && !monte_carlo.quantiles.is_empty() {
        draw_fan(page, data, monte_carlo)?;
    }
    if !monte_carlo.final_equity.is_empty() {
        let reached: Vec<(&str, f64)> =
            data.equity.values.last().map(|last| ("this backtest", *last)).into_iter().collect();
        let label = with_unit("final equity", &data.currency);
        let chart = Histogram {
            title: "Final equity of the paths",
            value_label: &label,
            values: &monte_carlo.final_equity,
            bins: Bins::FreedmanDiaconis,
            references: &reached,
        };
        let note = format!("{} paths.", monte_carlo.final_equity.len());
        page.figure(Width::Half, &note, |style| chart.svg(style))?;
    }
    page.close_figures();
    Ok(())
}

/// Quantiles as bands from the outermost pair inwards, the one left over in the middle as a line, the backtest on top.
fn draw_fan(page: &mut Page, data: &ReportData, monte_carlo: &MonteCarlo) -> Result<(), SimError> {
    // Quantiles are smooth, so that every n-th point shows them.
    let stride = monte_carlo.times.len().div_ceil(FAN_POINTS).max(1);
    let x: Vec<f64> = every(&monte_carlo.times, stride).iter().map(|time| *time as f64).collect();
    let values: Vec<Vec<f64>> =
        monte_carlo.quantiles.iter().map(|path| every(&path.values, stride)).collect();
    let equity = thin_curve(&data.equity, DRAWN_POINTS);
    let equity_x: Vec<f64> = equity.times.iter().map(|time| *time as f64).collect();
    let paths = &monte_carlo.quantiles;
    let drawn = || paths.iter().zip(&values);
    let pairs: Vec<_> = drawn().zip(drawn().rev()).take(paths.len() / 2).collect();
    let per_cent = |level: f64| format!("{} %", (level * 1_000.0).round() / 10.0);
    let names: Vec<String> = pairs
        .iter()
        .map(|(low, high)| format!("{} to {}", per_cent(low.0.level), per_cent(high.0.level)))
        .collect();
    let middle = drawn().nth(paths.len() / 2).filter(|_| paths.len() % 2 == 1);
    let middle_name =
        middle.map(|(path, _)| format!("{} of the paths below", per_cent(path.level))).unwrap_or_default();
    let mut series =
        vec![Series { name: "this backtest", x: &equity_x, y: &equity.values, ..Series::default() }];
    if let Some((_, y)) = middle {
        series.push(Series { name: &middle_name, x: &x, y, ..Series::default() });
    }
    for (((_, low), (_, high)), name) in pairs.iter().zip(&names) {
        let band = Some((low.as_slice(), high.as_slice()));
        series.push(Series { name, x: &x, y: high, band, ..Series::default() });
    }
    let ends = |times: &[i64]| (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
    let (paths_ends, equity_ends) = (ends(&monte_carlo.times), ends(&data.equity.times));
    let (first, last) = (paths_ends.0.min(equity_ends.0), paths_ends.1.max(equity_ends.1));
    let names = ticks(first, last);
    let x_ticks: Vec<(f64, &str)> = names.iter().map(|(time, name)| (*time, name.as_str())).collect();
    let x_label = format!("{} to {}, UTC", minute_text(first), minute_text(last));
    let y_label = with_unit("equity", &data.currency);
    let chart = LineChart {
        title: "Quantiles of the paths, time by time",
        x_label: &x_label,
        y_label: &y_label,
        series: &series,
        logarithmic_y: false,
        x_ticks: &x_ticks,
    };
    let mut note = "The line of a band is its upper end. No single path follows a quantile.".to_owned();
    if stride > 1 {
        note.push_str(&format!(
            " Every {stride}th of {} times is drawn, and the last.",
            monte_carlo.times.len()
        ));
    }
    page.figure(Width::Half, &note, |style| chart.svg(style))
}

/// Every `stride`-th of `values`, and the last.
fn every<T: Copy>(values: &[T], stride: usize) -> Vec<T> {
    let mut kept: Vec<T> = values.iter().copied().step_by(stride).collect();
    if !values.len().saturating_sub(1).is_multiple_of(stride) {
        kept.extend(values.last());
    }
    kept
}

fn draw_grid(page: &mut Page, grid: &SensitivityGrid) -> Result<(), SimError> {
    let rows: Vec<&str> = grid.rows.iter().map(String::as_str).collect();
    let columns: Vec<&str> = grid.columns.iter().map(String::as_str).collect();
    let negative = grid.values.iter().flatten().any(|value| *value < 0.0);
    let chart = HeatMap {
        title: &grid.title,
        value_label: &grid.value_label,
        row_label: &grid.row_label,
        column_label: &grid.column_label,
        rows: &rows,
        columns: &columns,
        values: &grid.values,
        colours: if negative { ColourMap::RedToBlue } else { ColourMap::Viridis },
        digits: Some(3),
    };
    let chosen = grid.chosen.and_then(|(row, column)| Some((grid.rows.get(row)?, grid.columns.get(column)?)));
    let note = chosen.map_or_else(String::new, |(row, column)| {
        format!(
            "The rest of the report uses {row} ({}) and {column} ({}).",
            grid.row_label, grid.column_label
        )
    });
    page.figure(Width::Half, &note, |style| chart.svg(style))
}

fn write_walk_forward(page: &mut Page, walk_forward: &WalkForward) -> Result<(), SimError> {
    page.heading("Walk-forward");
    let mut columns = vec![Column::text("Fold"), Column::text("Fitted on"), Column::text("Judged on")];
    columns.extend(walk_forward.metric_names.iter().map(|name| Column::number(name)));
    let rows: Vec<Vec<Markup>> = walk_forward
        .folds
        .iter()
        .map(|fold| {
            let texts = [&fold.label, &fold.train, &fold.test].into_iter().chain(&fold.metrics);
            texts.map(|text| Markup(escape(text))).collect()
        })
        .collect();
    page.table(
        "Folds in the order of time; each judged on data after those it was fitted on",
        &columns,
        &rows,
    );
    let bars: Vec<Bar<'_>> = walk_forward
        .folds
        .iter()
        .filter_map(|fold| fold.score.map(|value| Bar { label: &fold.label, value, ..Bar::default() }))
        .collect();
    if bars.is_empty() {
        return Ok(());
    }
    let label = if walk_forward.score_label.is_empty() { "score" } else { &walk_forward.score_label };
    let chart = BarChart { title: "Score of each fold", value_label: label, bars: &bars, groups: &[] };
    let missing: Vec<&str> = walk_forward
        .folds
        .iter()
        .filter(|fold| fold.score.is_none())
        .map(|fold| fold.label.as_str())
        .collect();
    let note =
        if missing.is_empty() { String::new() } else { format!("Without a score: {}.", missing.join(", ")) };
    page.open_figures();
    page.figure(Width::Half, &note, |style| chart.svg(style))?;
    page.close_figures();
    Ok(())
}
