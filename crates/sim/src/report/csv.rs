//! Tables as comma-separated text (RFC 4180, with line feeds).

use market_data::Timestamp;

use super::data::{Curve, ReportData, TradeSide};

/// The tables behind a report, each a text of its own with a header line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportCsv {
    /// `series,time_ms,time,value`: equity, benchmarks, underwater and rolling curves one after the other, all points.
    pub equity: String,
    /// A line per trade.
    pub trades: String,
    /// A line per order.
    pub orders: String,
}

/// The tables of `data`.
pub(super) fn tables(data: &ReportData) -> ReportCsv {
    ReportCsv { equity: curves(data), trades: trades(data), orders: orders(data) }
}

fn curves(data: &ReportData) -> String {
    let mut text = "series,time_ms,time,value\n".to_owned();
    let mut add = |name: &str, curve: &Curve| {
        for (time, value) in curve.times.iter().zip(&curve.values) {
            line(&mut text, &[name.to_owned(), time.to_string(), iso(*time), value.to_string()]);
        }
    };
    add("equity", &data.equity);
    for benchmark in &data.benchmarks {
        add(&format!("benchmark: {}", benchmark.name), &benchmark.curve);
    }
    let optional = [
        ("underwater", &data.underwater),
        ("rolling sharpe", &data.rolling_sharpe),
        ("rolling volatility", &data.rolling_volatility),
    ];
    for (name, curve) in optional {
        if let Some(curve) = curve {
            add(name, curve);
        }
    }
    text
}

fn trades(data: &ReportData) -> String {
    let mut text =
        "number,symbol,side,opened_ms,opened,closed_ms,closed,quantity,entry_price,exit_price,fees,net,\
                    reason,log\n"
            .to_owned();
    for (index, trade) in data.trades.iter().enumerate() {
        let side = match trade.side {
            TradeSide::Long => "long",
            TradeSide::Short => "short",
        };
        let fields = [
            (index + 1).to_string(),
            trade.symbol.clone(),
            side.to_owned(),
            trade.opened.to_string(),
            iso(trade.opened),
            optional(trade.closed),
            trade.closed.map_or_else(String::new, iso),
            trade.quantity.to_string(),
            trade.entry_price.to_string(),
            optional(trade.exit_price),
            trade.fees.to_string(),
            trade.net.to_string(),
            trade.reason.clone(),
            trade.log.join("\n"),
        ];
        line(&mut text, &fields);
    }
    text
}

fn orders(data: &ReportData) -> String {
    let mut text =
        "time_ms,time,id,symbol,side,kind,quantity,limit_price,filled,mean_price,fees,state,reason\n"
            .to_owned();
    for order in &data.orders {
        let fields = [
            order.time.to_string(),
            iso(order.time),
            order.id.clone(),
            order.symbol.clone(),
            order.side.clone(),
            order.kind.clone(),
            order.quantity.to_string(),
            optional(order.limit_price),
            order.filled.to_string(),
            optional(order.mean_price),
            order.fees.to_string(),
            order.state.clone(),
            order.reason.clone(),
        ];
        line(&mut text, &fields);
    }
    text
}

fn optional(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn iso(time: i64) -> String {
    Timestamp::from_millis(time).to_string()
}

fn line(text: &mut String, fields: &[String]) {
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        if field.contains(['"', ',', '\n', '\r']) {
            text.push('"');
            text.push_str(&field.replace('"', "\"\""));
            text.push('"');
        } else {
            text.push_str(field);
        }
    }
    text.push('\n');
}
