//! Strategies on candles whose decisions were worked out by hand or by other programs.

mod cards;
mod configuration;
mod properties;
mod references;
mod replay;
