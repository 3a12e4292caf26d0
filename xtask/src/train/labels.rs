//! Labels the candles with the thresholds found, through `label-candles`, and shows the classes per series.

use anyhow::Result;
use serde_json::{Value, json};

use super::resume::{Kept, Reads};
use super::summary::grouped;
use super::{Run, Stage, print};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "labels", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads {
        programs: &["label-candles"],
        words: Vec::new(),
        files: run.labels.labeler.iter().cloned().collect(),
    },
    writes: &["labels"],
    goes_on: false,
    save: |run| run.labels.labels.clone(),
    restore: |run, result| {
        run.labels.labels = result;
        Ok(())
    },
};

fn run(run: &mut Run) -> Result<Verdict> {
    let Some(labeler) = run.labels.labeler.clone() else {
        say("no thresholds, no labels");
        return Ok(Verdict::Fine);
    };
    let out = run.directory()?.join("labels");
    let words = vec!["--labeler".into(), labeler.into(), "--out".into(), out.into()];
    let (document, verdict) = run.call("label-candles", &words, &run.labels.series)?;
    run.labels.labels = document;
    print(&text(&run.labels.labels))?;
    Ok(verdict)
}

/// The classes of every series as a table, and where the labels are.
fn text(document: &Value) -> String {
    let mut rows = Vec::new();
    let empty = Vec::new();
    let series = document["series"].as_array().unwrap_or(&empty);
    for one in series {
        let classes = &one["classes"];
        let name = one["series"].as_str().unwrap_or("-").to_owned();
        rows.push([vec![name], shares(classes), counts(one)].concat());
    }
    rows.push(
        [vec!["all together".to_owned()], shares(&document["pooled"]), vec![String::new(); 3]].concat(),
    );
    let rows: Vec<[String; 8]> = rows.into_iter().filter_map(|row| row.try_into().ok()).collect();
    let header = ["series", "labels", "sell", "hold", "buy", "to train on", "purged", "to test on"];
    let out = document["out"].as_str().unwrap_or("-");
    format!("{}labels: {out}\n", table(header, &[1, 2, 3, 4, 5, 6, 7], &rows))
}

fn sum(classes: &Value) -> u64 {
    classes["counts"].as_array().into_iter().flatten().filter_map(Value::as_u64).sum()
}

fn shares(classes: &Value) -> Vec<String> {
    let labels = sum(classes);
    let share = |class: usize| match classes["shares"][class].as_f64() {
        Some(share) if labels > 0 => format!("{:.2} %", 100.0 * share),
        _ => "-".to_owned(),
    };
    vec![grouped(labels), share(0), share(1), share(2)]
}

fn counts(one: &Value) -> Vec<String> {
    let purged = one["purged"].as_u64().unwrap_or(0) + one["embargoed"].as_u64().unwrap_or(0);
    [sum(&one["train"]), purged, sum(&one["test"])].map(grouped).to_vec()
}

/// What the record says of thresholds and labels; the whole of both lies beside it.
pub(super) fn record(run: &Run) -> Value {
    let (thresholds, labels) = (&run.labels.thresholds["labelers"][0], &run.labels.labels);
    let empty = Vec::new();
    let series = labels["series"].as_array().unwrap_or(&empty).iter().map(|one| {
        json!({
            "series": one["series"], "labels": one["labels"], "shares": one["classes"]["shares"],
            "train": sum(&one["train"]), "purged": one["purged"], "embargoed": one["embargoed"],
            "test": sum(&one["test"]), "absences": one["absences"], "file": one["file"],
        })
    });
    json!({
        "labeler": thresholds["labeler"],
        "target": run.labels.thresholds["target"],
        "reached": thresholds["reached"],
        "problem": thresholds["problem"],
        "pooled": thresholds["pooled"]["shares"],
        "worst": thresholds["worst"],
        "labels": labels["pooled"],
        "series": series.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_every_series_are_shown() {
        let document = json!({
            "out": "artifacts/runs/x/labels",
            "pooled": {"counts": [1000, 2000, 1000], "shares": [0.25, 0.5, 0.25]},
            "series": [
                {"series": "bybit-linear BTC/USDT:USDT 5m", "purged": 12, "embargoed": 1,
                 "classes": {"counts": [1000, 2000, 1000], "shares": [0.25, 0.5, 0.25]},
                 "train": {"counts": [700, 1400, 700]}, "test": {"counts": [300, 588, 299]}},
                {"series": "bybit-linear NEW/USDT:USDT 5m", "classes": {"counts": [0, 0, 0], "shares": [0, 0, 0]}},
            ],
        });
        let expected = "\
series                         labels     sell     hold      buy  to train on  purged  to test on
bybit-linear BTC/USDT:USDT 5m   4,000  25.00 %  50.00 %  25.00 %        2,800      13       1,187
bybit-linear NEW/USDT:USDT 5m       0        -        -        -            0       0           0
all together                    4,000  25.00 %  50.00 %  25.00 %
labels: artifacts/runs/x/labels
";
        assert_eq!(text(&document), expected);
        // A document that is not there is no panic.
        assert!(text(&Value::Null).contains("all together"));
    }
}
