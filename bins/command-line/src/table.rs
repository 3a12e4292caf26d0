//! Aligned columns of plain text.

use std::io::{self, Write};

use crate::output::print_with;

/// A table of plain text without colours: numbers to the right, everything else to the left.
///
/// ```
/// let mut table = command_line::Table::new(["series", "candles"]);
/// table.row(["BTC/USDT", "57312"]);
/// table.row(["ETH", "7"]);
/// assert_eq!(
///     table.to_string(),
///     "series    candles\nBTC/USDT    57312\nETH             7\n"
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names and no rows.
    pub fn new<C: Into<String>>(header: impl IntoIterator<Item = C>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row. Missing cells stay empty; cells beyond the header get a column without a name.
    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) -> &mut Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table to stdout; a reader that has gone is no error.
    ///
    /// # Errors
    ///
    /// When stdout fails for another reason than a closed pipe.
    pub fn print(&self) -> anyhow::Result<()> {
        print_with(|stdout| self.write_to(stdout))
    }

    /// Writes the table to `to`.
    ///
    /// # Errors
    ///
    /// Those of `to`.
    pub fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        write!(to, "{self}")
    }

    fn columns(&self) -> Vec<Column> {
        let count = self.rows.iter().map(Vec::len).fold(self.header.len(), usize::max);
        let mut columns = vec![Column { width: 0, numeric: !self.rows.is_empty() }; count];
        for (column, name) in columns.iter_mut().zip(&self.header) {
            column.width = width(name);
        }
        for row in &self.rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                column.width = column.width.max(width(cell));
                column.numeric &= is_number(cell);
            }
        }
        columns
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.columns();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let mut line = String::new();
            for (index, column) in columns.iter().enumerate() {
                let cell = row.get(index).map_or("", String::as_str);
                let padding = " ".repeat(column.width - width(cell));
                let gap = if index == 0 { "" } else { "  " };
                let (before, after) =
                    if column.numeric { (padding.as_str(), "") } else { ("", padding.as_str()) };
                line.extend([gap, before, cell, after]);
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[derive(Clone)]
struct Column {
    width: usize,
    numeric: bool,
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

/// Numbers, with what people put around them; an absent value does not make a column text.
fn is_number(cell: &str) -> bool {
    let number = cell.trim_end_matches(['%', ' ']).replace(['_', ','], "");
    cell.is_empty() || cell == "-" || number.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_text_left() {
        let mut table = Table::new(["name", "rows", "share"]);
        table.row(["a", "1,234", "5%"]).row(["long name", "-", "100%"]).row(["b"]);
        assert_eq!(
            table.to_string(),
            "name        rows  share\n\
             a          1,234     5%\n\
             long name      -   100%\n\
             b\n"
        );
    }

    #[test]
    fn one_text_cell_turns_the_column_to_text() {
        let mut table = Table::new(["value"]);
        table.row(["12"]).row(["none"]);
        assert_eq!(table.to_string(), "value\n12\nnone\n");
    }

    #[test]
    fn a_cell_without_column_name_is_kept() {
        let mut table = Table::new(["a"]);
        table.row(["1", "2"]);
        assert_eq!(table.to_string(), "a\n1  2\n");
    }

    #[test]
    fn width_counts_characters_not_bytes() {
        let mut table = Table::new(["ü", "x"]);
        table.row(["öä", "y"]);
        assert_eq!(table.to_string(), "ü   x\nöä  y\n");
    }
}
