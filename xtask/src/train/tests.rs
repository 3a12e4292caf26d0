use super::*;
use clap::Parser;
use std::path::Path;

#[derive(Debug, Parser)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(line: &str) -> Result<Arguments, clap::Error> {
    let words = ["train"].into_iter().chain(line.split_whitespace());
    Program::try_parse_from(words).map(|program| program.arguments)
}

fn store_of(line: &str) -> PathBuf {
    let workspace = Workspace { root: "/clone".into(), current: "/clone/docs".into() };
    store(&workspace, &arguments(line).unwrap())
}

#[test]
fn several_files_follow_one_argument() {
    let read = arguments("--data a.csv b.csv --profile full --set a=1 --set b=2").unwrap();
    assert_eq!(read.data, [Path::new("a.csv"), Path::new("b.csv")]);
    assert_eq!(read.profile, Profile::Full);
    assert_eq!(read.set, ["a=1", "b=2"]);
    assert_eq!(arguments("").unwrap().profile, Profile::Demo);
}

#[test]
fn a_run_is_taken_up_by_name_or_as_the_newest() {
    assert_eq!(arguments("--resume --data a.csv").unwrap().resume.as_deref(), Some("newest"));
    assert_eq!(arguments("--resume 20240131T235959Z-1a2b3c4d").unwrap().resume.unwrap().len(), 25);
    assert_eq!(arguments("").unwrap().resume, None);
}

#[test]
fn what_is_done_about_files_needs_files() {
    assert!(arguments("--findings drop").is_err());
    assert!(arguments("--accept duplicate").is_err());
    assert!(arguments("--data a.csv --accept duplicate --findings drop").is_ok());
}

#[test]
fn synthetic_markets_do_not_share_a_store() {
    assert_eq!(store_of(""), Path::new("datasets/synthetic/planted-demo-seed-1"));
    assert_ne!(store_of(""), store_of("--seed 2"));
    assert_ne!(store_of(""), store_of("--profile full"));
    assert_eq!(store_of("--data a.csv"), Path::new("datasets/store"));
    assert_eq!(store_of("--store s"), Path::new("/clone/docs/s"));
}

#[test]
fn settings_find_their_program() {
    let arguments =
        arguments("--set features.trend.ema=[10] --set import.policy=drop --set audit.cuts=3").unwrap();
    assert!(arguments.check_settings().is_ok());
    let of = |program| arguments.settings_of(program).cloned().collect::<Vec<_>>();
    assert_eq!(of("feature-builder"), ["features.trend.ema=[10]", "audit.cuts=3"]);
    assert_eq!(of("data-loader"), ["import.policy=drop"]);
    let learned = super::tests::arguments("--set policy.environment.window=5 --set random_agents=3").unwrap();
    assert!(learned.check_settings().is_ok());
    assert_eq!(learned.settings_of("train-rl").count(), 2);
    let unknown = super::tests::arguments("--set feature.trend=1").unwrap().check_settings().unwrap_err();
    assert!(unknown.to_string().contains("features"), "{unknown}");
}

#[test]
fn a_shared_section_reaches_every_program_that_has_it() {
    let line = "--set split.share=0.3 --set features.scale=atr --set supervised.epochs=3 --set device=gpu \
                --set validation_days=9";
    let arguments = arguments(line).unwrap();
    assert!(arguments.check_settings().is_ok());
    let reached = |assignment: &str| -> Vec<&str> {
        let has = |program: &&str| arguments.settings_of(program).any(|one| one == assignment);
        SECTIONS.iter().map(|(program, _)| *program).filter(has).collect()
    };
    assert_eq!(reached("split.share=0.3"), ["optimize-labels", "label-candles", "train-supervised"]);
    assert_eq!(reached("features.scale=atr"), ["feature-builder", "train-supervised"]);
    for own in ["supervised.epochs=3", "device=gpu", "validation_days=9"] {
        assert_eq!(reached(own), ["train-supervised"]);
    }
    for section in ["walk_forward", "regime", "candle_monte_carlo", "purged_paths"] {
        let set = format!("{section}.x=1");
        let arguments = super::tests::arguments(&format!("--set {set}")).unwrap();
        assert!(arguments.check_settings().is_ok());
        assert_eq!(arguments.settings_of("simulate").collect::<Vec<_>>(), [&set]);
    }
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let refused = arguments("--set labels.horizon=24").unwrap().check_settings().unwrap_err();
    assert!(refused.to_string().contains("--horizon"), "{refused}");
    assert!(arguments("--seeds 0").is_err() && arguments("--epochs 0").is_err());
    let set = "--set walk_forward.train_days=9";
    assert!(arguments(set).unwrap().check_settings().is_ok());
    assert!(arguments(&format!("{set} --no-walk-forward")).unwrap().check_settings().is_err());
}

#[test]
fn values_that_were_set_are_not_shown() {
    let set = ["venue.api_key=hunter2".to_owned(), "a=b c".to_owned()];
    assert_eq!(
        without_values("x --set venue.api_key=hunter2 --set 'a=b c' y", &set),
        "x --set venue.api_key=*** --set 'a=***' y"
    );
}

#[test]
fn the_record_is_written_last() {
    assert_eq!(STAGES.last().unwrap().name, record::STAGE.name);
}

#[test]
fn what_is_traded_was_trained_before_and_policies_stand_on_models() {
    let at = |name: &str| STAGES.iter().position(|stage| stage.name == name).unwrap();
    assert!(at("model") < at("evaluate") && at("evaluate") < at("policy") && at("policy") < at("backtest"));
    assert!(at("model") < at("walk-forward"));
}
