//! Shapley values of trees as attributions.

use super::attributions::Attributions;
use super::tree_shap::{TreeShapValues, tree_shap};
use crate::baseline::{Link, Table, TreeEnsemble};
use crate::error::SupervisedError;

/// Explains the rows of `table` as windows of one step, by [`tree_shap`].
///
/// A forest's probabilities are explained as they are; of the margins of boosting what the softmax sees of them: each minus
/// their mean, as [`super::CentredOutputs`] does with logits. Shapley values are linear in the model, so those of the centred
/// margins are the centred ones.
///
/// # Errors
/// Those of [`tree_shap`] and [`Attributions::new`].
pub fn tree_attributions(
    ensemble: &TreeEnsemble,
    table: &Table<'_>,
) -> Result<Attributions, SupervisedError> {
    let TreeShapValues { rows, outputs, columns, mut values, mut expected } = tree_shap(ensemble, table)?;
    let mut predictions = ensemble.raw_outputs(table)?;
    if ensemble.link() == Link::Softmax {
        values.chunks_exact_mut(outputs * columns).for_each(|row| centre(row, columns));
        predictions.chunks_exact_mut(outputs).for_each(|row| centre(row, 1));
        centre(&mut expected, 1);
    }
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    Attributions::new([rows, outputs, 1, columns], narrow(values), narrow(predictions), expected, None)
}

/// Subtracts from `[outputs, columns]` the mean over the outputs.
fn centre(values: &mut [f64], columns: usize) {
    let outputs = values.len() / columns;
    for column in 0..columns {
        let mean = values.iter().skip(column).step_by(columns).sum::<f64>() / outputs as f64;
        values.iter_mut().skip(column).step_by(columns).for_each(|value| *value -= mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{GradientBoostingConfig, RandomForestConfig};
    use crate::explanation::test_networks::inputs;

    /// Three columns of which the class follows from the second alone.
    fn rows() -> (Vec<f32>, Vec<u8>) {
        let values = inputs(900, 70);
        let class = |row: &[f32]| if row[1] < -0.6 { 0 } else { 1 + u8::from(row[1] > 0.8) };
        let targets = values.chunks_exact(3).map(class).collect();
        (values, targets)
    }

    #[test]
    fn boosting_is_centred_and_a_forest_is_not() {
        let (values, targets) = rows();
        let table = Table::new(&values, 3).unwrap();
        let boosting = GradientBoostingConfig::default().fit(&table, &targets, 1, &mut |_| {}).unwrap();
        let forest = RandomForestConfig::default().fit(&table, &targets, 1, &mut |_| {}).unwrap();
        for (ensemble, total) in [(boosting.ensemble(), 0.0), (forest.ensemble(), 1.0)] {
            let attributions = tree_attributions(ensemble, &table).unwrap();
            assert_eq!(attributions.shape(), [300, 3, 1, 3]);
            let completeness = attributions.completeness(1e-5);
            assert!(completeness.complete, "{completeness:?}");
            for row in attributions.predictions().chunks_exact(3) {
                assert!((row.iter().sum::<f32>() - total).abs() < 1e-5, "{row:?}");
            }
            assert!((attributions.expectation().iter().sum::<f64>() - f64::from(total)).abs() < 1e-6);
            let importance = attributions.by_feature().mean_absolute();
            for of_output in importance.chunks_exact(3) {
                assert!(of_output[1] > 5.0 * of_output[0].max(of_output[2]), "{of_output:?}");
            }
        }
    }
}
