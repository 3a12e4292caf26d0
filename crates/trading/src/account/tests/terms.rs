//! Terms and configurations that make sense, and those that do not.

use rust_decimal::Decimal;

use super::{BTC, account, decimal, fill, instrument, terms, tiers};
use crate::account::{
    Account, AccountConfig, InstrumentTerms, MarginMode, MarginTier, MarginTiers, PositionMode,
};
use crate::error::TradingError;
use crate::order::{InstrumentIndex, Liquidity, PositionSide, Side};

fn field(error: &TradingError) -> &'static str {
    match error {
        TradingError::Config { field, .. } => field,
        other => panic!("{other}"),
    }
}

fn row(up_to: &str, rate: &str, leverage: &str) -> MarginTier {
    let (up_to, maintenance_rate) = (decimal(up_to), decimal(rate));
    MarginTier { up_to, maintenance_rate, maximum_leverage: decimal(leverage) }
}

#[test]
fn maintenance_is_continuous_over_the_borders_of_tiers() {
    let tiers =
        tiers(&[("2000000", "0.005", "100"), ("10000000", "0.01", "50"), ("20000000", "0.015", "25")]);
    // Slice by slice, as income tax: 2,000,000 × 0.5 %, + 8,000,000 × 1 %, + the rest × 1.5 %.
    for (value, expected) in [
        ("0", "0"),
        ("2000000", "10000"),
        ("2000000.01", "10000.0001"),
        ("10000000", "90000"),
        ("10000000.01", "90000.00015"),
        ("30000000", "390000"),
    ] {
        assert_eq!(tiers.maintenance(decimal(value)), decimal(expected), "{value}");
    }
    let deductions: Vec<Decimal> = tiers.lines().map(|(_, deduction)| deduction).collect();
    assert_eq!(deductions, [decimal("0"), decimal("10000"), decimal("60000")]);
    let text = toml::to_string(&std::collections::BTreeMap::from([("tiers", &tiers)])).unwrap();
    let back: std::collections::BTreeMap<String, MarginTiers> = toml::from_str(&text).unwrap();
    assert_eq!(back["tiers"], tiers);
}

#[test]
fn tiers_that_make_no_sense_are_refused_by_name() {
    for (rows, name) in [
        (vec![row("0", "0.005", "100")], "tiers.up_to"),
        (vec![row("10", "0.005", "100"), row("10", "0.01", "50")], "tiers.up_to"),
        (vec![row("10", "0", "100")], "tiers.maintenance_rate"),
        (vec![row("10", "1", "1")], "tiers.maintenance_rate"),
        (vec![row("10", "0.01", "50"), row("20", "0.01", "50")], "tiers.maintenance_rate"),
        (vec![row("10", "0.01", "50"), row("20", "0.02", "51")], "tiers.maximum_leverage"),
        (vec![row("10", "0.01", "0.5")], "tiers.maximum_leverage"),
        (vec![row("10", "0.01", "100")], "tiers.maximum_leverage"),
    ] {
        let error = MarginTiers::new(rows.clone()).unwrap_err();
        assert_eq!(field(&error), name, "{rows:?}");
    }
}

#[test]
fn terms_that_make_no_sense_are_refused_by_name() {
    let linear = terms("bybit-linear", "BTC/USDT:USDT", "10", tiers(&[("10", "0.005", "100")]));
    let spot = terms("bybit-spot", "BTC/USDT", "1", MarginTiers::default());
    assert_eq!((linear.validate("USDT"), spot.validate("USDT")), (Ok(()), Ok(())));
    let percent = decimal("0.055");
    let other = |venue: &str, symbol: &str| instrument(venue, symbol);
    for (wrong, name) in [
        (
            InstrumentTerms { instrument: other("bybit-inverse", "BTC/USD:BTC"), ..linear.clone() },
            "terms.instrument",
        ),
        (
            InstrumentTerms { instrument: other("bybit-linear", "BTC/USDC:USDC"), ..linear.clone() },
            "terms.instrument",
        ),
        (InstrumentTerms { instrument: other("bybit-spot", "ETH/BTC"), ..spot.clone() }, "terms.instrument"),
        (InstrumentTerms { maker_fee: -percent, ..linear.clone() }, "terms.maker_fee"),
        (InstrumentTerms { taker_fee: percent, ..linear.clone() }, "terms.taker_fee"),
        (InstrumentTerms { leverage: decimal("101"), ..linear.clone() }, "terms.leverage"),
        (InstrumentTerms { leverage: decimal("2"), ..spot.clone() }, "terms.leverage"),
        (InstrumentTerms { tiers: MarginTiers::default(), ..linear.clone() }, "terms.tiers"),
        (InstrumentTerms { tiers: linear.tiers.clone(), ..spot }, "terms.tiers"),
    ] {
        assert_eq!(field(&wrong.validate("USDT").unwrap_err()), name, "{wrong:?}");
    }
    // 10,000 × 5.5 basis points paid, × 1 basis point received.
    assert_eq!(linear.fee(decimal("10000"), Liquidity::Taker), decimal("5.5"));
    assert_eq!(linear.fee(decimal("10000"), Liquidity::Maker), decimal("-1"));
    let twice = Account::new(AccountConfig::default(), vec![linear.clone(), linear.clone()], Decimal::ONE);
    assert_eq!(field(&twice.unwrap_err()), "terms.instrument");
    let debt = Account::new(AccountConfig::default(), vec![linear], decimal("-1"));
    assert_eq!(field(&debt.unwrap_err()), "account.cash");
}

#[test]
fn configurations_are_read_strictly() {
    let config: AccountConfig =
        toml::from_str("position_mode = 'hedge'\nmargin_mode = 'cross'\nspot_collateral = true").unwrap();
    assert_eq!((config.position_mode, config.margin_mode), (PositionMode::Hedge, MarginMode::Cross));
    assert_eq!(config.validate(), Ok(()));
    assert!(toml::from_str::<AccountConfig>("margin = 'cross'").is_err());
    let isolated = AccountConfig { margin_mode: MarginMode::Isolated, ..config.clone() };
    assert_eq!(field(&isolated.validate().unwrap_err()), "account.spot_collateral");
    let lower = AccountConfig { settlement: "usdt".to_owned(), ..config };
    assert_eq!(field(&lower.validate().unwrap_err()), "account.settlement");
}

#[test]
fn what_cannot_be_accounted_leaves_the_account_as_it_was() {
    let tiers = tiers(&[("10000000", "0.005", "100")]);
    let mut account = account(PositionMode::OneWay, MarginMode::Isolated, "10", "1000", tiers.clone(), tiers);
    let good = fill(BTC, PositionSide::Net, Side::Buy, decimal("0.1"), decimal("30000"));
    account.fill(&good).unwrap();
    let before = account.clone();
    let unknown = InstrumentIndex(3);
    for wrong in [
        crate::orders::Fill { instrument: unknown, ..good },
        crate::orders::Fill { price: Decimal::ZERO, ..good },
        crate::orders::Fill { quantity: -good.quantity, ..good },
        crate::orders::Fill { quantity: decimal("0.0000000000001"), ..good },
        crate::orders::Fill { quantity: decimal("10000000000"), ..good },
        crate::orders::Fill { quantity: Decimal::MAX, price: Decimal::MAX, ..good },
        crate::orders::Fill { fee: decimal("100000000000000"), ..good },
    ] {
        assert!(account.fill(&wrong).is_err(), "{wrong:?}");
        assert_eq!(account, before, "{wrong:?}");
    }
    assert!(account.mark(unknown, Decimal::ONE).is_err());
    assert!(account.mark(BTC, Decimal::ZERO).is_err());
    assert!(account.mark(BTC, Decimal::MAX).is_err());
    assert!(account.funding(BTC, Decimal::ONE, Decimal::ONE).is_err());
    assert!(account.deposit(decimal("99999999999999.9")).is_err());
    assert_eq!(account, before);
    assert_eq!(
        (account.exposure(unknown), account.liquidation_price(unknown, PositionSide::Net)),
        (Decimal::ZERO, None)
    );
}

#[test]
fn coins_back_positions_only_where_the_configuration_says_so() {
    let tiers = tiers(&[("10000000", "0.005", "100")]);
    for (spot_collateral, free, due) in [(false, "-50", 1), (true, "350", 0)] {
        let config =
            AccountConfig { margin_mode: MarginMode::Cross, spot_collateral, ..AccountConfig::default() };
        let terms = vec![
            terms("bybit-linear", "BTC/USDT:USDT", "100", tiers.clone()),
            terms("bybit-spot", "SOL/USDT", "1", MarginTiers::default()),
        ];
        let mut account = Account::new(config, terms, decimal("500")).unwrap();
        // 400 of 500 go into coins, a perpetual of 3000 binds 30, and loses 120: 100 − 120 − 30 without the coins.
        let coins = fill(InstrumentIndex(1), PositionSide::Net, Side::Buy, decimal("4"), decimal("100"));
        account.fill(&coins).unwrap();
        account.fill(&fill(BTC, PositionSide::Net, Side::Buy, decimal("0.1"), decimal("30000"))).unwrap();
        account.mark(BTC, decimal("28800")).unwrap();
        assert_eq!(account.free(), decimal(free));
        assert_eq!((account.liquidations().count(), account.equity()), (due, decimal("380")));
        account.check("spot collateral").unwrap();
    }
}
