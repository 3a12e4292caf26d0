//! How training goes.

use std::collections::VecDeque;

use crate::codec::{Reader, Writer};
use crate::environment::Step;
use crate::error::RlError;

/// Episodes over which returns and lengths are averaged, as in Stable-Baselines3.
const WINDOW: usize = 100;

/// How training goes, after each round.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DqnProgress {
    /// Steps of environments so far.
    pub steps: u64,
    /// Gradient steps so far.
    pub updates: u64,
    /// Episodes that ended so far.
    pub episodes: u64,
    /// Mean return of the last 100 episodes, random actions included; none before the first ended.
    pub mean_return: Option<f64>,
    /// Mean length of the same, in steps.
    pub mean_length: Option<f64>,
    /// Chance of a random action now.
    pub exploration: f64,
    /// Mean loss of the round; none before learning starts.
    pub loss: Option<f64>,
    /// Mean value of the actions taken, of the last batch of the round.
    pub mean_value: Option<f64>,
}

/// Returns and lengths of episodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Episodes {
    /// Return and length so far of the episode of each environment.
    running: Vec<(f64, u64)>,
    /// The last that ended.
    last: VecDeque<(f64, u64)>,
    pub(super) count: u64,
}

impl Episodes {
    pub(super) fn new(environments: usize) -> Self {
        Self { running: vec![(0.0, 0); environments], ..Self::default() }
    }

    pub(super) fn push(&mut self, steps: &[Step]) {
        for (running, step) in self.running.iter_mut().zip(steps) {
            running.0 += f64::from(step.reward);
            running.1 += 1;
            if step.terminated || step.truncated {
                if self.last.len() == WINDOW {
                    self.last.pop_front();
                }
                self.last.push_back(std::mem::take(running));
                self.count += 1;
            }
        }
    }

    /// Mean return and mean length.
    pub(super) fn means(&self) -> Option<(f64, f64)> {
        let count = self.last.len() as f64;
        let sum = self.last.iter().fold((0.0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (!self.last.is_empty()).then(|| (sum.0 / count, sum.1 as f64 / count))
    }

    pub(super) fn save(&self, writer: &mut Writer) {
        writer.u64(self.count);
        writer.usize(self.last.len());
        for (earned, length) in self.running.iter().chain(&self.last) {
            writer.f64(*earned);
            writer.u64(*length);
        }
    }

    pub(super) fn restore(&mut self, reader: &mut Reader<'_>) -> Result<(), RlError> {
        self.count = reader.u64()?;
        let last = reader.usize()?;
        for running in &mut self.running {
            *running = (reader.f64()?, reader.u64()?);
        }
        self.last.clear();
        for _ in 0..last {
            self.last.push_back((reader.f64()?, reader.u64()?));
        }
        Ok(())
    }
}
