//! Tables of a page.

use super::text::prose;
use crate::{Error, Result};
use maud::{Markup, html};

/// A table; on a narrow screen it scrolls within its own box.
///
/// See the example of [`Page`](super::Page).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    caption: String,
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Column {
    name: String,
    unit: String,
    is_number: bool,
}

/// A text cell with more characters than this may take several lines.
const LONG: usize = 20;

impl Table {
    /// Creates a table without columns; `caption` is written above it and may be empty.
    pub fn new(caption: impl Into<String>) -> Self {
        Self { caption: caption.into(), ..Self::default() }
    }

    /// Adds a column of text.
    #[must_use]
    pub fn text_column(mut self, name: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), unit: String::new(), is_number: false });
        self
    }

    /// Adds a column of numbers, aligned right; `unit` may be empty.
    #[must_use]
    pub fn number_column(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        self.columns.push(Column { name: name.into(), unit: unit.into(), is_number: true });
        self
    }

    /// Adds a row of cells.
    #[must_use]
    pub fn row(mut self, cells: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rows.push(cells.into_iter().map(Into::into).collect());
        self
    }

    pub(super) fn to_html(&self) -> Result<Markup> {
        if let Some(row) = self.rows.iter().find(|row| row.len() != self.columns.len()) {
            return Err(Error::ShapeMismatch {
                operation: "row of a table",
                expected: vec![self.columns.len()],
                found: vec![row.len()],
            });
        }
        let class = |column: &Column| column.is_number.then_some("number");
        // Long texts may wrap; short texts and numbers may not.
        let of_cell = |column: &Column, cell: &String| match !column.is_number && cell.len() > LONG {
            true => Some("long"),
            false => class(column),
        };
        Ok(html! {
            // Focusable, so that the table can be scrolled with the keyboard.
            div.scroll tabindex="0" role="region" aria-label=(if self.caption.is_empty() { "table" } else { &self.caption }) {
                table {
                    @if !self.caption.is_empty() { caption { (prose(&self.caption)) } }
                    thead { tr {
                        @for column in &self.columns {
                            th scope="col" class=[class(column)] {
                                (column.name)
                                @if !column.unit.is_empty() { " " small { (column.unit) } }
                            }
                        }
                    } }
                    tbody {
                        @for row in &self.rows {
                            tr { @for (column, cell) in self.columns.iter().zip(row) { td class=[of_cell(column, cell)] { (prose(cell)) } } }
                        }
                    }
                }
            }
        })
    }
}
