//! Line plots as SVG.

use super::axis::{self, Axis, drawable};
use super::colour::Rgb;
use super::svg::{self, Anchor, Canvas, GRID, INK, LINE, LINES, MUTED, TEXT, TITLE, WIDTH};
use crate::Result;

const PAD: f64 = 14.0;
const AREA_HEIGHT: f64 = 290.0;
const STROKE: f64 = 2.6;
/// Series with at most this many points have a marker at each point; longer ones have about a dozen markers.
const MARKED_POINTS: usize = 40;
const SWATCH: f64 = 38.0;
const LEGEND_GAP: f64 = 26.0;
const MARKERS: usize = 6;

/// One line of a plot.
///
/// The example of [`LinePlot`] has one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// The name in the legend; a series without a name is not in the legend.
    pub name: String,
    /// Points (x, y) in the order in which they are joined; a point that is not finite interrupts the line.
    pub points: Vec<(f64, f64)>,
    /// Draws the line dashed and without markers, for a bound or a baseline.
    pub dashed: bool,
    /// The number of the colour and marker, so that a subject looks the same in several plots. The default is the place of
    /// the series in the plot, and grey for a dashed line.
    pub colour: Option<usize>,
}

impl Series {
    /// Creates a solid line through `points`.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self { name: name.into(), points: points.into_iter().collect(), ..Self::default() }
    }

    /// Draws the line dashed and without markers.
    #[must_use]
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    /// Draws the line in colour `number` of seven, with the marker of this number, in every plot.
    #[must_use]
    pub fn colour(mut self, number: usize) -> Self {
        self.colour = Some(number);
        self
    }

    /// The colour of the series at `place` of a plot, and the number of its marker.
    fn colour_and_marker(&self, place: usize) -> (Rgb, usize) {
        let number = self.colour.unwrap_or(place);
        let is_neutral = self.dashed && self.colour.is_none();
        (if is_neutral { MUTED.light } else { LINES[number % LINES.len()].light }, number)
    }
}

/// A line plot of several series over common axes.
///
/// Titles and labels wrap; the legend is below the plot. Lines have the colours of Okabe and Ito, each with its own
/// marker shape. The figure follows the reader's light or dark theme.
///
/// ```
/// # fn main() -> equilibria::Result<()> {
/// use equilibria::report::{LinePlot, Series};
/// let plot = LinePlot {
///     title: "Squares".into(),
///     x_label: "side (metres)".into(),
///     y_label: "area (square metres)".into(),
///     series: vec![Series::new("square", (1..=5).map(|i| (f64::from(i), f64::from(i * i))))],
///     ..LinePlot::default()
/// };
/// assert!(plot.to_svg()?.contains("area (square metres)"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinePlot {
    /// The heading of the figure.
    pub title: String,
    /// The quantity on the horizontal axis, with its unit.
    pub x_label: String,
    /// The quantity on the vertical axis, with its unit; written above the axis.
    pub y_label: String,
    /// Makes the horizontal axis logarithmic; points with x <= 0 are omitted.
    pub log_x: bool,
    /// Makes the vertical axis logarithmic; points with y <= 0 are omitted.
    pub log_y: bool,
    /// The lines, drawn in this order.
    pub series: Vec<Series>,
}

/// The plot area, in units of the view box, and its axes.
struct Area {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
}

impl Area {
    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (x, y) = (self.x.share(x), self.y.share(y));
        (self.left + x * (self.right - self.left), self.bottom - y * (self.bottom - self.top))
    }
}

/// An entry of the legend: index of the series, lines of its name, and the position of its swatch.
struct Entry {
    series: usize,
    lines: Vec<String>,
    at: (f64, f64),
}

impl LinePlot {
    /// The plot as SVG, for a file of its own or for a page. If no series has a point that can be drawn, the figure is a
    /// sentence that says so.
    ///
    /// **Errors** none in practice: the figure is written to memory.
    pub fn to_svg(&self) -> Result<String> {
        let points: Vec<(f64, f64)> = self.segments().into_iter().flatten().flatten().collect();
        if points.is_empty() {
            let needed = if self.log_x || self.log_y { "finite and above zero" } else { "finite" };
            return svg::without_data(&self.title, &format!("Nothing to draw: no value is {needed}."));
        }
        let title = svg::wrap(&self.title, TITLE, WIDTH - 2.0 * PAD);
        let y_label = svg::wrap(&self.y_label, TEXT, WIDTH - 2.0 * PAD);
        let top = PAD + title.len() as f64 * TITLE * LINE + y_label.len() as f64 * TEXT * LINE + 12.0;

        let y = Axis::over(points.iter().map(|point| point.1), self.log_y, |ticks| ticks.len() <= 7);
        let left = PAD + y.widest_label() + 10.0;
        let right = WIDTH - PAD - 14.0;
        let fits = |ticks: &[super::ticks::Tick]| axis::labels_fit(ticks, right - left);
        let x = Axis::over(points.iter().map(|point| point.0), self.log_x, fits);
        // Half of the last label may extend to the right of its tick.
        let right = (WIDTH - PAD - x.last_label() / 2.0).min(right);
        let area = Area { left, right, top, bottom: top + AREA_HEIGHT, x, y };

        let x_label = svg::wrap(&self.x_label, TEXT, WIDTH - 2.0 * PAD);
        let labels_top = area.bottom + 13.0 + TEXT * LINE;
        let legend_top = labels_top + x_label.len() as f64 * TEXT * LINE + 10.0;
        let (legend, bottom) = self.legend(legend_top);
        svg::draw(bottom + PAD, &self.description(), |canvas| {
            let y = canvas.lines(&title, (PAD, PAD), TITLE, INK.light)?;
            canvas.lines(&y_label, (PAD, y), TEXT, MUTED.light)?;
            paint_axes(canvas, &area)?;
            self.paint_series(canvas, &area)?;
            for (i, line) in x_label.iter().enumerate() {
                let at = ((area.left + area.right) / 2.0, labels_top + (i as f64 + 0.5) * TEXT * LINE);
                let half = svg::text_width(line, TEXT) / 2.0;
                let at = (at.0.clamp(PAD + half, (WIDTH - PAD - half).max(PAD + half)), at.1);
                canvas.text(line, at, TEXT, Anchor::Middle, MUTED.light)?;
            }
            legend.iter().try_for_each(|entry| self.paint_entry(canvas, entry))
        })
    }

    /// The points that can be drawn, by series, cut into segments at points that cannot be drawn.
    fn segments(&self) -> Vec<Vec<Vec<(f64, f64)>>> {
        let usable = |point: &(f64, f64)| drawable(point.0, self.log_x) && drawable(point.1, self.log_y);
        let cut = |series: &Series| -> Vec<Vec<(f64, f64)>> {
            let pieces = series.points.split(|point| !usable(point));
            pieces.filter(|piece| !piece.is_empty()).map(<[_]>::to_vec).collect()
        };
        self.series.iter().map(cut).collect()
    }

    /// A description of the figure for screen readers.
    fn description(&self) -> String {
        let names: Vec<&str> =
            self.series.iter().map(|series| series.name.as_str()).filter(|name| !name.is_empty()).collect();
        format!("{}: {} against {}; {}", self.title, self.y_label, self.x_label, names.join(", "))
    }

    /// Places the entries in rows from `top` downwards. Returns them and the y below them.
    fn legend(&self, top: f64) -> (Vec<Entry>, f64) {
        let mut entries = Vec::new();
        let (mut x, mut y, mut row_lines) = (PAD, top, 0);
        let segments = self.segments();
        for (series, _) in self.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()) {
            let mut name = self.series[series].name.clone();
            if segments[series].is_empty() {
                name.push_str(" (no data)");
            }
            let lines = svg::wrap(&name, TEXT, WIDTH - 2.0 * PAD - SWATCH);
            let text = lines.iter().map(|line| svg::text_width(line, TEXT)).fold(0.0, f64::max);
            if x > PAD && x + SWATCH + text > WIDTH - PAD {
                (x, y, row_lines) = (PAD, y + row_lines as f64 * TEXT * LINE, 0);
            }
            row_lines = row_lines.max(lines.len());
            entries.push(Entry { series, lines, at: (x, y) });
            x += SWATCH + text + LEGEND_GAP;
        }
        (entries, y + row_lines as f64 * TEXT * LINE)
    }

    fn paint_series(&self, canvas: &mut Canvas, area: &Area) -> Result<()> {
        for (number, segments) in self.segments().iter().enumerate() {
            let (colour, marker) = self.series[number].colour_and_marker(number);
            let dashed = self.series[number].dashed;
            let count: usize = segments.iter().map(Vec::len).sum();
            let stride = if count <= MARKED_POINTS { 1 } else { count.div_ceil(12) };
            let mut index = 0;
            for segment in segments {
                let places: Vec<(f64, f64)> = segment.iter().map(|&point| area.place(point)).collect();
                if dashed {
                    canvas.dashed_path(&places, STROKE, colour)?;
                } else if places.len() > 1 {
                    canvas.path(&places, STROKE, colour)?;
                }
                for &place in &places {
                    // A single point needs a marker to be visible; the markers of dense series are shifted against each
                    // other.
                    let regular = !dashed && (index + number * stride / 3).is_multiple_of(stride);
                    if places.len() == 1 || regular {
                        paint_marker(canvas, place, colour, marker)?;
                    }
                    index += 1;
                }
            }
        }
        Ok(())
    }

    fn paint_entry(&self, canvas: &mut Canvas, entry: &Entry) -> Result<()> {
        let (x, y) = entry.at;
        let middle = y + TEXT * LINE / 2.0;
        let (colour, marker) = self.series[entry.series].colour_and_marker(entry.series);
        let line = [(x, middle), (x + 28.0, middle)];
        if self.series[entry.series].dashed {
            canvas.dashed_path(&line, STROKE, colour)?;
        } else {
            canvas.path(&line, STROKE, colour)?;
            paint_marker(canvas, (x + 14.0, middle), colour, marker)?;
        }
        canvas.lines(&entry.lines, (x + SWATCH, y), TEXT, INK.light).map(|_| ())
    }
}

/// Draws the grid, the ticks and their labels.
fn paint_axes(canvas: &mut Canvas, area: &Area) -> Result<()> {
    let Area { left, right, top, bottom, .. } = *area;
    for tick in &area.x.ticks {
        let x = left + area.x.share(tick.value) * (right - left);
        canvas.path(&[(x, top), (x, bottom)], 1.0, GRID.light)?;
        canvas.path(&[(x, bottom), (x, bottom + 6.0)], 1.5, MUTED.light)?;
        let label = (x, bottom + 10.0 + TEXT * LINE / 2.0);
        canvas.text(&tick.label, label, TEXT, Anchor::Middle, MUTED.light)?;
    }
    for tick in &area.y.ticks {
        let y = bottom - area.y.share(tick.value) * (bottom - top);
        canvas.path(&[(left, y), (right, y)], 1.0, GRID.light)?;
        canvas.text(&tick.label, (left - 10.0, y), TEXT, Anchor::End, MUTED.light)?;
    }
    canvas.path(&[(left, bottom), (right, bottom)], 1.5, MUTED.light)
}

/// Draws marker `number`: six shapes and seven colours give 42 combinations.
fn paint_marker(canvas: &mut Canvas, (x, y): (f64, f64), colour: Rgb, number: usize) -> Result<()> {
    let corners = |offsets: &[(f64, f64)]| -> Vec<(f64, f64)> {
        offsets.iter().map(|(right, down)| (x + right, y + down)).collect()
    };
    match number % MARKERS {
        0 => canvas.circle((x, y), 4.6, colour),
        1 => canvas.rectangle((x - 4.2, y - 4.2), (x + 4.2, y + 4.2), colour),
        2 => canvas.polygon(&corners(&[(0.0, -6.0), (5.6, 4.2), (-5.6, 4.2)]), colour),
        3 => canvas.polygon(&corners(&[(0.0, -6.2), (6.2, 0.0), (0.0, 6.2), (-6.2, 0.0)]), colour),
        4 => canvas.polygon(&corners(&[(0.0, 6.0), (5.6, -4.2), (-5.6, -4.2)]), colour),
        _ => {
            canvas.path(&corners(&[(-4.4, -4.4), (4.4, 4.4)]), 2.4, colour)?;
            canvas.path(&corners(&[(-4.4, 4.4), (4.4, -4.4)]), 2.4, colour)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_legend_wraps_within_the_figure() {
        let name = |i: usize| format!("series number {i} with a rather long name");
        let mut plot = LinePlot {
            series: (0..9).map(|i| Series::new(name(i), [(1.0, i as f64), (2.0, 3.0)])).collect(),
            ..LinePlot::default()
        };
        plot.series.push(Series::new("x".repeat(300), [(1.0, 1.0)]));
        let (entries, bottom) = plot.legend(400.0);
        for (i, entry) in entries.iter().enumerate() {
            let lines = entry.lines.iter().map(|line| svg::text_width(line, TEXT)).fold(0.0, f64::max);
            assert!(
                entry.at.0 + SWATCH + lines <= WIDTH - PAD && entry.at.1 < bottom,
                "entry {i} is clipped"
            );
        }
        assert!(entries.windows(2).all(|pair| pair[0].at.1 < pair[1].at.1 || pair[0].at.0 < pair[1].at.0));
    }
}
