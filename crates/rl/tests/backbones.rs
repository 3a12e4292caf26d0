//! Every backbone with memory solves what nothing without memory can, and learns what needs none through windows.

#![cfg(feature = "sequence-networks")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use networks::{Architecture, ConvolutionalConfig, LstmConfig, PerceptronConfig, TransformerConfig};
use rl::classic::Memory;
use rl::{
    ActorCriticConfig, Control, EvaluationConfig, MlpConfig, NetworkConfig, PpoConfig, Recipe, Schedule,
    SequenceConfig, SyncVecEnvironment, VecEnvironment, evaluate,
};
use xlstm::XlstmConfig;

fn environments(count: usize) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![Memory::new(3); count], false).unwrap())
}

/// Mean return of what PPO learns on the memory task: a cue, three blank steps, an answer worth 1 or −1.
fn remembered(network: NetworkConfig) -> f64 {
    let ppo = PpoConfig {
        total_steps: 24_000,
        steps: 60,
        sequence: 20,
        batch_size: 480,
        epochs: 6,
        learning_rate: Schedule::constant(4e-3),
        discount: 0.9,
        entropy_coefficient: 0.01,
        ..PpoConfig::default()
    };
    let policy = ActorCriticConfig { actor: network, shared: true, ..ActorCriticConfig::default() };
    let recipe = Recipe { ppo, policy, ..Recipe::default() };
    let mut learner = recipe.learner(environments(32), 3).unwrap();
    let mut solved = |progress: &rl::Progress| match progress.mean_return {
        Some(mean) if mean > 0.98 => Control::Stop,
        _ => Control::Continue,
    };
    learner.learn(&mut solved).unwrap();
    let config = EvaluationConfig { episodes: 200, ..EvaluationConfig::default() };
    evaluate(learner.agent_mut(), &mut *environments(20), &config).unwrap().mean_return
}

fn with_memory(architecture: Architecture) -> NetworkConfig {
    SequenceConfig { architecture, hidden: vec![16], ..SequenceConfig::default() }.into()
}

#[test]
fn what_was_seen_is_remembered_by_each_backbone_with_memory() {
    let (lags, dropout) = (vec![0, 1, 2, 3, 4], 0.0);
    for architecture in [
        Architecture::Lstm(LstmConfig { width: 12, layers: 1, dropout }),
        Architecture::Perceptron(PerceptronConfig { lags, width: 16, dropout, ..Default::default() }),
        Architecture::Convolutional(ConvolutionalConfig { width: 12, kernel: 3, layers: 2, dropout }),
        Architecture::Transformer(TransformerConfig {
            width: 12,
            heads: 2,
            layers: 1,
            window: 6,
            dropout,
            ..Default::default()
        }),
        Architecture::Xlstm(Box::new(XlstmConfig { width: 16, heads: 2, ..Default::default() })),
    ] {
        let name = format!("{architecture:?}");
        let reached = remembered(with_memory(architecture));
        assert!(reached > 0.95, "{name}: {reached}");
    }
}

#[test]
fn without_memory_the_answer_is_a_guess() {
    let reached = remembered(MlpConfig::default().into());
    assert!(reached.abs() < 0.3, "{reached}");
    let blind = SequenceConfig { memory: false, hidden: vec![16], ..SequenceConfig::default() };
    let reached = remembered(blind.into());
    assert!(reached.abs() < 0.3, "{reached}");
}
