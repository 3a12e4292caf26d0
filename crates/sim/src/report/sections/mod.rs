//! The sections of the page, in the order of reading: is it any good, what happened, why believe it.

mod basis;
mod model;
mod performance;
mod robustness;
mod summary;
mod trades;

use std::fmt::Write as _;

use super::data::ReportData;
use super::html::{Page, escape};
use crate::error::SimError;

/// The whole page.
pub(super) fn page(data: &ReportData) -> Result<String, SimError> {
    let mut page = Page::default();
    summary::write(&mut page, data)?;
    performance::write(&mut page, data)?;
    trades::write(&mut page, data)?;
    model::write(&mut page, data)?;
    robustness::write(&mut page, data)?;
    basis::write(&mut page, data);
    let title = if data.title.is_empty() { "Backtest" } else { &data.title };
    Ok(page.finish(title, &header(title, data)))
}

fn header(title: &str, data: &ReportData) -> String {
    let mut header = format!("<h1>{}</h1>\n", escape(title));
    if !data.parameters.is_empty() {
        header.push_str("<dl class=\"parameters\">\n");
        for parameter in &data.parameters {
            // Writing into a string cannot fail.
            let _ = writeln!(
                header,
                "<div><dt>{}</dt><dd>{}</dd></div>",
                escape(&parameter.name),
                escape(&parameter.value)
            );
        }
        header.push_str("</dl>\n");
    }
    header
}

/// A label with its unit, where there is one.
fn with_unit(label: &str, unit: &str) -> String {
    if unit.is_empty() { label.to_owned() } else { format!("{label}, {unit}") }
}
