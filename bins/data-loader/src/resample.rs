//! `data-loader resample`

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use market_data::store::{OnConflict, Store};
use market_data::{Resampled, SeriesKey, Timeframe, resample};
use serde::Serialize;

use crate::configuration::Configuration;
use crate::selection::Selection;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// The longer timeframe to build
    #[arg(long, value_name = "TIMEFRAME")]
    to: Timeframe,

    /// Directory of the store
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,

    /// What happens when a candle differs from a stored one: refuse, keep-stored, replace
    #[arg(long, value_name = "WHAT")]
    on_conflict: Option<OnConflict>,

    #[command(flatten)]
    selection: Selection,
}

#[derive(Debug, Serialize)]
struct One {
    from: SeriesKey,
    to: SeriesKey,
    #[serde(flatten)]
    counts: Resampled,
    added: u64,
    already_stored: u64,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let store = Store::new(arguments.store.as_ref().unwrap_or(&configuration.store));
    let on_conflict = arguments.on_conflict.unwrap_or(configuration.on_conflict);
    let mut keys: Vec<SeriesKey> = arguments
        .selection
        .of(&store)?
        .into_iter()
        .filter(|key| key.timeframe < arguments.to && arguments.to.is_multiple_of(key.timeframe))
        .collect();
    // Of each symbol the shortest candles, which come first: longer ones may be built from them already,
    // and sums of sums differ in the last digit.
    keys.dedup_by(|next, first| next.venue == first.venue && next.symbol == first.symbol);
    ensure!(
        !keys.is_empty(),
        "no selected series of store {} can be resampled to {}; it must be a whole multiple of a stored timeframe",
        store.root().display(),
        arguments.to
    );
    let bar = common.progress().bar(keys.len() as u64, "resample");
    let mut done = Vec::with_capacity(keys.len());
    for key in keys {
        let (long, counts) = resample(&store.read(&key)?, arguments.to)?;
        let appended = store.append(&long, on_conflict)?;
        done.push(One {
            from: key,
            to: long.key().clone(),
            counts,
            added: appended.added,
            already_stored: appended.already_stored,
        });
        bar.advance(1);
    }
    bar.finish();
    if common.is_json() {
        print_json(&serde_json::json!({ "command": "resample", "store": store.root(), "series": done }))?;
    } else {
        let mut table = Table::new(["from", "to", "built", "incomplete, not built", "new in the store"]);
        for one in &done {
            table.row([
                one.from.to_string(),
                one.to.timeframe.to_string(),
                one.counts.complete.to_string(),
                one.counts.incomplete.to_string(),
                one.added.to_string(),
            ]);
        }
        table.print()?;
        print_text(&format!("store: {}\n", store.root().display()))?;
    }
    Ok(Outcome::Fine)
}
