//! Results as tables or documents.

use command_line::{CommonArguments, OutputFormat, Table, print_json, print_text};
use sim::luck::BootstrapInterval;
use sim::policy::JudgedPlayer;

use crate::evaluate::EvaluateReport;
use crate::training::TrainReport;

pub(crate) fn print_training(report: &TrainReport, common: &CommonArguments) -> anyhow::Result<()> {
    if common.output_format == OutputFormat::Json {
        return print_json(report);
    }
    let mut table = Table::new(["seed", "steps", "validation", "turnover", "steps/s", "policy"]);
    for seed in &report.seeds {
        table.row([
            seed.seed.to_string(),
            seed.steps.to_string(),
            percent(seed.validation.log_return.exp_m1()),
            format!("{:.4}", seed.validation.turnover),
            seed.steps_per_second.map_or("-".to_owned(), |speed| format!("{speed:.0}")),
            seed.policy.display().to_string(),
        ]);
    }
    table.print()?;
    print_text(&format!(
        "\n{} over the model {}, {} columns of {} series. Validation is the mean return of a run there, which chose among the policies \
         of a training: it is no estimate.\nThe seed in the middle: {}\n",
        report.algorithm,
        report.model,
        report.columns,
        report.series.len(),
        report.policy.display()
    ))
}

pub(crate) fn print_evaluation(report: &EvaluateReport, common: &CommonArguments) -> anyhow::Result<()> {
    if common.output_format == OutputFormat::Json {
        return print_json(report);
    }
    let mut table = Table::new([
        "player",
        "seeds",
        "return",
        "deviation",
        "drawdown",
        "sharpe",
        "daily, 95 %",
        "over buy and hold, 95 %",
        "turnover",
        "trades",
        "ended",
    ]);
    for player in &report.players {
        table.row(row(player));
    }
    table.print()?;
    let environment = &report.environment;
    print_text(&format!(
        "\nEqual cash for each of {} series from {} to {}, taker fee {}, slippage {}; returns are after costs. `daily` is the mean daily \
         return and its interval over blocks of days. Everyone begins anew, and flat, behind a gap, and what is held at the end of a \
         run is valued and not sold. One stretch of time: what looks good may be luck.\n",
        report.series.len(),
        report.from,
        report.until,
        environment.costs.taker_fee.to,
        environment.costs.slippage.to
    ))?;
    match &report.funding {
        Some(funding) => print_text(&format!("{funding}\n")),
        None => Ok(()),
    }
}

fn row(player: &JudgedPlayer) -> [String; 11] {
    let interval = |of: Option<&BootstrapInterval>| {
        let shown = |of: &BootstrapInterval| {
            format!("{} ({} to {})", percent(of.estimate), percent(of.low), percent(of.high))
        };
        of.map_or("-".to_owned(), shown)
    };
    [
        player.name.clone(),
        player.total_return.seeds.to_string(),
        percent(player.total_return.mean),
        player.total_return.standard_deviation.map_or("-".to_owned(), percent),
        format!("{:.2} %", 100.0 * player.maximum_drawdown),
        player.sharpe.map_or("-".to_owned(), |sharpe| format!("{sharpe:+.2}")),
        interval(player.daily.as_ref()),
        interval(player.daily_over_buy_and_hold.as_ref()),
        format!("{:.4}", player.turnover),
        format!("{:.0}", player.fills),
        player.ended.to_string(),
    ]
}

fn percent(value: f64) -> String {
    format!("{:+.2} %", 100.0 * value)
}
