//! Which class was predicted for which.

use crate::axis::Axis;
use crate::colour::{ColourMap, ink_on};
use crate::error::{ChartError, Checked};
use crate::number_format::{format_count, format_percent};
use crate::sheet::{ColourBar, Plan, Sheet, room_up, tick_height};
use crate::style::ChartStyle;
use crate::svg::{Anchor, Letters, Rectangle};
use crate::text_width::{text_width, widest};

/// Counts by actual and predicted class, coloured by their share of the actual class.
#[derive(Clone, Debug, Default)]
pub struct ConfusionMatrix<'a> {
    /// Heading.
    pub title: &'a str,
    /// Names of the classes.
    pub classes: &'a [&'a str],
    /// `[classes, classes]`, row-major: a row per actual class, a column per predicted class.
    pub counts: &'a [u64],
}

impl ConfusionMatrix<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no classes, or the number of counts is not the square of theirs.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let size = style.font_size;
        let classes = self.classes.len();
        let texts: Vec<[String; 2]> = (0..self.counts.len()).map(|index| self.in_cell(index)).collect();
        let text = texts.iter().flatten().map(|text| text_width(text, size)).fold(0.0, f64::max);
        let names = widest(self.classes.iter().copied(), size);
        let cell_width = (text.max(names) + 1.5 * size).max(8.0 * size);
        let cell_height = 4.6 * size;
        let plot_height = cell_height * classes as f64;
        let mut axis = Axis::exact((0.0, 1.0), room_up(style, plot_height));
        for mark in &mut axis.marks {
            mark.label = format!("{:.0} %", mark.value * 100.0);
        }
        let map = ColourMap::Blues.whole();
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: self.description(),
                colour_bar: Some(ColourBar { label: "share of the actual class", map, axis, missing: false }),
                left_labels: names,
                below: tick_height(style),
                x_label: "predicted class",
                y_label: "actual class",
                plot_width: Some(cell_width * classes as f64),
                plot_height,
                ..Plan::default()
            },
        );
        for (index, [count, share]) in texts.iter().enumerate() {
            let (row, column) = (index / classes, index % classes);
            let cell = Rectangle {
                left: sheet.area.left + column as f64 * cell_width,
                top: sheet.area.top + row as f64 * cell_height,
                width: cell_width,
                height: cell_height,
            };
            let colour = map.at(self.share(index).unwrap_or(0.0));
            let tooltip = format!(
                "actual {}, predicted {}: {count} ({share})",
                self.classes[row], self.classes[column]
            );
            sheet.svg.rectangle("cell", cell, colour, &tooltip);
            let letters = Letters { colour: ink_on(colour), ..sheet.letters(Anchor::Middle) };
            let (x, y) = (cell.left + cell_width / 2.0, cell.top + cell_height / 2.0);
            let bold = Letters { bold: row == column, ..letters };
            sheet.centred_text("count", (x, y - 0.7 * size), bold, count);
            sheet.centred_text("share", (x, y + 0.7 * size), letters, share);
        }
        for (index, name) in self.classes.iter().enumerate() {
            let (left, top) = (sheet.area.left, sheet.area.top);
            sheet.row_label("label", top + (index as f64 + 0.5) * cell_height, name);
            let position = (left + (index as f64 + 0.5) * cell_width, sheet.area.bottom() + 7.0 + 0.8 * size);
            sheet.svg.text("column", position, sheet.letters(Anchor::Middle), name);
        }
        Ok(sheet.finish())
    }

    /// Count and share of the actual class.
    fn in_cell(&self, index: usize) -> [String; 2] {
        let share = self.share(index).map_or_else(|| "no samples".to_owned(), format_percent);
        [format_count(self.counts[index]), share]
    }

    /// The cell's share of its row; `None` of a class that did not occur.
    fn share(&self, index: usize) -> Option<f64> {
        let classes = self.classes.len();
        let row = &self.counts[index / classes * classes..][..classes];
        let total: f64 = row.iter().map(|&count| count as f64).sum();
        (total > 0.0).then(|| self.counts[index] as f64 / total)
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "confusion matrix", title: self.title };
        checked.not_empty(self.classes.len(), "classes")?;
        let cells = self.classes.len() * self.classes.len();
        let than = format!("the grid of {0} by {0} classes", self.classes.len());
        checked.same_length(self.counts.len(), cells, "`counts`", &than)
    }

    fn description(&self) -> String {
        let recalls = self.classes.iter().enumerate().map(|(index, name)| {
            let [count, share] = self.in_cell(index * self.classes.len() + index);
            format!("{name} {count} right ({share})")
        });
        format!("Confusion matrix: {}.", recalls.collect::<Vec<_>>().join(", "))
    }
}
