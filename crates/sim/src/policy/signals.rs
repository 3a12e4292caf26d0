//! What a policy wants of each candle.

use trading::PolicyAction;

use super::play::AccountPath;

/// What a policy wanted at the close of each of so many candles of a portfolio, as a signed share of equity. None where it decides
/// nothing: before its first row, in the last candle of a run, and after a liquidation. Stops and profit targets of a bracket are not
/// part of it.
#[must_use]
pub fn policy_actions(paths: &[AccountPath], portfolio: usize, candles: usize) -> Vec<Option<PolicyAction>> {
    let mut actions = vec![None; candles];
    for path in paths.iter().filter(|path| path.portfolio == portfolio) {
        let decided = actions.iter_mut().skip(path.first_row);
        for (action, target) in decided.zip(&path.targets) {
            *action = Some(PolicyAction::Target(*target as f32));
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_belongs_to_the_candle_at_whose_close_it_was_taken() {
        let path = |first_row, targets: &[f64]| AccountPath {
            first_row,
            targets: targets.to_vec(),
            ..AccountPath::default()
        };
        let other = AccountPath { portfolio: 1, ..path(0, &[1.0]) };
        let paths = [path(1, &[1.0, -0.5]), path(5, &[0.25]), other];
        let target = |share| Some(PolicyAction::Target(share));
        let expected = [None, target(1.0), target(-0.5), None, None, target(0.25), None];
        assert_eq!(policy_actions(&paths, 0, 7), expected);
        assert_eq!(policy_actions(&paths, 1, 2), [target(1.0), None]);
    }
}
