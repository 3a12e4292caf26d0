//! Where environments stand, as bytes.

use rl::RlError;
use serde::{Deserialize, Serialize};

use super::account::Accounts;
use super::environment::MarketEnvironment;
use super::episode::Episode;
use super::reward::Averages;

/// Everything that changes while environments step.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    /// Of settings and frames: what it belongs to.
    fingerprint: String,
    seed: u64,
    number: Vec<u64>,
    steps: Vec<u64>,
    accounts: Accounts,
    now: Vec<Episode>,
    unit: Vec<f64>,
    averages: Vec<Averages>,
    ended: Vec<Episode>,
    ended_accounts: Vec<f32>,
    ended_equity: Vec<f64>,
}

impl Checkpoint {
    pub(super) fn of(environment: &MarketEnvironment) -> Self {
        Self {
            fingerprint: fingerprint(environment),
            seed: environment.seed,
            number: environment.number.clone(),
            steps: environment.steps.clone(),
            accounts: environment.accounts.clone(),
            now: environment.now.clone(),
            unit: environment.unit.clone(),
            averages: environment.averages.clone(),
            ended: environment.ended.clone(),
            ended_accounts: environment.ended_accounts.clone(),
            ended_equity: environment.ended_equity.clone(),
        }
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, RlError> {
        rmp_serde::to_vec(self).map_err(|error| damaged(&error))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RlError> {
        rmp_serde::from_slice(bytes).map_err(|error| damaged(&error))
    }

    /// Goes on from here. Sizes fit where the fingerprint does.
    pub(super) fn restore(self, environment: &mut MarketEnvironment) -> Result<(), RlError> {
        if self.fingerprint != fingerprint(environment) {
            let problem =
                "it is of market environments with other settings or other candles; make the same".to_owned();
            return Err(RlError::Checkpoint { problem });
        }
        environment.seed = self.seed;
        environment.number = self.number;
        environment.steps = self.steps;
        environment.accounts = self.accounts;
        environment.now = self.now;
        environment.unit = self.unit;
        environment.averages = self.averages;
        environment.ended = self.ended;
        environment.ended_accounts = self.ended_accounts;
        environment.ended_equity = self.ended_equity;
        Ok(())
    }
}

fn fingerprint(environment: &MarketEnvironment) -> String {
    format!("{:?} {:016x}", environment.config, environment.frames.fingerprint())
}

fn damaged(error: &dyn std::fmt::Display) -> RlError {
    RlError::Checkpoint { problem: format!("the state of the market environments is damaged: {error}") }
}
