//! Judges the model on the time that was held out, through `train-supervised evaluate`, and says in words whether it
//! knows anything.

use std::ffi::OsString;

use anyhow::Result;
use serde_json::{Value, json};

use super::model::{
    ASSESSMENT, ASSESSMENT_NUMBERS, PROGRAM, assessment_row, bundle_files, figures, metric_figures,
};
use super::resume::{Kept, Reads};
use super::{Run, Stage, print};
use crate::say;
use crate::table::table;
use crate::verdict::Verdict;

pub(super) const STAGE: Stage = Stage { name: "evaluate", run, kept: Some(KEPT) };

const KEPT: Kept = Kept {
    reads: |run| Reads {
        programs: &[PROGRAM],
        words: test_time(&run.model.training).map_or_else(Vec::new, |(from, to)| vec![from, to]),
        files: bundle_files(run),
    },
    writes: &[],
    goes_on: false,
    save: |run| run.model.evaluation.clone(),
    restore: |run, result| {
        run.model.evaluation = result;
        Ok(())
    },
};

fn run(run: &mut Run) -> Result<Verdict> {
    let training = &run.model.training;
    let (Some(bundle), Some((from, to))) = (training["bundle"].as_str(), test_time(training)) else {
        say("no model, nothing to judge");
        return Ok(Verdict::Fine);
    };
    let words = ["evaluate", "--bundle", bundle, "--from", &from, "--to", &to].map(OsString::from);
    let (document, verdict) = run.call(PROGRAM, &words, &run.labels.series)?;
    run.model.evaluation = document;
    if run.model.evaluation.is_null() {
        say(&format!("{PROGRAM} could not judge the model; its own message stands above"));
        return Ok(verdict);
    }
    print(&text(&run.model.evaluation, &from, &to))?;
    if run.arguments.is_demo() {
        print(
            "the signal was planted: finding it shows that the way works, and nothing about real markets\n",
        )?;
    }
    Ok(verdict)
}

/// The time that neither training nor validation saw, of all series.
pub(super) fn test_time(training: &Value) -> Option<(String, String)> {
    let intervals = training["intervals"]["test"].as_array()?;
    let time = |interval: Option<&Value>, end: &str| interval?[end].as_str().map(str::to_owned);
    Some((time(intervals.first(), "from")?, time(intervals.last(), "to")?))
}

/// The figures of every series, and what they mean.
fn text(document: &Value, from: &str, to: &str) -> String {
    let assessment = &document["assessment"];
    let mut rows = Vec::new();
    for (name, metrics) in assessment["series"].as_object().into_iter().flatten() {
        rows.push(assessment_row(name.clone(), metrics));
    }
    rows.push(assessment_row("all together".to_owned(), &assessment["decided"]));
    let baselines = document["baselines"].as_array().map_or(&[][..], Vec::as_slice);
    for baseline in baselines {
        let name = baseline["model"].as_str().unwrap_or("-").to_owned();
        rows.push(assessment_row(name, &baseline["assessment"]["decided"]));
    }
    let mut text = table(ASSESSMENT, ASSESSMENT_NUMBERS, &rows);
    text += &format!("judged on {from} to {to}, which training and validation never saw\n");
    text += &format!("skill: {}\n", skill(assessment));
    for baseline in baselines {
        text += &format!("  {}\n", beside(baseline));
    }
    let collapsed: Vec<&str> =
        document["collapsed"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !collapsed.is_empty() {
        text += &format!(
            "finding: predicted at less than half or more than twice the true share: {}\n",
            collapsed.join(", ")
        );
    }
    text
}

/// What the interval of the advantage says, in a sentence.
fn skill(assessment: &Value) -> String {
    let said = match assessment["skill"].as_str() {
        Some("better") => {
            "the model knows more than the class shares; costs are not in it, so this is no profit yet"
        }
        Some("unclear") => "whether the model knows more than the class shares cannot be told",
        Some("worse") => "the model knows less than the class shares: do not trade it",
        _ => return "not judged".to_owned(),
    };
    format!("{said}\n  log-loss {}\n  {}", nats(&assessment["advantage"]), direction(assessment))
}

/// The model beside a simpler one, by the 99 % interval of the difference of their macro-F1.
fn beside(baseline: &Value) -> String {
    let name = baseline["model"].as_str().unwrap_or("-");
    let difference = &baseline["comparison"]["paired"]["macro_f1"];
    let number = |field: &str| difference[field].as_f64();
    let (Some(mean), Some(lower), Some(upper)) =
        (number("difference"), number("claim_lower"), number("claim_upper"))
    else {
        return format!("beside {name}: too few rows to compare");
    };
    let said = if lower > 0.0 {
        "better"
    } else if upper < 0.0 {
        "worse"
    } else {
        "not to be told apart"
    };
    format!("beside {name}: {said}, macro-F1 {mean:+.4}, 99 % interval {lower:+.4} to {upper:+.4}")
}

/// An interval of nats, in words.
fn nats(interval: &Value) -> String {
    let number = |field: &str| interval[field].as_f64();
    match (number("mean"), number("lower"), number("upper")) {
        (Some(mean), Some(lower), Some(upper)) => {
            format!("lower by {mean:+.5} nats a row, 95 % interval {lower:+.5} to {upper:+.5}")
        }
        _ => "on too few rows for an interval".to_owned(),
    }
}

/// Knowing when it moves is not knowing where to, and only that can be traded without options.
fn direction(assessment: &Value) -> String {
    let auc = |field: &str| {
        assessment[field].as_f64().map_or_else(|| "unknown".to_owned(), |value| format!("{value:.4}"))
    };
    let advantage = &assessment["direction_advantage"];
    let said = match (advantage["lower"].as_f64(), advantage["upper"].as_f64()) {
        (Some(lower), _) if lower > 0.0 => "it knows something of the direction",
        (_, Some(upper)) if upper < 0.0 => "of the direction it knows less than a coin",
        _ => "its direction cannot be told from a coin",
    };
    format!("whether it moves: AUC {}; where to: AUC {}, {said}", auc("move_auc"), auc("direction_auc"))
}

/// What the record says of the judgement; the whole lies beside it.
pub(super) fn record(run: &Run) -> Value {
    let evaluation = &run.model.evaluation;
    if evaluation.is_null() {
        return Value::Null;
    }
    let by_series = evaluation["assessment"]["series"].as_object().into_iter().flatten();
    let series: serde_json::Map<String, Value> =
        by_series.map(|(name, metrics)| (name.clone(), metric_figures(metrics))).collect();
    let of_baseline = |baseline: &Value| {
        json!({
            "model": baseline["model"], "figures": figures(&baseline["assessment"]),
            "comparison": baseline["comparison"],
        })
    };
    let baselines: Vec<Value> =
        evaluation["baselines"].as_array().into_iter().flatten().map(of_baseline).collect();
    json!({
        "baselines": baselines, "bundle": evaluation["bundle"], "feature_hash": evaluation["feature_hash"],
        "collapsed": evaluation["collapsed"], "all": figures(&evaluation["assessment"]), "series": series,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::model::tests::training;

    fn document(skill: &str) -> Value {
        let test = &training()["seeds"][0]["test"];
        json!({
            "collapsed": ["hold"],
            "assessment": {
                "decided": test["decided"], "advantage": test["advantage"], "skill": skill,
                "move_auc": 0.61, "direction_auc": 0.502,
                "direction_advantage": { "mean": 0.0, "lower": -0.001, "upper": 0.001 },
                "series": { "bybit-linear BTC/USDT:USDT 5m": test["decided"] },
            },
        })
    }

    #[test]
    fn every_series_is_shown_and_the_skill_said_in_words() {
        let expected = "\
rows of                          rows  macro-F1      MCC  log-loss  of shares   predicted S/H/B        true S/H/B
bybit-linear BTC/USDT:USDT 5m  39,952    0.3446  +0.0400    1.0933     1.0986  45.5/14.1/40.4 %  33.6/34.5/31.9 %
all together                   39,952    0.3446  +0.0400    1.0933     1.0986  45.5/14.1/40.4 %  33.6/34.5/31.9 %
judged on A to B, which training and validation never saw
skill: the model knows more than the class shares; costs are not in it, so this is no profit yet
  log-loss lower by +0.00500 nats a row, 95 % interval +0.00300 to +0.00800
  whether it moves: AUC 0.6100; where to: AUC 0.5020, its direction cannot be told from a coin
finding: predicted at less than half or more than twice the true share: hold
";
        assert_eq!(text(&document("better"), "A", "B"), expected);
    }

    #[test]
    fn simpler_models_stand_below_it() {
        let mut document = document("better");
        let test = &training()["seeds"][0]["test"];
        let comparison = |lower: f64, upper: f64| {
            let macro_f1 = json!({ "difference": 0.01, "claim_lower": lower, "claim_upper": upper });
            json!({ "paired": { "macro_f1": macro_f1 } })
        };
        let of = |model: &str, comparison: Value| json!({ "model": model, "assessment": test, "comparison": comparison });
        document["baselines"] = json!([
            of("stratified-random", comparison(0.004, 0.016)),
            of("logistic-regression", comparison(-0.002, 0.02)),
            of("gradient-boosting", comparison(-0.03, -0.01)),
            of("lstm", json!({ "paired": null })),
        ]);
        let said = text(&document, "A", "B");
        for line in [
            "stratified-random              39,952    0.3446",
            "  beside stratified-random: better, macro-F1 +0.0100, 99 % interval +0.0040 to +0.0160\n",
            "  beside logistic-regression: not to be told apart, macro-F1",
            "  beside gradient-boosting: worse, macro-F1",
            "  beside lstm: too few rows to compare\n",
        ] {
            assert!(said.contains(line), "`{line}` is not in {said}");
        }
    }

    #[test]
    fn no_skill_is_never_called_one() {
        for (word, expected) in
            [("unclear", "cannot be told"), ("worse", "knows less than the class shares: do not trade it")]
        {
            let said = skill(&document(word)["assessment"]);
            assert!(
                said.contains(expected) && !said.contains("the model knows more than the class shares;"),
                "{said}"
            );
        }
        assert_eq!(skill(&Value::Null), "not judged");
        assert_eq!(skill(&json!({ "skill": "a word of a later version" })), "not judged");
        assert!(skill(&json!({ "skill": "unclear", "advantage": null })).contains("too few rows"));
    }

    #[test]
    fn the_test_time_is_that_of_the_training_s_document() {
        let expected = ("2024-05-18T21:20:00Z".to_owned(), "2024-06-22T14:40:00Z".to_owned());
        assert_eq!(test_time(&training()), Some(expected));
        assert_eq!(test_time(&json!({ "intervals": { "test": [] } })), None);
        assert_eq!(test_time(&Value::Null), None);
    }
}
