//! Which part of the flat vector is which parameter.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::error::SupervisedError;

/// In which order a parameter of two or more dimensions is stored. A *unit* of adaptive clipping is one
/// output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitOrder {
    /// `[.., inputs, outputs]`, the linear layer of Burn: a unit is a column of one of the trailing matrices.
    OutputsLast,
    /// `[.., outputs, inputs]`, the convolutions, gates, recurrent and block-diagonal matrices of an xLSTM: a
    /// unit is a row along the last dimension.
    InputsLast,
}

/// One parameter of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Its path in the network, segments divided by dots; not empty, and no other parameter's.
    pub name: String,
    /// Its dimensions, each at least 1; none for a single number.
    pub shape: Vec<usize>,
    /// Where it stands in the flat vector, row-major.
    pub range: Range<usize>,
    /// Whether weight decay pulls it towards zero; [`decays`] is the usual choice.
    pub decay: bool,
    /// How its units are stored; [`unit_order`] is right for an xLSTM on Burn.
    pub order: UnitOrder,
}

/// The usual choice of what decays: parameters with two or more dimensions, unless the last segment of the
/// name contains `bias` or `norm`.
///
/// Biases and the scales of norms are left out because they do not multiply activations by one another, so
/// making them small regularises nothing (Loshchilov and Hutter, arXiv 1711.05101, decay all; leaving these
/// out is the practice since BERT and GPT-2).
#[must_use]
pub fn decays(name: &str, shape: &[usize]) -> bool {
    let last = last_segment(name);
    shape.len() >= 2 && !last.contains("bias") && !last.contains("norm")
}

/// How the parameters of an xLSTM on Burn are stored: a matrix whose last name segment is `weight` belongs to
/// a linear layer of Burn, `[inputs, outputs]`; everything else has its inputs last.
#[must_use]
pub fn unit_order(name: &str, shape: &[usize]) -> UnitOrder {
    if shape.len() == 2 && last_segment(name) == "weight" {
        UnitOrder::OutputsLast
    } else {
        UnitOrder::InputsLast
    }
}

fn last_segment(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// All parameters of a network in one flat vector: contiguous, in order, covering it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterLayout {
    parts: Vec<ParameterInfo>,
    total: usize,
}

impl ParameterLayout {
    /// Checks that the parts follow one another from 0 without gap or overlap.
    ///
    /// # Errors
    /// Names the part that has no name or another's, a dimension of 0, a range that does not begin where the
    /// part before ended, or a range of another length than its shape; also refuses a layout without parts.
    pub fn new(parts: Vec<ParameterInfo>) -> Result<Self, SupervisedError> {
        if parts.is_empty() {
            return Err(SupervisedError::data("parameter layout", "it has no parts"));
        }
        let mut names = BTreeSet::new();
        let mut end = 0;
        for part in &parts {
            let refuse =
                |reason: String| Err(SupervisedError::data(format!("parameter `{}`", part.name), reason));
            if part.name.is_empty() || !names.insert(part.name.as_str()) {
                return refuse("every parameter needs a name of its own".to_owned());
            }
            let numbers = part.shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
            let Some(numbers) = numbers.filter(|&numbers| numbers > 0) else {
                return refuse(format!("the shape {:?} holds no numbers or too many", part.shape));
            };
            if part.range.start != end {
                return refuse(format!("it starts at {}, the part before ended at {end}", part.range.start));
            }
            if part.range.end.checked_sub(part.range.start) != Some(numbers) {
                return refuse(format!(
                    "the range {:?} does not hold the {numbers} numbers of the shape {:?}",
                    part.range, part.shape
                ));
            }
            end = part.range.end;
        }
        Ok(Self { parts, total: end })
    }

    /// The parameters, in the order of the vector.
    #[must_use]
    pub fn parts(&self) -> &[ParameterInfo] {
        &self.parts
    }

    /// Length of the flat vector.
    #[must_use]
    pub fn total(&self) -> usize {
        self.total
    }
}

/// A layout from names and shapes, with the usual choices.
#[cfg(test)]
pub(super) fn layout_of(parts: &[(&str, &[usize])]) -> ParameterLayout {
    let mut start = 0;
    let parts = parts
        .iter()
        .map(|&(name, shape)| {
            let range = start..start + shape.iter().product::<usize>();
            start = range.end;
            ParameterInfo {
                name: name.to_owned(),
                shape: shape.to_vec(),
                range,
                decay: decays(name, shape),
                order: unit_order(name, shape),
            }
        })
        .collect();
    ParameterLayout::new(parts).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matrices_that_are_neither_biases_nor_norms_decay() {
        assert!(decays("block.0.up.weight", &[4, 8]));
        assert!(decays("block.0.recurrent", &[4, 2, 3, 3]));
        // A segment before the last does not count.
        assert!(decays("norm.up.weight", &[4, 8]));
        assert!(!decays("block.0.up.bias", &[8]));
        assert!(!decays("block.0.slstm.bias", &[4, 2, 3]));
        assert!(!decays("block.0.forget_gate_bias", &[2]));
        assert!(!decays("block.0.group_norm", &[2, 4]));
        assert!(!decays("head.score", &[8]));
    }

    #[test]
    fn matrices_of_burn_have_their_outputs_last() {
        assert_eq!(unit_order("block.0.up.weight", &[4, 8]), UnitOrder::OutputsLast);
        assert_eq!(unit_order("block.0.convolution_weight", &[8, 4]), UnitOrder::InputsLast);
        assert_eq!(unit_order("block.0.query", &[2, 4, 4]), UnitOrder::InputsLast);
        assert_eq!(unit_order("norm.weight", &[8]), UnitOrder::InputsLast);
    }

    #[test]
    fn parts_must_follow_one_another() {
        let good = layout_of(&[("a", &[2, 3]), ("b", &[]), ("c", &[4])]);
        assert_eq!((good.total(), good.parts()[1].range.clone()), (11, 6..7));
        let broken = |change: &dyn Fn(&mut Vec<ParameterInfo>)| {
            let mut parts = good.parts().to_vec();
            change(&mut parts);
            ParameterLayout::new(parts).unwrap_err().to_string()
        };
        assert!(broken(&|parts| parts.clear()).contains("no parts"));
        assert!(broken(&|parts| parts[2].name = "a".to_owned()).contains("`a`"));
        assert!(broken(&|parts| parts[1].name.clear()).contains("name of its own"));
        assert!(broken(&|parts| parts[2].shape = vec![5]).contains("`c`: the range 7..11"));
        assert!(broken(&|parts| parts[2].range = 8..12).contains("`c`: it starts at 8"));
        assert!(broken(&|parts| parts[0].shape = vec![0, 3]).contains("[0, 3]"));
        assert!(broken(&|parts| parts[0].shape = vec![usize::MAX, 3]).contains("too many"));
        assert!(broken(&|parts| parts.swap(0, 1)).contains("`b`"));
    }
}
