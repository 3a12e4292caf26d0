//! Times the default feature set over the candles of one file and prints JSON.
//!
//! `benches/peers.py` runs this beside pandas and TA-Lib on the same candles.

use std::path::Path;
use std::time::Instant;

use features::{FeatureSpec, Outside, Scaler, ScalerOptions, TrainingFrame};
use market_data::import::{ImportOptions, Imported, import_file};
use market_data::{CandleSeries, SeriesKey, TrainingRows};

/// All candles, since the peer scales by all rows too. A measurement, not an example of how to train.
struct AllRows(SeriesKey, Vec<usize>);

impl TrainingRows for AllRows {
    fn series(&self) -> &SeriesKey {
        &self.0
    }
    fn candles(&self) -> usize {
        self.1.len()
    }
    fn indices(&self) -> &[usize] {
        &self.1
    }
}

fn scale(spec: &FeatureSpec, series: &CandleSeries) -> Result<usize, features::FeatureError> {
    let frame = spec.frame(series, Outside::default())?;
    let all = AllRows(series.key().clone(), (0..series.len()).collect());
    let options = ScalerOptions::Robust { clip: None };
    let scaler: Scaler = options.fit(&[TrainingFrame::new(&frame, &all)?])?;
    Ok(scaler.scale(&frame)?.len())
}

#[expect(clippy::print_stdout, reason = "an example prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: time_features FILE [REPETITIONS]")?;
    let repetitions: usize = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let tables = import_file(Path::new(&path), &ImportOptions::default(), None)?;
    let Imported::Candles(found) = &tables[0].content else { return Err("no candles".into()) };
    let series = &found[0].series;
    let spec = FeatureSpec::default();
    let (mut frames, mut scaled) = (Vec::new(), Vec::new());
    let mut columns = 0;
    for _ in 0..repetitions {
        let start = Instant::now();
        columns = spec.frame(series, Outside::default())?.columns().len();
        frames.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        scale(&spec, series)?;
        scaled.push(start.elapsed().as_secs_f64());
    }
    println!(
        "{}",
        serde_json::json!({
            "rows": series.len(), "columns": columns, "frame_seconds": frames, "scaled_seconds": scaled,
        })
    );
    Ok(())
}
