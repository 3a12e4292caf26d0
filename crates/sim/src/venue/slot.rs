//! What the venue keeps of one instrument.

use market_data::Timestamp;
use trading::Grid;
use trading::account::InstrumentTerms;

use super::liquidation::LevelMemory;
use super::order::Working;

/// What the venue keeps of one instrument.
#[derive(Debug)]
pub(super) struct Slot {
    pub terms: InstrumentTerms,
    pub is_spot: bool,
    /// Close of the last candle; 0 before the first.
    pub last: f64,
    /// The grid of the last candle, and the stretch of time that it holds for.
    grid: Option<(Timestamp, Option<Timestamp>, Grid)>,
    pub levels: LevelMemory,
    /// Oldest first.
    pub orders: Vec<Working>,
}

impl Slot {
    pub(super) fn new(terms: &InstrumentTerms) -> Self {
        Self {
            is_spot: terms.is_spot(),
            terms: terms.clone(),
            last: 0.0,
            grid: None,
            levels: LevelMemory::default(),
            orders: Vec::new(),
        }
    }

    pub(super) fn grid_at(&self, time: Timestamp) -> Option<Grid> {
        self.known_grid(time).or_else(|| self.terms.instrument.rules_at(time).map(Grid::new))
    }

    fn known_grid(&self, time: Timestamp) -> Option<Grid> {
        let (from, until, grid) = self.grid?;
        (from <= time && until.is_none_or(|until| time < until)).then_some(grid)
    }

    /// [`Slot::grid_at`], remembered for the next candle.
    pub(super) fn grid_of_candle(&mut self, time: Timestamp) -> Option<Grid> {
        let known = self.known_grid(time);
        if known.is_some() {
            return known;
        }
        let rules = self.terms.instrument.rules_at(time)?;
        let grid = Grid::new(rules);
        self.grid = Some((rules.valid_from, rules.valid_until, grid));
        Some(grid)
    }
}
