//! `data-loader generate`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use command_line::{CommonArguments, Outcome};
use market_data::quality::{GapSummary, QualityReport};
use market_data::store::{Appended, OnConflict, Store};
use market_data::synthetic::{MarketShape, SyntheticMarket, SyntheticModel, SyntheticSymbol};
use market_data::{CandleSeries, ExogenousSeries, Timeframe, Timestamp};

use crate::configuration::Configuration;
use crate::import::other_of;
use crate::report::{File, Report, Status};

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Law of the market: regime, gbm, heston, merton, ornstein-uhlenbeck, cir, fractional-brownian,
    /// planted, noise; its parameters are set with --set generate.market.NAME=VALUE
    #[arg(long, visible_alias = "process", value_name = "MODEL")]
    model: Option<String>,

    /// How many symbols
    #[arg(long, value_name = "N")]
    symbols: Option<usize>,

    /// How many candles per symbol
    #[arg(long, value_name = "N")]
    candles: Option<usize>,

    /// How long each candle is
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,

    /// Open time of the first candle
    #[arg(long, value_name = "TIME")]
    start: Option<Timestamp>,

    /// The seed from which everything follows
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,

    /// Directory of the store
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// What happens when a candle differs from a stored one: refuse, keep-stored, replace
    #[arg(long, value_name = "WHAT")]
    on_conflict: Option<OnConflict>,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let model = model(arguments.model.as_deref(), &configuration.generate.market)?;
    let shape = shape(arguments, &configuration.generate.shape)?;
    let store = Store::new(arguments.store.as_ref().unwrap_or(&configuration.store));
    let on_conflict = arguments.on_conflict.unwrap_or(configuration.on_conflict);
    let spinner = common.progress().spinner("generate");
    let market = model.generate(&shape)?;
    spinner.finish();
    let mut file = File::new(None, Status::Generated);
    if let Some(best) = market.bayes() {
        file.notes.push(format!(
            "the best possible classifier has accuracy {:.4} and log loss {:.4}; always naming the commonest class has {:.4}",
            best.accuracy, best.log_loss, best.majority
        ));
    }
    // A market is stored whole: no series is, where another one conflicts.
    if on_conflict == OnConflict::Refuse {
        market.series.iter().try_for_each(|series| store.check(series))?;
    }
    let bar = common.progress().bar(market.series.len() as u64, "store");
    let mut stored = Appended::default();
    for (index, series) in market.series.iter().enumerate() {
        let appended = store.append(series, on_conflict)?;
        stored.added += appended.added;
        stored.already_stored += appended.already_stored;
        stored.conflicts += appended.conflicts;
        file.series.push(serde_json::to_value(report_of(series, &market.description))?);
        if let Some(optimum) = bayes_series(&market, index, series)? {
            store.append_exogenous(&optimum, on_conflict)?;
            file.exogenous.push(other_of(&optimum));
        }
        bar.advance(1);
    }
    bar.finish();
    file.stored = Some(stored);
    let report = Report::new("generate", Some(store.root().display().to_string()), vec![file]);
    report.print(common)?;
    Ok(Outcome::Fine)
}

/// The named model; with its configured parameters when it is the configured one.
fn model(name: Option<&str>, configured: &SyntheticModel) -> anyhow::Result<SyntheticModel> {
    match name {
        None => Ok(*configured),
        Some(name) if name == configured.name() => Ok(*configured),
        Some(name) => serde_json::from_value(serde_json::json!({ "model": name }))
            .with_context(|| format!("--model {name}: no such model")),
    }
}

/// The configured shape with what the command line says on top.
fn shape(arguments: &Arguments, configured: &MarketShape) -> anyhow::Result<MarketShape> {
    let mut shape = configured.clone();
    if let Some(count) = arguments.symbols {
        anyhow::ensure!((1..=1_000).contains(&count), "--symbols {count}: give 1 to 1000");
        shape.symbols.truncate(count);
        // Beyond the configured symbols there are made-up ones, with names that no exchange has.
        for number in shape.symbols.len() + 1..=count {
            let price = 10_f64.powi((number % 5) as i32);
            let mut symbol = SyntheticSymbol::new(&format!("SYN{number}/USDT:USDT"), price)?;
            symbol.price_decimals = 4 - u32::try_from(number % 5).unwrap_or(0).min(3);
            symbol.beta = 0.8 + 0.1 * (number % 7) as f64;
            shape.symbols.push(symbol);
        }
    }
    shape.candles = arguments.candles.unwrap_or(shape.candles);
    shape.timeframe = arguments.timeframe.unwrap_or(shape.timeframe);
    shape.start = arguments.start.unwrap_or(shape.start);
    shape.seed = arguments.seed.unwrap_or(shape.seed);
    Ok(shape)
}

/// What is known about a generated series, in the words of a quality report.
fn report_of(series: &CandleSeries, description: &str) -> QualityReport {
    let rows = series.len() as u64;
    let (first, last) = series.range().unzip();
    QualityReport {
        key: series.key().clone(),
        file: String::new(),
        rows_read: rows,
        rows,
        removed: 0,
        first,
        last,
        gaps: GapSummary::of(series.gaps()),
        zero_volume: series.columns().volume.iter().filter(|volume| **volume == 0.0).count() as u64,
        findings: std::collections::BTreeMap::new(),
        signs: Vec::new(),
        notes: vec![format!("synthetic: {description}")],
        content_hash: series.columns().content_hash(),
    }
}

/// The probabilities of the best possible classifier beside the candles, known when each candle closes.
fn bayes_series(
    market: &SyntheticMarket,
    index: usize,
    series: &CandleSeries,
) -> anyhow::Result<Option<ExogenousSeries>> {
    let Some(rows) = market.probabilities.as_ref().and_then(|all| all.get(index)) else { return Ok(None) };
    let key = series.key();
    let name = format!("bayes_{}_{}", key.symbol.exchange_id(), key.timeframe);
    let column = |class: usize| rows.iter().map(|row| row[class]).collect::<Vec<f64>>();
    Ok(Some(ExogenousSeries::with_known_at(
        &name,
        ["sell", "hold", "buy"].map(str::to_owned).to_vec(),
        series.columns().open_time.clone(),
        (0..series.len()).map(|row| series.close_time(row)).collect(),
        vec![column(0), column(1), column(2)],
    )?))
}
