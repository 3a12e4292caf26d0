//! How well scores order rows.

/// Area under the receiver operating characteristic: how likely a positive row scores above a negative one, ties counting
/// half (Hanley and McNeil 1982, the Mann-Whitney statistic). 0.5 says nothing, 1 orders perfectly. `None` where one
/// of the two kinds is absent or a score is not a number.
///
/// `scores` and `positive` are `[rows]`; further ones of the longer are left out.
pub fn area_under_curve(scores: &[f64], positive: &[bool]) -> Option<f64> {
    let mut rows: Vec<(f64, bool)> = scores.iter().copied().zip(positive.iter().copied()).collect();
    if rows.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    rows.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let (mut below, mut sum) = (0.0, 0.0);
    let (mut positives, mut negatives) = (0.0, 0.0);
    for equal in rows.chunk_by(|left, right| left.0 == right.0) {
        let of_equal = equal.iter().filter(|(_, positive)| *positive).count() as f64;
        let others = equal.len() as f64 - of_equal;
        sum += of_equal * (below + 0.5 * others);
        below += others;
        positives += of_equal;
        negatives += others;
    }
    (positives > 0.0 && negatives > 0.0).then(|| sum / (positives * negatives))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_those_of_scikit_learn() {
        // sklearn.metrics.roc_auc_score, 1.9.1
        let scores = [0.1, 0.4, 0.35, 0.8];
        assert_eq!(area_under_curve(&scores, &[false, false, true, true]), Some(0.75));
        let tied = [0.5, 0.5, 0.5, 0.2, 0.9, 0.2];
        assert_eq!(area_under_curve(&tied, &[true, false, true, false, true, true]), Some(0.6875));
        assert_eq!(area_under_curve(&[1.0, 2.0], &[true, true]), None);
        assert_eq!(area_under_curve(&[], &[]), None);
        assert_eq!(area_under_curve(&[f64::NAN, 1.0], &[true, false]), None);
        assert_eq!(area_under_curve(&[-0.0, 0.0], &[true, false]), Some(0.5));
    }
}
