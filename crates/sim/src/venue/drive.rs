//! The engine and the venue through one moment.

use market_data::{Candle, Timestamp};
use trading::strategy::Strategy;
use trading::{Command, Engine, Event, InstrumentIndex, MarketView, Notice};

use super::{Venue, VenueCandle, VenueEvent};
use crate::error::SimError;

/// More events of one instrument in one candle than an engine that acts on purpose can lead to.
const MOST_EVENTS: usize = 100_000;

/// Hears what happens while engine and venue trade, in order.
pub(crate) trait Listener {
    /// The venue did something; the engine hears of it next.
    fn event(&mut self, event: &VenueEvent);

    /// The engine reports.
    fn notice(&mut self, notice: Notice);
}

/// Carries commands to the venue and answers to the engine, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    answers: Vec<VenueEvent>,
    commands: Vec<Command>,
}

impl Traffic {
    /// Walks the venue through one candle.
    pub(crate) fn walk<S: Strategy>(
        &mut self,
        engine: &mut Engine<S>,
        venue: &mut Venue,
        input: &VenueCandle<'_>,
        listener: &mut impl Listener,
    ) -> Result<(), SimError> {
        venue.begin_candle(input, engine.account())?;
        let mut events = 0;
        while let Some(event) = venue.next_event(engine.account())? {
            events += 1;
            if events > MOST_EVENTS {
                let (instrument, time) = (input.instrument.0, input.candle.open_time);
                return Err(endless(format!("candle of instrument {instrument} at {time}")));
            }
            self.answers.push(event);
            self.exchange(engine, venue, listener)?;
        }
        Ok(())
    }

    /// Lets the engine take an event from outside, and carries what follows to its end.
    pub(crate) fn take<S: Strategy>(
        &mut self,
        engine: &mut Engine<S>,
        venue: &mut Venue,
        event: Event<'_>,
        time: Timestamp,
        listener: &mut impl Listener,
    ) -> Result<(), SimError> {
        self.step(engine, venue, event, time, listener)?;
        self.exchange(engine, venue, listener)
    }

    /// Gives answers to the engine, oldest first, until there are no more.
    fn exchange<S: Strategy>(
        &mut self,
        engine: &mut Engine<S>,
        venue: &mut Venue,
        listener: &mut impl Listener,
    ) -> Result<(), SimError> {
        let mut at = 0;
        while let Some(event) = self.answers.get(at).copied() {
            at += 1;
            if at > MOST_EVENTS {
                return Err(endless(format!("events at {}", event.time())));
            }
            listener.event(&event);
            self.step(engine, venue, event.as_event(), event.time(), listener)?;
        }
        self.answers.clear();
        Ok(())
    }

    fn step<S: Strategy>(
        &mut self,
        engine: &mut Engine<S>,
        venue: &mut Venue,
        event: Event<'_>,
        time: Timestamp,
        listener: &mut impl Listener,
    ) -> Result<(), SimError> {
        let output = engine.step(event)?;
        if output.commands.is_empty() && output.notices.is_empty() {
            return Ok(());
        }
        for notice in output.notices.drain(..) {
            listener.notice(notice);
        }
        // The engine gets an empty list with memory back: nothing is allocated for an order.
        std::mem::swap(&mut output.commands, &mut self.commands);
        for command in self.commands.drain(..) {
            venue.submit(command, time, engine.account(), &mut self.answers)?;
        }
        Ok(())
    }
}

fn endless(what: String) -> SimError {
    SimError::data(what, "engine and venue answer each other without end; this is a defect, report it")
}

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
    executed: impl FnMut(&VenueEvent),
    notices: &mut Vec<Notice>,
) -> Result<(), SimError> {
    let mut traffic = Traffic::default();
    let mut listener = Heard { executed, notices };
    for update in view.updates {
        let input = VenueCandle {
            instrument: update.instrument,
            candle: update.candle,
            close_time: view.time,
            detail: detail(update.instrument),
            relative_spread: update.relative_spread,
        };
        traffic.walk(engine, venue, &input, &mut listener)?;
    }
    traffic.take(engine, venue, Event::Candles(view), view.time, &mut listener)
}

struct Heard<'a, F> {
    executed: F,
    notices: &'a mut Vec<Notice>,
}

impl<F: FnMut(&VenueEvent)> Listener for Heard<'_, F> {
    fn event(&mut self, event: &VenueEvent) {
        (self.executed)(event);
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}
