//! The columns of tables that are not candles.

use crate::read::{FUNDING, TableKind, find_column, find_time_column};

/// Which columns of a table that is not candles are read.
pub(super) struct Wanted {
    pub(super) time: usize,
    /// What the header calls the first column of numbers.
    pub(super) label_of_numbers: Option<String>,
    pub(super) numbers: Vec<usize>,
    pub(super) texts: Vec<usize>,
    text_names: Vec<&'static str>,
}

impl Wanted {
    pub(super) fn of(kind: &TableKind, header: &[String], width: usize) -> Self {
        let time = find_time_column(header).unwrap_or(0);
        let find = |names: &[&str]| find_column(header, names);
        type Texts = Vec<(&'static str, Option<usize>)>;
        let (numbers, texts): (Vec<Option<usize>>, Texts) = match kind {
            TableKind::Funding => (
                vec![find(&FUNDING).or_else(|| find(&["rate"])).or((width == 2).then_some(1))],
                vec![
                    ("symbol", find(&["symbol", "pair", "instrument", "instid"])),
                    ("venue", find(&["venue", "exchange"])),
                ],
            ),
            TableKind::Headlines => (
                vec![find(&["polarity", "score", "sentiment_score"])],
                vec![
                    ("source", find(&["source", "publisher"])),
                    ("title", find(&["title", "headline"])),
                    ("subject", find(&["subject", "topic", "category"])),
                    ("label", find(&["sentiment_label", "label", "sentiment"])),
                ],
            ),
            _ => (
                vec![find(&["value", "close", "price"]).or((0..width).find(|column| *column != time))],
                vec![("series", find(&["series", "name", "symbol"]))],
            ),
        };
        let present: Vec<(&'static str, usize)> =
            texts.into_iter().filter_map(|(name, column)| Some((name, column?))).collect();
        let numbers: Vec<usize> = numbers.into_iter().flatten().collect();
        Self {
            time,
            label_of_numbers: numbers.first().and_then(|column| header.get(*column)).cloned(),
            numbers,
            texts: present.iter().map(|(_, column)| *column).collect(),
            text_names: present.iter().map(|(name, _)| *name).collect(),
        }
    }

    /// Where a text column stands among those that were read.
    pub(super) fn text(&self, name: &str) -> Option<usize> {
        self.text_names.iter().position(|known| *known == name)
    }
}
