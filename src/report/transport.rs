//! Transport plans and the paths of masses, as SVG: places have one coordinate (histograms) or two (clouds).

use super::axis::{Axis, labels_fit};
use super::colour::Rgb;
use super::svg::{self, Anchor, Canvas, GRID, INK, LINE, LINES, MUTED, TEXT, TITLE, WIDTH};
use crate::{Error, Result};

const PAD: f64 = 14.0;
/// The height of a marginal beside a matrix.
const MARGINAL: f64 = 90.0;
/// Cells of a histogram, and of a side of a matrix, at most.
const CELLS: usize = 64;
/// The radius of the heaviest point of a cloud.
const RADIUS: f64 = 6.0;
const SOURCE: Rgb = LINES[0].light;
const TARGET: Rgb = LINES[1].light;

/// Masses at places.
///
/// The example of [`PlanFigure`] has two.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Masses {
    /// (n, d), d = 1 or 2
    pub places: Vec<f64>,
    /// (n)
    pub masses: Vec<f64>,
}

/// A transport plan: between histograms as a matrix with its marginals, between clouds as lines.
///
/// A line or cell is the more opaque the more mass it moves.
///
/// ```
/// use equilibria::report::{Masses, PlanFigure};
/// let one = |places: &[f64]| Masses { places: places.to_vec(), masses: vec![0.5; 2] };
/// let figure = PlanFigure {
///     title: "A shift".into(),
///     source: one(&[0.0, 1.0]),
///     target: one(&[2.0, 3.0]),
///     flows: vec![(0, 0, 0.5), (1, 1, 0.5)],
/// };
/// assert!(figure.to_svg()?.contains("A shift"));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlanFigure {
    /// The heading.
    pub title: String,
    /// The source.
    pub source: Masses,
    /// The target.
    pub target: Masses,
    /// Source, target and mass of each positive entry.
    pub flows: Vec<(usize, usize, f64)>,
}

/// The same masses at several times, one panel each, on common axes.
///
/// ```
/// use equilibria::report::{Masses, StripFigure};
/// let at = |place: f64| Masses { places: vec![place, place + 1.0], masses: vec![0.5; 2] };
/// let panels = vec![("start".into(), at(0.0)), ("end".into(), at(2.0))];
/// assert!(StripFigure { title: "A shift".into(), panels }.to_svg()?.contains("A shift"));
/// # Ok::<(), equilibria::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StripFigure {
    /// The heading.
    pub title: String,
    /// A label and the masses of each panel.
    pub panels: Vec<(String, Masses)>,
}

impl Masses {
    /// The number of coordinates: 1 or 2.
    fn dimension(&self) -> Result<usize> {
        match (self.places.len(), self.masses.len()) {
            (places, count) if count > 0 && places == count => Ok(1),
            (places, count) if count > 0 && places == 2 * count => Ok(2),
            (places, count) => Err(Error::invalid(
                format!("{count} places with {places} coordinates"),
                "places on a line or in a plane can be drawn",
            )),
        }
    }

    fn points(&self) -> impl Iterator<Item = ((f64, f64), f64)> + '_ {
        self.places.chunks_exact(2).map(|x| (x[0], x[1])).zip(self.masses.iter().copied())
    }

    fn heaviest(&self) -> f64 {
        self.masses.iter().copied().fold(f64::MIN_POSITIVE, f64::max)
    }
}

/// Equal cells over all places: [`CELLS`], or one for each place of a regular grid with fewer.
struct Cells {
    low: f64,
    width: f64,
    count: usize,
}

impl Cells {
    fn over<'a>(all: impl Iterator<Item = &'a Masses>) -> Self {
        let mut places: Vec<f64> = all.flat_map(|masses| masses.places.iter().copied()).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let (first, last) = (places[0], places[places.len() - 1]);
        let step = (last - first) / (places.len() as f64 - 1.0).max(1.0);
        let is_regular = places.windows(2).all(|pair| (pair[1] - pair[0] - step).abs() < 1e-6 * step);
        let count = if is_regular && places.len() <= CELLS { places.len() } else { CELLS };
        let width = match last > first {
            true if is_regular && count == places.len() => step,
            true => (last - first) / count as f64,
            false => 1.0,
        };
        let low = if width == step || last == first { first - width / 2.0 } else { first };
        Self { low, width, count }
    }

    fn of(&self, place: f64) -> usize {
        (((place - self.low) / self.width) as usize).min(self.count - 1)
    }

    /// The masses by cell. Each is divided linearly between the two nearest cells, so that the cells show no moiré pattern
    /// with places of another distance.
    fn histogram(&self, masses: &Masses) -> Vec<f64> {
        let mut cells = vec![0.0; self.count];
        for (&x, mass) in masses.places.iter().zip(&masses.masses) {
            let position = ((x - self.low) / self.width - 0.5).clamp(0.0, self.count as f64 - 1.0);
            let (first, share) = (position as usize, position.fract());
            cells[first] += mass * (1.0 - share);
            cells[(first + 1).min(self.count - 1)] += mass * share;
        }
        cells
    }

    fn ends(&self) -> [f64; 2] {
        [self.low, self.low + self.width * self.count as f64]
    }
}

/// A plane with equal scales of both axes inside a box.
struct Plane {
    left: f64,
    bottom: f64,
    scale: f64,
    low: (f64, f64),
    /// The radius of the heaviest point.
    radius: f64,
}

impl Plane {
    /// Fits all points into the box.
    fn fit<'a>(all: impl Iterator<Item = &'a Masses>, left: f64, top: f64, size: f64) -> Self {
        let (mut low, mut high) = ((f64::INFINITY, f64::INFINITY), (f64::NEG_INFINITY, f64::NEG_INFINITY));
        for ((x, y), _) in all.flat_map(Masses::points) {
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        }
        let span = (high.0 - low.0).max(high.1 - low.1).max(f64::MIN_POSITIVE);
        let inside = size - 4.0 * RADIUS;
        // Smaller in a small box.
        let radius = RADIUS * (size / WIDTH).sqrt();
        let centre = ((low.0 + high.0) / 2.0, (low.1 + high.1) / 2.0);
        Self {
            left: left + 2.0 * RADIUS,
            bottom: top + size - 2.0 * RADIUS,
            scale: inside / span,
            low: (centre.0 - span / 2.0, centre.1 - span / 2.0),
            radius,
        }
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.left + (x - self.low.0) * self.scale, self.bottom - (y - self.low.1) * self.scale)
    }

    /// Draws points, of an area that is proportional to their mass.
    fn paint(&self, canvas: &mut Canvas, points: &Masses, heaviest: f64, colour: Rgb) -> Result<()> {
        // Many points are smaller.
        let radius = self.radius * (200.0 / points.masses.len() as f64).sqrt().clamp(0.35, 1.0);
        for (place, mass) in points.points().filter(|(_, mass)| *mass > 0.0) {
            let size = (radius * (mass / heaviest).sqrt()).max(0.8);
            canvas.circle(self.at(place), size, colour)?;
        }
        Ok(())
    }
}

impl PlanFigure {
    /// The figure as SVG.
    ///
    /// **Errors** [`Error::InvalidArgument`] unless both sides have places of the same 1 or 2 coordinates.
    pub fn to_svg(&self) -> Result<String> {
        let dimensions = [self.source.dimension()?, self.target.dimension()?];
        if dimensions[0] != dimensions[1] {
            return Err(Error::invalid(
                format!("places of {} and {} coordinates", dimensions[0], dimensions[1]),
                "both sides have the same number",
            ));
        }
        let title = svg::wrap(&self.title, TITLE, WIDTH - 2.0 * PAD);
        let top = PAD + title.len() as f64 * TITLE * LINE + 6.0;
        if dimensions[0] == 1 { self.matrix(&title, top) } else { self.lines(&title, top) }
    }

    fn matrix(&self, title: &[String], top: f64) -> Result<String> {
        let [rows, columns] = [&self.source, &self.target].map(|side| Cells::over([side].into_iter()));
        let mut cells = vec![0.0; rows.count * columns.count];
        for &(i, j, mass) in &self.flows {
            let (row, column) = (rows.of(self.source.places[i]), columns.of(self.target.places[j]));
            cells[row * columns.count + column] += mass;
        }
        let heaviest = cells.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let y = Axis::over(rows.ends().into_iter(), false, |ticks| ticks.len() <= 6);
        let left = PAD + MARGINAL + y.widest_label() + 16.0;
        let size = WIDTH - PAD - 20.0 - left;
        let x = Axis::over(columns.ends().into_iter(), false, |ticks| labels_fit(ticks, size));
        let matrix_top = top + MARGINAL + 8.0;
        let bottom = matrix_top + size;
        let height = bottom + 2.0 * TEXT * LINE + 22.0 + PAD;
        let description = format!("{}: a transport plan as a matrix with its marginals", self.title);
        svg::draw(height, &description, |canvas| {
            canvas.lines(title, (PAD, PAD), TITLE, INK.light)?;
            let across = |value: f64| left + x.share(value) * size;
            // The source grows downwards from the top, as the rows of a matrix.
            let down = |value: f64| matrix_top + y.share(value) * size;
            for tick in &x.ticks {
                canvas.path(
                    &[(across(tick.value), matrix_top), (across(tick.value), bottom)],
                    1.0,
                    GRID.light,
                )?;
                let at = (across(tick.value), bottom + 6.0 + TEXT * LINE / 2.0);
                canvas.text(&tick.label, at, TEXT, Anchor::Middle, MUTED.light)?;
            }
            for tick in &y.ticks {
                canvas.path(&[(left, down(tick.value)), (left + size, down(tick.value))], 1.0, GRID.light)?;
                canvas.text(&tick.label, (left - 8.0, down(tick.value)), TEXT, Anchor::End, MUTED.light)?;
            }
            let edge = |cells: &Cells, index: usize| cells.low + cells.width * index as f64;
            let is_visible = |(_, mass): &(usize, &f64)| **mass > 1e-3 * heaviest;
            for (index, mass) in cells.iter().enumerate().filter(is_visible) {
                let (row, column) = (index / columns.count, index % columns.count);
                let from = (across(edge(&columns, column)), down(edge(&rows, row)));
                let to = (across(edge(&columns, column + 1)), down(edge(&rows, row + 1)));
                canvas.faint_rectangle((from, to), INK.light, (mass / heaviest).sqrt())?;
            }
            let (of_rows, of_columns) = (rows.histogram(&self.source), columns.histogram(&self.target));
            let tallest = of_rows.iter().chain(&of_columns).copied().fold(f64::MIN_POSITIVE, f64::max);
            for (row, mass) in of_rows.iter().enumerate() {
                let right = PAD + MARGINAL;
                let from = (right - MARGINAL * mass / tallest, down(edge(&rows, row)));
                canvas.rectangle(from, (right, down(edge(&rows, row + 1))), SOURCE)?;
            }
            for (column, mass) in of_columns.iter().enumerate() {
                let base = top + MARGINAL;
                let from = (across(edge(&columns, column)), base - MARGINAL * mass / tallest);
                canvas.rectangle(from, (across(edge(&columns, column + 1)), base), TARGET)?;
            }
            self.key(canvas, bottom + 14.0 + TEXT * LINE)
        })
    }

    fn lines(&self, title: &[String], top: f64) -> Result<String> {
        let size = WIDTH - 2.0 * PAD;
        let plane = Plane::fit([&self.source, &self.target].into_iter(), PAD, top, size);
        let height = top + size + TEXT * LINE + 8.0 + PAD;
        let description = format!("{}: a transport plan as lines between points", self.title);
        let most = self.flows.iter().map(|flow| flow.2).fold(f64::MIN_POSITIVE, f64::max);
        let place = |side: &Masses, i: usize| plane.at((side.places[2 * i], side.places[2 * i + 1]));
        svg::draw(height, &description, |canvas| {
            canvas.lines(title, (PAD, PAD), TITLE, INK.light)?;
            for &(i, j, mass) in &self.flows {
                let ends = [place(&self.source, i), place(&self.target, j)];
                canvas.faint_path(&ends, 1.6, MUTED.light, 0.08 + 0.92 * mass / most)?;
            }
            plane.paint(canvas, &self.source, self.source.heaviest(), SOURCE)?;
            plane.paint(canvas, &self.target, self.target.heaviest(), TARGET)?;
            self.key(canvas, top + size + 8.0)
        })
    }

    /// Names the colours of both sides.
    fn key(&self, canvas: &mut Canvas, y: f64) -> Result<()> {
        for (x, name, colour) in [(PAD, "source", SOURCE), (PAD + 120.0, "target", TARGET)] {
            let middle = y + TEXT * LINE / 2.0;
            canvas.rectangle((x, middle - 6.0), (x + 12.0, middle + 6.0), colour)?;
            canvas.text(name, (x + 20.0, middle), TEXT, Anchor::Start, INK.light)?;
        }
        Ok(())
    }
}

impl StripFigure {
    /// The figure as SVG: clouds in rows of four panels, histograms below one another.
    ///
    /// **Errors** [`Error::InvalidArgument`] without panels, or unless all have places of the same 1 or 2 coordinates.
    pub fn to_svg(&self) -> Result<String> {
        let Some((_, first)) = self.panels.first() else {
            return Err(Error::invalid("a strip without panels", "at least 1 is needed"));
        };
        let dimension = first.dimension()?;
        for (label, masses) in &self.panels {
            if masses.dimension()? != dimension {
                return Err(Error::invalid(label, "all panels have the same number of coordinates"));
            }
        }
        let title = svg::wrap(&self.title, TITLE, WIDTH - 2.0 * PAD);
        let top = PAD + title.len() as f64 * TITLE * LINE + 6.0;
        if dimension == 1 { self.histograms(&title, top) } else { self.clouds(&title, top) }
    }

    /// The colour of a panel, from that of the source to that of the target.
    fn colour(&self, panel: usize) -> Rgb {
        let share = panel as f64 / (self.panels.len() as f64 - 1.0).max(1.0);
        core::array::from_fn(|i| {
            (f64::from(SOURCE[i]) * (1.0 - share) + f64::from(TARGET[i]) * share).round() as u8
        })
    }

    fn clouds(&self, title: &[String], top: f64) -> Result<String> {
        const COLUMNS: usize = 4;
        let columns = self.panels.len().min(COLUMNS);
        let size = (WIDTH - 2.0 * PAD - 8.0 * (columns as f64 - 1.0)) / columns as f64;
        let row_height = size + TEXT * LINE + 8.0;
        let rows = self.panels.len().div_ceil(columns);
        let description = format!("{}: clouds of points at {} times", self.title, self.panels.len());
        let heaviest = self.panels.iter().map(|(_, masses)| masses.heaviest()).fold(0.0, f64::max);
        svg::draw(top + rows as f64 * row_height + PAD, &description, |canvas| {
            canvas.lines(title, (PAD, PAD), TITLE, INK.light)?;
            for (k, (label, masses)) in self.panels.iter().enumerate() {
                let left = PAD + (k % columns) as f64 * (size + 8.0);
                let top = top + (k / columns) as f64 * row_height;
                let middle = (left + size / 2.0, top + TEXT * LINE / 2.0);
                canvas.text(label, middle, TEXT, Anchor::Middle, MUTED.light)?;
                let top = top + TEXT * LINE;
                canvas.rectangle((left, top), (left + size, top + size), GRID.light)?;
                let plane = Plane::fit(self.panels.iter().map(|(_, masses)| masses), left, top, size);
                plane.paint(canvas, masses, heaviest, self.colour(k))?;
            }
            Ok(())
        })
    }

    fn histograms(&self, title: &[String], top: f64) -> Result<String> {
        const PANEL: f64 = 84.0;
        let mut cells = Cells::over(self.panels.iter().map(|(_, masses)| masses));
        if cells.count == CELLS {
            // Wider ones hold several places each.
            (cells.count, cells.width) = (CELLS / 2, 2.0 * cells.width);
        }
        let histograms: Vec<Vec<f64>> =
            self.panels.iter().map(|(_, masses)| cells.histogram(masses)).collect();
        let tallest = histograms.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
        let label = self.panels.iter().map(|(label, _)| svg::text_width(label, TEXT)).fold(0.0, f64::max);
        let (left, right) = (PAD + label + 12.0, WIDTH - PAD - 20.0);
        let x = Axis::over(cells.ends().into_iter(), false, |ticks| labels_fit(ticks, right - left));
        let bottom = top + self.panels.len() as f64 * (PANEL + 10.0);
        let description = format!("{}: histograms at {} times", self.title, self.panels.len());
        svg::draw(bottom + TEXT * LINE + 8.0 + PAD, &description, |canvas| {
            canvas.lines(title, (PAD, PAD), TITLE, INK.light)?;
            let across = |value: f64| left + x.share(value) * (right - left);
            for tick in &x.ticks {
                canvas.path(&[(across(tick.value), top), (across(tick.value), bottom)], 1.0, GRID.light)?;
                let at = (across(tick.value), bottom + 6.0 + TEXT * LINE / 2.0);
                canvas.text(&tick.label, at, TEXT, Anchor::Middle, MUTED.light)?;
            }
            for (k, (histogram, (label, _))) in histograms.iter().zip(&self.panels).enumerate() {
                let base = top + (k + 1) as f64 * (PANEL + 10.0) - 10.0;
                canvas.text(label, (PAD, base - TEXT * LINE / 2.0), TEXT, Anchor::Start, MUTED.light)?;
                canvas.path(&[(left, base), (right, base)], 1.0, MUTED.light)?;
                for (i, mass) in histogram.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
                    let edge = |index: usize| across(cells.low + cells.width * index as f64);
                    let from = (edge(i), base - PANEL * mass / tallest);
                    canvas.rectangle(from, (edge(i + 1), base), self.colour(k))?;
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masses(places: &[f64], masses: &[f64]) -> Masses {
        Masses { places: places.to_vec(), masses: masses.to_vec() }
    }

    #[test]
    fn places_of_a_regular_grid_have_a_cell_each() {
        let cells = Cells::over([&masses(&[2.0, 0.0, 1.0, 1.0], &[1.0; 4])].into_iter());
        assert_eq!((cells.count, cells.ends()), (3, [-0.5, 2.5]));
        assert_eq!(cells.histogram(&masses(&[0.0, 1.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 4.0])), [1.0, 5.0, 4.0]);
        let one = Cells::over([&masses(&[5.0, 5.0], &[1.0; 2])].into_iter());
        assert_eq!(one.histogram(&masses(&[5.0, 5.0], &[1.0; 2])).iter().sum::<f64>(), 2.0);
        let many: Vec<f64> = (0..500).map(|i| f64::from(i * i)).collect();
        let cells = Cells::over([&masses(&many, &vec![1.0; 500])].into_iter());
        assert_eq!((cells.count, cells.of(many[499])), (CELLS, CELLS - 1));
    }

    #[test]
    fn every_flow_of_a_cloud_is_a_line_as_opaque_as_its_mass() {
        let figure = PlanFigure {
            title: "t".into(),
            source: masses(&[0.0, 0.0, 1.0, 0.0], &[0.25, 0.75]),
            target: masses(&[0.0, 1.0], &[1.0]),
            flows: vec![(0, 0, 0.25), (1, 0, 0.75)],
        };
        let text = figure.to_svg().unwrap();
        let lines: Vec<&str> = text.split("<polyline").skip(1).collect();
        assert_eq!(lines.len(), 2, "{text}");
        for (line, opacity) in lines.iter().zip(["0.38", "1\""]) {
            assert!(line.contains(&format!("opacity=\"{opacity}")), "{line}");
        }
        assert!(PlanFigure { target: masses(&[0.0], &[1.0]), ..figure }.to_svg().is_err());
    }
}
