//! Backtests a moving-average crossover over the candles of a file, and writes its trades as JSON:
//! `cargo run --release -p sim --example crossover -- CANDLES.csv fast=10 slow=30 share=0.5 fee=0.00055 > TRADES.json`.
//!
//! The file has a heading with the columns timestamp (ISO 8601 or milliseconds, of the open), open, high, low, close and volume.
//! `long-only`, `stop=0.03 target=0.06` (fractions of the entry price) and `repeat=5` (runs the loop so often, for its time) are
//! possible. Nothing slips, volume limits nothing, limits touch. `benches/peers/` holds it against other backtesters.

use std::error::Error;
use std::io::Write;
use std::time::Instant;

use market_data::{Candle, CandleColumns, CandleSeries, SeriesKey, Symbol, Timeframe};
use rust_decimal::Decimal;
use sim::backtest::{
    BacktestConfig, BacktestInstrument, BacktestResult, CostAssumptions, assumed_terms, run_backtest,
};
use sim::venue::Slippage;
use trading::exit::{ExitPlan, ProfitRule, ProfitTarget, StopRule};
use trading::strategy::{Direction, MovingAverageCrossover, MovingAverageCrossoverConfig};

struct Options {
    strategy: MovingAverageCrossoverConfig,
    fee: Decimal,
    cash: Decimal,
    repeat: usize,
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options {
        strategy: MovingAverageCrossoverConfig::default(),
        fee: Decimal::ZERO,
        cash: Decimal::from(10_000),
        repeat: 1,
    };
    let strategy = &mut options.strategy;
    strategy.exits = None;
    // A crossing the other way ends a position too.
    let mut plan = ExitPlan { opposite_signal: true, ..ExitPlan::default() };
    for argument in arguments {
        match argument.split_once('=').unwrap_or((&argument, "")) {
            ("long-only", "") => strategy.direction = Direction::LongOnly,
            ("fast", value) => strategy.fast = value.parse()?,
            ("slow", value) => strategy.slow = value.parse()?,
            ("share", value) => strategy.exposure = value.parse()?,
            ("fee", value) => options.fee = value.parse()?,
            ("cash", value) => options.cash = value.parse()?,
            ("repeat", value) => options.repeat = value.parse()?,
            ("stop", value) => plan.stop = Some(StopRule::Fraction(value.parse()?)),
            ("target", value) => {
                let distance = ProfitRule::Fraction(value.parse()?);
                plan.targets[0] = Some(ProfitTarget { distance, share: 1.0 });
            }
            _ => return Err(format!("`{argument}` is no option; see the head of this file").into()),
        }
    }
    strategy.exits = (plan.stop.is_some() || plan.targets[0].is_some()).then_some(plan);
    Ok(options)
}

fn read(text: &str) -> Result<CandleColumns, Box<dyn Error>> {
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let place = |name: &str| {
        heading.iter().position(|column| *column == name).ok_or(format!("the heading has no {name}"))
    };
    let columns = ["timestamp", "open", "high", "low", "close", "volume"].map(place);
    let [time, open, high, low, close, volume] = columns;
    let (time, numbers) = (time?, [open?, high?, low?, close?, volume?]);
    let mut candles = CandleColumns::default();
    for (at, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |at_field: usize| {
            fields.get(at_field).copied().ok_or(format!("line {}: `{line}` is too short", at + 2))
        };
        let mut values = [0.0; 5];
        for (value, column) in values.iter_mut().zip(numbers) {
            *value = field(column)?.parse()?;
        }
        let [open, high, low, close, volume] = values;
        let open_time = field(time)?.parse()?;
        candles.push(&Candle { open_time, open, high, low, close, volume, turnover: None });
    }
    Ok(candles)
}

fn config(options: &Options) -> BacktestConfig {
    let mut config = BacktestConfig { cash: options.cash, ..BacktestConfig::default() };
    let limits = &mut config.engine.limits;
    limits.daily_loss = Decimal::ONE;
    limits.maximum_order_notional = Decimal::from(1_000_000_000);
    config.venue.slippage = Slippage::None;
    config.venue.volume_share = None;
    config.venue.touch_fills = true;
    config
}

fn json(result: &BacktestResult, instrument: &BacktestInstrument<'_>, seconds: &[f64]) -> serde_json::Value {
    let rules = &instrument.terms.instrument.rules()[0];
    let trades: Vec<serde_json::Value> = result
        .trades
        .iter()
        .map(|trade| {
            serde_json::json!({
                "opened_ms": trade.opened.as_millis(), "closed_ms": trade.closed.as_millis(), "side": trade.side,
                "quantity": trade.quantity, "entry_price": trade.entry_price, "exit_price": trade.exit_price,
                "gross": trade.gross, "fees": trade.fees, "net": trade.net, "exit": trade.exit,
            })
        })
        .collect();
    serde_json::json!({
        "candles": instrument.series.len(), "tick": rules.tick_size, "lot": rules.lot_size,
        "final_equity": result.curve.equity.last(), "open_at_the_end": result.open_at_the_end,
        "refused": result.refused, "rejected": result.rejected, "liquidations": result.liquidations,
        "loop_seconds": seconds, "trades": trades,
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("name a file of candles")?;
    let options = options(arguments)?;
    let columns = read(&std::fs::read_to_string(path)?)?;
    let times = &columns.open_time;
    let step = times.windows(2).map(|pair| pair[1].since(pair[0])).min().ok_or("give two candles")?;
    let every: [Timeframe; 4] = [Timeframe::M1, Timeframe::M15, Timeframe::H1, Timeframe::D1];
    let timeframe = every.into_iter().find(|one| one.millis() == step).ok_or("give 1m, 15m, 1h or 1d")?;
    let symbol = Symbol::new("BTC", "USDT", Some("USDT"))?;
    let series = CandleSeries::new(SeriesKey::new("bybit-linear".parse()?, symbol, timeframe), columns)?;
    let costs = CostAssumptions {
        perpetual_taker_fee: options.fee,
        perpetual_maker_fee: options.fee,
        ..Default::default()
    };
    let instrument = BacktestInstrument {
        terms: assumed_terms(&series, &costs)?,
        series: &series,
        detail: None,
        funding: Vec::new(),
        signals: Vec::new(),
    };
    let (mut seconds, mut last) = (Vec::new(), None);
    for _ in 0..options.repeat.max(1) {
        let strategy = MovingAverageCrossover::new(&options.strategy, 1)?;
        let begun = Instant::now();
        last =
            Some(run_backtest(&config(&options), strategy, std::slice::from_ref(&instrument), &mut |_| {})?);
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let result = last.ok_or("give repeat=1 or more")?;
    writeln!(std::io::stdout().lock(), "{}", json(&result, &instrument, &seconds))?;
    Ok(())
}
