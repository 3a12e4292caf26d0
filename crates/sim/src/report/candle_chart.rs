//! Candles with trades on them: the data and the frame; `script.js` draws.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Serialize;

use super::data::{ReportData, SymbolCandles, TradeRow, TradeSide};
use super::html::{Page, escape, script_json};
use super::thinning::thin_candles;
use crate::error::SimError;

/// Candles drawn per symbol, and of all symbols together.
const CANDLES_PER_SYMBOL: usize = 5_000;
const CANDLES_TOGETHER: usize = 40_000;
/// The least of a symbol, however many there are.
const LEAST_CANDLES: usize = 200;

/// What the script reads.
#[derive(Serialize)]
struct ChartData<'a> {
    symbols: Vec<ChartSymbol<'a>>,
    trades: Vec<Option<Marker>>,
}

/// A symbol's candles as columns.
#[derive(Serialize)]
struct ChartSymbol<'a> {
    symbol: &'a str,
    /// Milliseconds that the body of a candle stands for.
    width: i64,
    times: Vec<i64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

/// Where a trade stands on the candles.
#[derive(Serialize)]
struct Marker {
    symbol: usize,
    long: bool,
    gain: bool,
    opened: i64,
    closed: Option<i64>,
    entry: f64,
    exit: Option<f64>,
}

/// Writes the chart, where there are candles.
pub(super) fn write(page: &mut Page, data: &ReportData, listed: &[TradeRow]) -> Result<(), SimError> {
    if data.symbols.is_empty() {
        return Ok(());
    }
    let most = (CANDLES_TOGETHER / data.symbols.len()).clamp(LEAST_CANDLES, CANDLES_PER_SYMBOL);
    let mut notes = Vec::new();
    let symbols = data.symbols.iter().map(|symbol| {
        let (drawn, note) = drawn(symbol, most);
        notes.push(note);
        drawn
    });
    let chart = ChartData {
        symbols: symbols.collect(),
        trades: listed.iter().map(|trade| marker(data, trade)).collect(),
    };
    let json = serde_json::to_string(&chart)
        .map_err(|error| SimError::data("the report's candle chart", error.to_string()))?;
    frame(page, data, &notes);
    page.raw(&format!(
        "<script type=\"application/json\" id=\"candle-data\">{}</script>\n",
        script_json(&json)
    ));
    Ok(())
}

fn drawn(symbol: &SymbolCandles, most: usize) -> (ChartSymbol<'_>, String) {
    let (candles, spans) = thin_candles(&symbol.candles, most);
    let column = |price: fn(&super::data::ReportCandle) -> f64| candles.iter().map(price).collect();
    let times: Vec<i64> = candles.iter().map(|candle| candle.time).collect();
    let width = times.windows(2).filter_map(|pair| Some(pair.last()? - pair.first()?)).min();
    let mut note = format!("{}: {} candles", symbol.symbol, symbol.candles.len());
    if !symbol.timeframe.is_empty() {
        note.push_str(&format!(" of {}", symbol.timeframe));
    }
    if spans > 1 {
        note.push_str(&format!(
            ", drawn as {}: each covers up to {spans} (first open, highest high, lowest low, last close)",
            candles.len()
        ));
    }
    let drawn = ChartSymbol {
        symbol: &symbol.symbol,
        width: width.unwrap_or(60_000),
        open: column(|candle| candle.open),
        high: column(|candle| candle.high),
        low: column(|candle| candle.low),
        close: column(|candle| candle.close),
        times,
    };
    (drawn, note)
}

fn marker(data: &ReportData, trade: &TradeRow) -> Option<Marker> {
    let price = |value: Decimal| value.to_f64().filter(|value| value.is_finite());
    Some(Marker {
        symbol: data.symbols.iter().position(|symbol| symbol.symbol == trade.symbol)?,
        long: trade.side == TradeSide::Long,
        gain: !trade.net.is_sign_negative() || trade.net.is_zero(),
        opened: trade.opened,
        closed: trade.closed,
        entry: price(trade.entry_price)?,
        exit: trade.exit_price.and_then(price),
    })
}

fn frame(page: &mut Page, data: &ReportData, notes: &[String]) {
    page.raw("<figure class=\"candles\" id=\"candle-chart\">\n<div class=\"controls\" hidden=\"hidden\">\n");
    page.raw("<label>Symbol <select id=\"candle-symbol\">\n");
    for (index, symbol) in data.symbols.iter().enumerate() {
        page.raw(&format!("<option value=\"{index}\">{}</option>\n", escape(&symbol.symbol)));
    }
    page.raw("</select></label>\n");
    for (action, name) in [
        ("in", "Zoom in"),
        ("out", "Zoom out"),
        ("earlier", "Earlier"),
        ("later", "Later"),
        ("all", "Whole span"),
        ("previous", "Previous trade"),
        ("next", "Next trade"),
    ] {
        page.raw(&format!("<button type=\"button\" data-action=\"{action}\">{name}</button>\n"));
    }
    page.raw("</div>\n<canvas id=\"candle-canvas\" tabindex=\"0\" role=\"img\" ");
    page.raw("aria-label=\"Candles with entries and exits of trades; the table below has the same trades\"></canvas>\n");
    page.raw("<noscript><p class=\"note\">This chart needs JavaScript; the table below has the same trades.</p></noscript>\n");
    page.raw("<div id=\"candle-trade\" class=\"picked\" aria-live=\"polite\" hidden=\"hidden\"></div>\n<figcaption>\n");
    page.paragraph(
        "",
        "Triangle: entry (up: long, down: short). Square: exit. The line between them is unbroken for a gain, dashed for a \
         loss. Candles: hollow rose, filled fell. Wheel or pinch zooms, dragging moves; times are UTC.",
    );
    notes.iter().for_each(|note| page.paragraph("note", note));
    page.raw("</figcaption>\n</figure>\n");
}
