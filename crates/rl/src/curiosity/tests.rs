use super::*;
use crate::actor_critic::{ActorCritic, ActorCriticConfig};
use crate::dqn::{DqnConfig, ReplayConfig};
use crate::environment::{Action, Environment, Step, SyncVecEnvironment};
use crate::network::{Mlp, MlpConfig, OutputHead};
use crate::ppo::{Ppo, PpoConfig};
use crate::training::{Control, Learner, Progress};
use crate::{A2c, A2cConfig, Dqn};

/// A corridor: of three actions one leads a step on (which one depends on the place), the others a step back.
/// Only its end pays. Whoever acts at random is driven back; the chance to reach the end from the start
/// before coming back to it is about 2⁻ˡᵉⁿᵍᵗʰ.
#[derive(Clone)]
struct Corridor {
    spaces: [Space; 2],
    place: usize,
    steps: usize,
}

const LENGTH: usize = 30;
/// What leads on, by place.
const ON: [usize; LENGTH] =
    [2, 0, 1, 1, 0, 2, 0, 2, 1, 2, 0, 0, 1, 2, 1, 0, 1, 2, 2, 0, 1, 0, 2, 2, 1, 0, 2, 1, 1, 0];

impl Corridor {
    fn new() -> Self {
        Self { spaces: [Space::unbounded(LENGTH), Space::Discrete { count: 3 }], place: 0, steps: 0 }
    }
}

impl Environment for Corridor {
    fn observation_space(&self) -> &Space {
        &self.spaces[0]
    }

    fn action_space(&self) -> &Space {
        &self.spaces[1]
    }

    fn reset(&mut self, _: Option<u64>) {
        (self.place, self.steps) = (0, 0);
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        self.steps += 1;
        let on = action == Action::Discrete(ON[self.place]);
        self.place = if on { self.place + 1 } else { self.place.saturating_sub(1) };
        let terminated = self.place == LENGTH - 1;
        let truncated = self.steps == 4 * LENGTH;
        Ok(Step { reward: f32::from(u8::from(terminated)), terminated, truncated })
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.fill(0.0);
        observation[self.place] = 1.0;
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.usize(self.place);
        writer.usize(self.steps);
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        (self.place, self.steps) = (reader.usize()?, reader.usize()?);
        reader.finish()
    }
}

fn corridors(count: usize) -> Box<dyn VecEnvironment> {
    Box::new(SyncVecEnvironment::new(vec![Corridor::new(); count], false).unwrap())
}

fn config() -> CuriosityConfig {
    CuriosityConfig { learning_rate: 1e-3, update_every: 32, warm_up: 32, ..CuriosityConfig::default() }
}

fn curious(count: usize, config: CuriosityConfig, seed: u64) -> CuriousEnvironment {
    CuriousEnvironment::new(corridors(count), config, seed).unwrap()
}

fn learner(environments: Box<dyn VecEnvironment>, seed: u64) -> Ppo {
    let (observations, actions) = (environments.observation_space(), environments.action_space());
    let model = ActorCritic::from_config(observations, actions, &ActorCriticConfig::default(), seed).unwrap();
    let config = PpoConfig {
        total_steps: 50_000,
        steps: 128,
        batch_size: 256,
        epochs: 4,
        learning_rate: crate::Schedule::constant(1e-3),
        entropy_coefficient: 0.001,
        // Else the noise of a critic that knows nothing yet is blown up, and explores by itself.
        normalise_advantages: false,
        ..PpoConfig::default()
    };
    Ppo::new(config, model, environments, seed).unwrap()
}

/// Mean return of the last episodes of training, without what curiosity adds.
fn earned(environments: Box<dyn VecEnvironment>, seed: u64) -> f64 {
    let mut learner = learner(environments, seed);
    let mut last = 0.0;
    let mut observer = |progress: &Progress| {
        last = progress.mean_return.unwrap_or(0.0);
        if last > 0.9 { Control::Stop } else { Control::Continue }
    };
    learner.learn(&mut observer).unwrap();
    last
}

#[test]
fn a_reward_far_away_is_found_with_curiosity_and_not_without() {
    for seed in 0..4 {
        let (with, without) =
            (earned(Box::new(curious(8, config(), seed)), seed), earned(corridors(8), seed));
        assert_eq!(without, 0.0, "seed {seed}");
        // Not above what the corridor itself pays.
        assert!(with > 0.9 && with <= 1.0, "seed {seed}: {with}");
    }
}

#[test]
fn any_algorithm_is_curious_and_counts_what_the_environment_pays() {
    let environments = || Box::new(curious(4, CuriosityConfig { warm_up: 0, ..config() }, 1));
    let one = environments();
    let model = ActorCritic::from_config(
        one.observation_space(),
        one.action_space(),
        &ActorCriticConfig::default(),
        1,
    );
    let head = [OutputHead { outputs: 3, gain: 1.0 }];
    let values = || Box::new(Mlp::new(LENGTH, &head, &MlpConfig::default(), 1, "values").unwrap());
    let (a2c, dqn) = (A2cConfig { total_steps: 2000, ..A2cConfig::default() }, small_dqn());
    let learners: [Box<dyn Learner>; 2] = [
        Box::new(A2c::new(a2c, model.unwrap(), one, 1).unwrap()),
        Box::new(Dqn::new(dqn, values(), values(), environments(), 1).unwrap()),
    ];
    for mut learner in learners {
        let mut last = Progress::default();
        let mut observer = |progress: &Progress| {
            last = *progress;
            Control::Continue
        };
        learner.learn(&mut observer).unwrap();
        assert_eq!(last.mean_return, Some(0.0));
        // But it is learned from: values are not 0.
        assert!(last.mean_value.unwrap() > 0.1, "{last:?}");
    }
}

fn small_dqn() -> DqnConfig {
    let replay = ReplayConfig { capacity: 2000, prioritised: None };
    let learning_rate = crate::Schedule::constant(1e-3);
    DqnConfig {
        total_steps: 2000,
        learning_rate,
        replay,
        target_update_interval: 100,
        ..DqnConfig::default()
    }
}

/// Steps the corridor by what its first place asks for, so that it goes to and fro between the first two.
fn stepped(environments: &mut CuriousEnvironment, choices: &[usize]) -> Outcomes {
    let mut outcomes = Outcomes::default();
    environments.step(&Actions::Discrete(choices.to_vec()), &mut outcomes).unwrap();
    outcomes
}

#[test]
fn what_was_often_seen_is_worth_less_and_what_was_not_stays_new() {
    let mut environments = curious(2, config(), 1);
    environments.reset(0);
    // On from place 0, back from place 1 by a wrong action.
    let choices = |step: usize| if step.is_multiple_of(2) { [2, 2] } else { [1, 1] };
    let mut worth = Vec::new();
    let place = |index: usize| {
        let mut row = [0.0; LENGTH];
        row[index] = 1.0;
        row
    };
    for step in 0..2000 {
        let outcomes = stepped(&mut environments, &choices(step));
        assert_eq!(environments.extrinsic_rewards().unwrap(), [0.0, 0.0]);
        worth.push(outcomes.steps[0].reward);
        if step < 32 {
            assert_eq!(outcomes.steps[0].reward, 0.0, "warm-up, step {step}");
        }
    }
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (early, late) = (mean(&worth[32..64]), mean(&worth[1936..]));
    assert!(early > 0.0 && late < 0.05 * early, "{early} {late}");
    let (old, new) = (environments.novelty(&place(1)).unwrap(), environments.novelty(&place(9)).unwrap());
    assert!(new[0] > 20.0 * old[0], "{old:?} {new:?}");
}

/// At the end of an episode it is the last observation of it that is looked at, not the first of the next.
#[test]
fn the_last_observation_of_an_episode_counts() {
    let config = CuriosityConfig { warm_up: 0, share: 0.5, ..config() };
    let mut environments = curious(1, config, 3);
    environments.reset(0);
    let mut outcomes = Outcomes::default();
    // Straight on: the right actions of each place.
    for on in &ON[..LENGTH - 1] {
        outcomes = stepped(&mut environments, &[*on]);
    }
    assert!(outcomes.steps[0].terminated);
    assert_eq!(environments.extrinsic_rewards().unwrap(), [1.0]);
    let mut expected = [0.0; LENGTH];
    expected[LENGTH - 1] = 1.0;
    assert_eq!(environments.observations, expected);
    let mut seen = [0.0; LENGTH];
    environments.observe(&mut seen);
    assert_eq!(seen[0], 1.0);
    assert!(outcomes.steps[0].reward > 1.0);
}

/// By hand: errors of 4 and then 2 with γ 0.5 give sums 4 and 4; the mean squared error of the networks
/// itself, worked out from their outputs.
#[test]
fn rewards_are_the_error_over_the_deviation_of_its_discounted_sum() {
    let config = CuriosityConfig { warm_up: 0, coefficient: 3.0, discount: 0.5, ..config() };
    let mut environments = curious(2, config, 4);
    environments.reset(0);
    let (mut sums, mut moments) = ([0.0_f32; 2], crate::normalisation::RunningMoments::new(1));
    for step in 0..20 {
        let outcomes = stepped(&mut environments, &[step % 3, 0]);
        // Nothing was learned yet but moments, which this step had learned when it looked.
        let errors = environments.novelty(&environments.observations.clone()).unwrap();
        sums.iter_mut().zip(&errors).for_each(|(sum, error)| *sum = *sum * 0.5 + error);
        moments.update(&sums);
        for (step, error) in outcomes.steps.iter().zip(&errors) {
            let expected = 3.0 * f64::from(*error) / (moments.variance()[0] + 1e-8).sqrt();
            assert!((f64::from(step.reward) - expected).abs() < 1e-5 * expected.max(1.0), "{expected}");
        }
    }
}

#[test]
fn a_seed_is_a_run_and_goes_on_from_bytes_to_the_bit() {
    let config = CuriosityConfig { share: 0.5, ..config() };
    let make = |seed, curiosity| learner(Box::new(curious(4, config.clone(), curiosity)), seed);
    let run = |seed, curiosity| {
        let mut learner = make(seed, curiosity);
        (0..6).for_each(|_| _ = learner.iterate().unwrap());
        learner
    };
    let whole = run(1, 1).to_bytes().unwrap();
    assert_eq!(whole, run(1, 1).to_bytes().unwrap());
    assert_ne!(whole, run(1, 2).to_bytes().unwrap());
    let mut first = make(1, 1);
    // Of 128 steps each; the predictor learns every 32.
    (0..3).for_each(|_| _ = first.iterate().unwrap());
    let bytes = first.to_bytes().unwrap();
    let mut second = make(5, 7);
    second.restore(&bytes).unwrap();
    (0..3).for_each(|_| _ = second.iterate().unwrap());
    assert_eq!(second.to_bytes().unwrap(), whole);
    // In the middle of what is kept for an update, too.
    let (mut one, mut other) = (curious(2, config.clone(), 1), curious(2, config.clone(), 9));
    one.reset(0);
    (0..45).for_each(|step| _ = stepped(&mut one, &[step % 3, 0]));
    other.restore(&one.save().unwrap()).unwrap();
    (0..45)
        .for_each(|step| assert_eq!(stepped(&mut one, &[step % 3, 0]), stepped(&mut other, &[step % 3, 0])));
    assert_eq!(one.save().unwrap(), other.save().unwrap());

    let bytes = one.save().unwrap();
    assert!(curious(3, config.clone(), 1).restore(&bytes).is_err());
    let others = CuriosityConfig { coefficient: 2.0, ..config.clone() };
    assert!(curious(2, others, 1).restore(&bytes).unwrap_err().to_string().contains("configured"));
    assert!(curious(2, config, 1).restore(&corridors(2).save().unwrap()).is_err());
}

#[test]
fn settings_are_read_and_held_to_their_ranges() {
    let config: CuriosityConfig = toml::from_str("coefficient = 0.5\nshare = 0.25").unwrap();
    config.validate().unwrap();
    assert_eq!((config.coefficient, config.share, config.passes), (0.5, 0.25, 4));
    assert!(toml::from_str::<CuriosityConfig>("coeficient = 0.5").is_err());
    for (text, field) in [
        ("coefficient = -1.0", "coefficient"),
        ("discount = 1.1", "discount"),
        ("outputs = 0", "outputs"),
        ("update_every = 0", "update_every"),
        ("passes = 0", "passes"),
        ("share = 0.0", "share"),
        ("learning_rate = 0.0", "learning_rate"),
        ("observation_limit = nan", "observation_limit"),
    ] {
        let error = toml::from_str::<CuriosityConfig>(text).unwrap().validate().unwrap_err().to_string();
        assert!(error.contains(field), "{text}: {error}");
    }
}
