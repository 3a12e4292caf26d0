use super::*;

fn sizer(config: SizingConfig) -> Sizer {
    // A root of 20, for sums by hand.
    Sizer::new(config, 400.0).unwrap()
}

fn kelly(change: impl FnOnce(&mut KellySizing)) -> SizingConfig {
    let mut sizing = KellySizing { minimum_trades: 5, prior_trades: 5.0, ..KellySizing::default() };
    change(&mut sizing);
    SizingConfig::Kelly(sizing)
}

const NO_EDGE: Edge = Edge { win_probability: None, payoff_ratio: None };

fn edge(win_probability: f64, payoff_ratio: f64) -> Edge {
    Edge { win_probability: Some(win_probability), payoff_ratio: Some(payoff_ratio) }
}

/// Where a function of one hump is largest, by golden section.
fn largest(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    for _ in 0..100 {
        let (left, right) = (high - ratio * (high - low), low + ratio * (high - low));
        if value(left) < value(right) { low = left } else { high = right }
    }
    0.5 * (low + high)
}

#[test]
fn kelly_maximises_the_growth_of_capital() {
    // The fair coin that pays double: 0.5 − 0.5 / 2 = 0.25 (Kelly's textbook case).
    assert_eq!(kelly_binary(0.5, 2.0), Some(0.25));
    for (p, b) in [(0.5, 2.0), (0.6, 1.0), (0.35, 3.0), (0.9, 0.2), (0.55, 0.95)] {
        let growth = |f: f64| p * (1.0 + b * f).ln() + (1.0 - p) * (1.0 - f).ln();
        let found = largest(0.0, 0.999, growth);
        assert!((found - kelly_binary(p, b).unwrap()).abs() < 1e-6, "{p} {b}: {found}");
    }
    for (p, b) in [(1.1, 1.0), (-0.1, 1.0), (f64::NAN, 1.0), (0.5, 0.0), (0.5, -1.0), (0.5, f64::NAN)] {
        assert_eq!(kelly_binary(p, b), None, "{p} {b}");
    }
    // Steps of a ten-thousandth of a year, up or down by σ √dt around the drift μ dt: the limit is (μ − r) /
    // σ².
    for (mean, riskless, deviation) in
        [(0.10, 0.02, 0.30), (0.06, 0.06, 0.2), (0.02, 0.05, 0.5), (0.5, 0.0, 0.6)]
    {
        let step: f64 = 1e-4;
        let growth = |f: f64| {
            let of = |sign: f64| {
                let excess = (mean - riskless) * step + sign * deviation * step.sqrt();
                (riskless * step + f * excess).ln_1p()
            };
            0.5 * (of(1.0) + of(-1.0))
        };
        let expected = kelly_continuous(mean, riskless, deviation * deviation).unwrap();
        let found = largest(-5.0, 5.0, growth);
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
    }
    // 0.08 / 0.09.
    assert!((kelly_continuous(0.10, 0.02, 0.09).unwrap() - 0.888_888_888_888_889).abs() < 1e-12);
    for variance in [0.0, -0.1, f64::NAN] {
        assert_eq!(kelly_continuous(0.1, 0.0, variance), None);
    }
}

#[test]
fn fixed_shares() {
    for percent in FixedSizing::SEED_PERCENTS {
        let exposure = sizer(SizingConfig::Fixed(FixedSizing { percent })).exposure(Side::Buy, NO_EDGE, None);
        assert_eq!(exposure, Exposure { share: percent / 100.0, reason: SizingReason::Fixed });
    }
    let short = sizer(SizingConfig::Fixed(FixedSizing { percent: 40.0 })).exposure(Side::Sell, NO_EDGE, None);
    assert_eq!(short.share, -0.4);
}

#[test]
fn volatility_is_brought_to_its_target() {
    let sizer = sizer(SizingConfig::VolatilityTarget(VolatilityTargetSizing::default()));
    for (volatility, share) in [
        (Some(0.02), 0.5),  // 0.2 / (0.02 × 20)
        (Some(0.04), 0.25), // 0.2 / (0.04 × 20)
        (Some(0.005), 1.0), // 0.2 / 0.1 = 2, above the cap
        (Some(0.0), 0.0),   // no estimate is no reason for the largest position
        (Some(-0.02), 0.0),
        (Some(f64::NAN), 0.0),
        (Some(f64::INFINITY), 0.0),
        (None, 0.0),
    ] {
        let exposure = sizer.exposure(Side::Sell, edge(0.9, 9.0), volatility);
        assert!((exposure.share + share).abs() < 1e-12, "{volatility:?} {exposure:?}");
        assert_eq!(exposure.share == 0.0, exposure.reason == SizingReason::UnknownVolatility, "{exposure:?}");
        assert!(exposure.share != 0.0 || exposure.share.is_sign_positive());
    }
    assert_eq!(sizer.exposure(Side::Buy, NO_EDGE, Some(0.005)).reason, SizingReason::Capped(2.0));
}

#[test]
fn volatility_by_hand() {
    // λ = 0.5, returns 2 % and 4 %: weights 1/3 and 2/3: (0.0004 + 2 × 0.0016) / 3 = 0.0012.
    let mut ewma = Volatility::new(VolatilityModel::Ewma { decay: 0.5 }, 2).unwrap();
    ewma.push(0.02).unwrap();
    assert_eq!(ewma.per_step(), None);
    ewma.push(-0.04).unwrap();
    assert!((ewma.per_step().unwrap() - 0.0012_f64.sqrt()).abs() < 1e-15);
    // The last two of 1 %, 3 % and 2 %: √((0.005² + 0.005²) / 1) = 0.0070711.
    let mut window = Volatility::new(VolatilityModel::Window { length: 2 }, 2).unwrap();
    for value in [0.01, 0.03, 0.02] {
        window.push(value).unwrap();
    }
    assert!((window.per_step().unwrap() - 0.007_071_067_811_865_48).abs() < 1e-15);
    assert!(window.push(f64::NAN).is_err());
    let target = VolatilityTargetSizing { minimum_observations: 3, ..VolatilityTargetSizing::default() };
    let mut asked = sizer(SizingConfig::VolatilityTarget(target)).volatility().unwrap();
    for (value, known) in [(0.01, false), (0.01, false), (0.01, true)] {
        asked.push(value).unwrap();
        assert_eq!(asked.per_step().is_some(), known);
    }
    assert!(sizer(SizingConfig::default()).volatility().is_none());
}

#[test]
fn kelly_by_the_edge_of_the_decision() {
    let half = sizer(kelly(|_| ()));
    for (direction, edge, share, reason) in [
        // f* = 0.6 − 0.4 / 2 = 0.4, half of it.
        (Side::Buy, edge(0.6, 2.0), 0.2, SizingReason::Kelly(0.4)),
        (Side::Sell, edge(0.6, 2.0), -0.2, SizingReason::Kelly(0.4)),
        // 0.5 − 0.5 / 1 and 0.3 − 0.7 / 1: nothing to be won is never a bet on the other side.
        (Side::Buy, edge(0.5, 1.0), 0.0, SizingReason::NoEdge(0.0)),
        (Side::Buy, edge(0.3, 1.0), 0.0, SizingReason::NoEdge(0.3 - 0.7)),
        (Side::Buy, edge(1.5, 1.0), 0.0, SizingReason::InvalidEdge),
        (Side::Buy, edge(0.5, f64::NAN), 0.0, SizingReason::InvalidEdge),
        (Side::Buy, NO_EDGE, 0.0, SizingReason::UnknownEdge(0)),
        (
            Side::Buy,
            Edge { win_probability: Some(0.6), payoff_ratio: None },
            0.0,
            SizingReason::UnknownEdge(0),
        ),
    ] {
        let found = half.exposure(direction, edge, Some(0.01));
        assert!((found.share - share).abs() < 1e-15, "{found:?}");
        assert_eq!(std::mem::discriminant(&found.reason), std::mem::discriminant(&reason), "{found:?}");
        if let (SizingReason::Kelly(found), SizingReason::Kelly(expected)) = (found.reason, reason) {
            assert!((found - expected).abs() < 1e-15);
        }
    }
    let capped =
        sizer(kelly(|kelly| kelly.maximum_exposure = 0.1)).exposure(Side::Sell, edge(0.6, 2.0), None);
    assert_eq!(capped.share, -0.1);
}

#[test]
fn kelly_by_closed_trades() {
    // Wins 2, 4 and 3 %, mean 3 %; losses 1 and 2 %, mean 1.5 %; one even. p = 3 / 5, b = 2, f* = 0.4.
    let trades = [0.02, 0.04, -0.01, 0.0, -0.02, 0.03];
    let filled = |config: SizingConfig, trades: &[f64]| {
        let mut sizer = sizer(config);
        for value in trades {
            sizer.record_trade(*value).unwrap();
        }
        sizer
    };
    let half = filled(kelly(|_| ()), &trades);
    let known = half.trades();
    assert_eq!((known.decided(), known.returns().count()), (5, 6));
    assert!((known.win_probability().unwrap() - 0.6).abs() < 1e-15);
    assert!((known.payoff_ratio().unwrap() - 2.0).abs() < 1e-12);
    assert!((known.mean_loss().unwrap() - 0.015).abs() < 1e-15);
    assert!((known.returns().mean() - 0.01).abs() < 1e-15);
    let share = |sizer: &Sizer, edge| sizer.exposure(Side::Buy, edge, None).share;
    // Shrunk by 5 / (5 + 5) to 0.2, half of it.
    assert!((share(&half, NO_EDGE) - 0.1).abs() < 1e-12);
    // p = 0.8 of the model with b = 2 of the trades: 0.8 − 0.1 = 0.7, shrunk to 0.35, half of it.
    let model = Edge { win_probability: Some(0.8), payoff_ratio: None };
    assert!((share(&half, model) - 0.175).abs() < 1e-12);
    // Both from the decision: the trades have no part in it. 0.7 in full, half of it.
    assert!((share(&half, edge(0.8, 2.0)) - 0.35).abs() < 1e-12);
    // By the mean loss: 0.1 / 0.015 = 6.67 times equity, below a cap of 10, above one of 1.
    let by_loss =
        |cap: f64| kelly(|kelly| (kelly.stake, kelly.maximum_exposure) = (KellyStake::MeanLoss, cap));
    assert!((share(&filled(by_loss(10.0), &trades), NO_EDGE) - 6.666_666_666_666_667).abs() < 1e-9);
    assert_eq!(share(&filled(by_loss(1.0), &trades), NO_EDGE), 1.0);
    // Without trades the loss is not known, whatever the edge.
    let nothing = filled(by_loss(1.0), &[]).exposure(Side::Buy, edge(0.8, 2.0), None);
    assert_eq!(nothing.reason, SizingReason::UnknownEdge(0));
    // Four decided trades are too few, and trades that never lost say nothing of losses.
    let few = filled(kelly(|_| ()), &trades[..5]).exposure(Side::Buy, NO_EDGE, None);
    assert_eq!((few.share, few.reason), (0.0, SizingReason::UnknownEdge(4)));
    let lucky = filled(kelly(|_| ()), &[0.01; 50]).exposure(Side::Buy, NO_EDGE, None);
    assert_eq!((lucky.share, lucky.reason), (0.0, SizingReason::UnknownEdge(50)));
    assert!(half.clone().record_trade(f64::INFINITY).is_err());
}

#[test]
fn settings_are_read_and_refused() {
    let read = |text: &str| toml::from_str::<SizingConfig>(text).map_err(|error| error.to_string());
    assert_eq!(
        read("method = \"fixed\"\npercent = 40").unwrap(),
        SizingConfig::Fixed(FixedSizing { percent: 40.0 })
    );
    let window = "method = \"volatility-target\"\nestimate = { model = \"window\", length = 90 }";
    let target =
        VolatilityTargetSizing { estimate: VolatilityModel::Window { length: 90 }, ..Default::default() };
    assert_eq!(read(window).unwrap(), SizingConfig::VolatilityTarget(target));
    let text = "method = \"kelly\"\nfraction = 0.25\nstake = \"mean-loss\"";
    let expected = KellySizing { fraction: 0.25, stake: KellyStake::MeanLoss, ..KellySizing::default() };
    assert_eq!(read(text).unwrap(), SizingConfig::Kelly(expected));
    assert_eq!(
        read(&toml::to_string(&SizingConfig::Kelly(expected)).unwrap()).unwrap(),
        SizingConfig::Kelly(expected)
    );
    assert!(read("method = \"fixed\"\nfraction = 0.5").unwrap_err().contains("fraction"));
    assert!(read("method = \"volatility-target\"\nestimate = { model = \"ewma\", length = 9 }").is_err());
    let target = |change: fn(&mut VolatilityTargetSizing)| {
        let mut target = VolatilityTargetSizing::default();
        change(&mut target);
        SizingConfig::VolatilityTarget(target)
    };
    for (config, field) in [
        (SizingConfig::Fixed(FixedSizing { percent: 0.0 }), "sizing.percent = 0"),
        (SizingConfig::Fixed(FixedSizing { percent: 100.1 }), "sizing.percent = 100.1"),
        (SizingConfig::Fixed(FixedSizing { percent: f64::NAN }), "sizing.percent = NaN"),
        (target(|target| target.annual_volatility = 0.0), "sizing.annual_volatility = 0"),
        (target(|target| target.maximum_exposure = f64::INFINITY), "sizing.maximum_exposure = inf"),
        (target(|target| target.minimum_observations = 1), "sizing.minimum_observations = 1"),
        (
            target(|target| target.estimate = VolatilityModel::Ewma { decay: 1.0 }),
            "sizing.estimate.decay = 1",
        ),
        (
            target(|target| target.estimate = VolatilityModel::Window { length: 29 }),
            "sizing.estimate.length = 29",
        ),
        (kelly(|kelly| kelly.fraction = 1.1), "sizing.fraction = 1.1"),
        (kelly(|kelly| kelly.maximum_exposure = -1.0), "sizing.maximum_exposure = -1"),
        (kelly(|kelly| kelly.minimum_trades = 0), "sizing.minimum_trades = 0"),
        (kelly(|kelly| kelly.prior_trades = -1.0), "sizing.prior_trades = -1"),
    ] {
        let error = Sizer::new(config, 365.0).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
    assert!(Sizer::new(SizingConfig::default(), 0.0).is_err());
}
