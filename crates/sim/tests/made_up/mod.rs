//! A made-up backtest: a seeded random walk, and trades drawn by lot. Nothing in it was ever traded.

use rust_decimal::Decimal;
use sim::report::{
    Calibration, CalibrationBin, Confusion, Curve, Fold, Importance, IntervalRow, Intervals, Metric,
    MonteCarlo, MonthlyReturn, NamedCurve, NamedTable, NamedValue, OrderRow, Outcome, QuantilePath,
    ReportCandle, ReportData, Returns, SensitivityGrid, SymbolCandles, Target, TradeRow, TradeSide, Verdict,
    WalkForward,
};

/// 2024-01-01 in milliseconds.
const START: i64 = 1_704_067_200_000;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct Lots(u64);

impl Lots {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// In [0, 1).
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, mean 0, variance 1: the sum of twelve shares less six.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

fn decimal(value: f64, places: u32) -> Decimal {
    Decimal::try_from(value).unwrap_or_default().round_dp(places)
}

/// Hourly candles of a symbol, as many as asked for, with a gap of a day in the middle.
fn candles(symbol: &str, count: usize, start: f64, lots: &mut Lots) -> SymbolCandles {
    let mut close = start;
    let candles = (0..count).map(|index| {
        let open = close;
        close = open * (0.006 * lots.normal()).exp();
        let (high, low) =
            (open.max(close) * (1.0 + 0.003 * lots.share()), open.min(close) * (1.0 - 0.003 * lots.share()));
        let gap = if index > count / 2 { DAY } else { 0 };
        let round = |price: f64| (price * 100.0).round() / 100.0;
        ReportCandle {
            time: START + index as i64 * HOUR + gap,
            open: round(open),
            high: round(high),
            low: round(low),
            close: round(close),
        }
    });
    SymbolCandles { symbol: symbol.to_owned(), timeframe: "1h".to_owned(), candles: candles.collect() }
}

fn trade(number: usize, symbols: &[SymbolCandles], every: usize, lots: &mut Lots) -> Option<TradeRow> {
    let symbol = symbols.get(number % symbols.len())?;
    let first = number * every;
    let last = first + 1 + (lots.share() * every as f64) as usize;
    let (entry, exit) = (symbol.candles.get(first)?, symbol.candles.get(last)?);
    let side = if lots.share() < 0.5 { TradeSide::Long } else { TradeSide::Short };
    let quantity = decimal(500.0 / entry.close, 3).max(Decimal::new(1, 3));
    let (entry_price, exit_price) = (decimal(entry.close, 2), decimal(exit.close, 2));
    let gross = match side {
        TradeSide::Long => (exit_price - entry_price) * quantity,
        TradeSide::Short => (entry_price - exit_price) * quantity,
    };
    let fees = ((entry_price + exit_price) * quantity * Decimal::new(55, 5)).round_dp(8);
    Some(TradeRow {
        symbol: symbol.symbol.clone(),
        side,
        opened: entry.time + HOUR,
        closed: Some(exit.time + HOUR),
        quantity,
        entry_price,
        exit_price: Some(exit_price),
        fees,
        net: gross - fees,
        reason: ["take profit", "stop loss", "signal reversed", "time limit"].get(number % 4)?.to_string(),
        log: vec![
            format!("vote trend: {:+.2}", lots.normal()),
            format!("vote model: {:+.2} (probability {:.2})", lots.normal(), lots.share()),
            "risk: size 5 % of equity, within the limit of 10 %".to_owned(),
        ],
    })
}

fn named(pairs: &[(&str, &str)]) -> Vec<NamedValue> {
    pairs
        .iter()
        .map(|(name, value)| NamedValue { name: (*name).to_owned(), value: (*value).to_owned() })
        .collect()
}

fn sentences(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A report with every section: `candle_count` hourly candles for each of two symbols and about `trade_count` trades.
pub(crate) fn report_data(candle_count: usize, trade_count: usize) -> ReportData {
    let mut lots = Lots(7);
    let symbols = vec![
        candles("BTC/USDT:USDT", candle_count, 42_000.0, &mut lots),
        candles("ETH/USDT:USDT", candle_count, 2_300.0, &mut lots),
    ];
    let every = (candle_count / (trade_count + 2)).max(1);
    let mut trades: Vec<TradeRow> =
        (0..trade_count).filter_map(|number| trade(number, &symbols, every, &mut lots)).collect();
    if let Some(last) = trades.last_mut() {
        (last.closed, last.reason) = (None, "open at the end".to_owned());
    }
    let days = (candle_count / 24).max(90);
    let equity = walk(days, 0.0006, 0.012, &mut lots);
    let benchmark = walk(days, 0.0003, 0.025, &mut lots);
    let mut peak = 0.0_f64;
    let underwater = equity.values.iter().map(|value| {
        peak = peak.max(*value);
        value / peak - 1.0
    });
    let underwater = Curve { times: equity.times.clone(), values: underwater.collect() };
    let returns: Vec<f64> = equity.values.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
    let rolling = |centre: f64, spread: f64, lots: &mut Lots| Curve {
        times: equity.times.iter().skip(60).copied().collect(),
        values: equity.times.iter().skip(60).map(|_| centre + spread * lots.normal()).collect(),
    };
    let (rolling_sharpe, rolling_volatility) = (rolling(0.8, 0.2, &mut lots), rolling(0.22, 0.01, &mut lots));
    let monthly_returns = (3..27)
        .map(|month| MonthlyReturn {
            year: 2023 + (month / 12) as i16,
            month: (month % 12 + 1) as u8,
            value: 0.04 * lots.normal(),
        })
        .collect();
    let mut data = ReportData {
        title: "Trend and model, hourly (made-up data)".to_owned(),
        currency: "USDT".to_owned(),
        parameters: named(&[
            ("Strategy", "trend + xLSTM vote"),
            ("Symbols", "BTC/USDT:USDT, ETH/USDT:USDT"),
            ("Timeframe", "1h"),
            ("Span", "2024-01-01 to the end of the data, UTC"),
            ("Costs", "taker 0.055 %, maker 0.02 %, slippage model: depth"),
            ("Seeds", "7"),
            ("Commit", "0123abc (made up)"),
        ]),
        configuration:
            "[venue]\ntaker-fee = \"0.00055\"\nlatency-ms = 120\n\n[risk]\nlargest-position = \"0.1\"\n"
                .to_owned(),
        assumptions: sentences(&[
            "A market order fills at the next candle's open plus slippage, never at the candle that decided it.",
            "A limit order fills only where the price went through it by a tick.",
            "Decisions see closed candles only.",
        ]),
        warnings: sentences(&[
            "36 settings were tried; the Sharpe ratio shown is not corrected for that.",
            "One period only: no crash of 50 % lies in it.",
        ]),
        verdict: Some(Verdict {
            promote: false,
            reasons: sentences(&["The deflated Sharpe ratio is below 0.95.", "Fold 3 lost money."]),
        }),
        benchmark_name: "Buy and hold".to_owned(),
        metrics: metrics(),
        targets: targets(),
        intervals: Some(Intervals {
            label: "a year, 95 % interval of a stationary bootstrap".to_owned(),
            reference: 0.0,
            rows: vec![
                IntervalRow { name: "Sharpe ratio".to_owned(), value: 0.91, low: -0.12, high: 1.84 },
                IntervalRow {
                    name: "Sharpe ratio less benchmark's".to_owned(),
                    value: 0.3,
                    low: -0.6,
                    high: 1.2,
                },
                IntervalRow { name: "Sortino ratio".to_owned(), value: 1.32, low: 0.15, high: 2.7 },
            ],
        }),
        benchmarks: vec![NamedCurve { name: "buy and hold".to_owned(), curve: benchmark }],
        underwater: Some(underwater),
        rolling_window: "60 days".to_owned(),
        rolling_sharpe: Some(rolling_sharpe),
        rolling_volatility: Some(rolling_volatility),
        monthly_returns,
        returns: Some(Returns {
            period: "daily".to_owned(),
            references: vec![("value at risk, 95 %".to_owned(), -0.019)],
            values: returns,
        }),
        equity,
        symbols,
        orders: trades.iter().enumerate().map(|(index, trade)| order(index, trade)).collect(),
        trades,
        ..ReportData::default()
    };
    add_model(&mut data, &mut lots);
    add_robustness(&mut data, &mut lots);
    data
}

fn walk(days: usize, drift: f64, volatility: f64, lots: &mut Lots) -> Curve {
    let mut value = 10_000.0;
    let mut curve = Curve::default();
    for day in 0..days {
        curve.times.push(START + day as i64 * DAY);
        curve.values.push(value);
        value *= (drift + volatility * lots.normal()).exp();
    }
    curve
}

fn metrics() -> Vec<Metric> {
    [
        (
            "Total return",
            "+31.20 %",
            Some("+12.70 %"),
            "Equity at the end over equity at the beginning, less one.",
        ),
        ("Sharpe ratio, a year", "0.91", Some("0.61"), "Mean excess return over its standard deviation."),
        (
            "Deepest drawdown",
            "\u{2212}14.80 %",
            Some("\u{2212}38.10 %"),
            "Largest fall from a peak of equity.",
        ),
        ("Trades", "60", None, ""),
    ]
    .map(|(name, value, benchmark, hint)| Metric {
        name: name.to_owned(),
        value: value.to_owned(),
        benchmark: benchmark.map(str::to_owned),
        hint: hint.to_owned(),
    })
    .into()
}

fn targets() -> Vec<Target> {
    [
        ("Sharpe ratio", "at least 0.80", "0.91", Outcome::Met),
        ("Deflated Sharpe ratio", "at least 0.95", "0.71", Outcome::NotMet),
        ("Loss on a day of a crash", "at most 5 %", "no such day", Outcome::Unknown),
    ]
    .map(|(name, wanted, reached, outcome)| Target {
        name: name.to_owned(),
        wanted: wanted.to_owned(),
        reached: reached.to_owned(),
        outcome,
    })
    .into()
}

fn order(index: usize, trade: &TradeRow) -> OrderRow {
    OrderRow {
        time: trade.opened,
        id: format!("made-up-{index}"),
        symbol: trade.symbol.clone(),
        side: if trade.side == TradeSide::Long { "buy" } else { "sell" }.to_owned(),
        kind: "market".to_owned(),
        quantity: trade.quantity,
        limit_price: None,
        filled: trade.quantity,
        mean_price: Some(trade.entry_price),
        fees: trade.fees,
        state: "filled".to_owned(),
        reason: "opening".to_owned(),
    }
}

fn add_model(data: &mut ReportData, lots: &mut Lots) {
    data.confusion = Some(Confusion {
        classes: sentences(&["down", "flat", "up"]),
        counts: vec![310, 220, 140, 190, 640, 210, 120, 230, 350],
    });
    data.calibration = ["before", "after"]
        .iter()
        .map(|name| Calibration {
            name: (*name).to_owned(),
            bins: (0..8)
                .map(|bin| {
                    let mean_predicted = (f64::from(bin) + 0.5) / 8.0;
                    let observed_share = (mean_predicted + 0.05 * lots.normal()).clamp(0.0, 1.0);
                    CalibrationBin { mean_predicted, observed_share, count: 40 + lots.next() % 200 }
                })
                .collect(),
        })
        .collect();
    data.importance_label = "mean |SHAP value|".to_owned();
    data.importance = ["log_return_1", "rsi_14", "volatility_24", "funding_rate", "hour_of_day"]
        .iter()
        .zip([0.31, 0.22, 0.12, 0.07, 0.02])
        .map(|(feature, value)| Importance {
            feature: (*feature).to_owned(),
            value,
            interval: Some((value * 0.8, value * 1.25)),
        })
        .collect();
}

fn add_robustness(data: &mut ReportData, lots: &mut Lots) {
    let quantiles = [(0.05, -1.64), (0.25, -0.67), (0.5, 0.0), (0.75, 0.67), (0.95, 1.64)];
    let path = |(level, deviation): (f64, f64)| QuantilePath {
        level,
        values: (0..data.equity.times.len())
            .map(|day| 10_000.0 * (0.0005 * day as f64 + deviation * 0.013 * (day as f64).sqrt()).exp())
            .collect(),
    };
    data.monte_carlo = Some(MonteCarlo {
        method: "1000 paths from daily returns in blocks of 10 days on average (stationary bootstrap)."
            .to_owned(),
        times: data.equity.times.clone(),
        quantiles: quantiles.into_iter().map(path).collect(),
        final_equity: (0..1_000).map(|_| 12_000.0 * (0.25 * lots.normal()).exp()).collect(),
    });
    data.sensitivity = vec![SensitivityGrid {
        title: "Sharpe ratio by stop and window".to_owned(),
        row_label: "stop, %".to_owned(),
        column_label: "window, candles".to_owned(),
        value_label: "Sharpe ratio, a year".to_owned(),
        rows: sentences(&["1", "2", "3", "5"]),
        columns: sentences(&["12", "24", "48", "96", "168"]),
        values: (0..20).map(|cell| (cell != 13).then(|| 0.6 + 0.5 * lots.normal())).collect(),
        chosen: Some((1, 2)),
    }];
    data.tables = vec![NamedTable {
        title: "By <regime>".to_owned(),
        note: "Days of each kind.".to_owned(),
        columns: sentences(&["Regime", "Days", "Return"]),
        rows: vec![sentences(&["bull", "120", "3.1 %"]), sentences(&["bear & calm", "64", "-2.0 %"])],
    }];
    data.walk_forward = Some(WalkForward {
        metric_names: sentences(&["Return, %", "Sharpe ratio", "Trades"]),
        score_label: "Sharpe ratio, a year".to_owned(),
        folds: [Some(1.1), Some(0.4), Some(-0.7), None, Some(1.6)]
            .into_iter()
            .enumerate()
            .map(|(index, score)| Fold {
                label: format!("fold {}", index + 1),
                train: format!("2024-{:02} to 2024-{:02}", index + 1, index + 6),
                test: format!("2024-{:02}", index + 7),
                metrics: vec![
                    score.map_or("–".to_owned(), |score| format!("{:.1}", 3.0 * score)),
                    score.map_or("–".to_owned(), |score| format!("{score:.2}")),
                    if score.is_some() { "12" } else { "0" }.to_owned(),
                ],
                score,
            })
            .collect(),
    });
}
