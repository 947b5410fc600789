//! The layout of a contact sheet: positions of tiles, labels and keys.

use super::super::font;
use crate::{Error, Result};

/// Pixels of the sheet per pixel of the font.
pub(super) const FONT_SCALE: usize = 2;

const MARGIN: usize = 16;
/// Gap between a label and its tiles, and between stacked blocks.
const LABEL_GAP: usize = 10;
/// Gap between neighbouring tiles, including their one-pixel frames.
const TILE_GAP: usize = 8;
/// Gap between a tile and the label under it.
const UNDER_GAP: usize = 5;
/// Additional gap between groups of columns.
const GROUP_GAP: usize = 24;
/// Blank pixels between the labels of neighbouring columns.
const LABEL_SPACE: usize = 8;
const LINE: usize = font::LINE * FONT_SCALE;
const TEXT_HEIGHT: usize = font::HEIGHT * FONT_SCALE;
/// Row labels wrap after this many characters; titles may always use at least [`TITLE_LIMIT`].
const ROW_LABEL_LIMIT: usize = 18;
const TITLE_LIMIT: usize = 24;
const KEY_HEIGHT: usize = 14;
const MARK_WIDTH: usize = 28;
const SIGNED_WIDTH: usize = 132;
const MAX_SIDE: usize = 1 << 16;
const MAX_PIXELS: usize = 64_000_000;

/// The options of a sheet: sizes, title and labels. The layout depends on these and on the keys that the tiles need.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) tile_height: usize,
    pub(super) tile_width: usize,
    pub(super) title: String,
    pub(super) columns: Option<usize>,
    pub(super) column_labels: Vec<String>,
    pub(super) column_groups: Vec<(String, usize)>,
    pub(super) row_labels: Vec<String>,
    pub(super) tile_labels: Vec<String>,
    pub(super) magnify: usize,
    pub(super) mark_label: String,
}

/// The properties of the tiles that the layout depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contents {
    /// Number of tiles, empty places included.
    pub(super) tiles: usize,
    /// A tile has marked rows.
    pub(super) has_mark: bool,
    /// The magnitude at the ends of the colour scale, if all signed tiles share one scale.
    pub(super) signed_limit: Option<f32>,
}

/// A rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// One line of text and the box around it.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) text: String,
    pub(super) bounds: Bounds,
}

/// The subject of a key below the grid.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Mark,
    Signed,
}

/// The positions of everything on a sheet.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    /// One rectangle per tile pushed, without the frame.
    pub(super) tiles: Vec<Bounds>,
    pub(super) labels: Vec<Label>,
    /// Lines below the headings of groups.
    pub(super) rules: Vec<Bounds>,
    pub(super) keys: Vec<(Key, Bounds)>,
}

impl Layout {
    /// Places `lines` from `y` downwards; `place` returns the left edge of a line of a given width. Returns the y below
    /// them.
    fn text(&mut self, lines: &[String], y: usize, place: impl Fn(usize) -> usize) -> usize {
        for (i, line) in lines.iter().enumerate() {
            let width = text_width(line);
            let bounds = Bounds { x: place(width), y: y + i * LINE, width, height: TEXT_HEIGHT };
            self.labels.push(Label { text: line.clone(), bounds });
        }
        y + lines.len() * LINE
    }
}

/// The columns of the grid: their wrapped labels and horizontal positions.
struct Columns {
    labels: Vec<Vec<String>>,
    widths: Vec<usize>,
    starts: Vec<usize>,
    /// Each a wrapped heading, the first column, and one past the last column.
    groups: Vec<(Vec<String>, usize, usize)>,
    end: usize,
}

fn text_width(line: &str) -> usize {
    font::width(line) * FONT_SCALE
}

fn widest(lines: &[String]) -> usize {
    lines.iter().map(|line| text_width(line)).max().unwrap_or(0)
}

fn most_lines<'a>(blocks: impl Iterator<Item = &'a Vec<String>>) -> usize {
    blocks.map(Vec::len).max().unwrap_or(0)
}

/// Number of characters that fit into `width` pixels, but at least 5, a short word.
fn characters(width: usize) -> usize {
    ((width + FONT_SCALE) / (font::ADVANCE * FONT_SCALE)).max(5)
}

impl Options {
    /// Computes the layout, or returns an error that says which sizes or labels do not match.
    pub(super) fn layout(&self, contents: Contents) -> Result<Layout> {
        let (column_count, row_count) = self.grid(contents.tiles)?;
        let (tile_width, tile_height) = (self.tile_width * self.magnify, self.tile_height * self.magnify);
        let row_labels: Vec<Vec<String>> =
            self.row_labels.iter().map(|label| font::wrap(label, ROW_LABEL_LIMIT)).collect();
        let label_width = row_labels.iter().map(|lines| widest(lines)).max().unwrap_or(0);
        let left = MARGIN + if label_width > 0 { label_width + LABEL_GAP } else { 0 };
        let columns = self.columns_from(left, column_count, tile_width);

        let title = font::wrap(&self.title, characters(columns.end - MARGIN).max(TITLE_LIMIT));
        let mut layout = Layout {
            width: columns.end.max(MARGIN + widest(&title)) + MARGIN,
            height: 0,
            tiles: Vec::new(),
            labels: Vec::new(),
            rules: Vec::new(),
            keys: Vec::new(),
        };
        let mut y = layout.text(&title, MARGIN, |_| MARGIN);
        y += if title.is_empty() { 0 } else { LABEL_GAP };
        y = columns.place(&mut layout, y);

        for row in 0..row_count {
            let lines = row_labels.get(row).map_or(&[][..], Vec::as_slice);
            let text_height = (lines.len() * LINE).saturating_sub(LINE - TEXT_HEIGHT);
            let height = tile_height.max(text_height);
            layout.text(lines, y + (height - text_height) / 2, |width| left - LABEL_GAP - width);
            let mut bottom = y + height;
            for column in 0..column_count.min(contents.tiles - row * column_count) {
                let (start, width) = (columns.starts[column], columns.widths[column]);
                let x = start + (width - tile_width) / 2;
                let top = y + (height - tile_height) / 2;
                layout.tiles.push(Bounds { x, y: top, width: tile_width, height: tile_height });
                let lines = self.under(row * column_count + column, tile_width);
                let below = top + tile_height + UNDER_GAP;
                if !lines.is_empty() {
                    bottom = bottom.max(layout.text(&lines, below, |line| start + (width - line) / 2));
                }
            }
            y = bottom + TILE_GAP;
        }
        layout.height = self.place_keys(&mut layout, contents, (left, y - TILE_GAP)) + MARGIN;
        if layout.width.saturating_mul(layout.height) > MAX_PIXELS {
            return Err(too_large(layout.width, layout.height));
        }
        Ok(layout)
    }

    /// The numbers of columns and rows, checked against the labels.
    pub(super) fn grid(&self, tiles: usize) -> Result<(usize, usize)> {
        if tiles == 0 {
            return Err(Error::invalid("contact sheet", "no tile was pushed; a sheet needs at least 1"));
        }
        if self.magnify == 0 || self.tile_height == 0 || self.tile_width == 0 {
            let size =
                format!("tiles of {}x{} magnified {} times", self.tile_height, self.tile_width, self.magnify);
            return Err(Error::invalid(size, "each of the three numbers must be at least 1"));
        }
        let grouped = self.column_groups.iter().map(|(_, size)| size).sum();
        let counts = [self.columns.unwrap_or(0), self.column_labels.len(), grouped];
        let columns = counts.into_iter().find(|&count| count > 0).unwrap_or(tiles);
        let rows = tiles.div_ceil(columns);
        count("column labels", self.column_labels.len(), "columns", columns)?;
        count("columns in groups", grouped, "columns", columns)?;
        count("row labels", self.row_labels.len(), "rows", rows)?;
        count("tile labels", self.tile_labels.len(), "tiles", tiles)?;
        let side = |tile: usize, number: usize| tile.saturating_mul(self.magnify).saturating_mul(number);
        let (width, height) = (side(self.tile_width, columns), side(self.tile_height, rows));
        if width.saturating_mul(height) > MAX_PIXELS || columns.max(rows) > MAX_SIDE {
            return Err(too_large(width, height));
        }
        Ok((columns, rows))
    }

    /// The lines of the label under a tile.
    fn under(&self, tile: usize, tile_width: usize) -> Vec<String> {
        self.tile_labels.get(tile).map_or_else(Vec::new, |label| font::wrap(label, characters(tile_width)))
    }

    /// Wraps the column labels and places the columns from `left` onwards.
    fn columns_from(&self, left: usize, count: usize, tile_width: usize) -> Columns {
        let wrapped = |label: &String| font::wrap(label, characters(tile_width));
        let labels: Vec<Vec<String>> = self.column_labels.iter().map(wrapped).collect();
        let under = |column: usize| {
            let tiles = (column..self.tile_labels.len()).step_by(count);
            tiles.map(|tile| widest(&self.under(tile, tile_width))).max().unwrap_or(0)
        };
        let label = |column: usize| labels.get(column).map_or(0, |lines| widest(lines)).max(under(column));
        let mut widths: Vec<usize> = (0..count)
            .map(|column| match label(column) {
                0 => tile_width,
                label => tile_width.max(label + LABEL_SPACE),
            })
            .collect();
        let mut starts = vec![left; count];
        let mut groups = Vec::new();
        let (mut x, mut first) = (left, 0);
        let whole = [(String::new(), count)];
        let sizes = if self.column_groups.is_empty() { &whole[..] } else { &self.column_groups };
        for (heading, size) in sizes.iter().filter(|(_, size)| *size > 0) {
            let last = first + size;
            let tight = widths[first..last].iter().sum::<usize>() + (size - 1) * TILE_GAP;
            let heading = font::wrap(heading, characters(tight));
            if !heading.is_empty() {
                widths[last - 1] += (widest(&heading) + LABEL_SPACE).saturating_sub(tight);
            }
            for column in first..last {
                starts[column] = x;
                x += widths[column] + TILE_GAP;
            }
            x += GROUP_GAP;
            groups.push((heading, first, last));
            first = last;
        }
        Columns { labels, widths, starts, groups, end: x - GROUP_GAP - TILE_GAP }
    }

    /// Places the keys below the grid, whose tiles start at `left` and end at `bottom`. Returns the y below them.
    fn place_keys(&self, layout: &mut Layout, contents: Contents, (left, bottom): (usize, usize)) -> usize {
        let mut y = bottom;
        let text_y = |y: usize| (y + KEY_HEIGHT / 2 + 2).saturating_sub(TEXT_HEIGHT / 2);
        if !self.mark_label.is_empty() && contents.has_mark {
            y += LABEL_GAP + TEXT_HEIGHT / 2;
            let bar = Bounds { x: left, y, width: MARK_WIDTH, height: KEY_HEIGHT };
            let start = bar.x + bar.width + LABEL_GAP;
            let room = characters(layout.width.saturating_sub(start + MARGIN)).max(TITLE_LIMIT);
            let lines = font::wrap(&self.mark_label, room);
            layout.width = layout.width.max(start + widest(&lines) + MARGIN);
            let text_end = layout.text(&lines, text_y(y), |_| start);
            layout.keys.push((Key::Mark, bar));
            y = text_end.max(y + KEY_HEIGHT);
        }
        if let Some(limit) = contents.signed_limit {
            y += LABEL_GAP + TEXT_HEIGHT / 2;
            let (low, high) = (format!("-{}", short(limit)), format!("+{}", short(limit)));
            let bar =
                Bounds { x: left + text_width(&low) + LABEL_GAP, y, width: SIGNED_WIDTH, height: KEY_HEIGHT };
            let end = bar.x + bar.width + LABEL_GAP;
            layout.width = layout.width.max(end + text_width(&high) + MARGIN);
            layout.text(&[low], text_y(y), |_| left);
            y = layout.text(&[high], text_y(y), |_| end);
            layout.keys.push((Key::Signed, bar));
        }
        y
    }
}

impl Columns {
    /// Places headings, their rules and the column labels from `y` downwards. Returns the y of the first tile.
    fn place(&self, layout: &mut Layout, y: usize) -> usize {
        let mut y = y;
        let heading_lines = most_lines(self.groups.iter().map(|(heading, ..)| heading));
        for (heading, first, last) in self.groups.iter().filter(|(heading, ..)| !heading.is_empty()) {
            let start = self.starts[*first];
            let width = self.starts[last - 1] + self.widths[last - 1] - start;
            let top = y + (heading_lines - heading.len()) * LINE;
            let under = layout.text(heading, top, |line| start + (width - line) / 2);
            layout.rules.push(Bounds { x: start, y: under, width, height: 2 });
        }
        y += heading_lines * LINE + if heading_lines > 0 { LABEL_GAP } else { 0 };
        let label_lines = most_lines(self.labels.iter());
        for (column, lines) in self.labels.iter().enumerate() {
            let (start, width) = (self.starts[column], self.widths[column]);
            // Aligned to the bottom, so that a short label is next to its tiles.
            layout.text(lines, y + (label_lines - lines.len()) * LINE, |line| start + (width - line) / 2);
        }
        y + label_lines * LINE + if label_lines > 0 { 2 } else { 0 }
    }
}

/// Formats a number with at most three significant digits.
pub(super) fn short(value: f32) -> String {
    if !(1e-3..1e6).contains(&value) {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - f64::from(value).log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

fn count(name: &str, found: usize, counted: &str, expected: usize) -> Result<()> {
    if found == 0 || found == expected {
        return Ok(());
    }
    Err(Error::invalid(
        format!("{found} {name}"),
        format!("the contact sheet has {expected} {counted}; give {expected} or none"),
    ))
}

fn too_large(width: usize, height: usize) -> Error {
    let expected = format!(
        "at most {MAX_PIXELS} pixels and {MAX_SIDE} columns or rows; push fewer tiles or magnify less"
    );
    Error::invalid(format!("contact sheet of {width}x{height} pixels"), expected)
}
