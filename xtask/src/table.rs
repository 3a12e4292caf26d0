//! Aligned columns of plain text.
//!
//! The programs have a table of their own in `command-line`; this small one keeps xtask without
//! dependencies on the workspace.

/// Lays out rows under their header; the columns listed in `numeric` stand to the right.
pub(crate) fn table<const N: usize>(header: [&str; N], numeric: &[usize], rows: &[[String; N]]) -> String {
    let mut widths = header.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    let header = header.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&header).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[column] - width(cell));
            let gap = if column == 0 { "" } else { "  " };
            let right = numeric.contains(&column);
            let (before, after) = if right { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.extend([gap, before, cell, after]);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned() {
        let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "1234".to_owned()]];
        assert_eq!(table(["name", "rows"], &[1], &rows), "name  rows\na        1\nlong  1234\n");
    }
}
