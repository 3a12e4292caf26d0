//! Verdict, warnings, targets and metrics.

use charts::{Estimate, IntervalPlot};

use crate::error::SimError;
use crate::report::data::{Intervals, Outcome, ReportData};
use crate::report::html::{Column, Markup, Page, Width, escape, number};

/// Writes the section, where there is something in it.
pub(super) fn write(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    if data.verdict.is_some() || !data.warnings.is_empty() || !data.targets.is_empty() {
        page.open_section("verdict", "Verdict");
        verdict(page, data);
        warnings(page, data);
        targets(page, data);
        page.close_section();
    }
    let intervals = data.intervals.as_ref().filter(|intervals| !intervals.rows.is_empty());
    if !data.metrics.is_empty() || intervals.is_some() {
        page.open_section("metrics", "Metrics");
        metrics(page, data);
        if let Some(intervals) = intervals {
            draw_intervals(page, intervals)?;
        }
        page.close_section();
    }
    Ok(())
}

fn verdict(page: &mut Page, data: &ReportData) {
    let Some(verdict) = &data.verdict else { return };
    let (class, words) =
        if verdict.promote { ("promote", "Promote to paper trading") } else { ("reject", "Do not promote") };
    page.raw(&format!("<div class=\"verdict {class}\"><p><strong>{words}</strong></p>\n"));
    if !verdict.reasons.is_empty() {
        page.list(&verdict.reasons);
    }
    page.raw("</div>\n");
}

fn warnings(page: &mut Page, data: &ReportData) {
    if data.warnings.is_empty() {
        return;
    }
    page.raw("<div class=\"warnings\">\n");
    page.heading("What this report does not show");
    page.list(&data.warnings);
    page.raw("</div>\n");
}

fn targets(page: &mut Page, data: &ReportData) {
    if data.targets.is_empty() {
        return;
    }
    let columns = [
        Column::text("Target"),
        Column::number("Wanted"),
        Column::number("Reached"),
        Column::text("Outcome"),
    ];
    let rows: Vec<Vec<Markup>> = data
        .targets
        .iter()
        .map(|target| {
            let (class, words) = match target.outcome {
                Outcome::Met => ("met", "\u{2713} met"),
                Outcome::NotMet => ("not-met", "\u{2717} not met"),
                Outcome::Unknown => ("unknown", "? unknown"),
            };
            vec![
                Markup::text(&target.name),
                Markup::text(&target.wanted),
                Markup::text(&target.reached),
                Markup(format!("<span class=\"{class}\">{words}</span>")),
            ]
        })
        .collect();
    page.table("Targets set beforehand", &columns, &rows);
}

fn metrics(page: &mut Page, data: &ReportData) {
    if data.metrics.is_empty() {
        return;
    }
    let compared = data.metrics.iter().any(|metric| metric.benchmark.is_some());
    let explained = data.metrics.iter().any(|metric| !metric.hint.is_empty());
    let benchmark = if data.benchmark_name.is_empty() { "Benchmark" } else { &data.benchmark_name };
    let mut columns = vec![Column::text("Metric"), Column::number("Strategy")];
    if compared {
        columns.push(Column::number(benchmark));
    }
    if explained {
        columns.push(Column::text("What it means"));
    }
    let rows: Vec<Vec<Markup>> = data
        .metrics
        .iter()
        .map(|metric| {
            let mut row = vec![Markup::text(&metric.name), Markup::text(&metric.value)];
            if compared {
                row.push(Markup::text(metric.benchmark.as_deref().unwrap_or("\u{2013}")));
            }
            if explained {
                row.push(Markup(format!("<span class=\"hint\">{}</span>", escape(&metric.hint))));
            }
            row
        })
        .collect();
    page.table("Metrics of the whole span", &columns, &rows);
}

fn draw_intervals(page: &mut Page, intervals: &Intervals) -> Result<(), SimError> {
    let estimates: Vec<Estimate<'_>> = intervals
        .rows
        .iter()
        .map(|row| Estimate { label: &row.name, value: row.value, interval: (row.low, row.high), group: 0 })
        .collect();
    let chart = IntervalPlot {
        title: "How sure the numbers are",
        value_label: &intervals.label,
        estimates: &estimates,
        reference: intervals.reference,
        groups: &[],
    };
    let note = format!("The dashed line marks {}.", number(intervals.reference));
    page.open_figures();
    page.figure(Width::Whole, &note, |style| chart.svg(style))?;
    page.close_figures();
    Ok(())
}
