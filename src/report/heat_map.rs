//! Heat maps as SVG.

use super::colour;
use super::svg::{self, Anchor, Canvas, GRID, INK, LINE, MUTED, TEXT, TITLE, WIDTH};
use super::ticks;
use crate::{Error, Result};

const PAD: f64 = 14.0;
const CELL_HEIGHT: f64 = 40.0;
const CELL_GAP: f64 = 1.5;
/// The smallest font size at which numbers are printed in cells.
const CELL_TEXT: f64 = TEXT;
const BAR_HEIGHT: f64 = 16.0;
/// Colours of numbers, dark on light cells and light on dark cells. They do not depend on the theme because cells do
/// not.
const DARK_NUMBER: colour::Rgb = [0x11, 0x11, 0x11];
const LIGHT_NUMBER: colour::Rgb = [0xfa, 0xfa, 0xfa];

/// A table of values as coloured cells with a colour bar.
///
/// The first row is at the top. Each value is printed in its cell if there is space. The scale is viridis, dark for low
/// values. Cells with NaN stay empty.
///
/// ```
/// # fn main() -> equilibria::Result<()> {
/// let map = equilibria::report::HeatMap {
///     title: "Error by rows removed".into(),
///     x_ticks: vec!["1".into(), "7".into()],
///     y_ticks: vec!["top".into(), "middle".into()],
///     values: vec![0.01, 0.06, f64::NAN, 0.09],
///     unit: "mean squared error".into(),
///     ..Default::default()
/// };
/// assert!(map.to_svg()?.contains("0.060"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeatMap {
    /// The heading of the figure.
    pub title: String,
    /// The quantity of the columns, with its unit.
    pub x_label: String,
    /// The quantity of the rows, with its unit; written above the rows.
    pub y_label: String,
    /// A label for each column.
    pub x_ticks: Vec<String>,
    /// A label for each row, from the top.
    pub y_ticks: Vec<String>,
    /// (rows, columns), row-major.
    pub values: Vec<f64>,
    /// The quantity of the values, with its unit; written above the colour bar.
    pub unit: String,
    /// The values at the two ends of the scale, for instance to share the scale between figures. The default, also for a range
    /// that is not finite and rising, is the smallest and the largest value.
    pub range: Option<(f64, f64)>,
}

/// Position and size of the cells, in units of the view box.
struct Grid {
    left: f64,
    top: f64,
    cell_width: f64,
    cell_height: f64,
}

impl HeatMap {
    /// The map as SVG, for a file of its own or for a page. If no value is finite, the figure is a sentence that says so.
    ///
    /// **Errors** [`Error::ShapeMismatch`] if the number of values is not rows x columns.
    pub fn to_svg(&self) -> Result<String> {
        let Some((low, high)) = self.scale()? else {
            return svg::without_data(&self.title, "Nothing to draw: no value is finite.");
        };
        let rows = self.y_ticks.len();
        let title = svg::wrap(&self.title, TITLE, WIDTH - 2.0 * PAD);
        let y_label = svg::wrap(&self.y_label, TEXT, WIDTH - 2.0 * PAD);
        let x_label = svg::wrap(&self.x_label, TEXT, WIDTH - 2.0 * PAD);
        let unit = svg::wrap(&self.unit, TEXT, WIDTH - 2.0 * PAD);
        let height = |lines: &[String]| lines.len() as f64 * TEXT * LINE;

        let label_width = self.y_ticks.iter().map(|tick| svg::text_width(tick, TEXT)).fold(0.0, f64::max);
        let label_width = label_width.min(WIDTH / 3.0);
        let left = PAD + label_width + 10.0;
        let top = PAD + title.len() as f64 * TITLE * LINE + height(&y_label) + 10.0;
        // More than twelve rows share the height of twelve.
        let cell_height = (12.0 * CELL_HEIGHT / rows as f64).min(CELL_HEIGHT);
        let cell_width = (WIDTH - PAD - left) / self.x_ticks.len() as f64;
        let grid = Grid { left, top, cell_width, cell_height };
        let x_label_top = top + rows as f64 * cell_height + 9.0 + TEXT * LINE;
        let unit_top = x_label_top + height(&x_label) + 14.0;
        let bar_top = unit_top + height(&unit) + 4.0;
        let description = format!("{}: {} by {} and {}", self.title, self.unit, self.y_label, self.x_label);

        svg::draw(bar_top + BAR_HEIGHT + 6.0 + TEXT * LINE + PAD, &description, |canvas| {
            let y = canvas.lines(&title, (PAD, PAD), TITLE, INK.light)?;
            canvas.lines(&y_label, (PAD, y), TEXT, MUTED.light)?;
            self.paint_cells(canvas, &grid, (low, high))?;
            self.paint_ticks(canvas, &grid, label_width)?;
            for (i, line) in x_label.iter().enumerate() {
                let half = svg::text_width(line, TEXT) / 2.0;
                let x = ((left + WIDTH - PAD) / 2.0).min(WIDTH - PAD - half).max(PAD + half);
                let y = x_label_top + (i as f64 + 0.5) * TEXT * LINE;
                canvas.text(line, (x, y), TEXT, Anchor::Middle, MUTED.light)?;
            }
            canvas.lines(&unit, (left.min(PAD + 90.0), unit_top), TEXT, MUTED.light)?;
            paint_bar(canvas, (left.min(PAD + 90.0), bar_top), (low, high))
        })
    }

    /// The ends of the scale; `None` if there is nothing to draw.
    fn scale(&self) -> Result<Option<(f64, f64)>> {
        let (rows, columns) = (self.y_ticks.len(), self.x_ticks.len());
        if rows.checked_mul(columns) != Some(self.values.len()) {
            return Err(Error::ShapeMismatch {
                operation: "heat map",
                expected: vec![rows, columns],
                found: vec![self.values.len()],
            });
        }
        let finite = || self.values.iter().copied().filter(|value| value.is_finite() && value.abs() < 1e300);
        let low = finite().fold(f64::INFINITY, f64::min);
        let high = finite().fold(f64::NEG_INFINITY, f64::max);
        if low > high {
            return Ok(None);
        }
        let is_usable = |(low, high): &(f64, f64)| low < high && low.abs() < 1e300 && high.abs() < 1e300;
        if let Some(range) = self.range.filter(is_usable) {
            return Ok(Some(range));
        }
        // If all values are equal, the scale extends a little to both sides.
        let room =
            if high - low <= 1e-9 * low.abs().max(high.abs()) { (low.abs() * 0.1).max(1e-9) } else { 0.0 };
        Ok(Some((low - room, high + room)))
    }

    fn paint_cells(&self, canvas: &mut Canvas, grid: &Grid, (low, high): (f64, f64)) -> Result<()> {
        let columns = self.x_ticks.len();
        let text = |value: f64| ticks::number(value, (high - low) / 20.0);
        let widest = self
            .values
            .iter()
            .filter(|value| value.is_finite())
            .map(|&value| svg::text_width(&text(value), 1.0));
        let widest = widest.fold(0.0, f64::max);
        // The estimated widths are upper bounds, so numbers of this estimated size fit into the cell.
        let size = ((grid.cell_width - 4.0) / widest).min(grid.cell_height * 0.6).min(TEXT);
        for (i, &value) in self.values.iter().enumerate() {
            let x = grid.left + (i % columns) as f64 * grid.cell_width;
            let y = grid.top + (i / columns) as f64 * grid.cell_height;
            let gap = CELL_GAP.min(grid.cell_width / 8.0).min(grid.cell_height / 8.0);
            let corners = ((x, y), (x + grid.cell_width - gap, y + grid.cell_height - gap));
            if value.is_nan() {
                let ((x, y), (right, bottom)) = corners;
                let outline = [(x, y), (right, y), (right, bottom), (x, bottom), (x, y)];
                canvas.path(&outline, 1.0, GRID.light)?;
                continue;
            }
            let shade = colour::viridis((value - low) / (high - low));
            canvas.rectangle(corners.0, corners.1, shade)?;
            if size >= CELL_TEXT && value.is_finite() {
                // Black and white have equal contrast with a cell of luminance 0.18.
                let ink = if colour::luminance(shade) > 0.18 { DARK_NUMBER } else { LIGHT_NUMBER };
                let centre = (x + (grid.cell_width - gap) / 2.0, y + (grid.cell_height - gap) / 2.0);
                canvas.text(&text(value), centre, size, Anchor::Middle, ink)?;
            }
        }
        Ok(())
    }

    /// Draws the labels of rows and columns, evenly thinned to as many as fit.
    fn paint_ticks(&self, canvas: &mut Canvas, grid: &Grid, label_width: f64) -> Result<()> {
        let step = (TEXT * LINE / grid.cell_height).ceil() as usize;
        for (row, tick) in self.y_ticks.iter().enumerate().step_by(step.max(1)) {
            let y = grid.top + (row as f64 + 0.5) * grid.cell_height;
            // A label too long for its margin is cut to its first line.
            if let Some(line) = svg::wrap(tick, TEXT, label_width + 0.01).first() {
                canvas.text(line, (grid.left - 10.0, y), TEXT, Anchor::End, MUTED.light)?;
            }
        }
        let widest = self.x_ticks.iter().map(|tick| svg::text_width(tick, TEXT)).fold(0.0, f64::max);
        let step = ((widest + 8.0) / grid.cell_width).ceil() as usize;
        let y = grid.top + self.y_ticks.len() as f64 * grid.cell_height + 6.0 + TEXT * LINE / 2.0;
        for (column, tick) in self.x_ticks.iter().enumerate().step_by(step.max(1)) {
            let half = svg::text_width(tick, TEXT) / 2.0;
            let x = grid.left + (column as f64 + 0.5) * grid.cell_width;
            let x = x.min(WIDTH - PAD - half).max(half);
            canvas.text(tick, (x, y), TEXT, Anchor::Middle, MUTED.light)?;
        }
        Ok(())
    }
}

/// Draws the colour bar with its ticks.
fn paint_bar(canvas: &mut Canvas, (left, top): (f64, f64), (low, high): (f64, f64)) -> Result<()> {
    const STRIPES: u32 = 128;
    let width = WIDTH - PAD - 24.0 - left;
    for i in 0..STRIPES {
        let at = |i: u32| left + width * f64::from(i) / f64::from(STRIPES);
        let shade = colour::viridis((f64::from(i) + 0.5) / f64::from(STRIPES));
        // An overlap of one unit hides the seams between stripes; the last stripe has no neighbour to overlap.
        let right = if i + 1 < STRIPES { at(i + 1) + 1.0 } else { at(i + 1) };
        canvas.rectangle((at(i), top), (right, top + BAR_HEIGHT), shade)?;
    }
    for tick in ticks::linear(low, high, 5, false) {
        let x = left + width * ((tick.value - low) / (high - low)).clamp(0.0, 1.0);
        let bottom = top + BAR_HEIGHT;
        canvas.path(&[(x, bottom), (x, bottom + 5.0)], 1.5, MUTED.light)?;
        let half = svg::text_width(&tick.label, TEXT) / 2.0;
        let centre = x.min(WIDTH - PAD - half).max(half);
        canvas.text(
            &tick.label,
            (centre, bottom + 6.0 + TEXT * LINE / 2.0),
            TEXT,
            Anchor::Middle,
            MUTED.light,
        )?;
    }
    Ok(())
}
