//! What a run comes to, in a table and a file.

use std::path::{Path, PathBuf};

use command_line::{CommonArguments, Table, print_json};
use serde::{Deserialize, Serialize};
use sim::luck::SelectionPaths;
use sim::monte_carlo::{CandleMonteCarlo, Quantiles};
use sim::regime::RegimeResult;
use sim::retraining::RetrainedFold;
use sim::walk_forward::FoldOutcome;

use crate::configuration::Configuration;
use crate::market::Market;
use crate::model::Model;
use crate::robustness::PathRow;
use crate::run::Judged;

/// The document on stdout and in `summary.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) command: String,
    pub(crate) series: Vec<String>,
    pub(crate) timeframe: String,
    pub(crate) cash: String,
    /// A hash of the engine's, the venue's and the costs' settings: results of others do not compare.
    #[serde(default)]
    pub(crate) conditions: String,
    pub(crate) model: Option<String>,
    /// What its predictions are worth on the time that is traded.
    #[serde(default)]
    pub(crate) predictions: Option<Predictions>,
    #[serde(default)]
    pub(crate) selection: Option<Selection>,
    /// Files that were refused, and why.
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) strategies: Vec<SummaryRow>,
}

/// A strategy on markets made from the candles.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OtherCandles {
    pub(crate) paths: usize,
    pub(crate) total_return: Quantiles,
    pub(crate) probability_of_loss: f64,
    /// Share of the markets on which it earned as much as on the recorded one.
    pub(crate) share_as_good: Option<f64>,
}

impl From<&CandleMonteCarlo> for OtherCandles {
    fn from(found: &CandleMonteCarlo) -> Self {
        Self {
            paths: found.outcomes.len(),
            total_return: found.total_return,
            probability_of_loss: found.probability_of_loss.share,
            share_as_good: found.rank.as_ref().map(|rank| rank.total_return),
        }
    }
}

/// What choosing the best strategy of the run came to, on combinatorial purged paths; Sharpe ratios are of days.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Selection {
    pub(crate) paths: usize,
    pub(crate) mean_sharpe_where_chosen: f64,
    pub(crate) mean_sharpe_where_traded: f64,
    pub(crate) share_of_losing_paths: f64,
}

/// How often the model was right.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Predictions {
    pub(crate) rows: u64,
    pub(crate) macro_f1: f64,
    pub(crate) log_loss: f64,
    /// Log-loss of constant class shares.
    pub(crate) prior_log_loss: f64,
    pub(crate) direction_auc: Option<f64>,
    /// Macro-F1 of each fold of a walk-forward.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) fold_macro_f1: Vec<Option<f64>>,
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
    /// Received; paid where negative.
    #[serde(default)]
    pub(crate) funding: f64,
    pub(crate) refused_orders: u64,
    pub(crate) rejected_orders: u64,
    pub(crate) liquidations: u64,
    pub(crate) trials: usize,
    pub(crate) deflated_sharpe: Option<f64>,
    pub(crate) overfitting: Option<f64>,
    pub(crate) promote: bool,
    /// Requirements that are not met.
    pub(crate) not_met: Vec<String>,
    /// Of a walk-forward, in the order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) folds: Vec<FoldRow>,
    /// Bull, bear and sideways days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) regimes: Vec<RegimeResult>,
    /// On markets made from the candles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) other_candles: Option<OtherCandles>,
    /// Of models of purged splits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) purged_paths: Vec<PathRow>,
    pub(crate) report: PathBuf,
}

/// One fold of a walk-forward.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FoldRow {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) total_return: f64,
    pub(crate) buy_and_hold: Option<f64>,
    pub(crate) sharpe: Option<f64>,
    pub(crate) maximum_drawdown: Option<f64>,
    pub(crate) trades: usize,
}

impl From<&FoldOutcome> for FoldRow {
    fn from(fold: &FoldOutcome) -> Self {
        let metrics = &fold.metrics;
        Self {
            from: fold.span.from.to_string(),
            until: fold.span.to.to_string(),
            total_return: metrics.total_return,
            buy_and_hold: fold.benchmark,
            sharpe: metrics.headline().sharpe,
            maximum_drawdown: metrics.drawdown.maximum,
            trades: metrics.trades.count,
        }
    }
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
            funding: metrics.activity.funding,
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
            folds: judged.folds.iter().map(FoldRow::from).collect(),
            regimes: judged.regimes.as_ref().map(|found| found.regimes.clone()).unwrap_or_default(),
            other_candles: judged.other_candles.as_ref().map(OtherCandles::from),
            purged_paths: judged.paths.clone(),
            report: directory.join("report.html"),
        }
    }
}

impl Summary {
    pub(crate) fn new(
        configuration: &Configuration,
        market: &Market,
        selection: Option<&SelectionPaths>,
        strategies: Vec<SummaryRow>,
    ) -> anyhow::Result<Self> {
        let selection = selection.map(|found| Selection {
            paths: found.paths.len(),
            mean_sharpe_where_chosen: found.mean_train,
            mean_sharpe_where_traded: found.mean_test,
            share_of_losing_paths: found.share_of_losing_paths,
        });
        Ok(Self {
            command: "simulate".to_owned(),
            series: market.series.iter().map(|series| series.key().to_string()).collect(),
            timeframe: market.timeframe.to_string(),
            cash: configuration.backtest.cash.to_string(),
            conditions: conditions(configuration)?,
            model: market.model.as_ref().map(|model| model.name.clone()),
            predictions: market.model.as_ref().and_then(predictions),
            selection,
            refused: market.refused.clone(),
            strategies,
        })
    }

    pub(crate) fn print(&self, common: &CommonArguments) -> anyhow::Result<()> {
        if common.is_json() {
            return print_json(self);
        }
        table(self.strategies.iter().map(|row| (row.strategy.clone(), row))).print()
    }
}

/// The same for runs whose engine, venue and costs are set alike.
fn conditions(configuration: &Configuration) -> anyhow::Result<String> {
    let mut backtest = configuration.backtest.clone();
    // It keeps more, and changes nothing.
    backtest.journal = false;
    let text = serde_json::to_string(&(&backtest, &configuration.costs))?;
    Ok(blake3::hash(text.as_bytes()).to_hex()[..16].to_owned())
}

fn predictions(model: &Model) -> Option<Predictions> {
    let assessment = model.assessment.as_ref()?;
    let decided = &assessment.decided;
    let of_fold = |fold: &RetrainedFold| fold.assessment.as_ref().map(|one| one.decided.macro_f1);
    Some(Predictions {
        rows: decided.rows,
        macro_f1: decided.macro_f1,
        log_loss: decided.log_loss,
        prior_log_loss: decided.prior_log_loss,
        direction_auc: assessment.direction_auc,
        fold_macro_f1: model.folds.iter().map(of_fold).collect(),
    })
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
