//! What a run's evidence is made of.

use super::noise;
use crate::luck::{
    TrackRecord, backtest_overfitting, deflated_sharpe_ratio, probabilistic_sharpe_ratio, skill_evidence,
    variance_of_sharpes,
};

fn returns(seed: u64, drift: f64) -> Vec<f64> {
    noise(seed, 200).into_iter().map(|shock| 0.02 * shock + drift).collect()
}

#[test]
fn trials_before_the_run_deflate_what_it_shows() {
    let all = [returns(1, 0.002), returns(2, 0.0), returns(3, 0.001)];
    let sharpes: Vec<f64> = all.iter().map(|one| TrackRecord::from_returns(one).unwrap().sharpe()).collect();
    let variance = variance_of_sharpes(&sharpes).unwrap();
    let overfitting = backtest_overfitting(&all, 10).unwrap().probability;
    let mut last = 1.0;
    for before in [0, 7, 70] {
        let found = skill_evidence(&all, &[4, 5, 6], before);
        let record = TrackRecord::from_returns(&all[0]).unwrap();
        let expected = deflated_sharpe_ratio(&record, (before + 3) as f64, variance).unwrap().probability;
        assert_eq!((found[0].trials, found[0].deflated_sharpe), (before + 3, Some(expected)));
        assert_eq!((found[1].trades, found[2].observations), (5, 200));
        assert!(found.iter().all(|one| one.overfitting == Some(overfitting)));
        assert!(expected < last, "{before}");
        last = expected;
    }
}

#[test]
fn what_cannot_be_measured_is_absent() {
    // A single trial has nothing to deflate by, and more of which only one is known have no variance.
    let alone = skill_evidence(&[returns(1, 0.002)], &[9], 0);
    let record = TrackRecord::from_returns(&returns(1, 0.002)).unwrap();
    assert_eq!(alone[0].deflated_sharpe, Some(probabilistic_sharpe_ratio(&record, 0.0).unwrap()));
    assert_eq!((alone[0].trials, alone[0].overfitting), (1, None));
    assert_eq!(skill_evidence(&[returns(1, 0.002)], &[9], 5)[0].deflated_sharpe, None);
    // Days that differ in number cannot be divided alike; days without a move have no Sharpe ratio.
    let mixed = skill_evidence(&[returns(1, 0.002), vec![0.0; 100]], &[9, 0], 0);
    assert!(mixed.iter().all(|one| one.overfitting.is_none()));
    assert_eq!((mixed[1].deflated_sharpe, mixed[1].minimum_track_record), (None, None));
}
