//! Environments whose answers are known, to hold algorithms against.
//!
//! [`CartPole`] and [`Pendulum`] follow Gymnasium 1.4.0 number for number, in `f64` inside and `f32` outside,
//! the limit of time included; only their random numbers are our own. [`Memory`] cannot be solved without
//! memory, and [`ContextualBandit`] needs no credit over time.

mod bandit;
mod cart_pole;
mod memory;
mod pendulum;

use rand::rngs::Xoshiro256PlusPlus;

pub use bandit::ContextualBandit;
pub use cart_pole::CartPole;
pub use memory::Memory;
pub use pendulum::Pendulum;

use crate::codec::{Reader, Writer};
use crate::environment::Action;
use crate::error::RlError;
use crate::random::generator;

/// Which episode of which seed, and how far in it. Everything random is drawn from these two numbers when the
/// episode begins, so there is no state of a generator to save.
#[derive(Clone, Debug, PartialEq)]
struct Episode {
    seed: u64,
    number: u64,
    steps: u64,
    over: bool,
}

impl Episode {
    fn new() -> Self {
        Self { seed: 0, number: 0, steps: 0, over: false }
    }

    /// The next episode, or the first of a seed.
    fn begin(&mut self, seed: Option<u64>, purpose: &str) -> Xoshiro256PlusPlus {
        match seed {
            Some(seed) => *self = Self { seed, ..Self::new() },
            None => *self = Self { seed: self.seed, number: self.number.wrapping_add(1), ..Self::new() },
        }
        generator(self.seed, purpose, self.number)
    }

    /// Counts a step, and refuses one after the end.
    fn advance(&mut self) -> Result<(), RlError> {
        if self.over {
            let problem = "the episode is over; reset the environment before the next step".to_owned();
            return Err(RlError::Environment { index: 0, problem });
        }
        self.steps += 1;
        Ok(())
    }

    fn save(&self, writer: &mut Writer) {
        writer.u64(self.seed);
        writer.u64(self.number);
        writer.u64(self.steps);
        writer.bool(self.over);
    }

    fn restore(reader: &mut Reader<'_>) -> Result<Self, RlError> {
        Ok(Self { seed: reader.u64()?, number: reader.u64()?, steps: reader.u64()?, over: reader.bool()? })
    }
}

/// The choice, if it is one of `count`.
fn discrete(action: Action<'_>, count: usize) -> Result<usize, RlError> {
    match action {
        Action::Discrete(choice) if choice < count => Ok(choice),
        other => {
            let problem =
                format!("{other:?} is not one of {count} choices counted from 0; give one of these");
            Err(RlError::shape("the action", problem))
        }
    }
}

#[cfg(test)]
mod tests;
