//! Triplet loss on embeddings, with semi-hard negatives from the batch.

mod mining;
mod unit_sphere;

use rand::RngExt;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::mining::{Triplet, Triplets};
use self::unit_sphere::UnitVectors;
use super::{CLASSES, require, require_length, require_row};
use crate::SupervisedError;
use crate::random::generator;

/// The triplet loss (Schroff, Kalenichenko and Philbin 2015, "FaceNet", arXiv 1503.03832, section 3.1), which
/// draws the embeddings of one class together and pushes those of other classes away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TripletConfig {
    /// Weight in the loss, 0 or more; 0 switches it off. Default 0: it costs a pass over the batch per anchor
    /// and helps only where the network's embedding is used for itself.
    pub weight: f64,
    /// Margin by which a negative shall be farther than a positive, in squared distance on the unit sphere,
    /// above 0 and at most 4, the largest such distance. Default 0.2, the paper's.
    pub margin: f64,
    /// Anchors per batch, 1 or more; a batch with more candidates has this many drawn. Default 64.
    pub maximum_anchors: usize,
}

impl Default for TripletConfig {
    fn default() -> Self {
        Self { weight: 0.0, margin: 0.2, maximum_anchors: 64 }
    }
}

impl TripletConfig {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// [`SupervisedError::Config`] names the field and its range.
    pub fn validate(&self) -> Result<(), SupervisedError> {
        require(
            self.weight.is_finite() && self.weight >= 0.0,
            "loss.triplet.weight",
            self.weight,
            "give a weight of 0 or more, for example 0.1",
        )?;
        require(
            self.margin > 0.0 && self.margin <= 4.0,
            "loss.triplet.margin",
            self.margin,
            "give a squared distance above 0 and up to 4, for example 0.2",
        )?;
        require(
            self.maximum_anchors >= 1,
            "loss.triplet.maximum_anchors",
            self.maximum_anchors,
            "give 1 or more, for example 64",
        )
    }
}

/// The rows that triplets are made of.
#[derive(Clone, Copy, Debug)]
pub struct TripletBatch<'a> {
    /// Embeddings as the network gives them, `[rows, width]`; they are brought to the unit sphere here.
    pub embeddings: &'a [f32],
    /// Values per embedding, 1 or more.
    pub width: usize,
    /// Classes, `[rows]`, 0 to 2.
    pub targets: &'a [u8],
    /// Weights, `[rows]`, 0 or more; a row of weight 0 is in no triplet, whatever its embedding and class
    /// are.
    pub weights: &'a [f32],
}

impl TripletBatch<'_> {
    fn validate(&self) -> Result<(), SupervisedError> {
        let rows = self.targets.len();
        let fits = rows.checked_mul(self.width) == Some(self.embeddings.len());
        if self.width == 0 || !fits || u32::try_from(rows).is_err() {
            let reason = format!("{} values in {rows} rows of width {}", self.embeddings.len(), self.width);
            return Err(SupervisedError::data("embeddings", reason));
        }
        require_length("weights", self.weights.len(), rows)?;
        for (row, embedding) in self.embeddings.chunks_exact(self.width).enumerate() {
            require_row(row, self.weights[row], self.targets[row], embedding)?;
        }
        Ok(())
    }

    /// The row's class, `None` where it does not count.
    fn classes(&self) -> Vec<Option<u8>> {
        self.targets
            .iter()
            .zip(self.weights)
            .map(|(target, weight)| (*weight > 0.0).then_some(*target))
            .collect()
    }
}

/// What [`triplet_loss`] found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TripletValue {
    /// The loss, with its weight in it.
    pub value: f64,
    /// Anchors in use.
    pub anchors: usize,
    /// Pairs of an anchor and a positive.
    pub pairs: usize,
    /// Pairs that found a negative and so add to the loss; few of `pairs` when the classes are well apart.
    pub triplets: usize,
}

/// The triplet loss of a batch; adds its gradient to `gradient` (`[rows, width]`, with respect to the
/// embeddings as they are given).
///
/// Distances are d(a, b) = ‖u_a − u_b‖² of the embeddings on the unit sphere, u = x / √(‖x‖² + 10⁻⁶); the
/// small constant is what keeps the gradient finite where an embedding is zero. Anchors are rows that count
/// and that find both their class and another one among the other rows; of more than `maximum_anchors` that
/// many are drawn without replacement, by `seed` and `step` alone. Every other row of the anchor's class is a
/// positive (section 3.2: "all anchor-positive pairs"), and each pair takes one negative, chosen as in
/// TensorFlow Addons' `triplet_semihard_loss`:
///
/// - the nearest negative with d(a, p) < d(a, n), if that is below d(a, p) + margin: semi-hard;
/// - none, if it is not: the pair is already apart and adds 0;
/// - if all negatives are as near as the positive or nearer, the farthest of them. The hardest ones, which
///   collapse a model to one point (section 3.2), are never chosen where there is a choice.
///
/// The value is weight · Σ_a w_a ⟨d(a, p) − d(a, n) + margin⟩_a / Σ_a w_a over anchors a of weight w_a, where
/// ⟨·⟩_a is the mean over all the anchor's pairs, those without a triplet as 0. Which triplets are chosen
/// counts as fixed in the gradient. The result is the same for any number of threads. Takes
/// O(anchors · rows · width), and a sort of the rows per anchor.
///
/// Without any anchor, or with a weight of 0, the value is 0 and nothing is added.
///
/// # Errors
/// [`SupervisedError::Data`] for slices of different lengths, a width of 0, a weight that is negative or not
/// finite, and, in a row that counts, a target above 2 or an embedding that is not finite. Nothing is added
/// then.
pub fn triplet_loss(
    config: &TripletConfig,
    batch: &TripletBatch<'_>,
    seed: u64,
    step: u64,
    gradient: &mut [f32],
) -> Result<TripletValue, SupervisedError> {
    batch.validate()?;
    require_length("gradient of the embeddings", gradient.len(), batch.embeddings.len())?;
    if config.weight == 0.0 {
        return Ok(TripletValue::default());
    }
    let classes = batch.classes();
    let anchors = draw_anchors(&classes, config.maximum_anchors, seed, step);
    let total: f64 = anchors.iter().map(|anchor| f64::from(batch.weights[*anchor])).sum();
    if anchors.is_empty() {
        return Ok(TripletValue::default());
    }
    let units = UnitVectors::of(batch.embeddings, batch.width, &classes);
    let pulls: Vec<AnchorPull> = anchors
        .par_iter()
        .map_init(Triplets::default, |triplets, anchor| {
            let scale = config.weight * f64::from(batch.weights[*anchor]) / total;
            AnchorPull::of(*anchor, scale, config.margin, &units, &classes, triplets)
        })
        .collect();
    add_gradient(&pulls, &units, gradient);
    let mut found = TripletValue { anchors: anchors.len(), ..TripletValue::default() };
    for pull in &pulls {
        found.value += pull.value;
        found.pairs += pull.pairs;
        found.triplets += pull.triplets;
    }
    Ok(found)
}

/// Rows that can be anchors, at most `maximum` of them, in ascending order.
fn draw_anchors(classes: &[Option<u8>], maximum: usize, seed: u64, step: u64) -> Vec<usize> {
    let mut counts = [0_usize; CLASSES];
    for class in classes.iter().flatten() {
        counts[usize::from(*class)] += 1;
    }
    let all: usize = counts.iter().sum();
    let suits = |class: &u8| {
        let own = counts[usize::from(*class)];
        own >= 2 && all > own
    };
    let mut anchors: Vec<usize> =
        (0..classes.len()).filter(|row| classes[*row].as_ref().is_some_and(suits)).collect();
    if anchors.len() > maximum {
        let mut random = generator(seed, "loss/triplet-anchors", step);
        for place in 0..maximum {
            let drawn = random.random_range(place..anchors.len());
            anchors.swap(place, drawn);
        }
        anchors.truncate(maximum);
        anchors.sort_unstable();
    }
    anchors
}

/// What one anchor adds to the loss, and the derivative of that with respect to its distances.
struct AnchorPull {
    anchor: usize,
    value: f64,
    pairs: usize,
    triplets: usize,
    /// With respect to d(anchor, row), per row.
    slopes: Vec<f64>,
    /// With respect to the anchor's own unit vector.
    own: Vec<f64>,
}

impl AnchorPull {
    fn of(
        anchor: usize,
        scale: f64,
        margin: f64,
        units: &UnitVectors,
        classes: &[Option<u8>],
        triplets: &mut Triplets,
    ) -> Self {
        let distances = units.squared_distances(anchor);
        triplets.mine(anchor, &distances, classes, margin);
        let of_one = scale / triplets.pairs.max(1) as f64;
        let mut pull = Self {
            anchor,
            value: 0.0,
            pairs: triplets.pairs,
            triplets: triplets.chosen.len(),
            slopes: vec![0.0; distances.len()],
            own: vec![0.0; units.width()],
        };
        for &Triplet { positive, negative } in &triplets.chosen {
            pull.value += of_one * (distances[positive as usize] - distances[negative as usize] + margin);
            pull.slopes[positive as usize] += of_one;
            pull.slopes[negative as usize] -= of_one;
        }
        for (row, slope) in pull.slopes.iter().enumerate().filter(|(_, slope)| **slope != 0.0) {
            units.add_difference(&mut pull.own, anchor, row, 2.0 * slope);
        }
        pull
    }
}

/// Row by row: gathers what all anchors want of the row's unit vector and takes it back through the
/// normalisation.
fn add_gradient(pulls: &[AnchorPull], units: &UnitVectors, gradient: &mut [f32]) {
    let width = units.width();
    let new = || vec![0.0; width];
    gradient.par_chunks_exact_mut(width).enumerate().for_each_init(new, |of_unit, (row, gradient)| {
        of_unit.fill(0.0);
        let mut touched = false;
        for pull in pulls {
            let slope = pull.slopes[row];
            if slope != 0.0 {
                units.add_difference(of_unit, row, pull.anchor, 2.0 * slope);
                touched = true;
            }
            if pull.anchor == row {
                of_unit.iter_mut().zip(&pull.own).for_each(|(into, own)| *into += own);
                touched = true;
            }
        }
        if touched {
            units.add_gradient(row, of_unit, gradient);
        }
    });
}

#[cfg(test)]
mod tests;
