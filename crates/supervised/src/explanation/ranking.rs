//! What matters most.

use serde::{Deserialize, Serialize};

use super::grouping::Grouped;

/// How much one part of the input matters, in units of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Importance {
    /// The feature, step or group.
    pub name: String,
    /// Mean over windows of the absolute value of its contribution as a whole.
    pub importance: f64,
    /// Mean over windows of its contribution. Overall it is left out: contributions to different outputs are
    /// no sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Mean over windows of the sum of the absolute values of its members. Far above `importance`, its
    /// members work against each other: a difference of two steps, say.
    pub gross: f64,
}

/// Parts of the input by importance, the most important first; ties in the order of the input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ranking {
    /// By the mean over all outputs.
    pub overall: Vec<Importance>,
    /// For each output, in the order of the outputs.
    pub by_output: Vec<Vec<Importance>>,
}

impl Ranking {
    /// Ranks parts with these names. Names beyond the parts are left out.
    #[must_use]
    pub fn of(grouped: &Grouped, names: &[String]) -> Self {
        let [_, outputs, parts] = grouped.shape();
        let (importance, mean, gross) = (grouped.mean_absolute(), grouped.mean(), grouped.mean_gross());
        let over_outputs = |values: &[f64], part: usize| {
            values.iter().skip(part).step_by(parts).sum::<f64>() / outputs as f64
        };
        let overall = names.iter().take(parts).enumerate().map(|(part, name)| Importance {
            name: name.clone(),
            importance: over_outputs(&importance, part),
            mean: None,
            gross: over_outputs(&gross, part),
        });
        let of_output = |output: usize| {
            let entries = names.iter().take(parts).enumerate().map(|(part, name)| Importance {
                name: name.clone(),
                importance: importance[output * parts + part],
                mean: Some(mean[output * parts + part]),
                gross: gross[output * parts + part],
            });
            sorted(entries.collect())
        };
        Self { overall: sorted(overall.collect()), by_output: (0..outputs).map(of_output).collect() }
    }
}

fn sorted(mut entries: Vec<Importance>) -> Vec<Importance> {
    entries.sort_by(|left, right| right.importance.total_cmp(&left.importance));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explanation::Attributions;

    #[test]
    fn the_most_important_first() {
        let values = vec![
            1.0, -4.0, 0.5, 2.0, 0.0, 0.5, // output 0
            0.0, 1.0, 8.0, 0.0, 1.0, -8.0, // output 1
        ];
        let attributions = Attributions::new([1, 2, 2, 3], values, vec![0.0; 2], vec![0.0; 2], None).unwrap();
        let names = ["a", "b", "c"].map(str::to_owned);
        let ranking = Ranking::of(&attributions.by_feature(), &names);
        let order =
            |entries: &[Importance]| entries.iter().map(|entry| entry.name.clone()).collect::<String>();
        assert_eq!(order(&ranking.by_output[0]), "bac");
        assert_eq!(order(&ranking.by_output[1]), "bac");
        assert_eq!(order(&ranking.overall), "bac");
        let wanted = Importance { name: "b".into(), importance: 4.0, mean: Some(-4.0), gross: 4.0 };
        assert_eq!(ranking.by_output[0][0], wanted);
        // Eight for and eight against are nothing as a whole, and are not passed over in silence.
        let wanted = Importance { name: "c".into(), importance: 0.5, mean: None, gross: 8.5 };
        assert_eq!(ranking.overall[2], wanted);
    }
}
