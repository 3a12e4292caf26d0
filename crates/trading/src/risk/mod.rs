//! Risk: what may leave the engine, how much of it, and how bad the tail of the account's returns is.

mod approved;
mod correlation;
mod coverage;
mod exposure;
mod gate;
mod limits;
mod moments;
mod normal;
mod order_rate;
mod refusal;
mod sizing;
mod state;
mod tail_limits;
#[cfg(test)]
mod tests;
mod value_at_risk;
mod view;
mod volatility;

pub use approved::RiskApproved;
pub use coverage::{Coverage, LikelihoodRatio, independence_test, proportion_of_failures_test};
pub use gate::RiskGate;
pub use limits::{CorrelatedGroup, CorrelationLimit, HaltAction, OversizedReduction, RiskLimits};
pub use moments::{Moments, SlidingMoments};
pub use normal::{chi_squared_survival_1, chi_squared_survival_2, normal_density, normal_quantile};
pub use refusal::{RiskLimit, RiskRefusal};
pub use sizing::{
    Exposure, FixedSizing, KellySizing, KellyStake, Sizer, SizingConfig, SizingReason, TradeStatistics,
    VolatilityTargetSizing, kelly_binary, kelly_continuous,
};
pub use state::{AccountRecord, HaltReason, KillReason, RiskEvent, RiskRecord, RiskState, StateChange};
pub use tail_limits::{TailLimits, TailMeasure, TailVerdict};
pub use value_at_risk::{
    TailConfig, TailEstimate, TailMethod, TailModel, TailRisk, cornish_fisher_is_monotonic,
    cornish_fisher_quantile, cornish_fisher_tail, gaussian_tail, historical_tail,
};
pub use view::{InstrumentRisk, RiskView};
pub use volatility::{LARGEST_RETURN, Volatility, VolatilityModel};
