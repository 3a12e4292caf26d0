//! When a rule says what it wants: a direction that is named until it is held, and not again before it
//! changes.

use crate::exit::ExitPlan;
use crate::market::PortfolioView;
use crate::order::InstrumentIndex;

use super::{Decision, Stance, TargetPosition, Vote, Voter};

/// Where a rule heads in one instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Heading {
    /// No position.
    #[default]
    Flat,
    /// Up.
    Long,
    /// Down.
    Short,
}

impl Heading {
    pub(super) const fn stance(self) -> Stance {
        match self {
            Self::Flat => Stance::Flat,
            Self::Long => Stance::Long,
            Self::Short => Stance::Short,
        }
    }

    fn is_held(self, exposure: f64) -> bool {
        match self {
            Self::Flat => exposure == 0.0,
            Self::Long => exposure > 0.0,
            Self::Short => exposure < 0.0,
        }
    }

    const fn target(self, share: f64) -> TargetPosition {
        match self {
            Self::Flat => TargetPosition::Flat,
            Self::Long => TargetPosition::Exposure(share),
            Self::Short => TargetPosition::Exposure(-share),
        }
    }
}

/// How a position is taken and left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Its notional as a share of equity, without sign.
    pub(super) share: f64,
    /// How it is left again.
    pub(super) exits: Option<ExitPlan>,
}

/// What a rule wants in one instrument and whether it has got it.
///
/// A position is named at the candle at which the heading changes. Without exits it is named again at each
/// candle until it is held, so that an order that failed is tried again. With exits it is named once: the
/// account does not tell an order that failed from a position that was opened and stopped since the last
/// candle, and that must not be opened again.
///
/// Once it was held it is not named any more: its size is not brought back as prices move, and a position
/// that was closed by its exits or by hand is not opened again before the heading has changed. "Flat" is
/// named when the heading changes to it, and as long as anything is held.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wish {
    heading: Heading,
    was_held: bool,
}

impl Wish {
    pub(super) const fn heading(&self) -> Heading {
        self.heading
    }

    /// Heads for `heading` and names it in `decision` where that is due.
    pub(super) fn follow(
        &mut self,
        heading: Heading,
        instrument: InstrumentIndex,
        portfolio: &PortfolioView<'_>,
        terms: &Terms,
        decision: &mut Decision,
    ) {
        let is_held = heading.is_held(portfolio.exposure(instrument));
        let is_due = if heading != self.heading {
            *self = Self { heading, was_held: false };
            true
        } else if heading == Heading::Flat {
            !is_held
        } else {
            // One with exits may have been opened and closed between two candles, as if it never was.
            self.was_held |= is_held || terms.exits.is_some();
            !self.was_held
        };
        if is_due {
            let exits = if heading == Heading::Flat { None } else { terms.exits };
            decision.want(instrument, heading.target(terms.share), exits);
        }
    }
}

/// The vote of a rule.
pub(super) const fn vote(instrument: InstrumentIndex, stance: Stance, value: f64, threshold: f64) -> Vote {
    Vote { instrument, voter: Voter::Rule, stance, value, threshold }
}

/// The vote of a rule that knows `known` of the `needed` candles or examples.
pub(super) const fn abstention(instrument: InstrumentIndex, known: usize, needed: usize) -> Vote {
    vote(instrument, Stance::Abstains, known as f64, needed as f64)
}
