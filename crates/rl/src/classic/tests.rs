//! Golden transitions are Gymnasium 1.4.0's (`gym.make(..).unwrapped`, `state` set, `step`; Python 3, numpy
//! 2.4.6).

use super::*;
use crate::environment::{Environment, Step};

fn close(ours: &[f64], theirs: &[f64]) {
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() <= 1e-14 * theirs.abs().max(1.0), "{ours} {theirs}");
    }
}

/// Steps to the end with one action; the last step, and how many.
fn to_the_end(environment: &mut dyn Environment, action: Action<'_>) -> (Step, u64) {
    for count in 1..10_000 {
        let step = environment.step(action).unwrap();
        if step.terminated || step.truncated {
            assert!(
                matches!(environment.step(action), Err(RlError::Environment { .. })),
                "the episode is over"
            );
            return (step, count);
        }
    }
    panic!("no end");
}

#[test]
fn cart_pole_moves_as_gymnasiums() {
    let mut environment = CartPole::at([0.01, -0.02, 0.03, 0.04]);
    let golden = [
        (1, [0.009600000000000001, 0.17467919574755525, 0.030799999999999998, -0.2430687179600081]),
        (1, [0.013093583914951107, 0.3693479760579556, 0.025938625640799837, -0.5258796280501483]),
        (0, [0.02048054343611022, 0.17387081260481596, 0.01542103307979687, -0.22513741609237464]),
        (1, [0.02395795968820654, 0.3687690101747617, 0.010918284757949377, -0.5129163478026587]),
        (0, [0.03133333989170178, 0.17349499275068458, 0.0006599578018962032, -0.21681286835696195]),
        (0, [0.03480323974671547, -0.021636386741578473, -0.0036762995652430356, 0.07607816471983775]),
    ];
    for (action, state) in golden {
        let step = environment.step(Action::Discrete(action)).unwrap();
        assert_eq!(step, Step { reward: 1.0, terminated: false, truncated: false });
        close(&environment.state(), &state);
        let mut seen = [0.0; 4];
        environment.observe(&mut seen);
        assert_eq!(seen, environment.state().map(|value| value as f32));
    }
    let ends = [
        ([2.39, 1.5, -0.1, 0.3], 1, [2.42, 1.696394564860908, -0.094, -0.022471139606020873]),
        ([-1.0, 0.5, 0.2, 1.0], 0, [-0.99, 0.30284883308084665, 0.22, 1.348240687473541]),
    ];
    for (begin, action, state) in ends {
        let mut environment = CartPole::at(begin);
        let step = environment.step(Action::Discrete(action)).unwrap();
        assert_eq!(step, Step { reward: 1.0, terminated: true, truncated: false });
        close(&environment.state(), &state);
    }
}

#[test]
fn cart_pole_is_cut_off_after_500_steps() {
    let mut environment = CartPole::new();
    environment.reset(Some(4));
    // Pushes against the fall keep the pole up.
    for count in 1..=500 {
        let [position, speed, angle, spin] = environment.state();
        let push = angle + 0.5 * spin + 0.02 * position + 0.04 * speed > 0.0;
        let step = environment.step(Action::Discrete(usize::from(push))).unwrap();
        assert_eq!((step.terminated, step.truncated), (false, count == 500), "step {count}");
    }
    assert!(environment.step(Action::Discrete(0)).is_err());
    environment.reset(None);
    let (step, count) = to_the_end(&mut environment, Action::Discrete(0));
    assert!(step.terminated && count < 15, "{count}");
}

#[test]
fn cart_pole_begins_near_the_middle() {
    let mut environment = CartPole::new();
    let mut extremes = [0.0_f64; 2];
    for _ in 0..500 {
        environment.reset(None);
        for value in environment.state() {
            extremes = [extremes[0].min(value), extremes[1].max(value)];
        }
    }
    assert!(extremes[0] >= -0.05 && extremes[0] < -0.0499, "{extremes:?}");
    assert!(extremes[1] < 0.05 && extremes[1] > 0.0499, "{extremes:?}");
}

/// State, torque; then angle, speed, what is seen, reward.
type Swing = (f32, [f64; 2], [f32; 3], f64);

#[test]
fn pendulum_moves_as_gymnasiums() {
    let golden: [([f64; 2], Vec<Swing>); 3] = [
        (
            [3.0, 0.5],
            vec![
                (
                    0.7,
                    [3.0355420000638262, 0.7108400012765288],
                    [-0.9943819, 0.10585198, 0.71084],
                    -9.025490000005812,
                ),
                (
                    -3.0,
                    [3.0600534492991787, 0.4902289847070495],
                    [-0.9966775, 0.08144888, 0.49022898],
                    -9.269044585082963,
                ),
                (
                    1.25,
                    [3.0969942315405934, 0.7388156448282931],
                    [-0.9990057, 0.044583637, 0.73881567],
                    -9.389522058335778,
                ),
            ],
        ),
        (
            [-4.0, 7.9],
            vec![
                (2.0, [-3.6, 8.0], [-0.89675844, 0.44252044, 8.0], -11.457935147110732),
                (-0.3, [-3.2, 8.0], [-0.9982948, 0.058374144, 8.0], -13.599573392673054),
            ],
        ),
        (
            [10.0, -7.99],
            vec![
                (-2.0, [9.6, -8.0], [-0.98468786, -0.17432678, -8.0], -12.974268130436267),
                (0.1, [9.2, -8.0], [-0.9748436, 0.22288992, -8.0], -15.199364621735183),
            ],
        ),
    ];
    for (begin, swings) in golden {
        let mut environment = Pendulum::at(begin);
        for (torque, state, seen, reward) in swings {
            let step = environment.step(Action::Continuous(&[torque])).unwrap();
            assert_eq!((step.terminated, step.truncated), (false, false));
            assert_eq!(step.reward, reward as f32);
            close(&environment.state(), &state);
            let mut ours = [0.0; 3];
            environment.observe(&mut ours);
            for (ours, theirs) in ours.into_iter().zip(seen) {
                assert!((ours - theirs).abs() <= 1e-6, "{ours} {theirs}");
            }
        }
    }
}

#[test]
fn pendulum_is_cut_off_after_200_steps() {
    let mut environment = Pendulum::new();
    let (step, count) = to_the_end(&mut environment, Action::Continuous(&[2.0]));
    assert_eq!((step.terminated, step.truncated, count), (false, true, 200));
}

#[test]
fn memory_pays_for_what_was_shown() {
    for blanks in [0, 1, 5] {
        let mut environment = Memory::new(blanks);
        let mut ways = [0; 2];
        for _ in 0..200 {
            environment.reset(None);
            let mut seen = [9.0; 2];
            environment.observe(&mut seen);
            assert!(seen == [-1.0, 0.0] || seen == [1.0, 0.0]);
            let right = usize::from(seen[0] > 0.0);
            ways[right] += 1;
            // In every other episode it turns the wrong way.
            let wrong = ways[right] % 2;
            for step in 0..=blanks {
                let outcome = environment.step(Action::Discrete(wrong)).unwrap();
                assert_eq!(outcome, Step::default());
                environment.observe(&mut seen);
                assert_eq!(seen, [0.0, f32::from(u8::from(step == blanks))], "the cue is not seen again");
            }
            let outcome =
                environment.step(Action::Discrete(if wrong == 1 { 1 - right } else { right })).unwrap();
            let reward = if wrong == 1 { -1.0 } else { Memory::optimal_return() };
            assert_eq!(outcome, Step { reward, terminated: true, truncated: false });
            assert!(environment.step(Action::Discrete(0)).is_err());
        }
        assert!(ways.iter().all(|count| *count > 70), "{ways:?}");
    }
}

#[test]
fn arms_pay_as_often_as_they_say() {
    let chances = vec![vec![0.1, 0.8], vec![0.6, 0.3], vec![0.0, 1.0]];
    let mut environment = ContextualBandit::new(chances.clone()).unwrap();
    assert!((environment.optimal_return() - 0.8).abs() < 1e-12);
    let mut paid = [[(0.0, 0.0); 2]; 3];
    for round in 0..12_000 {
        let mut seen = [0.0; 3];
        environment.observe(&mut seen);
        assert_eq!(seen.iter().sum::<f32>(), 1.0);
        let context = seen.iter().position(|value| *value == 1.0).unwrap();
        let step = environment.step(Action::Discrete(round % 2)).unwrap();
        assert!(step.terminated && !step.truncated);
        paid[context][round % 2].0 += f64::from(step.reward);
        paid[context][round % 2].1 += 1.0;
        environment.reset(None);
    }
    for (paid, chances) in paid.iter().flatten().zip(chances.iter().flatten()) {
        // Four standard errors of 2000 draws.
        assert!((paid.0 / paid.1 - chances).abs() < 0.045, "{paid:?} {chances}");
    }
    assert!(ContextualBandit::new(vec![]).is_err());
    assert!(ContextualBandit::new(vec![vec![0.5], vec![]]).is_err());
    assert!(ContextualBandit::new(vec![vec![1.5]]).is_err());
    assert!(ContextualBandit::new(vec![vec![f64::NAN]]).is_err());
}

#[test]
fn actions_of_other_spaces_are_refused() {
    let mut bandit = ContextualBandit::new(vec![vec![0.5, 0.5]]).unwrap();
    let environments: [&mut dyn Environment; 3] = [&mut CartPole::new(), &mut Memory::new(1), &mut bandit];
    for environment in environments {
        for action in [Action::Discrete(2), Action::Continuous(&[0.0]), Action::MultiDiscrete(&[1])] {
            assert!(matches!(environment.step(action), Err(RlError::Shape { .. })));
        }
        assert!(environment.step(Action::Discrete(0)).is_ok(), "what is refused changes nothing");
    }
    let mut pendulum = Pendulum::new();
    for action in [Action::Discrete(0), Action::Continuous(&[]), Action::Continuous(&[f32::NAN])] {
        assert!(matches!(pendulum.step(action), Err(RlError::Shape { .. })));
    }
}

#[test]
fn spaces_hold_what_is_seen() {
    let pendulum = Pendulum::new();
    pendulum.observation_space().validate().unwrap();
    pendulum.action_space().validate().unwrap();
    let limits = CartPole::new();
    let crate::space::Space::Continuous { high, .. } = limits.observation_space() else { panic!() };
    // `env.observation_space.high` of Gymnasium.
    assert_eq!(high[..], [4.8, f32::INFINITY, 0.418_879_03, f32::INFINITY]);
}
