use proptest::prelude::*;

use super::*;

fn config(batch: usize, supervised_steps: usize, burn_in: usize) -> SegmentConfig {
    SegmentConfig { batch, supervised_steps, burn_in, ..SegmentConfig::default() }
}

fn all_segments(plan: &SegmentPlan, epoch: usize) -> Vec<Segment> {
    let mut segments: Vec<_> = plan.epoch(epoch).into_iter().flat_map(|batch| batch.segments).collect();
    segments.sort_by_key(|segment| (segment.series, segment.start + segment.supervised_from));
    segments
}

#[test]
fn a_run_is_cut_with_burn_in_where_there_are_rows_for_it() {
    let run = Run { series: 0, start: 5, length: 10 };
    let plan = SegmentPlan::new(&config(2, 4, 3), &[run], &[vec![true; 15]], 1).unwrap();
    let mut firsts = std::collections::BTreeSet::new();
    for epoch in 0..40 {
        let segments = all_segments(&plan, epoch);
        // By hand for each first piece of 1 to 4 rows.
        let first = segments[0].length;
        firsts.insert(first);
        let expected: &[(u32, u32, u32)] = match first {
            1 => &[(5, 1, 0), (5, 5, 1), (7, 7, 3), (11, 4, 3)],
            2 => &[(5, 2, 0), (5, 6, 2), (8, 7, 3)],
            3 => &[(5, 3, 0), (5, 7, 3), (9, 6, 3)],
            _ => &[(5, 4, 0), (6, 7, 3), (10, 5, 3)],
        };
        let found: Vec<_> = segments.iter().map(|s| (s.start, s.length, s.supervised_from)).collect();
        assert_eq!(found, expected);
    }
    assert_eq!(firsts.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(plan.supervised_rows(), 10);
}

#[test]
fn pieces_without_a_label_are_left_out() {
    let mut labels = vec![false; 100];
    labels[50] = true;
    let runs = [Run { series: 0, start: 0, length: 100 }];
    let plan = SegmentPlan::new(&config(2, 10, 5), &runs, &[labels], 1).unwrap();
    for epoch in 0..10 {
        let segments = all_segments(&plan, epoch);
        assert_eq!(segments.len(), 1);
        assert!(segments[0].supervised_rows().contains(&50));
    }
}

#[test]
fn chunks_cover_the_steps() {
    let segment = |length| Segment { series: 0, start: 0, length, supervised_from: 0 };
    let batch = SegmentBatch { segments: vec![segment(9), segment(10)] };
    assert_eq!(batch.chunks(4).collect::<Vec<_>>(), [0..4, 4..8, 8..10]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let run = |series, start, length| Run { series, start, length };
    let labels = [vec![true; 10], vec![false; 10]];
    let new = |runs: &[Run]| SegmentPlan::new(&config(2, 4, 3), runs, &labels, 0);
    assert!(new(&[run(0, 0, 5), run(0, 5, 5), run(1, 0, 10), run(0, 3, 0)]).is_ok());
    for (runs, reason) in [
        (&[run(0, 4, 5), run(0, 0, 5)][..], "overlaps"),
        (&[run(0, 5, 6)], "beyond"),
        (&[run(0, u32::MAX, 2)], "beyond"),
        (&[run(2, 0, 1)], "beyond"),
        (&[run(1, 0, 10)], "no usable row"),
        (&[], "no usable row"),
    ] {
        let message = new(runs).unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    for (text, field) in [
        ("batch = 0", "`batch`"),
        ("chunk = 0", "`chunk`"),
        ("supervised_steps = 0", "`supervised_steps`"),
        ("burn_in = 99999999999", "`burn_in`"),
    ] {
        let config: SegmentConfig = toml::from_str(text).unwrap();
        assert!(config.validate().unwrap_err().to_string().contains(field));
    }
    let default = SegmentConfig::default();
    default.validate().unwrap();
    assert_eq!(toml::from_str::<SegmentConfig>(&toml::to_string(&default).unwrap()).unwrap(), default);
}

prop_compose! {
    /// Series of runs with gaps between them and labels in stretches.
    fn data()(series in prop::collection::vec(
        prop::collection::vec((1_u32..60, 0_u32..4, prop::collection::vec(any::<bool>(), 1..8)), 1..6), 1..5,
    )) -> (Vec<Run>, Vec<Vec<bool>>) {
        let (mut runs, mut labels) = (Vec::new(), Vec::new());
        for (index, parts) in series.iter().enumerate() {
            let mut rows: Vec<bool> = Vec::new();
            for (length, gap, pattern) in parts {
                runs.push(Run { series: index as u32, start: rows.len() as u32, length: *length });
                rows.extend((0..*length as usize).map(|row| pattern[row / 7 % pattern.len()]));
                // Labels in a gap belong to no run.
                rows.extend(std::iter::repeat_n(true, *gap as usize));
            }
            labels.push(rows);
        }
        (runs, labels)
    }
}

proptest! {
    #[test]
    fn every_labelled_row_counts_once(
        (runs, labels) in data(),
        steps in 1_usize..40,
        burn_in in 0_usize..40,
        batch in 1_usize..6,
        seed: u64,
        epoch in 0_usize..50,
    ) {
        let labelled = |run: &Run| {
            let rows = &labels[run.series as usize][run.start as usize..][..run.length as usize];
            rows.iter().filter(|label| **label).count()
        };
        let labelled: usize = runs.iter().map(labelled).sum();
        let config = config(batch, steps, burn_in);
        let Ok(plan) = SegmentPlan::new(&config, &runs, &labels, seed) else {
            prop_assert_eq!(labelled, 0);
            return Ok(());
        };
        prop_assert_eq!(plan.epoch(epoch), plan.epoch(epoch));
        let mut counts: Vec<Vec<u32>> = labels.iter().map(|rows| vec![0; rows.len()]).collect();
        for segment in all_segments(&plan, epoch) {
            let run = runs.iter().find(|run| {
                let rows = run.start..=run.start + run.length;
                let Range { start, end } = segment.rows();
                run.series == segment.series && rows.contains(&start) && rows.contains(&end)
            });
            prop_assert!(run.is_some(), "{:?} lies in no run", segment);
            let run = run.unwrap();
            let before = segment.supervised_rows().start - run.start;
            prop_assert_eq!(segment.supervised_from, before.min(burn_in as u32));
            prop_assert!(segment.supervised_rows().len() <= steps);
            let rows = segment.supervised_rows();
            let of_series = &labels[segment.series as usize];
            prop_assert!(of_series[rows.start as usize..rows.end as usize].contains(&true));
            for row in rows {
                counts[segment.series as usize][row as usize] += 1;
            }
        }
        for run in &runs {
            for row in run.start as usize..(run.start + run.length) as usize {
                let count = counts[run.series as usize][row];
                let label = labels[run.series as usize][row];
                prop_assert!(count <= 1 && (!label || count == 1));
                counts[run.series as usize][row] = 0;
            }
        }
        prop_assert!(counts.iter().flatten().all(|count| *count == 0));
        prop_assert_eq!(plan.supervised_rows(), labelled);
    }

    #[test]
    fn padding_is_small_and_batches_are_full(
        (runs, labels) in data(), steps in 1_usize..40, batch in 1_usize..6, epoch in 0_usize..50,
    ) {
        let Ok(plan) = SegmentPlan::new(&config(batch, steps, 8), &runs, &labels, 3) else { return Ok(()) };
        let batches = plan.epoch(epoch);
        let sizes: Vec<usize> = batches.iter().map(|batch| batch.segments.len()).collect();
        prop_assert!(sizes.iter().all(|size| (1..=batch).contains(size)));
        prop_assert!(sizes.iter().filter(|size| **size < batch).count() <= 1);
        let padding = |batch: &SegmentBatch| -> usize {
            batch.segments.iter().map(|segment| batch.steps() - segment.length as usize).sum()
        };
        let padding: usize = batches.iter().map(padding).sum();
        let longest = batches.iter().map(SegmentBatch::steps).max().unwrap();
        prop_assert!(padding < batch * longest);
    }
}

#[test]
fn cuts_and_company_differ_between_epochs_and_seeds() {
    let runs: Vec<_> = (0..20).map(|series| Run { series, start: 0, length: 500 }).collect();
    let labels = vec![vec![true; 500]; 20];
    let plan = |seed| SegmentPlan::new(&config(4, 50, 10), &runs, &labels, seed).unwrap();
    assert_ne!(plan(1).epoch(0), plan(1).epoch(1));
    assert_ne!(plan(1).epoch(0), plan(2).epoch(0));
    // Every place of a cut is equally likely: 20 runs in 200 epochs, 50 places, 80 expected at each.
    let mut cuts = [0_u32; 50];
    for epoch in 0..200 {
        for segment in all_segments(&plan(1), epoch).iter().filter(|segment| segment.start == 0) {
            if segment.supervised_from == 0 {
                cuts[segment.length as usize - 1] += 1;
            }
        }
    }
    // Chi square with 49 degrees of freedom; 1 in 10 000 lies above 94.
    let chi: f64 = cuts.iter().map(|seen| (f64::from(*seen) - 80.0).powi(2) / 80.0).sum();
    assert!(chi < 94.0, "{chi}");
    // Full segments of different series share batches.
    let mixed = plan(1)
        .epoch(0)
        .iter()
        .filter(|batch| batch.segments.iter().any(|segment| segment.series != batch.segments[0].series))
        .count();
    assert!(mixed > 40);
}
