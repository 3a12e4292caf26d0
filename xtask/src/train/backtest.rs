//! Trades the model, the policy and the hybrid of both on the time that was held out, beside strategies that need none,
//! through `simulate`: with costs, and with what of the result could be luck.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use super::evaluation::test_time;
use super::model::{PROGRAM as EXPLAINER, bundle_files};
use super::resume::{Kept, Reads};
use super::{Run, Stage, print, section_of};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "backtest", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| {
        let mut words = vec![format!("{LEARNED:?} {DEMO_WINDOWS}")];
        words.extend(test_time(&run.model.training).into_iter().flat_map(|(from, to)| [from, to]));
        words.extend(candle_path_words(run));
        let policy = run.policy.directory().map(PathBuf::from);
        Reads {
            programs: &[PROGRAM, EXPLAINER],
            words,
            files: bundle_files(run).into_iter().chain(policy).collect(),
        }
    },
    writes: &["explanation", "backtest"],
    goes_on: false,
    save: |run| run.backtest.clone(),
    restore: |run, result| {
        run.backtest = result;
        Ok(())
    },
};

pub(super) const PROGRAM: &str = "simulate";
/// The strategies of what was trained.
const LEARNED: [&str; 3] = ["model", "policy", "hybrid"];
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
    let mut words = strategy_words(&bundle, run.policy.directory()).map(OsString::from).to_vec();
    if let Some(explanation) = explain(run, &bundle)? {
        words.extend([OsString::from("--explanation"), explanation.into_os_string()]);
    }
    words.extend(candle_path_words(run).into_iter().map(OsString::from));
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

/// A policy holds its model; without one the model is traded all the same.
const fn strategy_words<'a>(bundle: &'a str, policy: Option<&'a str>) -> [&'a str; 4] {
    match policy {
        Some(policy) => ["--policy", policy, "--strategy", "classic,model,policy,hybrid"],
        None => ["--bundle", bundle, "--strategy", "hybrid,classic"],
    }
}

/// Whoever sets something of `candle_monte_carlo` wants it run; `simulate` does so only where it is asked to.
fn candle_path_words(run: &Run) -> Vec<String> {
    let asked = run.arguments.settings_of(PROGRAM).any(|set| section_of(set) == "candle_monte_carlo");
    let paths = run.setting(PROGRAM, "candle_monte_carlo.paths").filter(|_| asked);
    paths.map_or_else(Vec::new, |paths| vec!["--candle-paths".to_owned(), paths.to_string()])
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

pub(super) fn rows(document: &Value) -> &[Value] {
    document["strategies"].as_array().map_or(&[][..], Vec::as_slice)
}

/// All strategies, and which time they traded.
pub(super) fn table_of(document: &Value) -> String {
    let share = |value: &Value| {
        value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{:+.1} %", 100.0 * value))
    };
    let drawdown = |value: &Value| {
        value.as_f64().map_or_else(|| "-".to_owned(), |value| format!("{:.1} %", 100.0 * value))
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
                drawdown(&row["maximum_drawdown"]),
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
    text
}

fn text(document: &Value) -> String {
    let mut text = table_of(document);
    for name in LEARNED {
        for row in rows(document).iter().filter(|row| row["strategy"] == name) {
            text += &verdict_words(name, row);
            text += &format!("  report: {}\n", row["report"].as_str().unwrap_or("-"));
        }
    }
    text + &gate(document)
}

/// Whether a strategy of what was trained may go on, and what speaks against it.
pub(super) fn verdict_words(name: &str, row: &Value) -> String {
    if row["promote"].as_bool() == Some(true) {
        return format!("{name}: promote (to paper trading, not to money)\n");
    }
    let reasons = row["not_met"].as_array().into_iter().flatten().filter_map(Value::as_str);
    reasons.fold(format!("{name}: do not promote\n"), |text, reason| text + &format!("  {reason}\n"))
}

/// What the gate says of all strategies.
fn gate(document: &Value) -> String {
    let (all, promoted) = (rows(document).len(), promoted(document));
    match (all, promoted.len()) {
        (0, _) => String::new(),
        (_, 0) => format!("gate: none of {all} strategies passes\n"),
        (_, passing) => format!("gate: {passing} of {all} strategies: {}\n", promoted.join(", ")),
    }
}

/// Strategies that pass the gate.
pub(super) fn promoted(document: &Value) -> Vec<&str> {
    let passing = rows(document).iter().filter(|row| row["promote"].as_bool() == Some(true));
    passing.filter_map(|row| row["strategy"].as_str()).collect()
}

/// The report to open first: that of the strategy that hears most of what was trained.
pub(super) fn report(run: &Run) -> Option<&str> {
    let of = |name: &&str| rows(&run.backtest).iter().find(|row| row["strategy"] == **name);
    LEARNED.iter().rev().find_map(of).and_then(|row| row["report"].as_str())
}

/// What the record says of it; the reports lie beside it.
pub(super) fn record(run: &Run) -> Value {
    if run.backtest.is_null() {
        return Value::Null;
    }
    json!({
        "strategies": run.backtest["strategies"], "cash": run.backtest["cash"], "promoted": promoted(&run.backtest),
    })
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
            " 8.0 %",
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
        assert!(said.ends_with("gate: 1 of 2 strategies: hybrid\n"), "{said}");
        assert_eq!(text(&Value::Null), text(&json!({ "strategies": [] })));
    }

    #[test]
    fn model_policy_and_hybrid_are_judged_each() {
        let mut document = document(false);
        for name in ["policy", "model"] {
            let row = json!({ "strategy": name, "promote": false, "not_met": [format!("{name} is luck")] });
            document["strategies"].as_array_mut().unwrap().push(row);
        }
        let said = text(&document);
        let expected = "\
model: do not promote
  model is luck
  report: -
policy: do not promote
  policy is luck
  report: -
hybrid: do not promote
  12 trades fails: at least 100 is asked for
  report: artifacts/x/hybrid/report.html
gate: none of 4 strategies passes
";
        assert!(said.ends_with(expected), "{said}");
    }

    #[test]
    fn a_policy_is_traded_with_its_model_and_without_one_the_model_is() {
        assert_eq!(
            strategy_words("B", Some("P")),
            ["--policy", "P", "--strategy", "classic,model,policy,hybrid"]
        );
        assert_eq!(strategy_words("B", None), ["--bundle", "B", "--strategy", "hybrid,classic"]);
    }
}
