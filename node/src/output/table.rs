//! Tables for people: no frames, so that `grep` and `awk` work on them too.

use super::printable;
use comfy_table::{CellAlignment, ContentArrangement, Table as Grid, presets};
use std::fmt;

/// The width that is assumed when output goes to a file or a pipe: lines are not wrapped.
const UNBOUNDED: u16 = u16::MAX;
/// The narrowest a terminal is taken for.
const NARROWEST: u16 = 60;

/// A table with a line of headings.
#[derive(Debug)]
pub(crate) struct Table {
    grid: Grid,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new<const N: usize>(headings: [&str; N]) -> Self {
        Self::with_width(headings, terminal_width())
    }

    fn with_width<const N: usize>(headings: [&str; N], width: u16) -> Self {
        let mut grid = Grid::new();
        grid.load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width)
            .set_header(headings.map(str::to_uppercase));
        for column in grid.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self { grid }
    }

    /// Numbers stand to the right.
    pub(crate) fn right(mut self, column: usize) -> Self {
        if let Some(column) = self.grid.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self
    }

    /// Adds a line; it stays one, whatever is in its cells.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.grid.add_row(cells.map(|cell| printable(&cell)));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.grid.lines().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(line.trim_end())?;
        }
        Ok(())
    }
}

fn terminal_width() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .map(|size| size.ws_col)
        .filter(|&columns| columns > 0)
        .map_or(UNBOUNDED, |columns| columns.max(NARROWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_blanks() {
        let mut table = Table::with_width(["name", "steps"], UNBOUNDED).right(1);
        table.row(["librarian".to_owned(), "2".to_owned()]);
        table.row(["ed".to_owned(), "12".to_owned()]);
        let lines: Vec<String> = table.to_string().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("NAME"));
        assert_eq!(lines[1].len(), lines[2].len());
        assert!(lines[2].ends_with("12"));
    }

    #[test]
    fn a_row_stays_one_line_whatever_is_in_it() {
        let mut table = Table::with_width(["name", "by"], UNBOUNDED);
        table.row(["a\nSTATE  fine".to_owned(), "x\u{1b}[2J\r\ty".to_owned()]);
        let text = table.to_string();
        assert_eq!(text.lines().count(), 2, "{text:?}");
        assert!(text.contains("a\\nSTATE") && text.contains("\\u{1b}[2J") && !text.contains('\u{1b}'), "{text:?}");
    }
}
