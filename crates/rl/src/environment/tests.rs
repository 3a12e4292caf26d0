use super::*;
use crate::classic::{CartPole, Memory};
use crate::codec::Writer;

/// Sees `[episode, step]`; even episodes are truncated after 4 steps, odd ones terminated after 3. What is
/// seen after an end is of the same episode, so whatever crosses shows. It fails where the action is 1.
#[derive(Clone, Debug)]
pub(crate) struct Counter {
    observations: Space,
    actions: Space,
    episode: u64,
    step: u64,
    /// Terminated episodes end in an observation that is not a number: it must not matter.
    pub(crate) poisoned: bool,
}

impl Counter {
    pub(crate) fn new() -> Self {
        let (observations, actions) = (Space::unbounded(2), Space::Discrete { count: 2 });
        Self { observations, actions, episode: 0, step: 0, poisoned: false }
    }
}

impl Environment for Counter {
    fn observation_space(&self) -> &Space {
        &self.observations
    }

    fn action_space(&self) -> &Space {
        &self.actions
    }

    fn reset(&mut self, seed: Option<u64>) {
        self.episode = if seed.is_some() { 0 } else { self.episode + 1 };
        self.step = 0;
    }

    fn step(&mut self, action: Action<'_>) -> Result<Step, RlError> {
        if action == Action::Discrete(7) {
            return Err(RlError::Environment { index: 0, problem: "seven".to_owned() });
        }
        self.step += 1;
        let odd = self.episode % 2 == 1;
        let (terminated, truncated) = (odd && self.step == 3, !odd && self.step == 4);
        Ok(Step { reward: self.step as f32, terminated, truncated })
    }

    fn observe(&self, observation: &mut [f32]) {
        observation.copy_from_slice(&[self.episode as f32, self.step as f32]);
        if self.poisoned && self.episode % 2 == 1 && self.step == 3 {
            observation.fill(f32::NAN);
        }
    }

    fn save(&self) -> Result<Vec<u8>, RlError> {
        let mut writer = Writer::default();
        writer.u64(self.episode);
        writer.u64(self.step);
        Ok(writer.finish())
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), RlError> {
        let mut reader = Reader::new(state);
        (self.episode, self.step) = (reader.u64()?, reader.u64()?);
        reader.finish()
    }
}

fn stepped<E: Environment + Sync>(
    all: &mut SyncVecEnvironment<E>,
    actions: &Actions,
) -> (Outcomes, Vec<f32>) {
    let mut outcomes = Outcomes::default();
    all.step(actions, &mut outcomes).unwrap();
    let mut seen = vec![0.0; all.len() * all.observation_space().width()];
    all.observe(&mut seen);
    (outcomes, seen)
}

#[test]
fn episodes_begin_anew_in_the_step_in_which_they_end() {
    let mut all = SyncVecEnvironment::new(vec![Counter::new(), Counter::new()], false).unwrap();
    all.reset(1);
    // The second is one step ahead.
    all.environments[1].step = 1;
    let actions = Actions::Discrete(vec![0, 0]);
    let mut last = [0.0; 2];
    // Of the first: episode 0 is truncated in step 4, episode 1 terminated in step 7.
    let expected =
        [[0.0, 1.0], [0.0, 2.0], [0.0, 3.0], [1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [2.0, 0.0], [2.0, 1.0]];
    for (index, expected) in expected.into_iter().enumerate() {
        let (outcomes, seen) = stepped(&mut all, &actions);
        assert_eq!(seen[..2], expected, "step {index}");
        let step = outcomes.steps[0];
        assert_eq!((step.truncated, step.terminated), (index == 3, index == 6), "step {index}");
        all.observe_final(0, &mut last);
        match index {
            3 => assert_eq!(last, [0.0, 4.0]),
            6 => assert_eq!(last, [1.0, 3.0]),
            // No episode ended: what is left of an older one cannot be taken for it.
            _ => assert!(last.iter().all(|value| value.is_nan()), "step {index}"),
        }
        assert_eq!(outcomes.steps[1].truncated, index == 2, "each for itself");
    }
    all.observe_final(9, &mut last);
    assert!(last[0].is_nan());
}

#[test]
fn a_seed_is_an_episode() {
    let run = |seed, parallel| {
        let mut all = SyncVecEnvironment::new(vec![CartPole::new(); 3], parallel).unwrap();
        all.reset(seed);
        let mut history = Vec::new();
        for step in 0..200 {
            let (outcomes, seen) = stepped(&mut all, &Actions::Discrete(vec![step % 2, 0, 1]));
            history.push((outcomes, seen));
        }
        history
    };
    let one = run(5, false);
    assert_eq!(one, run(5, false));
    assert_eq!(one, run(5, true), "threads change nothing");
    assert_ne!(one, run(6, false));
    let first = &one[0].1;
    assert_ne!(first[4..8], first[8..12], "environments of one seed are not alike");
    // Each episode begins elsewhere.
    let mut alone = CartPole::new();
    alone.reset(Some(5));
    let begin = alone.state();
    alone.reset(None);
    assert_ne!(alone.state(), begin);
    alone.reset(Some(5));
    assert_eq!(alone.state(), begin);
}

#[test]
fn goes_on_from_bytes_to_the_bit() {
    let make = || SyncVecEnvironment::new(vec![CartPole::new(), CartPole::new()], false).unwrap();
    let mut all = make();
    all.reset(3);
    let actions = Actions::Discrete(vec![1, 0]);
    // Into the step in which the first episode ends, so that the last observation is carried too.
    while !stepped(&mut all, &actions).0.steps[0].terminated {}
    let saved = all.save().unwrap();
    let mut again = make();
    again.restore(&saved).unwrap();
    let (mut last, mut last_again) = ([0.0; 4], [1.0; 4]);
    all.observe_final(0, &mut last);
    again.observe_final(0, &mut last_again);
    assert_eq!(last, last_again);
    for _ in 0..60 {
        assert_eq!(stepped(&mut all, &actions), stepped(&mut again, &actions));
    }
    assert!(make().restore(&saved[..saved.len() - 1]).is_err());
    let mut other = SyncVecEnvironment::new(vec![CartPole::new()], false).unwrap();
    assert!(matches!(other.restore(&saved), Err(RlError::Checkpoint { .. })));
    assert!(matches!(
        Memory::new(3).restore(&Memory::new(2).save().unwrap()),
        Err(RlError::Checkpoint { .. })
    ));
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(matches!(SyncVecEnvironment::<CartPole>::new(Vec::new(), false), Err(RlError::Shape { .. })));
    let mut different = Counter::new();
    different.actions = Space::Discrete { count: 3 };
    assert!(SyncVecEnvironment::new(vec![Counter::new(), different], false).is_err());
    let mut empty = Counter::new();
    empty.actions = Space::Discrete { count: 0 };
    assert!(SyncVecEnvironment::new(vec![empty], false).is_err());

    let mut all = SyncVecEnvironment::new(vec![Counter::new(), Counter::new()], false).unwrap();
    let mut outcomes = Outcomes::default();
    assert!(matches!(all.step(&Actions::Discrete(vec![0]), &mut outcomes), Err(RlError::Shape { .. })));
    let failed = all.step(&Actions::Discrete(vec![0, 7]), &mut outcomes);
    assert!(matches!(failed, Err(RlError::Environment { index: 1, .. })), "{failed:?}");
}

#[test]
fn actions_are_told_apart() {
    let many = Actions::MultiDiscrete(vec![1, 2, 3, 4], 2);
    assert_eq!(many.of(1), Some(Action::MultiDiscrete(&[3, 4])));
    assert_eq!(many.of(2), None);
    let numbers = Actions::Continuous(vec![0.5, 1.5], 1);
    assert_eq!(numbers.of(1), Some(Action::Continuous(&[1.5])));
    assert_eq!(numbers.of(2), None);
    assert_eq!(Actions::Discrete(vec![3]).of(0), Some(Action::Discrete(3)));
}
