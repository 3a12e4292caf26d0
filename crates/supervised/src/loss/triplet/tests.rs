use proptest::prelude::*;

use super::*;

const EMBEDDINGS: [f32; 21] = [
    1.0, 0.0, 0.5, 0.75, 0.5, 0.25, -0.5, 1.0, 0.0, 0.9375, 0.125, 0.625, 0.0, -1.0, 0.25, 0.5, 0.5, 0.5,
    -1.0, -0.25, 2.0,
];
const TARGETS: [u8; 7] = [0, 0, 0, 1, 1, 2, 1];
const WEIGHTS: [f32; 7] = [1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 0.0];

/// PyTorch 2.15 in double precision: normalisation, all distances, the choice of negatives by loops over all
/// rows, the weighted mean, and the autograd gradient, at margin 1 and weight 0.3 with every row that can be
/// an anchor.
const VALUE: f64 = 0.11059695025116519;
const GRADIENT: [[f64; 3]; 7] = [
    [-0.006428728011982354, -0.11069530180797446, 0.012857556073416362],
    [0.0027940704412260584, 0.0018627136274840354, -0.01210748807632691],
    [0.0033789152684572665, 0.0016893890530898237, 0.03391233156662952],
    [-0.022558924945264965, 0.2984665648206243, -0.025854876992076208],
    [-0.0784431755210151, -0.0038989073833951837, -0.01559578817148097],
    [0.058718503655311505, -0.11982186237169169, 0.061102912816283494],
    [0.0, 0.0, 0.0],
];

const GOLDEN: TripletBatch<'static> =
    TripletBatch { embeddings: &EMBEDDINGS, width: 3, targets: &TARGETS, weights: &WEIGHTS };

fn config(margin: f64, maximum_anchors: usize) -> TripletConfig {
    TripletConfig { weight: 0.3, margin, maximum_anchors }
}

#[test]
fn a_batch_agrees_with_pytorch() {
    let mut gradient = [0.0_f32; 21];
    let found = triplet_loss(&config(1.0, 100), &GOLDEN, 1, 2, &mut gradient).unwrap();
    assert!((found.value - VALUE).abs() < 1e-14, "{found:?}");
    assert_eq!((found.anchors, found.pairs, found.triplets), (5, 8, 6));
    for (seen, golden) in gradient.iter().zip(GRADIENT.as_flattened()) {
        assert!((f64::from(*seen) - golden).abs() < 1e-7, "{seen} instead of {golden}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_adds_nothing() {
    let refused = |batch: TripletBatch<'_>, gradient: usize| {
        let mut gradient = vec![7.0; gradient];
        let result = triplet_loss(&config(0.5, 4), &batch, 0, 0, &mut gradient);
        assert!(gradient.iter().all(|value| *value == 7.0));
        result.unwrap_err().to_string()
    };
    let mut diverged = EMBEDDINGS;
    diverged[4] = f32::NAN;
    assert!(refused(TripletBatch { width: 0, ..GOLDEN }, 21).starts_with("embeddings"));
    assert!(refused(TripletBatch { width: 4, ..GOLDEN }, 21).starts_with("embeddings"));
    assert!(refused(TripletBatch { width: usize::MAX, ..GOLDEN }, 21).starts_with("embeddings"));
    assert!(refused(TripletBatch { weights: &WEIGHTS[1..], ..GOLDEN }, 21).starts_with("weights"));
    assert!(refused(TripletBatch { targets: &[3; 7], ..GOLDEN }, 21).starts_with("target of row 0"));
    assert!(refused(TripletBatch { weights: &[-1.0; 7], ..GOLDEN }, 21).starts_with("weight of row 0"));
    assert!(
        refused(TripletBatch { embeddings: &diverged, ..GOLDEN }, 21).starts_with("network output of row 1")
    );
    assert!(refused(GOLDEN, 20).starts_with("gradient"));
}

#[test]
fn without_anchors_or_weight_nothing_is_added() {
    let mut gradient = [7.0_f32; 21];
    let off = TripletConfig { weight: 0.0, ..config(0.5, 4) };
    assert_eq!(triplet_loss(&off, &GOLDEN, 0, 0, &mut gradient).unwrap(), TripletValue::default());
    let one_class = TripletBatch { targets: &[2; 7], ..GOLDEN };
    let found = triplet_loss(&config(0.5, 4), &one_class, 0, 0, &mut gradient).unwrap();
    assert_eq!(found, TripletValue::default());
    let empty = TripletBatch { embeddings: &[], width: 3, targets: &[], weights: &[] };
    assert_eq!(triplet_loss(&config(0.5, 4), &empty, 0, 0, &mut []).unwrap(), TripletValue::default());
    assert_eq!(gradient, [7.0; 21]);
}

#[test]
fn embeddings_at_one_point_have_the_margin_as_loss_and_a_finite_gradient() {
    for value in [0.0, 1.0] {
        let batch = TripletBatch { embeddings: &[value; 21], ..GOLDEN };
        let mut gradient = [0.0_f32; 21];
        let found = triplet_loss(&config(0.5, 100), &batch, 0, 0, &mut gradient).unwrap();
        assert!((found.value - 0.3 * 0.5).abs() < 1e-12, "{found:?}");
        assert_eq!(found.triplets, found.pairs);
        assert!(gradient.iter().all(|slope| slope.abs() < 1e-6));
    }
}

#[test]
fn anchors_are_drawn_evenly_and_by_seed_and_step_alone() {
    let mut classes: Vec<Option<u8>> = (0..40).map(|row| Some(row % 2)).collect();
    // One row that does not count and one that is alone in its class.
    (classes[3], classes[8]) = (None, Some(2));
    let mut times = [0_u32; 40];
    for step in 0..2_000 {
        let drawn = draw_anchors(&classes, 10, 5, step);
        assert_eq!(drawn, draw_anchors(&classes, 10, 5, step));
        assert!(drawn.len() == 10 && drawn.is_sorted_by(|left, right| left < right));
        drawn.iter().for_each(|row| times[*row] += 1);
    }
    assert_eq!((times[3], times[8]), (0, 0));
    // 2000 × 10/38 = 526 each, with a standard deviation of 20.
    let others = times.iter().enumerate().filter(|(row, _)| ![3, 8].contains(row));
    assert!(others.clone().all(|(_, times)| (426..626).contains(times)), "{times:?}");
    assert_ne!(draw_anchors(&classes, 10, 5, 0), draw_anchors(&classes, 10, 6, 0));
    assert_eq!(draw_anchors(&classes, 100, 5, 0).len(), 38);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let values: Vec<f32> = (0..200 * 8).map(|index| (f64::from(index) * 1.7).sin() as f32).collect();
    let targets: Vec<u8> = (0..200).map(|row| (row * 7 % 11 % 3) as u8).collect();
    let batch = TripletBatch { embeddings: &values, width: 8, targets: &targets, weights: &[1.0; 200] };
    let run = |threads: usize| {
        let mut gradient = vec![0.0_f32; values.len()];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| triplet_loss(&config(0.5, 20), &batch, 3, 4, &mut gradient)).unwrap();
        (found, gradient)
    };
    let one = run(1);
    assert!(one.0.triplets > 100);
    assert_eq!(one, run(3));
}

/// `(anchor, positive, negative)` of every triplet, and the weight of each in the loss.
fn chosen(batch: &TripletBatch<'_>, config: &TripletConfig) -> Vec<([usize; 3], f64)> {
    let classes = batch.classes();
    let units = UnitVectors::of(batch.embeddings, batch.width, &classes);
    let anchors = draw_anchors(&classes, config.maximum_anchors, 9, 1);
    let total: f64 = anchors.iter().map(|anchor| f64::from(batch.weights[*anchor])).sum();
    let mut all = Vec::new();
    let mut triplets = Triplets::default();
    for anchor in anchors {
        triplets.mine(anchor, &units.squared_distances(anchor), &classes, config.margin);
        let share = f64::from(batch.weights[anchor]) / total / triplets.pairs as f64;
        for triplet in &triplets.chosen {
            all.push(([anchor, triplet.positive as usize, triplet.negative as usize], config.weight * share));
        }
    }
    all
}

/// The loss of fixed triplets, straight from its definition.
fn loss_of(triplets: &[([usize; 3], f64)], embeddings: &[f64], width: usize, margin: f64) -> f64 {
    let unit = |row: usize| {
        let values = &embeddings[row * width..(row + 1) * width];
        let norm = (values.iter().map(|value| value * value).sum::<f64>() + 1e-6).sqrt();
        values.iter().map(|value| value / norm).collect::<Vec<f64>>()
    };
    let distance = |left: usize, right: usize| -> f64 {
        unit(left).iter().zip(unit(right)).map(|(left, right)| (left - right).powi(2)).sum()
    };
    let of = |&([anchor, positive, negative], weight): &([usize; 3], f64)| {
        weight * (distance(anchor, positive) - distance(anchor, negative) + margin)
    };
    triplets.iter().map(of).sum()
}

fn embedding() -> impl Strategy<Value = [f32; 3]> {
    [-2.0..2.0_f32, -2.0..2.0_f32, -2.0..2.0_f32]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn the_gradient_is_the_slope_with_the_triplets_held(
        rows in prop::collection::vec((embedding(), 0_u8..3, 0_u8..4), 2..10),
        margin in 0.1..1.5_f64,
        maximum_anchors in 1_usize..8,
    ) {
        let embeddings: Vec<f32> = rows.iter().flat_map(|row| row.0).collect();
        let targets: Vec<u8> = rows.iter().map(|row| row.1).collect();
        let weights: Vec<f32> = rows.iter().map(|row| f32::from(row.2)).collect();
        let batch = TripletBatch { embeddings: &embeddings, width: 3, targets: &targets, weights: &weights };
        let config = config(margin, maximum_anchors);
        let mut gradient = vec![0.0_f32; embeddings.len()];
        let found = triplet_loss(&config, &batch, 9, 1, &mut gradient).unwrap();
        let triplets = chosen(&batch, &config);
        prop_assert_eq!(found.triplets, triplets.len());
        prop_assert!(found.anchors <= maximum_anchors && found.triplets <= found.pairs);

        let exact: Vec<f64> = embeddings.iter().map(|value| f64::from(*value)).collect();
        prop_assert!((loss_of(&triplets, &exact, 3, margin) - found.value).abs() < 1e-12);
        prop_assert!(found.value >= 0.0);
        for index in 0..exact.len() {
            let at = |step: f64| {
                let mut moved = exact.clone();
                moved[index] += step;
                loss_of(&triplets, &moved, 3, margin)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            let seen = f64::from(gradient[index]);
            prop_assert!((slope - seen).abs() < 1e-5 * (1.0 + slope.abs()), "{index}: {slope} and {seen}");
            prop_assert!(weights[index / 3] > 0.0 || seen == 0.0);
        }
    }
}
