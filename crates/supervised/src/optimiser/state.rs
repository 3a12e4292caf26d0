//! What an optimiser remembers, for storing and going on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Optimiser;
use crate::error::SupervisedError;

/// Everything that an [`Optimiser`] remembers from step to step, by name. The configuration and the layout
/// are not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimiserState {
    /// `steps`: steps done, without those skipped.
    pub numbers: BTreeMap<String, u64>,
    /// `first_moment`, `second_moment` and, where they are enabled, `slow_weights` and `average`; each as
    /// long as the parameters.
    pub vectors: BTreeMap<String, Vec<f32>>,
}

const STEPS: &str = "steps";

impl Optimiser {
    /// A copy of what the optimiser remembers.
    #[must_use]
    pub fn state(&self) -> OptimiserState {
        let mut vectors = BTreeMap::from([
            ("first_moment".to_owned(), self.first_moment.clone()),
            ("second_moment".to_owned(), self.second_moment.clone()),
        ]);
        vectors.extend(self.slow_weights.clone().map(|slow| ("slow_weights".to_owned(), slow)));
        vectors.extend(self.average.clone().map(|average| ("average".to_owned(), average)));
        OptimiserState { numbers: BTreeMap::from([(STEPS.to_owned(), self.steps)]), vectors }
    }

    /// Takes up a state of an optimiser of the same configuration and layout; together with that time's
    /// parameters, all goes on bit by bit as if it had never stopped.
    ///
    /// # Errors
    /// A number or vector is missing, is none that this configuration remembers, or has another length than
    /// the parameters. The message names it, and the optimiser stays as it was.
    pub fn restore(&mut self, mut state: OptimiserState) -> Result<(), SupervisedError> {
        const WHAT: &str = "state of the optimiser";
        let steps = state.numbers.remove(STEPS);
        let steps =
            steps.ok_or_else(|| SupervisedError::data(WHAT, format!("it has no number `{STEPS}`")))?;
        if let Some(name) = state.numbers.keys().next() {
            return Err(SupervisedError::data(WHAT, format!("this optimiser has no number `{name}`")));
        }
        let own = self.vectors_mut();
        let names: BTreeSet<&str> = own.iter().map(|(name, _)| *name).collect();
        if let Some(name) = state.vectors.keys().find(|name| !names.contains(name.as_str())) {
            let reason = format!("it has a vector `{name}`, which this configuration does not keep");
            return Err(SupervisedError::data(WHAT, reason));
        }
        for (name, vector) in &own {
            let reason = match state.vectors.get(*name) {
                Some(given) if given.len() == vector.len() => continue,
                Some(given) => {
                    format!("`{name}` has {} numbers, the parameters have {}", given.len(), vector.len())
                }
                None => format!("it has no vector `{name}`, which this configuration keeps"),
            };
            return Err(SupervisedError::data(WHAT, reason));
        }
        for (name, vector) in own {
            if let Some(given) = state.vectors.remove(name) {
                *vector = given;
            }
        }
        self.steps = steps;
        Ok(())
    }

    fn vectors_mut(&mut self) -> Vec<(&'static str, &mut Vec<f32>)> {
        let mut vectors =
            vec![("first_moment", &mut self.first_moment), ("second_moment", &mut self.second_moment)];
        vectors.extend(self.slow_weights.as_mut().map(|slow| ("slow_weights", slow)));
        vectors.extend(self.average.as_mut().map(|average| ("average", average)));
        vectors
    }
}
