//! Votes in plain English.

use std::fmt;

use super::filters::UNKNOWN;
use crate::strategy::{Stance, Vote, Voter};

/// Votes as text, one line of each: `model: long, probability 0.62 ≥ 0.55`. Reads the votes of
/// [`HybridStrategy`](super::HybridStrategy).
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'a> {
    votes: &'a [Vote],
}

/// Votes as text, for the log of decisions. Lines name the instrument where the votes are about several.
#[must_use]
pub const fn explain(votes: &[Vote]) -> Explanation<'_> {
    Explanation { votes }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several =
            self.votes.windows(2).any(|pair| matches!(pair, [a, b] if a.instrument != b.instrument));
        for (index, vote) in self.votes.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if several {
                write!(f, "instrument {}, ", vote.instrument.get())?;
            }
            write!(f, "{}: {}, ", name(vote.voter), stance(vote.stance))?;
            reason(vote, f)?;
        }
        Ok(())
    }
}

const fn name(voter: Voter) -> &'static str {
    match voter {
        Voter::Model => "model",
        Voter::Policy => "policy",
        Voter::Trend => "trend",
        Voter::Regime => "regime",
        Voter::Volatility => "volatility",
        Voter::Spread => "spread",
        Voter::Confirmation => "confirmation",
        Voter::CoolDown => "cool-down",
        Voter::Session => "session",
        Voter::Rule => "rule",
    }
}

const fn stance(stance: Stance) -> &'static str {
    match stance {
        Stance::Long => "long",
        Stance::Short => "short",
        Stance::Flat => "flat",
        Stance::Allows => "allows",
        Stance::Vetoes => "vetoes",
        Stance::Abstains => "abstains",
    }
}

fn reason(vote: &Vote, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Vote { value, threshold, .. } = *vote;
    let abstains = vote.stance == Stance::Abstains;
    match vote.voter {
        Voter::Model if abstains => f.write_str("no usable probabilities"),
        Voter::Model if vote.stance == Stance::Flat && value >= threshold => {
            write!(f, "probability {} is that of the opposite class too", Number(value, 2))
        }
        Voter::Model => write!(f, "probability {}", Compared::at_least(value, threshold)),
        Voter::Policy if abstains => f.write_str("no usable action"),
        Voter::Policy => policy(value, threshold, f),
        Voter::Trend | Voter::Regime | Voter::Volatility if abstains => {
            write!(f, "{value} of {threshold} candles seen")
        }
        Voter::Trend => trend(vote, f),
        Voter::Regime => write!(f, "efficiency ratio {}", Compared::at_least(value, threshold)),
        Voter::Volatility => {
            // Only the lower bound is broken from below.
            let below = vote.stance == Stance::Vetoes && value < threshold;
            let compared =
                if below { Compared(value, '<', threshold) } else { Compared::at_most(value, threshold) };
            write!(f, "{compared} of the price per candle")
        }
        Voter::Spread if value == UNKNOWN => f.write_str("the spread is unknown"),
        Voter::Spread => write!(f, "{} of the price", Compared::at_most(value, threshold)),
        Voter::Confirmation if value == 0.0 => f.write_str("no direction to confirm"),
        Voter::Confirmation => write!(f, "candles with this direction: {value}, needed: {threshold}"),
        Voter::CoolDown if value == UNKNOWN => f.write_str("no position was closed yet"),
        Voter::CoolDown => write!(f, "candles since a position closed: {value}, needed: {threshold}"),
        Voter::Session => write!(f, "{}, until {}", HourOfWeek(value), HourOfWeek(threshold)),
        // Of the plain strategies: their own number, such as a z-score, and what it is held against.
        Voter::Rule if matches!(vote.stance, Stance::Long | Stance::Short | Stance::Flat) => {
            write!(f, "{} against {}", Number(value, 4), Number(threshold, 4))
        }
        Voter::Rule if vote.stance == Stance::Abstains => {
            write!(f, "candles seen: {value}, needed: {threshold}")
        }
        Voter::Rule if threshold == 0.0 => f.write_str("short positions are not allowed"),
        Voter::Rule if vote.stance == Stance::Vetoes => {
            write!(f, "the position is held on: {value} of at least {threshold} candles")
        }
        Voter::Rule => write!(f, "the position may close: {value} of at least {threshold} candles"),
    }
}

fn policy(value: f64, band: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if value > band {
        write!(f, "exposure {}", Compared(value, '>', band))
    } else if value < -band {
        write!(f, "exposure {}", Compared(value, '<', -band))
    } else {
        write!(f, "exposure {} within ±{}", Number(value, 2), Number(band, 2))
    }
}

fn trend(vote: &Vote, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if vote.value == 0.0 {
        return f.write_str("price and slope of the average do not agree");
    }
    let (side, bound) =
        if vote.value > 0.0 { ("above its rising", "above") } else { ("below its falling", "below") };
    write!(f, "price {} % {side} average", Number(100.0 * vote.value.abs(), 2))?;
    let same_side = vote.threshold.is_sign_negative() == vote.value.is_sign_negative();
    if vote.stance == Stance::Vetoes && same_side {
        return write!(f, ", needs more than {} % {bound}", Number(100.0 * vote.threshold.abs(), 2));
    }
    Ok(())
}

/// A number with at least so many decimals, and as many as its first two digits need.
struct Number(f64, usize);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*}", decimals(self.0).max(self.1), self.0)
    }
}

/// Decimals that show two digits of a small number; 2 of one from 0.1 on.
fn decimals(value: f64) -> usize {
    let mut decimals = 2;
    let mut scaled = value.abs() * 10.0;
    while scaled < 1.0 && scaled > 0.0 && decimals < 9 {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

/// Two numbers and how they stand, with as many decimals as it takes to tell them apart.
struct Compared(f64, char, f64);

impl Compared {
    fn at_least(value: f64, bound: f64) -> Self {
        Self(value, if value < bound { '<' } else { '≥' }, bound)
    }

    fn at_most(value: f64, bound: f64) -> Self {
        Self(value, if value > bound { '>' } else { '≤' }, bound)
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, sign, bound) = *self;
        let mut places = decimals(value).max(decimals(bound));
        let apart = |places: usize| {
            let unit = 10_f64.powi(places as i32);
            value == bound || (value * unit).round() != (bound * unit).round()
        };
        while places < 9 && !apart(places) {
            places += 1;
        }
        write!(f, "{value:.places$} {sign} {bound:.places$}")
    }
}

/// Hours since Monday 00:00 UTC as day and time.
struct HourOfWeek(f64);

impl fmt::Display for HourOfWeek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let minutes = (self.0 * 60.0) as usize;
        let day = DAYS.get(minutes / 1440 % 7).copied().unwrap_or_default();
        write!(f, "{day} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
    }
}
