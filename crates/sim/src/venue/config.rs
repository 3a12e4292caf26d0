//! How the simulated venue works.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use trading::TradingError;
use trading::orders::FeeCurrency;

/// How the price moved inside a candle, of which only four prices are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PathModel {
    /// The worst for what is open. The extreme against the net position comes first; a stop (or a liquidation) fills before a
    /// profit target of the same position; what was sent inside the candle meets both extremes with its stops, but fills a limit
    /// or a target only where the close lies beyond it, so that the price certainly came there.
    #[default]
    Pessimistic,
    /// Open, then the extreme that lies nearer to the open (the high where both are as near), the other extreme, close: the
    /// assumption of TradingView's broker emulator. What was sent inside the candle takes part in the rest of the path.
    Adaptive,
}

/// How much worse than the simulated price a taker trades. Prices are rounded to the tick against the order. A taker's price may
/// so lie outside its candle; it is never worse than the limit of a limit order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Slippage {
    /// Not at all.
    None,
    /// By a fraction of the price: 0.0002 is two basis points.
    Fixed {
        /// The fraction.
        fraction: Decimal,
    },
    /// By a share of the relative spread: 0.5 is from the middle to the quote.
    Spread {
        /// The share of the spread.
        fraction: Decimal,
        /// The relative spread where a candle comes without one: 0.0001 is one basis point.
        assumed: Decimal,
    },
    /// By a multiple of the candle's high less its low.
    Volatility {
        /// The multiple.
        multiple: Decimal,
    },
    /// By `coefficient × sigma × sqrt(quantity / volume)` as a fraction of the price, the square-root law of impact (Tóth et al.
    /// 2011, Anomalous Price Impact and the Critical Nature of Liquidity, equation 1). `volume` is that of the candle (a ratio
    /// above 1 stays as it is; without volume it is 1), `sigma` its volatility from high and low, `ln(high / low) / sqrt(4 ln 2)`
    /// (Parkinson 1980).
    SquareRoot {
        /// The coefficient, of the order of 1.
        coefficient: Decimal,
    },
}

/// At which price a liquidated position is taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum LiquidationPrice {
    /// At the price at which all of its margin is lost, without a fee: the rest of the margin goes to the insurance fund (Bybit).
    #[default]
    Bankruptcy,
    /// At the price at which it became due, or at the open of a candle that opens beyond it.
    Maintenance {
        /// What the venue takes for it, as a fraction of notional.
        fee: Decimal,
    },
}

/// How the simulated venue works. Fees are those of [`trading::account::InstrumentTerms`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VenueConfig {
    /// How the price moved inside a candle.
    pub path: PathModel,
    /// Milliseconds from sending an order or a cancellation to its arrival. What arrives inside a candle (or inside a finer
    /// candle, where there are some) trades at the worst price of it, and cancellations take effect at its end, so that latency
    /// never helps.
    pub latency_ms: u32,
    /// How much worse takers trade.
    pub slippage: Slippage,
    /// The largest share of a candle's volume that all own orders of the instrument trade together; absent for no limit.
    pub volume_share: Option<Decimal>,
    /// Whether a resting limit order fills at a price that was touched and not passed. Off: others stood before it.
    pub touch_fills: bool,
    /// Whether a resting limit order fills at the open of a candle that opens beyond it; otherwise at its own price, as an order
    /// book would.
    pub gap_improvement: bool,
    /// What the fee of a spot purchase is taken in.
    pub spot_purchase_fee: FeeCurrency,
    /// At which price liquidated positions are taken over.
    pub liquidation: LiquidationPrice,
}

impl Default for VenueConfig {
    fn default() -> Self {
        Self {
            path: PathModel::default(),
            latency_ms: 0,
            slippage: Slippage::Fixed { fraction: Decimal::new(2, 4) },
            volume_share: Some(Decimal::new(1, 1)),
            touch_fills: false,
            gap_improvement: true,
            spot_purchase_fee: FeeCurrency::Base,
            liquidation: LiquidationPrice::default(),
        }
    }
}

impl VenueConfig {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`TradingError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), TradingError> {
        let fraction = "give a number from 0 to below 1: 0.0002 is two basis points";
        let multiple = "give a number from 0 to 100";
        let hundred = Decimal::ONE_HUNDRED;
        match self.slippage {
            Slippage::None => {}
            Slippage::Fixed { fraction: value } => {
                within("venue.slippage.fraction", value, Decimal::ONE, fraction)?;
            }
            Slippage::Spread { fraction: share, assumed } => {
                within("venue.slippage.fraction", share, hundred, multiple)?;
                within("venue.slippage.assumed", assumed, Decimal::ONE, fraction)?;
            }
            Slippage::Volatility { multiple: value } => {
                within("venue.slippage.multiple", value, hundred, multiple)?;
            }
            Slippage::SquareRoot { coefficient } => {
                within("venue.slippage.coefficient", coefficient, hundred, multiple)?;
            }
        }
        if let Some(share) = self.volume_share
            && (share <= Decimal::ZERO || share > Decimal::ONE)
        {
            let remedy = "give a share above 0 and at most 1, or leave it away for no limit";
            return Err(refusal("venue.volume_share", share, remedy));
        }
        if let LiquidationPrice::Maintenance { fee } = self.liquidation {
            within("venue.liquidation.fee", fee, Decimal::ONE, fraction)?;
        }
        Ok(())
    }
}

fn within(
    field: &'static str,
    value: Decimal,
    below: Decimal,
    remedy: &'static str,
) -> Result<(), TradingError> {
    if value < Decimal::ZERO || value >= below { Err(refusal(field, value, remedy)) } else { Ok(()) }
}

fn refusal(field: &'static str, value: Decimal, remedy: &'static str) -> TradingError {
    TradingError::Config { field, value: value.to_string(), remedy }
}
