//! No information passes from a test set into training.

use labels::splits::{
    CombinatorialPurged, Holdout, LastDays, LastShare, SplitPlan, SplitSetting, Splitter, TimeRange,
    WalkForward,
};
use labels::{HorizonReturn, Label, LabelSeries, TripleBarrier};
use market_data::{CandleSeries, Timeframe, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use crate::candles::{closes, key, labelers, walks};

fn splitters() -> impl Strategy<Value = Splitter> {
    let walk = (1_u32..4, 1_u32..3, 1_u32..4, any::<bool>());
    let groups = (2_u32..8).prop_flat_map(|groups| (Just(groups), 1..groups, 0_u32..1500));
    prop_oneof![
        1 => (1_u32..5).prop_map(|validation_days| Splitter::LastDays(LastDays { validation_days })),
        1 => (0.01..0.99).prop_map(|share| Splitter::LastShare(LastShare { share })),
        1 => (0_i64..12, 1_i64..200).prop_map(|(start, hours)| {
            let at = |hour: i64| Timestamp::from_millis((480_000 + hour) * Timeframe::H1.millis());
            let (train_start, test_end) = (Some(at(start)), Some(at(start + 2 * hours)));
            Splitter::Holdout(Holdout { train_start, train_end: at(start + hours), test_end })
        }),
        1 => walk.prop_map(|(train_days, test_days, step_days, anchored)| {
            Splitter::WalkForward(WalkForward { train_days, test_days, step_days, anchored })
        }),
        3 => groups.prop_map(|(groups, test_groups, embargo_minutes)| {
            Splitter::CombinatorialPurged(CombinatorialPurged { groups, test_groups, embargo_minutes })
        }),
    ]
}

fn embargo(splitter: &Splitter) -> i64 {
    match splitter {
        Splitter::CombinatorialPurged(splitter) => i64::from(splitter.embargo_minutes) * 60_000,
        _ => 0,
    }
}

fn check(plan: &SplitPlan, labels: &LabelSeries, embargo: i64) -> Result<(), TestCaseError> {
    let split = plan.apply(labels);
    for &index in split.train().indices() {
        let (span, window) = (labels.span(index).unwrap(), labels.window(index).unwrap());
        prop_assert_eq!(labels.open_time(index), Some(window.start));
        prop_assert!(span.start == window.start && span.end <= window.end);
        for test in plan.test() {
            // All that the label may have looked at: before the test, or after it and its embargo.
            prop_assert!(
                window.end <= test.from || window.start >= test.to.plus_millis(embargo),
                "{index} {test}"
            );
        }
        prop_assert!(!split.test().contains(&index));
    }
    let mut tested = 0;
    for (interval, test) in plan.test().iter().enumerate() {
        let indices = split.test_of(interval);
        tested += indices.len();
        // All labels whose window lies in the interval, and none besides.
        let expected: Vec<usize> = (0..labels.len())
            .filter(|&index| {
                labels.window(index).is_some_and(|window| test.from <= window.start && window.end <= test.to)
            })
            .collect();
        prop_assert_eq!(indices, &expected);
    }
    prop_assert_eq!(tested, split.test().len());
    prop_assert!(split.test().is_sorted());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn training_never_touches_a_test(series in walks(130..300), splitter in splitters(), which in 0_usize..7) {
        let labels = labelers()[which].label(&series).unwrap();
        let range = TimeRange::covering([&series]).unwrap();
        let Ok(plans) = splitter.plan(range) else {
            // Only because the data are too short for the dates or days asked for.
            prop_assert!(!matches!(splitter, Splitter::CombinatorialPurged(_)));
            return Ok(());
        };
        prop_assert!(!plans.is_empty());
        for plan in &plans {
            check(plan, &labels, embargo(&splitter))?;
        }
    }

    /// Purging takes no more than it must: every label is trained on, tested, or counted as lost.
    #[test]
    fn purging_takes_no_more_than_it_must(
        series in walks(130..300),
        embargo_minutes in 0_u32..3000,
        which in 0_usize..7,
    ) {
        let splitter = CombinatorialPurged { groups: 5, test_groups: 2, embargo_minutes };
        let labels = labelers()[which].label(&series).unwrap();
        for plan in splitter.plan(TimeRange::covering([&series]).unwrap()).unwrap() {
            let split = plan.apply(&labels);
            let clear = |index: &usize| {
                let window = labels.window(*index).unwrap();
                let blocked = |test: &TimeRange| {
                    let to = test.to.plus_millis(i64::from(embargo_minutes) * 60_000);
                    TimeRange::new(test.from, to).overlaps(&window)
                };
                !plan.test().iter().any(blocked)
            };
            let expected: Vec<usize> = labels.iter().map(|(index, _)| index).filter(clear).collect();
            prop_assert_eq!(split.train().indices(), &expected);
            let counted = expected.len() + split.test().len() + split.purged() + split.embargoed() + split.cut();
            prop_assert_eq!(counted, labels.iter().count());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    /// Two labelers that look at the same candles and see other outcomes train and test on the same ones.
    #[test]
    fn the_outcome_admits_nothing(series in walks(130..300), splitter in splitters()) {
        let [near, far] = [0.002, 0.5].map(|distance| barriers(distance, 9).label(&series).unwrap());
        let Ok(plans) = splitter.plan(TimeRange::covering([&series]).unwrap()) else { return Ok(()) };
        for plan in &plans {
            let (near, far) = (plan.apply(&near), plan.apply(&far));
            prop_assert_eq!(near.train(), far.train());
            prop_assert_eq!(near.test(), far.test());
        }
    }
}

fn barriers(distance: f64, time_limit: u32) -> TripleBarrier {
    TripleBarrier { time_limit, take_profit: distance, stop_loss: distance, ..Default::default() }
}

/// Of the labels that open shortly before training ends as many are time-outs as anywhere. Were a label
/// admitted as soon as it is known, only touches would be left in the last window.
#[test]
fn time_outs_are_as_frequent_at_the_end_of_training_as_elsewhere() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let series = walks(3_000..3_001).new_tree(&mut runner).unwrap().current();
    let labels = barriers(0.05, 24).label(&series).unwrap();
    let is_time_out = |index: &&usize| labels.label(**index) == Some(Label::Hold);
    let [mut admitted, mut around] = [(0, 0); 2];
    for hour in (200..2_800).step_by(7) {
        let train_end = series.columns().open_time[hour];
        let holdout = Holdout { train_start: None, train_end, test_end: None };
        let plan = &holdout.plan(TimeRange::covering([&series]).unwrap()).unwrap()[0];
        let split = plan.apply(&labels);
        let near: Vec<usize> = split.train().indices().iter().copied().filter(|at| at + 48 >= hour).collect();
        let all: Vec<usize> = (hour - 48..hour).filter(|at| labels.label(*at).is_some()).collect();
        for (counts, indices) in [(&mut admitted, near), (&mut around, all)] {
            counts.0 += indices.iter().filter(is_time_out).count();
            counts.1 += indices.len();
        }
    }
    let share = |(time_outs, all): (usize, usize)| time_outs as f64 / all as f64;
    let (admitted, around) = (share(admitted), share(around));
    assert!((0.2..0.8).contains(&around), "{around} proves nothing");
    assert!((admitted - around).abs() < 0.02, "{admitted} {around}");
}

/// Hourly candles of `days` days from 2024-01-01.
fn hourly(days: i64) -> CandleSeries {
    let start: Timestamp = "2024-01-01".parse().unwrap();
    let minutes: Vec<_> = (0..24 * days).map(|hour| (hour, 100.0)).collect();
    let mut columns = closes(&minutes).into_columns();
    for (hour, time) in (0..).zip(&mut columns.open_time) {
        *time = start.plus_millis(hour * Timeframe::H1.millis());
    }
    CandleSeries::new(key(Timeframe::H1), columns).unwrap()
}

fn dates(ranges: &[TimeRange]) -> Vec<String> {
    let date = |time: Timestamp| time.to_string()[5..10].to_owned();
    ranges.iter().map(|range| format!("{}..{}", date(range.from), date(range.to))).collect()
}

fn shown(plans: &[SplitPlan]) -> Vec<String> {
    plans
        .iter()
        .map(|plan| format!("{:?} {:?}", dates(plan.train()), dates(plan.test())).replace('"', ""))
        .collect()
}

#[test]
fn the_dates_are_those_asked_for() {
    let range = TimeRange::covering([&hourly(12)]).unwrap();
    let text = |text: &str| toml_splitter(text).plan(range).map(|plans| shown(&plans));
    for (splitter, expected) in [
        ("split = 'last-days'\nvalidation_days = 3", vec!["[01-01..01-10] [01-10..01-13]"]),
        ("split = 'holdout'\ntrain_end = '2024-01-05'", vec!["[01-01..01-05] [01-05..01-13]"]),
        (
            "split = 'holdout'\ntrain_start = '2024-01-02'\ntrain_end = '2024-01-05'\ntest_end = '2024-01-07'",
            vec!["[01-02..01-05] [01-05..01-07]"],
        ),
        ("split = 'last-share'\nshare = 0.25", vec!["[01-01..01-10] [01-10..01-13]"]),
        (
            "split = 'walk-forward'\ntrain_days = 4\ntest_days = 3\nstep_days = 2",
            vec![
                "[01-01..01-05] [01-05..01-08]",
                "[01-03..01-07] [01-07..01-10]",
                "[01-05..01-09] [01-09..01-12]",
            ],
        ),
        (
            "split = 'walk-forward'\ntrain_days = 6\ntest_days = 3\nstep_days = 3\nanchored = true",
            vec!["[01-01..01-07] [01-07..01-10]", "[01-01..01-10] [01-10..01-13]"],
        ),
        (
            "split = 'combinatorial-purged'\ngroups = 3\ntest_groups = 2\nembargo_minutes = 1440",
            vec![
                "[01-10..01-13] [01-01..01-05, 01-05..01-09]",
                "[01-06..01-09] [01-01..01-05, 01-09..01-13]",
                "[01-01..01-05] [01-05..01-09, 01-09..01-13]",
            ],
        ),
    ] {
        assert_eq!(text(splitter).unwrap(), expected, "{splitter}");
    }
    for splitter in [
        "split = 'last-days'\nvalidation_days = 12",
        "split = 'last-days'\nvalidation_days = 0",
        "split = 'last-share'\nshare = 1.0",
        "split = 'last-share'\nshare = nan",
        "split = 'holdout'\ntrain_end = '2023-01-05'",
        "split = 'holdout'\ntrain_end = '2024-01-13'",
        "split = 'holdout'\ntrain_end = '2024-01-05'\ntest_end = '2024-01-05'",
        "split = 'walk-forward'\ntrain_days = 10\ntest_days = 3",
        "split = 'walk-forward'\ntrain_days = 1\ntest_days = 1\nstep_days = 0",
        "split = 'combinatorial-purged'\ngroups = 1\ntest_groups = 1",
    ] {
        assert!(text(splitter).is_err(), "{splitter}");
    }
    let forever = TimeRange::new(Timestamp::MIN, Timestamp::MAX);
    let error = WalkForward::default().plan(forever).unwrap_err().to_string();
    assert!(error.contains("longer steps"), "{error}");
    assert!(toml::from_str::<Splitter>("split = 'last-days'\nembargo_minutes = 5").is_err());
}

#[test]
fn a_flat_setting_is_the_splitter_chosen() {
    let range = TimeRange::covering([&hourly(12)]).unwrap();
    for (setting, splitter) in [
        ("", "split = 'last-share'\nshare = 0.2"),
        ("share = 0.5", "split = 'last-share'\nshare = 0.5"),
        ("split = 'last-days'\nvalidation_days = 3\nshare = 0.9", "split = 'last-days'\nvalidation_days = 3"),
        (
            "split = 'holdout'\ntrain_end = '2024-01-05'\ntest_end = '2024-01-07'",
            "split = 'holdout'\ntrain_end = '2024-01-05'\ntest_end = '2024-01-07'",
        ),
    ] {
        let setting: SplitSetting = toml::from_str(setting).unwrap();
        assert_eq!(vec![setting.plan(range).unwrap()], toml_splitter(splitter).plan(range).unwrap());
    }
    let without_end: SplitSetting = toml::from_str("split = 'holdout'").unwrap();
    assert!(without_end.plan(range).unwrap_err().to_string().contains("train_end"));
    assert!(toml::from_str::<SplitSetting>("split = 'walk-forward'").is_err());
}

fn toml_splitter(text: &str) -> Splitter {
    toml::from_str(text).unwrap()
}

/// 12 days of hours, labels 5 hours ahead, 3 groups of 4 days of which the middle is tested, a day of
/// embargo, counted by hand.
#[test]
fn what_is_lost_is_counted() {
    let labels = HorizonReturn { horizon: 5, ..Default::default() }.label(&hourly(12)).unwrap();
    let splitter = CombinatorialPurged { groups: 3, test_groups: 1, embargo_minutes: 1440 };
    let plans = splitter.plan(TimeRange::covering([&hourly(12)]).unwrap()).unwrap();
    let split = plans[1].apply(&labels);
    // The last 5 labels before the test reach into it, and the last 5 of the test out of it.
    assert_eq!((split.purged(), split.cut(), split.embargoed()), (5, 5, 24));
    assert_eq!((split.test().len(), split.test()[0], split.test_of(0).len()), (91, 96, 91));
    let train = split.train();
    assert_eq!((train.indices().len(), train.candles()), (91 + 67, 288));
    assert_eq!((train.indices()[90], train.indices()[91]), (90, 216));
    assert!(split.test_of(1).is_empty());
}
