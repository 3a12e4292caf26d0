//! What holds for every chart: well-formed, complete, within the page, the same each time; and what is refused.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use charts::{
    AxisScale, Bar, BarChart, Beeswarm, Bins, ChartError, ChartStyle, ColourMap, ConfusionMatrix, Estimate,
    HeatMap, Histogram, IntervalPlot, Joined, LineChart, ParallelAxis, ParallelCoordinates, PointColour,
    ReliabilityBin, ReliabilityCurve, ReliabilityDiagram, ScatterPlot, Series, SwarmRow, Theme,
};
use proptest::prelude::*;
use roxmltree::{Document, Node};

const LABELS: [&str; 3] =
    ["plain", "a<b & \"c\" 'd'", "a_feature_with_a_very_long_name_that_is_shown_in_full_anyway"];

type Drawn = Result<String, ChartError>;

/// Every chart from the same numbers; all of them accept any finite ones.
fn all(values: &[f64], style: &ChartStyle) -> Vec<(&'static str, Drawn)> {
    let at = |index: usize| values[index % values.len()];
    let widened = |index: usize| (at(index) - at(index + 1).abs(), at(index) + at(index + 2).abs());
    let positive: Vec<f64> = values.iter().map(|value| value.abs() + 1e-6).collect();
    let shares: Vec<f64> = values.iter().map(|value| (value.sin() + 1.0) / 2.0).collect();
    let kinds: Vec<f64> = (0..values.len()).map(|index| (index % 3) as f64).collect();
    let x: Vec<f64> = (0..values.len()).map(|index| index as f64).collect();
    let row = |index: usize| (LABELS[index], at(index), widened(index), index % 2);
    let bars = [0, 1, 2].map(row).map(|(label, value, interval, group)| Bar {
        label,
        value,
        interval: Some(interval),
        group,
    });
    let estimates =
        [0, 1, 2].map(row).map(|(label, value, interval, group)| Estimate { label, value, interval, group });
    let groups = ["group <1>", "group & 2"];
    let features = LABELS.map(|label| SwarmRow { label, values, colours: &shares });
    let cells: Vec<Option<f64>> = (0..9).map(|index| (index != 4).then(|| at(index))).collect();
    let (low, high): (Vec<f64>, Vec<f64>) = (0..values.len()).map(widened).unzip();
    let series = [
        Series {
            name: "one",
            x: &x,
            y: values,
            band: Some((&low, &high)),
            filled: true,
            ..Default::default()
        },
        Series { name: "two & three", x: &x, y: &positive, joined: Joined::Steps, ..Default::default() },
        Series { name: "four", x: values, y: values, joined: Joined::No, ..Default::default() },
    ];
    let axes = [
        ParallelAxis { name: LABELS[0], scale: AxisScale::Linear, values },
        ParallelAxis { name: LABELS[1], scale: AxisScale::Logarithmic, values: &positive },
        ParallelAxis { name: LABELS[2], scale: AxisScale::Categories(&["x<", "y&", "z"]), values: &kinds },
    ];
    let mut sorted = shares.clone();
    sorted.sort_by(f64::total_cmp);
    let bins: Vec<ReliabilityBin> = sorted
        .iter()
        .map(|share| ReliabilityBin { mean_predicted: *share, observed_share: 1.0 - share, count: 3 })
        .collect();
    let title = "A title <with> \"all\" & sundry, long enough to be broken over several lines of the page";
    let (value_label, x_label, y_label) = ("length <unit>", "across (s)", "upwards (m)");
    let heat_map = |digits| HeatMap {
        title,
        value_label,
        row_label: "rows",
        column_label: "columns",
        rows: &LABELS,
        columns: &LABELS,
        values: &cells,
        colours: ColourMap::BlueToRed,
        digits,
    };
    let colour = Some(PointColour { label: "third", values: &positive, colours: ColourMap::Viridis });
    vec![
        ("bar", BarChart { title, value_label, bars: &bars, groups: &groups }.svg(style)),
        (
            "interval",
            IntervalPlot { title, value_label, estimates: &estimates, reference: 0.0, groups: &groups }
                .svg(style),
        ),
        (
            "beeswarm",
            Beeswarm {
                title,
                value_label,
                colour_label: "low to high",
                features: &features,
                ..Default::default()
            }
            .svg(style),
        ),
        ("heat map", heat_map(None).svg(style)),
        ("heat map with numbers", heat_map(Some(2)).svg(style)),
        ("line", LineChart { title, x_label, y_label, series: &series, ..Default::default() }.svg(style)),
        (
            "logarithmic",
            LineChart { title, series: &series[1..2], logarithmic_y: true, ..Default::default() }.svg(style),
        ),
        (
            "parallel",
            ParallelCoordinates {
                title,
                axes: &axes,
                objective: values,
                objective_label: "loss",
                ..Default::default()
            }
            .svg(style),
        ),
        (
            "scatter",
            ScatterPlot {
                title,
                x_label,
                y_label,
                x_scale: AxisScale::Categories(&LABELS),
                x: &kinds,
                y: values,
                colour,
                ..Default::default()
            }
            .svg(style),
        ),
        (
            "histogram",
            Histogram { title, value_label, values, bins: Bins::default(), references: &[("<ref>", at(0))] }
                .svg(style),
        ),
        (
            "confusion",
            ConfusionMatrix { title, classes: &LABELS, counts: &[5, 0, 2, 0, 0, 0, 1, 1, 1_000_000] }
                .svg(style),
        ),
        (
            "reliability",
            ReliabilityDiagram { title, curves: &[ReliabilityCurve { name: "<c>", bins: &bins }] }.svg(style),
        ),
    ]
}

const PLACES: [&str; 15] = [
    "x",
    "y",
    "x1",
    "x2",
    "y1",
    "y2",
    "cx",
    "cy",
    "width",
    "height",
    "r",
    "font-size",
    "points",
    "stroke-width",
    "stroke-opacity",
];

/// The corners of an element's box; text by what digits and small letters take in Helvetica (0.56 em, narrow
/// ones 0.28).
fn reach(node: Node<'_, '_>) -> Vec<(f64, f64)> {
    let number = |name: &str| node.attribute(name).map_or(0.0, |value| value.parse::<f64>().unwrap());
    match node.tag_name().name() {
        "rect" => {
            vec![(number("x"), number("y")), (number("x") + number("width"), number("y") + number("height"))]
        }
        "circle" => [-1.0, 1.0]
            .map(|side| (number("cx") + side * number("r"), number("cy") + side * number("r")))
            .to_vec(),
        "line" => vec![(number("x1"), number("y1")), (number("x2"), number("y2"))],
        "polyline" | "polygon" => {
            let pairs =
                node.attribute("points").unwrap().split(' ').map(|pair| pair.split_once(',').unwrap());
            pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
        }
        "text" => {
            let size = number("font-size");
            let text = node.text().unwrap_or("");
            let letters: f64 = text
                .chars()
                .map(|letter| if " []().,:ijlt|'\u{2009}".contains(letter) { 0.28 } else { 0.56 })
                .sum();
            let bold = if node.attribute("font-weight").is_some() { 1.1 } else { 1.0 };
            let width = letters * size * bold;
            let start = match node.attribute("text-anchor") {
                None => 0.0,
                Some("middle") => -width / 2.0,
                _ => -width,
            };
            let angle = node.attribute("transform").map_or(0.0, |transform| {
                transform.trim_start_matches("rotate(").split(' ').next().unwrap().parse::<f64>().unwrap()
            });
            let (sine, cosine) = angle.to_radians().sin_cos();
            [(start, -0.75 * size), (start + width, 0.2 * size)]
                .map(|(x, y)| (number("x") + x * cosine - y * sine, number("y") + x * sine + y * cosine))
                .to_vec()
        }
        _ => Vec::new(),
    }
}

fn check(name: &str, svg: &str) {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    let root = document.root_element();
    let size: Vec<f64> =
        root.attribute("viewBox").unwrap().split(' ').map(|part| part.parse().unwrap()).collect();
    for node in document.descendants().filter(Node::is_element) {
        for attribute in node.attributes().filter(|attribute| PLACES.contains(&attribute.name())) {
            for part in attribute.value().split([' ', ',']) {
                assert!(part.parse::<f64>().is_ok_and(f64::is_finite), "{name}: {}={part}", attribute.name());
            }
        }
        for side in ["width", "height", "r"] {
            assert!(node.attribute(side).is_none_or(|value| !value.starts_with('-')), "{name}: {node:?}");
        }
        for (x, y) in reach(node) {
            let within = (-0.01..=size[2] + 0.01).contains(&x) && (-0.01..=size[3] + 0.01).contains(&y);
            assert!(within, "{name}: ({x}, {y}) of {:?} is outside {size:?}", node);
        }
        assert!(node.attribute("id").is_none() && node.attribute("href").is_none());
    }
    let children: Vec<_> =
        root.children().filter(Node::is_element).map(|node| node.tag_name().name()).take(2).collect();
    assert_eq!(children, ["title", "desc"]);
}

/// How often `label` stands in text elements.
fn written(svg: &str, label: &str) -> usize {
    let document = Document::parse(svg).unwrap();
    document.descendants().filter(|node| node.has_tag_name("text") && node.text() == Some(label)).count()
}

#[test]
fn every_label_is_written_in_full_and_once() {
    let values = [0.3, -0.1, 0.25, 0.7, 0.0, 0.11];
    for theme in [Theme::Light, Theme::Dark] {
        for (name, drawn) in all(&values, &ChartStyle { theme, ..Default::default() }) {
            let svg = drawn.unwrap();
            check(name, &svg);
            let wanted = match name {
                "line" | "logarithmic" | "histogram" | "reliability" => continue,
                // Rows and columns have the same names here.
                "heat map" | "heat map with numbers" | "confusion" => 2,
                _ => 1,
            };
            for label in LABELS {
                assert_eq!(written(&svg, label), wanted, "{name}: {label}");
            }
        }
    }
    let drawn = all(&values, &ChartStyle::default());
    let svg = |name: &str| drawn.iter().find(|(chart, _)| *chart == name).unwrap().1.clone().unwrap();
    for label in ["one", "two & three", "four", "across (s)", "upwards (m)"] {
        assert_eq!(written(&svg("line"), label), 1, "{label}");
    }
    assert_eq!(written(&svg("histogram"), "<ref>: 0.300"), 1);
    assert_eq!(written(&svg("bar"), "group <1>"), 1);
    assert_eq!(written(&svg("bar"), "length <unit>"), 1);
}

#[test]
fn extreme_styles_and_values_still_fit_the_page() {
    for (width, font_size) in [(200.0, 32.0), (200.0, 8.0), (4_000.0, 12.0), (760.0, 20.0)] {
        let style = ChartStyle { width, font_size, plot_height: 100.0, ..Default::default() };
        for values in
            [&[0.0][..], &[1e99, -1e99, 3.0], &[1e-90, 2e-90], &[1e15, 1e15 + 1.0, 1e15 - 1.0], &[5.0; 40]]
        {
            for (name, drawn) in all(values, &style) {
                check(name, &drawn.unwrap_or_else(|error| panic!("{name} {values:?}: {error}")));
            }
        }
    }
}

#[test]
fn many_columns_are_drawn_and_some_are_named() {
    let names: Vec<String> = (0..300).map(|index| format!("candle {index}")).collect();
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let values: Vec<Option<f64>> = (0..600).map(|index| Some(f64::from(index))).collect();
    let map = HeatMap { rows: &["a", "b"], columns: &columns, values: &values, ..Default::default() };
    let svg = map.svg(&ChartStyle::default()).unwrap();
    check("300 columns", &svg);
    assert_eq!(svg.matches("class=\"cell\"").count(), 600);
    assert!((20..=300).contains(&svg.matches("class=\"column\"").count()));
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name() {
    let style = ChartStyle::default();
    let (two, three) = ([1.0, 2.0], [1.0, 2.0, 3.0]);
    let bar = |value| {
        BarChart {
            title: "T",
            bars: &[Bar { label: "rsi", value, ..Default::default() }],
            ..Default::default()
        }
        .svg(&style)
    };
    let series = |x: &[f64], y: &[f64], logarithmic_y| {
        LineChart {
            title: "T",
            series: &[Series { name: "s", x, y, ..Default::default() }],
            logarithmic_y,
            ..Default::default()
        }
        .svg(&style)
    };
    let swarm = |colours: &[f64]| {
        Beeswarm {
            title: "T",
            features: &[SwarmRow { label: "f", values: &two, colours }],
            ..Default::default()
        }
        .svg(&style)
    };
    let heat = |values: &[Option<f64>]| {
        HeatMap { title: "T", rows: &["r"], columns: &["c", "d"], values, ..Default::default() }.svg(&style)
    };
    let estimate = |interval| {
        let estimates = [Estimate { label: "e", value: 1.0, interval, group: 0 }];
        IntervalPlot { title: "T", estimates: &estimates, ..Default::default() }.svg(&style)
    };
    let axes = |scale, values: &[f64]| {
        let axes = [
            ParallelAxis { name: "p", scale, values },
            ParallelAxis { name: "q", scale: AxisScale::Linear, values: &two },
        ];
        ParallelCoordinates { title: "T", axes: &axes, objective: &two, ..Default::default() }.svg(&style)
    };
    let bin = ReliabilityBin { mean_predicted: 1.5, observed_share: 0.0, count: 1 };
    let cases: Vec<(Drawn, &str)> = vec![
        (bar(f64::NAN), "bar chart `T`: bar 0 (`rsi`) is NaN: give a finite number, or leave the entry out"),
        (bar(f64::INFINITY), "bar 0 (`rsi`) is inf"),
        (bar(1e101), "up to 1e100"),
        (BarChart { title: "T", ..Default::default() }.svg(&style), "bar chart `T`: there are no bars"),
        (series(&two, &three, false), "line chart `T`: `y` of series `s` has 3 values but its `x` has 2"),
        (series(&[2.0, 1.0], &two, false), "series `s`, x, value 1 is 1: sort"),
        (series(&two, &[1.0, 0.0], true), "series `s`, y, value 1 is 0: a logarithmic axis"),
        (swarm(&three), "`colours` of feature 0 (`f`) has 3 values but its `values` has 2"),
        (swarm(&[0.0, f64::NAN]), "colour 1 is NaN"),
        (heat(&[Some(1.0)]), "`values` has 1 values but the grid of 1 rows and 2 columns has 2"),
        (heat(&[None, Some(f64::NAN)]), "the cell of row `r` and column `d` is NaN"),
        (estimate((1.5, 2.0)), "the interval of estimate 0 (`e`) is [1.5, 2] around 1"),
        (estimate((f64::NAN, 2.0)), "the lower end of estimate 0 (`e`) is NaN"),
        (axes(AxisScale::Logarithmic, &[1.0, -1.0]), "axis `p`, value 1 is -1"),
        (axes(AxisScale::Categories(&["k"]), &[0.0, 1.0]), "give the position of one of the 1 categories"),
        (axes(AxisScale::Linear, &three), "axis `p` has 3 values but `objective` has 2"),
        (
            Histogram { title: "T", values: &two, bins: Bins::Count(0), ..Default::default() }.svg(&style),
            "give 1 to 1000",
        ),
        (
            ConfusionMatrix { title: "T", classes: &["a", "b"], counts: &[1] }.svg(&style),
            "`counts` has 1 values",
        ),
        (
            ReliabilityDiagram { title: "T", curves: &[ReliabilityCurve { name: "c", bins: &[bin] }] }
                .svg(&style),
            "the predicted mean of bin 0 of `c` is 1.5",
        ),
        (
            ScatterPlot { title: "T", x: &two, y: &three, ..Default::default() }.svg(&style),
            "`y` has 3 values but `x` has 2",
        ),
        (
            Histogram { values: &two, ..Default::default() }
                .svg(&ChartStyle { width: f64::NAN, ..Default::default() }),
            "chart style: `width` is NaN: give 200 to 4000 pixels",
        ),
    ];
    for (drawn, wanted) in cases {
        let message = drawn.unwrap_err().to_string();
        assert!(message.contains(wanted), "{message:?} lacks {wanted:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_finite_data_make_a_whole_document(values in prop::collection::vec(-1e6..1e6_f64, 1..40), exponent in -60..60_i32) {
        let values: Vec<f64> = values.iter().map(|value| value * 10_f64.powi(exponent)).collect();
        let style = ChartStyle::default();
        for ((name, drawn), (_, again)) in all(&values, &style).into_iter().zip(all(&values, &style)) {
            let svg = drawn.unwrap_or_else(|error| panic!("{name}: {error}"));
            check(name, &svg);
            prop_assert_eq!(&svg, &again.unwrap());
        }
    }

    #[test]
    fn any_text_is_a_label(label in "\\PC{0,40}|[\u{0}-\u{ff}]{0,20}") {
        let bars = [Bar { label: &label, value: 1.0, ..Default::default() }];
        let svg = BarChart { title: &label, value_label: &label, bars: &bars, groups: &[] }.svg(&ChartStyle::default()).unwrap();
        prop_assert!(Document::parse(&svg).is_ok());
    }
}
