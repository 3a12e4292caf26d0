//! The engine and the venue through one moment.

use market_data::Candle;
use trading::strategy::Strategy;
use trading::{Engine, Event, InstrumentIndex, MarketView, Notice};

use super::{Venue, VenueCandle, VenueEvent};
use crate::error::SimError;

/// More events of one instrument in one candle than an engine that acts on purpose can lead to.
const MOST_EVENTS: usize = 100_000;

/// Walks the venue through all candles that close at `view.time`, one instrument after the other, then lets the engine see them.
/// `detail` gives the finer candles of an instrument, empty for none. `executed` is called with each event of the venue, `notices`
/// gets what the engine reports.
///
/// # Errors
/// What venue or engine cannot take, and [`SimError::Data`] where the two answer each other without end.
pub fn drive_candle<'a, S: Strategy>(
    engine: &mut Engine<S>,
    venue: &mut Venue,
    view: MarketView<'_>,
    detail: impl Fn(InstrumentIndex) -> &'a [Candle],
    mut executed: impl FnMut(&VenueEvent),
    notices: &mut Vec<Notice>,
) -> Result<(), SimError> {
    let mut answers = Vec::new();
    for update in view.updates {
        let input = VenueCandle {
            instrument: update.instrument,
            candle: update.candle,
            close_time: view.time,
            detail: detail(update.instrument),
            relative_spread: update.relative_spread,
        };
        venue.begin_candle(&input, engine.account())?;
        let mut events = 0;
        while let Some(event) = venue.next_event(engine.account())? {
            events += 1;
            if events > MOST_EVENTS {
                let what =
                    format!("candle of instrument {} at {}", update.instrument.0, update.candle.open_time);
                return Err(SimError::data(
                    what,
                    "engine and venue answer each other without end; report this",
                ));
            }
            answers.push(event);
            exchange(engine, venue, &mut answers, &mut executed, notices)?;
        }
    }
    step(engine, venue, Event::Candles(view), view.time, &mut answers, notices)?;
    exchange(engine, venue, &mut answers, &mut executed, notices)
}

/// Gives answers to the engine, oldest first, until there are no more.
fn exchange<S: Strategy>(
    engine: &mut Engine<S>,
    venue: &mut Venue,
    answers: &mut Vec<VenueEvent>,
    executed: &mut impl FnMut(&VenueEvent),
    notices: &mut Vec<Notice>,
) -> Result<(), SimError> {
    let mut at = 0;
    while let Some(event) = answers.get(at).copied() {
        at += 1;
        if at > MOST_EVENTS {
            let problem = "engine and venue answer each other without end; report this";
            return Err(SimError::data(format!("events at {}", event.time()), problem));
        }
        executed(&event);
        step(engine, venue, event.as_event(), event.time(), answers, notices)?;
    }
    answers.clear();
    Ok(())
}

fn step<S: Strategy>(
    engine: &mut Engine<S>,
    venue: &mut Venue,
    event: Event<'_>,
    time: market_data::Timestamp,
    answers: &mut Vec<VenueEvent>,
    notices: &mut Vec<Notice>,
) -> Result<(), SimError> {
    let output = engine.step(event)?;
    notices.append(&mut output.notices);
    let commands = std::mem::take(&mut output.commands);
    for command in commands {
        venue.submit(command, time, engine.account(), answers)?;
    }
    Ok(())
}
