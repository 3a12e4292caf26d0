//! CSCV against numpy, by hand, and on trials with and without skill.

use super::super::*;
use super::{close, noise};

fn drifting(seeds: std::ops::Range<u64>, rows: usize, drift: f64) -> Vec<Vec<f64>> {
    seeds.map(|seed| noise(seed, rows).iter().map(|value| value + drift * seed as f64).collect()).collect()
}

#[test]
fn seven_trials_are_judged_as_by_numpy() {
    // M = [noise(s, 103) + 0.01 * s for s in 1..7]; rows 103 % S dropped at the old end, S blocks
    // for c in combinations(range(S), S // 2): r, o = mean / std(ddof=1) of both halves; n = r.argmax()
    //     w = stats.rankdata(o)[n] / 8; lam = log(w / (1 - w)); stats.linregress(r[n], o[n]) over all
    let found = backtest_overfitting(&drifting(1..8, 103, 0.01), 8).unwrap();
    assert_eq!((found.dropped_rows, found.logits.len()), (7, 70));
    close(found.probability, 0.1, 1e-12);
    close(found.probability_of_loss, 0.014_285_714_285_714_285, 1e-12);
    close(found.logits.iter().sum(), 111.322_115_006_706, 1e-10);
    close(found.in_sample[0], 0.568_440_693_189_346_5, 1e-10);
    close(found.out_of_sample[0], 0.418_752_880_798_565_8, 1e-10);
    let line = found.degradation.unwrap();
    close(line.slope, -0.353_885_909_474_555_2, 1e-9);
    close(line.intercept, 0.608_821_824_570_270_2, 1e-9);
    close(line.r_squared, 0.070_480_675_633_524_57, 1e-9);
    let found = backtest_overfitting(&drifting(1..8, 103, 0.01), 6).unwrap();
    close(found.degradation.unwrap().slope, -0.990_755_075_349_804_1, 1e-9);
    close(found.logits.iter().sum(), 38.918_202_981_106_27, 1e-10);
}

#[test]
fn two_trials_that_take_turns_are_overfitted() {
    // Two blocks: trial 0 earns 1 and 3 (Sharpe ratio 2/√2) and then loses as much, trial 1 the other way round. Each
    // split chooses the one that then loses: rank 1 of 2, ω = 1/3, ln(1/2); Sharpe ratio out of sample −√2.
    let trials = vec![vec![1.0, 3.0, -1.0, -3.0], vec![-1.0, -3.0, 1.0, 3.0]];
    let found = backtest_overfitting(&trials, 2).unwrap();
    assert_eq!((found.probability, found.probability_of_loss), (1.0, 1.0));
    for (logit, out_of_sample) in found.logits.iter().zip(&found.out_of_sample) {
        close(*logit, -std::f64::consts::LN_2, 1e-12);
        close(*out_of_sample, -std::f64::consts::SQRT_2, 1e-12);
    }
    assert_eq!(found.degradation, None);
}

#[test]
fn equal_trials_share_their_rank() {
    // Rank (1 + 2)/2 of 2, ω = 1/2: no better than the median.
    let one = noise(3, 40);
    let found = backtest_overfitting(&[one.clone(), one], 4).unwrap();
    assert!(found.logits.iter().all(|logit| *logit == 0.0));
    assert_eq!(found.probability, 1.0);
}

#[test]
fn noise_is_overfitted_in_about_half_of_the_splits_and_skill_is_not() {
    let mean = (0..60_u64)
        .map(|run| {
            backtest_overfitting(&drifting(run * 100..run * 100 + 20, 200, 0.0), 6).unwrap().probability
        })
        .sum::<f64>()
        / 60.0;
    assert!((0.4..0.65).contains(&mean), "{mean}");
    let mut trials = drifting(0..20, 200, 0.0);
    trials[11] = trials[11].iter().map(|value| value + 0.2).collect();
    let found = backtest_overfitting(&trials, 6).unwrap();
    assert_eq!((found.probability, found.probability_of_loss), (0.0, 0.0));
}

#[test]
fn a_trial_that_rests_has_no_reward_and_no_risk() {
    let mut resting = noise(5, 40);
    resting[..20].fill(0.0);
    let found = backtest_overfitting(&[resting, noise(6, 40)], 2).unwrap();
    assert!(found.in_sample.iter().chain(&found.out_of_sample).all(|sharpe| sharpe.is_finite()));
}

#[test]
fn what_cannot_be_compared_is_refused_in_words() {
    let says = |trials: &[Vec<f64>], blocks: usize, words: &str| {
        let error = backtest_overfitting(trials, blocks).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    let fine = drifting(1..3, 40, 0.0);
    says(&fine[..1], 4, "two or more");
    says(&fine, 5, "even number");
    says(&fine, 0, "even number");
    says(&fine, 22, "even number");
    says(&fine, 20 + 2, "from 2 to 20");
    says(&drifting(1..3, 30, 0.0), 16, "do not fill 16 blocks");
    says(&[noise(1, 40), noise(2, 39)], 4, "39 rows where trial 0 has 40");
    says(&[noise(1, 40), vec![f64::NAN; 40]], 4, "trial 1: row 0");
    says(&[noise(1, 40), vec![0.01; 40]], 4, "constant but not 0");
}
