//! What the numbers rest on: assumptions and configuration.

use crate::report::data::ReportData;
use crate::report::html::{Page, escape};

/// Writes the section, where there is something in it.
pub(super) fn write(page: &mut Page, data: &ReportData) {
    if data.assumptions.is_empty() && data.configuration.is_empty() {
        return;
    }
    page.open_section("basis", "Assumptions and configuration");
    if !data.assumptions.is_empty() {
        page.list(&data.assumptions);
    }
    if !data.configuration.is_empty() {
        page.raw(&format!(
            "<details><summary>Configuration</summary>\n<pre class=\"configuration\" tabindex=\"0\">{}</pre>\n</details>\n",
            escape(&data.configuration)
        ));
    }
    page.close_section();
}
