use proptest::prelude::*;

use super::*;

fn on() -> SmoteConfig {
    SmoteConfig { enabled: true, minimum_separation: 0, ..Default::default() }
}

#[derive(Debug)]
struct Given {
    descriptors: Vec<f32>,
    series: Vec<u32>,
    row: Vec<u32>,
    class: Vec<u8>,
}

impl Given {
    fn samples(&self) -> SmoteSamples<'_> {
        SmoteSamples {
            descriptors: &self.descriptors,
            series: &self.series,
            row: &self.row,
            class: &self.class,
        }
    }

    fn index(&self, config: &SmoteConfig, seed: u64) -> SmoteIndex {
        SmoteIndex::build(self.samples(), config, seed).unwrap().unwrap()
    }

    /// The nearest by sorting all, in f64.
    fn naive(&self, sample: usize, config: &SmoteConfig) -> Vec<u32> {
        let width = self.descriptors.len() / self.series.len();
        let descriptor = |at: usize| &self.descriptors[at * width..(at + 1) * width];
        let mut all: Vec<(f64, u32)> = (0..self.series.len())
            .filter(|&other| other != sample)
            .filter(|&other| self.series[other] == self.series[sample])
            .filter(|&other| self.class[other] == self.class[sample])
            .filter(|&other| self.row[other].abs_diff(self.row[sample]) >= config.minimum_separation)
            .map(|other| {
                let pairs = descriptor(sample).iter().zip(descriptor(other));
                (pairs.map(|(&a, &b)| f64::from(a - b).powi(2)).sum(), other as u32)
            })
            .collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.iter().take(config.neighbours as usize).map(|found| found.1).collect()
    }
}

/// Small whole numbers, so that distances are exact in `f32` and equal ones come often.
fn given() -> impl Strategy<Value = Given> {
    (1_usize..20, prop::collection::vec((0_u32..3, 0_u32..40, 0_u8..3), 1..60)).prop_flat_map(
        |(width, samples)| {
            prop::collection::vec(-3_i8..4, width * samples.len()).prop_map(move |values| Given {
                descriptors: values.into_iter().map(f32::from).collect(),
                series: samples.iter().map(|s| s.0).collect(),
                row: samples.iter().map(|s| s.1).collect(),
                class: samples.iter().map(|s| s.2).collect(),
            })
        },
    )
}

proptest! {
    #[test]
    fn neighbours_are_those_of_a_naive_search(
        given in given(), neighbours in 1_u32..8, minimum_separation in 0_u32..10,
    ) {
        let config = SmoteConfig { neighbours, minimum_separation, ..on() };
        let index = given.index(&config, 0);
        for sample in 0..given.series.len() {
            prop_assert_eq!(index.neighbours(sample as u32), given.naive(sample, &config));
        }
    }

    #[test]
    fn neighbours_share_series_and_class_whatever_is_left_out(
        given in given(), maximum_candidates in 2_u32..10, seed: u64,
    ) {
        let config = SmoteConfig { maximum_candidates, minimum_separation: 2, ..on() };
        let index = given.index(&config, seed);
        for sample in 0..given.series.len() {
            let found = index.neighbours(sample as u32);
            let distinct: std::collections::BTreeSet<_> = found.iter().collect();
            prop_assert_eq!(distinct.len(), found.len());
            for &other in found {
                let other = other as usize;
                prop_assert!(other < given.series.len() && other != sample);
                prop_assert_eq!(given.series[other], given.series[sample]);
                prop_assert_eq!(given.class[other], given.class[sample]);
                prop_assert!(given.row[other].abs_diff(given.row[sample]) >= 2);
            }
        }
    }

    /// Samples of other groups, whatever they hold, change nothing: no group sees another.
    #[test]
    fn a_group_does_not_depend_on_the_others(given in given(), maximum_candidates in 2_u32..10, seed: u64) {
        let config = SmoteConfig { maximum_candidates, ..on() };
        let width = given.descriptors.len() / given.series.len();
        let index = given.index(&config, seed);
        let of_first = |at: &usize| given.series[*at] == given.series[0];
        let kept: Vec<usize> = (0..given.series.len()).filter(of_first).collect();
        let alone = Given {
            descriptors: kept.iter().flat_map(|&at| &given.descriptors[at * width..][..width]).copied().collect(),
            series: kept.iter().map(|&at| given.series[at]).collect(),
            row: kept.iter().map(|&at| given.row[at]).collect(),
            class: kept.iter().map(|&at| given.class[at]).collect(),
        };
        let of_alone = alone.index(&config, seed);
        for (number, &at) in kept.iter().enumerate() {
            let found = of_alone.neighbours(number as u32).iter();
            let translated: Vec<u32> = found.map(|&other| kept[other as usize] as u32).collect();
            prop_assert_eq!(index.neighbours(at as u32), translated);
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter(given in given(), seed: u64) {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| given.index(&SmoteConfig { maximum_candidates: 6, ..on() }, seed))
        };
        prop_assert_eq!(run(1), run(3));
    }

    #[test]
    fn an_interpolation_lies_between(a in -9.0_f32..9.0, b in -9.0_f32..9.0, share in 0.0_f32..1.0) {
        let mut values = [a];
        interpolate(&mut values, &[b], share);
        let slack = 4.0 * f32::EPSILON * a.abs().max(b.abs());
        prop_assert!(values[0] >= a.min(b) - slack && values[0] <= a.max(b) + slack);
    }
}

/// 200 samples at random places on a line, one group.
fn line() -> Given {
    let mut rng = generator(1, "test", 0);
    Given {
        descriptors: (0..200).map(|_| rng.random::<f32>()).collect(),
        series: vec![7; 200],
        row: (0..200).collect(),
        class: vec![2; 200],
    }
}

#[test]
fn candidates_are_as_many_as_allowed_and_drawn_evenly() {
    let given = line();
    let config = SmoteConfig { neighbours: 64, maximum_candidates: 20, ..on() };
    let mut times = [0_u32; 200];
    for seed in 0..500 {
        let index = given.index(&config, seed);
        let seen: std::collections::BTreeSet<u32> =
            (0..200).flat_map(|sample| index.neighbours(sample).to_vec()).collect();
        assert_eq!(seen.len(), 20);
        seen.iter().for_each(|&sample| times[sample as usize] += 1);
    }
    // Binomial(500, 0.1): mean 50, deviation 6.7; 4.5 deviations for the worst of 200.
    assert!(times.iter().all(|&count| (20..=80).contains(&count)), "{times:?}");
}

#[test]
fn of_equal_distances_the_lower_number_comes_first_among_drawn_candidates_too() {
    let given = Given { descriptors: vec![1.0; 200], ..line() };
    let index = given.index(&SmoteConfig { neighbours: 19, maximum_candidates: 20, ..on() }, 5);
    assert!(
        (0..200).all(|sample| index.neighbours(sample).is_sorted() && index.neighbours(sample).len() == 19)
    );
}

#[test]
fn members_are_chosen_with_the_share_and_neighbours_evenly() {
    let given = line();
    let index = given.index(&SmoteConfig { share: 0.25, neighbours: 4, ..on() }, 0);
    let members: Vec<Option<u32>> = (0..100_000).map(|at| (at % 2 == 0).then_some(17)).collect();
    let drawn = index.draw(&members, BatchKey { seed: 3, batch: 0 });
    let close = |seen: f64, p: f64, n: f64| (seen / n - p).abs() < 5.0 * (p * (1.0 - p) / n).sqrt();
    let count = drawn.len() as f64;
    assert!(close(count, 0.25, 50_000.0), "{count}");
    assert!(drawn.iter().all(|one| one.position % 2 == 0 && (0.0..1.0).contains(&one.share)));
    for neighbour in index.neighbours(17) {
        let times = drawn.iter().filter(|one| one.neighbour == *neighbour).count() as f64;
        assert!(close(times, 0.25, count), "{neighbour}: {times}");
    }
    let shares = |power| drawn.iter().map(|one| f64::from(one.share).powi(power)).sum::<f64>() / count;
    // U(0, 1): means 1/2 and 1/3, variances of x and x² 1/12 and 4/45.
    assert!((shares(1) - 0.5).abs() < 5.0 * (1.0 / 12.0 / count).sqrt());
    assert!((shares(2) - 1.0 / 3.0).abs() < 5.0 * (4.0 / 45.0 / count).sqrt());
    assert_eq!(drawn, index.draw(&members, BatchKey { seed: 3, batch: 0 }));
    assert_ne!(drawn, index.draw(&members, BatchKey { seed: 3, batch: 1 }));
    assert_ne!(drawn, index.draw(&members, BatchKey { seed: 4, batch: 0 }));
}

#[test]
fn a_lonely_sample_stays_as_it_is() {
    let given =
        Given { descriptors: vec![0.0, 1.0, 2.0], series: vec![0, 1, 1], row: vec![0; 3], class: vec![0; 3] };
    let index = given.index(&SmoteConfig { share: 1.0, ..on() }, 0);
    let drawn = index.draw(&[Some(0), None, Some(1), Some(9)], BatchKey { seed: 0, batch: 0 });
    assert_eq!(drawn.iter().map(|one| (one.position, one.neighbour)).collect::<Vec<_>>(), [(2, 2)]);
    assert_eq!(index.neighbour(0, &mut generator(0, "test", 0)), None);
}

#[test]
fn descriptors_hold_the_last_row_and_the_mean() {
    let mut descriptor = [9.0; 4];
    describe_window(&[1.0, 10.0, 2.0, 20.0, 6.0, 0.0], 2, &mut descriptor).unwrap();
    assert_eq!(descriptor, [6.0, 0.0, 3.0, 10.0]);
    assert!(describe_window(&[1.0; 5], 2, &mut descriptor).is_err());
    assert!(describe_window(&[], 2, &mut descriptor).is_err());
    assert!(describe_window(&[1.0; 6], 3, &mut descriptor).is_err());
}

#[test]
fn rare_classes_have_less_than_an_equal_share() {
    assert_eq!(minority_classes([22, 60, 18]), [true, false, true]);
    assert_eq!(minority_classes([45, 35, 20]), [false, false, true]);
    assert_eq!(minority_classes([30, 30, 30]), [false; 3]);
    assert_eq!(minority_classes([0; 3]), [false; 3]);
}

#[test]
fn no_share_changes_no_bit() {
    let mut values = [-0.0_f32, f32::INFINITY, f32::NAN];
    let before = values.map(f32::to_bits);
    interpolate(&mut values, &[1.0, 1.0, 1.0], 0.0);
    assert_eq!(values.map(f32::to_bits), before);
}

#[test]
fn off_builds_nothing_and_bad_samples_are_refused() {
    let given = line();
    for off in [SmoteConfig::default(), SmoteConfig { share: 0.0, ..on() }] {
        assert_eq!(SmoteIndex::build(given.samples(), &off, 0).unwrap(), None);
    }
    let build = |samples| SmoteIndex::build(samples, &on(), 0);
    assert!(build(SmoteSamples { descriptors: &given.descriptors[1..], ..given.samples() }).is_err());
    assert!(build(SmoteSamples { row: &given.row[1..], ..given.samples() }).is_err());
    assert!(build(SmoteSamples { class: &given.class[1..], ..given.samples() }).is_err());
    assert!(build(SmoteSamples { descriptors: &[f32::NAN; 200], ..given.samples() }).is_err());
    let none = SmoteSamples { descriptors: &[], series: &[], row: &[], class: &[] };
    assert!(build(none).unwrap().unwrap().neighbours(0).is_empty());
}
