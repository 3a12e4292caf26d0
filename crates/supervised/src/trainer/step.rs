//! One pass forward and backward.

use burn::tensor::{Device, Int, Tensor, TensorData};
use networks::{NetworkRun, NetworkState, values};
use rand::Rng;
use xlstm::Pooling;

use super::batch::Batch;
use crate::augmentation::{Mix, MixSpace};
use crate::classifier::Classifier;
use crate::config::{Objective, SupervisedConfig};
use crate::dataset::CLASSES;
use crate::error::SupervisedError;
use crate::loss::{EpochLoss, LossValue, TripletBatch, triplet_loss};
use crate::random::generator;

/// What a pass leaves behind.
pub(super) struct Pass {
    pub value: LossValue,
    /// Value of the triplet loss.
    pub triplet: f64,
    /// `None` where no label of the batch counts.
    pub gradients: Option<Vec<f32>>,
    /// Loss of every label against its own class, `[labels]`; NaN where it has no weight, or where less than half of the
    /// sample is left in a mix: that says little of it.
    pub losses: Vec<f32>,
    /// State after the last step, for the objective that carries it.
    pub state: Option<NetworkState>,
}

/// What is the same for all passes of a step.
pub(super) struct PassSettings<'a> {
    pub config: &'a SupervisedConfig,
    pub loss: &'a EpochLoss,
    pub device: &'a Device,
    /// Counted from the beginning of training.
    pub step: u64,
}

/// Embeddings and logits of a batch, a row for each label.
struct Outputs {
    embeddings: Tensor<2>,
    logits: Tensor<2>,
    state: Option<NetworkState>,
}

/// Losses and gradients of a batch. The same step gives the same dropout, so that a second pass with other weights
/// differs in nothing else.
pub(super) fn pass(
    classifier: &Classifier,
    batch: &Batch,
    state: Option<NetworkState>,
    settings: &PassSettings<'_>,
) -> Result<Pass, SupervisedError> {
    let outputs = forward(classifier, batch, state, settings)?;
    let labels = batch.targets.len();
    let normaliser = batch.normaliser();
    let mut losses = vec![0.0; labels];
    if normaliser <= 0.0 {
        let value = LossValue::default();
        return Ok(Pass { value, triplet: 0.0, gradients: None, losses, state: outputs.state });
    }
    let logits = values(outputs.logits.clone().detach())?;
    let mut gradient = vec![0.0; logits.len()];
    let mut value = LossValue::default();
    let mixed_labels = batch.mixed_labels();
    for (index, (targets, weights)) in mixed_labels.iter().enumerate() {
        let noted = (index == 0).then_some(losses.as_mut_slice());
        let part = settings.loss.accumulate(&logits, targets, weights, normaliser, &mut gradient, noted)?;
        value += part;
    }
    if let Some((_, weights)) = mixed_labels.first() {
        note_losses(batch.mix.as_ref(), weights, &mut losses);
    }
    // The gradient of a sum of products with constants is the constants: so the losses' own gradients enter.
    let constants = Tensor::<2>::from_data(TensorData::new(gradient, [labels, CLASSES]), settings.device);
    let mut objective = (outputs.logits * constants).sum();
    let mut triplet = 0.0;
    if settings.config.loss.triplet.weight > 0.0 {
        let (found, gradient) = triplets(&outputs.embeddings, batch, settings)?;
        triplet = found;
        objective = objective + (outputs.embeddings * gradient).sum();
    }
    let gradients = classifier.gradients(&objective.backward())?;
    Ok(Pass { value, triplet, gradients: Some(gradients), losses, state: outputs.state })
}

/// Divides each label's loss by its weight; NaN for those that are not to be noted.
fn note_losses(mix: Option<&Mix>, weights: &[f32], losses: &mut [f32]) {
    let steps = mix.map_or(1, |mix| losses.len() / mix.share.len().max(1));
    for (index, (loss, weight)) in losses.iter_mut().zip(weights).enumerate() {
        let own = mix.map_or(1.0, |mix| mix.share[index / steps]);
        *loss = if *weight > 0.0 && own >= 0.5 { *loss / weight } else { f32::NAN };
    }
}

fn forward(
    classifier: &Classifier,
    batch: &Batch,
    state: Option<NetworkState>,
    settings: &PassSettings<'_>,
) -> Result<Outputs, SupervisedError> {
    let PassSettings { config, device, step, .. } = settings;
    let input = Tensor::<3>::from_data(TensorData::new(batch.inputs.clone(), batch.shape), *device);
    let drops = classifier.network.architecture().drops();
    let mut generator = generator(config.seed, "supervised/dropout", *step);
    let every_step = config.objective == Objective::EveryStep;
    let run = NetworkRun {
        state,
        dropout: drops.then_some(&mut generator as &mut dyn Rng),
        keep_state: every_step,
        last_only: !every_step && classifier.head.config().pooling == Pooling::Last,
    };
    let (hidden, state) = classifier.network.run(input, run)?;
    let [sequences, time, width] = hidden.dims();
    let training_step = Some(usize::try_from(*step).unwrap_or(usize::MAX));
    let mix = batch.mix.as_ref().filter(|_| config.augmentation.mix_up.space == MixSpace::Embeddings);
    let embeddings = if every_step {
        mixed(hidden, mix, device).reshape([sequences * time, width])
    } else {
        let pooled = classifier.head.pool(hidden, None)?.reshape([sequences, 1, width]);
        mixed(pooled, mix, device).reshape([sequences, width])
    };
    let logits = classifier.head.classify(embeddings.clone(), training_step);
    Ok(Outputs { embeddings, logits, state })
}

/// Each sequence's rows with its partner's.
fn mixed(rows: Tensor<3>, mix: Option<&Mix>, device: &Device) -> Tensor<3> {
    let Some(mix) = mix else { return rows };
    let sequences = mix.share.len();
    let partner: Vec<i64> = mix.partner.iter().map(|partner| i64::from(*partner)).collect();
    let partner = Tensor::<1, Int>::from_data(TensorData::new(partner, [sequences]), device);
    let share = Tensor::<3>::from_data(TensorData::new(mix.share.clone(), [sequences, 1, 1]), device);
    let others = rows.clone().select(0, partner);
    rows * share.clone() + others * (share.neg() + 1.0)
}

/// Value of the triplet loss and its gradient with respect to the embeddings.
fn triplets(
    embeddings: &Tensor<2>,
    batch: &Batch,
    settings: &PassSettings<'_>,
) -> Result<(f64, Tensor<2>), SupervisedError> {
    let [rows, width] = embeddings.dims();
    let host = values(embeddings.clone().detach())?;
    let mut gradient = vec![0.0; host.len()];
    let triplets =
        TripletBatch { embeddings: &host, width, targets: &batch.targets, weights: &batch.weights };
    let config = settings.config;
    let found = triplet_loss(&config.loss.triplet, &triplets, config.seed, settings.step, &mut gradient)?;
    let gradient = Tensor::from_data(TensorData::new(gradient, [rows, width]), settings.device);
    Ok((found.value, gradient))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augmentation::mix_rows;

    #[test]
    fn tensors_mix_as_rows_do() {
        let device = Device::flex();
        let mix = Mix { partner: vec![2, 1, 0], share: vec![0.25, 0.5, 1.0] };
        let rows: Vec<f32> = (0..24).map(|value| (value as f32).sin()).collect();
        let tensor = Tensor::<3>::from_data(TensorData::new(rows.clone(), [3, 4, 2]), &device);
        let mut expected = rows;
        mix_rows(&mut expected, 8, &mix).unwrap();
        let found = values(mixed(tensor, Some(&mix), &device)).unwrap();
        assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() < 1e-6));
    }

    #[test]
    fn losses_are_noted_of_samples_that_are_there_for_the_most_part() {
        let mix = Mix { partner: vec![1, 0], share: vec![0.5, 0.25] };
        let mut losses = [3.0, 0.0, 4.0, 5.0];
        note_losses(Some(&mix), &[1.5, 0.0, 1.0, 1.0], &mut losses);
        assert!(losses[0] == 2.0 && losses[1..].iter().all(|loss| loss.is_nan()), "{losses:?}");
        let mut losses = [3.0, 0.0, 4.0];
        note_losses(None, &[1.5, 0.0, 8.0], &mut losses);
        assert!((losses[0], losses[2]) == (2.0, 0.5) && losses[1].is_nan(), "{losses:?}");
    }

    const SHAPE: [usize; 3] = [12, 5, 3];

    fn config(objective: Objective, space: MixSpace) -> SupervisedConfig {
        let mut config = SupervisedConfig { objective, ..SupervisedConfig::default() };
        (config.network.width, config.network.heads) = (16, 2);
        config.network.dropout = xlstm::DropoutConfig { input: 0.1, recurrent: 0.2, output: 0.2 };
        config.loss.triplet.weight = 0.5;
        config.augmentation.mix_up.space = space;
        config
    }

    fn batch(objective: Objective, mix: Option<Mix>) -> Batch {
        let [sequences, time, width] = SHAPE;
        let labels = if objective == Objective::EveryStep { sequences * time } else { sequences };
        Batch {
            inputs: (0..sequences * time * width).map(|index| (index as f32 * 1.7).sin() * 2.0).collect(),
            shape: SHAPE,
            targets: (0..labels).map(|index| (index * 7 % 11 % 3) as u8).collect(),
            // One label of each sequence counts: among many, triplets soon become others.
            weights: (0..labels).map(|index| weight(index, labels / sequences)).collect(),
            mix,
            places: vec![0; labels],
            begins: true,
            done: 1.0,
        }
    }

    fn weight(label: usize, steps: usize) -> f32 {
        if label % steps == steps / 2 { (1 + label / steps % 3) as f32 * 0.5 } else { 0.0 }
    }

    fn classifier(config: &SupervisedConfig, device: &Device) -> Classifier {
        config.network.classifier(SHAPE[2], 1).init(device).unwrap()
    }

    fn total(pass: &Pass) -> f64 {
        pass.value.total() + pass.triplet
    }

    fn mixes() -> [Option<Mix>; 2] {
        let partner = (0..12).map(|sequence| (sequence + 5) % 12).collect();
        [None, Some(Mix { partner, share: (0..12).map(|sequence| sequence as f32 / 11.0).collect() })]
    }

    #[test]
    fn the_gradient_is_the_slope_of_the_loss() {
        let device = Device::flex().autodiff();
        for objective in [Objective::LastStep, Objective::EveryStep] {
            for space in [MixSpace::Inputs, MixSpace::Embeddings] {
                for mix in mixes() {
                    let config = config(objective, space);
                    let loss = config.loss.at_epoch(3.0);
                    let settings = PassSettings { config: &config, loss: &loss, device: &device, step: 4 };
                    let batch = batch(objective, mix);
                    let classifier = classifier(&config, &device);
                    let found = pass(&classifier, &batch, None, &settings).unwrap();
                    assert!(found.triplet > 0.0);
                    let gradients = found.gradients.unwrap();
                    let norm = gradients.iter().map(|slope| f64::from(*slope).powi(2)).sum::<f64>().sqrt();
                    let parameters = classifier.parameters().unwrap();
                    let along = |step: f64| {
                        let moved = parameters.iter().zip(&gradients);
                        let moved: Vec<f32> =
                            moved.map(|(value, slope)| value + (step / norm) as f32 * slope).collect();
                        let classifier = classifier.clone().with_parameters(&moved).unwrap();
                        total(&pass(&classifier, &batch, None, &settings).unwrap())
                    };
                    // So near that hardly any triplet becomes another one.
                    let slope = (along(3e-4) - along(-3e-4)) / 6e-4;
                    assert!((slope / norm - 1.0).abs() < 0.02, "{objective:?} {space:?}: {slope} {norm}");
                }
            }
        }
    }

    #[test]
    fn each_step_has_a_dropout_of_its_own_and_the_same_one_twice() {
        let device = Device::flex().autodiff();
        for objective in [Objective::LastStep, Objective::EveryStep] {
            let config = config(objective, MixSpace::Inputs);
            let loss = config.loss.at_epoch(3.0);
            let classifier = classifier(&config, &device);
            let value = |step| {
                let settings = PassSettings { config: &config, loss: &loss, device: &device, step };
                pass(&classifier, &batch(objective, None), None, &settings).unwrap().value.total()
            };
            assert_eq!(value(1).to_bits(), value(1).to_bits());
            assert!((value(1) - value(2)).abs() > 1e-6, "{} {}", value(1), value(2));
        }
    }

    #[test]
    fn a_batch_without_a_label_that_counts_gives_a_state_alone() {
        let device = Device::flex().autodiff();
        let config = config(Objective::EveryStep, MixSpace::Inputs);
        let loss = config.loss.at_epoch(3.0);
        let settings = PassSettings { config: &config, loss: &loss, device: &device, step: 0 };
        let mut batch = batch(Objective::EveryStep, None);
        batch.weights.fill(0.0);
        let found = pass(&classifier(&config, &device), &batch, None, &settings).unwrap();
        assert!(found.gradients.is_none() && found.state.is_some());
    }
}
