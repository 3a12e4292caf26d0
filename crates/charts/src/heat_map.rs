//! Cells coloured by their values: features by time steps, months by years, correlations.

use crate::axis::{Axis, extent};
use crate::colour::{ColourMap, ink_on};
use crate::error::{ChartError, Checked};
use crate::number_format::format_value;
use crate::sheet::{ColourBar, Plan, Sheet, room_up};
use crate::style::ChartStyle;
use crate::svg::{Anchor, Letters, Rectangle};
use crate::text_width::{text_width, widest};

/// A grid of coloured cells with a colour bar.
#[derive(Clone, Debug, Default)]
pub struct HeatMap<'a> {
    /// Heading.
    pub title: &'a str,
    /// What the colours are, with their unit.
    pub value_label: &'a str,
    /// What the rows are.
    pub row_label: &'a str,
    /// What the columns are.
    pub column_label: &'a str,
    /// Names of the rows, from top to bottom, each shown in full.
    pub rows: &'a [&'a str],
    /// Names of the columns, from left to right. Above 90 columns only every second, third and so on is written.
    pub columns: &'a [&'a str],
    /// `[rows, columns]`, row-major; `None` is drawn as a struck cell.
    pub values: &'a [Option<f64>],
    /// A diverging one has its middle at zero and reaches equally far to both sides.
    pub colours: ColourMap,
    /// Also write each value into its cell, with this many significant digits.
    pub digits: Option<usize>,
}

/// Columns that are all named; more of them are narrower than a letter is high.
const NAMED_COLUMNS: usize = 90;

impl HeatMap<'_> {
    /// The chart as an SVG document.
    ///
    /// # Errors
    /// Where there are no rows or columns, the number of values is not their product, or a value is not finite.
    pub fn svg(&self, style: &ChartStyle) -> Result<String, ChartError> {
        style.validate()?;
        self.validate()?;
        let size = style.font_size;
        let texts: Vec<String> = self.values.iter().map(|value| self.in_cell(*value)).collect();
        let (cell_width, stride, upright) = self.columns_layout(style, &texts);
        let cell_height = (130.0 / self.rows.len() as f64).clamp(1.6 * size, 3.0 * size);
        let plot_height = cell_height * self.rows.len() as f64;
        let axis = self.colour_axis(style, plot_height);
        let widest_column = widest(self.columns.iter().copied(), size);
        let mut sheet = Sheet::new(
            style,
            Plan {
                title: self.title,
                description: self.description(),
                colour_bar: Some(ColourBar {
                    label: self.value_label,
                    map: self.colours.whole(),
                    axis: axis.clone(),
                    missing: self.values.iter().any(Option::is_none),
                }),
                left_labels: widest(self.rows.iter().copied(), size),
                below: if upright { widest_column } else { size },
                x_label: self.column_label,
                y_label: self.row_label,
                plot_width: Some(cell_width * self.columns.len() as f64),
                plot_height,
                ..Plan::default()
            },
        );
        for (index, (value, text)) in self.values.iter().zip(&texts).enumerate() {
            let (row, column) = (index / self.columns.len(), index % self.columns.len());
            let cell = Rectangle {
                left: sheet.area.left + column as f64 * cell_width,
                top: sheet.area.top + row as f64 * cell_height,
                width: cell_width,
                height: cell_height,
            };
            let named = format!("{}, {}", self.rows[row], self.columns[column]);
            let Some(value) = *value else {
                sheet.missing_cell("cell", cell, &format!("{named}: no value"));
                continue;
            };
            let colour = self.colours.whole().at(axis.share(value));
            sheet.svg.rectangle("cell", cell, colour, &format!("{named}: {}", format_value(value, 3)));
            if !text.is_empty() {
                let letters = Letters { colour: ink_on(colour), ..sheet.letters(Anchor::Middle) };
                let middle = (cell.left + cell_width / 2.0, cell.top + cell_height / 2.0);
                sheet.centred_text("cell-text", middle, letters, text);
            }
        }
        self.draw_names(&mut sheet, (cell_width, cell_height), stride, upright);
        Ok(sheet.finish())
    }

    fn draw_names(&self, sheet: &mut Sheet<'_>, cell: (f64, f64), stride: usize, upright: bool) {
        for (row, name) in self.rows.iter().enumerate() {
            sheet.row_label("label", sheet.area.top + (row as f64 + 0.5) * cell.1, name);
        }
        let size = sheet.font_size;
        for (column, name) in self.columns.iter().enumerate().step_by(stride) {
            let middle = sheet.area.left + (column as f64 + 0.5) * cell.0;
            let top = sheet.area.bottom() + 7.0;
            if upright {
                let letters = Letters { angle: -90.0, ..sheet.letters(Anchor::End) };
                sheet.svg.text("column", (middle + 0.36 * size, top), letters, name);
            } else {
                sheet.svg.text("column", (middle, top + 0.8 * size), sheet.letters(Anchor::Middle), name);
            }
        }
    }

    /// Width of a cell, every how many-th column is named, and whether names stand upright.
    fn columns_layout(&self, style: &ChartStyle, texts: &[String]) -> (f64, usize, bool) {
        let size = style.font_size;
        let count = self.columns.len();
        let names = widest(self.columns.iter().copied(), size) + 0.6 * size;
        let left = widest(self.rows.iter().copied(), size);
        // About what the page leaves after the labels and the colour bar.
        let even = (style.width - left - 130.0).max(260.0) / count as f64;
        let even = even.min(6.0 * size);
        let text = texts.iter().map(|text| text_width(text, size) + 0.7 * size).fold(0.0, f64::max);
        if names <= even.max(text) {
            return (even.max(text), 1, false);
        }
        if count <= NAMED_COLUMNS {
            return (even.max(text).max(1.15 * size), 1, true);
        }
        let width = even.max(text).max(2.0);
        (width, (1.15 * size / width).ceil() as usize, true)
    }

    fn colour_axis(&self, style: &ChartStyle, height: f64) -> Axis {
        let (low, high) = extent(self.values.iter().copied().flatten());
        let room = room_up(style, height);
        if self.colours.is_diverging() {
            let far = low.abs().max(high.abs());
            return Axis::exact((-far, far), room);
        }
        Axis::exact((low, high), room)
    }

    fn in_cell(&self, value: Option<f64>) -> String {
        match (self.digits, value) {
            (Some(digits), Some(value)) => format_value(value, digits.max(1)),
            _ => String::new(),
        }
    }

    fn validate(&self) -> Result<(), ChartError> {
        let checked = Checked { kind: "heat map", title: self.title };
        checked.not_empty(self.rows.len(), "rows")?;
        checked.not_empty(self.columns.len(), "columns")?;
        let cells = self.rows.len() * self.columns.len();
        let grid = format!("the grid of {} rows and {} columns", self.rows.len(), self.columns.len());
        checked.same_length(self.values.len(), cells, "`values`", &grid)?;
        for (index, value) in self.values.iter().enumerate() {
            let (row, column) = (index / self.columns.len(), index % self.columns.len());
            let entry =
                || format!("the cell of row `{}` and column `{}`", self.rows[row], self.columns[column]);
            if let Some(value) = value {
                checked.finite(*value, entry)?;
            }
        }
        Ok(())
    }

    fn description(&self) -> String {
        let (low, high) = extent(self.values.iter().copied().flatten());
        format!(
            "Heat map of {}: {} rows by {} columns, values from {} to {}, {} cells without a value.",
            self.value_label,
            self.rows.len(),
            self.columns.len(),
            format_value(low, 3),
            format_value(high, 3),
            self.values.iter().filter(|value| value.is_none()).count()
        )
    }
}
