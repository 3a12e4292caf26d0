//! What can be learned is learned, and what cannot be is not found.

use features::Outside;
use labels::splits::{LastShare, TimeRange};
use market_data::synthetic::SyntheticModel;
use supervised::calibration::Calibration;
use supervised::dataset::prepare;
use supervised::{Assessment, Objective, Predictor, ScoredRows, Skill, assess, calibrate};

use crate::markets::{
    HORIZON, config, labeler, labelled, noise, planted, spec, trained, two, with_threshold,
};
use crate::predictions::model;

/// What a model is worth on the last fifth, which neither training nor validation saw.
fn worth(market: &SyntheticModel, threshold: f64, objective: Objective) -> Assessment {
    let series = two(market, 5_000, 11);
    let labeler = with_threshold(threshold);
    let share = LastShare { share: 0.2 };
    let outer = share.plan(TimeRange::covering(&series).unwrap()).unwrap().remove(0);
    let inner = share.plan(outer.train()[0]).unwrap().remove(0);
    let mut config = config(objective);
    config.epochs = 4;
    config.learning_rate.base = 0.005;
    (config.segments.supervised_steps, config.segments.burn_in) = (128, 16);
    let (dataset, fit) = prepare(labelled(&series, &labeler), &inner, &config.preparation).unwrap();
    let trained = trained(&dataset, &config).unwrap();
    let mut bundle = model(&series, &config).0;
    (bundle.classifier, bundle.fit, bundle.labeler) = (trained.classifier, fit, labeler);
    let predictor = Predictor::new(bundle).unwrap();
    let (mut validation, mut test) = (ScoredRows::default(), ScoredRows::default());
    for one in &series {
        let labels = labeler.label(one).unwrap();
        let logits = predictor.logits(&spec().frame(one, Outside::default()).unwrap(), |_| true).unwrap();
        let (inner, outer) = (inner.apply(&labels), outer.apply(&labels));
        let (mut own, mut later) = (ScoredRows::default(), ScoredRows::default());
        own.extend(&logits, &labels, |row| inner.test().contains(&row)).unwrap();
        later.extend(&logits, &labels, |row| outer.test().contains(&row)).unwrap();
        validation.append(own);
        test.append(later);
    }
    let calibration: Calibration = calibrate(&validation, &config.calibration).unwrap();
    let assessment = assess(&test, &calibration, trained.prior, 10 * HORIZON as usize, 1).unwrap();
    assert_eq!(assessment.decided.rows, test.len() as u64);
    assert!(assessment.advantage.is_some());
    assessment
}

#[test]
fn a_planted_signal_is_found() {
    for objective in [Objective::EveryStep, Objective::LastStep] {
        let threshold = match labeler() {
            labels::Labeler::HorizonReturn(labels::HorizonReturn {
                threshold: labels::Threshold::Fixed(fixed),
                ..
            }) => fixed.value,
            other => panic!("{other:?}"),
        };
        let found = worth(&planted(), threshold, objective);
        assert!(found.most_probable.skill > 0.05, "{objective:?}: {}", found.most_probable.skill);
        assert_eq!(found.skill, Skill::Better);
        let rows: Vec<u64> = found.series.values().map(|metrics| metrics.rows).collect();
        assert_eq!(rows, [found.decided.rows / 2; 2]);
    }
}

#[test]
fn nothing_is_found_in_noise() {
    for objective in [Objective::EveryStep, Objective::LastStep] {
        let threshold = market_data::synthetic::NoiseMarket::default().class_threshold();
        let found = worth(&noise(), threshold, objective);
        assert_ne!(found.skill, Skill::Better, "{objective:?}: {:?}", found.advantage);
        assert!(found.most_probable.skill < 0.01, "{}", found.most_probable.skill);
    }
}
