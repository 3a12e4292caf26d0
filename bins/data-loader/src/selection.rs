//! Which stored series a command works on.

use anyhow::ensure;
use clap::Args;
use market_data::store::Store;
use market_data::{SeriesKey, Timeframe, Venue};

/// Stored series, by venue, symbol and timeframe; all of them where nothing is said.
#[derive(Args, Clone, Debug, Default)]
#[command(about = None, long_about = None)]
pub(crate) struct Selection {
    /// Only series of this venue
    #[arg(long, value_name = "VENUE")]
    venue: Option<Venue>,

    /// Only series of this symbol, in any spelling
    #[arg(long, value_name = "SYMBOL")]
    symbol: Option<String>,

    /// Only series of this timeframe
    #[arg(long, value_name = "TIMEFRAME")]
    timeframe: Option<Timeframe>,
}

impl Selection {
    /// The keys that are selected; an error when there are none.
    pub(crate) fn of(&self, store: &Store) -> anyhow::Result<Vec<SeriesKey>> {
        let keys = store.keys()?;
        let held = keys.len();
        ensure!(
            held > 0,
            "store {}: it holds no candles; import or generate some first",
            store.root().display()
        );
        let selected: Vec<SeriesKey> = keys.into_iter().filter(|key| self.matches(key)).collect();
        ensure!(
            !selected.is_empty(),
            "store {}: none of its {held} series is selected; list them with `data-loader inspect --store`",
            store.root().display()
        );
        Ok(selected)
    }

    fn matches(&self, key: &SeriesKey) -> bool {
        self.venue.as_ref().is_none_or(|venue| *venue == key.venue)
            && self.symbol.as_ref().is_none_or(|text| key.is_of(text))
            && self.timeframe.is_none_or(|timeframe| timeframe == key.timeframe)
    }
}
