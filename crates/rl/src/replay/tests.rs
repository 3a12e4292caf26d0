use super::*;
use crate::environment::Step;

/// `(observation, action, reward, discount, next observation)`
type Row = (f32, usize, f32, f32, f32);

/// Pushes steps whose observations count up, 100 an episode.
fn joined(steps: usize, discount: f64, script: &[(f32, bool, bool)]) -> Vec<Row> {
    let mut n_step = NStep::new(steps, discount, 1, 1).unwrap();
    let (mut rows, mut episode, mut at) = (Vec::new(), 0.0, 0.0);
    for (index, (reward, terminated, truncated)) in script.iter().copied().enumerate() {
        let (now, next) = ([episode + at], [episode + at + 1.0]);
        let step = Step { reward, terminated, truncated };
        let store = |one: &Transition<'_>| {
            rows.push((one.observation[0], one.action, one.reward, one.discount, one.next_observation[0]));
            Ok(())
        };
        n_step.push(0, &now, index, &step, &next, store).unwrap();
        at += 1.0;
        if terminated || truncated {
            (episode, at) = (episode + 100.0, 0.0);
        }
    }
    rows
}

#[test]
fn one_step_is_the_step() {
    let rows = joined(1, 0.9, &[(1.0, false, false), (2.0, true, false), (3.0, false, true)]);
    let expected = [(0.0, 0, 1.0, 0.9, 1.0), (1.0, 1, 2.0, 0.0, 2.0), (100.0, 2, 3.0, 0.9, 101.0)];
    assert_eq!(rows, expected);
}

/// By hand, γ = 0.5, three steps: full windows, then what is left at a termination (no value after it) and at
/// a truncation (the value of the last observation, by as many γ as steps); the episode after begins with
/// nothing.
#[test]
fn several_steps_close_where_the_episode_does() {
    let script = [
        (1.0, false, false),
        (2.0, false, false),
        (4.0, false, false),
        (8.0, true, false),
        (16.0, false, false),
        (32.0, false, true),
        (64.0, false, false),
    ];
    let expected = [
        (0.0, 0, 1.0 + 1.0 + 1.0, 0.125, 3.0),
        (1.0, 1, 2.0 + 2.0 + 2.0, 0.0, 4.0),
        (2.0, 2, 4.0 + 4.0, 0.0, 4.0),
        (3.0, 3, 8.0, 0.0, 4.0),
        (100.0, 4, 16.0 + 16.0, 0.25, 102.0),
        (101.0, 5, 32.0, 0.5, 102.0),
    ];
    assert_eq!(joined(3, 0.5, &script), expected);
}

#[test]
fn environments_do_not_mix() {
    let mut n_step = NStep::new(2, 1.0, 2, 1).unwrap();
    let mut rows = Vec::new();
    for index in 0..4 {
        let environment = index % 2;
        let step = Step { reward: [1.0, 10.0][environment], ..Step::default() };
        let store = |one: &Transition<'_>| {
            rows.push((one.observation[0], one.reward));
            Ok(())
        };
        n_step.push(environment, &[index as f32], 0, &step, &[0.0], store).unwrap();
    }
    assert_eq!(rows, [(0.0, 2.0), (1.0, 20.0)]);
    assert!(n_step.push(2, &[0.0], 0, &Step::default(), &[0.0], |_| Ok(())).is_err());
    assert!(NStep::new(0, 0.9, 1, 1).is_err());
    assert!(NStep::new(1, 1.1, 1, 1).is_err());
}

fn filled(capacity: usize, count: usize) -> ReplayBuffer {
    let mut buffer = ReplayBuffer::new(capacity, 2).unwrap();
    for index in 0..count {
        let value = index as f32;
        let (observation, next_observation) = ([value, -value], [value + 1.0, 0.5]);
        let one = Transition {
            observation: &observation,
            action: index,
            reward: value,
            discount: 0.9,
            next_observation: &next_observation,
        };
        assert_eq!(buffer.push(&one).unwrap(), index % capacity);
    }
    buffer
}

#[test]
fn the_oldest_goes_first() {
    let buffer = filled(3, 5);
    assert_eq!(buffer.len(), 3);
    let actions: Vec<usize> = (0..3).map(|index| buffer.get(index).unwrap().action).collect();
    assert_eq!(actions, [3, 4, 2]);
    let one = buffer.get(1).unwrap();
    assert_eq!((one.observation, one.next_observation), (&[4.0, -4.0][..], &[5.0, 0.5][..]));
    assert!(buffer.get(3).is_none());
    let wide = Transition { observation: &[0.0], ..one };
    assert!(ReplayBuffer::new(3, 2).unwrap().push(&wide).is_err());
    assert!(ReplayBuffer::new(0, 2).is_err());
    assert!(ReplayBuffer::new(2, 0).is_err());
}

#[test]
fn uniform_draws_are_uniform_and_of_the_seed() {
    let buffer = filled(10, 7);
    let sampler = Sampler::new(None, 10).unwrap();
    let mut batch = ReplayBatch::default();
    let mut counts = [0; 7];
    for draw in 0..700 {
        sampler.sample(&buffer, 10, (3, draw), 0.0, &mut batch).unwrap();
        for (row, index) in batch.indices.iter().enumerate() {
            counts[*index] += 1;
            assert_eq!(batch.actions[row], *index);
            assert_eq!(batch.observations[2 * row], *index as f32);
            assert_eq!(batch.next_observations[2 * row], *index as f32 + 1.0);
        }
    }
    // 1000 each; four standard deviations.
    assert!(counts.iter().all(|count| (*count - 1000_i32).abs() < 120), "{counts:?}");
    let mut again = ReplayBatch::default();
    sampler.sample(&buffer, 10, (3, 699), 0.0, &mut again).unwrap();
    assert_eq!(again, batch);
    sampler.sample(&buffer, 10, (4, 699), 0.0, &mut again).unwrap();
    assert_ne!(again.indices, batch.indices);
    let empty = ReplayBuffer::new(3, 2).unwrap();
    assert!(sampler.sample(&empty, 1, (0, 0), 0.0, &mut batch).is_err());
}

/// numpy: `c = cumsum(p)`, `searchsorted(c, mass, side='right')`.
#[test]
fn the_tree_finds_what_numpy_finds() {
    let priorities = [0.5, 2.0, 0.25, 1.25, 4.0, 0.75, 1.0];
    let mut tree = PriorityTree::new(7);
    for (index, priority) in priorities.into_iter().enumerate() {
        tree.set(index, 9.0).unwrap();
        tree.set(index, priority).unwrap();
    }
    assert_eq!((tree.total(), tree.minimum()), (9.75, 0.25));
    let masses = [0.0, 0.49, 0.5, 2.49, 2.6, 3.99, 4.0, 7.99, 8.0, 8.74, 8.75, 9.74];
    assert_eq!(masses.map(|mass| tree.find(mass)), [0, 0, 1, 1, 2, 3, 4, 4, 5, 5, 6, 6]);
    // The eighth leaf is empty: not even too large a mass leads there.
    assert_eq!(tree.find(9.75), 6);
    assert_eq!(tree.find(f64::INFINITY), 6);
    assert_eq!(tree.get(7), 0.0);
    for (index, priority) in [(8, 1.0), (0, 0.0), (0, -1.0), (0, f64::NAN), (0, f64::INFINITY)] {
        assert!(tree.set(index, priority).is_err());
    }
}

proptest::proptest! {
    #[test]
    fn the_tree_is_the_cumulative_sum(
        changes in proptest::collection::vec((0..13_usize, 1_u32..1000), 1..80), share in 0.0..1.0_f64,
    ) {
        let (mut tree, mut plain) = (PriorityTree::new(13), [0.0; 13]);
        for (index, priority) in changes {
            tree.set(index, f64::from(priority)).unwrap();
            plain[index] = f64::from(priority);
        }
        // Whole numbers: sums are exact in any order.
        let total: f64 = plain.iter().sum();
        proptest::prop_assert_eq!(tree.total(), total);
        let mass = (share * total).floor();
        let mut sum = 0.0;
        let expected = plain.iter().position(|priority| { sum += priority; sum > mass }).unwrap();
        proptest::prop_assert_eq!(tree.find(mass), expected);
    }
}

fn prioritised(exponent: f64) -> (ReplayBuffer, Sampler) {
    let config = PrioritisedConfig { exponent, ..PrioritisedConfig::default() };
    let mut sampler = Sampler::new(Some(&config), 7).unwrap();
    (0..7).for_each(|index| sampler.inserted(index).unwrap());
    (filled(7, 7), sampler)
}

fn tree(sampler: &Sampler) -> &PriorityTree {
    let Sampler::Prioritised(sampler) = sampler else { panic!("uniform") };
    sampler.tree()
}

/// numpy: `(abs(e) + 1e-6) ** 0.6`.
#[test]
fn priorities_are_those_of_the_paper() {
    let (_, mut sampler) = prioritised(0.6);
    assert_eq!(tree(&sampler).get(3), 1.0, "new ones get the largest, at first 1");
    sampler.learned(&[0, 1, 2, 3], &[0.3, -1.7, 0.0, 2.5]).unwrap();
    let expected = [0.48559435759373876, 1.3748949392868262, 0.00025118864315095806, 1.7328625237747386];
    for (index, expected) in expected.into_iter().enumerate() {
        assert!((tree(&sampler).get(index) - expected).abs() < 1e-15, "{index}");
    }
    assert!(sampler.learned(&[8], &[1.0]).is_err());
    assert!(sampler.learned(&[0], &[f32::NAN]).is_err());
    sampler.inserted(0).unwrap();
    assert_eq!(tree(&sampler).get(0), tree(&sampler).get(3), "new ones get the largest so far");
}

/// numpy: `P = p / p.sum(); w = (N * P) ** -0.4; w /= w.max()`.
#[test]
fn draws_and_weights_are_those_of_the_paper() {
    let priorities = [0.5, 2.0, 0.25, 1.25, 4.0, 0.75, 1.0_f32];
    let (buffer, mut sampler) = prioritised(1.0);
    let mut batch = ReplayBatch::default();
    let untold = Sampler::new(Some(&PrioritisedConfig::default()), 7).unwrap();
    assert!(untold.sample(&buffer, 40, (1, 0), 0.0, &mut batch).is_err());
    sampler.learned(&[0, 1, 2, 3, 4, 5, 6], &priorities).unwrap();
    let weights = [0.757_858_3, 0.435_275_3, 1.0, 0.525_305_57, 0.329_877, 0.644_394_04, 0.574_349_16];
    let mut counts = [0_i32; 7];
    for draw in 0..975 {
        sampler.sample(&buffer, 40, (1, draw), 0.0, &mut batch).unwrap();
        for (index, weight) in batch.indices.iter().zip(&batch.weights) {
            counts[*index] += 1;
            assert!((weight - weights[*index]).abs() < 2e-6, "{index}: {weight}");
        }
    }
    for (count, priority) in counts.into_iter().zip(priorities) {
        let expected = 39_000.0 * priority / 9.75;
        assert!((count as f32 - expected).abs() < 4.0 * expected.sqrt(), "{count} {expected}");
    }
    // Full correction at the end of training: weights are the inverse of chances.
    sampler.sample(&buffer, 40, (1, 0), 1.0, &mut batch).unwrap();
    for (index, weight) in batch.indices.iter().zip(&batch.weights) {
        assert!((weight - 0.25 / priorities[*index]).abs() < 1e-5);
    }
    assert_eq!(PrioritisedConfig::default().correction(0.5), 0.7);
}

#[test]
fn what_is_out_of_range_is_named() {
    let base = PrioritisedConfig::default();
    base.validate().unwrap();
    let bad = [
        (PrioritisedConfig { exponent: 1.5, ..base.clone() }, "exponent"),
        (PrioritisedConfig { initial_correction: -0.1, ..base.clone() }, "initial_correction"),
        (PrioritisedConfig { final_correction: f64::NAN, ..base.clone() }, "final_correction"),
        (PrioritisedConfig { offset: 0.0, ..base }, "offset"),
    ];
    for (config, field) in bad {
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
