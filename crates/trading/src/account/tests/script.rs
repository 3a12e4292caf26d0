//! Plays accounts written as text: one event a line, what must be true after it behind the bar.

use market_data::Timestamp;
use rust_decimal::Decimal;

use super::{BTC, COIN, ETH, account, decimal, fill, tiers};
use crate::account::{Account, FillEffect, LedgerKind, MarginMode, PositionMode};
use crate::error::TradingError;
use crate::order::{InstrumentIndex, PositionSide, Purpose, Side};
use crate::orders::{FeeCurrency, Fill};

const NAMES: [(&str, InstrumentIndex); 3] = [("BTC", BTC), ("ETH", ETH), ("COIN", COIN)];

/// What an event led to.
enum Outcome {
    Fill(Box<FillEffect>),
    Cash(Decimal),
    Nothing,
}

fn open(line: &str) -> Account {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["account", position, margin, leverage, "cash", cash] = words.as_slice() else {
        panic!("`{line}` opens no account");
    };
    let position = if *position == "hedge" { PositionMode::Hedge } else { PositionMode::OneWay };
    let margin = if *margin == "cross" { MarginMode::Cross } else { MarginMode::Isolated };
    let btc = tiers(&[("2000000", "0.005", "100"), ("10000000", "0.01", "50"), ("20000000", "0.015", "25")]);
    let eth = tiers(&[("1000000", "0.01", "50"), ("5000000", "0.02", "25")]);
    account(position, margin, leverage.trim_end_matches('x'), cash, btc, eth)
}

fn fill_of(instrument: InstrumentIndex, side: PositionSide, words: &[&str]) -> Fill {
    let [verb, quantity, "@", price, rest @ ..] = words else { panic!("{words:?} is no fill") };
    let direction = if *verb == "buy" { Side::Buy } else { Side::Sell };
    let mut fill = fill(instrument, side, direction, decimal(quantity), decimal(price));
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        match *word {
            "liquidated" => fill.purpose = Purpose::Liquidation,
            "fee" => fill.fee = decimal(rest.next().unwrap()),
            "coin-fee" => {
                fill.fee = decimal(rest.next().unwrap());
                fill.fee_currency = FeeCurrency::Base;
            }
            other => panic!("{other} is no part of a fill"),
        }
    }
    fill
}

/// Plays `event`, with the entries of it held against cash.
fn play(
    account: &mut Account,
    event: &str,
) -> Result<(Outcome, InstrumentIndex, PositionSide), TradingError> {
    let words: Vec<&str> = event.split_whitespace().collect();
    let instrument = NAMES.iter().find(|(name, _)| *name == words[0]).map_or(BTC, |(_, index)| *index);
    let (side, rest) = match words.get(1) {
        Some(&"long") => (PositionSide::Long, &words[2..]),
        Some(&"short") => (PositionSide::Short, &words[2..]),
        _ => (PositionSide::Net, &words[1..]),
    };
    let before = account.cash();
    let mut entries = Vec::new();
    let time = Timestamp::from_millis(0);
    let outcome = match (words[0], rest) {
        ("deposit", [cash]) => {
            account.deposit(decimal(cash))?;
            entries.push(account.entry(time, LedgerKind::Deposit, None, decimal(cash)));
            Outcome::Nothing
        }
        ("withdraw", [cash]) => {
            account.withdraw(decimal(cash))?;
            entries.push(account.entry(time, LedgerKind::Withdrawal, None, -decimal(cash)));
            Outcome::Nothing
        }
        (_, ["mark", price]) => {
            account.mark(instrument, decimal(price))?;
            Outcome::Nothing
        }
        (_, ["funding", rate, "@", price]) => {
            let received = account.funding(instrument, decimal(rate), decimal(price))?;
            entries.push(account.entry(time, LedgerKind::Funding, Some(instrument), received));
            Outcome::Cash(received)
        }
        _ => {
            let effect = account.fill(&fill_of(instrument, side, rest))?;
            effect.entries(time, &mut entries);
            Outcome::Fill(Box::new(effect))
        }
    };
    let mut balance = before;
    for entry in entries {
        balance += entry.amount;
        assert_eq!(entry.balance_after, balance, "{event}: {entry:?}");
    }
    assert_eq!(balance, account.cash(), "{event}: the entries do not explain cash");
    Ok((outcome, instrument, side))
}

fn found(account: &Account, played: &(Outcome, InstrumentIndex, PositionSide), key: &str) -> String {
    let (outcome, instrument, side) = played;
    let position = account.position(*instrument, *side);
    let of_fill = |read: fn(&FillEffect) -> Decimal| match outcome {
        Outcome::Fill(effect) => Some(read(effect)),
        _ => None,
    };
    let number = match key {
        "cash" => Some(account.cash()),
        "equity" => Some(account.equity()),
        "free" => Some(account.free()),
        "unrealised" => Some(account.unrealised()),
        "initial" => Some(account.initial_margin()),
        "maintenance" => Some(account.maintenance_margin()),
        "gross" => Some(account.gross_notional()),
        "exposure" => Some(account.exposure(*instrument)),
        "quantity" => Some(position.quantity),
        "cost" => Some(position.cost),
        "margin" => Some(position.margin),
        "value" => Some(position.value),
        "entry" => position.entry_price(),
        "liquidation" => account.liquidation_price(*instrument, *side),
        "bankruptcy" => account.bankruptcy_price(*instrument, *side),
        "realised" => of_fill(|effect| effect.realised),
        "fee" => of_fill(|effect| effect.fee),
        "closed" => of_fill(|effect| effect.closed),
        "opened" => of_fill(|effect| effect.opened),
        "insurance" => of_fill(|effect| effect.insurance),
        "received" => match outcome {
            Outcome::Cash(cash) => Some(*cash),
            _ => None,
        },
        "all-realised" => Some(account.ledger().realised),
        "all-fees" => Some(account.ledger().fees),
        "all-funding" => Some(account.ledger().funding),
        "all-insurance" => Some(account.ledger().insurance),
        "due" => {
            let names: Vec<&str> = account.liquidations().map(|due| NAMES[due.instrument.get()].0).collect();
            return if names.is_empty() { "nobody".to_owned() } else { names.join("+") };
        }
        "flat" => return if account.is_flat() { "yes" } else { "no" }.to_owned(),
        other => panic!("{other} cannot be expected"),
    };
    number.map_or("none".to_owned(), |number| number.normalize().to_string())
}

/// Plays a card: the first line opens the account, `#` begins a comment, `refused` expects an error that says the rest.
pub(super) fn run(name: &str, card: &str) {
    let mut lines = card.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let mut lines = lines.by_ref().filter(|line| !line.is_empty());
    let mut account = open(lines.next().unwrap());
    let mut expectations = 0;
    for line in lines {
        let (event, expected) = line.split_once('|').unwrap_or((line, ""));
        let (event, expected) = (event.trim(), expected.trim());
        if let Some(reason) = expected.strip_prefix("refused ") {
            let before = account.clone();
            let error = play(&mut account, event).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(reason), "{name}: {event}: {error}");
            assert_eq!(account, before, "{name}: {event} was refused but changed the account");
            expectations += 1;
            continue;
        }
        let played = play(&mut account, event).unwrap_or_else(|error| panic!("{name}: {event}: {error}"));
        for pair in expected.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap();
            let wanted =
                value.parse().map_or(value.to_owned(), |number: Decimal| number.normalize().to_string());
            assert_eq!(found(&account, &played, key), wanted, "{name}: {event}: {key}");
            expectations += 1;
        }
        account.check(event).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(expectations > 2, "{name} expects next to nothing");
}
