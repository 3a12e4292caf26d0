//! A pole on a cart.

use std::f64::consts::PI;

use rand::RngExt;

use super::{Episode, discrete};
use crate::codec::{Reader, Writer};
use crate::environment::{Action, Environment, Step};
use crate::error::RlError;
use crate::space::Space;

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = POLE_MASS + 1.0;
/// Half the length of the pole, in metres.
const LENGTH: f64 = 0.5;
const POLE_MASS_LENGTH: f64 = POLE_MASS * LENGTH;
const FORCE: f64 = 10.0;
/// Seconds of a step.
const INTERVAL: f64 = 0.02;
const ANGLE_LIMIT: f64 = 12.0 * 2.0 * PI / 360.0;
const POSITION_LIMIT: f64 = 2.4;
const STEPS: u64 = 500;

/// `CartPole-v1`: a cart is pushed left (0) or right (1) so that the pole on it stays up (Barto, Sutton and
/// Anderson 1983).
///
/// Observations are position, speed, angle and angular speed. Each step earns 1; the episode terminates when
/// the pole leans by more than 12° or the cart is 2.4 m off, and is truncated after 500 steps. It counts as
/// solved from a mean return of 475.
#[derive(Clone, Debug, PartialEq)]
pub struct CartPole {
    observations: Space,
    actions: Space,
    /// Position, speed, angle, angular speed.
    state: [f64; 4],
    episode: Episode,
}

impl Default for CartPole {
    fn default() -> Self {
        Self::new()
    }
}

impl CartPole {
    /// In the first episode of seed 0.
    #[must_use]
    pub fn new() -> Self {
        // Twice the limits, so that the last observation of an episode lies inside too.
        let high =
            vec![(2.0 * POSITION_LIMIT) as f32, f32::INFINITY, (2.0 * ANGLE_LIMIT) as f32, f32::INFINITY];
        let low = high.iter().map(|high| -high).collect();
        let observations = Space::Continuous { low, high };
        let actions = Space::Discrete { count: 2 };
        let mut environment = Self { observations, actions, state: [0.0; 4], episode: Episode::new() };
        environment.reset(Some(0));
        environment
    }

    /// Begins at a state (position in m, speed in m/s, angle in rad, angular speed in rad/s).
    #[must_use]
    pub fn at(state: [f64; 4]) -> Self {
        Self { state, ..Self::new() }
    }

    /// Position in m, speed in m/s, angle in rad, angular speed in rad/s.
    #[must_use]
    pub fn state(&self) -> [f64; 4] {
        self.state
    }
}

impl Environment for CartPole {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>) {
        let mut random = self.episode.begin(seed, "cart-pole");
        self.state = std::array::from_fn(|_| random.random_range(-0.05..0.05));
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        let force = if discrete(action, 2)? == 1 { FORCE } else { -FORCE };
        self.episode.advance()?;
        let [position, speed, angle, spin] = self.state;
        let (sine, cosine) = (angle.sin(), angle.cos());
        let push = (force + POLE_MASS_LENGTH * (spin * spin) * sine) / TOTAL_MASS;
        let spin_up = (GRAVITY * sine - cosine * push)
            / (LENGTH * (4.0 / 3.0 - POLE_MASS * (cosine * cosine) / TOTAL_MASS));
        let acceleration = push - POLE_MASS_LENGTH * spin_up * cosine / TOTAL_MASS;
        // Explicit Euler: places move by the old speeds.
        let (position, angle) = (position + INTERVAL * speed, angle + INTERVAL * spin);
        self.state = [position, speed + INTERVAL * acceleration, angle, spin + INTERVAL * spin_up];
        let terminated = position.abs() > POSITION_LIMIT || angle.abs() > ANGLE_LIMIT;
        let truncated = self.episode.steps >= STEPS;
        self.episode.over = terminated || truncated;
        Ok(Step { reward: 1.0, terminated, truncated })
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.iter_mut().zip(self.state).for_each(|(to, from)| *to = from as f32);
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        self.episode.save(&mut writer);
        self.state.iter().for_each(|value| writer.f64(*value));
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        self.episode = Episode::restore(&mut reader)?;
        for value in &mut self.state {
            *value = reader.f64()?;
        }
        reader.finish()
    }
}
