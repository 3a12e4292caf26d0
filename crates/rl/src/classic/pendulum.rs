//! A pendulum to swing up.

use std::f64::consts::{PI, TAU};

use rand::RngExt;

use super::Episode;
use crate::codec::{Reader, Writer};
use crate::environment::{Action, Environment, Step};
use crate::error::RlError;
use crate::space::Space;

const MAX_SPEED: f64 = 8.0;
const MAX_TORQUE: f32 = 2.0;
/// Seconds of a step.
const INTERVAL: f64 = 0.05;
const GRAVITY: f64 = 10.0;
const STEPS: u64 = 200;

/// `Pendulum-v1`: a pendulum of 1 kg and 1 m is swung up and held upright by a torque of at most 2 N·m.
///
/// Observations are cosine and sine of the angle, which is 0 when upright, and the angular speed. Each step
/// costs `angle² + 0.1 speed² + 0.001 torque²` of the state it begins in, with the angle in `[-π, π)`.
/// Torques beyond the limit are clipped. Episodes are truncated after 200 steps and never terminate. A good
/// policy earns about -150 an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Pendulum {
    observations: Space,
    actions: Space,
    /// Angle, not normalised, and angular speed.
    state: [f64; 2],
    episode: Episode,
}

impl Default for Pendulum {
    fn default() -> Self {
        Self::new()
    }
}

impl Pendulum {
    /// In the first episode of seed 0.
    #[must_use]
    pub fn new() -> Self {
        let high = vec![1.0, 1.0, MAX_SPEED as f32];
        let observations = Space::Continuous { low: high.iter().map(|high| -high).collect(), high };
        let actions = Space::Continuous { low: vec![-MAX_TORQUE], high: vec![MAX_TORQUE] };
        let mut environment = Self { observations, actions, state: [0.0; 2], episode: Episode::new() };
        environment.reset(Some(0));
        environment
    }

    /// Begins at a state (angle in rad, angular speed in rad/s).
    #[must_use]
    pub fn at(state: [f64; 2]) -> Self {
        Self { state, ..Self::new() }
    }

    /// Angle in rad, not normalised, and angular speed in rad/s.
    #[must_use]
    pub fn state(&self) -> [f64; 2] {
        self.state
    }
}

impl Environment for Pendulum {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>) {
        let mut random = self.episode.begin(seed, "pendulum");
        self.state = [random.random_range(-PI..PI), random.random_range(-1.0..1.0)];
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        let torque = match action {
            Action::Continuous(&[torque]) if !torque.is_nan() => torque.clamp(-MAX_TORQUE, MAX_TORQUE),
            other => {
                let problem = format!("{other:?} is not one torque in N·m; give one number");
                return Err(RlError::shape("the action", problem));
            }
        };
        self.episode.advance()?;
        let [angle, speed] = self.state;
        let off = (angle + PI).rem_euclid(TAU) - PI;
        // Gymnasium works with the torque in `f32`, as it came.
        let cost = off * off + 0.1 * (speed * speed) + f64::from(0.001 * (torque * torque));
        let speed = speed + (3.0 * GRAVITY / 2.0 * angle.sin() + f64::from(3.0 * torque)) * INTERVAL;
        let speed = speed.clamp(-MAX_SPEED, MAX_SPEED);
        self.state = [angle + speed * INTERVAL, speed];
        let truncated = self.episode.steps >= STEPS;
        self.episode.over = truncated;
        Ok(Step { reward: -cost as f32, terminated: false, truncated })
    }

    fn observe(&self, observation: &mut [f32]) {
        let [angle, speed] = self.state;
        let values = [angle.cos(), angle.sin(), speed];
        observation.iter_mut().zip(values).for_each(|(to, from)| *to = from as f32);
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
