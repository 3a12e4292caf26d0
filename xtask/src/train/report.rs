//! What `data-loader` writes to stdout: one JSON document about files and the series in them.
//!
//! Read leniently, so that the program may say more than this one understands; but a file whose fate
//! is not understood counts as failed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::verdict::Verdict;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    pub(super) command: String,
    #[serde(default)]
    pub(super) store: Option<String>,
    #[serde(default)]
    pub(super) files: Vec<File>,
}

/// What became of one file; `generate` reports one without a path.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct File {
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) status: Status,
    #[serde(default)]
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) series: Vec<Series>,
    #[serde(default)]
    pub(super) exogenous: Vec<Exogenous>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// `generated` and `stored` are what one might call it for a market that came from no file.
    #[serde(alias = "generated", alias = "stored")]
    Imported,
    AlreadyStored,
    Refused,
    Failed,
    /// Absent, or a word that this program does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Series {
    #[serde(default)]
    pub(super) key: Key,
    #[serde(default)]
    pub(super) rows: u64,
    #[serde(default)]
    pub(super) first: Option<String>,
    #[serde(default)]
    pub(super) last: Option<String>,
    #[serde(default)]
    pub(super) gaps: Gaps,
    #[serde(default)]
    pub(super) findings: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub(super) removed: u64,
    #[serde(default)]
    pub(super) notes: Vec<String>,
    #[serde(default)]
    pub(super) content_hash: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Key {
    #[serde(default)]
    pub(super) venue: String,
    #[serde(default)]
    pub(super) symbol: String,
    #[serde(default)]
    pub(super) timeframe: String,
}

impl Key {
    /// The series as programs name it: `bybit-linear BTC/USDT:USDT 5m`.
    pub(super) fn name(&self) -> String {
        format!("{} {} {}", self.venue, self.symbol, self.timeframe)
    }
}

/// Missing candles between the first and the last one.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Gaps {
    #[serde(default)]
    pub(super) count: u64,
    #[serde(default)]
    pub(super) missing: u64,
}

/// A series that is no candles: funding, macro figures, headlines.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Exogenous {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) rows: u64,
    #[serde(default)]
    pub(super) first: Option<String>,
    #[serde(default)]
    pub(super) last: Option<String>,
}

impl Report {
    /// The worst fate of a file.
    pub(super) fn verdict(&self) -> Verdict {
        self.files.iter().map(|file| file.status.verdict()).max().unwrap_or(Verdict::Fine)
    }

    /// Files with this fate.
    pub(super) fn count(&self, status: Status) -> usize {
        self.files.iter().filter(|file| file.status == status).count()
    }

    pub(super) fn series(&self) -> impl Iterator<Item = &Series> {
        self.files.iter().flat_map(|file| &file.series)
    }
}

impl Status {
    pub(super) const fn verdict(self) -> Verdict {
        match self {
            Self::Imported | Self::AlreadyStored => Verdict::Fine,
            Self::Refused => Verdict::Finding,
            Self::Failed | Self::Unknown => Verdict::Error,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Imported => "imported",
            Self::AlreadyStored => "already stored",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "of unknown status",
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One document with every kind of file in it.
    pub(in crate::train) const DOCUMENT: &str = r#"{
        "command": "import", "store": "datasets/store", "new_in_a_later_version": 1,
        "files": [
            {"path": "data/btc.csv.gz", "status": "imported", "error": null, "series": [
                {"key": {"venue": "bybit-linear", "symbol": "BTC/USDT:USDT", "timeframe": "5m"},
                 "rows": 57310, "first": "2024-01-01T00:00:00Z", "last": "2024-07-17T23:55:00Z",
                 "gaps": {"count": 1, "missing": 2, "longest": 2},
                 "findings": {"duplicate": 3, "disorder": 0}, "removed": 3,
                 "notes": ["turnover is absent"], "content_hash": "ab12"}]},
            {"path": "data/eth.csv.gz", "status": "already_stored", "series": [
                {"key": {"venue": "bybit-linear", "symbol": "ETH/USDT:USDT", "timeframe": "1h"},
                 "rows": 10, "first": "2024-01-01T00:00:00Z", "last": "2024-01-01T09:00:00Z"}]},
            {"path": "data/vix.csv", "status": "imported", "series": [],
             "exogenous": [{"name": "VIX", "rows": 7, "first": "2024-01-01", "last": "2024-01-09"}]},
            {"path": "data/walk.csv", "status": "refused", "error": "data/walk.csv: looks like a random walk"}
        ],
        "totals": {}
    }"#;

    #[test]
    fn unknown_fields_are_ignored_and_absent_ones_empty() {
        let report: Report = serde_json::from_str(DOCUMENT).unwrap();
        assert_eq!(report.files.len(), 4);
        assert_eq!(report.series().map(|series| series.rows).sum::<u64>(), 57_320);
        assert_eq!(report.files[1].series[0].gaps.count, 0);
        assert_eq!(report.verdict(), Verdict::Finding);
    }

    #[test]
    fn the_worst_file_decides() {
        let verdict = |statuses: &[&str]| {
            let files: Vec<_> = statuses.iter().map(|status| serde_json::json!({"status": status})).collect();
            let report = serde_json::json!({"files": files});
            serde_json::from_value::<Report>(report).unwrap().verdict()
        };
        assert_eq!(verdict(&["imported", "already_stored"]), Verdict::Fine);
        assert_eq!(verdict(&["imported", "refused"]), Verdict::Finding);
        assert_eq!(verdict(&["refused", "failed", "imported"]), Verdict::Error);
        assert_eq!(verdict(&["a word of a later version"]), Verdict::Error);
        let nothing: Report = serde_json::from_str(r#"{"files":[{}]}"#).unwrap();
        assert_eq!(nothing.verdict(), Verdict::Error);
    }
}
