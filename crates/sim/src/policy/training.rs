//! A policy under way: it learns in the training time, and the best of the validation time is kept.

use std::sync::Arc;

use rl::recipe::Recipe;
use rl::{Agent, Learner, Progress, RlError, SelectedAgent, SelectorEnvironment, Space, Specialists};
use serde::{Deserialize, Serialize};
use supervised::{ModelBundle, Objective};

use super::config::PolicyConfig;
use super::play::{Player, play};
use super::specialists::{KINDS, MarketKinds};
use crate::error::SimError;
use crate::market_environment::{MarketEnvironment, MarketEnvironmentConfig, MarketFrame, MarketFrames};

/// How the policy did in the validation time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// Steps of training before it, of this stage.
    pub steps: u64,
    /// Mean over all runs of the logarithm of equity at the end over cash at the start.
    pub log_return: f64,
    /// Notional traded per step, over equity.
    pub turnover: f64,
    /// Whether it is the best so far.
    pub best: bool,
}

/// What happened in one step of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct Advance {
    /// Stage of the training, counted from 0: specialists in the order of [`KINDS`], then the selector; one stage without them.
    pub stage: usize,
    /// Where the algorithm stands.
    pub progress: Progress,
    /// The validation, where one was due.
    pub validation: Option<Validation>,
}

/// A training with everything that it takes to go on.
pub struct PolicyTraining {
    config: PolicyConfig,
    recipe: Recipe,
    training: Vec<MarketFrame>,
    /// Of each stage.
    validation: Vec<Arc<MarketFrames>>,
    seed: u64,
    stage: usize,
    learner: Box<dyn Learner>,
    /// Validations of this stage.
    validations: Vec<Validation>,
    /// The best agent of this stage.
    best: Option<Vec<u8>>,
    /// The best agents of the stages before.
    specialists: Vec<Vec<u8>>,
}

/// What a checkpoint holds.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    config: String,
    seed: u64,
    stage: usize,
    learner: Vec<u8>,
    validations: Vec<Validation>,
    best: Option<Vec<u8>>,
    specialists: Vec<Vec<u8>>,
}

impl PolicyTraining {
    /// At the first step; everything random comes from the seed. `training` and `validation` are frames of
    /// [`super::PolicyInputs::frames`] of the respective times, one per series.
    ///
    /// # Errors
    /// [`SimError`] names what is refused.
    pub fn new(
        config: PolicyConfig,
        bundle: &ModelBundle,
        training: Vec<MarketFrame>,
        validation: &[MarketFrame],
        seed: u64,
    ) -> Result<Self, SimError> {
        config.validate()?;
        let body = match config.fine_tuning {
            Some(_) => Some(
                networks::parameters(&bundle.classifier.network)
                    .map_err(|error| SimError::data("the network of the model", error.to_string()))?
                    .into(),
            ),
            None => None,
        };
        if config.fine_tuning.is_some() && bundle.origin.config.objective != Objective::EveryStep {
            let problem = "it was trained on windows, and cannot go on from candle to candle; train it with `objective = \"every-step\"`, \
                           or leave `fine_tuning` out";
            return Err(SimError::data("the model", problem));
        }
        let recipe = config.recipe_over(bundle, body);
        // What some stage cannot be trained or chosen on is refused before the first.
        let kinds = market_kinds(&config, &training);
        let mut of_stages = Vec::with_capacity(stages(&config));
        for stage in 0..stages(&config) {
            let told = |part: &str, error: &SimError| {
                let problem = format!("stage {stage}, {part} time: {error}");
                SimError::data("the frames", problem)
            };
            let one = MarketEnvironmentConfig { environments: 1, ..config.environment.clone() };
            let make = |frames: &[MarketFrame]| {
                let frames = Arc::new(MarketFrames::of_single(of_stage(kinds.as_ref(), frames, stage))?);
                MarketEnvironment::new(one.clone(), Arc::clone(&frames))?;
                Ok(frames)
            };
            make(&training).map_err(|error| told("training", &error))?;
            of_stages.push(make(validation).map_err(|error| told("validation", &error))?);
        }
        let validation = of_stages;
        let specialists = Vec::new();
        let learner = learner(&config, &recipe, &training, &specialists, 0, seed)?;
        let (validations, best, stage) = (Vec::new(), None, 0);
        Ok(Self {
            config,
            recipe,
            training,
            validation,
            seed,
            stage,
            learner,
            validations,
            best,
            specialists,
        })
    }

    /// Stages in all.
    #[must_use]
    pub fn stages(&self) -> usize {
        stages(&self.config)
    }

    /// Steps of a stage.
    #[must_use]
    pub fn steps_per_stage(&self) -> u64 {
        self.recipe.total_steps()
    }

    /// One iteration of the algorithm, and a validation where it is due; none when all is done.
    ///
    /// # Errors
    /// [`SimError::Data`] where training diverges.
    pub fn advance(&mut self) -> Result<Option<Advance>, SimError> {
        if self.learner.is_done() && !self.next_stage()? {
            return Ok(None);
        }
        let progress = self.learner.iterate().map_err(|error| failed(&error))?;
        let due = (self.validations.len() as u64 + 1) * self.recipe.total_steps()
            / u64::from(self.config.validations);
        let validation = match progress.steps >= due || self.learner.is_done() {
            true => Some(self.validate(progress.steps)?),
            false => None,
        };
        Ok(Some(Advance { stage: self.stage, progress, validation }))
    }

    /// Begins the next stage; there is none after the last.
    fn next_stage(&mut self) -> Result<bool, SimError> {
        if self.stage + 1 >= self.stages() {
            return Ok(false);
        }
        let best = self.best.take().unwrap_or_else(|| self.learner.agent().to_bytes());
        self.specialists.push(best);
        self.stage += 1;
        self.validations.clear();
        self.learner =
            learner(&self.config, &self.recipe, &self.training, &self.specialists, self.stage, self.seed)?;
        Ok(true)
    }

    fn validate(&mut self, steps: u64) -> Result<Validation, SimError> {
        let bytes = self.learner.agent().to_bytes();
        let frames = Arc::clone(
            self.validation
                .get(self.stage)
                .ok_or_else(|| SimError::data("the training", "its stage is none"))?,
        );
        let mut whole;
        let agent: &mut dyn Agent = if self.specialists.len() < KINDS.len() {
            self.learner.agent_mut()
        } else {
            whole = agent(&self.config, &self.recipe, frames.columns(), &bytes, &self.specialists)?;
            &mut *whole
        };
        let environment = &self.config.environment;
        let paths = play(environment, &frames, &mut Player::Agent(agent))?;
        let log = |equity: Option<&f64>| equity.copied().unwrap_or(1.0).max(1e-6).ln();
        let log_return = paths.iter().map(|path| log(path.equity.last())).sum::<f64>() / paths.len() as f64;
        let decisions: usize = paths.iter().map(|path| path.equity.len() - 1).sum();
        let turnover = paths.iter().map(|path| path.turnover).sum::<f64>() / decisions.max(1) as f64;
        let best = self.validations.iter().all(|one| log_return > one.log_return);
        if best {
            self.best = Some(bytes);
        }
        let validation = Validation { steps, log_return, turnover, best };
        self.validations.push(validation);
        Ok(validation)
    }

    /// What was learned: the agent that did best in the validation time, with its specialists.
    ///
    /// # Errors
    /// [`SimError::Data`] where there was no validation yet.
    pub fn agent_bytes(&self) -> Result<AgentBytes, SimError> {
        let Some(best) = &self.best else {
            return Err(SimError::data("the training", "no validation was played yet; train on"));
        };
        Ok(AgentBytes { agent: best.clone(), specialists: self.specialists.clone() })
    }

    /// Validations of the present stage.
    #[must_use]
    pub fn validations(&self) -> &[Validation] {
        &self.validations
    }

    /// Settings and validation candles; the training candles are in the checkpoint of the environments.
    fn fingerprint(&self) -> Result<String, SimError> {
        let settings = serde_json::to_string(&self.config)
            .map_err(|error| SimError::data("the settings", error.to_string()))?;
        let frames: Vec<String> =
            self.validation.iter().map(|frames| format!("{:016x}", frames.fingerprint())).collect();
        Ok(format!("{settings} {}", frames.join(" ")))
    }

    /// All that [`PolicyTraining::restore`] needs to go on to the bit.
    ///
    /// # Errors
    /// [`SimError::Data`] where the algorithm cannot be saved.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SimError> {
        let checkpoint = Checkpoint {
            config: self.fingerprint()?,
            seed: self.seed,
            stage: self.stage,
            learner: self.learner.to_bytes().map_err(|error| failed(&error))?,
            validations: self.validations.clone(),
            best: self.best.clone(),
            specialists: self.specialists.clone(),
        };
        packed(&checkpoint)
    }

    /// Goes on from what [`PolicyTraining::to_bytes`] gave, in a training made with the same settings and frames.
    ///
    /// # Errors
    /// [`SimError::Data`] for bytes that are damaged or of another training.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), SimError> {
        let damaged = |error: rmp_serde::decode::Error| {
            SimError::data("the checkpoint", format!("it is damaged: {error}"))
        };
        let checkpoint: Checkpoint = rmp_serde::from_slice(bytes).map_err(damaged)?;
        if checkpoint.config != self.fingerprint()? || checkpoint.seed != self.seed {
            let problem = "it is of a training with other settings, other candles or another seed; set the same, or begin anew";
            return Err(SimError::data("the checkpoint", problem));
        }
        if checkpoint.stage >= self.stages() || checkpoint.specialists.len() != checkpoint.stage {
            return Err(SimError::data("the checkpoint", "it has stages that there are not; it is damaged"));
        }
        self.learner = learner(
            &self.config,
            &self.recipe,
            &self.training,
            &checkpoint.specialists,
            checkpoint.stage,
            self.seed,
        )?;
        self.learner.restore(&checkpoint.learner).map_err(|error| failed(&error))?;
        (self.stage, self.validations) = (checkpoint.stage, checkpoint.validations);
        (self.best, self.specialists) = (checkpoint.best, checkpoint.specialists);
        Ok(())
    }
}

/// What an agent has learned, and its specialists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentBytes {
    /// The agent, or the selector.
    pub agent: Vec<u8>,
    /// In the order of [`KINDS`]; empty without them.
    pub specialists: Vec<Vec<u8>>,
}

fn stages(config: &PolicyConfig) -> usize {
    if config.specialists.is_some() { KINDS.len() + 1 } else { 1 }
}

/// The algorithm of a stage at its first step.
fn learner(
    config: &PolicyConfig,
    recipe: &Recipe,
    training: &[MarketFrame],
    specialists: &[Vec<u8>],
    stage: usize,
    seed: u64,
) -> Result<Box<dyn Learner>, SimError> {
    let frames = of_stage(market_kinds(config, training).as_ref(), training, stage);
    let columns = frames.first().map_or(0, |frame| frame.columns);
    let frames = Arc::new(MarketFrames::of_single(frames)?);
    let environments = Box::new(MarketEnvironment::new(config.environment.clone(), frames)?);
    // Stages differ in their draws.
    let seed = seed.wrapping_add(0x9e37_79b9 * stage as u64);
    if config.specialists.is_none() || stage < KINDS.len() {
        return recipe.learner(environments, seed).map_err(|error| failed(&error));
    }
    let specialists = restore_specialists(config, recipe, columns, specialists)?;
    let selecting = SelectorEnvironment::new(environments, specialists).map_err(|error| failed(&error))?;
    config.selector_recipe().learner(Box::new(selecting), seed).map_err(|error| failed(&error))
}

fn restore_specialists(
    config: &PolicyConfig,
    recipe: &Recipe,
    columns: usize,
    bytes: &[Vec<u8>],
) -> Result<Specialists, SimError> {
    let (observations, actions) = config.environment.spaces(1, columns)?;
    let mut agents = Vec::with_capacity(bytes.len());
    for bytes in bytes {
        let mut agent = recipe.agent(&observations, &actions, 0).map_err(|error| failed(&error))?;
        agent.restore_bytes(bytes).map_err(|error| failed(&error))?;
        agents.push(agent);
    }
    Specialists::new(agents).map_err(|error| failed(&error))
}

/// An agent of so many columns with what it has learned.
pub(super) fn agent(
    config: &PolicyConfig,
    recipe: &Recipe,
    columns: usize,
    learned: &[u8],
    specialists: &[Vec<u8>],
) -> Result<Box<dyn Agent>, SimError> {
    let (observations, actions) = config.environment.spaces(1, columns)?;
    let of = |recipe: &Recipe, actions: &Space| -> Result<Box<dyn Agent>, RlError> {
        let mut agent = recipe.agent(&observations, actions, 0)?;
        agent.restore_bytes(learned)?;
        Ok(agent)
    };
    if config.specialists.is_none() || specialists.len() < KINDS.len() {
        return of(recipe, &actions).map_err(|error| failed(&error));
    }
    let choices = Space::Discrete { count: KINDS.len() };
    let selector = of(&config.selector_recipe(), &choices).map_err(|error| failed(&error))?;
    let specialists = restore_specialists(config, recipe, columns, specialists)?;
    Ok(Box::new(SelectedAgent::new(selector, specialists).map_err(|error| failed(&error))?))
}

/// What tells the markets of specialists apart; nothing without specialists.
fn market_kinds(config: &PolicyConfig, training: &[MarketFrame]) -> Option<MarketKinds> {
    config.specialists.as_ref().map(|specialists| specialists.fit(training))
}

/// What a stage sees of the frames: of specialists their kind of market.
fn of_stage(kinds: Option<&MarketKinds>, frames: &[MarketFrame], stage: usize) -> Vec<MarketFrame> {
    match kinds {
        Some(kinds) if stage < KINDS.len() => frames.iter().map(|frame| kinds.only(frame, stage)).collect(),
        _ => frames.to_vec(),
    }
}

/// As bytes, of which those that are bytes stay such.
pub(super) fn packed(value: &impl Serialize) -> Result<Vec<u8>, SimError> {
    let mut bytes = Vec::new();
    let mut serializer =
        rmp_serde::Serializer::new(&mut bytes).with_bytes(rmp_serde::config::BytesMode::ForceAll);
    value.serialize(&mut serializer).map_err(|error| SimError::data("a checkpoint", error.to_string()))?;
    Ok(bytes)
}

fn failed(error: &RlError) -> SimError {
    SimError::data("reinforcement learning", error.to_string())
}
