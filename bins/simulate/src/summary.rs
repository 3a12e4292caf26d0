//! What a run comes to, in a table and a file.

use std::path::{Path, PathBuf};

use command_line::{CommonArguments, Table, print_json};
use serde::{Deserialize, Serialize};

use crate::configuration::Configuration;
use crate::market::Market;
use crate::run::Judged;

/// The document on stdout and in `summary.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) command: String,
    pub(crate) series: Vec<String>,
    pub(crate) timeframe: String,
    pub(crate) cash: String,
    pub(crate) model: Option<String>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) strategies: Vec<SummaryRow>,
}

/// One strategy.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SummaryRow {
    pub(crate) strategy: String,
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) total_return: f64,
    pub(crate) cagr: Option<f64>,
    pub(crate) sharpe: Option<f64>,
    pub(crate) maximum_drawdown: Option<f64>,
    pub(crate) trades: usize,
    pub(crate) win_rate: Option<f64>,
    pub(crate) profit_factor: Option<f64>,
    pub(crate) turnover: Option<f64>,
    pub(crate) fees: f64,
    pub(crate) refused_orders: u64,
    pub(crate) rejected_orders: u64,
    pub(crate) liquidations: u64,
    pub(crate) trials: usize,
    pub(crate) deflated_sharpe: Option<f64>,
    pub(crate) overfitting: Option<f64>,
    pub(crate) promote: bool,
    /// Requirements that are not met.
    pub(crate) not_met: Vec<String>,
    pub(crate) report: PathBuf,
}

impl SummaryRow {
    pub(crate) fn of(judged: &Judged, directory: &Path) -> Self {
        let (metrics, result, evidence) = (&judged.metrics, &judged.result, &judged.evidence);
        Self {
            strategy: judged.name.to_string(),
            from: metrics.from.to_string(),
            until: metrics.until.to_string(),
            total_return: metrics.total_return,
            cagr: metrics.cagr,
            sharpe: metrics.headline().sharpe,
            maximum_drawdown: metrics.drawdown.maximum,
            trades: result.trades.len(),
            win_rate: metrics.trades.win_rate,
            profit_factor: metrics.trades.profit_factor,
            turnover: metrics.activity.turnover,
            fees: metrics.activity.fees,
            refused_orders: result.refused,
            rejected_orders: result.rejected,
            liquidations: result.liquidations,
            trials: evidence.trials,
            deflated_sharpe: evidence.deflated_sharpe,
            overfitting: evidence.overfitting,
            promote: judged.verdict.promote,
            not_met: judged
                .verdict
                .reasons
                .iter()
                .filter(|reason| !reason.passed)
                .map(|reason| reason.words.clone())
                .collect(),
            report: directory.join("report.html"),
        }
    }
}

impl Summary {
    pub(crate) fn new(configuration: &Configuration, market: &Market, strategies: Vec<SummaryRow>) -> Self {
        Self {
            command: "simulate".to_owned(),
            series: market.series.iter().map(|series| series.key().to_string()).collect(),
            timeframe: market.timeframe.to_string(),
            cash: configuration.backtest.cash.to_string(),
            model: market.model.as_ref().map(|model| model.name.clone()),
            refused: market.refused.clone(),
            strategies,
        }
    }

    pub(crate) fn print(&self, common: &CommonArguments) -> anyhow::Result<()> {
        if common.is_json() {
            return print_json(self);
        }
        table(self.strategies.iter().map(|row| (row.strategy.clone(), row))).print()
    }
}

/// One row per strategy; shares in per cent.
pub(crate) fn table<'a>(rows: impl Iterator<Item = (String, &'a SummaryRow)>) -> Table {
    let mut table = Table::new([
        "strategy",
        "return",
        "a year",
        "Sharpe",
        "drawdown",
        "trades",
        "won",
        "profit factor",
        "turnover a year",
        "fees",
        "deflated Sharpe",
        "verdict",
        "report",
    ]);
    let share = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{:+.1} %", 100.0 * value));
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
    for (name, row) in rows {
        table.row([
            name,
            share(Some(row.total_return)),
            share(row.cagr),
            number(row.sharpe),
            row.maximum_drawdown.map_or("-".to_owned(), |value| format!("{:.1} %", 100.0 * value)),
            row.trades.to_string(),
            row.win_rate.map_or("-".to_owned(), |value| format!("{:.0} %", 100.0 * value)),
            number(row.profit_factor),
            number(row.turnover),
            format!("{:.0}", row.fees),
            number(row.deflated_sharpe),
            if row.promote { "promote".to_owned() } else { format!("no: {} not met", row.not_met.len()) },
            row.report.display().to_string(),
        ]);
    }
    table
}
