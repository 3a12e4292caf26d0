//! Candles as JSON: arrays of arrays, arrays of objects, and the envelopes of exchanges.

use std::io::BufRead;

use serde_json::Value;

use crate::error::{MarketDataError, Place};

use super::header::{CandleLayout, TableKind, candle_layout, headerless_layout, kind_of};
use super::raw::{RawTable, RowAssembler};
use super::time_cell::TimeRules;

/// Keys under which exchanges put the rows.
const ROW_KEYS: [&str; 7] = ["result", "list", "data", "candles", "klines", "rows", "k"];

/// What an envelope says about its rows.
#[derive(Default)]
struct Envelope {
    symbol: Option<String>,
    market: Option<String>,
    interval: Option<String>,
    exchange: Option<String>,
    /// Names of the columns, as pandas writes them with `orient="split"`.
    columns: Option<Vec<String>>,
}

/// Reads a JSON document of candles. The document is held in memory while it is read; exchanges send
/// pages of at most a few thousand candles.
pub(crate) fn read_json(
    name: &str,
    text: Box<dyn BufRead + '_>,
    rules: TimeRules,
    columns: Option<&[String]>,
) -> Result<RawTable, MarketDataError> {
    let unreadable = |line: Option<u64>, problem: String, remedy: &str| MarketDataError::Unreadable {
        place: Place { file: name.to_owned(), line, column: None },
        problem,
        remedy: remedy.to_owned(),
    };
    let document: Value = serde_json::from_reader(text).map_err(|error| {
        let line = u64::try_from(error.line()).ok();
        if error.is_syntax() && error.to_string().contains("trailing characters") {
            return unreadable(
                line,
                "there is one JSON document per line, as in recordings of a stream".to_owned(),
                "candles are read from one JSON array; streams of trades or order books are not candles",
            );
        }
        unreadable(line, format!("this is no whole JSON document ({error})"), "fetch the file again")
    })?;
    let mut envelope = Envelope::default();
    let rows = find_rows(&document, &mut envelope).map_err(|problem| {
        unreadable(None, problem, "give an array of candles, or an exchange's reply that holds one")
    })?;
    let layout = layout_of(rows, columns.or(envelope.columns.as_deref())).map_err(|(element, problem)| {
        unreadable(
            Some(element),
            problem,
            "candles are arrays [time, open, high, low, close, volume, …] or objects with those keys",
        )
    })?;
    let names = layout.names.clone();
    let mut assembler = RowAssembler::new(name.to_owned(), layout, rules);
    for (index, row) in rows.iter().enumerate() {
        let element = index as u64 + 1;
        let cells = cells_of(row, &names).map_err(|problem| {
            unreadable(Some(element), problem, "every element must have the shape of the first one")
        })?;
        assembler.push(&cells, element)?;
    }
    let mut table = assembler.finish()?;
    table.notes.push("line numbers of JSON files count the elements of the array, from 1".to_owned());
    for series in &mut table.series {
        series.symbol = series.symbol.take().or_else(|| envelope.symbol.clone());
        series.market = series.market.take().or_else(|| envelope.market.clone());
        series.timeframe = series.timeframe.take().or_else(|| envelope.interval.clone());
        series.exchange = series.exchange.take().or_else(|| envelope.exchange.clone());
    }
    Ok(table)
}

/// The array of rows, wherever the envelope hides it.
fn find_rows<'a>(value: &'a Value, envelope: &mut Envelope) -> Result<&'a Vec<Value>, String> {
    match value {
        Value::Array(rows) if rows.is_empty() => Err("the array of candles is empty".to_owned()),
        Value::Array(rows) => Ok(rows),
        Value::Object(fields) => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
            if let Some(code) = fields.get("retCode").and_then(Value::as_i64) {
                envelope.exchange = Some("bybit".to_owned());
                if code != 0 {
                    let message = text("retMsg").unwrap_or_default();
                    return Err(format!("this is an error reply of the exchange: {code} {message}"));
                }
            }
            if let Some(names) = fields.get("columns").and_then(Value::as_array) {
                envelope.columns = Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
            }
            envelope.symbol = text("symbol").or(envelope.symbol.take());
            envelope.market = text("category").or(envelope.market.take());
            envelope.interval = text("interval").or(envelope.interval.take());
            ROW_KEYS
                .iter()
                .filter_map(|key| fields.get(*key))
                .find(|inner| inner.is_array() || inner.is_object())
                .ok_or_else(|| "the document holds no array of candles".to_owned())
                .and_then(|inner| find_rows(inner, envelope))
        }
        _ => Err("the document holds no array of candles".to_owned()),
    }
}

fn layout_of(rows: &[Value], columns: Option<&[String]>) -> Result<CandleLayout, (u64, String)> {
    match rows.first() {
        Some(Value::Array(cells)) => headerless_layout(cells.len(), columns).map_err(|problem| (1, problem)),
        Some(Value::Object(_)) if columns.is_some() => Err((
            1,
            "the elements are objects, whose keys name the values; --columns is for arrays".to_owned(),
        )),
        Some(Value::Object(fields)) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            match kind_of(&names) {
                Some(TableKind::Candles) => {
                    candle_layout(&names).map_err(|missing| (1, format!("the object lacks {missing}")))
                }
                Some(kind) => Err((1, format!("this is {}, not candles", kind.describe()))),
                None => Err((1, format!("an object with the keys {} is no candle", names.join(", ")))),
            }
        }
        _ => Err((1, "the first element is neither an array nor an object".to_owned())),
    }
}

fn cells_of(row: &Value, names: &[String]) -> Result<Vec<String>, String> {
    let cell = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(Value::Null) | None => Ok(String::new()),
        // OKX flags whether a candle is complete; flags are no numbers and are not read.
        Some(Value::Bool(flag)) => Ok(flag.to_string()),
        Some(_) => Err("a cell is an array or an object".to_owned()),
    };
    match row {
        Value::Array(cells) if cells.len() == names.len() => {
            cells.iter().map(|value| cell(Some(value))).collect()
        }
        Value::Array(cells) => {
            Err(format!("the array has {} values where {} are expected", cells.len(), names.len()))
        }
        Value::Object(fields) => names.iter().map(|name| cell(fields.get(name))).collect(),
        _ => Err("the element is neither an array nor an object".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RawTable, MarketDataError> {
        read_json("test.json", Box::new(text.as_bytes()), TimeRules::default(), None)
    }

    #[test]
    fn reads_ccxt_arrays() {
        let table =
            read("[[1509836520000, 1.5, 2.5, 0.5, 1, 108.1], [1509836580000, 1,2,0.5,1, 0]]").unwrap();
        let columns = &table.series[0].columns;
        assert_eq!((columns.len(), columns.high[0], columns.turnover.clone()), (2, 2.5, None));
    }

    #[test]
    fn reads_a_bybit_reply() {
        let table = read(
            r#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","symbol":"ETHUSDT","list":[
            ["1721174400000","3443.31","3517.74","3374.06","3385.81","783800.04","2701739209.5481"]]}}"#,
        )
        .unwrap();
        let series = &table.series[0];
        assert_eq!(series.symbol.as_deref(), Some("ETHUSDT"));
        assert_eq!((series.exchange.as_deref(), series.market.as_deref()), (Some("bybit"), Some("linear")));
        assert_eq!(series.columns.get(0).turnover, Some(2_701_739_209.548_1));
    }

    #[test]
    fn reads_objects() {
        let table =
            read(r#"[{"time":1721174400,"open":1,"high":2,"low":0.5,"close":1,"volume":3}]"#).unwrap();
        assert_eq!(table.series[0].columns.open_time[0].as_millis(), 1_721_174_400_000);
    }

    #[test]
    fn pandas_split_states_its_columns() {
        let table = read(
            r#"{"columns":["timestamp","close","high","low","open","volume"],"index":[0],"data":[[1721174400000,1.5,2,0.5,1,3]]}"#,
        )
        .unwrap();
        let candle = table.series[0].columns.get(0);
        assert_eq!((candle.open, candle.close), (1.0, 1.5));
    }

    #[test]
    fn refuses_with_the_place() {
        for (text, part) in [
            (r#"{"retCode":10001,"retMsg":"params error","result":{}}"#, "params error"),
            ("[]", "empty"),
            (r#"{"a":1}"#, "no array of candles"),
            ("[[1509836520000,1,2,0.5,1,1],[1509836580000,1,2]]", "line 2"),
            ("[[1509836520000,1,2,0.5,1,\"x\"]]", "`x` is no number"),
            ("{\"a\":1}\n{\"a\":2}\n", "one JSON document per line"),
            ("[[1509836520000,1,2", "no whole JSON document"),
            (r#"[{"time":1721174400,"price":1,"side":"buy"}]"#, "single trades"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
