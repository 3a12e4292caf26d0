use super::*;
use crate::actor_critic::{ActorCritic, ActorCriticConfig, Backbone};
use crate::classic::{CartPole, ContextualBandit};
use crate::environment::{Environment, SyncVecEnvironment};
use crate::evaluation::{EvaluationConfig, evaluate};
use crate::network::elman::Elman;
use crate::normalisation::NormalisationConfig;
use crate::policy::Policy;
use crate::ppo::{Ppo, PpoConfig};
use crate::training::{Control, Learner, Progress};
use crate::{A2c, A2cConfig, RandomAgent};

fn vector<E: Environment + Sync + Clone + 'static>(one: &E, count: usize) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![one.clone(); count], false).unwrap())
}

/// Two regimes (contexts): in the first arm 0 pays mostly, in the second arm 1; arm 2 pays now and then in
/// both.
fn regimes() -> ContextualBandit {
    ContextualBandit::new(vec![vec![0.9, 0.05, 0.4], vec![0.1, 0.95, 0.4]]).unwrap()
}

/// A policy whose best arm is the same in all contexts.
fn always(arm: usize) -> Box<dyn Agent> {
    let one = regimes();
    let config = ActorCriticConfig::default();
    let mut model =
        ActorCritic::from_config(one.observation_space(), one.action_space(), &config, 0).unwrap();
    // The last numbers of the actor are the biases of the logits.
    let [actor, ..] = model.parameters_mut();
    let biases = actor.len() - 3;
    actor[biases + arm] += 10.0;
    Box::new(Policy::new(model, NormalisationConfig::default()).unwrap())
}

fn specialists() -> Specialists {
    Specialists::new(vec![always(0), always(1), always(2)]).unwrap()
}

fn returns(agent: &mut dyn Agent) -> f64 {
    let config = EvaluationConfig { episodes: 2000, ..EvaluationConfig::default() };
    evaluate(agent, &mut *vector(&regimes(), 8), &config).unwrap().mean_return
}

#[test]
fn each_specialist_is_followed_where_it_is_right() {
    let best = regimes().optimal_return();
    let alone: Vec<f64> = (0..3).map(|arm| returns(&mut *always(arm))).collect();
    assert!(alone.iter().all(|one| *one < 0.65 * best), "{alone:?}");
    let environments = || Box::new(SelectorEnvironment::new(vector(&regimes(), 8), specialists()).unwrap());
    let model = |environments: &SelectorEnvironment, seed| {
        let (observations, actions) = (environments.observation_space(), environments.action_space());
        ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), seed).unwrap()
    };
    // Two algorithms, neither of which knows of specialists.
    let (first, second) = (environments(), environments());
    let (ppo, a2c) = (model(&first, 1), model(&second, 2));
    let config = PpoConfig { total_steps: 8_000, steps: 64, ..PpoConfig::default() };
    let learners: [Box<dyn Learner>; 2] = [
        Box::new(Ppo::new(config, ppo, first, 1).unwrap()),
        Box::new(
            A2c::new(A2cConfig { total_steps: 40_000, ..A2cConfig::default() }, a2c, second, 2).unwrap(),
        ),
    ];
    for mut learner in learners {
        learner.learn(&mut |_: &Progress| Control::Continue).unwrap();
        let mut agent = SelectedAgent::new(learner.into_agent(), specialists()).unwrap();
        let mut actions = [0.0; 2];
        agent.act(&[1.0, 0.0, 0.0, 1.0], &mut [], None, &mut actions).unwrap();
        assert_eq!((agent.chosen(), actions), (&[0, 1][..], [0.0, 1.0]));
        let reached = returns(&mut agent);
        assert!(reached > 0.95 * best, "{reached} of {best}");
    }
}

/// A policy with memory, whose actions hang on all that it saw in the episode.
fn recurrent(seed: u64) -> Box<dyn Agent> {
    let actor = Box::new(Elman::new(4, 5, 2, 3.0, seed));
    let critic = Box::new(Elman::new(4, 3, 1, 1.0, seed + 1));
    let actions = Space::Discrete { count: 2 };
    let model = ActorCritic::new(Backbone::Separate { actor, critic }, &actions, 0.0).unwrap();
    Box::new(Policy::new(model, NormalisationConfig::default()).unwrap())
}

fn remembering() -> Specialists {
    Specialists::new(vec![recurrent(3), recurrent(20), recurrent(40)]).unwrap()
}

/// Always follows one.
struct Constant(usize, Distribution);

impl Agent for Constant {
    fn inputs(&self) -> usize {
        4
    }

    fn distribution(&self) -> &Distribution {
        &self.1
    }

    fn state_width(&self) -> usize {
        1
    }

    fn initial_state(&self, state: &mut [f32]) {
        state.fill(7.0);
    }

    fn act(
        &mut self,
        _: &[f32],
        states: &mut [f32],
        _: Option<&mut dyn Rng>,
        actions: &mut [f32],
    ) -> Result<(), RlError> {
        assert!(states.iter().all(|state| *state >= 7.0));
        states.iter_mut().for_each(|state| *state += 1.0);
        actions.fill(self.0 as f32);
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        Writer::default().finish_with_checksum()
    }

    fn restore_bytes(&mut self, bytes: &[u8]) -> Result<(), RlError> {
        Reader::with_checksum(bytes)?.finish()
    }
}

/// Following one of several is that one alone, episode by episode: the memory of each is its own, goes on
/// while another is followed, and begins anew with each episode.
#[test]
fn following_one_is_that_one_alone() {
    let config = EvaluationConfig { episodes: 60, ..EvaluationConfig::default() };
    let alone: Vec<_> = [3, 20, 40]
        .into_iter()
        .map(|seed| evaluate(&mut *recurrent(seed), &mut *vector(&CartPole::new(), 4), &config).unwrap())
        .collect();
    assert!(alone[0] != alone[1] && alone[1] != alone[2]);
    for (number, alone) in alone.iter().enumerate() {
        let constant = || Box::new(Constant(number, Distribution::Categorical { count: 3 }));
        let mut together = SelectedAgent::new(constant(), remembering()).unwrap();
        assert_eq!(evaluate(&mut together, &mut *vector(&CartPole::new(), 4), &config).unwrap(), *alone);
        // And as an environment.
        let mut selecting = SelectorEnvironment::new(vector(&CartPole::new(), 4), remembering()).unwrap();
        assert_eq!(evaluate(&mut *constant(), &mut selecting, &config).unwrap(), *alone);
    }
}

#[test]
fn goes_on_from_bytes_to_the_bit() {
    let make = |specialists| SelectorEnvironment::new(vector(&CartPole::new(), 2), specialists).unwrap();
    let step = |environments: &mut SelectorEnvironment, step: usize| {
        let mut outcomes = Outcomes::default();
        let choices = Actions::Discrete(vec![step % 3, (step / 2) % 3]);
        environments.step(&choices, &mut outcomes).unwrap();
        (outcomes, environments.states.clone())
    };
    let mut one = make(remembering());
    one.reset(5);
    (0..7).for_each(|index| _ = step(&mut one, index));
    let bytes = one.save().unwrap();
    let mut other = make(remembering());
    other.restore(&bytes).unwrap();
    (7..40).for_each(|index| assert_eq!(step(&mut one, index), step(&mut other, index)));
    let others = Specialists::new(vec![recurrent(3), recurrent(20), recurrent(41)]).unwrap();
    assert!(make(others).restore(&bytes).unwrap_err().to_string().contains("specialists"));
    assert!(make(remembering()).restore(&bytes[..bytes.len() - 1]).is_err());

    // The agent takes its specialists along.
    let agent = |seed| {
        let specialists = Specialists::new(vec![recurrent(seed), recurrent(seed + 9)]).unwrap();
        SelectedAgent::new(recurrent(seed + 5), specialists).unwrap()
    };
    let (first, mut second) = (agent(1), agent(50));
    assert_ne!(first.to_bytes(), second.to_bytes());
    second.restore_bytes(&first.to_bytes()).unwrap();
    assert_eq!(first.to_bytes(), second.to_bytes());
    assert!(second.restore_bytes(&first.to_bytes()[3..]).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(Specialists::new(Vec::new()).is_err());
    assert!(Specialists::new(vec![always(0), recurrent(1)]).is_err());
    assert!(SelectorEnvironment::new(vector(&CartPole::new(), 2), specialists()).is_err());
    // The selector must choose among as many.
    assert!(SelectedAgent::new(recurrent(1), remembering()).is_err());
    let mut environments = SelectorEnvironment::new(vector(&regimes(), 2), specialists()).unwrap();
    environments.reset(0);
    let mut outcomes = Outcomes::default();
    for actions in
        [Actions::Discrete(vec![0, 3]), Actions::Discrete(vec![0]), Actions::Continuous(vec![0.0; 2], 1)]
    {
        assert!(matches!(environments.step(&actions, &mut outcomes), Err(RlError::Shape { .. })));
    }
    // Who has no best action cannot be followed.
    let random = RandomAgent::new(regimes().observation_space(), regimes().action_space()).unwrap();
    let specialists = Specialists::new(vec![always(0), Box::new(random)]).unwrap();
    let mut environments = SelectorEnvironment::new(vector(&regimes(), 2), specialists).unwrap();
    environments.reset(0);
    let error = environments.step(&Actions::Discrete(vec![0, 0]), &mut outcomes).unwrap_err();
    assert!(error.to_string().contains("generator"), "{error}");
}
