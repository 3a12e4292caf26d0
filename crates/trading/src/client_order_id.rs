//! Names of orders that are the same for the same wish.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use market_data::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::TradingError;

/// The longest name: what Bybit takes as `orderLinkId`.
pub const CLIENT_ORDER_ID_LENGTH: usize = 36;

/// The client order id of an order.
///
/// It is derived from who wants what and when, never drawn: a program that starts again after a crash gives the same wish
/// the same name, and the venue refuses the second one as a duplicate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientOrderId {
    bytes: [u8; CLIENT_ORDER_ID_LENGTH],
    length: u8,
}

impl ClientOrderId {
    /// The name of the `attempt`-th try of `leg` of what `strategy` wants in `symbol` after the candle that closed at `time`.
    ///
    /// `strategy` and `symbol` are letters and digits; together with `leg` (a word such as `e` or `tp1`) they are cut so that the
    /// name fits; a check sum over the uncut parts keeps cut names apart.
    #[must_use]
    pub fn derive(strategy: &str, symbol: &str, time: Timestamp, leg: &str, attempt: u32) -> Self {
        let mut id = Self { bytes: [0; CLIENT_ORDER_ID_LENGTH], length: 0 };
        id.push_word(strategy, 6);
        id.push(b'-');
        id.push_word(symbol, 8);
        id.push(b'-');
        id.push_base36(time.as_millis().unsigned_abs() / 1000, 7);
        id.push_word(leg, 4);
        id.push_base36(u64::from(attempt), 2);
        id.push_base36(u64::from(checksum(&[strategy, symbol, leg], time, attempt)), 7);
        id
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        let at = usize::from(self.length);
        if at < CLIENT_ORDER_ID_LENGTH {
            self.bytes[at] = byte;
            self.length += 1;
        }
    }

    fn push_word(&mut self, word: &str, most: usize) {
        word.bytes().filter(u8::is_ascii_alphanumeric).take(most).for_each(|byte| self.push(byte));
    }

    /// The last `places` digits of `value` in base 36.
    fn push_base36(&mut self, value: u64, places: u32) {
        for place in (0..places).rev() {
            let digit = (value / 36_u64.pow(place) % 36) as u8;
            self.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
        }
    }
}

/// FNV-1a (Fowler, Noll, Vo) over the parts, 32 bits.
fn checksum(words: &[&str], time: Timestamp, attempt: u32) -> u32 {
    let numbers = time.as_millis().to_le_bytes().into_iter().chain(attempt.to_le_bytes());
    let texts = words.iter().flat_map(|word| word.bytes().chain([0]));
    texts.chain(numbers).fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl Ord for ClientOrderId {
    /// By their bytes, and by length where those are the same: eight at a time, for books of orders are searched by name.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, _) = self.bytes.as_chunks::<8>();
        let (theirs, _) = other.bytes.as_chunks::<8>();
        for (mine, theirs) in mine.iter().zip(theirs) {
            let order = u64::from_be_bytes(*mine).cmp(&u64::from_be_bytes(*theirs));
            if order != Ordering::Equal {
                return order;
            }
        }
        (self.bytes, self.length).cmp(&(other.bytes, other.length))
    }
}

impl PartialOrd for ClientOrderId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for ClientOrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ClientOrderId {
    type Err = TradingError;

    /// Takes any name that the venue takes: 1 to 36 letters, digits, `-` and `_`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sound = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !sound || text.is_empty() || text.len() > CLIENT_ORDER_ID_LENGTH {
            let remedy = "give 1 to 36 letters, digits, `-` or `_`";
            return Err(TradingError::order(text, "its name is not a client order id", remedy));
        }
        let mut id = Self { bytes: [0; CLIENT_ORDER_ID_LENGTH], length: 0 };
        text.bytes().for_each(|byte| id.push(byte));
        Ok(id)
    }
}

impl Serialize for ClientOrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ClientOrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_wish_has_the_same_name_and_others_have_others() {
        let time = Timestamp::from_millis(1_704_067_200_000);
        let name = |strategy: &str, symbol: &str, time: Timestamp, leg: &str, attempt: u32| {
            ClientOrderId::derive(strategy, symbol, time, leg, attempt)
        };
        let first = name("hybrid", "BTCUSDT", time, "e", 0);
        assert_eq!(first, name("hybrid", "BTCUSDT", time, "e", 0));
        for other in [
            name("hybrix", "BTCUSDT", time, "e", 0),
            name("hybrid", "ETHUSDT", time, "e", 0),
            name("hybrid", "BTCUSDT", time.plus_millis(1), "e", 0),
            name("hybrid", "BTCUSDT", time, "x", 0),
            name("hybrid", "BTCUSDT", time, "e", 1),
            name("hybride", "BTCUSDT", time, "e", 0),
        ] {
            assert_ne!(first, other);
        }
        let longest = name("a-very-long-strategy", "1000000BABYDOGEUSDT", time, "takeprofit1", u32::MAX);
        for name in [first, longest] {
            assert!(name.as_str().len() <= CLIENT_ORDER_ID_LENGTH, "{name}");
            assert_eq!(name.as_str().parse::<ClientOrderId>().unwrap(), name);
        }
        assert_eq!(first.as_str().split('-').count(), 3);
    }

    #[test]
    fn names_are_ordered_as_their_text() {
        let names = [
            "a",
            "aa",
            "ab",
            "altern-BTCUSDT-0",
            "altern-BTCUSDT-1",
            "altern-BTCUSDU-0",
            "b",
            "0123456789012345678901234567890123456".get(..36).unwrap(),
            "012345678901234567890123456789012346",
            "01",
        ];
        for (one, other) in names.iter().flat_map(|one| names.iter().map(move |other| (one, other))) {
            let id = |text: &str| text.parse::<ClientOrderId>().unwrap();
            assert_eq!(id(one).cmp(&id(other)), one.cmp(other), "{one} {other}");
        }
    }

    #[test]
    fn what_no_venue_takes_is_refused() {
        for text in ["", "with space", "ä", "0123456789012345678901234567890123456"] {
            assert!(text.parse::<ClientOrderId>().is_err(), "{text}");
        }
        let id: ClientOrderId = serde_json::from_str("\"from_a-person\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"from_a-person\"");
    }
}
