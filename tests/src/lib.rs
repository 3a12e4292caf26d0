//! Tests across crates, in `tests/`: a candle from file to order, as far as the floors stand.
