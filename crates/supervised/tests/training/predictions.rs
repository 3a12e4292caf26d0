//! One way to predict: whole frames, candle by candle and the evaluation of a training agree.

use burn::tensor::Device;
use features::Outside;
use market_data::{CandleSeries, Timeframe};
use supervised::calibration::{Calibration, DecisionRule, TemperatureScaling};
use supervised::dataset::{Dataset, Part};
use supervised::transform::{Transform, Transforms};
use supervised::{ModelBundle, Objective, Origin, Predictor, SupervisedConfig, evaluate};
use xlstm::{AttentionConfig, Pooling};

use crate::markets::{
    OBJECTIVES, WARM_UP, bits, config, dataset, gapped, labeler, planted, spec, two, with_gaps,
};

/// An untrained model of these series, and their dataset.
pub(crate) fn model(series: &[CandleSeries], config: &SupervisedConfig) -> (ModelBundle, Dataset) {
    let (dataset, fit) = dataset(series, config);
    let classifier = config.network.classifier(dataset.width(), config.seed).init(&Device::flex()).unwrap();
    // Larger weights than the initial ones, so that every path shows in the logits.
    let parameters: Vec<f32> =
        classifier.parameters().unwrap().iter().map(|value| value * 1.5 + 0.01).collect();
    let bundle = ModelBundle {
        classifier: classifier.with_parameters(&parameters).unwrap(),
        spec: spec(),
        fit,
        labeler: labeler(),
        calibration: Calibration {
            temperature: TemperatureScaling { temperature: 1.7 },
            decision: DecisionRule { weights: [0.5, 0.2, 0.3] },
        },
        metrics: std::collections::BTreeMap::new(),
        origin: Origin {
            name: "model".to_owned(),
            timeframe: Timeframe::M5,
            series: series.iter().map(|one| one.key().to_string()).collect(),
            excluded: Vec::new(),
            data_hash: "data".to_owned(),
            intervals: std::collections::BTreeMap::new(),
            prior: [0.1, 0.7, 0.2],
            epoch: 2,
            config: config.clone(),
            commit: None,
            trials: None,
        },
    };
    (bundle, dataset)
}

fn transforms() -> Transforms {
    Transforms(vec![
        Transform::Identity {},
        Transform::Noise { deviation: 0.1 },
        Transform::Scale { factor: 0.9 },
        Transform::MaskColumns { share: 0.2 },
    ])
}

/// All forms of a network that the objective has.
fn forms(objective: Objective) -> Vec<(&'static str, SupervisedConfig)> {
    let plain = config(objective);
    let mut augmented = plain.clone();
    augmented.calibration.transforms = transforms();
    let mut attentive = plain.clone();
    attentive.network.attention = Some(AttentionConfig { after: vec![0, 1], heads: 2, window: 5 });
    attentive.calibration.transforms = transforms();
    let mut forms = vec![("plain", plain), ("transforms", augmented), ("self-attention", attentive)];
    if objective == Objective::LastStep {
        for (name, pooling) in [("mean", Pooling::Mean), ("attention", Pooling::Attention)] {
            let mut pooled = config(objective);
            (pooled.network.pooling, pooled.calibration.transforms) = (pooling, transforms());
            forms.push((name, pooled));
        }
    }
    forms
}

#[test]
fn live_equals_batch_to_the_bit() {
    let series = gapped(400);
    for objective in OBJECTIVES {
        for (name, config) in forms(objective) {
            let (bundle, _) = model(&series, &config);
            let predictor = Predictor::new(bundle).unwrap();
            let frame = spec().frame(&series[0], Outside::default()).unwrap();
            let batch = predictor.predict(&frame).unwrap();
            let mut live = predictor.live().unwrap();
            let mut found = 0;
            for (row, candle) in series[0].iter().enumerate() {
                let Some(prediction) = live.push(&candle).unwrap() else {
                    assert!(!batch.rows.contains(&row), "{name}: row {row}");
                    continue;
                };
                assert_eq!(batch.rows[found], row, "{name}");
                let expected = &batch.predictions[found];
                assert_eq!(
                    bits(&prediction.probabilities),
                    bits(&expected.probabilities),
                    "{name}: row {row}"
                );
                assert_eq!(&prediction, expected);
                assert_eq!(prediction.open_time, candle.open_time);
                assert!((prediction.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                found += 1;
            }
            assert_eq!(found, batch.rows.len());
            // Three runs, each with its warm-up, and windows that have to fill.
            let lost = WARM_UP + if objective == Objective::LastStep { 7 } else { 0 };
            assert_eq!(found, series[0].len() - 3 * lost, "{name}");
            // Rows that nobody asks for are run through all the same.
            let (all, some) =
                (predictor.logits(&frame, |_| true), predictor.logits(&frame, |row| row % 3 == 0));
            let (all, some) = (all.unwrap(), some.unwrap());
            assert_eq!(all.rows, batch.rows);
            let chosen = all.rows.iter().zip(&all.logits).filter(|(row, _)| *row % 3 == 0);
            assert!(chosen.eq(some.rows.iter().zip(&some.logits)), "{name}");
        }
    }
}

/// The head over an embedding gives the logits, and inputs run through the network give them, too: whoever builds on either stands
/// on what the model predicts from.
#[test]
fn encodings_are_what_predictions_come_from() {
    use burn::tensor::{Tensor, TensorData};

    let series = gapped(400);
    for objective in OBJECTIVES {
        for (name, mut config) in forms(objective) {
            config.calibration.transforms = Transforms(vec![Transform::Identity {}]);
            let (bundle, _) = model(&series, &config);
            let (classifier, width) = (bundle.classifier.clone(), config.network.width);
            let inputs = classifier.config().inputs;
            let predictor = Predictor::new(bundle).unwrap();
            let frame = spec().frame(&series[0], Outside::default()).unwrap();
            let (found, predicted) = (predictor.encode(&frame).unwrap(), predictor.predict(&frame).unwrap());
            let logits = predictor.logits(&frame, |_| true).unwrap();
            assert_eq!(found.rows, predicted.rows, "{name}");
            assert_eq!(found.inputs.len(), found.rows.len() * inputs);
            let probabilities: Vec<_> = predicted.predictions.iter().map(|one| one.probabilities).collect();
            assert_eq!(found.probabilities, probabilities);
            let weight: Vec<f32> = classifier.head.linear.weight.val().into_data().try_into_vec().unwrap();
            let bias = classifier.head.linear.bias.clone().unwrap().val().into_data();
            let bias: Vec<f32> = bias.try_into_vec().unwrap();
            assert_eq!(found.embeddings.len(), found.rows.len() * width);
            for (embedding, logits) in found.embeddings.chunks_exact(width).zip(&logits.logits) {
                for (class, logit) in logits.iter().enumerate() {
                    let sum: f32 =
                        embedding.iter().enumerate().map(|(at, x)| x * weight[at * 3 + class]).sum();
                    assert!((sum + bias[class] - logit).abs() < 1e-4 * (1.0 + logit.abs()), "{name}");
                }
            }
            // The first run, from its first row on: as many inputs as there are rows, since every row of it is encoded.
            if objective == Objective::EveryStep {
                let rows =
                    found.rows.iter().enumerate().take_while(|(at, row)| **row == found.rows[0] + at).count();
                let data = TensorData::new(found.inputs[..rows * inputs].to_vec(), [1, rows, inputs]);
                let hidden = classifier.network.forward(Tensor::from_data(data, &Device::flex())).unwrap();
                let hidden: Vec<f32> = hidden.into_data().try_into_vec().unwrap();
                let near =
                    hidden.iter().zip(&found.embeddings).all(|(a, b)| (a - b).abs() < 1e-3 * (1.0 + a.abs()));
                assert!(rows > 50 && near, "{name}");
            }
        }
    }
}

#[test]
fn a_training_and_a_predictor_see_the_same_logits() {
    for objective in OBJECTIVES {
        for (name, mut config) in forms(objective) {
            config.calibration.transforms = Transforms::default();
            config.validation.context = 1_000_000;
            // Validation that is longer than one segment of an evaluation.
            let series = two(&planted(), if name == "plain" { 9_000 } else { 600 }, 5);
            let series = [with_gaps(&series[0], &[560]), series[1].clone()];
            let (bundle, dataset) = model(&series, &config);
            let rows = evaluate(&bundle.classifier, &dataset, Part::Validation, &config).unwrap();
            assert_eq!(rows.len() as u64, dataset.rows(Part::Validation) - lost(&config, &dataset));
            let predictor = Predictor::new(bundle).unwrap();
            let predicted: Vec<_> = series
                .iter()
                .map(|one| {
                    predictor.logits(&spec().frame(one, Outside::default()).unwrap(), |_| true).unwrap()
                })
                .collect();
            let mut spread = 0.0_f32;
            for (index, logits) in rows.logits.chunks(3).enumerate() {
                let of = &predicted[rows.series[index] as usize];
                let at = of.rows.binary_search(&(rows.row[index] as usize)).unwrap();
                for (left, right) in logits.iter().zip(of.logits[at]) {
                    assert!(
                        (left - right).abs() < 1e-4,
                        "{objective:?} {name} {index}: {logits:?} {:?}",
                        of.logits[at]
                    );
                    spread = spread.max((left - rows.logits[index % 3]).abs());
                }
            }
            assert!(spread > 0.1, "{name}: the logits hardly vary, {spread}");
        }
    }
}

/// Validation rows in front of which a run has no whole window.
fn lost(config: &SupervisedConfig, dataset: &Dataset) -> u64 {
    if config.objective == Objective::EveryStep {
        return 0;
    }
    let of = |series: &supervised::dataset::DatasetSeries| {
        let heads = series.runs().iter().flat_map(|run| run.start..(run.start + 7).min(run.end));
        heads.filter(|row| series.parts()[*row] == Part::Validation).count() as u64
    };
    dataset.series().iter().map(of).sum()
}

#[test]
fn an_evaluation_with_more_context_is_nearer() {
    let mut config = config(Objective::EveryStep);
    // A memory that is halved in some ten steps.
    config.network.mlstm.forget_bias = [1.0, 2.0];
    let (bundle, dataset) = model(&two(&planted(), 9_000, 5), &config);
    let mut logits = |context| {
        config.validation.context = context;
        evaluate(&bundle.classifier, &dataset, Part::Validation, &config).unwrap()
    };
    let (whole, far, near, none) = (logits(1_000_000), logits(2_000), logits(500), logits(0));
    assert_eq!((&whole.row, &whole.targets), (&none.row, &none.targets));
    let distance = |other: &supervised::RowLogits| {
        let pairs = whole.logits.iter().zip(&other.logits);
        pairs.map(|(left, right)| f64::from(left - right).abs()).sum::<f64>() / whole.logits.len() as f64
    };
    let (far, near, none) = (distance(&far), distance(&near), distance(&none));
    assert!(2.0 * far < near && 2.0 * near < none && far < 0.01, "{far} {near} {none}");
}

#[test]
fn a_gap_begins_anew() {
    for objective in OBJECTIVES {
        let whole = two(&planted(), 400, 7).remove(0);
        let (bundle, _) = model(&[whole.clone(), gapped(400).remove(1)], &config(objective));
        let predictor = Predictor::new(bundle).unwrap();
        let logits = |series: &CandleSeries| {
            predictor.logits(&spec().frame(series, Outside::default()).unwrap(), |_| true)
        };
        let gapped = logits(&with_gaps(&whole, &[200])).unwrap();
        let after = CandleSeries::new(whole.key().clone(), whole.columns().slice(201..400)).unwrap();
        let alone = logits(&after).unwrap();
        let behind = gapped.rows.partition_point(|row| *row < 200);
        assert_eq!(gapped.logits[behind..], alone.logits);
        assert_eq!(gapped.rows[behind..].iter().map(|row| row - 200).collect::<Vec<_>>(), alone.rows);
        assert_ne!(logits(&whole).unwrap().logits[behind + WARM_UP + 10..], alone.logits[10..]);

        // Feature rows with a hole, as from someone who computes features elsewhere.
        let frame = spec().frame(&whole, Outside::default()).unwrap();
        let row = |index: usize| {
            let mut row = vec![0.0; frame.columns().len()];
            assert!(frame.copy_row(index, &mut row).unwrap());
            (frame.open_times()[index], row)
        };
        let run = |indices: &mut dyn Iterator<Item = usize>, reset_at: usize| {
            let mut rows = predictor.rows();
            let mut found = Vec::new();
            for index in indices {
                let (open_time, features) = row(index);
                if index == reset_at {
                    rows.reset();
                }
                found.push(rows.push(open_time, &features).unwrap().map(|one| bits(&one.probabilities)));
            }
            found
        };
        let holed = run(&mut (100..150).chain(151..180), 0);
        let fresh = run(&mut (151..180), 0);
        assert_eq!(holed[50..], fresh);
        assert_eq!(run(&mut (100..180), 151)[51..], fresh);
        assert_ne!(run(&mut (100..180), 0)[51..], fresh);
    }
}

#[test]
fn rows_out_of_order_and_foreign_frames_are_refused() {
    for objective in OBJECTIVES {
        let series = two(&planted(), 400, 7);
        let (bundle, _) = model(&series, &config(objective));
        let predictor = Predictor::new(bundle).unwrap();
        let frame = spec().frame(&series[0], Outside::default()).unwrap();
        let mut row = vec![0.0; frame.columns().len()];
        let (mut rows, mut clean) = (predictor.rows(), predictor.rows());
        for index in 100..140 {
            assert!(frame.copy_row(index, &mut row).unwrap());
            let open_time = frame.open_times()[index];
            let found = rows.push(open_time, &row).unwrap();
            assert_eq!(found, clean.push(open_time, &row).unwrap());
            // The same row again, an earlier one, one of another width: refused, and nothing has changed.
            for wrong in [index, index - 1] {
                let error = rows.push(frame.open_times()[wrong], &row).unwrap_err().to_string();
                assert!(error.contains("in order of time"), "{error}");
            }
            assert!(rows.push(frame.open_times()[index + 1], &row[1..]).is_err());
        }
        let mut other = spec();
        other.price.log_return = vec![1, 5];
        let error =
            predictor.predict(&other.frame(&series[0], Outside::default()).unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("features.toml") && error.contains(predictor.bundle().feature_hash()),
            "{error}"
        );
    }
}

#[test]
fn calibration_and_transforms_have_their_say() {
    let series = gapped(400);
    let frame = spec().frame(&series[0], Outside::default()).unwrap();
    for objective in OBJECTIVES {
        let logits = |transforms: Vec<Transform>| {
            let mut config = config(objective);
            config.calibration.transforms = Transforms(transforms);
            Predictor::new(model(&series, &config).0).unwrap().logits(&frame, |_| true).unwrap()
        };
        let (identity, scaled) = (Transform::Identity {}, Transform::Scale { factor: 0.5 });
        let (one, other, both) =
            (logits(vec![identity]), logits(vec![scaled]), logits(vec![identity, scaled]));
        assert_ne!(one.logits, other.logits);
        for ((one, other), both) in one.logits.iter().zip(&other.logits).zip(&both.logits) {
            assert!((0..3).all(|class| (0.5 * (one[class] + other[class]) - both[class]).abs() < 1e-5));
        }
        // Each place in the list has noise of its own.
        let noise = Transform::Noise { deviation: 0.5 };
        let (one_noise, two_noises) = (logits(vec![noise]), logits(vec![noise, noise]));
        assert!((one_noise.logits[50][0] - two_noises.logits[50][0]).abs() > 1e-4);
        let (bundle, _) = model(&series, &config(objective));
        let calibration = bundle.calibration;
        let predictions = Predictor::new(bundle).unwrap().predict(&frame).unwrap();
        assert_eq!(predictions.rows, one.rows);
        let mut classes = [0; 3];
        for (prediction, logits) in predictions.predictions.iter().zip(&one.logits) {
            let exponentials = logits.map(|logit| (f64::from(logit) / 1.7).exp());
            let sum: f64 = exponentials.iter().sum();
            for (found, expected) in prediction.probabilities.iter().zip(exponentials) {
                assert!((f64::from(*found) - expected / sum).abs() < 1e-6);
            }
            let class = calibration.decision.decide(prediction.probabilities);
            assert_eq!(prediction.class.index(), usize::from(class));
            classes[usize::from(class)] += 1;
        }
        assert!(classes.iter().filter(|count| **count > 0).count() > 1, "{classes:?}");
    }
}
