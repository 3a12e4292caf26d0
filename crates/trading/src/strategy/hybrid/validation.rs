//! Settings that make no sense, or that nothing would read, are refused.

use super::config::{
    AllowedSides, Combination, HybridConfig, HybridPosition, HybridSize, ModelThresholds, OnOpposite,
    PolicyThresholds,
};
use super::session::SessionFilter;
use crate::error::TradingError;

/// Longest memory of a filter in candles; more is a slip of the pen (a year of minutes is 525 600).
const LONGEST_PERIOD: u32 = 1_000_000;

impl HybridConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the first field that makes no sense or would be ignored.
    pub fn validate(&self) -> Result<(), TradingError> {
        self.check_combination()?;
        self.exits.as_ref().map_or(Ok(()), crate::exit::ExitPlan::validate)?;
        let turns = self.position.on_opposite == OnOpposite::Flip;
        check(
            !turns || self.exits.is_none_or(|exits| exits.opposite_signal),
            "hybrid.exits.opposite_signal",
            false,
            "set it to true, or choose position.on_opposite = \"close\" or \"ignore\"; a position would be neither turned round nor closed",
        )?;
        let model = &self.model;
        check(
            model.minimum_probability > 0.0 && model.minimum_probability <= 1.0,
            "hybrid.model.minimum_probability",
            model.minimum_probability,
            "give a probability above 0 and up to 1",
        )?;
        check(
            (0.0..=1.0).contains(&model.minimum_margin),
            "hybrid.model.minimum_margin",
            model.minimum_margin,
            "give a difference of probabilities from 0 to 1",
        )?;
        check(
            (0.0..1.0).contains(&self.policy.dead_band),
            "hybrid.policy.dead_band",
            self.policy.dead_band,
            "give a share of equity from 0 to below 1, or a buy would be no direction",
        )?;
        self.check_trend_and_regime()?;
        self.check_volatility_and_spread()?;
        self.check_pauses()?;
        self.position.validate()
    }

    fn check_combination(&self) -> Result<(), TradingError> {
        const UNWEIGHTED: &str = "leave it out, or choose combination = \"weighted\"; nothing else reads it";
        const WEIGHT: &str = "give a weight above 0 and up to 1000000; leave a voter out by combination";
        let weighted = self.combination == Combination::Weighted;
        for (field, weight) in
            [("hybrid.model.weight", self.model.weight), ("hybrid.policy.weight", self.policy.weight)]
        {
            let Some(weight) = weight else { continue };
            check(weighted, field, weight, UNWEIGHTED)?;
            check(weight > 0.0 && weight <= 1e6, field, weight, WEIGHT)?;
        }
        if let Some(score) = self.minimum_score {
            check(weighted, "hybrid.minimum_score", score, UNWEIGHTED)?;
            let sensible = score > 0.0 && score <= 1.0;
            check(sensible, "hybrid.minimum_score", score, "give a score above 0 and up to 1")?;
        }
        let name = format!("{:?}", self.combination);
        check(
            self.combination.asks_model() || self.model == ModelThresholds::default(),
            "hybrid.combination",
            &name,
            "leave out hybrid.model, which this never reads, or choose a combination that asks the model",
        )?;
        check(
            self.combination.asks_policy() || self.policy == PolicyThresholds::default(),
            "hybrid.combination",
            &name,
            "leave out hybrid.policy, which this never reads, or choose a combination that asks the policy",
        )
    }

    fn check_trend_and_regime(&self) -> Result<(), TradingError> {
        if let Some(trend) = &self.filters.trend {
            check_period("hybrid.filters.trend.period", trend.period)?;
            check(
                (2..=LONGEST_PERIOD).contains(&trend.slope_candles),
                "hybrid.filters.trend.slope_candles",
                trend.slope_candles,
                "give 2 to 1000000 candles; over one the slope says what the price says already",
            )?;
            check(
                (0.0..1.0).contains(&trend.minimum_distance),
                "hybrid.filters.trend.minimum_distance",
                trend.minimum_distance,
                "give a share of the average from 0 to below 1",
            )?;
        }
        if let Some(regime) = &self.filters.regime {
            check_period("hybrid.filters.regime.period", regime.period)?;
            check(
                regime.trending_from > 0.0 && regime.trending_from <= 1.0,
                "hybrid.filters.regime.trending_from",
                regime.trending_from,
                "give an efficiency ratio above 0 and up to 1",
            )?;
        }
        Ok(())
    }

    fn check_volatility_and_spread(&self) -> Result<(), TradingError> {
        if let Some(volatility) = &self.filters.volatility {
            check_period("hybrid.filters.volatility.period", volatility.period)?;
            check(
                volatility.minimum >= 0.0 && volatility.minimum.is_finite(),
                "hybrid.filters.volatility.minimum",
                volatility.minimum,
                "give a share of the price, at least 0",
            )?;
            check(
                volatility.maximum > 0.0
                    && volatility.maximum >= volatility.minimum
                    && volatility.maximum.is_finite(),
                "hybrid.filters.volatility.maximum",
                volatility.maximum,
                "give a share of the price above 0 and not below the minimum",
            )?;
        }
        if let Some(spread) = &self.filters.spread {
            check(
                (0.0..1.0).contains(&spread.maximum),
                "hybrid.filters.spread.maximum",
                spread.maximum,
                "give a share of the price from 0 to below 1",
            )?;
        }
        Ok(())
    }

    fn check_pauses(&self) -> Result<(), TradingError> {
        if let Some(confirmation) = &self.filters.confirmation {
            check(
                confirmation.candles >= 2,
                "hybrid.filters.confirmation.candles",
                confirmation.candles,
                "give at least 2 candles, or leave the filter out",
            )?;
        }
        if let Some(cool_down) = &self.filters.cool_down {
            check(
                cool_down.candles_after_loss >= cool_down.candles.max(1),
                "hybrid.filters.cool_down.candles_after_loss",
                cool_down.candles_after_loss,
                "give at least 1 candle and at least cool_down.candles, or leave the filter out",
            )?;
        }
        self.filters.session.as_ref().map_or(Ok(()), SessionFilter::validate)
    }
}

impl HybridPosition {
    fn validate(&self) -> Result<(), TradingError> {
        check(
            self.sides == AllowedSides::LongAndShort || self.on_opposite != OnOpposite::Flip,
            "hybrid.position.on_opposite",
            "flip",
            "choose close, or sides = \"long-and-short\"; long positions alone cannot be turned round",
        )?;
        match self.size {
            HybridSize::Exposure { share } => check(
                share > 0.0 && share.is_finite(),
                "hybrid.position.size.share",
                share,
                "give a share of equity above 0",
            ),
            HybridSize::Sizer { payoff_ratio: Some(ratio) } => check(
                ratio > 0.0 && ratio.is_finite(),
                "hybrid.position.size.payoff_ratio",
                ratio,
                "give a ratio above 0, or leave it out",
            ),
            HybridSize::Sizer { payoff_ratio: None } => Ok(()),
        }
    }
}

fn check_period(field: &'static str, period: u32) -> Result<(), TradingError> {
    check((2..=LONGEST_PERIOD).contains(&period), field, period, "give 2 to 1000000 candles")
}

pub(super) fn check(
    sensible: bool,
    field: &'static str,
    value: impl std::fmt::Display,
    remedy: &'static str,
) -> Result<(), TradingError> {
    if sensible { Ok(()) } else { Err(TradingError::config(field, value, remedy)) }
}
