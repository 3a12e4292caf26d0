//! What is drawn, read back from the documents with an XML parser.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use charts::{
    AxisScale, Bar, BarChart, Beeswarm, Bins, ChartStyle, ColourMap, ConfusionMatrix, Estimate, HeatMap,
    Histogram, IntervalPlot, Joined, LineChart, ParallelAxis, ParallelCoordinates, ReliabilityBin,
    ReliabilityCurve, ReliabilityDiagram, Series, SwarmRow,
};
use roxmltree::{Document, Node};

fn of_class<'a, 'i>(document: &'a Document<'i>, class: &str) -> Vec<Node<'a, 'i>> {
    document.descendants().filter(|node| node.attribute("class") == Some(class)).collect()
}

fn number(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

fn column(document: &Document<'_>, class: &str, name: &str) -> Vec<f64> {
    of_class(document, class).into_iter().map(|node| number(node, name)).collect()
}

fn points(node: Node<'_, '_>) -> Vec<(f64, f64)> {
    let pairs = node.attribute("points").unwrap().split(' ').map(|pair| pair.split_once(',').unwrap());
    pairs.map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).collect()
}

fn texts(document: &Document<'_>) -> Vec<String> {
    document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .map(|node| node.text().unwrap_or("").to_owned())
        .collect()
}

/// The pixel of `value` on the horizontal axis, by the positions of the tick labels alone.
fn pixel(document: &Document<'_>, value: f64) -> f64 {
    let ticks: Vec<(f64, f64)> = of_class(document, "x-tick")
        .into_iter()
        .map(|tick| (tick.text().unwrap().replace('\u{2212}', "-").parse().unwrap(), number(tick, "x")))
        .collect();
    let ((first, left), (last, right)) = (ticks[0], *ticks.last().unwrap());
    left + (value - first) / (last - first) * (right - left)
}

fn close(one: f64, two: f64) -> bool {
    // Ends are rounded to hundredths, both of them.
    (one - two).abs() <= 0.02
}

#[test]
fn bars_are_as_long_as_their_values_and_whiskers_end_at_the_interval() {
    let bars = [
        Bar { label: "long", value: 4.0, interval: Some((3.5, 4.75)), group: 0 },
        Bar { label: "short", value: 1.0, interval: None, group: 1 },
        Bar { label: "left", value: -2.0, interval: None, group: 0 },
    ];
    let chart = BarChart { title: "t", value_label: "u", bars: &bars, groups: &["a", "b"] };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let widths = column(&document, "bar", "width");
    assert!(close(widths[0], 4.0 * widths[1]) && close(widths[2], 2.0 * widths[1]), "{widths:?}");
    let left = column(&document, "bar", "x");
    assert!(close(left[0], left[1]) && close(left[2] + widths[2], left[0]));
    assert!(close(left[0] + widths[0], pixel(&document, 4.0)));
    let whisker = of_class(&document, "whisker")[0];
    assert!(
        close(number(whisker, "x1"), pixel(&document, 3.5))
            && close(number(whisker, "x2"), pixel(&document, 4.75))
    );
    let fills: Vec<_> =
        of_class(&document, "bar").into_iter().map(|bar| bar.attribute("fill").unwrap()).collect();
    assert!(fills[0] == fills[2] && fills[0] != fills[1]);
}

#[test]
fn estimates_stand_at_their_pixels_and_the_reference_at_its_own() {
    let estimates = [
        Estimate { label: "better", value: 0.02, interval: (0.01, 0.035), group: 0 },
        Estimate { label: "unsure", value: -0.01, interval: (-0.03, 0.002), group: 0 },
    ];
    let chart =
        IntervalPlot { title: "t", value_label: "difference", estimates: &estimates, ..Default::default() };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    for (index, row) in estimates.iter().enumerate() {
        assert!(close(column(&document, "whisker", "x1")[index], pixel(&document, row.interval.0)));
        assert!(close(column(&document, "whisker", "x2")[index], pixel(&document, row.interval.1)));
        assert!(close(column(&document, "point", "cx")[index], pixel(&document, row.value)));
    }
    assert!(close(number(of_class(&document, "reference")[0], "x1"), pixel(&document, 0.0)));
    // The interval that holds zero has a hollow point, the other not.
    let fills: Vec<_> =
        of_class(&document, "point").into_iter().map(|node| node.attribute("fill").unwrap()).collect();
    assert_ne!(fills[0], "#ffffff");
    assert_eq!(fills[1], "#ffffff");
    assert!(texts(&document).contains(&"\u{2212}0.010 [\u{2212}0.030, 0.002]".to_owned()));
}

fn channels(node: Node<'_, '_>) -> [i32; 3] {
    let fill = node.attribute("fill").unwrap();
    [1, 3, 5].map(|at| i32::from_str_radix(&fill[at..at + 2], 16).unwrap())
}

#[test]
fn cells_darken_with_their_values_and_missing_ones_are_struck() {
    let rows = ["one", "two"];
    let columns = ["a", "b", "c", "d", "e"];
    let values: Vec<Option<f64>> = (0..10).map(|cell| (cell != 3).then(|| f64::from(cell) - 4.0)).collect();
    let map =
        |colours| HeatMap { rows: &rows, columns: &columns, values: &values, colours, ..Default::default() };
    let svg = map(ColourMap::Viridis).svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let cells = of_class(&document, "cell");
    assert_eq!(cells.len(), 10);
    let green: Vec<i32> =
        cells.iter().enumerate().filter(|(cell, _)| *cell != 3).map(|(_, node)| channels(*node)[1]).collect();
    assert!(
        green.windows(2).all(|pair| pair[0] < pair[1]),
        "the green of viridis rises throughout: {green:?}"
    );
    assert_eq!(of_class(&document, "missing").len(), 2, "the cell, and the key");
    // A grid without seams.
    let (x, width) = (column(&document, "cell", "x"), column(&document, "cell", "width"));
    assert!((0..4).all(|cell| close(x[cell] + width[cell], x[cell + 1])));

    let svg = map(ColourMap::BlueToRed).svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let cells = of_class(&document, "cell");
    let [red, _, blue] = channels(cells[0]);
    assert!(blue > red, "-4 is blue");
    let [red, _, blue] = channels(cells[9]);
    assert!(red > blue, "5 is red");
    assert!(channels(cells[4]).iter().all(|channel| *channel > 0xe0), "0 is near white");
}

#[test]
fn swarms_lose_no_point_and_cover_none() {
    let values: Vec<f64> = (0..300).map(|index| (f64::from(index) * 0.618).fract().powi(2) - 0.3).collect();
    let colours: Vec<f64> = (0..300).map(|index| f64::from(index) / 299.0).collect();
    let features = [
        SwarmRow { label: "a", values: &values, colours: &colours },
        SwarmRow { label: "b", values: &values[..50], colours: &colours[..50] },
    ];
    let chart =
        Beeswarm { value_label: "effect", colour_label: "value", features: &features, ..Default::default() };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let circles = of_class(&document, "point");
    assert_eq!(circles.len(), 350);
    let centers: Vec<(f64, f64, f64)> =
        circles.iter().map(|node| (number(*node, "cx"), number(*node, "cy"), number(*node, "r"))).collect();
    for (index, one) in centers.iter().enumerate() {
        for two in &centers[..index] {
            assert!((one.0 - two.0).hypot(one.1 - two.1) >= one.2 + two.2, "{one:?} {two:?}");
        }
    }
    for (center, value) in centers.iter().zip(&values) {
        assert!(close(center.0, pixel(&document, *value)));
    }
    let top = Beeswarm { top: 1, ..chart };
    let svg = top.svg(&ChartStyle::default()).unwrap();
    assert_eq!(of_class(&Document::parse(&svg).unwrap(), "point").len(), 300);
}

#[test]
fn trials_cross_each_axis_at_their_value_and_the_best_is_on_top() {
    let rate = [1e-4, 1e-3, 1e-2];
    let kind = [0.0, 1.0, 0.0];
    let objective = [0.5, 0.9, 0.7];
    let axes = [
        ParallelAxis { name: "rate", scale: AxisScale::Logarithmic, values: &rate },
        ParallelAxis { name: "kind", scale: AxisScale::Categories(&["x", "y"]), values: &kind },
    ];
    let mut chart = ParallelCoordinates {
        axes: &axes,
        objective: &objective,
        larger_is_better: true,
        ..Default::default()
    };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let lines: Vec<Vec<(f64, f64)>> = of_class(&document, "trial").into_iter().map(points).collect();
    let numbered =
        ParallelCoordinates { trials: &[4, 7, 9], ..chart.clone() }.svg(&ChartStyle::default()).unwrap();
    assert!(svg.contains("trial 1: ") && numbered.contains("trial 7: ") && !numbered.contains("trial 1: "));
    // Worst first: trials 0, 2, 1. Equal ratios are equal distances, upwards.
    let [low, high, middle] = [lines[0][0].1, lines[1][0].1, lines[2][0].1];
    assert!(close(low - middle, middle - high) && low > high, "{low} {middle} {high}");
    assert!(close(lines[0][1].1, lines[1][1].1) && lines[2][1].1 < lines[0][1].1);
    // Tick and line meet.
    let tick = of_class(&document, "tick").into_iter().find(|node| node.text() == Some("y")).unwrap();
    assert!((number(tick, "y") - 0.36 * 12.0 - lines[2][1].1).abs() < 0.02);
    chart.larger_is_better = false;
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    assert!(close(points(of_class(&document, "trial")[2])[0].1, low));
}

#[test]
fn lines_steps_bands_and_areas_go_through_their_points() {
    let (x, y) = ([0.0, 1.0, 2.0], [1.0, 3.0, 2.0]);
    let (low, high) = ([0.5, 2.0, 1.0], [2.0, 4.0, 3.0]);
    let straight =
        Series { name: "s", x: &x, y: &y, band: Some((&low, &high)), filled: true, ..Default::default() };
    let steps = Series { name: "h", x: &x, y: &y, joined: Joined::Steps, ..Default::default() };
    let series = [straight, steps];
    let chart = LineChart { series: &series, ..Default::default() };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let lines: Vec<_> = of_class(&document, "line").into_iter().map(points).collect();
    assert_eq!((lines[0].len(), lines[1].len()), (3, 5));
    for (point, x) in lines[0].iter().zip(x) {
        assert!(close(point.0, pixel(&document, x)));
    }
    // One unit of y, from the difference between the first two values.
    let unit = (lines[0][0].1 - lines[0][1].1) / 2.0;
    assert!(unit > 0.0 && close(lines[0][0].1 - lines[0][2].1, unit));
    assert!(close(lines[1][1].1, lines[0][0].1), "a step holds its value until the next point");
    let area = points(of_class(&document, "area")[0]);
    assert!(close(area[4].1, lines[0][0].1 + unit), "an area ends at zero");
    let band = points(of_class(&document, "band")[0]);
    assert!(close(band[0].1 - band[5].1, -1.5 * unit));
}

#[test]
fn ranges_of_a_histogram_stand_side_by_side_as_high_as_their_counts() {
    let values = [0.0, 0.1, 0.2, 0.3, 1.2, 1.3, 2.9, 3.0];
    let chart = Histogram {
        values: &values,
        bins: Bins::Count(3),
        references: &[("here", 2.0)],
        ..Default::default()
    };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let heights = column(&document, "bar", "height");
    assert!(close(heights[0], 2.0 * heights[1]) && close(heights[1], heights[2]), "{heights:?}");
    assert!(close(column(&document, "bar", "x")[1], pixel(&document, 1.0)));
    assert!(close(number(of_class(&document, "reference")[0], "x1"), pixel(&document, 2.0)));
}

#[test]
fn matrices_show_counts_and_shares_of_rows() {
    let chart = ConfusionMatrix { title: "t", classes: &["no", "yes"], counts: &[30, 10, 0, 0] };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let shown: Vec<_> = of_class(&document, "share").into_iter().map(|node| node.text().unwrap()).collect();
    assert_eq!(shown, ["75.0 %", "25.0 %", "no samples", "no samples"]);
    let cells = of_class(&document, "cell");
    assert!(channels(cells[0])[0] < channels(cells[1])[0], "the larger share is darker");
    assert!(number(cells[1], "x") > number(cells[0], "x") && number(cells[2], "y") > number(cells[0], "y"));
}

#[test]
fn a_calibrated_bin_lies_on_the_diagonal() {
    let bins = [
        ReliabilityBin { mean_predicted: 0.25, observed_share: 0.25, count: 100 },
        ReliabilityBin { mean_predicted: 0.75, observed_share: 0.5, count: 25 },
    ];
    let chart = ReliabilityDiagram { title: "t", curves: &[ReliabilityCurve { name: "c", bins: &bins }] };
    let svg = chart.svg(&ChartStyle::default()).unwrap();
    let document = Document::parse(&svg).unwrap();
    let diagonal = of_class(&document, "diagonal")[0];
    let (left, bottom) = (number(diagonal, "x1"), number(diagonal, "y1"));
    let side = number(diagonal, "x2") - left;
    assert!(close(bottom - number(diagonal, "y2"), side), "square");
    let (x, y) = (column(&document, "point", "cx"), column(&document, "point", "cy"));
    assert!(close(x[0] - left, bottom - y[0]) && close(x[0] - left, 0.25 * side));
    assert!(close(bottom - y[1], 0.5 * side));
    // Areas beyond the least radius of 2 grow with counts: a quarter of them, half of the radius.
    let radii = column(&document, "point", "r");
    assert!(close(radii[0] - 2.0, 2.0 * (radii[1] - 2.0)));
}
