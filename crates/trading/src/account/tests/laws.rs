//! What must hold of any sequence of events, over many random ones.

use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use rust_decimal::Decimal;

use super::{account, decimal, fill, tiers};
use crate::account::{Account, LedgerEntry, MarginMode, PositionMode};
use crate::money::amount;
use crate::order::{InstrumentIndex, PositionSide, Purpose, Side};
use crate::orders::{FeeCurrency, Fill};

/// First price in ticks, then tick and lot as whole numbers and places.
type Market = (i64, (i64, u32), (i64, u32));

/// Products of the last two have 13 places, so that fills, parts and margins are rounded.
const MARKETS: [Market; 3] =
    [(300_000, (1, 1), (1, 3)), (20_000_000_003, (1, 7), (10_007, 6)), (1_234_567, (1, 7), (1, 6))];

/// The same account kept in the plainest way: what was traded, and what else moved cash.
struct Plain {
    account: Account,
    /// Last price of each instrument, in ticks.
    ticks: [i64; 3],
    /// Deposits less withdrawals, less the money of all fills and their fees in quote currency, plus funding.
    cash: Decimal,
    realised: Decimal,
    fees: Decimal,
    funding: Decimal,
    insurance: Decimal,
    deposits: Decimal,
    entries: Vec<LedgerEntry>,
}

impl Plain {
    fn price(&self, instrument: usize) -> Decimal {
        let (_, (unit, scale), _) = MARKETS[instrument];
        Decimal::new(self.ticks[instrument] * unit, scale)
    }

    /// A step of the price that moves any position by more than the last place of the books.
    fn step(instrument: usize) -> Decimal {
        Decimal::new(1, [1, 2, 7][instrument])
    }

    fn check(&self, after: &str) {
        self.account.check(after).unwrap();
    }

    fn book(&mut self, fill: &Fill) {
        let before = self.account.cash();
        let effect = self.account.fill(fill).unwrap();
        self.cash -= fill.side.signed(amount(fill.price * fill.quantity));
        if fill.fee_currency == FeeCurrency::Quote {
            self.cash -= fill.fee;
            assert_eq!(effect.fee, fill.fee);
        }
        self.cash += effect.insurance;
        self.realised += effect.realised;
        self.fees += effect.fee;
        self.insurance += effect.insurance;
        assert!(effect.insurance >= Decimal::ZERO);
        if fill.purpose == Purpose::Liquidation && self.account.config().margin_mode == MarginMode::Isolated {
            assert!(self.account.cash() >= before, "an isolated liquidation took cash");
        }
        self.entries.clear();
        effect.entries(fill.time, &mut self.entries);
        let moved: Decimal = self.entries.iter().map(|entry| entry.amount).sum();
        assert_eq!(before + moved, self.account.cash());
        self.check("fill");
    }

    fn trade(&mut self, instrument: usize, bits: u64) {
        let (_, _, (unit, scale)) = MARKETS[instrument];
        let index = InstrumentIndex(instrument as u16);
        let lots = [1, 3, 100, 1500][(bits % 4) as usize] * (1 + (bits >> 2) % 97) as i64;
        let mut side = if (bits >> 12) & 1 == 0 { Side::Buy } else { Side::Sell };
        let hedge = self.account.config().position_mode == PositionMode::Hedge && instrument != 2;
        let position_side = match (hedge, (bits >> 13) & 1) {
            (false, _) => PositionSide::Net,
            (true, 0) => PositionSide::Long,
            (true, _) => PositionSide::Short,
        };
        let held = self.account.position(index, position_side).quantity;
        let mut quantity = Decimal::new(lots * unit, scale);
        if instrument == 2 {
            quantity *= Decimal::ONE_THOUSAND;
        }
        // Now and then exactly all of it.
        if (bits >> 14).is_multiple_of(8) && !held.is_zero() {
            (side, quantity) = (Side::of_change(-held), held.abs());
        }
        let mut fill = fill(index, position_side, side, quantity, self.price(instrument));
        let rate = if (bits >> 20) & 1 == 0 { Decimal::new(55, 5) } else { Decimal::new(-1, 4) };
        fill.fee = amount(fill.price * quantity * rate);
        if instrument == 2 && (bits >> 21) & 1 == 0 && side == Side::Buy {
            (fill.fee, fill.fee_currency) = (amount(quantity * rate), FeeCurrency::Base);
        }
        let closes = !held.is_zero() && held.is_sign_negative() == (side == Side::Buy);
        let impossible = match position_side {
            PositionSide::Net => instrument == 2 && side == Side::Sell && quantity > held,
            PositionSide::Long => side == Side::Sell && !(closes && quantity <= held.abs()),
            PositionSide::Short => side == Side::Buy && !(closes && quantity <= held.abs()),
        };
        if impossible {
            let before = self.account.clone();
            assert!(self.account.fill(&fill).is_err());
            assert_eq!(self.account, before);
        } else {
            self.book(&fill);
        }
    }

    fn mark(&mut self, instrument: usize, bits: u64) {
        // From −20 % to +25 % of the price before, rarely by a whole fifth.
        let (numerator, denominator) = if bits.is_multiple_of(8) {
            ((bits >> 3) % 2 * 9 + 16, 20)
        } else {
            ((bits >> 3) % 601 + 9_700, 10_000)
        };
        let next = self.ticks[instrument] * numerator as i64 / denominator;
        self.ticks[instrument] = next.clamp(MARKETS[instrument].0 / 100, MARKETS[instrument].0 * 100);
        self.account.mark(InstrumentIndex(instrument as u16), self.price(instrument)).unwrap();
        self.check("mark");
    }

    fn liquidate(&mut self, bits: u64) {
        let mut steps = 0;
        while let Some(due) = self.account.liquidations().next() {
            let instrument = due.instrument.get();
            let price = match bits % 3 {
                0 => self.price(instrument),
                1 => (self.price(instrument)
                    * Decimal::new(if due.quantity.is_sign_negative() { 103 } else { 97 }, 2))
                .round_dp(7),
                _ => {
                    self.account.bankruptcy_price(due.instrument, due.side).unwrap_or(self.price(instrument))
                }
            };
            let mut fill =
                fill(due.instrument, due.side, Side::of_change(-due.quantity), due.quantity.abs(), price);
            fill.purpose = Purpose::Liquidation;
            fill.fee = amount(fill.price * fill.quantity * Decimal::new(55, 5));
            self.book(&fill);
            steps += 1;
            assert!(steps <= 4, "liquidation does not end");
        }
    }

    fn transfer(&mut self, bits: u64) {
        let cash = Decimal::new(1 + (bits % 100_000_000_000) as i64, 8);
        if (bits >> 40) & 1 == 0 {
            self.account.deposit(cash).unwrap();
            (self.cash, self.deposits) = (self.cash + cash, self.deposits + cash);
        } else if cash <= self.account.free().min(self.account.cash()) {
            self.account.withdraw(cash).unwrap();
            (self.cash, self.deposits) = (self.cash - cash, self.deposits - cash);
        } else {
            assert!(self.account.withdraw(cash).is_err());
        }
        self.check("transfer");
    }

    fn fund(&mut self, instrument: usize, bits: u64) {
        let rate = Decimal::new((bits % 2001) as i64 - 1000, 6);
        let before = self.account.cash();
        let received =
            self.account.funding(InstrumentIndex(instrument as u16), rate, self.price(instrument)).unwrap();
        let held = self.account.positions().filter(|open| open.instrument.get() == instrument);
        let paid: Decimal =
            held.map(|open| amount(amount(open.quantity * self.price(instrument)) * rate)).sum();
        assert_eq!(received, -paid, "long pays where the rate is above zero");
        assert_eq!(before + received, self.account.cash());
        self.cash += received;
        self.funding += received;
        self.check("funding");
    }

    fn play(&mut self, bits: u64) {
        let (kind, instrument, rest) = (bits % 16, ((bits >> 4) % 3) as usize, bits >> 8);
        match kind {
            0..=7 => self.trade(instrument, rest),
            8..=12 => self.mark(instrument, rest),
            13 | 14 if instrument < 2 => self.fund(instrument, rest),
            _ => self.transfer(rest),
        }
        self.liquidate(rest >> 30);
    }

    /// At the liquidation price a position is due, a tick nearer to the mark it is not. Where both sides are nearly hedged the equity
    /// moves by less than the last place of the maintenance margins, and it may take the next tick: seen once so far.
    fn liquidation_prices_hold(&self) -> usize {
        let mut found = 0;
        for position in self.account.positions().filter(|position| position.instrument.get() < 2) {
            let instrument = position.instrument.get();
            let (mark, tick) = (self.price(instrument), Self::step(instrument));
            let short = position.quantity.is_sign_negative();
            let due_at = |price: Decimal| {
                let mut account = self.account.clone();
                account.mark(position.instrument, price).unwrap();
                account
                    .liquidations()
                    .any(|due| (due.instrument, due.side) == (position.instrument, position.side))
            };
            match self.account.liquidation_price(position.instrument, position.side) {
                Some(price) if short => {
                    assert!(price > mark, "{price} {mark}");
                    assert!(due_at(price) || due_at(price + tick), "{position:?} at {price}");
                    assert!(!due_at((price - tick).max(mark)), "{position:?} before {price}");
                    found += 1;
                }
                Some(price) => {
                    assert!(price < mark, "{price} {mark}");
                    let beyond = price - tick;
                    let is_due = due_at(price) || beyond > Decimal::ZERO && due_at(beyond);
                    assert!(is_due, "{position:?} at {price}");
                    assert!(!due_at((price + tick).min(mark)), "{position:?} before {price}");
                    found += 1;
                }
                None => {
                    let far = if short { mark * Decimal::ONE_HUNDRED } else { tick };
                    assert!(!due_at(far), "{position:?} at {far}");
                }
            }
        }
        found
    }

    fn close_all(&mut self) {
        loop {
            let Some(open) = self.account.positions().next() else { break };
            let price = self.price(open.instrument.get());
            let mut fill =
                fill(open.instrument, open.side, Side::of_change(-open.quantity), open.quantity.abs(), price);
            fill.fee = amount(fill.price * fill.quantity * Decimal::new(55, 5));
            self.book(&fill);
        }
        let account = &self.account;
        let known = self.deposits + self.realised - self.fees + self.funding + self.insurance;
        assert_eq!(account.cash(), known, "deposits + realised − fees + funding + insurance");
        assert_eq!(account.cash(), self.cash, "the money of all fills");
        assert_eq!((account.equity(), account.unrealised()), (account.cash(), Decimal::ZERO));
        assert_eq!((account.initial_margin(), account.gross_notional()), (Decimal::ZERO, Decimal::ZERO));
        let ledger = account.ledger();
        assert_eq!(
            (ledger.realised, ledger.fees, ledger.funding, ledger.insurance),
            (self.realised, self.fees, self.funding, self.insurance)
        );
    }
}

fn templates() -> Vec<Account> {
    let mut templates = Vec::new();
    for position_mode in [PositionMode::OneWay, PositionMode::Hedge] {
        for margin_mode in [MarginMode::Isolated, MarginMode::Cross] {
            for (leverage, cash) in [("3", "100000"), ("20", "20000")] {
                let btc = tiers(&[
                    ("20000", "0.005", "100"),
                    ("100000", "0.0125", "50"),
                    ("500000", "0.025", "10"),
                ]);
                let eth = tiers(&[("30000", "0.01", "50"), ("60000", "0.02", "25")]);
                templates.push(account(position_mode, margin_mode, leverage, cash, btc, eth));
            }
        }
    }
    templates
}

#[test]
fn the_books_balance_to_the_last_decimal() {
    let templates = templates();
    let counts = std::cell::Cell::new([0_usize; 3]);
    let config = Config { cases: 100_000, failure_persistence: None, ..Config::default() };
    let cases = (0..templates.len(), proptest::collection::vec(any::<u64>(), 1..14));
    let outcome = TestRunner::new(config).run(&cases, |(template, events)| {
        let account = templates[template].clone();
        let cash = account.cash();
        let ticks = MARKETS.map(|(first, _, _)| first);
        let (realised, fees, funding, insurance) = Default::default();
        let entries = Vec::with_capacity(8);
        let mut plain =
            Plain { account, ticks, cash, realised, fees, funding, insurance, deposits: cash, entries };
        events.iter().for_each(|&bits| plain.play(bits));
        let prices = plain.liquidation_prices_hold();
        let insured = usize::from(!plain.insurance.is_zero());
        plain.close_all();
        let [cases, found, insurances] = counts.get();
        counts.set([cases + 1, found + prices, insurances + insured]);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let [cases, prices, insured] = counts.get();
    assert!(cases >= 100_000, "{cases} cases");
    assert!(prices > 50_000, "only {prices} liquidation prices were looked at");
    assert!(insured > 1000, "only {insured} cases had losses beyond the margin");
}

#[test]
fn an_error_in_the_books_is_found_and_named() {
    let mut account = templates().swap_remove(0);
    account
        .fill(&fill(InstrumentIndex(0), PositionSide::Net, Side::Buy, decimal("0.1"), decimal("30000")))
        .unwrap();
    account.check("a good fill").unwrap();
    type Spoil = fn(&mut Account);
    let wrongs: [(Spoil, &str); 5] = [
        (|account| account.cash += Decimal::new(1, 12), "cash flow and marks"),
        (|account| account.ledger.realised -= Decimal::new(1, 12), "realised and unrealised"),
        (|account| account.ledger.trade_cash_flow += Decimal::new(1, 12), "trade cash flow"),
        (|account| account.margins += Decimal::new(1, 12), "margins"),
        (|account| account.slots[0].quantity += Decimal::new(1, 12), "quantity of BTC/USDT:USDT"),
    ];
    for (spoil, law) in wrongs {
        let mut spoiled = account.clone();
        spoil(&mut spoiled);
        let error = spoiled.check("a bad fill").unwrap_err().to_string();
        assert!(
            error.contains(law) && error.contains("a bad fill") && error.contains("0.000000000001"),
            "{error}"
        );
    }
}
