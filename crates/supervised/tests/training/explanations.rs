//! What is explained is what the predictor says.

use features::Outside;
use supervised::dataset::CLASSES;
use supervised::explanation::{CentredOutputs, DifferentiableModel, ExplainedNetwork, Windows};
use supervised::{Objective, Predictor};
use xlstm::Pooling;

use crate::markets::{config, gapped, spec};
use crate::predictions::model;

#[test]
fn explained_windows_have_the_logits_of_the_predictor() {
    let series = gapped(400);
    for pooling in [Pooling::Last, Pooling::Mean, Pooling::Attention] {
        let mut config = config(Objective::LastStep);
        config.network.pooling = pooling;
        let (bundle, _) = model(&series, &config);
        let explained = ExplainedNetwork::new(&bundle.classifier).unwrap();
        let scaled = {
            let frame = spec().frame(&series[0], Outside::default()).unwrap();
            bundle.fit.scaler.scale_selected(frame, &bundle.fit.selection).unwrap()
        };
        let predictor = Predictor::new(bundle).unwrap();
        let frame = spec().frame(&series[0], Outside::default()).unwrap();
        let found = predictor.logits(&frame, |_| true).unwrap();
        let steps = config.sequence_length;
        let mut values = vec![0.0; found.rows.len() * steps * scaled.width()];
        for (row, window) in found.rows.iter().zip(values.chunks_exact_mut(steps * scaled.width())) {
            scaled.copy_rows(row + 1 - steps..row + 1, window).unwrap();
        }
        let windows = Windows::new(&values, steps, scaled.width()).unwrap();
        let logits = explained.evaluate(windows).unwrap();
        let centred = CentredOutputs::new(&explained).evaluate(windows).unwrap();
        assert!(found.rows.len() > 300);
        let rows = found.logits.iter().zip(logits.chunks_exact(CLASSES)).zip(centred.chunks_exact(CLASSES));
        for ((wanted, seen), centred) in rows {
            let mean = wanted.iter().sum::<f32>() / CLASSES as f32;
            for class in 0..CLASSES {
                assert!((wanted[class] - seen[class]).abs() < 2e-5, "{pooling:?}: {wanted:?} {seen:?}");
                assert!((wanted[class] - mean - centred[class]).abs() < 2e-5, "{wanted:?} {centred:?}");
            }
        }
    }
}
