//! Writes the report of a made-up backtest, to be looked at: `cargo run -p sim --example report_gallery -- report.html`.

#[path = "../tests/made_up/mod.rs"]
mod made_up;

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("name the file to write, as report.html")?;
    let report = sim::report::Report::new(made_up::report_data(8_760, 60))?;
    std::fs::write(path, report.html()?)?;
    Ok(())
}
