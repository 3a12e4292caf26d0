//! Synthetic markets: candles of which the law is known.
//!
//! Three uses, three kinds:
//!
//! - **Processes** with textbook moments ([`GeometricBrownianMotion`], [`MertonJumpDiffusion`], [`Heston`],
//!   [`OrnsteinUhlenbeck`], [`CoxIngersollRoss`], [`FractionalBrownianMotion`]), as plain paths or, through
//!   [`PriceModel`], as candles.
//! - **[`RegimeMarket`]**, several correlated symbols with regimes, fat tails, clustering volatility and
//!   volume that follows it: what the whole system is exercised on when no real data is at hand.
//! - **Acceptance markets**: in [`PlantedMarket`] the best possible forecast is known in closed form, in
//!   [`NoiseMarket`] nothing can be forecast. A learner must come near the one and fail on the other.
//!
//! Invariants:
//!
//! 1. The same model, shape and seed give the same bytes, on any number of threads. Each symbol and
//!    purpose has a [`generator`] of its own. (Logarithm and exponential come from the platform's
//!    mathematics library, whose last digit may differ between platforms.)
//! 2. Every series is a sound [`crate::CandleSeries`] without gaps, on the venue
//!    [`crate::Venue::synthetic`], so that it is never mistaken for a market that traded.
//! 3. Each candle opens where the one before closed.
//!
//! It never reads a clock, and no process peeks at another symbol's generator.

mod candles;
mod diffusion;
mod fourier;
mod fractional;
mod market;
mod model;
mod noise;
mod normal;
mod parameter;
mod planted;
mod price_model;
mod random;
mod regime;
mod regime_market;
mod square_root;
mod threads;

pub use candles::{CandleStyle, bridge_extremes};
pub use diffusion::{GeometricBrownianMotion, MertonJumpDiffusion, OrnsteinUhlenbeck};
pub use fractional::FractionalBrownianMotion;
pub use market::{BayesOptimum, MarketShape, SyntheticMarket, SyntheticSymbol};
pub use model::SyntheticModel;
pub use noise::NoiseMarket;
pub use normal::{erfc, normal_cdf, normal_quantile};
pub use planted::PlantedMarket;
pub use price_model::PriceModel;
pub use random::generator;
pub use regime::{Regime, RegimeProfile, RegimeProfiles};
pub use regime_market::RegimeMarket;
pub use square_root::{CoxIngersollRoss, Heston, HestonPath};
