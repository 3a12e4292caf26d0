//! Remembered prices of liquidation are those of the account, whatever was traded meanwhile.

use trading::account::{Account, AccountConfig, MarginMode};
use trading::orders::{FeeCurrency, Fill};
use trading::{Liquidity, PositionSide, Purpose, Side};

use super::bench::{BTC, ETH, decimal, terms};
use crate::venue::liquidation::LevelMemory;

fn trade(account: &mut Account, number: usize, instrument: trading::InstrumentIndex, text: &str) {
    let (quantity, price) = text.split_once('@').unwrap();
    let quantity = decimal(quantity);
    let fill = Fill {
        execution_id: format!("x{number}").parse().unwrap(),
        client_order_id: None,
        instrument,
        position_side: PositionSide::Net,
        side: Side::of_change(quantity),
        price: decimal(price),
        quantity: quantity.abs(),
        fee: decimal("0"),
        fee_currency: FeeCurrency::Quote,
        liquidity: Liquidity::Taker,
        purpose: Purpose::Entry,
        time: "2024-01-01".parse().unwrap(),
    };
    account.mark(instrument, fill.price).unwrap();
    account.fill(&fill).unwrap();
}

#[test]
fn remembered_levels_are_those_of_the_account() {
    for margin_mode in [MarginMode::Isolated, MarginMode::Cross] {
        let config = AccountConfig { margin_mode, ..AccountConfig::default() };
        let mut account = Account::new(config, terms(), decimal("10000")).unwrap();
        let mut memory = LevelMemory::default();
        let mut levels = Vec::new();
        // The same quantity again at another price, from the other side, and after a trade of another instrument.
        let trades =
            ["BTC 1@100", "BTC -1@110", "BTC 1@200", "ETH 2@50", "BTC 1@150", "BTC -3@180", "BTC 1@90"];
        for (number, text) in trades.into_iter().enumerate() {
            let (name, text) = text.split_once(' ').unwrap();
            trade(&mut account, number, if name == "BTC" { BTC } else { ETH }, text);
            for _ in 0..2 {
                let [level, other] = memory.of(&account, BTC);
                let wanted = account.liquidation_price(BTC, PositionSide::Net);
                assert_eq!((level.map(|due| due.price), other.is_none()), (wanted, true), "{text}");
                assert!(level.is_none_or(|due| due.position == account.position(BTC, PositionSide::Net)));
                levels.push(wanted);
            }
        }
        if margin_mode == MarginMode::Isolated {
            // Leverage 10 and 0.5 % maintenance: (100 - 10) / (1 - 0.005) and (200 - 20) / (1 - 0.005), rounded down at 12 places.
            assert_eq!(levels[0], Some(decimal("90.452261306532")));
            assert_eq!(levels[2], None);
            assert_eq!(levels[4], Some(decimal("180.904522613065")));
        }
    }
}
