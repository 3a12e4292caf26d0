//! Generators of random numbers: one per purpose, all derived from one seed.

pub(crate) use market_data::synthetic::generator;
