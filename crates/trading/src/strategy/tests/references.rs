//! Numbers of other programs (numpy 2, scipy 1), whose lines are quoted.

use super::replay::{Close, Replay};
use crate::strategy::{
    EqualRiskContributionConfig, NearestNeighboursConfig, Stance, StrategyConfig, equal_risk_contribution,
};

fn assert_near(actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    let is_near = actual.iter().zip(expected).all(|(a, b)| (a - b).abs() <= tolerance);
    assert!(is_near, "{actual:?} is not {expected:?} within {tolerance}");
}

fn covariance(deviations: &[f64], correlation: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let n = deviations.len();
    let value = |row: usize, column: usize| {
        let rho = if row == column { 1.0 } else { correlation(row.min(column), row.max(column)) };
        rho * deviations[row] * deviations[column]
    };
    (0..n * n).map(|at| value(at / n, at % n)).collect()
}

#[test]
fn two_assets_have_the_analytic_weights_at_any_correlation() {
    // Maillard, Roncalli, Teïletche 2010, section 2.3: w1 = s2 / (s1 + s2) = 0.75 for deviations 0.1 and 0.3.
    for rho in [-0.99, -0.5, 0.0, 0.5, 0.99, 1.0] {
        let weights = equal_risk_contribution(&covariance(&[0.1, 0.3], |_, _| rho), 2).unwrap();
        assert_near(&weights, &[0.75, 0.25], 1e-9);
    }
}

#[test]
fn equal_correlations_have_weights_of_inverse_volatility() {
    // 1 / (1, 2, 4, 5) = (20, 10, 5, 4) / 20; the sum of the numerators is 39.
    for rho in [-0.3, 0.0, 0.4, 0.95] {
        let weights = equal_risk_contribution(&covariance(&[0.01, 0.02, 0.04, 0.05], |_, _| rho), 4).unwrap();
        assert_near(&weights, &[20.0 / 39.0, 10.0 / 39.0, 5.0 / 39.0, 4.0 / 39.0], 1e-9);
    }
    assert_near(&equal_risk_contribution(&[0.04], 1).unwrap(), &[1.0], 0.0);
}

#[test]
fn five_assets_have_the_weights_of_scipy() {
    // S = C * np.outer(sd, sd)
    // r = minimize(lambda x: .5*x@S@x - np.log(x).sum(), 1/sd, jac=lambda x: S@x - 1/x,
    //              method='BFGS', options=dict(gtol=1e-12))
    // w = r.x / r.x.sum(); SLSQP on the squared differences of the contributions gives the same to 2e-8.
    let upper = [
        [0.0, 0.5, 0.3, -0.2, 0.1],
        [0.0, 0.0, 0.4, 0.0, 0.2],
        [0.0, 0.0, 0.0, 0.1, -0.3],
        [0.0, 0.0, 0.0, 0.0, 0.25],
    ];
    let matrix = covariance(&[0.1, 0.2, 0.3, 0.15, 0.25], |row, column| upper[row][column]);
    let expected = [
        0.3313452865705911,
        0.13497291066587871,
        0.12022509560798668,
        0.25958983845714867,
        0.1538668686983948,
    ];
    assert_near(&equal_risk_contribution(&matrix, 5).unwrap(), &expected, 1e-7);
    // The unit does not matter.
    for unit in [1e-16, 1e12] {
        let scaled: Vec<f64> = matrix.iter().map(|value| value * unit).collect();
        assert_near(&equal_risk_contribution(&scaled, 5).unwrap(), &expected, 1e-7);
    }
}

#[test]
fn what_is_no_covariance_is_refused() {
    for (matrix, n, part) in [
        (vec![], 0, "0 numbers for 0 assets"),
        (vec![1.0, 0.0, 1.0], 2, "3 numbers for 2 assets"),
        (vec![1.0, f64::NAN, 0.0, 1.0], 2, "row 0, column 1"),
        (vec![1.0, 0.2, 0.1, 1.0], 2, "symmetric"),
        (vec![1.0, 0.0, 0.0, 0.0], 2, "variance 0 of asset 1"),
        (vec![1.0, 1.5, 1.5, 1.0], 2, "negative eigenvalue"),
        (covariance(&[1.0; 3], |_, _| -0.6), 3, "negative eigenvalue"),
        // Fully hedged: any equal position has no risk at all.
        (vec![1.0, -1.0, -1.0, 1.0], 2, "hedge each other"),
    ] {
        let error = equal_risk_contribution(&matrix, n).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn the_portfolio_has_the_weights_of_numpy_with_and_without_missing_moments() {
    // t = np.arange(11)
    // p = np.array([100*np.exp(.01*np.sin(1.1*t)), 50*np.exp(.02*np.sin(1.7*t+1)),
    //               20*np.exp(.03*np.sin(2.9*t+2))])
    // R = np.diff(np.log(p)); S = np.cov(R)
    // x = fsolve(lambda x: x*(S@x) - 1, 1/np.sqrt(np.diag(S)), xtol=1e-14); x / x.sum()
    let close = |at: usize, t: f64| match at {
        0 => 100.0 * (0.01 * (1.1 * t).sin()).exp(),
        1 => 50.0 * (0.02 * (1.7 * t + 1.0).sin()).exp(),
        _ => 20.0 * (0.03 * (2.9 * t + 2.0).sin()).exp(),
    };
    // How instrument 1 stands at moment 5: whether it is missing or comes after a gap, and how many missing moments
    // are allowed.
    let weights = |is_missing: bool, after_gap: bool, missing_share: f64| {
        let config = EqualRiskContributionConfig { window: 10, missing_share, ..Default::default() };
        let mut replay = Replay::new(&StrategyConfig::EqualRiskContribution(config), 3);
        for moment in 0..11 {
            let decision = replay.step(&[0, 1, 2].map(|at| {
                let is_special = at == 1 && moment == 5;
                let price = close(at, f64::from(moment));
                (!(is_special && is_missing)).then_some(Close { price, after_gap: is_special && after_gap })
            }));
            assert_eq!(decision.targets.is_empty(), moment < 10, "moment {moment}");
        }
        replay.exposures
    };
    let whole = [0.6474309764352054, 0.23998816794441513, 0.11258085562037944];
    assert_near(&weights(false, false, 0.0), &whole, 1e-7);
    // Missing at moment 5, it has no returns to there and from there: S = np.cov(np.delete(R, [4, 5], axis=1)).
    let without = [0.6668209187849395, 0.21058953629113145, 0.12258954492392903];
    assert_near(&weights(true, false, 0.2), &without, 1e-7);
    // With one missing moment allowed it is left out; s = np.std(R, axis=1); s[2] / (s[0] + s[2]).
    let others = weights(true, false, 0.1);
    assert_near(&others, &[SHARE_WITHOUT_THE_SECOND, 0.0, 1.0 - SHARE_WITHOUT_THE_SECOND], 1e-7);
    // A gap takes away only the return across it, which is within one allowed moment: np.delete(R, [4], axis=1).
    assert_near(&weights(false, true, 0.1), &WITHOUT_ONE_RETURN, 1e-7);
}

const SHARE_WITHOUT_THE_SECOND: f64 = 0.8515763152679953;
const WITHOUT_ONE_RETURN: [f64; 3] = [0.6136704939140835, 0.2619749066553196, 0.12435459943059696];

#[test]
fn nearest_neighbours_expect_what_numpy_expects() {
    // t = np.arange(120); close = 100*np.exp(.02*np.sin(.7*t) + .015*np.sin(2.3*t) + .01*np.sin(.13*t))
    // l = np.log(close); hi = close*1.002; lo = close*.997; r1 = np.diff(l, prepend=np.nan); h, k, mem = 3, 5, 40
    // def feat(i): return [l[i]-l[i-L] for L in (1, 3, 5)] + [r1[i-3:i+1].std() / r1[i-7:i+1].std(),
    //                      (close[i] - lo[i-5:i+1].min()) / (hi[i-5:i+1].max() - lo[i-5:i+1].min())]
    // X = {i: np.array(feat(i)) for i in range(8, 120)}
    // at i: sd = np.std([X[j] for j in range(8, i+1)], axis=0); known = list(range(8, i-h+1))[-mem:]
    //       d = [(((X[j] - X[i]) / sd)**2).sum() for j in known]
    //       np.mean([l[known[m]+h] - l[known[m]] for m in np.argsort(d)[:k]])
    let expected = [
        (30, -0.0009288959231005478),
        (45, -0.011026557461296705),
        (60, 0.022868355473298862),
        (90, 0.018015742179524175),
        (119, -0.022049969793555845),
    ];
    let config = NearestNeighboursConfig {
        lags: vec![1, 3, 5],
        fast_volatility: 4,
        slow_volatility: 8,
        range: 6,
        horizon: 3,
        neighbours: 5,
        memory: 40,
        minimum_memory: 20,
        ..Default::default()
    };
    let mut replay = Replay::new(&StrategyConfig::NearestNeighbours(config), 1);
    let mut outcomes = Vec::new();
    for moment in 0..120 {
        let t = f64::from(moment);
        let log = 0.02 * (0.7 * t).sin() + 0.015 * (2.3 * t).sin() + 0.01 * (0.13 * t).sin();
        let vote = replay.step(&[Some((100.0 * log.exp()).into())]).votes[0];
        assert_eq!(vote.stance == Stance::Abstains, moment < 30, "moment {moment}");
        outcomes.push(vote.value);
    }
    for (moment, outcome) in expected {
        assert_near(&[outcomes[moment]], &[outcome], 1e-12);
    }
}

#[test]
fn assets_that_hedge_each_other_well_are_still_solved() {
    // Cycles alone come within 1e-10 only after tens of thousands of rounds. Two assets: any correlation has
    // w1 = s2 / (s1 + s2); a third without correlation has C = [[1, r, 0], [r, 1, 0], [0, 0, 1]], of which
    // y1 = y2 = 1 / sqrt(1 + r) and y3 = 1 solve y (Cy) = 1.
    let rho: f64 = -0.999_9;
    let matrix = covariance(&[1.0, 1.0, 1.0], |row, column| if (row, column) == (0, 1) { rho } else { 0.0 });
    let hedged = (1.0 + rho).sqrt().recip();
    let sum = 2.0 * hedged + 1.0;
    let weights = equal_risk_contribution(&matrix, 3).unwrap();
    assert_near(&weights, &[hedged / sum, hedged / sum, 1.0 / sum], 1e-9);
}

#[test]
fn of_equally_distant_moments_the_later_is_nearer() {
    use crate::strategy::neighbour_memory::Memory;
    for (neighbours, expected) in [(1, 0.2), (2, 0.15)] {
        let mut memory = Memory::new(1, 4, 1, neighbours);
        // From feature 0 first +0.1, then +0.2; feature 1 makes the variance.
        for (feature, log_close) in [(0.0, 0.0), (0.0, 0.1), (1.0, 0.3), (0.0, 0.9)] {
            memory.advance(&[feature], log_close);
        }
        assert_eq!(memory.learned(), 3);
        assert_near(&[memory.expect(&[0.0])], &[expected], 1e-12);
    }
}
