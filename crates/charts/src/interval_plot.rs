//! Estimates with their intervals (a "forest plot"): does the interval hold the value that means "no difference"?

use crate::axis::{Axis, extent};
use crate::colour::series_colour;
use crate::error::{ChartError, Checked};
use crate::number_format::{format_tick, format_value};
use crate::sheet::{KeyEntry, Plan, Sheet, Swatch, tick_height};
use crate::style::ChartStyle;
use crate::svg::{Anchor, Stroke};
use crate::text_width::widest;

/// A point and an interval per row, with a line at the value that everything is compared with.
#[derive(Clone, Debug, Default)]
pub struct IntervalPlot<'a> {
    /// Heading.
    pub title: &'a str,
    /// What is estimated, with its unit and the level of the intervals.
    pub value_label: &'a str,
    /// From top to bottom.
    pub estimates: &'a [Estimate<'a>],
    /// Where the dashed line stands, as 0 for differences; it is always within the axis.
    pub reference: f64,
    /// Names of the groups that [`Estimate::group`] counts. May be empty.
    pub groups: &'a [&'a str],
}

/// One row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate<'a> {
    /// Shown in full left of the row.
    pub label: &'a str,
    /// The point.
    pub value: f64,
    /// Lower and upper end.
    pub interval: (f64, f64),
    /// Position in [`IntervalPlot::groups`]; 0 where there are none.
    pub group: usize,
}

impl IntervalPlot<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no rows, a value is not finite, an interval does not hold its value, or a group is not among the
    /// groups.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let size = style.font_size;
        let row_height = (1.9 * size).round();
        let shown: Vec<String> = self.estimates.iter().map(in_words).collect();
        let key = self
            .groups
            .iter()
            .enumerate()
            .map(|(index, name)| KeyEntry { name, swatch: Swatch::Dot(series_colour(index)) });
        let apart = self.estimates.iter().filter(|row| !self.holds_reference(row)).count();
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: format!(
                    "Estimates with intervals of {}: {} rows, {apart} of them with an interval that does not hold {}.",
                    self.value_label,
                    self.estimates.len(),
                    self.reference
                ),
                key: key.collect(),
                left_labels: widest(self.estimates.iter().map(|row| row.label), size),
                right_labels: widest(shown.iter().map(String::as_str), size),
                below: tick_height(style),
                x_label: self.value_label,
                plot_height: row_height * self.estimates.len() as f64 + 6.0,
                ..Plan::default()
            },
        );
        let ends = self.estimates.iter().flat_map(|row| [row.interval.0, row.interval.1]);
        let axis = Axis::linear(extent(ends.chain([self.reference])), sheet.room_across());
        sheet.draw_x_axis(&axis);
        let reference = sheet.x(&axis, self.reference);
        sheet.vertical_reference(reference, sheet.ink.text);
        for (index, (row, shown)) in self.estimates.iter().zip(&shown).enumerate() {
            let middle = sheet.area.top + 3.0 + (index as f64 + 0.5) * row_height;
            let (low, point, high) =
                (sheet.x(&axis, row.interval.0), sheet.x(&axis, row.value), sheet.x(&axis, row.interval.1));
            let colour = series_colour(row.group);
            let stroke = Stroke::solid(colour, 1.75);
            sheet.svg.line("whisker", (low, middle), (high, middle), stroke);
            for x in [low, high] {
                let cap = 0.2 * size;
                sheet.svg.line("cap", (x, middle - cap), (x, middle + cap), stroke);
            }
            // Hollow where the interval holds the reference: told apart without colours.
            let fill = if self.holds_reference(row) { sheet.ink.background } else { colour };
            sheet.svg.circle(
                "point",
                (point, middle),
                0.33 * size,
                fill,
                Some(colour),
                &format!("{}: {shown}", row.label),
            );
            sheet.row_label("label", middle, row.label);
            let letters = sheet.letters(Anchor::Start);
            let x = sheet.area.right() + 7.0;
            sheet.centred_text("value", (x, middle), letters, shown);
        }
        Ok(sheet.finish())
    }

    fn holds_reference(&self, row: &Estimate<'_>) -> bool {
        (row.interval.0..=row.interval.1).contains(&self.reference)
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "interval plot", title: self.title };
        checked.not_empty(self.estimates.len(), "estimates")?;
        checked.finite(self.reference, || "the reference".to_owned())?;
        for (index, row) in self.estimates.iter().enumerate() {
            let entry = || format!("estimate {index} (`{}`)", row.label);
            checked.finite(row.value, entry)?;
            checked.interval(row.interval, row.value, entry)?;
            if row.group >= self.groups.len().max(1) {
                let remedy = format!("give the position of one of the {} groups, from 0", self.groups.len());
                return Err(checked.value(format!("the group of {}", entry()), row.group, &remedy));
            }
        }
        Ok(())
    }
}

/// Value and ends with the same decimals, two significant digits of the interval's width.
fn in_words(row: &Estimate<'_>) -> String {
    let width = row.interval.1 - row.interval.0;
    // A tenth of the width's decade.
    let step = 10_f64.powf(width.log10().floor() - 1.0);
    let largest = row.interval.0.abs().max(row.interval.1.abs());
    let [value, low, high] = [row.value, row.interval.0, row.interval.1]
        .map(|value| if width > 0.0 { format_tick(value, step, largest) } else { format_value(value, 3) });
    format!("{value} [{low}, {high}]")
}
