//! Hand-checked cards of the venue: candles and orders in, trades out. Prices in USDT; tick 0.5, lot 0.001, smallest notional 5;
//! maker 0.0002, taker 0.0006; leverage 10; one-way, isolated; no slippage and no limit of volume but where a card states it.

mod bench;
mod cards;
mod desk;
mod engine_cards;
mod inside;
mod laws;
mod levels;
mod refusals;
