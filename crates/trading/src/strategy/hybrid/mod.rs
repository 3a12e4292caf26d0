//! The hybrid decision: a model's class probabilities, a policy's action and rules become one target of each instrument.

mod config;
mod explanation;
mod filters;
mod model_vote;
mod session;
#[cfg(test)]
mod tests;
mod validation;

pub use config::{
    AllowedSides, Combination, ConfirmationFilter, CoolDownFilter, HybridConfig, HybridFilters,
    HybridPosition, HybridSize, ModelThresholds, OnHold, OnOpposite, PolicyThresholds, Regime, RegimeFilter,
    SpreadFilter, TrendFilter, UnknownSpread, VolatilityFilter, VolatilityMeasure,
};
pub use explanation::{Explanation, explain};
pub use session::{HourWindow, SessionFilter, Weekday};

use market_data::Timestamp;

use crate::error::TradingError;
use crate::market::{MarketUpdate, MarketView, PortfolioView, PositionView};
use crate::order::InstrumentIndex;
use crate::strategy::{Decision, Edge, Stance, Strategy, TargetPosition, Vote, Voter};
use filters::{Folds, Judgement, PositionWatch, Streak};
use model_vote::{Combined, Direction, combine, hear_model, hear_policy, policy_stance, usable};
use session::SessionTable;

/// The hybrid decision as a strategy.
///
/// After each candle of an instrument the voters that the [`Combination`] asks and each filter that is on write exactly one
/// vote, in the order of [`Voter`]. Then:
///
/// - no position, a direction that nobody forbids: it is wanted, with the exits of the configuration. Otherwise nothing is; what
///   was wanted and has not become a position is taken back with [`TargetPosition::Flat`].
/// - a position in that direction: it is left as it is.
/// - a position against that direction: [`OnOpposite`]. Filters and the policy's veto forbid turning it round, never closing it.
/// - a position and a hold: [`OnHold`]. Where the voters are silent, it is left as it is.
///
/// Two rules vote where they have a say: the minimum holding (value: candles held, threshold: candles needed) and, with
/// long positions alone, the ban on short ones (value -1, threshold 0).
#[derive(Clone, Debug)]
pub struct HybridStrategy {
    config: HybridConfig,
    session: Option<SessionTable>,
    states: Vec<State>,
}

/// What is remembered of one instrument.
#[derive(Clone, Debug)]
struct State {
    folds: Folds,
    streak: Streak,
    watch: PositionWatch,
    /// Whether something was wanted that has not been seen as a position since.
    is_pending: bool,
}

impl State {
    fn new(config: &HybridConfig) -> Self {
        Self {
            folds: Folds::new(&config.filters),
            streak: Streak::default(),
            watch: PositionWatch::default(),
            is_pending: false,
        }
    }
}

impl HybridStrategy {
    /// The strategy for so many instruments. Memory for one of a higher index is made when it is first seen.
    ///
    /// # Errors
    /// Those of [`HybridConfig::validate`].
    pub fn new(config: HybridConfig, instruments: usize) -> Result<Self, TradingError> {
        config.validate()?;
        let session = config.filters.session.as_ref().map(SessionTable::new);
        let states = (0..instruments).map(|_| State::new(&config)).collect();
        Ok(Self { config, session, states })
    }

    fn decide_one(
        &mut self,
        time: Timestamp,
        update: &MarketUpdate,
        position: Option<&PositionView>,
        decision: &mut Decision,
    ) {
        let index = update.instrument.get();
        if self.states.len() <= index {
            self.states.resize_with(index + 1, || State::new(&self.config));
        }
        let Some(state) = self.states.get_mut(index) else { return };
        let config = &self.config;
        state.folds.push(&update.candle, update.after_gap);
        state.watch.push(position, update.candle.close);
        let mut ballot = Ballot { instrument: update.instrument, votes: &mut decision.votes };
        let combined = hear(config, update, &mut ballot);
        state.streak.push(combined.open_direction(), update.after_gap);
        let blocked = filter(config, self.session.as_ref(), state, time, update, combined, &mut ballot);
        let open = if blocked { None } else { combined.open_direction() };
        match conclude(config, state, position, combined, open, &mut ballot) {
            Wish::Leave => {}
            Wish::Flat => decision.want(update.instrument, TargetPosition::Flat, None),
            Wish::Open(direction) => {
                let wanted = sized(config, direction, update.signal.probabilities);
                decision.want(update.instrument, wanted, config.exits);
            }
        }
    }
}

impl Strategy for HybridStrategy {
    fn name(&self) -> &str {
        "hybrid"
    }

    fn warm_up(&self) -> usize {
        self.config.warm_up()
    }

    fn decide(&mut self, market: &MarketView<'_>, portfolio: &PortfolioView<'_>, decision: &mut Decision) {
        for update in market.updates {
            // In hedge mode the larger of two counts.
            let position = portfolio
                .positions
                .iter()
                .filter(|position| position.instrument == update.instrument && position.quantity.abs() > 0.0)
                .max_by(|one, other| one.quantity.abs().total_cmp(&other.quantity.abs()));
            self.decide_one(market.time, update, position, decision);
        }
    }
}

/// The votes about one instrument.
struct Ballot<'a> {
    instrument: InstrumentIndex,
    votes: &'a mut Vec<Vote>,
}

impl Ballot<'_> {
    fn write(&mut self, voter: Voter, stance: Stance, value: f64, threshold: f64) {
        self.votes.push(Vote { instrument: self.instrument, voter, stance, value, threshold });
    }
}

/// Hears the model and the policy, as far as they are asked.
fn hear(config: &HybridConfig, update: &MarketUpdate, ballot: &mut Ballot<'_>) -> Combined {
    let model = hear_model(&config.model, update.signal.probabilities);
    let policy = hear_policy(&config.policy, update.signal.action);
    let combined = combine(config, model.opinion, policy.opinion);
    if config.combination.asks_model() {
        ballot.write(Voter::Model, model.opinion.stance(), model.value, model.threshold);
    }
    if config.combination.asks_policy() {
        let stance = policy_stance(config.combination, combined, policy.opinion);
        ballot.write(Voter::Policy, stance, policy.value, policy.threshold);
    }
    combined
}

/// Hears every filter that is on; whether one of them forbids opening.
fn filter(
    config: &HybridConfig,
    session: Option<&SessionTable>,
    state: &State,
    time: Timestamp,
    update: &MarketUpdate,
    combined: Combined,
    ballot: &mut Ballot<'_>,
) -> bool {
    let State { folds, streak, watch, .. } = state;
    let filters = &config.filters;
    let wanted = combined.direction();
    let session = session.map(|table| {
        let hour = table.at(time);
        Judgement::new(hour.within, hour.hour, hour.changes)
    });
    let judgements = [
        (Voter::Trend, filters.trend.as_ref().map(|filter| folds.trend(filter, wanted))),
        (Voter::Regime, filters.regime.as_ref().map(|filter| folds.regime(filter))),
        (Voter::Volatility, filters.volatility.as_ref().map(|filter| folds.volatility(filter))),
        (
            Voter::Spread,
            filters.spread.as_ref().map(|filter| filters::spread(filter, update.relative_spread)),
        ),
        (Voter::Confirmation, filters.confirmation.as_ref().map(|filter| streak.confirmation(filter))),
        (Voter::CoolDown, filters.cool_down.as_ref().map(|filter| watch.cool_down(filter))),
        (Voter::Session, session),
    ];
    let mut blocked = false;
    for (voter, judgement) in judgements {
        if let Some(judgement) = judgement {
            blocked |= judgement.blocks();
            ballot.write(voter, judgement.stance, judgement.value, judgement.threshold);
        }
    }
    blocked
}

/// What is done about one instrument.
enum Wish {
    Leave,
    Flat,
    Open(Direction),
}

/// What follows for the position. `open` is the direction that may be opened, as far as voters and filters go.
fn conclude(
    config: &HybridConfig,
    state: &mut State,
    position: Option<&PositionView>,
    combined: Combined,
    open: Option<Direction>,
    ballot: &mut Ballot<'_>,
) -> Wish {
    let rules = &config.position;
    let bans_short = rules.sides == AllowedSides::LongOnly;
    let open = open.filter(|direction| !(bans_short && *direction == Direction::Short));
    let was_pending = std::mem::take(&mut state.is_pending);
    let Some(position) = position else {
        if bans_short && combined.direction() == Some(Direction::Short) {
            ballot.write(Voter::Rule, Stance::Vetoes, -1.0, 0.0);
        }
        state.is_pending = open.is_some();
        return match open {
            Some(direction) => Wish::Open(direction),
            None if was_pending => Wish::Flat,
            None => Wish::Leave,
        };
    };
    let held = if position.quantity > 0.0 { Direction::Long } else { Direction::Short };
    let leaves = match combined {
        Combined::Silent => false,
        Combined::Hold => rules.on_hold == OnHold::Close,
        Combined::Towards { direction, .. } => direction != held && rules.on_opposite != OnOpposite::Ignore,
    };
    if !leaves {
        return Wish::Leave;
    }
    if rules.minimum_holding > 0 {
        let (held_for, minimum) = (f64::from(position.candles_held), f64::from(rules.minimum_holding));
        let judgement = Judgement::new(held_for >= minimum, held_for, minimum);
        ballot.write(Voter::Rule, judgement.stance, judgement.value, judgement.threshold);
        if judgement.blocks() {
            return Wish::Leave;
        }
    }
    match open {
        Some(direction) if rules.on_opposite == OnOpposite::Flip => {
            state.is_pending = true;
            Wish::Open(direction)
        }
        _ => Wish::Flat,
    }
}

/// A direction as a target.
fn sized(config: &HybridConfig, direction: Direction, probabilities: Option<[f32; 3]>) -> TargetPosition {
    let payoff_ratio = match config.position.size {
        HybridSize::Exposure { share } => return TargetPosition::Exposure(direction.sign() * share),
        HybridSize::Sizer { payoff_ratio } => payoff_ratio,
    };
    let win_probability = usable(probabilities)
        .filter(|_| config.combination.asks_model())
        .map(|classes| f64::from(direction.probability(classes)));
    let edge = Edge { win_probability, payoff_ratio };
    match direction {
        Direction::Long => TargetPosition::Long(edge),
        Direction::Short => TargetPosition::Short(edge),
    }
}
