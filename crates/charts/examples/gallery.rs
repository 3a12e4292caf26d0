//! Writes every chart with data as they look in practice: `cargo run --example gallery -- <folder>`.

use std::path::PathBuf;

use charts::{
    AxisScale, Bar, BarChart, Beeswarm, Bins, ChartError, ChartStyle, ColourMap, ConfusionMatrix, Estimate,
    HeatMap, Histogram, IntervalPlot, Joined, LineChart, ParallelAxis, ParallelCoordinates, PointColour,
    ReliabilityBin, ReliabilityCurve, ReliabilityDiagram, ScatterPlot, Series, SwarmRow, Theme,
};

const FEATURES: [&str; 12] = [
    "log_return_1",
    "rsi_14",
    "realised_volatility_288_of_five_minute_candles",
    "funding_rate_8h_zscore_96",
    "macd_histogram_12_26_9",
    "volume_zscore_48",
    "bollinger_position_20",
    "btc_log_return_12_known_at",
    "hour_of_day_sine",
    "distance_to_high_2016",
    "candle_body_share",
    "adx_14",
];

/// Numbers that look random and are the same at every run (SplitMix64).
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "gallery".to_owned()));
    std::fs::create_dir_all(&folder)?;
    for (theme, name) in [(Theme::Light, "light"), (Theme::Dark, "dark")] {
        let style = ChartStyle { theme, ..Default::default() };
        for (chart, svg) in gallery(&style)? {
            std::fs::write(folder.join(format!("{chart}-{name}.svg")), svg)?;
        }
    }
    Ok(())
}

type Charts = Vec<(&'static str, String)>;

fn gallery(style: &ChartStyle) -> Result<Charts, ChartError> {
    let mut charts = explanation(style)?;
    charts.extend(search(style)?);
    charts.extend(assessment(style)?);
    charts.extend(report(style)?);
    Ok(charts)
}

fn explanation(style: &ChartStyle) -> Result<Charts, ChartError> {
    let mut noise = Noise(1);
    let groups = ["price", "volume", "other markets and times"];
    let bars: Vec<Bar<'_>> = FEATURES
        .iter()
        .enumerate()
        .map(|(rank, label)| {
            let value = 0.31 / (1.0 + 0.45 * rank as f64);
            let half = 0.01 + 0.02 * noise.uniform();
            Bar {
                label,
                value,
                interval: Some(((value - half).max(0.0), value + half)),
                group: [0, 0, 0, 2, 0, 1, 0, 2, 2, 0, 0, 0][rank],
            }
        })
        .collect();
    let bar = BarChart {
        title: "What the model looks at: mean |SHAP value| of BUY on test rows, three seeds",
        value_label: "mean |SHAP value| (log-odds), 95\u{a0}% interval",
        bars: &bars,
        groups: &groups,
    };

    let swarm: Vec<(Vec<f64>, Vec<f64>)> = (0..FEATURES.len())
        .map(|rank| {
            let spread = 0.4 / (1.0 + 0.45 * rank as f64);
            (0..400)
                .map(|_| {
                    let colour = noise.uniform();
                    let sign = if rank % 3 == 1 { -1.0 } else { 1.0 };
                    (spread * (sign * 1.6 * (colour - 0.5) + 0.35 * noise.normal()), colour)
                })
                .unzip()
        })
        .collect();
    let rows: Vec<SwarmRow<'_>> = FEATURES
        .iter()
        .zip(&swarm)
        .map(|(label, (values, colours))| SwarmRow { label, values, colours })
        .collect();
    let beeswarm = Beeswarm {
        title: "Effect of each feature on BUY",
        value_label: "SHAP value (log-odds of BUY)",
        colour_label: "feature value",
        features: &rows,
        top: 8,
        colours: ColourMap::Viridis,
    };

    let steps: Vec<String> = (0..60).rev().map(|back| format!("t\u{2212}{back}")).collect();
    let columns: Vec<&str> = steps.iter().map(String::as_str).collect();
    let values: Vec<Option<f64>> = (0..FEATURES.len() * 60)
        .map(|cell| {
            let (row, step) = (cell / 60, cell % 60);
            let recency = ((step as f64 - 59.0) / (6.0 + 2.0 * row as f64)).exp();
            (row != 7 || step > 11)
                .then(|| 0.3 * recency * (noise.normal() * 0.3 + if row % 3 == 1 { -0.8 } else { 0.8 }))
        })
        .collect();
    let heat_map = HeatMap {
        title: "When the model looks: mean SHAP value by feature and candle of the window",
        value_label: "mean SHAP value (log-odds)",
        row_label: "feature",
        column_label: "candle of the window (t is the last)",
        rows: &FEATURES,
        columns: &columns,
        values: &values,
        colours: ColourMap::BlueToRed,
        digits: None,
    };
    Ok(vec![("bar", bar.svg(style)?), ("beeswarm", beeswarm.svg(style)?), ("heat-map", heat_map.svg(style)?)])
}

fn search(style: &ChartStyle) -> Result<Charts, ChartError> {
    let mut noise = Noise(2);
    let trials = 60;
    let rate: Vec<f64> = (0..trials).map(|_| 10_f64.powf(-4.5 + 2.5 * noise.uniform())).collect();
    let width: Vec<f64> = (0..trials).map(|_| 16.0 * (1.0 + (noise.uniform() * 8.0).floor())).collect();
    let dropout: Vec<f64> = (0..trials).map(|_| (noise.uniform() * 50.0).round() / 100.0).collect();
    let cell: Vec<f64> = (0..trials).map(|_| (noise.uniform() * 3.0).floor()).collect();
    let decay: Vec<f64> = (0..trials).map(|_| 10_f64.powf(-6.0 + 4.0 * noise.uniform())).collect();
    let objective: Vec<f64> = (0..trials)
        .map(|trial| {
            0.40 - 0.02 * (rate[trial].log10() + 3.0).powi(2) - 0.1 * (dropout[trial] - 0.2).powi(2)
                + 0.008 * cell[trial]
                + 0.004 * noise.normal()
        })
        .collect();
    let cells = ["mLSTM", "sLSTM", "mLSTM and sLSTM"];
    let axes = [
        ParallelAxis { name: "optimiser.learning_rate", scale: AxisScale::Logarithmic, values: &rate },
        ParallelAxis { name: "model.width", scale: AxisScale::Linear, values: &width },
        ParallelAxis { name: "model.dropout", scale: AxisScale::Linear, values: &dropout },
        ParallelAxis { name: "model.cell", scale: AxisScale::Categories(&cells), values: &cell },
        ParallelAxis { name: "optimiser.weight_decay", scale: AxisScale::Logarithmic, values: &decay },
    ];
    let parallel = ParallelCoordinates {
        title: "Sixty trials of the search",
        axes: &axes,
        objective: &objective,
        objective_label: "macro-F1 on validation rows",
        larger_is_better: true,
        ..ParallelCoordinates::default()
    };
    let number: Vec<f64> = (1..=trials).map(|trial| trial as f64).collect();
    let best: Vec<f64> = objective
        .iter()
        .scan(f64::NEG_INFINITY, |best, value| {
            *best = best.max(*value);
            Some(*best)
        })
        .collect();
    let series = [
        Series { name: "trial", x: &number, y: &objective, joined: Joined::No, ..Default::default() },
        Series { name: "best so far", x: &number, y: &best, joined: Joined::Steps, ..Default::default() },
    ];
    let history = LineChart {
        title: "History of the search",
        x_label: "trial",
        y_label: "macro-F1 on validation rows",
        series: &series,
        ..Default::default()
    };
    let slice = ScatterPlot {
        title: "Slice: learning rate",
        x_label: "optimiser.learning_rate",
        y_label: "macro-F1 on validation rows",
        x_scale: AxisScale::Logarithmic,
        y_scale: AxisScale::Linear,
        x: &rate,
        y: &objective,
        colour: Some(PointColour { label: "trial", values: &number, colours: ColourMap::Viridis }),
    };
    let by_cell = ScatterPlot {
        title: "Slice: kind of cell",
        x_label: "model.cell",
        x_scale: AxisScale::Categories(&cells),
        x: &cell,
        ..slice.clone()
    };
    Ok(vec![
        ("parallel", parallel.svg(style)?),
        ("history", history.svg(style)?),
        ("slice", slice.svg(style)?),
        ("slice-category", by_cell.svg(style)?),
    ])
}

fn assessment(style: &ChartStyle) -> Result<Charts, ChartError> {
    let rows = [
        ("xLSTM, calibrated", 0.0213, 0.0141, 0.0287, 0),
        ("LightGBM-like boosted trees", 0.0164, 0.0098, 0.0231, 1),
        ("random forest of 500 trees", 0.0071, 0.0009, 0.0132, 1),
        ("logistic regression", 0.0023, -0.0034, 0.0081, 1),
        ("majority class", -0.1312, -0.1378, -0.1249, 2),
        ("sign of the last return", -0.0087, -0.0151, -0.0022, 2),
    ];
    let estimates =
        rows.map(|(label, value, low, high, group)| Estimate { label, value, interval: (low, high), group });
    let interval = IntervalPlot {
        title: "Does anything beat the prior? Differences of macro-F1 on test rows",
        value_label: "difference of macro-F1 from drawing classes by their shares, 95\u{a0}% interval (block bootstrap)",
        estimates: &estimates,
        reference: 0.0,
        groups: &["model", "learned baselines", "simple rules"],
    };
    let curve = |bend: f64| -> Vec<ReliabilityBin> {
        (0..10)
            .map(|bin| {
                let mean_predicted = 0.05 + 0.1 * f64::from(bin);
                let observed_share =
                    (mean_predicted + bend * mean_predicted * (1.0 - mean_predicted)).clamp(0.0, 1.0);
                ReliabilityBin {
                    mean_predicted,
                    observed_share,
                    count: (40_000.0 * (-0.6 * f64::from(bin)).exp()) as u64 + 20,
                }
            })
            .collect()
    };
    let (before, after) = (curve(-0.7), curve(-0.1));
    let reliability = ReliabilityDiagram {
        title: "Reliability of BUY",
        curves: &[
            ReliabilityCurve { name: "before calibration", bins: &before },
            ReliabilityCurve { name: "after calibration", bins: &after },
        ],
    };
    let confusion = ConfusionMatrix {
        title: "Confusion on test rows",
        classes: &["SELL", "HOLD", "BUY"],
        counts: &[9_412, 21_033, 6_120, 8_290, 44_871, 8_004, 6_011, 20_455, 12_804],
    };
    Ok(vec![
        ("interval", interval.svg(style)?),
        ("reliability", reliability.svg(style)?),
        ("confusion", confusion.svg(style)?),
    ])
}

fn report(style: &ChartStyle) -> Result<Charts, ChartError> {
    let mut noise = Noise(3);
    let days = 730;
    let x: Vec<f64> = (0..days).map(f64::from).collect();
    let walk = |noise: &mut Noise, drift: f64| -> Vec<f64> {
        let mut value = 10_000.0;
        (0..days)
            .map(|_| {
                value *= (drift + 0.02 * noise.normal()).exp();
                value
            })
            .collect()
    };
    let (strategy, hold) = (walk(&mut noise, 0.0012), walk(&mut noise, 0.0004));
    let low: Vec<f64> = strategy.iter().zip(&x).map(|(value, day)| value * (1.0 - 0.0005 * day)).collect();
    let high: Vec<f64> = strategy.iter().zip(&x).map(|(value, day)| value * (1.0 + 0.0009 * day)).collect();
    let ticks = [
        (0.0, "2023-01"),
        (90.0, "2023-04"),
        (181.0, "2023-07"),
        (273.0, "2023-10"),
        (365.0, "2024-01"),
        (456.0, "2024-04"),
        (547.0, "2024-07"),
        (639.0, "2024-10"),
    ];
    let series = [
        Series {
            name: "strategy, with 90\u{a0}% of the resampled paths",
            x: &x,
            y: &strategy,
            band: Some((&low, &high)),
            ..Default::default()
        },
        Series { name: "buy and hold", x: &x, y: &hold, ..Default::default() },
    ];
    let equity = LineChart {
        title: "Equity",
        x_label: "day (UTC)",
        y_label: "equity (USDT)",
        series: &series,
        logarithmic_y: true,
        x_ticks: &ticks,
    };
    let mut peak = 0.0_f64;
    let drawdown: Vec<f64> = strategy
        .iter()
        .map(|value| {
            peak = peak.max(*value);
            100.0 * (value / peak - 1.0)
        })
        .collect();
    let under = [Series { name: "strategy", x: &x, y: &drawdown, filled: true, ..Default::default() }];
    let underwater = LineChart {
        title: "Under water",
        x_label: "day (UTC)",
        y_label: "drawdown (%)",
        series: &under,
        x_ticks: &ticks,
        ..Default::default()
    };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let returns: Vec<Option<f64>> =
        (0..36).map(|month| (month > 2 && month < 33).then(|| 2.0 + 6.0 * noise.normal())).collect();
    let monthly = HeatMap {
        title: "Monthly returns",
        value_label: "return (%)",
        rows: &["2022", "2023", "2024"],
        columns: &months,
        values: &returns,
        colours: ColourMap::RedToBlue,
        digits: Some(2),
        ..Default::default()
    };
    let chance: Vec<f64> = (0..2_000).map(|_| 0.333 + 0.004 * noise.normal()).collect();
    let histogram = Histogram {
        title: "Macro-F1 with permuted labels",
        value_label: "macro-F1",
        values: &chance,
        bins: Bins::FreedmanDiaconis,
        references: &[("observed", 0.3521), ("mean under chance", 0.333)],
    };
    Ok(vec![
        ("equity", equity.svg(style)?),
        ("underwater", underwater.svg(style)?),
        ("monthly", monthly.svg(style)?),
        ("histogram", histogram.svg(style)?),
    ])
}
