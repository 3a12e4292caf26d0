//! Walk-forward: the model's recipe is trained anew for each stretch of time on what came before it, and traded on it beside
//! the classic strategies, through `simulate --walk-forward`.

use std::ffi::OsString;

use anyhow::Result;
use serde_json::{Value, json};

use super::backtest::{PROGRAM, promoted, rows, table_of, verdict_words};
use super::identifier::seconds_of;
use super::model::bundle_files;
use super::report::Report;
use super::resume::{Kept, Reads};
use super::{Run, Stage, print};
use crate::say;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "walk-forward", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads { programs: &[PROGRAM], words: words(run), files: bundle_files(run) },
    writes: &[DIRECTORY],
    goes_on: true,
    save: |run| run.walk_forward.clone(),
    restore: |run, result| {
        run.walk_forward = result;
        Ok(())
    },
};

const DIRECTORY: &str = "walk-forward";
/// Three folds in the 173 days of the demo's market; with the default of 30 there would be two.
const DEMO_TEST_DAYS: &str = "walk_forward.test_days=27";

fn words(run: &Run) -> Vec<String> {
    let mut words = ["--walk-forward", "--strategy", "hybrid,classic"].map(str::to_owned).to_vec();
    if run.arguments.is_demo() {
        words.extend(["--set".to_owned(), DEMO_TEST_DAYS.to_owned()]);
    }
    if run.arguments.no_walk_forward {
        words.push("left out".to_owned());
    }
    words
}

fn run(run: &mut Run) -> Result<Verdict> {
    run.walk_forward = Value::Null;
    if run.arguments.no_walk_forward {
        say("left out, by --no-walk-forward");
        return Ok(Verdict::Fine);
    }
    let Some(bundle) = run.model.training["bundle"].as_str().map(str::to_owned) else {
        say("no model, nothing to train anew");
        return Ok(Verdict::Fine);
    };
    if let Some(reason) = too_short(run)? {
        print(&format!("{reason}\n"))?;
        return Ok(Verdict::Fine);
    }
    let mut all: Vec<OsString> = words(run).into_iter().map(OsString::from).collect();
    let out = run.directory()?.join(DIRECTORY);
    // An epoch may take minutes: `--verbose` says what each has shown.
    all.extend(["--verbose".into(), "--bundle".into(), bundle.into(), "--out".into(), out.into_os_string()]);
    let (document, verdict) = run.call(PROGRAM, &all, &run.labels.series)?;
    if document.is_null() {
        say(&format!("{PROGRAM} could not train and trade; its own message stands above"));
        return Ok(verdict);
    }
    print(&text(&document))?;
    if run.arguments.is_demo() {
        print("the signal was planted: what is earned here is earned nowhere else\n")?;
    }
    run.walk_forward = document;
    // As in the backtest: that nothing passes the gate is no fault of the run.
    Ok(if verdict == Verdict::Finding { Verdict::Fine } else { verdict })
}

/// Why there is no fold, where the candles are too few for one: that is nothing wrong with them.
fn too_short(run: &Run) -> Result<Option<String>> {
    let days = |name: &str| run.setting(PROGRAM, &format!("walk_forward.{name}")).and_then(Value::as_f64);
    let (Some(train), Some(test)) = (days("train_days"), days("test_days")) else { return Ok(None) };
    let Some(span) = span_days(&run.data()?.report, &run.labels.series) else { return Ok(None) };
    let test = if run.arguments.is_demo() { test.min(27.0) } else { test };
    Ok((span < train + test).then(|| {
        format!(
            "no walk-forward: the candles span {span:.0} days, and a fold needs {train} to train and {test} to trade; give more \
             candles, or --set walk_forward.train_days=… (test_days=…, validation_days=…)"
        )
    }))
}

/// From the first candle of these series to the last one.
fn span_days(report: &Report, names: &[String]) -> Option<f64> {
    let of_run = || report.series().filter(|series| names.contains(&series.key.name()));
    let first = of_run().filter_map(|series| seconds_of(series.first.as_deref()?)).min()?;
    let last = of_run().filter_map(|series| seconds_of(series.last.as_deref()?)).max()?;
    Some((last - first) as f64 / 86_400.0)
}

/// The folds that were traded.
pub(super) fn folds(document: &Value) -> &[Value] {
    rows(document).first().and_then(|row| row["folds"].as_array()).map_or(&[][..], Vec::as_slice)
}

fn text(document: &Value) -> String {
    let mut text = table_of(document);
    let share = |value: &Value| value.as_f64().map_or("-".to_owned(), |one| format!("{:+.1} %", 100.0 * one));
    let f1 = &document["predictions"]["fold_macro_f1"];
    for row in rows(document).iter().filter(|row| row["strategy"] == "hybrid") {
        for (number, fold) in row["folds"].as_array().into_iter().flatten().enumerate() {
            let time = |field: &str| fold[field].as_str().and_then(|time| time.get(..10)).unwrap_or("?");
            let score = f1[number].as_f64().map_or("-".to_owned(), |one| format!("{one:.4}"));
            text += &format!(
                "fold {}, {} to {}: hybrid {}, buy and hold {}, {} trades, macro-F1 {score}\n",
                number + 1,
                time("from"),
                time("until"),
                share(&fold["total_return"]),
                share(&fold["buy_and_hold"]),
                fold["trades"],
            );
        }
        text += &verdict_words("hybrid, trained anew in each fold", row);
        text += &format!("  report: {}\n", row["report"].as_str().unwrap_or("-"));
    }
    text
}

/// The report of the model that is trained anew.
pub(super) fn report(run: &Run) -> Option<&str> {
    let row = rows(&run.walk_forward).iter().find(|row| row["strategy"] == "hybrid")?;
    row["report"].as_str()
}

/// What the record says of it; the reports lie beside it.
pub(super) fn record(run: &Run) -> Value {
    if run.walk_forward.is_null() {
        return Value::Null;
    }
    let document = &run.walk_forward;
    json!({
        "folds": folds(document).len(), "strategies": document["strategies"],
        "predictions": document["predictions"], "promoted": promoted(document),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        let fold = |from: &str, total: f64| json!({ "from": from, "until": "2024-04-27T00:00:00Z", "total_return": total, "buy_and_hold": 0.304, "trades": 885 });
        json!({
            "predictions": { "fold_macro_f1": [0.5453, null] },
            "strategies": [{
                "strategy": "hybrid", "from": "A", "until": "B", "total_return": 0.2, "trades": 900, "promote": false,
                "not_met": ["deflated Sharpe ratio 0.39 fails"], "report": "w/report.html",
                "folds": [fold("2024-03-31T00:00:00Z", 0.496), fold("x", -0.1)],
            }],
        })
    }

    #[test]
    fn every_fold_is_said_and_the_verdict() {
        let said = text(&document());
        let expected = "\
traded from A to B, after costs
fold 1, 2024-03-31 to 2024-04-27: hybrid +49.6 %, buy and hold +30.4 %, 885 trades, macro-F1 0.5453
fold 2, ? to 2024-04-27: hybrid -10.0 %, buy and hold +30.4 %, 885 trades, macro-F1 -
hybrid, trained anew in each fold: do not promote
  deflated Sharpe ratio 0.39 fails
  report: w/report.html
";
        assert!(said.ends_with(expected), "{said}");
        assert_eq!(folds(&document()).len(), 2);
        // A document of another form is no panic.
        assert_eq!((folds(&Value::Null).len(), text(&Value::Null).contains("fold 1")), (0, false));
    }

    #[test]
    fn the_span_is_that_of_the_labelled_series() {
        let report: Report = serde_json::from_str(crate::train::report::tests::DOCUMENT).unwrap();
        // 2024-01-01 00:00 to 2024-07-17 23:55.
        let span = span_days(&report, &["bybit-linear BTC/USDT:USDT 5m".to_owned()]).unwrap();
        assert!((span - (198.0 + (23.0 * 60.0 + 55.0) / 1_440.0)).abs() < 1e-9, "{span}");
        assert_eq!(span_days(&report, &[]), None);
    }
}
