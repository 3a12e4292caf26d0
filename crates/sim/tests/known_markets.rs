//! What reinforcement learning must show where the truth is known: nearly all that can be earned where the next return is seen, and
//! nothing traded where there is nothing to know. The example `known_markets` runs the same for any seed.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod known_truth;

use known_truth::{
    Algorithm, CHOSEN_ON, DEVIATION, Fault, InformedPolicy, JUDGED_ON, JUDGES, Kind, STEPS, Settings, Trial,
    Verdict, best_with_foresight, frames, play, play_at_random,
};

fn trial(algorithm: Algorithm, kind: Kind, fault: Option<Fault>) -> Trial {
    let settings = Settings::of(algorithm);
    Trial { kind, foresight: 1, fault, seed: 0, judged_on: JUDGED_ON, settings }
}

fn must_pass(algorithm: Algorithm, kind: Kind) {
    let verdict = trial(algorithm, kind, None).run().unwrap();
    assert!(verdict.passes(), "{algorithm:?}: {verdict:?}");
    match verdict {
        // Nobody earns more than the best; the noise of the judges is the same for both.
        Verdict::Earned { of_perfect_foresight: share, best_informed: best, of_best_informed } => {
            assert!(share.mean < best.mean + 0.002 && of_best_informed < 1.002, "{share:?} {best:?}");
        }
        Verdict::Traded { turnover, random_turnover, .. } => {
            assert!(turnover < 0.01 && (random_turnover - 8.0 / 9.0).abs() < 0.02, "{random_turnover}");
        }
    }
}

#[test]
fn ppo_earns_what_a_clairvoyant_can() {
    must_pass(Algorithm::Ppo, Kind::Clairvoyant);
}

#[test]
fn a2c_earns_what_a_clairvoyant_can() {
    must_pass(Algorithm::A2c, Kind::Clairvoyant);
}

#[test]
fn dqn_earns_what_a_clairvoyant_can() {
    must_pass(Algorithm::Dqn, Kind::Clairvoyant);
}

#[test]
fn ppo_leaves_noise_alone() {
    must_pass(Algorithm::Ppo, Kind::Noise);
}

#[test]
fn a2c_leaves_noise_alone() {
    must_pass(Algorithm::A2c, Kind::Noise);
}

#[test]
fn dqn_leaves_noise_alone() {
    must_pass(Algorithm::Dqn, Kind::Noise);
}

#[test]
fn who_sees_returns_of_other_candles_earns_nothing() {
    let verdict = trial(Algorithm::Dqn, Kind::Clairvoyant, Some(Fault::ShuffledFeatures)).run().unwrap();
    let Verdict::Earned { of_perfect_foresight: share, .. } = verdict else { panic!("{verdict:?}") };
    assert!(!verdict.passes() && share.mean < 0.05, "{verdict:?}");
}

#[test]
fn who_learned_without_costs_trades_too_much() {
    // The sign of the next return alone, see `DEVIATION`.
    let verdict = trial(Algorithm::Dqn, Kind::Clairvoyant, Some(Fault::FreeTraining)).run().unwrap();
    let Verdict::Earned { of_perfect_foresight: share, .. } = verdict else { panic!("{verdict:?}") };
    assert!(!verdict.passes() && (0.7..0.85).contains(&share.mean), "{verdict:?}");
    let verdict = trial(Algorithm::Dqn, Kind::Noise, Some(Fault::FreeTraining)).run().unwrap();
    assert!(!verdict.passes(), "{verdict:?}");
}

/// For foresight 1 and 2. Python with numpy and scipy, the same law (61 means of equally likely parts) and 400 iterations:
///
/// ```python
/// e = norm.ppf(np.arange(62) / 61); z = 61 * (norm.pdf(e[:-1]) - norm.pdf(e[1:]))
/// P = np.array([-1, 0, 1.]); K = 0.375 * abs(P[:, None] - P[None]); H = np.zeros((3, 61))
/// for _ in range(400):
///     W = (P[None, :, None, None] * z[None, None, :, None] - K[:, :, None, None] + H[None, :, None, :]).max(1)
///     H = W.mean(2); g = H[1, 0]; H -= g
/// ```
const NUMPY_GAINS: [f64; 2] = [0.478_212_511_663_480_3, 0.513_020_214_665_780_7];

#[test]
fn the_best_informed_policy_is_that_of_the_closed_form() {
    // Who sees one return takes, from flat, what is beyond the cost: E max(0, |z| - c) = 2 (φ(c) - c (1 - Φ(c))). For who is long
    // E max(z, -c, -z - 2c) = E |z + c| - c is the same number, so that every position is worth the same. scipy 1.17:
    // 2 * (norm.pdf(c) - c * norm.sf(c)) for c of 0, 0.375 and 1.
    for (cost, gain) in [(0.0, 0.797_884_560_8), (0.375, 0.478_337_512_7), (1.0, 0.166_630_941_2)] {
        let policy = InformedPolicy::at_cost(1, cost);
        assert!((policy.gain - gain).abs() < 2e-4, "{cost}: {}", policy.gain);
    }
    for (foresight, gain) in (1..).zip(NUMPY_GAINS) {
        let found = InformedPolicy::of(foresight).gain;
        assert!((found - gain).abs() < 1e-9, "{foresight}: {found}");
    }
}

#[test]
fn more_foresight_earns_more_and_what_value_iteration_says() {
    let earned = |foresight: usize| {
        let judges =
            frames(Kind::Clairvoyant, foresight, None, CHOSEN_ON..CHOSEN_ON + JUDGES as u64).unwrap();
        let mut policy = InformedPolicy::of(foresight);
        let played = play(Kind::Clairvoyant, &judges, &mut policy).unwrap();
        let profit = played.iter().map(|one| one.profit).sum::<f64>();
        // Of cash and in deviations, per step.
        let per_step = profit / (JUDGES * STEPS) as f64 / (10_000.0 * DEVIATION);
        let best = best_with_foresight(&judges).unwrap().iter().sum::<f64>();
        (per_step, policy.gain, profit / best)
    };
    let (one, two) = (earned(1), earned(2));
    // Standard errors of 16000 steps are about 0.005; prices that wander add some.
    assert!((one.0 - one.1).abs() < 0.02 && (two.0 - two.1).abs() < 0.02, "{one:?} {two:?}");
    assert!((0.91..0.93).contains(&one.2) && (0.975..0.995).contains(&two.2), "{one:?} {two:?}");
}

#[test]
fn a_random_agent_trades_eight_ninths_of_equity_a_step() {
    // |change| of two of three levels is 0, 1 or 2 with chances 3/9, 4/9 and 2/9.
    let judges = frames(Kind::Noise, 1, None, CHOSEN_ON..CHOSEN_ON + JUDGES as u64).unwrap();
    let played = play_at_random(Kind::Noise, &judges, 0).unwrap();
    let turnover = played.iter().map(|one| one.turnover).sum::<f64>() / JUDGES as f64;
    let exposed = played.iter().map(|one| one.exposed).sum::<f64>() / JUDGES as f64;
    assert!(
        (turnover - 8.0 / 9.0).abs() < 0.02 && (exposed - 2.0 / 3.0).abs() < 0.02,
        "{turnover} {exposed}"
    );
    // Each turn of the whole costs 7.5 basis points.
    let lost = played.iter().map(|one| one.profit).sum::<f64>() / JUDGES as f64 / 10_000.0;
    assert!((-0.2..-0.1).contains(&lost), "{lost}");
}
