//! How a policy is trained over a model.

use networks::Architecture;
use rl::{ActorCriticConfig, Algorithm, NetworkConfig, Recipe, SequenceConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use supervised::ModelBundle;

use super::inputs::{InputSource, PolicyInputs};
use super::specialists::SpecialistsConfig;
use crate::error::SimError;
use crate::market_environment::MarketEnvironmentConfig;

/// How the network of the model goes on learning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FineTuning {
    /// What the learning rate of the model's network is multiplied by.
    pub learning_rate: f32,
    /// Units of the dense layer between it and the heads.
    pub hidden: usize,
}

impl Default for FineTuning {
    fn default() -> Self {
        Self { learning_rate: 0.1, hidden: 64 }
    }
}

/// How a policy is trained over a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Algorithm, networks, settings.
    pub recipe: Recipe,
    /// The market that it is trained in.
    pub environment: MarketEnvironmentConfig,
    /// What it sees of the market.
    pub inputs: PolicyInputs,
    /// Go on from the network of the model, instead of the networks of the recipe: actor and critic share it, and its state goes on
    /// from candle to candle. Needs `inputs.source = "columns"` and `environment.window = 1`; without it the network stays as it is,
    /// or is not there.
    pub fine_tuning: Option<FineTuning>,
    /// Specialists for trending, flat and volatile markets, and a selector that is learned after them.
    pub specialists: Option<SpecialistsConfig>,
    /// How often training is interrupted to play the validation time; the policy that earned most there is kept.
    pub validations: u32,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            recipe: Recipe::default(),
            environment: MarketEnvironmentConfig::default(),
            inputs: PolicyInputs::default(),
            fine_tuning: None,
            specialists: None,
            validations: 10,
        }
    }
}

impl PolicyConfig {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`SimError::Config`] names the field, its value and the remedy.
    pub fn validate(&self) -> Result<(), SimError> {
        self.environment.validate()?;
        self.stands_in_a_file()?;
        if self.validations == 0 {
            return Err(SimError::config("validations", 0, "give at least 1: at the end"));
        }
        if let Some(fine_tuning) = self.fine_tuning {
            if self.inputs.source != InputSource::Columns {
                let remedy =
                    "set it to \"columns\": the network that is fine-tuned makes the hidden vectors itself";
                return Err(SimError::config("inputs.source", "embeddings", remedy));
            }
            if self.environment.window != 1 {
                let remedy = "set it to 1: the state of the network goes on from candle to candle";
                return Err(SimError::config("environment.window", self.environment.window, remedy));
            }
            let rate = fine_tuning.learning_rate;
            if !(rate >= 0.0 && rate.is_finite()) {
                return Err(SimError::config(
                    "fine_tuning.learning_rate",
                    rate,
                    "give a factor of at least 0",
                ));
            }
            if fine_tuning.hidden == 0 {
                return Err(SimError::config("fine_tuning.hidden", 0, "give at least 1 unit"));
            }
            let normalised = match self.recipe.algorithm {
                Algorithm::Ppo => self.recipe.ppo.normalisation.observations,
                _ => self.recipe.a2c.normalisation.observations,
            };
            if normalised {
                let remedy =
                    "set it to false: the model's network was trained on inputs that its own scaler made";
                return Err(SimError::config("recipe.*.normalisation.observations", true, remedy));
            }
            if self.recipe.algorithm == Algorithm::Dqn {
                let remedy =
                    "take \"ppo\" or \"a2c\": a fine-tuned network has memory, which replay does not keep";
                return Err(SimError::config("recipe.algorithm", "dqn", remedy));
            }
        }
        if let Some(specialists) = &self.specialists {
            specialists.validate()?;
        }
        for (field, network) in self.networks() {
            if let NetworkConfig::Sequence(sequence) = network
                && sequence.memory
                && self.environment.window != 1
            {
                let remedy =
                    "leave it out, or set `environment.window` to 1: with memory rows come one by one";
                return Err(SimError::config(field, true, remedy));
            }
        }
        self.recipe.validate().map_err(|error| SimError::data("section `recipe`", error.to_string()))
    }

    /// The networks that the algorithm makes.
    fn networks(&self) -> Vec<(&'static str, &NetworkConfig)> {
        let policy = &self.recipe.policy;
        match self.recipe.algorithm {
            Algorithm::Dqn => vec![("recipe.values.memory", &self.recipe.values)],
            Algorithm::Ppo | Algorithm::A2c => {
                let critic = policy.critic.iter().map(|critic| ("recipe.policy.critic.memory", critic));
                critic.chain([("recipe.policy.actor.memory", &policy.actor)]).collect()
            }
        }
    }

    /// Refuses numbers that JSON does not have: a policy is kept in it.
    fn stands_in_a_file(&self) -> Result<(), SimError> {
        let told = |problem: String| SimError::data("the settings of a policy", problem);
        let text = serde_json::to_string(self).map_err(|error| told(error.to_string()))?;
        match serde_json::from_str::<Self>(&text) {
            Ok(read) if read == *self => Ok(()),
            _ => Err(told(
                "one of them is infinite or no number; give a large number instead, such as 1e30".to_owned(),
            )),
        }
    }

    /// The recipe over what is seen of a model: sequence networks get its columns, and the network of the model takes the place of the
    /// others where it is to be fine-tuned, beginning with the parameters of `body`.
    #[must_use]
    pub fn recipe_over(&self, bundle: &ModelBundle, body: Option<std::sync::Arc<[f32]>>) -> Recipe {
        let mut recipe = self.recipe.clone();
        let probabilities = if self.inputs.probabilities { supervised::dataset::CLASSES } else { 0 };
        let columns = self.inputs.source_columns(bundle) + probabilities;
        let policy = &mut recipe.policy;
        for network in policy.critic.iter_mut().chain([&mut policy.actor, &mut recipe.values]) {
            if let NetworkConfig::Sequence(sequence) = network
                && sequence.columns == 0
            {
                (sequence.rows, sequence.columns) = (self.environment.window, columns);
            }
        }
        let Some(fine_tuning) = self.fine_tuning else { return recipe };
        let config = bundle.classifier.config();
        let sequence = SequenceConfig {
            architecture: undropped(config.network),
            rows: 1,
            columns: config.inputs,
            memory: true,
            hidden: vec![fine_tuning.hidden],
            body_learning_rate: fine_tuning.learning_rate,
            body,
            ..SequenceConfig::default()
        };
        recipe.policy = ActorCriticConfig {
            actor: NetworkConfig::from(sequence),
            critic: None,
            shared: true,
            ..recipe.policy
        };
        recipe
    }
}

impl PolicyConfig {
    /// The recipe of the selector: that of the specialists with dense networks, whose actions are the specialists.
    #[must_use]
    pub fn selector_recipe(&self) -> Recipe {
        Recipe {
            policy: ActorCriticConfig::default(),
            values: Recipe::default().values,
            ..self.recipe.clone()
        }
    }
}

/// The same network, which drops nothing.
fn undropped(mut architecture: Architecture) -> Architecture {
    match &mut architecture {
        Architecture::Xlstm(config) => {
            config.dropout = xlstm::DropoutConfig { input: 0.0, recurrent: 0.0, output: 0.0 }
        }
        Architecture::Perceptron(config) => config.dropout = 0.0,
        Architecture::Convolutional(config) => config.dropout = 0.0,
        Architecture::Lstm(config) => config.dropout = 0.0,
        Architecture::Transformer(config) => config.dropout = 0.0,
    }
    architecture
}
