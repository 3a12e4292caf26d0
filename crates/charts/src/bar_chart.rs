//! Horizontal bars: importance of features, shares, one number per name.

use crate::axis::{Axis, extent};
use crate::colour::series_colour;
use crate::error::{ChartError, Checked};
use crate::number_format::format_value;
use crate::sheet::{KeyEntry, Plan, Sheet, Swatch, tick_height};
use crate::style::ChartStyle;
use crate::svg::{Anchor, Rectangle, Stroke};
use crate::text_width::widest;

/// Horizontal bars from zero, in the order given, each with its value beside it.
#[derive(Clone, Debug, Default)]
pub struct BarChart<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the lengths are, with their unit.
    pub value_label: &'a str,
    /// From top to bottom.
    pub bars: &'a [Bar<'a>],
    /// Names of the groups that [`Bar::group`] counts; they get a colour each and stand in the key. May be empty.
    pub groups: &'a [&'a str],
}

/// One bar.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar<'a> {
    /// Shown in full left of the bar.
    pub label: &'a str,
    /// Its length, negative to the left.
    pub value: f64,
    /// Lower and upper end of the whiskers, around the value.
    pub interval: Option<(f64, f64)>,
    /// Position in [`BarChart::groups`]; 0 where there are none.
    pub group: usize,
}

impl BarChart<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no bars, a value or an interval is not finite, an interval does not hold its value, or a group is
    /// not among the groups.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let size = style.font_size;
        let row_height = (1.8 * size).round();
        let values: Vec<String> = self.bars.iter().map(|bar| format_value(bar.value, 3)).collect();
        let key = self
            .groups
            .iter()
            .enumerate()
            .map(|(index, name)| KeyEntry { name, swatch: Swatch::Box(series_colour(index)) });
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: self.description(),
                key: key.collect(),
                left_labels: widest(self.bars.iter().map(|bar| bar.label), size),
                right_labels: widest(values.iter().map(String::as_str), size),
                below: tick_height(style),
                x_label: self.value_label,
                plot_height: row_height * self.bars.len() as f64 + 6.0,
                ..Plan::default()
            },
        );
        let ends = self.bars.iter().flat_map(|bar| {
            let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
            [0.0, low, high]
        });
        let mut axis = Axis::linear(extent(ends), sheet.room_across());
        if self.bars.iter().all(|bar| bar.value == 0.0 && bar.interval.is_none()) {
            axis = Axis::linear((0.0, 1.0), sheet.room_across());
        }
        sheet.draw_x_axis(&axis);
        for (index, (bar, shown)) in self.bars.iter().zip(&values).enumerate() {
            let middle = sheet.area.top + 3.0 + (index as f64 + 0.5) * row_height;
            self.draw_bar(&mut sheet, &axis, bar, shown, (middle, row_height));
        }
        let zero = sheet.x(&axis, 0.0);
        let stroke = Stroke::solid(sheet.ink.axis, 1.0);
        sheet.svg.line("zero", (zero, sheet.area.top), (zero, sheet.area.bottom()), stroke);
        Ok(sheet.finish())
    }

    fn draw_bar(
        &self,
        sheet: &mut Sheet<'_>,
        axis: &Axis,
        bar: &Bar<'_>,
        shown: &str,
        (middle, row_height): (f64, f64),
    ) {
        let (zero, end) = (sheet.x(axis, 0.0), sheet.x(axis, bar.value));
        let height = 0.68 * row_height;
        let rectangle =
            Rectangle { left: zero.min(end), top: middle - height / 2.0, width: (end - zero).abs(), height };
        let tooltip = format!("{}: {shown}", bar.label);
        sheet.svg.rectangle("bar", rectangle, series_colour(bar.group), &tooltip);
        if let Some((low, high)) = bar.interval {
            let (low, high) = (sheet.x(axis, low), sheet.x(axis, high));
            let stroke = Stroke::solid(sheet.ink.text, 1.25);
            sheet.svg.line("whisker", (low, middle), (high, middle), stroke);
            for x in [low, high] {
                let cap = 0.16 * row_height;
                sheet.svg.line("cap", (x, middle - cap), (x, middle + cap), stroke);
            }
        }
        sheet.row_label("label", middle, bar.label);
        // Beyond the area, so that no bar, whisker or grid line runs through it.
        let x = sheet.area.right() + 7.0;
        let letters = sheet.letters(Anchor::Start);
        sheet.centred_text("value", (x, middle), letters, shown);
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "bar chart", title: self.title };
        checked.not_empty(self.bars.len(), "bars")?;
        for (index, bar) in self.bars.iter().enumerate() {
            let entry = || format!("bar {index} (`{}`)", bar.label);
            checked.finite(bar.value, entry)?;
            if let Some(interval) = bar.interval {
                checked.interval(interval, bar.value, entry)?;
            }
            if bar.group >= self.groups.len().max(1) {
                let remedy = format!("give the position of one of the {} groups, from 0", self.groups.len());
                return Err(checked.value(format!("the group of {}", entry()), bar.group, &remedy));
            }
        }
        Ok(())
    }

    fn description(&self) -> String {
        let largest = self.bars.iter().max_by(|one, two| one.value.abs().total_cmp(&two.value.abs()));
        let largest = largest.map_or(String::new(), |bar| {
            format!("; the longest is {} with {}", bar.label, format_value(bar.value, 3))
        });
        format!("Bar chart of {}: {} bars{largest}.", self.value_label, self.bars.len())
    }
}
