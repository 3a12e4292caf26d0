//! What a policy wants of each candle.

use trading::PolicyAction;

use super::play::AccountPath;

/// What a policy wants at the close of each of so many candles of a portfolio: the position that its own account then has, as a
/// share of equity. None where it does not trade: before its first row, in the last candle of a run, and after a liquidation.
#[must_use]
pub fn policy_actions(paths: &[AccountPath], portfolio: usize, candles: usize) -> Vec<Option<PolicyAction>> {
    let mut actions = vec![None; candles];
    for path in paths.iter().filter(|path| path.portfolio == portfolio) {
        // What is decided at a close is held at the next one.
        let decided = actions.iter_mut().skip(path.first_row);
        for (action, exposure) in decided.zip(path.exposure.iter().skip(1)) {
            *action = Some(PolicyAction::Target(*exposure as f32));
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_what_is_held_at_the_next_close() {
        let path = |first_row, exposure: &[f64]| AccountPath {
            first_row,
            equity: vec![1.0; exposure.len()],
            exposure: exposure.to_vec(),
            ..AccountPath::default()
        };
        let other = AccountPath { portfolio: 1, ..path(0, &[0.0, 1.0]) };
        let paths = [path(1, &[0.0, 1.0, -0.5]), path(5, &[0.0, 0.25]), other];
        let target = |share| Some(PolicyAction::Target(share));
        let expected = [None, target(1.0), target(-0.5), None, None, target(0.25), None];
        assert_eq!(policy_actions(&paths, 0, 7), expected);
        assert_eq!(policy_actions(&paths, 1, 2), [target(1.0), None]);
    }
}
