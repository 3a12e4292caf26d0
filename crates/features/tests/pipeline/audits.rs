//! Audits pass where nothing is wrong and fail where something is.

use features::audit::{AuditOptions, FeatureSource, Finding, PlantedLeak, audit};
use features::{FeatureError, FeatureFrame, FeatureSpec, Outside, PriceScale};
use market_data::{CandleSeries, ExogenousSeries, KnownAfter, Timeframe};

use crate::folds::short;
use crate::markets::{one, two, with_gaps};

fn options() -> AuditOptions {
    AuditOptions { cuts: 6, starts: 6, ..AuditOptions::default() }
}

#[test]
fn the_default_features_are_sound() {
    for (timeframe, seed) in [(Timeframe::M5, 30), (Timeframe::H1, 31)] {
        let series = with_gaps(&one(12_000, timeframe, seed), &[4_321]);
        for scale in [PriceScale::Close, PriceScale::Atr] {
            let spec = FeatureSpec { scale, ..FeatureSpec::default() };
            let report = audit(&spec, &series, Outside::default(), &options(), |_, _| {}).unwrap();
            assert!(report.is_sound(), "{timeframe} {scale:?}: {:#?}", report.findings);
            assert_eq!((report.cuts, report.live_candles), (6, series.len()));
            assert!(report.starts >= 3);
            assert!(report.columns.iter().any(|column| column.measured_warm_up > 500));
        }
    }
}

#[test]
fn what_comes_from_outside_is_audited_too() {
    let pair = two(6_000, Timeframe::M5, 32);
    let times: Vec<_> = pair[0].columns().open_time.iter().copied().step_by(96).collect();
    let values = (0..times.len()).map(|index| (index as f64 * 0.7).sin()).collect();
    let rate = vec!["rate".to_owned()];
    let exogenous = [ExogenousSeries::new("f", rate, times, vec![values], KnownAfter::Immediately).unwrap()];
    let mut spec = short();
    spec.cross_asset.enabled = true;
    spec.yata.enabled = true;
    spec.exogenous = toml::from_str("columns = [{ series = \"f\", field = \"rate\" }]").unwrap();
    let outside = Outside { reference: Some(&pair[1]), exogenous: &exogenous };
    let report = audit(&spec, &pair[0], outside, &options(), |_, _| {}).unwrap();
    assert!(report.is_sound(), "{:#?}", report.findings);
}

#[test]
fn a_planted_leak_is_found() {
    let series = one(6_000, Timeframe::M5, 33);
    let report = audit(&PlantedLeak(short()), &series, Outside::default(), &options(), |_, _| {}).unwrap();
    assert!(!report.is_sound());
    for finding in &report.findings {
        let Finding::Leak { column, candles_before_cut, .. } = finding else { continue };
        assert_eq!((column.as_str(), *candles_before_cut), ("planted_leak", 0));
    }
    assert!(report.findings.iter().any(|finding| matches!(finding, Finding::Leak { .. })));
    let unsound: Vec<&str> =
        report.columns.iter().filter(|column| !column.sound).map(|column| column.name.as_str()).collect();
    assert_eq!(unsound, ["planted_leak"]);
}

/// Features with a fault of another kind.
struct Faulty(FeatureSpec, fn(&mut FeatureSpec));

impl FeatureSource for Faulty {
    fn unmasked(&self, series: &CandleSeries, outside: Outside<'_>) -> Result<FeatureFrame, FeatureError> {
        self.0.unmasked(series, outside)
    }

    fn scale(&self) -> PriceScale {
        self.0.scale
    }

    fn live(
        &self,
        series: &CandleSeries,
        outside: Outside<'_>,
        candles: usize,
    ) -> Result<Option<FeatureFrame>, FeatureError> {
        // A live path that is not the batch path.
        let mut other = self.0.clone();
        self.1(&mut other);
        FeatureSource::live(&other, series, outside, candles)
    }
}

#[test]
fn a_live_path_that_differs_is_found() {
    let series = one(6_000, Timeframe::M5, 34);
    let source = Faulty(short(), |spec| spec.trend.ema = vec![6]);
    let report = audit(&source, &series, Outside::default(), &options(), |_, _| {}).unwrap();
    let found: Vec<&Finding> = report.findings.iter().collect();
    assert!(found.iter().any(|finding| matches!(finding, Finding::Live { .. })), "{found:#?}");
}

#[test]
fn sums_since_the_beginning_have_no_warm_up_and_are_found() {
    let series = one(6_000, Timeframe::M5, 35);
    let mut spec = short();
    spec.scale = PriceScale::Raw;
    spec.volume.cumulative = true;
    let report = audit(&spec, &series, Outside::default(), &options(), |_, _| {}).unwrap();
    let late: Vec<&str> = report
        .findings
        .iter()
        .filter(|finding| matches!(finding, Finding::WarmUp { .. }))
        .map(Finding::column)
        .collect();
    assert_eq!(late, ["obv", "ad"]);
}

#[test]
fn a_series_that_is_too_short_says_what_warms_up_longest() {
    let series = one(1_000, Timeframe::M5, 36);
    let error =
        audit(&FeatureSpec::default(), &series, Outside::default(), &options(), |_, _| {}).unwrap_err();
    assert!(matches!(error, FeatureError::TooLittle { .. }));
    assert!(error.to_string().contains("ema_200"), "{error}");
    // More than there are candles is as many as there are; long noise stays sound.
    let warm_up = features::FeaturePipeline::new(&short(), Timeframe::M5).unwrap().warm_up();
    let just_enough = one(2 * warm_up + 600, Timeframe::M5, 36);
    let endless = AuditOptions { cuts: 3, starts: 1 << 50, noise_candles: 5_000, ..AuditOptions::default() };
    let report = audit(&short(), &just_enough, Outside::default(), &endless, |_, _| {}).unwrap();
    assert!(report.is_sound() && report.starts > 10, "{:#?}", report.findings);
    let none = AuditOptions { cuts: 0, ..options() };
    let error = audit(&short(), &series, Outside::default(), &none, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("cuts"), "{error}");
}
