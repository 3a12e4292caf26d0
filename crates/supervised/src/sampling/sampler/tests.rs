use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::sampling::HardNegativeConfig;

/// Samples of `counts[symbol][class]`, uniqueness by position.
fn samples(counts: &[[usize; 3]]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (symbol, counts) in counts.iter().enumerate() {
        for (class, count) in counts.iter().enumerate() {
            for row in 0..*count {
                let weight = 1.0 / (1 + row % 4 + class) as f32;
                samples.push(Sample {
                    series: 10 * symbol as u32,
                    row: row as u32,
                    class: class as u8,
                    weight,
                });
            }
        }
    }
    samples
}

fn plain(batch_size: usize) -> SamplingConfig {
    SamplingConfig {
        batch_size,
        class_balanced: false,
        symbol_stratified: false,
        ..SamplingConfig::default()
    }
}

fn balanced(batch_size: usize) -> SamplingConfig {
    SamplingConfig { class_balanced: true, ..plain(batch_size) }
}

fn mining(batch_size: usize) -> SamplingConfig {
    SamplingConfig {
        hard_negatives: HardNegativeConfig { enabled: true, ..HardNegativeConfig::default() },
        ..balanced(batch_size)
    }
}

fn plan(config: &SamplingConfig, samples: &[Sample], epoch: usize) -> EpochPlan {
    Sampler::new(config, samples, 7).unwrap().epoch(epoch, None).unwrap()
}

fn classes(samples: &[Sample], batch: &[u32]) -> [usize; 3] {
    let mut counts = [0; 3];
    for index in batch {
        counts[samples[*index as usize].class as usize] += 1;
    }
    counts
}

/// How often each sample is drawn.
fn repeats(plan: &EpochPlan, samples: usize) -> Vec<usize> {
    let mut counts = vec![0; samples];
    for index in plan.samples() {
        counts[*index as usize] += 1;
    }
    counts
}

fn spread(counts: impl Iterator<Item = usize> + Clone) -> usize {
    counts.clone().max().unwrap_or(0) - counts.min().unwrap_or(0)
}

#[test]
fn what_cannot_be_sampled_is_refused() {
    let few = samples(&[[2, 2, 2]]);
    let message = |config: &SamplingConfig, samples: &[Sample]| {
        Sampler::new(config, samples, 0).unwrap_err().to_string()
    };
    assert!(message(&plain(1), &[]).contains("there are none"));
    assert!(message(&plain(0), &few).contains("batch_size"));
    assert!(message(&plain(7), &few).contains("only 6 samples"));
    let one = message(&plain(1), &samples(&[[0, 0, 4]]));
    assert!(one.contains("all are Buy") && one.contains("thresholds"), "{one}");
    for (class, weight) in [(3, 1.0), (0, 0.0), (0, 1.5), (0, f32::NAN)] {
        let mut wrong = few.clone();
        wrong[4] = Sample { class, weight, ..wrong[4] };
        assert!(message(&plain(2), &wrong).contains("sample 4"));
    }
    let pool = HardPool::from_losses(&few[..5], &[1.0; 5], &HardNegativeConfig::default()).unwrap();
    let sampler = Sampler::new(&mining(2), &few, 0).unwrap();
    assert!(sampler.epoch(5, Some(&pool)).is_err());
}

#[test]
fn balanced_batches_by_hand() {
    // 40 draws in batches of 12, 12, 12 and 4; the two Sells are each drawn six or seven times.
    let samples = samples(&[[2, 36, 2]]);
    let plan = plan(&balanced(12), &samples, 0);
    let seen: Vec<_> = plan.batches().map(|batch| classes(&samples, batch)).collect();
    assert_eq!(seen, [[4, 4, 4], [4, 4, 4], [4, 4, 4], [2, 1, 1]]);
    let counts = repeats(&plan, samples.len());
    assert_eq!((counts[0], counts[1]), (7, 7));
    assert_eq!(counts[2..38].iter().filter(|count| **count == 1).count(), 13);
    assert!(plan.class_shares().iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-12));
}

#[test]
fn what_an_epoch_leaves_out_comes_next() {
    // 30 of 90 Holds an epoch: after three epochs each came once.
    let samples = samples(&[[0, 90, 30]]);
    for config in [
        SamplingConfig { maximum_samples_per_epoch: Some(60), ..balanced(10) },
        SamplingConfig { maximum_samples_per_epoch: Some(40), ..plain(10) },
    ] {
        let mut holds = vec![0; 90];
        for epoch in 0..3 {
            let plan = plan(&config, &samples, epoch);
            assert_eq!(plan.samples().len(), config.maximum_samples_per_epoch.unwrap());
            for index in plan.samples().iter().filter(|index| **index < 90) {
                holds[*index as usize] += 1;
            }
        }
        assert!(holds.iter().all(|count| *count == 1), "{holds:?}");
    }
}

#[test]
fn small_symbols_give_what_they_have() {
    // Of 30 draws the symbol of 2 gives 2, the others 14 each; batches of ten hold them evenly.
    let config = SamplingConfig { symbol_stratified: true, maximum_samples_per_epoch: Some(30), ..plain(10) };
    let samples = samples(&[[1, 1, 0], [20, 20, 0], [60, 60, 0]]);
    for epoch in 0..5 {
        let plan = plan(&config, &samples, epoch);
        let mut totals = BTreeMap::new();
        for batch in plan.batches() {
            let mut of_batch = BTreeMap::new();
            for index in batch {
                let series = samples[*index as usize].series;
                *totals.entry(series).or_insert(0) += 1;
                *of_batch.entry(series).or_insert(0) += 1;
            }
            assert!((4..=5).contains(&of_batch[&10]) && (4..=5).contains(&of_batch[&20]), "{of_batch:?}");
        }
        assert_eq!(totals, BTreeMap::from([(0, 2), (10, 14), (20, 14)]));
    }
}

#[test]
fn classes_together_hold_each_symbol_equally_often() {
    let samples = samples(&[[8, 8, 8]; 12]);
    // Twelve symbols in batches of 6, 12, 24: none twice, each once, each twice.
    for (batch_size, expected) in [(6, 0..=1), (12, 1..=1), (24, 2..=2)] {
        let config = SamplingConfig { symbol_stratified: true, ..balanced(batch_size) };
        for batch in plan(&config, &samples, 3).batches() {
            let mut of_symbol = [0; 12];
            for index in batch {
                of_symbol[samples[*index as usize].series as usize / 10] += 1;
            }
            assert!(of_symbol.iter().all(|count| expected.contains(count)), "{of_symbol:?}");
            assert_eq!(classes(&samples, batch), [batch_size / 3; 3]);
        }
    }
}

#[test]
fn weights_have_mean_one_in_every_stratum() {
    let samples = samples(&[[5, 9, 0], [3, 1, 7]]);
    let weights =
        |config: &SamplingConfig| Sampler::new(config, &samples, 1).unwrap().sample_weights().to_vec();
    let mean = |weights: &[f32], select: &dyn Fn(&Sample) -> bool| {
        let of: Vec<f64> = samples
            .iter()
            .zip(weights)
            .filter(|(sample, _)| select(sample))
            .map(|(_, weight)| f64::from(*weight))
            .collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    let all = weights(&plain(4));
    assert!((mean(&all, &|_| true) - 1.0).abs() < 1e-6);
    // In proportion to uniqueness: 1 and 1/2 are the first two.
    assert!((all[0] / all[1] - 2.0).abs() < 1e-6);
    let by_class = weights(&balanced(4));
    for class in 0..3 {
        assert!((mean(&by_class, &|sample| sample.class == class) - 1.0).abs() < 1e-6);
        assert!((mean(&all, &|sample| sample.class == class) - 1.0).abs() > 0.01);
    }
    let by_both = weights(&SamplingConfig { symbol_stratified: true, ..balanced(4) });
    assert!((mean(&by_both, &|sample| sample.class == 0 && sample.series == 10) - 1.0).abs() < 1e-6);
    assert_eq!(weights(&SamplingConfig { uniqueness_weights: false, ..plain(4) }), [1.0; 25]);
}

#[test]
fn hard_samples_come_as_often_as_their_share_says() {
    let samples = samples(&[[50, 150, 100]]);
    let mut losses: Vec<f32> = (0..300).map(|index| (index * 7 % 300) as f32).collect();
    // Of the Buys no loss is known.
    losses[200..].fill(f32::NAN);
    let config = mining(30);
    let pool = HardPool::from_losses(&samples, &losses, &config.hard_negatives).unwrap();
    let hard: BTreeSet<u32> = pool.members().iter().copied().collect();
    assert_eq!(hard.len(), 15 + 45);
    let sampler = Sampler::new(&config, &samples, 7).unwrap();
    assert_eq!(sampler.epoch(4, Some(&pool)).unwrap(), sampler.epoch(4, None).unwrap());
    assert_eq!(sampler.epoch(9, None).unwrap().hard_draws(), 0);
    let plan = sampler.epoch(15, Some(&pool)).unwrap();
    // Half of 100 Sells and of 100 Holds.
    assert_eq!(plan.hard_draws(), 100);
    for batch in plan.batches() {
        assert_eq!(classes(&samples, batch), [10, 10, 10]);
    }
    let counts = repeats(&plan, 300);
    let drawn = |range: std::ops::Range<u32>| -> usize {
        range.filter(|index| hard.contains(index)).map(|index| counts[index as usize]).sum()
    };
    // 50 from the pool and 15 in the one pass through all 50 Sells that the rest makes.
    assert_eq!(drawn(0..50), 65);
    // 50 from the pool and those among 50 of 150 Holds, 15 on average.
    assert!((50 + 4..50 + 29).contains(&drawn(50..200)), "{}", drawn(50..200));
    assert!(counts[200..].iter().all(|count| *count == 1));
    assert_eq!(sampler.epoch(10, Some(&pool)).unwrap().hard_draws(), 70);
}

#[test]
fn mining_without_balance_takes_the_share_from_one_pool() {
    let samples = samples(&[[50, 150, 100]]);
    let losses: Vec<f32> = (0..300).map(|index| index as f32).collect();
    let config = SamplingConfig { class_balanced: false, ..mining(30) };
    let pool = HardPool::from_losses(&samples, &losses, &config.hard_negatives).unwrap();
    let hard: BTreeSet<u32> = pool.members().iter().copied().collect();
    let plan = Sampler::new(&config, &samples, 7).unwrap().epoch(15, Some(&pool)).unwrap();
    assert_eq!((plan.samples().len(), plan.hard_draws()), (300, 150));
    for batch in plan.batches() {
        assert!(batch.iter().filter(|index| hard.contains(index)).count() >= 15);
    }
}

#[test]
fn batches_are_mixed_anew_in_every_epoch() {
    let samples = samples(&[[300, 500, 200], [100, 100, 100]]);
    for config in [plain(32), balanced(32), SamplingConfig { symbol_stratified: true, ..balanced(32) }] {
        let sampler = |seed| Sampler::new(&config, &samples, seed).unwrap();
        let epoch = |seed, epoch| sampler(seed).epoch(epoch, None).unwrap();
        assert_eq!(epoch(1, 3), epoch(1, 3));
        assert_ne!(epoch(1, 3), epoch(1, 4));
        assert_ne!(epoch(1, 3), epoch(2, 3));
        // Few of the first batch meet again in the first batch of a later epoch.
        let first = |number| epoch(1, number).samples()[..32].iter().copied().collect::<BTreeSet<_>>();
        let meet = (1..6).map(|number| first(0).intersection(&first(number)).count()).max();
        assert!(meet < Some(12), "{meet:?}");
    }
}

#[test]
fn classes_are_mixed_within_a_batch() {
    let samples = samples(&[[100, 100, 100]]);
    let plan = plan(&balanced(30), &samples, 0);
    // Ten batches of ten each: unmixed, the first ten places would hold Sells only.
    let sells: usize = plan.batches().map(|batch| classes(&samples, &batch[..10])[0]).sum();
    assert!((15..55).contains(&sells), "{sells}");
}

#[test]
fn the_curriculum_ends_with_every_sample_once() {
    let samples = samples(&[[10, 70, 20]]);
    let config = SamplingConfig { curriculum_epochs: 4.0, ..balanced(10) };
    let holds = |epoch| classes(&samples, plan(&config, &samples, epoch).samples())[1];
    // 1/3 + (0.7 − 1/3) · (1 − cos(π e / 4)) / 2 of 100, to within one sample.
    for (epoch, exact) in [(0, 33.333), (1, 38.703), (2, 51.667), (3, 64.631), (4, 70.0), (5, 70.0)] {
        assert!((holds(epoch) as f64 - exact).abs() < 1.0, "{epoch}");
    }
    assert!(repeats(&plan(&config, &samples, 4), 100).iter().all(|count| *count == 1));
}

prop_compose! {
    fn any_counts()(
        counts in prop::collection::vec(prop::array::uniform3(0_usize..30), 1..7),
    ) -> Vec<[usize; 3]> {
        let mut counts = counts;
        counts[0][0] += 1;
        counts[0][2] += 1;
        counts
    }
}

prop_compose! {
    fn any_config(samples: usize)(
        class_balanced: bool,
        symbol_stratified: bool,
        batch in 1..=samples,
        most in prop::option::of(0_usize..300),
        weights in prop::array::uniform3(0.05_f64..1.0),
        curriculum in 0_u8..3,
        enabled: bool,
    ) -> SamplingConfig {
        let sum: f64 = weights.iter().sum();
        SamplingConfig {
            batch_size: batch,
            class_balanced,
            target_class_ratios: weights.map(|weight| weight / sum),
            symbol_stratified,
            curriculum_epochs: if class_balanced { 4.0 * f64::from(curriculum) } else { 0.0 },
            uniqueness_weights: true,
            hard_negatives: HardNegativeConfig { enabled, ..HardNegativeConfig::default() },
            maximum_samples_per_epoch: most.map(|most| most.max(batch)),
        }
    }
}

fn any_case() -> impl Strategy<Value = (Vec<Sample>, SamplingConfig)> {
    any_counts().prop_flat_map(|counts| {
        let samples = samples(&counts);
        let number = samples.len();
        (Just(samples), any_config(number))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_plan_keeps_its_promises((samples, config) in any_case(), epoch in 0_usize..20, seed: u64) {
        let sampler = Sampler::new(&config, &samples, seed).unwrap();
        let losses: Vec<f32> = (0..samples.len()).map(|index| (index * 31 % 17) as f32).collect();
        let pool = HardPool::from_losses(&samples, &losses, &config.hard_negatives).unwrap();
        let plan = sampler.epoch(epoch, Some(&pool)).unwrap();
        prop_assert_eq!(&plan, &sampler.epoch(epoch, Some(&pool)).unwrap());
        let draws = config.maximum_samples_per_epoch.unwrap_or(usize::MAX).min(samples.len());
        prop_assert_eq!(plan.samples().len(), draws);
        let hard: BTreeSet<u32> = pool.members().iter().copied().collect();
        let share = config.hard_negatives.share(epoch);
        prop_assert!((plan.hard_draws() as f64 - share * draws as f64).abs() <= 1.5 + 1e-9);
        let (mut totals, mut drawn) = ([0; 3], 0);
        for (number, batch) in plan.batches().enumerate() {
            let last = (number + 1) * config.batch_size >= draws;
            prop_assert!(batch.len() == config.batch_size || last);
            drawn += batch.len();
            let counts = classes(&samples, batch);
            for class in 0..3 {
                totals[class] += counts[class];
                if config.class_balanced {
                    let of = |count: usize| plan.class_shares()[class] * count as f64;
                    prop_assert!((counts[class] as f64 - of(batch.len())).abs() < 1.0 + 1e-9);
                    let bound = if last { 2.0 } else { 1.0 };
                    prop_assert!((totals[class] as f64 - of(drawn)).abs() < bound);
                }
            }
            let of_pool = batch.iter().filter(|index| hard.contains(index)).count() as f64;
            prop_assert!(of_pool > share * batch.len() as f64 - 3.0);
        }
        if share == 0.0 {
            let counts = repeats(&plan, samples.len());
            for class in 0..3 {
                let of_class = counts.iter().zip(&samples).filter(|(_, sample)| sample.class == class);
                let spread = spread(of_class.map(|(count, _)| *count));
                prop_assert!(!config.class_balanced || spread <= 1);
            }
            prop_assert!(config.class_balanced || spread(counts.iter().copied()) <= 1);
        }
    }

    #[test]
    fn every_batch_has_its_part_of_every_symbol((samples, config) in any_case(), epoch in 0_usize..5) {
        let config = SamplingConfig { symbol_stratified: true, ..config };
        let sampler = Sampler::new(&config, &samples, 5).unwrap();
        let plan = sampler.epoch(epoch, None).unwrap();
        let group = |sample: &Sample| if config.class_balanced { sample.class } else { 0 };
        let symbols = samples.iter().map(|sample| sample.series).collect::<BTreeSet<_>>().len() as f64;
        for wanted in 0..3 {
            let drawn = |batch: &[u32]| -> Vec<&Sample> {
                let drawn = batch.iter().map(|index| &samples[*index as usize]);
                drawn.filter(|sample| group(sample) == wanted).collect()
            };
            let of_group: Vec<Vec<&Sample>> = plan.batches().map(drawn).collect();
            let total = of_group.iter().map(Vec::len).sum::<usize>() as f64;
            for series in samples.iter().map(|sample| sample.series).collect::<BTreeSet<_>>() {
                let count = |batch: &[&Sample]| {
                    batch.iter().filter(|sample| sample.series == series).count() as f64
                };
                let quota: f64 = of_group.iter().map(|batch| count(batch)).sum();
                for batch in &of_group {
                    // Within one of its part of a stretch of the epoch that can itself be one draw of
                    // every symbol longer or shorter than the batch.
                    let part = quota * batch.len() as f64 / total.max(1.0);
                    let bound = 1.0 + quota * symbols / total.max(1.0);
                    prop_assert!((count(batch) - part).abs() <= bound + 1e-9);
                }
            }
        }
    }

    #[test]
    fn equal_symbols_are_in_every_batch_equally_often(
        each in 1_usize..20,
        symbols in 1_usize..9,
        batch in 1_usize..40,
        class_balanced: bool,
        epoch in 0_usize..5,
    ) {
        let samples = samples(&vec![[each; 3]; symbols]);
        let batch_size = batch.min(samples.len());
        let config = SamplingConfig { symbol_stratified: true, class_balanced, ..plain(batch_size) };
        for batch in plan(&config, &samples, epoch).batches() {
            for class in 0..3 {
                let group = |sample: &Sample| !class_balanced || sample.class == class;
                let mut counts = vec![0_usize; symbols];
                let drawn = batch.iter().map(|index| &samples[*index as usize]);
                for sample in drawn.filter(|sample| group(sample)) {
                    counts[sample.series as usize / 10] += 1;
                }
                prop_assert!(spread(counts.iter().copied()) <= 1, "{:?}", counts);
            }
        }
    }
}
