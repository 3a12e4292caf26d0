//! What the model got right, whether its probabilities hold, and what it looks at.

use charts::{Bar, BarChart, ConfusionMatrix, ReliabilityBin, ReliabilityCurve, ReliabilityDiagram};

use crate::error::SimError;
use crate::report::data::{Calibration, Confusion, ReportData};
use crate::report::html::{Page, Width};

/// Writes the section, where a model is involved.
pub(super) fn write(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    if data.confusion.is_none() && data.calibration.is_empty() && data.importance.is_empty() {
        return Ok(());
    }
    page.open_section("model", "Model");
    page.open_figures();
    if let Some(confusion) = &data.confusion {
        draw_confusion(page, confusion)?;
    }
    if !data.calibration.is_empty() {
        draw_calibration(page, &data.calibration)?;
    }
    if !data.importance.is_empty() {
        draw_importance(page, data)?;
    }
    page.close_figures();
    page.close_section();
    Ok(())
}

fn draw_confusion(page: &mut Page, confusion: &Confusion) -> Result<(), SimError> {
    let classes: Vec<&str> = confusion.classes.iter().map(String::as_str).collect();
    let chart = ConfusionMatrix { title: "Confusion matrix", classes: &classes, counts: &confusion.counts };
    page.figure(Width::Half, "", |style| chart.svg(style))
}

fn draw_calibration(page: &mut Page, calibration: &[Calibration]) -> Result<(), SimError> {
    let bins: Vec<Vec<ReliabilityBin>> = calibration
        .iter()
        .map(|curve| {
            let bin = curve.bins.iter().map(|bin| ReliabilityBin {
                mean_predicted: bin.mean_predicted,
                observed_share: bin.observed_share,
                count: bin.count,
            });
            bin.collect()
        })
        .collect();
    let curves: Vec<ReliabilityCurve<'_>> = calibration
        .iter()
        .zip(&bins)
        .map(|(curve, bins)| ReliabilityCurve { name: &curve.name, bins })
        .collect();
    let chart = ReliabilityDiagram { title: "Do predicted probabilities come true?", curves: &curves };
    page.figure(Width::Half, "On the dashed diagonal they do.", |style| chart.svg(style))
}

fn draw_importance(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    let bars: Vec<Bar<'_>> = data
        .importance
        .iter()
        .map(|row| Bar { label: &row.feature, value: row.value, interval: row.interval, group: 0 })
        .collect();
    let label = if data.importance_label.is_empty() { "importance" } else { &data.importance_label };
    let chart = BarChart { title: "Importance of features", value_label: label, bars: &bars, groups: &[] };
    page.figure(Width::Half, "", |style| chart.svg(style))
}
