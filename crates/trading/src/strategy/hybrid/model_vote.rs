//! What the model and the policy say, and what follows from both.

use super::config::{Combination, HybridConfig, ModelThresholds, PolicyThresholds};
use crate::market::PolicyAction;
use crate::strategy::Stance;

/// A side of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Long,
    Short,
}

impl Direction {
    pub(super) const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }

    /// The class of this direction among sell, hold and buy.
    pub(super) fn probability(self, [sell, _, buy]: [f32; 3]) -> f32 {
        match self {
            Self::Long => buy,
            Self::Short => sell,
        }
    }
}

/// What one voter wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opinion {
    Towards(Direction),
    Hold,
    Abstains,
}

impl Opinion {
    const fn of(direction: Option<Direction>) -> Self {
        match direction {
            Some(direction) => Self::Towards(direction),
            None => Self::Hold,
        }
    }

    pub(super) const fn stance(self) -> Stance {
        match self {
            Self::Towards(Direction::Long) => Stance::Long,
            Self::Towards(Direction::Short) => Stance::Short,
            Self::Hold => Stance::Flat,
            Self::Abstains => Stance::Abstains,
        }
    }

    const fn score(self) -> f64 {
        match self {
            Self::Towards(direction) => direction.sign(),
            Self::Hold | Self::Abstains => 0.0,
        }
    }
}

/// What follows from all voters: see [`Combination`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combined {
    Towards {
        direction: Direction,
        /// Whether the policy forbids opening it.
        vetoed: bool,
    },
    Hold,
    Silent,
}

impl Combined {
    const fn of(opinion: Opinion) -> Self {
        match opinion {
            Opinion::Towards(direction) => Self::Towards { direction, vetoed: false },
            Opinion::Hold => Self::Hold,
            Opinion::Abstains => Self::Silent,
        }
    }

    pub(super) const fn direction(self) -> Option<Direction> {
        match self {
            Self::Towards { direction, .. } => Some(direction),
            Self::Hold | Self::Silent => None,
        }
    }

    /// The direction, unless the policy forbids opening it.
    pub(super) const fn open_direction(self) -> Option<Direction> {
        match self {
            Self::Towards { direction, vetoed: false } => Some(direction),
            _ => None,
        }
    }
}

/// An opinion, the number behind it and what that was held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) opinion: Opinion,
    pub(super) value: f64,
    pub(super) threshold: f64,
}

/// Probabilities that are ones; none for what is none or sums up to something else than 1.
pub(super) fn usable(probabilities: Option<[f32; 3]>) -> Option<[f32; 3]> {
    probabilities.filter(|classes| {
        classes.iter().all(|share| (0.0..=1.0).contains(share))
            && (classes.iter().sum::<f32>() - 1.0).abs() <= 1e-3
    })
}

/// The likelier of sell and buy. The value is its probability, the threshold the probability that it needed: the minimum, or
/// that of the opposite class plus the margin where this is more.
pub(super) fn hear_model(thresholds: &ModelThresholds, probabilities: Option<[f32; 3]>) -> Heard {
    // In f32, as the probabilities are: 0.7 of a model is 0.699999988 in f64 and would miss a threshold of 0.7.
    let minimum = thresholds.minimum_probability as f32;
    let Some(classes) = usable(probabilities) else {
        return Heard { opinion: Opinion::Abstains, value: 0.0, threshold: f64::from(minimum) };
    };
    let [sell, _, buy] = classes;
    let (direction, opposite) = if buy >= sell { (Direction::Long, sell) } else { (Direction::Short, buy) };
    let probability = direction.probability(classes);
    let needed = minimum.max(opposite + thresholds.minimum_margin as f32);
    let wanted = probability >= needed && probability > opposite;
    Heard {
        opinion: Opinion::of(wanted.then_some(direction)),
        value: f64::from(probability),
        threshold: f64::from(needed),
    }
}

/// The direction of an action. The value is the exposure that it wants (±1 for buy and sell), the threshold the dead band.
pub(super) fn hear_policy(thresholds: &PolicyThresholds, action: Option<PolicyAction>) -> Heard {
    let band = thresholds.dead_band as f32;
    let share = match action {
        Some(PolicyAction::Buy) => 1.0,
        Some(PolicyAction::Sell) => -1.0,
        Some(PolicyAction::Hold) => 0.0,
        Some(PolicyAction::Target(share)) if share.is_finite() => share,
        Some(PolicyAction::Target(_)) | None => {
            return Heard { opinion: Opinion::Abstains, value: 0.0, threshold: f64::from(band) };
        }
    };
    let direction = if share > band {
        Some(Direction::Long)
    } else if share < -band {
        Some(Direction::Short)
    } else {
        None
    };
    Heard { opinion: Opinion::of(direction), value: f64::from(share), threshold: f64::from(band) }
}

/// The truth table of [`Combination`]. Who is not asked abstains.
pub(super) fn combine(config: &HybridConfig, model: Opinion, policy: Opinion) -> Combined {
    use Opinion::{Abstains, Towards};
    match config.combination {
        Combination::ModelOnly => Combined::of(model),
        Combination::PolicyOnly => Combined::of(policy),
        Combination::Unanimous => match (model, policy) {
            (Abstains, _) | (_, Abstains) => Combined::Silent,
            (Towards(one), Towards(other)) if one == other => Combined::of(model),
            _ => Combined::Hold,
        },
        Combination::ModelWithPolicyVeto => match (model, policy) {
            (Towards(direction), Towards(other)) => {
                Combined::Towards { direction, vetoed: direction != other }
            }
            _ => Combined::of(model),
        },
        Combination::Weighted => weighted(config, model, policy),
    }
}

fn weighted(config: &HybridConfig, model: Opinion, policy: Opinion) -> Combined {
    if (model, policy) == (Opinion::Abstains, Opinion::Abstains) {
        return Combined::Silent;
    }
    let (of_model, of_policy) = (config.model.weight.unwrap_or(1.0), config.policy.weight.unwrap_or(1.0));
    let score = (of_model * model.score() + of_policy * policy.score()) / (of_model + of_policy);
    if score.abs() < config.minimum_score() {
        return Combined::Hold;
    }
    Combined::of(Opinion::Towards(if score > 0.0 { Direction::Long } else { Direction::Short }))
}

/// How the policy's vote reads: under its right of veto it allows or forbids what the model wants.
pub(super) fn policy_stance(combination: Combination, combined: Combined, policy: Opinion) -> Stance {
    match (combination, policy, combined) {
        (Combination::ModelWithPolicyVeto, Opinion::Abstains, _) => Stance::Abstains,
        (Combination::ModelWithPolicyVeto, _, Combined::Towards { vetoed: true, .. }) => Stance::Vetoes,
        (Combination::ModelWithPolicyVeto, ..) => Stance::Allows,
        _ => policy.stance(),
    }
}
