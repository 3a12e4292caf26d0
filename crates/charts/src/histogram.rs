//! How often values fall into ranges of equal width.

use crate::axis::{Axis, extent};
use crate::colour::series_colour;
use crate::error::{ChartError, Checked};
use crate::number_format::{format_count, format_value};
use crate::sheet::{KeyEntry, Plan, Sheet, Swatch, room_up, tick_height};
use crate::style::ChartStyle;
use crate::svg::{Rectangle, Stroke};

/// Counts of values in ranges of equal width.
#[derive(Clone, Debug, Default)]
pub struct Histogram<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the values are, with their unit.
    pub value_label: &'a str,
    /// In any order.
    pub values: &'a [f64],
    /// How many ranges.
    pub bins: Bins,
    /// Values to compare with, each a named upright line: an observed value in a distribution under chance.
    pub references: &'a [(&'a str, f64)],
}

/// The number of ranges of a [`Histogram`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bins {
    /// Ranges of twice the interquartile range divided by the cube root of the number of values (Freedman and Diaconis,
    /// "On the histogram as a density estimator: L2 theory", 1981); at least 1 and at most 200 of them.
    #[default]
    FreedmanDiaconis,
    /// As many as this, 1 to 1000.
    Count(usize),
}

impl Histogram<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no values, one is not finite, or the number of ranges is not between 1 and 1000.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let (low, width, counts) = self.counts();
        let most = counts.iter().copied().max().unwrap_or(0);
        let y_axis = Axis::linear((0.0, most as f64), room_up(style, style.plot_height));
        // The first colour is the bars'.
        let references: Vec<(f64, Stroke, String)> = self
            .references
            .iter()
            .enumerate()
            .map(|(index, (name, value))| {
                let stroke = Stroke { dash: "5 3", ..Stroke::solid(series_colour(index + 1), 2.0) };
                (*value, stroke, format!("{name}: {}", format_value(*value, 3)))
            })
            .collect();
        let key = references
            .iter()
            .map(|(_, stroke, name)| KeyEntry { name: name.as_str(), swatch: Swatch::Line(*stroke) });
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: format!(
                    "Histogram of {}: {} values from {} to {} in {} ranges.",
                    self.value_label,
                    self.values.len(),
                    format_value(extent(self.values.iter().copied()).0, 3),
                    format_value(extent(self.values.iter().copied()).1, 3),
                    counts.len()
                ),
                key: key.collect(),
                left_labels: y_axis.widest_label(style.font_size),
                below: tick_height(style),
                x_label: self.value_label,
                y_label: "count",
                plot_height: style.plot_height,
                ..Plan::default()
            },
        );
        let edge = |index: usize| low + index as f64 * width;
        let ends = [edge(0), edge(counts.len())].into_iter().chain(self.references.iter().map(|line| line.1));
        let x_axis = Axis::linear(extent(ends), sheet.room_across());
        sheet.draw_y_axis(&y_axis);
        sheet.draw_x_axis(&x_axis);
        for (index, &count) in counts.iter().enumerate() {
            let (left, right) = (sheet.x(&x_axis, edge(index)), sheet.x(&x_axis, edge(index + 1)));
            let top = sheet.y(&y_axis, count as f64);
            // White between bars, as long as they are wide enough.
            let gap = if right - left > 4.0 { 0.75 } else { 0.0 };
            let bar = Rectangle { left, top, width: right - left - gap, height: sheet.area.bottom() - top };
            let (from, to) = (format_value(edge(index), 3), format_value(edge(index + 1), 3));
            let tooltip = format!("{from} to {to}: {}", format_count(count));
            sheet.svg.rectangle("bar", bar, series_colour(0), &tooltip);
        }
        for (value, stroke, _) in &references {
            let x = sheet.x(&x_axis, *value);
            sheet.svg.line("reference", (x, sheet.area.top), (x, sheet.area.bottom()), *stroke);
        }
        Ok(sheet.finish())
    }

    /// Lower end, width of a range, and counts. The last range includes its upper end.
    fn counts(&self) -> (f64, f64, Vec<u64>) {
        let (low, high) = extent(self.values.iter().copied());
        let largest = low.abs().max(high.abs());
        if high - low <= largest * 1e-12 || largest < 1e-100 {
            // All alike: one range around them.
            let half = if largest < 1e-100 { 0.5 } else { largest * 0.05 };
            return (low - half, 2.0 * half, vec![self.values.len() as u64]);
        }
        let bins = match self.bins {
            Bins::Count(count) => count,
            Bins::FreedmanDiaconis => self.freedman_diaconis(high - low),
        };
        let width = (high - low) / bins as f64;
        let mut counts = vec![0; bins];
        for value in self.values {
            counts[(((value - low) / width) as usize).min(bins - 1)] += 1;
        }
        (low, width, counts)
    }

    fn freedman_diaconis(&self, range: f64) -> usize {
        let mut sorted = self.values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let quartiles = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        let width = 2.0 * quartiles / (sorted.len() as f64).cbrt();
        if width > 0.0 {
            // The cast saturates where a range holds next to nothing.
            ((range / width).ceil() as usize).clamp(1, 200)
        } else {
            // Half of the values are alike; Sturges' rule looks at their number alone.
            (sorted.len() as f64).log2().ceil() as usize + 1
        }
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "histogram", title: self.title };
        checked.not_empty(self.values.len(), "values")?;
        checked.all_finite(self.values, "`values`")?;
        for (name, value) in self.references {
            checked.finite(*value, || format!("the reference `{name}`"))?;
        }
        if let Bins::Count(count) = self.bins
            && !(1..=1_000).contains(&count)
        {
            return Err(checked.value("the number of bins", count, "give 1 to 1000, or let the data decide"));
        }
        Ok(())
    }
}

/// Linear interpolation between order statistics (Hyndman and Fan's type 7, NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_numpy() {
        // numpy.histogram([1, 2, 2, 3, 5, 8, 8, 9], bins=4): counts 3, 1, 1, 3, edges 1, 3, 5, 7, 9 with 3 in the second.
        let values = [1.0, 2.0, 2.0, 3.0, 5.0, 8.0, 8.0, 9.0];
        let histogram = Histogram { values: &values, bins: Bins::Count(4), ..Default::default() };
        assert_eq!(histogram.counts(), (1.0, 2.0, vec![3, 1, 1, 3]));
        // Quartiles 2 and 8, cube root of 8: ranges of 6, and 8 / 6 rounds up to 2; they meet at 5.
        let automatic = Histogram { values: &values, ..Default::default() };
        assert_eq!(automatic.counts().2, vec![4, 4]);
        let alike = Histogram { values: &[0.0; 7], ..Default::default() };
        assert_eq!(alike.counts(), (-0.5, 1.0, vec![7]));
    }
}
