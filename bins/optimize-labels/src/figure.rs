//! A figure of the classes per series and of the distribution that thresholds cut, as SVG.
//!
//! Written by hand: a few rectangles and words need no drawing library, and the file needs nothing but itself.

use labels::threshold_search::{Histogram, SeriesShares};
use labels::{Label, Labeler, Threshold};

use crate::report::{Report, Tried};

/// Stands in every figure of this program, so that it knows its own.
pub(crate) const MARK: &str = "<!-- optimize-labels -->";

const WIDTH: f64 = 1160.0;
const MARGIN: f64 = 24.0;
/// Where the bars of the left part stand, and how wide a share of 1 is.
const BARS: (f64, f64) = (270.0, 330.0);
/// Where the right part stands, and how wide it is.
const PLOT: (f64, f64) = (680.0, 450.0);
const PLOT_HEIGHT: f64 = 170.0;
const ROW: f64 = 20.0;
const HEADING: f64 = 64.0;
const COLOURS: [&str; 3] = ["#c8553d", "#b8bec7", "#2f8f83"];
const TOUCHED: &str = "#8a6fb0";
const INK: &str = "#1f2430";

/// The figure as an SVG document.
pub(crate) fn draw(report: &Report) -> String {
    let mut body = String::new();
    let mut top = MARGIN;
    let title = format!(
        "Class shares and thresholds, {} series of {}, {} candles ahead",
        report.series.len(),
        report.timeframe,
        report.horizon
    );
    words(&mut body, MARGIN, top + 14.0, "title", &title);
    let searched = format!("searched: {}", report.searched.join("; "));
    words(&mut body, MARGIN, top + 34.0, "small", &searched);
    legend(&mut body, top + 14.0);
    top += 60.0;
    for tried in &report.labelers {
        let rows = tried.series.len() + usize::from(tried.pooled.is_some());
        shares(&mut body, top, tried, report.target);
        distribution(&mut body, top, tried);
        top += HEADING + (ROW * rows as f64).max(PLOT_HEIGHT + 40.0) + 24.0;
    }
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" role="img" aria-label="{}">
{MARK}
<style>text {{ font-family: system-ui, sans-serif; font-size: 12px; fill: {INK}; }} .title {{ font-size: 17px; font-weight: 600; }} .head {{ font-size: 14px; font-weight: 600; }} .small {{ font-size: 11px; fill: #5a6270; }} .end {{ text-anchor: end; }} .middle {{ text-anchor: middle; }}</style>
<rect width="{WIDTH}" height="{top}" fill="white"/>
{body}</svg>
"#,
        escaped(&title)
    )
}

/// The figure as a page of its own.
pub(crate) fn page(svg: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Class shares and thresholds</title></head>\n<body>\n{svg}</body>\n</html>\n"
    )
}

fn legend(body: &mut String, baseline: f64) {
    let mut left = PLOT.0 + 170.0;
    for class in Label::ALL {
        rectangle(body, [left, baseline - 10.0, 12.0, 12.0], COLOURS[class.index()]);
        words(body, left + 17.0, baseline, "", &class.to_string());
        left += 60.0;
    }
    rectangle(body, [left, baseline - 10.0, 12.0, 12.0], TOUCHED);
    words(body, left + 17.0, baseline, "", "sell or buy");
}

/// Left: a bar per series, with the target as lines across all of them.
fn shares(body: &mut String, top: f64, tried: &Tried, target: [f64; 3]) {
    words(body, MARGIN, top + 16.0, "head", tried.name);
    let state = match (&tried.problem, tried.reached) {
        (Some(problem), _) => format!("missed: {}", shortened(problem, 150)),
        (None, _) => "target met".to_owned(),
    };
    words(body, MARGIN, top + 34.0, "small", &state);
    let Some(pooled) = &tried.pooled else { return };
    let first = top + HEADING;
    let rows = std::iter::once(("all together", pooled))
        .chain(tried.series.iter().map(|series| (series.name.as_str(), series)));
    let mut bottom = first;
    for (name, series) in rows {
        words(body, BARS.0 - 8.0, bottom + 13.0, "end", &shortened(name, 38));
        bar(body, bottom, series);
        bottom += ROW;
    }
    for share in [target[0], target[0] + target[1]] {
        let at = BARS.0 + share * BARS.1;
        line(body, [at, first - 6.0, at, bottom + 2.0], "4 3");
    }
    words(body, BARS.0, first - 10.0, "small", "shares of sell, hold, buy; dashed: the target");
}

fn bar(body: &mut String, top: f64, series: &SeriesShares) {
    let mut left = BARS.0;
    for (class, share) in series.shares.iter().enumerate() {
        rectangle(body, [left, top, share * BARS.1, ROW - 5.0], COLOURS[class]);
        left += share * BARS.1;
    }
    let said = if series.counts == [0; 3] {
        "no label".to_owned()
    } else {
        series.shares.map(|share| format!("{:.0}", 100.0 * share)).join(" / ")
    };
    words(body, BARS.0 + BARS.1 + 6.0, top + 12.0, "small", &said);
}

/// Right: how many labels have which size, with the thresholds as lines.
fn distribution(body: &mut String, top: f64, tried: &Tried) {
    let Histogram { from, to, counts, outside } = &tried.histogram;
    let tallest = counts.iter().copied().max().unwrap_or(0);
    if tallest == 0 || to <= from {
        return;
    }
    let base = top + HEADING + PLOT_HEIGHT;
    let at = |value: f64| PLOT.0 + (value - from) / (to - from) * PLOT.1;
    let (what, thresholds) = tried.labeler.as_ref().map_or(("", Vec::new()), thresholds);
    let width = PLOT.1 / counts.len() as f64;
    for (bin, count) in counts.iter().enumerate() {
        let middle = from + (bin as f64 + 0.5) * (to - from) / counts.len() as f64;
        let height = *count as f64 / tallest as f64 * PLOT_HEIGHT;
        let left = PLOT.0 + bin as f64 * width;
        rectangle(
            body,
            [left, base - height, (width - 0.6).max(0.4), height],
            colour(middle, *from < 0.0, &thresholds),
        );
    }
    line(body, [PLOT.0, base, PLOT.0 + PLOT.1, base], "");
    for value in [*from, (from + to) / 2.0, *to] {
        words(body, at(value), base + 16.0, "small middle", &number(value));
    }
    for (order, value) in thresholds.iter().enumerate() {
        let shown = value.clamp(*from, *to);
        line(body, [at(shown), top + HEADING - 4.0, at(shown), base], "4 3");
        // Two thresholds may stand close: the words lean outwards.
        let class = if order + 1 == thresholds.len() { "small" } else { "small end" };
        words(body, at(shown), top + HEADING - 10.0, class, &number(*value));
    }
    let beyond = if *outside > 0 { format!("; {outside} lie further out") } else { String::new() };
    words(body, PLOT.0, base + 34.0, "small", &format!("{what}{beyond}"));
}

/// What a labeler's thresholds cut, and where: Sell below zero, Buy above; of barriers the distance of both.
fn thresholds(labeler: &Labeler) -> (&'static str, Vec<f64>) {
    match labeler {
        Labeler::HorizonReturn(labeler) => match labeler.threshold {
            Threshold::Fixed(fixed) => {
                ("log return over the horizon", vec![-fixed.sell.unwrap_or(fixed.value), fixed.value])
            }
            Threshold::Adaptive(adaptive) => (
                "log return over the horizon / its expected deviation (minimum and maximum not applied)",
                vec![-adaptive.sell_multiplier.unwrap_or(adaptive.multiplier), adaptive.multiplier],
            ),
        },
        Labeler::TripleBarrier(labeler) => {
            let mut both = vec![labeler.stop_loss, labeler.take_profit];
            both.sort_unstable_by(f64::total_cmp);
            both.dedup();
            ("furthest way from the entry before the time limit; dashed: stop and take-profit", both)
        }
        Labeler::TrendScanning(labeler) => {
            ("t-value of the strongest trend", vec![-labeler.t_threshold, labeler.t_threshold])
        }
    }
}

fn colour(value: f64, has_sides: bool, thresholds: &[f64]) -> &'static str {
    match (has_sides, thresholds) {
        (true, [sell, _]) if value < *sell => COLOURS[0],
        (true, [_, buy]) if value > *buy => COLOURS[2],
        // Beyond the nearer of two barriers it depends on the way that the price took.
        (false, [nearest, ..]) if value > *nearest => TOUCHED,
        _ => COLOURS[1],
    }
}

fn rectangle(body: &mut String, [left, top, width, height]: [f64; 4], fill: &str) {
    body.push_str(&format!(
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{fill}\"/>\n"
    ));
}

fn line(body: &mut String, [from, top, to, bottom]: [f64; 4], dashes: &str) {
    body.push_str(&format!(
        "<line x1=\"{from:.1}\" y1=\"{top:.1}\" x2=\"{to:.1}\" y2=\"{bottom:.1}\" stroke=\"{INK}\" stroke-dasharray=\"{dashes}\"/>\n"
    ));
}

fn words(body: &mut String, left: f64, baseline: f64, class: &str, text: &str) {
    body.push_str(&format!(
        "<text x=\"{left:.1}\" y=\"{baseline:.1}\" class=\"{class}\">{}</text>\n",
        escaped(text)
    ));
}

fn number(value: f64) -> String {
    let digits = if value == 0.0 || value.abs() >= 100.0 {
        0
    } else if value.abs() >= 0.1 {
        2
    } else {
        5
    };
    format!("{value:.digits$}")
}

fn shortened(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.to_owned();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// Text as XML; characters that XML 1.0 does not have are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out() {
        assert_eq!(escaped("<a & \"b\">\u{0}"), "&lt;a &amp; &quot;b&quot;&gt;");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abc", 4), "abc");
    }

    #[test]
    fn colours_follow_the_thresholds() {
        assert_eq!([-2.0, 0.0, 2.0].map(|value| colour(value, true, &[-1.0, 1.0])), COLOURS);
        assert_eq!([0.5, 1.5].map(|value| colour(value, false, &[1.0, 1.2])), [COLOURS[1], TOUCHED]);
        assert_eq!(colour(5.0, true, &[]), COLOURS[1]);
    }
}
