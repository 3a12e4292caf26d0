//! What one training step takes.

use crate::augmentation::Mix;

/// Inputs with their labels, in host memory.
#[derive(Debug)]
pub(super) struct Batch {
    /// `[sequences, time, width]`.
    pub inputs: Vec<f32>,
    /// Sequences, time, width.
    pub shape: [usize; 3],
    /// Classes: `[sequences]`, or `[sequences, time]` where every step is supervised.
    pub targets: Vec<u8>,
    /// Weights of the labels, like the targets; 0 where there is none.
    pub weights: Vec<f32>,
    /// With whom each sequence is mixed. The inputs are mixed already, unless embeddings are to be.
    pub mix: Option<Mix>,
    /// Where each target's loss is noted down; [`NOWHERE`] for one that stands for no sample.
    pub places: Vec<u32>,
    /// Whether sequences begin with this batch; else they go on from the one before.
    pub begins: bool,
    /// How much of the epoch is done with this batch, from 0 to 1.
    pub done: f64,
}

/// A label that belongs to no sample.
pub(super) const NOWHERE: u32 = u32::MAX;

impl Batch {
    /// The sum of the weights: what losses are divided by.
    pub(super) fn normaliser(&self) -> f64 {
        self.weights.iter().map(|weight| f64::from(*weight)).sum()
    }

    /// Targets and weights of each label's own class and of its partner's, each with its share; without a mix there is
    /// the own class only.
    pub(super) fn mixed_labels(&self) -> Vec<(Vec<u8>, Vec<f32>)> {
        let Some(mix) = &self.mix else {
            return vec![(self.targets.clone(), self.weights.clone())];
        };
        let steps = self.targets.len() / mix.share.len();
        let mut own = (self.targets.clone(), self.weights.clone());
        let mut other = (Vec::with_capacity(self.targets.len()), Vec::with_capacity(self.targets.len()));
        for (sequence, (share, partner)) in mix.share.iter().zip(&mix.partner).enumerate() {
            let of_partner = *partner as usize * steps..(*partner as usize + 1) * steps;
            for step in 0..steps {
                let index = sequence * steps + step;
                // A step without a label has none when mixed either, and where only the partner's is missing the own
                // label counts alone.
                let partner_weight = self.weights[of_partner.start + step];
                let known = self.weights[index] > 0.0 && partner_weight > 0.0;
                other.0.push(self.targets[of_partner.start + step]);
                other.1.push(if known { (1.0 - share) * partner_weight } else { 0.0 });
                if known {
                    own.1[index] *= share;
                }
            }
        }
        vec![own, other]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two sequences of three steps; weights tell apart whose they are.
    fn batch(mix: Option<Mix>) -> Batch {
        Batch {
            inputs: Vec::new(),
            shape: [2, 3, 0],
            targets: vec![0, 1, 2, 2, 1, 0],
            weights: vec![1.0, 2.0, 0.0, 4.0, 0.0, 16.0],
            mix,
            places: Vec::new(),
            begins: true,
            done: 1.0,
        }
    }

    #[test]
    fn without_a_mix_there_is_the_own_class_alone() {
        let batch = batch(None);
        assert_eq!(batch.mixed_labels(), [(batch.targets.clone(), batch.weights.clone())]);
        assert_eq!(batch.normaliser(), 23.0);
    }

    #[test]
    fn each_step_shares_with_the_same_step_of_its_partner() {
        let mixed = batch(Some(Mix { partner: vec![1, 0], share: vec![0.75, 0.5] })).mixed_labels();
        let [own, other] = &mixed[..] else { panic!("{mixed:?}") };
        assert_eq!(own.0, [0, 1, 2, 2, 1, 0]);
        assert_eq!(other.0, [2, 1, 0, 0, 1, 2]);
        // The second step of the second sequence and the third of the first have no label to share.
        assert_eq!(own.1, [0.75, 2.0, 0.0, 2.0, 0.0, 16.0]);
        assert_eq!(other.1, [1.0, 0.0, 0.0, 0.5, 0.0, 0.0]);
    }
}
