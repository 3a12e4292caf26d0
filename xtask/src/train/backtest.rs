//! Trades the model on the time that was held out, beside strategies that need none, through `simulate`: with costs, and
//! with what of the result could be luck.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::evaluation::test_time;
use super::model::PROGRAM as EXPLAINER;
use super::{Run, Stage, print};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "backtest", run };

const PROGRAM: &str = "simulate";
/// Windows explained of the demo's model: enough for the order of its features.
const DEMO_WINDOWS: u32 = 48;

const HEADER: [&str; 8] =
    ["strategy", "return", "Sharpe", "drawdown", "trades", "fees", "deflated Sharpe", "verdict"];

fn run(run: &mut Run) -> Result<Verdict> {
    let Some(bundle) = run.model.training["bundle"].as_str().map(str::to_owned) else {
        say("no model, nothing to trade");
        return Ok(Verdict::Fine);
    };
    let out = run.directory()?.join("backtest");
    let mut words = ["--bundle", &bundle, "--strategy", "hybrid,classic"].map(OsString::from).to_vec();
    if let Some(explanation) = explain(run, &bundle)? {
        words.extend([OsString::from("--explanation"), explanation.into_os_string()]);
    }
    words.extend([OsString::from("--out"), out.into_os_string()]);
    let (document, verdict) = run.call(PROGRAM, &words, &run.labels.series)?;
    if document.is_null() {
        say(&format!("{PROGRAM} could not trade; its own message stands above"));
        return Ok(verdict);
    }
    print(&text(&document))?;
    if run.arguments.is_demo() {
        print("the signal was planted: what is earned here is earned nowhere else\n")?;
    }
    run.backtest = document;
    // That no strategy passes its gate is said in words. It is what is to be expected, and no fault of the run.
    Ok(if verdict == Verdict::Finding { Verdict::Fine } else { verdict })
}

/// What the model looked at on the time that it trades, for its report; none where it could not be said.
fn explain(run: &mut Run, bundle: &str) -> Result<Option<PathBuf>> {
    let Some((from, to)) = test_time(&run.model.training) else { return Ok(None) };
    let out = run.directory()?.join("explanation");
    let mut words =
        ["explain", "--bundle", bundle, "--from", &from, "--to", &to].map(OsString::from).to_vec();
    words.extend(["--overwrite".into(), "--out".into(), out.clone().into_os_string()]);
    if run.arguments.is_demo() {
        words.extend(["--windows".into(), DEMO_WINDOWS.to_string().into()]);
    }
    let (document, _) = run.call(EXPLAINER, &words, &run.labels.series)?;
    if document.is_null() {
        say(&format!("{EXPLAINER} could not explain the model; its own message stands above"));
        return Ok(None);
    }
    Ok(Some(out))
}

fn rows(document: &Value) -> &[Value] {
    document["strategies"].as_array().map_or(&[][..], Vec::as_slice)
}

fn text(document: &Value) -> String {
    let share = |value: &Value| {
        value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{:+.1} %", 100.0 * value))
    };
    let number = |value: &Value| value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    let cells: Vec<[String; 8]> = rows(document)
        .iter()
        .map(|row| {
            let verdict = if row["promote"].as_bool() == Some(true) { "promote" } else { "do not promote" };
            [
                row["strategy"].as_str().unwrap_or("-").to_owned(),
                share(&row["total_return"]),
                number(&row["sharpe"]),
                share(&row["maximum_drawdown"]),
                row["trades"].to_string(),
                row["fees"].as_f64().map_or_else(|| "-".to_owned(), |fees| format!("{fees:.0}")),
                number(&row["deflated_sharpe"]),
                verdict.to_owned(),
            ]
        })
        .collect();
    let mut text = table(HEADER, &[1, 2, 3, 4, 5, 6], &cells);
    if let Some(first) = rows(document).first() {
        let time = |field: &str| first[field].as_str().unwrap_or("?").to_owned();
        text += &format!("traded from {} to {}, after costs\n", time("from"), time("until"));
    }
    for row in rows(document).iter().filter(|row| row["strategy"] == "hybrid") {
        text += &verdict(row);
        text += &format!("report: {}\n", row["report"].as_str().unwrap_or("-"));
    }
    text
}

/// Whether the model's strategy may go on, and what speaks against it.
fn verdict(row: &Value) -> String {
    if row["promote"].as_bool() == Some(true) {
        return "hybrid: promote (to paper trading, not to money)\n".to_owned();
    }
    let reasons = row["not_met"].as_array().into_iter().flatten().filter_map(Value::as_str);
    reasons.fold("hybrid: do not promote\n".to_owned(), |text, reason| text + &format!("  {reason}\n"))
}

/// What the record says of it; the reports lie beside it.
pub(super) fn record(run: &Run) -> Value {
    if run.backtest.is_null() {
        return Value::Null;
    }
    json!({ "strategies": run.backtest["strategies"], "cash": run.backtest["cash"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(promote: bool) -> Value {
        let not_met = if promote { json!([]) } else { json!(["12 trades fails: at least 100 is asked for"]) };
        json!({ "strategies": [
            { "strategy": "hybrid", "from": "A", "until": "B", "total_return": -0.031, "sharpe": -1.25,
              "maximum_drawdown": 0.08, "trades": 12, "fees": 17.4, "deflated_sharpe": 0.02, "promote": promote,
              "not_met": not_met, "report": "artifacts/x/hybrid/report.html" },
            { "strategy": "buy-and-hold", "total_return": 0.5, "sharpe": null, "trades": 0, "promote": false },
        ]})
    }

    #[test]
    fn every_strategy_is_shown_and_the_model_s_verdict_said_in_words() {
        let said = text(&document(false));
        for part in [
            "hybrid ",
            "-3.1 %",
            "-1.25",
            "+8.0 %",
            "do not promote\n  12 trades fails",
            "traded from A to B, after costs",
            "report: artifacts/x/hybrid/report.html",
            "buy-and-hold",
        ] {
            assert!(said.contains(part), "`{part}` is not in {said}");
        }
    }

    #[test]
    fn a_promotion_is_one_to_paper() {
        let said = text(&document(true));
        assert!(said.contains("hybrid: promote (to paper trading, not to money)"), "{said}");
        assert_eq!(text(&Value::Null), text(&json!({ "strategies": [] })));
    }
}
