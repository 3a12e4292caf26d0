//! Between which prices a few well-known markets are known to have traded.
//!
//! A seeded random walk called BTCUSDT may have every statistical trait of a market; its prices still
//! contradict history. The table holds, per quarter, the lowest and the highest price (rounded outward
//! to two digits) that the large exchanges showed; public, widely printed facts. A series is outside
//! when it leaves the band by more than [`SLACK`]; times after the table have no band.

/// How far beyond the band a price may be: venues differ, and stablecoins leave their peg.
pub(crate) const SLACK: f64 = 1.25;

/// Lowest and highest price from a quarter on, until the next entry.
type Band = (i16, u8, f64, f64);

/// BTC in US dollars or a dollar stablecoin.
const BTC: &[Band] = &[
    (2013, 1, 13.0, 270.0),
    (2013, 3, 62.0, 1_250.0),
    (2014, 1, 400.0, 1_000.0),
    (2014, 3, 270.0, 660.0),
    (2015, 1, 150.0, 320.0),
    (2015, 3, 190.0, 510.0),
    (2016, 1, 350.0, 790.0),
    (2016, 3, 460.0, 990.0),
    (2017, 1, 740.0, 3_000.0),
    (2017, 3, 1_750.0, 5_000.0),
    (2017, 4, 4_100.0, 20_000.0),
    (2018, 1, 5_900.0, 17_300.0),
    (2018, 2, 5_700.0, 10_000.0),
    (2018, 4, 3_100.0, 7_800.0),
    (2019, 1, 3_300.0, 4_300.0),
    (2019, 2, 3_900.0, 14_000.0),
    (2019, 3, 7_700.0, 13_300.0),
    (2019, 4, 6_400.0, 10_600.0),
    (2020, 1, 3_600.0, 10_600.0),
    (2020, 2, 6_100.0, 10_500.0),
    (2020, 3, 8_800.0, 12_500.0),
    (2020, 4, 10_300.0, 29_400.0),
    (2021, 1, 27_600.0, 62_000.0),
    (2021, 2, 28_600.0, 65_000.0),
    (2021, 3, 29_200.0, 53_000.0),
    (2021, 4, 42_000.0, 69_100.0),
    (2022, 1, 32_900.0, 48_300.0),
    (2022, 2, 17_500.0, 47_500.0),
    (2022, 3, 18_100.0, 25_300.0),
    (2022, 4, 15_400.0, 21_500.0),
    (2023, 1, 16_400.0, 29_200.0),
    (2023, 2, 24_700.0, 31_500.0),
    (2023, 3, 24_900.0, 31_900.0),
    (2023, 4, 26_500.0, 44_800.0),
    (2024, 1, 38_500.0, 73_900.0),
    (2024, 2, 56_500.0, 72_800.0),
    (2024, 3, 49_000.0, 70_100.0),
    (2024, 4, 58_800.0, 108_400.0),
    (2025, 1, 76_500.0, 109_600.0),
    (2025, 2, 74_400.0, 112_000.0),
    (2025, 3, 105_000.0, 124_600.0),
    (2025, 4, 80_500.0, 126_300.0),
];

/// ETH in US dollars or a dollar stablecoin.
const ETH: &[Band] = &[
    (2016, 1, 0.9, 16.0),
    (2016, 2, 6.0, 22.0),
    (2017, 1, 7.9, 56.0),
    (2017, 2, 42.0, 420.0),
    (2017, 3, 130.0, 400.0),
    (2017, 4, 270.0, 880.0),
    (2018, 1, 360.0, 1_430.0),
    (2018, 2, 350.0, 840.0),
    (2018, 3, 160.0, 520.0),
    (2018, 4, 80.0, 240.0),
    (2019, 1, 100.0, 170.0),
    (2019, 2, 130.0, 370.0),
    (2019, 3, 150.0, 320.0),
    (2019, 4, 110.0, 200.0),
    (2020, 1, 85.0, 290.0),
    (2020, 2, 120.0, 260.0),
    (2020, 3, 210.0, 490.0),
    (2020, 4, 320.0, 760.0),
    (2021, 1, 690.0, 2_050.0),
    (2021, 2, 1_690.0, 4_400.0),
    (2021, 3, 1_700.0, 4_050.0),
    (2021, 4, 2_950.0, 4_900.0),
    (2022, 1, 2_100.0, 3_900.0),
    (2022, 2, 870.0, 3_600.0),
    (2022, 3, 990.0, 2_050.0),
    (2022, 4, 1_060.0, 1_700.0),
    (2023, 1, 1_180.0, 1_860.0),
    (2023, 2, 1_610.0, 2_150.0),
    (2023, 3, 1_530.0, 2_050.0),
    (2023, 4, 1_500.0, 2_450.0),
    (2024, 1, 2_160.0, 4_100.0),
    (2024, 2, 2_800.0, 3_980.0),
    (2024, 3, 2_100.0, 3_570.0),
    (2024, 4, 2_300.0, 4_110.0),
    (2025, 1, 1_750.0, 3_750.0),
    (2025, 2, 1_380.0, 2_880.0),
    (2025, 3, 2_370.0, 4_960.0),
    (2025, 4, 2_600.0, 4_760.0),
];

/// The US dollar index: its lowest and highest value since it was made in 1973.
const DXY: (f64, f64) = (70.0, 165.0);
/// The CBOE volatility index since 1990.
const VIX: (f64, f64) = (8.0, 90.0);

/// The band of an asset in US dollars (or of an index) in a month; `None` where none is known.
pub(crate) fn band(base: &str, quote: Option<&str>, year: i16, month: i8) -> Option<(f64, f64)> {
    match base {
        "DXY" => return Some(DXY),
        "VIX" => return Some(VIX),
        _ => {}
    }
    if !quote.is_some_and(|quote| quote.contains("USD") || quote == "DAI") {
        return None;
    }
    let table = match base {
        "BTC" | "XBT" => BTC,
        "ETH" => ETH,
        _ => return None,
    };
    let quarter = u8::try_from((month - 1) / 3 + 1).ok()?;
    let next = table.partition_point(|(y, q, _, _)| (*y, *q) <= (year, quarter));
    let (_, _, low, high) = table.get(next.checked_sub(1)?)?;
    // After its last quarter the table says nothing.
    let last = table.last()?;
    ((year, quarter) <= (last.0, last.1)).then_some((*low, *high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order() {
        for table in [BTC, ETH] {
            assert!(table.windows(2).all(|pair| (pair[0].0, pair[0].1) < (pair[1].0, pair[1].1)));
            assert!(table.iter().all(|(_, quarter, low, high)| (1..=4).contains(quarter) && low < high));
        }
    }

    #[test]
    fn known_records_lie_inside() {
        // Published extremes: 2020-03-13 low 3,782, 2021-11-10 high 69,000, 2024-03-14 high 73,777.
        for (year, month, price) in [(2020, 3, 3_782.0), (2021, 11, 69_000.0), (2024, 3, 73_777.0)] {
            let (low, high) = band("BTC", Some("USDT"), year, month).unwrap();
            assert!(low <= price && price <= high, "{year}-{month}");
        }
    }

    #[test]
    fn says_nothing_where_nothing_is_known() {
        assert_eq!(band("BTC", Some("EUR"), 2024, 1), None);
        assert_eq!(band("BTC", Some("USDT"), 2031, 1), None);
        assert_eq!(band("BTC", Some("USDT"), 2009, 1), None);
        assert_eq!(band("PEPE", Some("USDT"), 2024, 1), None);
        assert_eq!(band("DXY", None, 2014, 9), Some(DXY));
    }
}
