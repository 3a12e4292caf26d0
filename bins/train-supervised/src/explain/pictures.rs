//! An explanation as pictures.

use charts::{Bar, BarChart, Beeswarm, ChartStyle, HeatMap, LineChart, Series, SwarmRow};
use supervised::explanation::{ExplanationReport, Importance, PermutationImportance, Ranking, ReportNames};

use super::document::Document;

/// Bars of features.
const BARS: usize = 20;
/// Rows of the heat map.
const HEAT_MAP_ROWS: usize = 40;

/// A file and what is in it.
pub(crate) type Picture = (String, String);

/// All pictures that the explanation has.
pub(crate) fn all(document: &Document, names: &ReportNames) -> anyhow::Result<Vec<Picture>> {
    let style = ChartStyle::default();
    let report = &document.explanation;
    let mut all = vec![
        ("bar.svg".to_owned(), bars(document, &report.features.overall, "all classes", names, &style)?),
        ("groups.svg".to_owned(), groups(document, &style)?),
    ];
    for (output, class) in report.outputs.iter().enumerate() {
        let ranked = report.features.by_output.get(output).map_or(&[][..], Vec::as_slice);
        all.push((format!("bar-{class}.svg"), bars(document, ranked, class, names, &style)?));
        all.push((format!("beeswarm-{class}.svg"), beeswarm(document, output, class, &style)?));
    }
    if report.time.steps_back.len() > 1 {
        all.push(("heat-map.svg".to_owned(), heat_map(report, &style)?));
        all.push(("time.svg".to_owned(), time(report, &style)?));
    }
    if let Some(permutation) = &document.permutation {
        all.push(("permutation.svg".to_owned(), shuffled(document, &permutation.features, &style)?));
    }
    Ok(all)
}

/// The names of all files that this program may have written beside the document.
pub(crate) fn is_picture(name: &str) -> bool {
    let stem = name.strip_suffix(".svg");
    let known = ["bar", "groups", "heat-map", "time", "permutation"];
    stem.is_some_and(|stem| {
        known.contains(&stem) || stem.starts_with("bar-") || stem.starts_with("beeswarm-")
    })
}

fn mean_size(report: &ExplanationReport) -> String {
    format!("mean |contribution|, {}", report.quantity)
}

fn bars(
    document: &Document,
    ranked: &[Importance],
    class: &str,
    names: &ReportNames,
    style: &ChartStyle,
) -> anyhow::Result<String> {
    let mut groups: Vec<&str> = Vec::new();
    let bars: Vec<Bar<'_>> = ranked
        .iter()
        .take(BARS)
        .map(|one| {
            let column = names.features.iter().position(|name| *name == one.name);
            let group = column.map_or("", |column| names.groups[column].as_str());
            let group = groups.iter().position(|known| *known == group).unwrap_or_else(|| {
                groups.push(group);
                groups.len() - 1
            });
            Bar { label: &one.name, value: one.importance, interval: None, group }
        })
        .collect();
    let title = format!("{}: importance of features, {class}", document.model);
    let value_label = mean_size(&document.explanation);
    Ok(BarChart { title: &title, value_label: &value_label, bars: &bars, groups: &groups }.svg(style)?)
}

/// Each group overall and for each class.
fn groups(document: &Document, style: &ChartStyle) -> anyhow::Result<String> {
    let Ranking { overall, by_output } = &document.explanation.groups;
    let classes = &document.explanation.outputs;
    let mut kinds = vec!["all classes"];
    kinds.extend(classes.iter().map(String::as_str));
    let labels: Vec<Vec<String>> = overall
        .iter()
        .map(|one| classes.iter().map(|class| format!("{}, {class}", one.name)).collect())
        .collect();
    let mut bars = Vec::new();
    for (one, labels) in overall.iter().zip(&labels) {
        bars.push(Bar { label: &one.name, value: one.importance, interval: None, group: 0 });
        for (output, (ranked, label)) in by_output.iter().zip(labels).enumerate() {
            let value =
                ranked.iter().find(|other| other.name == one.name).map_or(0.0, |found| found.importance);
            bars.push(Bar { label, value, interval: None, group: output + 1 });
        }
    }
    let title = format!("{}: importance of groups of features", document.model);
    let value_label = mean_size(&document.explanation);
    Ok(BarChart { title: &title, value_label: &value_label, bars: &bars, groups: &kinds }.svg(style)?)
}

fn beeswarm(document: &Document, output: usize, class: &str, style: &ChartStyle) -> anyhow::Result<String> {
    let features = &document.explanation.beeswarm.features;
    let rows: Vec<(Vec<f64>, Vec<f64>)> = features
        .iter()
        .map(|feature| {
            let values = feature.values.get(output).map_or(&[][..], Vec::as_slice);
            (values.iter().copied().map(f64::from).collect(), ranks(&feature.last_input))
        })
        .collect();
    let rows: Vec<SwarmRow<'_>> = features
        .iter()
        .zip(&rows)
        .map(|(feature, (values, colours))| SwarmRow { label: &feature.name, values, colours })
        .collect();
    let title = format!("{}: contributions to {class}", document.model);
    let value_label = format!("contribution, {}", document.explanation.quantity);
    let chart = Beeswarm {
        title: &title,
        value_label: &value_label,
        colour_label: "rank of the feature at the last step",
        features: &rows,
        ..Beeswarm::default()
    };
    Ok(chart.svg(style)?)
}

/// The share of values below each one; equal values share a rank.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let highest = sorted.len().saturating_sub(1).max(1) as f64;
    let rank = |value: &f32| {
        let below = sorted.partition_point(|other| other < value);
        let equal = sorted.partition_point(|other| other <= value) - below;
        (below as f64 + 0.5 * equal.saturating_sub(1) as f64) / highest
    };
    values.iter().map(rank).collect()
}

fn heat_map(report: &ExplanationReport, style: &ChartStyle) -> anyhow::Result<String> {
    let shown: Vec<usize> = report
        .features
        .overall
        .iter()
        .take(HEAT_MAP_ROWS)
        .filter_map(|one| report.heat_map.features.iter().position(|name| *name == one.name))
        .collect();
    let rows: Vec<&str> = shown.iter().map(|row| report.heat_map.features[*row].as_str()).collect();
    let steps: Vec<String> = report.time.steps_back.iter().map(|back| format!("-{back}")).collect();
    let columns: Vec<&str> =
        steps.iter().map(|step| if step == "-0" { "0" } else { step.as_str() }).collect();
    let values: Vec<Option<f64>> =
        shown.iter().flat_map(|row| report.heat_map.overall[*row].iter().copied().map(Some)).collect();
    let all = report.heat_map.features.len();
    let title = if rows.len() < all {
        format!("Importance by feature and step: the {} most important of {all} features", rows.len())
    } else {
        "Importance by feature and step".to_owned()
    };
    let value_label = mean_size(report);
    let chart = HeatMap {
        title: &title,
        value_label: &value_label,
        row_label: "feature",
        column_label: "steps from the last",
        rows: &rows,
        columns: &columns,
        values: &values,
        ..HeatMap::default()
    };
    Ok(chart.svg(style)?)
}

fn time(report: &ExplanationReport, style: &ChartStyle) -> anyhow::Result<String> {
    let x: Vec<f64> = report.time.steps_back.iter().map(|back| -(*back as f64)).collect();
    let mut series =
        vec![Series { name: "all classes", x: &x, y: &report.time.overall, ..Series::default() }];
    for (name, y) in report.outputs.iter().zip(&report.time.by_output) {
        series.push(Series { name, x: &x, y, ..Series::default() });
    }
    let y_label = mean_size(report);
    let chart = LineChart {
        title: "Importance of steps",
        x_label: "steps from the last",
        y_label: &y_label,
        series: &series,
        ..LineChart::default()
    };
    Ok(chart.svg(style)?)
}

fn shuffled(
    document: &Document,
    features: &[PermutationImportance],
    style: &ChartStyle,
) -> anyhow::Result<String> {
    let bars: Vec<Bar<'_>> = features.iter().take(BARS).map(shuffled_bar).collect();
    let title = format!("{}: what shuffling a feature does", document.model);
    let value_label = "rise of the log-loss in nats, with the deviation over the shuffles";
    Ok(BarChart { title: &title, value_label, bars: &bars, groups: &[] }.svg(style)?)
}

fn shuffled_bar(one: &PermutationImportance) -> Bar<'_> {
    let (mean, deviation) = (one.log_loss_rise.mean, one.log_loss_rise.standard_deviation);
    Bar { label: &one.name, value: mean, interval: Some((mean - deviation, mean + deviation)), group: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_lie_between_0_and_1_and_equal_values_share_theirs() {
        assert_eq!(ranks(&[3.0, 1.0, 2.0]), [1.0, 0.0, 0.5]);
        assert_eq!(ranks(&[5.0, 5.0, 5.0]), [0.5, 0.5, 0.5]);
        assert_eq!(ranks(&[1.0, 2.0, 2.0, 4.0]), [0.0, 0.5, 0.5, 1.0]);
        assert_eq!(ranks(&[7.0]), [0.0]);
    }

    #[test]
    fn own_files_are_known_and_others_are_not() {
        for name in ["bar.svg", "bar-sell.svg", "beeswarm-buy.svg", "heat-map.svg", "permutation.svg"] {
            assert!(is_picture(name), "{name}");
        }
        for name in ["explanation.json", "holiday.svg", "bar", "notes-bar.svg", "bar.png"] {
            assert!(!is_picture(name), "{name}");
        }
    }
}
