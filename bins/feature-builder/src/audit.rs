//! `feature-builder audit`

use anyhow::{bail, ensure};
use clap::Args;
use command_line::{CommonArguments, Outcome, Table, print_json, print_text};
use features::audit::{AuditReport, PlantedLeak, audit};
use market_data::CandleSeries;

use crate::configuration::Configuration;
use crate::input::Input;

#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    input: Input,

    /// Only the last candles of each series, so many
    #[arg(long, value_name = "CANDLES")]
    last: Option<usize>,

    /// Show every column, not only those with findings
    #[arg(long)]
    all: bool,

    /// Add a column that looks one candle ahead, to see the audit fail
    #[arg(long)]
    plant_leak: bool,
}

pub(crate) fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    common: &CommonArguments,
) -> anyhow::Result<Outcome> {
    let loaded = arguments.input.load(configuration, common)?;
    let options = &configuration.audit;
    ensure!(arguments.last != Some(0), "--last 0: give a number of candles");
    options.validate()?;
    let mut reports = Vec::with_capacity(loaded.selected.len());
    let mut failed: Vec<(String, String)> = Vec::new();
    for key in &loaded.selected {
        let (series, outside) = loaded.get(key)?;
        let shortened;
        let series = match arguments.last.filter(|last| *last < series.len()) {
            Some(last) => {
                let columns = series.columns().slice(series.len() - last..series.len());
                shortened = CandleSeries::new(key.clone(), columns)?;
                &shortened
            }
            None => series,
        };
        let steps = options.cuts + options.starts + 2;
        let bar = common.progress().bar(steps as u64, key.to_string());
        let advance = |_, _| bar.advance(1);
        let report = if arguments.plant_leak {
            audit(&PlantedLeak(loaded.spec.clone()), series, outside, options, advance)
        } else {
            audit(&loaded.spec, series, outside, options, advance)
        };
        bar.finish();
        match report {
            Ok(report) => reports.push(report),
            // The others are audited all the same; this one is an error at the end.
            Err(error) => failed.push((key.to_string(), error.to_string())),
        }
    }
    if common.is_json() {
        print_json(
            &serde_json::json!({ "command": "audit", "series": reports, "not_audited": failed, "refused": loaded.refused }),
        )?;
    } else {
        for report in &reports {
            print(report, arguments.all)?;
        }
    }
    if let [(first, error), others @ ..] = failed.as_slice() {
        bail!(
            "{} of {} series could not be audited: {first}: {error}{}",
            failed.len(),
            loaded.selected.len(),
            others.iter().map(|(key, error)| format!("\n{key}: {error}")).collect::<String>()
        );
    }
    Ok(Outcome::finding_if(!loaded.refused.is_empty() || reports.iter().any(|report| !report.is_sound())))
}

fn print(report: &AuditReport, all: bool) -> anyhow::Result<()> {
    let longest = report.columns.iter().max_by_key(|column| column.stated_warm_up);
    let measured = report.columns.iter().map(|column| column.measured_warm_up).max().unwrap_or(0);
    print_text(&format!(
        "{}: {} columns on {} candles ({} rows): {} futures replaced, {} starts compared, {} candles pushed one by one; \
         longest warm-up {} stated, {measured} measured\n",
        report.series,
        report.columns.len(),
        report.candles,
        report.rows,
        report.cuts,
        report.starts,
        report.live_candles,
        longest.map_or(0, |column| column.stated_warm_up),
    ))?;
    let alone: usize = report.columns.iter().map(|column| column.isolated).sum();
    if alone > 0 {
        print_text(&format!("{alone} values disagree alone, where rounding decides a tie\n"))?;
    }
    let mut table =
        Table::new(["column", "warm-up stated", "measured", "alone", "smallest", "largest", "sound"]);
    for column in report.columns.iter().filter(|column| all || !column.sound) {
        table.row([
            column.name.clone(),
            column.stated_warm_up.to_string(),
            column.measured_warm_up.to_string(),
            column.isolated.to_string(),
            format!("{:.4e}", column.smallest),
            format!("{:.4e}", column.largest),
            if column.sound { "yes" } else { "NO" }.to_owned(),
        ]);
    }
    if !table.is_empty() {
        table.print()?;
    }
    if report.is_sound() {
        return print_text(
            "sound: no row changed, every column agreed within its warm-up, live equals batch\n",
        );
    }
    let findings: Vec<String> =
        report.findings.iter().map(|finding| format!("finding: {finding}\n")).collect();
    print_text(&findings.concat())
}
