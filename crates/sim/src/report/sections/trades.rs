//! Trades on their candles, and the table of trades with what decided each.

use rust_decimal::Decimal;

use super::with_unit;
use crate::error::SimError;
use crate::report::calendar::minute_text;
use crate::report::candle_chart;
use crate::report::data::{ReportData, TradeRow, TradeSide};
use crate::report::html::{Column, Markup, Page, escape, number};

/// Rows of the table; more of them are in the CSV alone.
pub(super) const LISTED_TRADES: usize = 2_000;

/// Writes the section, where there are trades or candles.
pub(super) fn write(page: &mut Page, data: &ReportData) -> Result<(), SimError> {
    if data.trades.is_empty() && data.symbols.is_empty() {
        return Ok(());
    }
    page.open_section("trades", "Trades");
    let listed = data.trades.get(..LISTED_TRADES).unwrap_or(&data.trades);
    candle_chart::write(page, data, listed)?;
    if data.trades.is_empty() {
        page.paragraph("", "There were no trades.");
    } else {
        table(page, data, listed);
    }
    page.close_section();
    Ok(())
}

fn table(page: &mut Page, data: &ReportData, listed: &[TradeRow]) {
    if listed.len() < data.trades.len() {
        let text = format!(
            "The table and the chart show the first {} of {} trades; the CSV has all.",
            listed.len(),
            data.trades.len()
        );
        page.paragraph("note", &text);
    }
    let (fees, net) = (with_unit("Fees", &data.currency), with_unit("Net", &data.currency));
    let columns = [
        Column::number("No."),
        Column::text("Symbol"),
        Column::text("Side"),
        Column::text("Opened, UTC"),
        Column::text("Closed, UTC"),
        Column::number("Quantity"),
        Column::number("Entry price"),
        Column::number("Exit price"),
        Column::number(&fees),
        Column::number(&net),
        Column::text("Reason and decision log"),
    ];
    let rows: Vec<Vec<Markup>> =
        listed.iter().enumerate().map(|(index, trade)| row(data, index, trade)).collect();
    page.raw("<div class=\"trades\">\n");
    page.table("Trades in the order of their entries; net is after fees and funding", &columns, &rows);
    page.raw("</div>\n");
}

fn row(data: &ReportData, index: usize, trade: &TradeRow) -> Vec<Markup> {
    let amount = |value: Decimal| Markup(number(value.normalize()));
    let shown = data.symbols.iter().any(|symbol| symbol.symbol == trade.symbol);
    let position = if shown {
        format!("<a class=\"jump\" data-trade=\"{index}\" href=\"#candle-chart\">{}</a>", index + 1)
    } else {
        (index + 1).to_string()
    };
    let outcome = if trade.net.is_sign_negative() && !trade.net.is_zero() { "loss" } else { "gain" };
    let net = format!("<span class=\"{outcome}\">{}</span>", amount(trade.net).0);
    vec![
        Markup(position),
        Markup::text(&trade.symbol),
        Markup::text(match trade.side {
            TradeSide::Long => "long",
            TradeSide::Short => "short",
        }),
        Markup(minute_text(trade.opened)),
        Markup(trade.closed.map_or_else(|| "still open".to_owned(), minute_text)),
        amount(trade.quantity),
        amount(trade.entry_price),
        trade.exit_price.map_or_else(Markup::default, amount),
        amount(trade.fees),
        Markup(net),
        reason(trade),
    ]
}

fn reason(trade: &TradeRow) -> Markup {
    let reason = escape(&trade.reason);
    if trade.log.is_empty() {
        return Markup(reason);
    }
    let shown = if reason.is_empty() { "decision log" } else { &reason };
    let lines: Vec<String> = trade.log.iter().map(|line| escape(line)).collect();
    Markup(format!("<details><summary>{shown}</summary><pre>{}</pre></details>", lines.join("\n")))
}
