//! The report as text: well-formed, self-contained, escaped, complete, the same each time, and small.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod made_up;

use charts::{ChartStyle, ConfusionMatrix, HeatMap, LineChart, Series, Theme};
use proptest::prelude::*;
use roxmltree::{Document, Node, ParsingOptions};
use rust_decimal::Decimal;
use sim::report::{
    Curve, Metric, MonthlyReturn, NamedValue, OrderRow, Report, ReportData, TradeRow, TradeSide, Verdict,
};

fn html(data: ReportData) -> String {
    Report::new(data).unwrap().html().unwrap()
}

fn bare() -> ReportData {
    let equity = Curve { times: vec![0, 86_400_000], values: vec![100.0, 101.0] };
    ReportData { equity, ..ReportData::default() }
}

/// The page without the bodies of its own script and style, which are no XML.
fn markup(html: &str) -> String {
    let mut markup = html.to_owned();
    for (open, close) in [("<style>", "</style>"), ("<script>", "</script>")] {
        let (start, end) = (markup.find(open).unwrap() + open.len(), markup.find(close).unwrap());
        // The data come before the script and end with the same tag.
        let end = if open == "<script>" { markup.rfind(close).unwrap() } else { end };
        markup.replace_range(start..end, "");
    }
    markup
}

fn parse(markup: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, nodes_limit: 10_000_000, ..ParsingOptions::default() };
    Document::parse_with_options(markup, options).unwrap()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
}

#[test]
fn the_page_is_well_formed_and_loads_nothing() {
    let html = html(made_up::report_data(2_000, 30));
    let markup = markup(&html);
    let document = parse(&markup);
    let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
    for link in document.descendants().filter_map(|node| node.attribute("href")) {
        assert!(ids.contains(&link.strip_prefix('#').unwrap()), "{link} leads nowhere");
    }
    for tag in ["link", "img", "iframe", "object", "embed", "form"] {
        assert!(!document.descendants().any(|node| node.has_tag_name(tag)), "<{tag}>");
    }
    // Each table has a caption, each chart a title and a description.
    for table in document.descendants().filter(|node| node.has_tag_name("table")) {
        assert!(table.children().any(|node| node.has_tag_name("caption")));
    }
    let charts: Vec<_> = document.descendants().filter(|node| node.tag_name().name() == "svg").collect();
    assert!(charts.len() >= 20, "{}", charts.len());
    for chart in charts {
        assert!(
            ["title", "desc"].iter().all(|name| chart.children().any(|node| node.tag_name().name() == *name))
        );
    }
    let plain = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for outside in ["http://", "https://", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "import("] {
        assert!(!plain.contains(outside), "{outside}");
    }
}

#[test]
fn what_comes_from_outside_stays_text() {
    let hostile = "</script><script>alert(1)</script> <!-- & \" ' ]]> \u{0}";
    let mut data = made_up::report_data(200, 4);
    let clean = html(data.clone());
    data.title = hostile.to_owned();
    data.parameters.push(NamedValue { name: hostile.to_owned(), value: hostile.to_owned() });
    data.configuration = hostile.to_owned();
    data.warnings.push(hostile.to_owned());
    data.benchmarks[0].name = hostile.to_owned();
    data.importance[0].feature = hostile.to_owned();
    data.symbols[0].symbol = hostile.to_owned();
    data.trades[0].symbol = hostile.to_owned();
    data.trades[0].reason = hostile.to_owned();
    data.trades[0].log = vec![hostile.to_owned()];
    let attacked = html(data.clone());
    for tag in ["<script", "</script", "<!--"] {
        assert_eq!(attacked.matches(tag).count(), clean.matches(tag).count(), "{tag}");
    }
    let markup = markup(&attacked);
    let document = parse(&markup);
    let shown = hostile.replace('\u{0}', "\u{fffd}");
    let heading = document.descendants().find(|node| node.has_tag_name("h1")).unwrap();
    assert_eq!(text(heading), shown);
    let log = document.descendants().find(|node| node.has_tag_name("pre")).unwrap();
    assert_eq!(text(log), shown);
    // The script reads the very same name.
    let json = attacked.split_once("id=\"candle-data\">").unwrap().1.split_once("</script>").unwrap().0;
    let read: serde_json::Value = serde_json::from_str(json).unwrap();
    assert_eq!(read["symbols"][0]["symbol"], hostile);
}

#[test]
fn empty_sections_are_left_out() {
    let sections = |data: ReportData| -> Vec<String> {
        let html = html(data);
        let markup = markup(&html);
        let document = parse(&markup);
        let sections = document.descendants().filter(|node| node.has_tag_name("section"));
        sections.map(|node| node.attribute("id").unwrap().to_owned()).collect()
    };
    assert_eq!(sections(bare()), ["performance"]);
    let metric = Metric { name: "Trades".to_owned(), value: "0".to_owned(), ..Metric::default() };
    let verdict = Some(Verdict { promote: true, reasons: Vec::new() });
    assert_eq!(
        sections(ReportData { metrics: vec![metric], verdict, ..bare() }),
        ["verdict", "metrics", "performance"]
    );
    let all = ["verdict", "metrics", "performance", "trades", "model", "robustness", "basis"];
    assert_eq!(sections(made_up::report_data(200, 4)), all);
    let plain = html(bare());
    assert!(
        !plain.contains("<canvas") && !plain.contains("id=\"candle-data\"") && !plain.contains("<noscript")
    );
}

#[test]
fn the_same_data_give_the_same_bytes() {
    let write = || {
        let report = Report::new(made_up::report_data(500, 10)).unwrap();
        (report.html().unwrap(), report.json().unwrap(), report.csv())
    };
    assert_eq!(write(), write());
}

#[test]
fn json_brings_the_same_data_back() {
    let report = Report::new(made_up::report_data(500, 10)).unwrap();
    let read: ReportData = serde_json::from_str(&report.json().unwrap()).unwrap();
    assert_eq!(&read, report.data());
}

#[test]
fn much_is_thinned_and_said_so() {
    let data = made_up::report_data(100_000, 1_000);
    assert_eq!(data.trades.len(), 1_000);
    let html = html(data);
    assert!(html.len() < 5_000_000, "{}", html.len());
    // A step of 1 h over 100 000 candles and a gap of 24 h are 100 024 spans; over 4 999 that is 21 spans to a candle.
    assert!(html.contains("BTC/USDT:USDT: 100000 candles of 1h, drawn as 47"), "thinning is not stated");
    assert!(html.contains("each covers up to 21 "));
    // 100 000 / 24 = 4 166 days each of equity and benchmark.
    assert!(html.contains("of 8332 points"));
    let json = html.split_once("id=\"candle-data\">").unwrap().1.split_once("</script>").unwrap().0;
    let read: serde_json::Value = serde_json::from_str(json).unwrap();
    let times = read["symbols"][0]["times"].as_array().unwrap();
    assert!((4_700..=5_000).contains(&times.len()), "{}", times.len());
    assert_eq!(read["trades"].as_array().unwrap().len(), 1_000);
}

#[test]
fn more_trades_than_the_table_holds_are_said() {
    let trade = TradeRow {
        symbol: "A".to_owned(),
        closed: Some(5),
        exit_price: Some(Decimal::ONE),
        ..TradeRow::default()
    };
    let html = html(ReportData { trades: vec![trade; 2_001], ..bare() });
    assert!(html.contains("the first 2000 of 2001 trades"));
    assert_eq!(html.matches("<tr><th scope=\"row\" class=\"number\">").count(), 2_000);
}

/// Cells of the table with the given beginning of its caption, row by row.
fn cells(html: &str, caption: &str) -> Vec<Vec<String>> {
    let markup = markup(html);
    let document = parse(&markup);
    let table = document
        .descendants()
        .filter(|node| node.has_tag_name("table"))
        .find(|node| {
            node.children().any(|child| child.has_tag_name("caption") && text(child).starts_with(caption))
        })
        .unwrap();
    let body = table.children().find(|node| node.has_tag_name("tbody")).unwrap();
    let rows = body.children().filter(|node| node.has_tag_name("tr"));
    rows.map(|row| row.children().map(text).collect()).collect()
}

#[test]
fn months_compound_to_their_year() {
    let month = |year, month, value| MonthlyReturn { year, month, value };
    let monthly_returns =
        vec![month(2025, 1, 0.5), month(2024, 12, -0.25), month(2024, 11, 0.1), month(2024, 3, 0.2)];
    let html = html(ReportData { monthly_returns, ..bare() });
    // 1.2 · 1.1 · 0.75 = 0.99, a loss of 1 %; 2025 has one month.
    let wanted = [
        ["2024", "", "", "20.00", "", "", "", "", "", "", "", "10.00", "\u{2212}25.00", "\u{2212}1.00"],
        ["2025", "50.00", "", "", "", "", "", "", "", "", "", "", "", "50.00"],
    ];
    assert_eq!(cells(&html, "Monthly returns"), wanted);
}

#[test]
fn trades_are_listed_as_they_are() {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let long = TradeRow {
        symbol: "BTC/USDT".to_owned(),
        opened: 1_740_833_700_000,
        closed: Some(1_740_920_405_000),
        quantity: decimal("0.0100"),
        entry_price: decimal("86000.10"),
        exit_price: Some(decimal("85000")),
        fees: decimal("0.941"),
        net: decimal("-10.942"),
        reason: "stop, \"hard\"".to_owned(),
        ..TradeRow::default()
    };
    let short = TradeRow {
        side: TradeSide::Short,
        closed: None,
        exit_price: None,
        net: Decimal::ZERO,
        ..long.clone()
    };
    let order = OrderRow { time: 5, id: "a,b".to_owned(), quantity: Decimal::TWO, ..OrderRow::default() };
    let data =
        ReportData { currency: "USDT".to_owned(), trades: vec![long, short], orders: vec![order], ..bare() };
    // date -u -d @1740833700: 2025-03-01 12:55:00; the closing is 24 h and 5 min 5 s minus 5 min later.
    let wanted = [
        [
            "1",
            "BTC/USDT",
            "long",
            "2025-03-01 12:55",
            "2025-03-02 13:00:05",
            "0.01",
            "86000.1",
            "85000",
            "0.941",
            "\u{2212}10.942",
            "stop, \"hard\"",
        ],
        [
            "2",
            "BTC/USDT",
            "short",
            "2025-03-01 12:55",
            "still open",
            "0.01",
            "86000.1",
            "",
            "0.941",
            "0",
            "stop, \"hard\"",
        ],
    ];
    assert_eq!(cells(&html(data.clone()), "Trades"), wanted);
    let csv = Report::new(data).unwrap().csv();
    let lines: Vec<&str> = csv.trades.lines().collect();
    assert_eq!(
        lines[1],
        "1,BTC/USDT,long,1740833700000,2025-03-01T12:55:00Z,1740920405000,2025-03-02T13:00:05Z,0.0100,86000.10,85000,\
         0.941,-10.942,\"stop, \"\"hard\"\"\","
    );
    assert!(lines[2].starts_with("2,BTC/USDT,short,1740833700000,2025-03-01T12:55:00Z,,,"));
    assert_eq!(
        csv.equity,
        "series,time_ms,time,value\nequity,0,1970-01-01T00:00:00Z,100\nequity,86400000,1970-01-02T00:00:00Z,101\n"
    );
    assert_eq!(csv.orders.lines().nth(1).unwrap(), "5,1970-01-01T00:00:00.005Z,\"a,b\",,,,2,,0,,0,,");
    assert!([&csv.trades, &csv.orders].iter().all(|table| {
        let commas = table.lines().next().unwrap().matches(',').count();
        let quoted: usize = table.lines().nth(1).unwrap().matches(',').count();
        // One comma lies within quotes in each.
        quoted == commas + 1
    }));
}

#[test]
fn what_cannot_be_shown_is_refused() {
    type Broken = fn(&mut ReportData);
    let cases: [(&str, Broken); 13] = [
        ("equity curve", |data| data.equity = Curve::default()),
        ("one per time", |data| data.equity.values.push(1.0)),
        ("does not come after", |data| data.equity.times[1] = data.equity.times[0]),
        ("not finite", |data| data.equity.values[1] = f64::NAN),
        ("up to the year 9999", |data| data.equity.times[0] = -1),
        ("underwater", |data| data.underwater = Some(Curve { times: vec![1], values: vec![-12.0] })),
        ("twice", |data| data.monthly_returns.push(data.monthly_returns[0])),
        ("of no month", |data| data.monthly_returns[0].month = 13),
        ("prices out of order", |data| data.symbols[0].candles[3].high = 1.0),
        ("closed before", |data| data.trades[0].closed = Some(data.trades[0].opened - 1)),
        ("without a price", |data| data.trades[0].exit_price = None),
        ("does not lie below", |data| data.monte_carlo.as_mut().unwrap().quantiles.swap(0, 1)),
        ("chosen cell", |data| data.sensitivity[0].chosen = Some((4, 0))),
    ];
    let data = made_up::report_data(200, 4);
    for (wanted, spoil) in cases {
        let mut broken = data.clone();
        spoil(&mut broken);
        let error = Report::new(broken).unwrap_err().to_string();
        assert!(error.contains(wanted), "{wanted}: {error}");
    }
    let mut broken = data;
    broken.confusion.as_mut().unwrap().counts.pop();
    assert!(Report::new(broken).unwrap().html().unwrap_err().to_string().contains("confusion matrix"));
}

/// The style sheet recolours charts of the light theme; the charts' own dark theme says what must come out.
#[test]
fn the_dark_style_is_the_dark_theme_of_the_charts() {
    let page = html(bare());
    let rules: Vec<(String, String)> = page
        .lines()
        .filter_map(|line| line.trim().strip_prefix(":root:not(.light) svg [")?.strip_suffix("; }"))
        .map(|rule| {
            let (wanted, made) =
                rule.split_once("] {").or_else(|| rule.split_once("].background {")).unwrap();
            let (name, colour) = made.trim().split_once(": ").unwrap();
            let background = if rule.contains(".background") { "class=\"background\" " } else { "" };
            (format!("{background}{wanted}"), format!("{name}=\"{colour}\""))
        })
        .collect();
    assert_eq!(rules.len(), 8);
    let style = |theme| ChartStyle { theme, ..ChartStyle::default() };
    let values = [Some(1.0), None, Some(-3.0), Some(2.0)];
    let (x, y) = ([0.0, 1.0, 2.0], [1.0, 3.0, 2.0]);
    let series = [
        Series { name: "a", x: &x, y: &y, ..Series::default() },
        Series { name: "b", x: &x[..1], y: &y[..1], ..Series::default() },
    ];
    let draw = |theme| {
        let line =
            LineChart { title: "line", x_label: "x", y_label: "y", series: &series, ..LineChart::default() };
        let grid = HeatMap {
            title: "grid",
            rows: &["a", "b"],
            columns: &["c", "d"],
            values: &values,
            digits: Some(2),
            ..HeatMap::default()
        };
        let confusion = ConfusionMatrix { title: "matrix", classes: &["a", "b"], counts: &[900, 0, 1, 0] };
        [
            line.svg(&style(theme)).unwrap(),
            grid.svg(&style(theme)).unwrap(),
            confusion.svg(&style(theme)).unwrap(),
        ]
    };
    for (light, dark) in draw(Theme::Light).iter().zip(&draw(Theme::Dark)) {
        for (light, dark) in light.lines().zip(dark.lines()) {
            let mut recoloured = light.to_owned();
            for (wanted, made) in &rules {
                if let Some(fill) = wanted.strip_prefix("class=\"background\" ") {
                    if light.contains("class=\"background\"") {
                        recoloured = recoloured.replace(fill, made);
                    }
                } else {
                    recoloured = recoloured.replace(wanted, made);
                }
            }
            assert_eq!(recoloured, *dark);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_curve_and_any_text_make_a_well_formed_page(
        steps in prop::collection::vec((1_i64..100_000_000_000, -1e12_f64..1e12), 1..60),
        title in any::<String>(),
    ) {
        let mut time = 0;
        let times: Vec<i64> = steps.iter().map(|(step, _)| { time += step; time }).collect();
        let values: Vec<f64> = steps.iter().map(|(_, value)| *value).collect();
        let data = ReportData { title, equity: Curve { times, values }, ..ReportData::default() };
        let page = html(data);
        let markup = markup(&page);
        parse(&markup);
    }
}
