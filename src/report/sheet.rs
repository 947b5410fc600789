//! Contact sheets: a grid of small images with labels, as PNG.

#[cfg(feature = "cli")]
pub(in crate::report) mod html;
mod layout;

use super::colour::{self, Rgb};
use super::font;
use super::picture::picture;
use crate::{Error, Result};
use core::ops::Range;
use layout::{Bounds, Contents, Key, Layout, Options};

const PAPER: Rgb = [255; 3];
const INK: Rgb = [0x22; 3];
const FRAME: Rgb = [0xb0; 3];

/// A grid of equally large images with a title and labels, drawn to PNG.
///
/// Options are set by method chaining; tiles are added in row-major order. The sheet grows with its labels: labels
/// never overlap each other or leave the sheet. The background is white, so black pixels inside a frame belong to a
/// tile.
///
/// **Shapes** Every tile is (tile height, tile width) in grey, or (tile height, tile width, 3) in colour, row-major.
///
/// **Units** Grey values and the parts of a colour (red, green, blue) are in 0..=1 (0 black), or in 0..=255 for bytes.
///
/// ```
/// # fn main() -> equilibria::Result<()> {
/// let mut sheet = equilibria::report::ContactSheet::new(2, 2).title("Two tiles").columns(2).magnify(4);
/// sheet.push(&[0.0, 0.5, 0.5, 1.0])?;
/// sheet.push_u8(&[0, 128, 128, 255])?;
/// assert!(sheet.to_png()?.starts_with(b"\x89PNG"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ContactSheet {
    options: Options,
    tiles: Vec<Option<Tile>>,
}

#[derive(Debug, Clone)]
struct Tile {
    pixels: Vec<Rgb>,
    in_colour: bool,
    /// The magnitude at the ends of the colour scale of a signed tile.
    signed_limit: Option<f32>,
    has_mark: bool,
}

impl ContactSheet {
    /// Creates an empty sheet for tiles of `tile_height` by `tile_width` pixels, each pixel drawn as 3 by 3.
    pub fn new(tile_height: usize, tile_width: usize) -> Self {
        Self {
            options: Options { tile_height, tile_width, magnify: 3, ..Options::default() },
            tiles: Vec::new(),
        }
    }

    /// Writes `title` above the sheet.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.options.title = title.into();
        self
    }

    /// Sets the number of columns. The default is the number of column labels or grouped columns, otherwise one row
    /// holds all tiles.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.options.columns = Some(columns);
        self
    }

    /// Writes a label above each column. Labels wrap at spaces; a column is widened to fit its longest word.
    #[must_use]
    pub fn column_labels(mut self, labels: &[impl AsRef<str>]) -> Self {
        self.options.column_labels = labels.iter().map(|label| label.as_ref().to_string()).collect();
        self
    }

    /// Groups the columns, with a gap between groups: each group is (heading, number of columns); a heading may be
    /// empty.
    pub fn column_groups(mut self, groups: &[(impl AsRef<str>, usize)]) -> Self {
        self.options.column_groups =
            groups.iter().map(|(heading, size)| (heading.as_ref().to_string(), *size)).collect();
        self
    }

    /// Writes a label to the left of each row.
    #[must_use]
    pub fn row_labels(mut self, labels: &[impl AsRef<str>]) -> Self {
        self.options.row_labels = labels.iter().map(|label| label.as_ref().to_string()).collect();
        self
    }

    /// Writes a label under each tile, empty places included. Labels wrap at spaces.
    #[must_use]
    pub fn tile_labels(mut self, labels: &[impl AsRef<str>]) -> Self {
        self.options.tile_labels = labels.iter().map(|label| label.as_ref().to_string()).collect();
        self
    }

    /// Draws each pixel of a tile as `factor` by `factor` pixels.
    #[must_use]
    pub fn magnify(mut self, factor: usize) -> Self {
        self.options.magnify = factor;
        self
    }

    /// Explains the colour of marked rows in a line below the grid, for instance `removed rows`.
    #[must_use]
    pub fn mark_label(mut self, label: impl Into<String>) -> Self {
        self.options.mark_label = label.into();
        self
    }

    /// Adds a tile of grey values or colours. Values are clamped to 0..=1; a NaN is drawn in the colour of marked rows.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `values` does not have the size of a tile.
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        self.push_marked(values, 0..0)
    }

    /// Adds a tile of grey values or colours as bytes.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `values` does not have the size of a tile.
    pub fn push_u8(&mut self, values: &[u8]) -> Result<()> {
        let in_colour = self.is_in_colour(values.len())?;
        let pixels = match in_colour {
            true => values.as_chunks().0.to_vec(),
            false => values.iter().map(|&value| [value; 3]).collect(),
        };
        self.tiles.push(Some(Tile { pixels, in_colour, signed_limit: None, has_mark: false }));
        Ok(())
    }

    /// Adds a tile of grey values or colours whose pixel rows `marked` are drawn in amber, so that removed pixels do not look
    /// black.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `values` does not have the size of a tile; [`Error::InvalidArgument`] if
    /// `marked` is not within the tile.
    pub fn push_marked(&mut self, values: &[f32], marked: Range<usize>) -> Result<()> {
        let in_colour = self.is_in_colour(values.len())?;
        if marked.start > marked.end || marked.end > self.options.tile_height {
            return Err(Error::invalid(
                format!("marked rows {}..{}", marked.start, marked.end),
                format!("a tile has the rows 0..{}", self.options.tile_height),
            ));
        }
        let mut has_mark = false;
        let tone = |(i, parts): (usize, [f32; 3])| {
            let mean = parts.iter().sum::<f32>() / 3.0;
            if mean.is_nan() || marked.contains(&(i / self.options.tile_width)) {
                has_mark = true;
                colour::amber(f64::from(mean))
            } else {
                parts.map(|part| (part.clamp(0.0, 1.0) * 255.0).round() as u8)
            }
        };
        let pixels = match in_colour {
            true => values.as_chunks().0.iter().copied().enumerate().map(tone).collect(),
            false => values.iter().map(|&value| [value; 3]).enumerate().map(tone).collect(),
        };
        self.tiles.push(Some(Tile { pixels, in_colour, signed_limit: None, has_mark }));
        Ok(())
    }

    /// Adds a tile of signed values: blue at `-limit` and below, near-white at 0, red at `limit` and above.
    ///
    /// A colour bar below the grid shows the scale if all signed tiles have the same limit. A NaN is drawn in the
    /// colour of marked rows.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if `values` does not have the size of a tile; [`Error::InvalidArgument`] if
    /// `limit` is not positive and finite.
    pub fn push_signed(&mut self, values: &[f32], limit: f32) -> Result<()> {
        if self.is_in_colour(values.len())? {
            return Err(self.wrong_length(values.len()));
        }
        if !(limit > 0.0 && limit.is_finite()) {
            return Err(Error::invalid(
                format!("colour limit {limit}"),
                "a signed tile needs a limit above 0 and finite, for instance its largest magnitude",
            ));
        }
        let shade = |&value: &f32| match value.is_nan() {
            true => colour::amber(0.0),
            false => colour::diverging(f64::from(value) / f64::from(limit)),
        };
        let pixels = values.iter().map(shade).collect();
        let has_mark = values.iter().any(|value| value.is_nan());
        self.tiles.push(Some(Tile { pixels, in_colour: true, signed_limit: Some(limit), has_mark }));
        Ok(())
    }

    /// Leaves the next position of the grid empty.
    pub fn push_blank(&mut self) {
        self.tiles.push(None);
    }

    /// The sheet as a PNG file: 8-bit grey, or RGB if a tile is in colour or has marked rows or signed values.
    ///
    /// **Errors** [`Error::InvalidArgument`] if there are no tiles, a size is zero, the numbers of labels are not those
    /// of the columns, rows and tiles, or the sheet would have more than 64 million pixels.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let layout = self.layout()?;
        let canvas = self.draw(&layout);
        let has_colour = |tile: &Tile| tile.has_mark || tile.in_colour;
        canvas.to_png(self.tiles.iter().flatten().any(has_colour))
    }

    fn layout(&self) -> Result<Layout> {
        let tiles = || self.tiles.iter().flatten();
        let mut limits = tiles().filter_map(|tile| tile.signed_limit);
        let signed_limit = limits.next().filter(|&first| limits.all(|other| other == first));
        let has_mark = tiles().any(|tile| tile.has_mark);
        self.options.layout(Contents { tiles: self.tiles.len(), has_mark, signed_limit })
    }

    /// Returns whether a tile of `length` values is in colour; the error if it is none.
    fn is_in_colour(&self, length: usize) -> Result<bool> {
        let pixels =
            self.options.tile_height.checked_mul(self.options.tile_width).filter(|&pixels| pixels > 0);
        match pixels {
            Some(pixels) if pixels == length => Ok(false),
            Some(pixels) if pixels.checked_mul(3) == Some(length) => Ok(true),
            _ => Err(self.wrong_length(length)),
        }
    }

    fn wrong_length(&self, length: usize) -> Error {
        Error::ShapeMismatch {
            operation: "contact sheet tile",
            expected: vec![self.options.tile_height, self.options.tile_width],
            found: vec![length],
        }
    }

    fn draw(&self, layout: &Layout) -> Canvas {
        let mut canvas = Canvas::new(layout.width, layout.height);
        for (tile, &Bounds { x, y, width, height }) in self.tiles.iter().zip(&layout.tiles) {
            let Some(tile) = tile else { continue };
            canvas.fill(Bounds { x: x - 1, y: y - 1, width: width + 2, height: height + 2 }, FRAME);
            for (i, &pixel) in tile.pixels.iter().enumerate() {
                let (row, column) = (i / self.options.tile_width, i % self.options.tile_width);
                let side = self.options.magnify;
                let square = Bounds { x: x + column * side, y: y + row * side, width: side, height: side };
                canvas.fill(square, pixel);
            }
        }
        for &rule in &layout.rules {
            canvas.fill(rule, FRAME);
        }
        for label in &layout.labels {
            canvas.text(label.bounds, &label.text);
        }
        for (key, bar) in &layout.keys {
            canvas.fill(
                Bounds { x: bar.x - 1, y: bar.y - 1, width: bar.width + 2, height: bar.height + 2 },
                FRAME,
            );
            for i in 0..bar.width {
                let share = i as f64 / (bar.width - 1) as f64;
                let shade = match key {
                    Key::Mark => colour::amber(0.0),
                    Key::Signed => colour::diverging(2.0 * share - 1.0),
                };
                canvas.fill(Bounds { x: bar.x + i, width: 1, ..*bar }, shade);
            }
        }
        canvas
    }
}

/// Pixels in colour, row-major.
struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![PAPER; width * height] }
    }

    fn fill(&mut self, bounds: Bounds, colour: Rgb) {
        for y in bounds.y..bounds.y + bounds.height {
            let start = y * self.width + bounds.x;
            self.pixels[start..start + bounds.width].fill(colour);
        }
    }

    /// Writes one line whose box starts at the top left of `bounds`.
    fn text(&mut self, bounds: Bounds, line: &str) {
        let side = layout::FONT_SCALE;
        for (i, c) in line.chars().enumerate() {
            for (row, column) in (0..font::HEIGHT * font::WIDTH).map(|j| (j / font::WIDTH, j % font::WIDTH)) {
                if font::is_inked(c, row, column) {
                    let x = bounds.x + (i * font::ADVANCE + column) * side;
                    self.fill(Bounds { x, y: bounds.y + row * side, width: side, height: side }, INK);
                }
            }
        }
    }

    fn to_png(&self, in_colour: bool) -> Result<Vec<u8>> {
        // `layout` limits the number of pixels.
        match in_colour {
            true => picture([self.height, self.width, 3], self.pixels.as_flattened()),
            false => {
                let grey: Vec<u8> = self.pixels.iter().map(|pixel| pixel[0]).collect();
                picture([self.height, self.width, 1], &grey)
            }
        }
    }
}

#[cfg(test)]
mod tests;
