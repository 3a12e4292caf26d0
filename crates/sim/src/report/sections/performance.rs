//! Equity, drawdown, rolling ratios, monthly returns and their distribution.

use charts::{Bins, ColourMap, HeatMap, Histogram, LineChart, Series};

use super::with_unit;
use crate::error::SimError;
use crate::report::calendar::{minute_text, ticks};
use crate::report::data::{Curve, ReportData, Returns};
use crate::report::html::{Column, Markup, Page, Width, number};
use crate::report::thinning::{DRAWN_POINTS, thin_curve};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes the section.
pub(super) fn write(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    page.open_section("performance", "Performance");
    page.open_figures();
    let mut curves = vec![("strategy", &data.equity)];
    curves.extend(data.benchmarks.iter().map(|named| (named.name.as_str(), &named.curve)));
    let label = with_unit("equity", &data.currency);
    draw(
        page,
        &Lines {
            title: "Equity",
            label: &label,
            curves: &curves,
            scale: 1.0,
            filled: false,
            width: Width::Whole,
        },
    )?;
    if let Some(curve) = present(data.underwater.as_ref()) {
        let lines = Lines {
            title: "Drawdown from the highest equity so far",
            label: "drawdown, %",
            curves: &[("drawdown", curve)],
            scale: 100.0,
            filled: true,
            width: Width::Whole,
        };
        draw(page, &lines)?;
    }
    let over =
        if data.rolling_window.is_empty() { String::new() } else { format!(" over {}", data.rolling_window) };
    let rolling = [
        (&data.rolling_sharpe, "Sharpe ratio", "Sharpe ratio, a year", 1.0),
        (&data.rolling_volatility, "Volatility", "volatility, % a year", 100.0),
    ];
    for (curve, name, label, scale) in rolling {
        if let Some(curve) = present(curve.as_ref()) {
            let title = format!("{name}{over}");
            let curves = [(name, curve)];
            draw(
                page,
                &Lines { title: &title, label, curves: &curves, scale, filled: false, width: Width::Half },
            )?;
        }
    }
    if let Some(returns) = data.returns.as_ref().filter(|returns| !returns.values.is_empty()) {
        draw_returns(page, returns)?;
    }
    if !data.monthly_returns.is_empty() {
        draw_months(page, data)?;
    }
    page.close_figures();
    if !data.monthly_returns.is_empty() {
        months_table(page, data);
    }
    page.close_section();
    Ok(())
}

fn present(curve: Option<&Curve>) -> Option<&Curve> {
    curve.filter(|curve| !curve.times.is_empty())
}

/// Curves over time in one chart.
struct Lines<'a> {
    title: &'a str,
    label: &'a str,
    curves: &'a [(&'a str, &'a Curve)],
    /// What values are multiplied by: 100 for per cent.
    scale: f64,
    filled: bool,
    width: Width,
}

fn draw(page: &mut Page, lines: &Lines<'_>) -> Result<(), SimError> {
    let drawn: Vec<(Vec<f64>, Vec<f64>)> = lines
        .curves
        .iter()
        .map(|(_, curve)| {
            let thin = thin_curve(curve, DRAWN_POINTS);
            let values = thin.values.iter().map(|value| value * lines.scale).collect();
            (thin.times.iter().map(|time| *time as f64).collect(), values)
        })
        .collect();
    let series: Vec<Series<'_>> = lines
        .curves
        .iter()
        .zip(&drawn)
        .map(|((name, _), (x, y))| Series { name, x, y, filled: lines.filled, ..Series::default() })
        .collect();
    let times = || lines.curves.iter().flat_map(|(_, curve)| curve.times.iter().copied());
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    let names = ticks(first, last);
    let x_ticks: Vec<(f64, &str)> = names.iter().map(|(time, name)| (*time, name.as_str())).collect();
    // A span without a round date still says where it lies.
    let x_label = format!("{} to {}, UTC", minute_text(first), minute_text(last));
    let points: usize = lines.curves.iter().map(|(_, curve)| curve.times.len()).sum();
    let shown: usize = drawn.iter().map(|(x, _)| x.len()).sum();
    let note = if shown < points {
        format!(
            "Drawn with {shown} of {points} points: of each stretch the first, lowest, highest and last. The CSV has all."
        )
    } else {
        String::new()
    };
    page.figure(lines.width, &note, |style| {
        LineChart {
            title: lines.title,
            x_label: &x_label,
            y_label: lines.label,
            series: &series,
            logarithmic_y: false,
            x_ticks: &x_ticks,
        }
        .svg(style)
    })
}

fn draw_returns(page: &mut Page, returns: &Returns) -> Result<(), SimError> {
    let title = format!("Distribution of {} returns", returns.period);
    let values: Vec<f64> = returns.values.iter().map(|value| value * 100.0).collect();
    let references: Vec<(&str, f64)> =
        returns.references.iter().map(|(name, value)| (name.as_str(), value * 100.0)).collect();
    let chart = Histogram {
        title: title.trim(),
        value_label: "return, %",
        values: &values,
        bins: Bins::FreedmanDiaconis,
        references: &references,
    };
    page.figure(Width::Half, &format!("{} returns.", values.len()), |style| chart.svg(style))
}

/// The years with returns, ascending, and the twelve months of each in per cent.
fn years(data: &ReportData) -> Vec<(i16, [Option<f64>; 12])> {
    let mut years: Vec<(i16, [Option<f64>; 12])> = Vec::new();
    let mut sorted = data.monthly_returns.clone();
    sorted.sort_by_key(|month| (month.year, month.month));
    for month in sorted {
        if years.last().is_none_or(|(year, _)| *year != month.year) {
            years.push((month.year, [None; 12]));
        }
        let cell =
            years.last_mut().and_then(|(_, months)| months.get_mut(usize::from(month.month).wrapping_sub(1)));
        if let Some(cell) = cell {
            *cell = Some(month.value);
        }
    }
    years
}

fn draw_months(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    let years = years(data);
    let names: Vec<String> = years.iter().map(|(year, _)| year.to_string()).collect();
    let rows: Vec<&str> = names.iter().map(String::as_str).collect();
    let values: Vec<Option<f64>> = years
        .iter()
        .flat_map(|(_, months)| months.iter().map(|value| value.map(|value| value * 100.0)))
        .collect();
    let chart = HeatMap {
        title: "Monthly returns",
        value_label: "return, %",
        row_label: "",
        column_label: "",
        rows: &rows,
        columns: &MONTHS,
        values: &values,
        colours: ColourMap::RedToBlue,
        digits: Some(2),
    };
    page.figure(Width::Whole, "", |style| chart.svg(style))
}

/// The same numbers for those who cannot see colours, with years compounded.
fn months_table(page: &mut Page, data: &ReportData) {
    let mut columns = vec![Column::text("Year")];
    columns.extend(MONTHS.map(Column::number));
    columns.push(Column::number("Year, %"));
    let per_cent = |value: f64| Markup(number(format!("{:.2}", value * 100.0 + 0.0)));
    let rows: Vec<Vec<Markup>> = years(data)
        .iter()
        .map(|(year, months)| {
            let mut row = vec![Markup(year.to_string())];
            row.extend(months.iter().map(|value| value.map_or_else(Markup::default, per_cent)));
            let compounded: f64 = months.iter().flatten().map(|value| 1.0 + value).product();
            row.push(per_cent(compounded - 1.0));
            row
        })
        .collect();
    page.raw("<details><summary>Monthly returns as a table</summary>\n");
    page.table("Monthly returns in %; the year compounds its months listed", &columns, &rows);
    page.raw("</details>\n");
}
