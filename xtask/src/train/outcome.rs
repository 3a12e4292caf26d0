//! The end of a run on the terminal: every strategy on the time held out and in the walk-forward, in one table.

use serde_json::Value;

use super::backtest::rows;
use super::{Run, device, walk_forward};
use crate::table::table;

const HEADER: [&str; 9] = [
    "strategy",
    "held out",
    "Sharpe",
    "drawdown",
    "verdict",
    "walk-forward",
    "Sharpe",
    "drawdown",
    "verdict",
];

/// The table, the device, and which stages were skipped.
pub(super) fn text(run: &Run) -> String {
    let mut text = strategies(&run.backtest, &run.walk_forward);
    text += &computed(&device::record(run));
    let skipped: Vec<&str> =
        run.stages.iter().filter(|stage| stage.skipped).map(|stage| stage.name).collect();
    if !skipped.is_empty() {
        let saved: f64 = run.stages.iter().filter(|stage| stage.skipped).map(|stage| stage.seconds).sum();
        text += &format!("skipped, {saved:.1} s when they ran: {}\n", skipped.join(", "));
    }
    text
}

fn strategies(held_out: &Value, folds: &Value) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in rows(held_out).iter().chain(rows(folds)).filter_map(|row| row["strategy"].as_str()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        return String::new();
    }
    let cells: Vec<[String; 9]> = names
        .iter()
        .map(|name| {
            let [a, b, c, d] = figures(held_out, name);
            let [e, f, g, h] = figures(folds, name);
            [(*name).to_owned(), a, b, c, d, e, f, g, h]
        })
        .collect();
    let mut text = table(HEADER, &[1, 2, 3, 5, 6, 7], &cells);
    text += &times("held out", held_out);
    if !rows(folds).is_empty() {
        text += &times(&format!("walk-forward, {} folds", walk_forward::folds(folds).len()), folds);
    }
    text
}

/// What computed, in words.
fn computed(device: &Value) -> String {
    let of = |field: &str| match device[field].as_str() {
        Some("gpu") => "GPU".to_owned(),
        Some(name) => format!("processor ({name})"),
        None => "none".to_owned(),
    };
    format!(
        "computed on: model {}, walk-forward {}, policy {}\n",
        of("model"),
        of("walk_forward"),
        of("policy")
    )
}

/// Return, Sharpe ratio, drawdown and verdict of a strategy; dashes where it was not traded.
fn figures(document: &Value, name: &str) -> [String; 4] {
    let none = || "-".to_owned();
    let Some(row) = rows(document).iter().find(|row| row["strategy"] == name) else {
        return [none(), none(), none(), none()];
    };
    let share = |field: &str| row[field].as_f64().map(|value| 100.0 * value);
    let total = share("total_return").map_or_else(none, |value| format!("{value:+.1} %"));
    // Without a sign, as in the reports: a drawdown is a loss by its name.
    let drawdown = share("maximum_drawdown").map_or_else(none, |value| format!("{value:.1} %"));
    let sharpe = row["sharpe"].as_f64().map_or_else(none, |value| format!("{value:.2}"));
    let verdict = if row["promote"].as_bool() == Some(true) { "promote" } else { "do not promote" };
    [total, sharpe, drawdown, verdict.to_owned()]
}

fn times(what: &str, document: &Value) -> String {
    let time = |field: &str| rows(document).first().and_then(|row| row[field].as_str()).unwrap_or("?");
    format!("{what}: {} to {}, after costs\n", time("from"), time("until"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Finished;
    use crate::train::record::tests::example;
    use crate::verdict::Verdict;
    use serde_json::json;

    #[test]
    fn both_times_stand_side_by_side() {
        let row = |name: &str, total: f64| {
            json!({ "strategy": name, "from": "A", "until": "B", "total_return": total, "sharpe": 1.5,
                    "maximum_drawdown": 0.25, "promote": false, "folds": [{}, {}] })
        };
        let held_out = json!({ "strategies": [row("policy", 0.5), row("hybrid", 0.1)] });
        let folds = json!({ "strategies": [row("hybrid", -0.2)] });
        let expected = "\
strategy  held out  Sharpe  drawdown  verdict         walk-forward  Sharpe  drawdown  verdict
policy     +50.0 %    1.50    25.0 %  do not promote             -       -         -  -
hybrid     +10.0 %    1.50    25.0 %  do not promote       -20.0 %    1.50    25.0 %  do not promote
held out: A to B, after costs
walk-forward, 2 folds: A to B, after costs
";
        assert_eq!(strategies(&held_out, &folds), expected);
        assert_eq!(strategies(&Value::Null, &Value::Null), "");
    }

    #[test]
    fn the_device_is_named() {
        let device = json!({ "model": "gpu", "walk_forward": "flex" });
        let expected = "computed on: model GPU, walk-forward processor (flex), policy none\n";
        assert_eq!(computed(&device), expected);
    }

    #[test]
    fn what_was_skipped_is_said() {
        let root = tempfile::tempdir().unwrap();
        let mut run = example(root.path());
        assert!(!text(&run).contains("skipped"));
        for name in ["model", "policy"] {
            let finished = Finished { name, seconds: 2.25, verdict: Verdict::Fine, skipped: true };
            run.stages.push(finished);
        }
        assert!(text(&run).ends_with("skipped, 4.5 s when they ran: model, policy\n"), "{}", text(&run));
    }
}
