//! Back-tests of a value-at-risk forecast: how often and when losses exceed it.

use crate::error::TradingError;
use crate::risk::normal::{chi_squared_survival_1, chi_squared_survival_2};

/// A likelihood-ratio test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LikelihoodRatio {
    /// −2 ln of the ratio of likelihoods, at least zero.
    pub statistic: f64,
    /// Probability of such a statistic or a larger one under the hypothesis, by the asymptotic chi-squared
    /// distribution. With few breaches this is rough: at 250 observations and 99 % a right forecast is
    /// rejected at 5 % in 9.5 % of cases.
    pub p_value: f64,
}

impl LikelihoodRatio {
    fn of_one_degree(statistic: f64) -> Self {
        let statistic = statistic.max(0.0);
        Self { statistic, p_value: chi_squared_survival_1(statistic) }
    }
}

/// Kupiec's test that losses exceed the forecast in a share `probability` of steps.
///
/// Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models", Journal of Derivatives
/// 3 (2): LR = 2 ln[(1 − x/n)^(n−x) (x/n)^x] − 2 ln[(1 − p)^(n−x) p^x] ~ χ²(1). Without observations it is 0,
/// p-value 1.
///
/// # Errors
/// [`TradingError::Config`] for a probability outside (0, 1), or more breaches than observations.
pub fn proportion_of_failures_test(
    observations: u64,
    breaches: u64,
    probability: f64,
) -> Result<LikelihoodRatio, TradingError> {
    if !(probability > 0.0 && probability < 1.0) {
        return Err(TradingError::config(
            "coverage.probability",
            probability,
            "take a probability between 0 and 1",
        ));
    }
    let Some(kept) = observations.checked_sub(breaches) else {
        return Err(TradingError::config(
            "coverage.breaches",
            breaches,
            "count no more breaches than observations",
        ));
    };
    let (x, rest) = (breaches as f64, kept as f64);
    let given = x * probability.ln() + rest * (-probability).ln_1p();
    Ok(LikelihoodRatio::of_one_degree(2.0 * (log_likelihood(kept, breaches) - given)))
}

/// Christoffersen's test that a breach does not depend on whether the step before was one.
///
/// `transitions[i][j]` counts the steps with outcome j after outcome i (1 for a breach). Christoffersen
/// (1998), "Evaluating interval forecasts", International Economic Review 39 (4), section 3.2: LR = 2 [ln
/// L(π₀₁, π₁₁) − ln L(π)] ~ χ²(1), where a first-order Markov chain is held against a constant probability. 0
/// · ln 0 counts as 0.
#[must_use]
pub fn independence_test(transitions: [[u64; 2]; 2]) -> LikelihoodRatio {
    let [[n00, n01], [n10, n11]] = transitions;
    let chain = log_likelihood(n00, n01) + log_likelihood(n10, n11);
    LikelihoodRatio::of_one_degree(2.0 * (chain - log_likelihood(n00 + n10, n01 + n11)))
}

/// ln[(1 − π)^kept π^breaches] at its maximum, π = breaches / (kept + breaches).
fn log_likelihood(kept: u64, breaches: u64) -> f64 {
    let total = (kept + breaches) as f64;
    let part = |count: u64| if count == 0 { 0.0 } else { count as f64 * (count as f64 / total).ln() };
    part(kept) + part(breaches)
}

/// Counts of breaches and of what followed what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    observations: u64,
    breaches: u64,
    transitions: [[u64; 2]; 2],
    last: Option<bool>,
}

impl Coverage {
    /// One step: whether its loss exceeded the forecast that was made before it.
    pub fn push(&mut self, breach: bool) {
        self.observations += 1;
        self.breaches += u64::from(breach);
        if let Some(last) = self.last {
            self.transitions[usize::from(last)][usize::from(breach)] += 1;
        }
        self.last = Some(breach);
    }

    /// The next step does not follow the last one: steps between them are missing.
    pub fn gap(&mut self) {
        self.last = None;
    }

    /// Steps that had a forecast.
    #[must_use]
    pub const fn observations(&self) -> u64 {
        self.observations
    }

    /// Steps whose loss exceeded it.
    #[must_use]
    pub const fn breaches(&self) -> u64 {
        self.breaches
    }

    /// `[i][j]`: steps with outcome j right after outcome i, 1 for a breach.
    #[must_use]
    pub const fn transitions(&self) -> [[u64; 2]; 2] {
        self.transitions
    }

    /// [`proportion_of_failures_test`] of these counts.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a probability outside (0, 1).
    pub fn proportion_of_failures(&self, probability: f64) -> Result<LikelihoodRatio, TradingError> {
        proportion_of_failures_test(self.observations, self.breaches, probability)
    }

    /// [`independence_test`] of these counts.
    #[must_use]
    pub fn independence(&self) -> LikelihoodRatio {
        independence_test(self.transitions)
    }

    /// Both at once: LR_cc = LR_uc + LR_ind ~ χ²(2), Christoffersen (1998), section 3.3. LR_uc is of all
    /// steps, LR_ind of those with a step before them.
    ///
    /// # Errors
    /// [`TradingError::Config`] for a probability outside (0, 1).
    pub fn conditional_coverage(&self, probability: f64) -> Result<LikelihoodRatio, TradingError> {
        let statistic = self.proportion_of_failures(probability)?.statistic + self.independence().statistic;
        Ok(LikelihoodRatio { statistic, p_value: chi_squared_survival_2(statistic) })
    }
}

#[cfg(test)]
mod tests;
