//! Which class to choose, given how probable each is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision_search::{best_macro_f1, match_shares};
use crate::error::SupervisedError;
use crate::metrics::Confusion;
use crate::prediction_rows::{
    check_class, check_probabilities, check_row_counts, check_two_classes, class_of_highest, rows_of_three,
};

/// Chooses the class with the highest weighted probability, `argmax_c weights[c] · p[c]`.
///
/// Among equal products Hold goes before Sell and Sell before Buy. Only the ratios of the weights matter;
/// fitted ones add up to 1. The default, equal weights, is the most probable class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionRule {
    /// Weights of `[Sell, Hold, Buy]`, from 0, not all 0.
    pub weights: [f64; 3],
}

impl Default for DecisionRule {
    fn default() -> Self {
        Self { weights: [1.0 / 3.0; 3] }
    }
}

/// What the weights of a rule are fitted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecisionObjective {
    /// The highest macro F1, with the predicted shares near the true ones if `bound_shares` says so.
    #[default]
    MacroF1,
    /// Predicted shares as near the true ones as can be.
    MatchShares,
    /// Nothing: equal weights, the most probable class.
    Argmax,
}

/// How a [`DecisionRule`] is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionConfig {
    /// What the weights are fitted for. Macro F1 is the default because rare Sell and Buy then count as much
    /// as Hold.
    pub objective: DecisionObjective,
    /// Whether `share_bounds` bind under [`DecisionObjective::MacroF1`]; the other objectives have no use for
    /// them. True by default: macro F1 alone may be highest where a class is predicted several times too
    /// often.
    pub bound_shares: bool,
    /// Lowest and highest predicted share of a class as multiples of its true share, at most and at least 1.
    /// The default `[0.6, 1.6]` leaves room for the objective and keeps the rate of trades that the labels
    /// mean.
    pub share_bounds: [f64; 2],
}

impl Default for DecisionConfig {
    fn default() -> Self {
        Self { objective: DecisionObjective::default(), bound_shares: true, share_bounds: [0.6, 1.6] }
    }
}

impl DecisionConfig {
    /// Refuses bounds that do not hold the true shares.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let [lower, upper] = self.share_bounds;
        if (0.0..=1.0).contains(&lower) && upper >= 1.0 && upper.is_finite() {
            return Ok(());
        }
        let remedy = "give a multiple from 0 to 1 and one from 1, for example [0.6, 1.6]";
        Err(SupervisedError::config("share_bounds", format!("{:?}", self.share_bounds), remedy))
    }

    /// By how much, in shares of all rows, the predicted class furthest outside `share_bounds` lies outside;
    /// 0 if all lie within. A class that does not occur may not be predicted at all.
    pub fn share_excess(&self, confusion: &Confusion) -> f64 {
        let [lower, upper] = self.share_bounds;
        let outside =
            |(predicted, truth): (f64, f64)| (lower * truth - predicted).max(predicted - upper * truth);
        let shares = confusion.predicted_shares().into_iter().zip(confusion.true_shares());
        shares.map(outside).fold(0.0, f64::max)
    }
}

impl DecisionRule {
    /// Fits the weights on `probabilities` (`[rows, 3]`) and the true classes `targets` (`[rows]`).
    ///
    /// [`DecisionObjective::MacroF1`] searches the two ratios of the weights over a grid that is even in
    /// ranks of the rows, ever finer about the best point. Among equally good weights it takes those nearest
    /// to equal ones. If no weights that it tries keep the bounds, it takes those that exceed them least
    /// ([`DecisionConfig::share_excess`] tells). Without bounds macro F1 on these rows is never below that of
    /// the most probable class. [`DecisionObjective::MatchShares`] sets one weight after the other so that
    /// its class gets its share, until all do, the weights stand still or 60 rounds are over, and keeps the
    /// best. Deterministic, for any number of threads.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] as [`DecisionConfig::validate`]; [`SupervisedError::Data`] for no rows,
    /// different lengths, targets all of one class, a target that is no class and a row that is no
    /// distribution; it names the row.
    pub fn fit(
        probabilities: &[f32],
        targets: &[u8],
        config: &DecisionConfig,
    ) -> Result<Self, SupervisedError> {
        config.validate()?;
        let rows = rows_of_three(probabilities, "probabilities")?;
        check_row_counts("probabilities", rows.len(), "targets", targets.len())?;
        for (row, (&values, &target)) in rows.iter().zip(targets).enumerate() {
            check_probabilities(row, values)?;
            check_class("targets", row, target)?;
        }
        check_two_classes(targets)?;
        Ok(match config.objective {
            DecisionObjective::MacroF1 => best_macro_f1(rows, targets, config),
            DecisionObjective::MatchShares => match_shares(rows, targets),
            DecisionObjective::Argmax => Self::default(),
        })
    }

    /// Refuses weights that choose nothing.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        let sound = self.weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if sound && self.weights.iter().any(|weight| *weight > 0.0) {
            return Ok(());
        }
        let remedy = "give three numbers from 0, not all 0; equal ones choose the most probable class";
        Err(SupervisedError::config("weights", format!("{:?}", self.weights), remedy))
    }

    /// The class of one row of probabilities, without a check: where all are NaN it is Hold.
    #[inline]
    pub fn decide(&self, probabilities: [f32; 3]) -> u8 {
        let ([sell, hold, buy], weights) = (probabilities.map(f64::from), self.weights);
        class_of_highest([weights[0] * sell, weights[1] * hold, weights[2] * buy])
    }

    /// The class of each row of `probabilities` (`[rows, 3]`).
    ///
    /// # Errors
    /// [`SupervisedError::Data`] names a row that is no distribution.
    pub fn apply(&self, probabilities: &[f32]) -> Result<Vec<u8>, SupervisedError> {
        let rows = rows_of_three(probabilities, "probabilities")?;
        let class = |(row, &values): (usize, &[f32; 3])| {
            check_probabilities(row, values)?;
            Ok(self.decide(values))
        };
        rows.iter().enumerate().map(class).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_decide_and_hold_wins_ties() {
        let decide = |weights, row| DecisionRule { weights }.decide(row);
        assert_eq!(decide([1.0, 1.0, 1.0], [0.2, 0.5, 0.3]), 1);
        assert_eq!(decide([4.0, 1.0, 1.0], [0.2, 0.5, 0.3]), 0);
        assert_eq!(decide([1.0, 1.0, 2.0], [0.2, 0.5, 0.3]), 2);
        assert_eq!(decide([2.0, 1.0, 2.0], [0.25, 0.5, 0.25]), 1);
        assert_eq!(decide([2.0, 0.0, 2.0], [0.25, 0.5, 0.25]), 0);
        assert_eq!(DecisionRule::default().decide([0.25, 0.25, 0.5]), 2);
    }

    #[test]
    fn excess_is_measured_from_the_nearer_bound() {
        let config = DecisionConfig { share_bounds: [0.5, 2.0], ..DecisionConfig::default() };
        let excess = |counts| config.share_excess(&Confusion { counts });
        assert_eq!(excess([[10, 0, 0], [0, 80, 0], [0, 0, 10]]), 0.0);
        assert_eq!(excess([[10, 0, 0], [10, 70, 0], [0, 0, 10]]), 0.0);
        assert!((excess([[10, 0, 0], [20, 60, 0], [0, 0, 10]]) - 0.1).abs() < 1e-12);
        assert!((excess([[2, 8, 0], [0, 80, 0], [0, 0, 10]]) - 0.03).abs() < 1e-12);
        // Buy does not occur and may not be predicted.
        assert!((excess([[10, 0, 0], [0, 85, 5], [0, 0, 0]]) - 0.05).abs() < 1e-12);
    }

    #[test]
    fn bad_input_is_named() {
        let config = DecisionConfig::default();
        let bad = |probabilities: &[f32], targets: &[u8]| {
            DecisionRule::fit(probabilities, targets, &config).unwrap_err().to_string()
        };
        let two = [0.5, 0.5, 0.0, 0.0, 0.5, 0.5];
        assert!(bad(&[], &[]).contains("no rows"));
        assert!(bad(&two, &[0]).contains("2 rows, but 1"));
        assert!(bad(&two, &[1, 1]).contains("one class"));
        assert!(bad(&two, &[1, 3]).contains("targets, row 1"));
        assert!(bad(&[0.5, 0.5, 0.0, f32::NAN, 0.5, 0.5], &[0, 1]).contains("probabilities, row 1"));
        assert!(DecisionRule::default().apply(&[0.9, 0.9, 0.9]).unwrap_err().to_string().contains("row 0"));
        for share_bounds in [[1.1, 1.6], [-0.1, 1.6], [0.6, 0.9], [0.6, f64::INFINITY], [f64::NAN, 1.0]] {
            let config = DecisionConfig { share_bounds, ..DecisionConfig::default() };
            let error = DecisionRule::fit(&two, &[0, 1], &config).unwrap_err().to_string();
            assert!(error.contains("`share_bounds`"), "{error}");
        }
        for weights in [[0.0; 3], [f64::NAN, 1.0, 1.0], [-1.0, 1.0, 1.0]] {
            assert!(DecisionRule { weights }.validate().unwrap_err().to_string().contains("`weights`"));
        }
    }

    #[test]
    fn configuration_reads_back() {
        let text = "objective = \"match-shares\"\nbound_shares = false\nshare_bounds = [0.5, 2.0]\n";
        let config: DecisionConfig = toml::from_str(text).unwrap();
        assert_eq!(config.objective, DecisionObjective::MatchShares);
        assert_eq!(toml::from_str::<DecisionConfig>(&toml::to_string(&config).unwrap()).unwrap(), config);
        assert_eq!(toml::from_str::<DecisionConfig>("").unwrap(), DecisionConfig::default());
        assert!(toml::from_str::<DecisionConfig>("margin = 1").is_err());
        let names = ["macro-f1", "match-shares", "argmax"];
        for (name, objective) in names.into_iter().zip([
            DecisionObjective::MacroF1,
            DecisionObjective::MatchShares,
            DecisionObjective::Argmax,
        ]) {
            assert_eq!(serde_json::to_value(objective).unwrap(), name);
        }
    }
}
