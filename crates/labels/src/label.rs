//! The three classes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What would have been right to do at the close of a candle.
///
/// The class order is `[Sell, Hold, Buy]` everywhere: in counts, shares, targets and the outputs of
/// models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// The price fell far enough.
    Sell,
    /// Neither fell nor rose far enough.
    Hold,
    /// The price rose far enough.
    Buy,
}

impl Label {
    /// All classes in class order.
    pub const ALL: [Self; 3] = [Self::Sell, Self::Hold, Self::Buy];

    /// Position in the class order: Sell 0, Hold 1, Buy 2.
    pub const fn index(self) -> usize {
        match self {
            Self::Sell => 0,
            Self::Hold => 1,
            Self::Buy => 2,
        }
    }

    /// The class at `index` of the class order, if there is one.
    pub const fn from_index(index: usize) -> Option<Self> {
        match index {
            0 => Some(Self::Sell),
            1 => Some(Self::Hold),
            2 => Some(Self::Buy),
            _ => None,
        }
    }

    /// The class of a sign: negative Sell, positive Buy, zero (and NaN) Hold.
    pub(crate) fn of_sign(value: f64) -> Self {
        if value > 0.0 {
            Self::Buy
        } else if value < 0.0 {
            Self::Sell
        } else {
            Self::Hold
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sell => "sell",
            Self::Hold => "hold",
            Self::Buy => "buy",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_order_is_fixed() {
        assert_eq!(Label::ALL, [Label::Sell, Label::Hold, Label::Buy]);
        for (index, label) in Label::ALL.into_iter().enumerate() {
            assert_eq!(label.index(), index);
            assert_eq!(Label::from_index(index), Some(label));
        }
        assert_eq!(Label::from_index(3), None);
    }
}
