//! Maintenance margin and leverage by tiers of notional.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::TradingError;
use crate::money::{LARGEST_AMOUNT, MONEY_DECIMALS, amount};

/// One tier: what holds for positions up to some notional.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarginTier {
    /// The largest notional of this tier (inclusive), in settlement currency.
    pub up_to: Decimal,
    /// Maintenance margin as a fraction of notional: 0.005 is half a percent.
    pub maintenance_rate: Decimal,
    /// The largest leverage of positions in this tier.
    pub maximum_leverage: Decimal,
}

/// The tiers of a linear perpetual, smallest notional first; none on spot.
///
/// The maintenance margin of a position is `value × rate − deduction` of the tier that holds its value (Bybit, Get Risk
/// Limit: `positionValue × maintenanceMargin − mmDeduction`). The deductions make it continuous:
/// `deduction[k] = deduction[k−1] + up_to[k−1] × (rate[k] − rate[k−1])`.
///
/// Invariants: notionals and rates rise from tier to tier, so that maintenance is a convex function of the value, the
/// largest of the lines `value × rate − deduction`. A value beyond the last tier is held to the last tier's line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<MarginTier>", into = "Vec<MarginTier>")]
pub struct MarginTiers {
    tiers: Vec<MarginTier>,
    deductions: Vec<Decimal>,
}

impl MarginTiers {
    /// Tiers with their deductions.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the number that makes no sense.
    pub fn new(tiers: Vec<MarginTier>) -> Result<Self, TradingError> {
        let mut deductions = Vec::with_capacity(tiers.len());
        let mut deduction = Decimal::ZERO;
        let mut lower: Option<MarginTier> = None;
        for tier in &tiers {
            check_tier(tier, lower.as_ref())?;
            if let Some(lower) = lower {
                deduction += lower.up_to * (tier.maintenance_rate - lower.maintenance_rate);
            }
            if amount(deduction) != deduction {
                let remedy = "give limits and rates of fewer digits: the deduction needs more than 12 places";
                return Err(TradingError::config("tiers.maintenance_rate", tier.maintenance_rate, remedy));
            }
            deductions.push(deduction);
            lower = Some(*tier);
        }
        Ok(Self { tiers, deductions })
    }

    /// The tiers, smallest notional first.
    #[must_use]
    pub fn tiers(&self) -> &[MarginTier] {
        &self.tiers
    }

    /// The tier that holds a position of this `value` (absolute notional), with its deduction; none on spot.
    #[must_use]
    pub fn of(&self, value: Decimal) -> Option<(&MarginTier, Decimal)> {
        let at = self.tiers.partition_point(|tier| tier.up_to < value).min(self.tiers.len().checked_sub(1)?);
        Some((self.tiers.get(at)?, *self.deductions.get(at)?))
    }

    /// Maintenance margin of a position of this `value` (absolute notional), in settlement currency.
    #[must_use]
    pub fn maintenance(&self, value: Decimal) -> Decimal {
        self.of(value)
            .map_or(Decimal::ZERO, |(tier, deduction)| amount(value * tier.maintenance_rate - deduction))
    }

    /// `(rate, deduction)` of each tier.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Decimal, Decimal)> + Clone {
        self.tiers.iter().map(|tier| tier.maintenance_rate).zip(self.deductions.iter().copied())
    }
}

fn check_tier(tier: &MarginTier, lower: Option<&MarginTier>) -> Result<(), TradingError> {
    let MarginTier { up_to, maintenance_rate: rate, maximum_leverage: leverage } = *tier;
    let floor = lower.map_or(Decimal::ZERO, |lower| lower.up_to);
    if up_to <= floor || up_to >= LARGEST_AMOUNT {
        let remedy = "give limits above zero that rise from tier to tier and stay below 100000000000000";
        return Err(TradingError::config("tiers.up_to", up_to, remedy));
    }
    let floor = lower.map_or(Decimal::ZERO, |lower| lower.maintenance_rate);
    if rate <= floor || rate >= Decimal::ONE {
        let remedy = "give fractions between 0 and 1 that rise from tier to tier, such as 0.005";
        return Err(TradingError::config("tiers.maintenance_rate", rate, remedy));
    }
    if rate.normalize().scale() > MONEY_DECIMALS {
        return Err(TradingError::config("tiers.maintenance_rate", rate, "give at most 12 places"));
    }
    let ceiling = lower.map_or(Decimal::ONE_THOUSAND, |lower| lower.maximum_leverage);
    if leverage < Decimal::ONE || leverage > ceiling {
        let remedy = "give at least 1 and at most what the tier before allows (1000 in the first)";
        return Err(TradingError::config("tiers.maximum_leverage", leverage, remedy));
    }
    // A position that opens with 1 / leverage of margin must not be due at once.
    if rate * leverage >= Decimal::ONE {
        let remedy = "give less than 1 / maintenance-rate, or positions are liquidated as they open";
        return Err(TradingError::config("tiers.maximum_leverage", leverage, remedy));
    }
    Ok(())
}

impl TryFrom<Vec<MarginTier>> for MarginTiers {
    type Error = TradingError;

    fn try_from(tiers: Vec<MarginTier>) -> Result<Self, Self::Error> {
        Self::new(tiers)
    }
}

impl From<MarginTiers> for Vec<MarginTier> {
    fn from(tiers: MarginTiers) -> Self {
        tiers.tiers
    }
}
