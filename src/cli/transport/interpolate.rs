//! `equilibria transport interpolate`: the shortest path from one distribution to another, as a strip of pictures.

use super::super::output::{OutputArguments, check_range, write_output};
use super::plan::check_dimension;
use super::sides::{Costs, FILES, Pair, Sides, number};
use crate::data::{GreyPicture, Points};
use crate::report::{ContactSheet, Masses, StripFigure};
use crate::run::Progress;
use crate::transport::{Marginals, TransportPlan, deposit, interpolate};
use crate::{Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

/// Draw the displacement interpolation: each piece of mass of the optimal plan moves along a straight line.
#[derive(Debug, Args)]
#[command(after_help = format!("Examples:\n  equilibria transport interpolate a.csv b.csv --out path --steps 8\n  \
    equilibria transport interpolate three.png eight.png --out path\n\n\
    Two grey pictures of one size are distributions over their pixels, white is mass: the strip is strip.png. Other files are \
    points on a line or in a plane: the strip is strip.svg. The cost is the squared distance.\n\n{FILES}"))]
pub(in crate::cli) struct Interpolate {
    #[command(flatten)]
    sides: Sides,
    /// Number of pictures, with both ends.
    #[arg(long, default_value = "8")]
    steps: usize,
    /// Grey pictures: black is mass.
    #[arg(long)]
    invert: bool,
    /// The folder for the strip.
    #[arg(long, default_value = "out/interpolation")]
    out: PathBuf,
    #[command(flatten)]
    common: OutputArguments,
}

#[derive(Serialize)]
struct InterpolationSummary {
    cost: f64,
    steps: usize,
    strip: String,
}

impl Interpolate {
    pub(super) fn run(self) -> Result<()> {
        check_range("--steps", self.steps, 2..=100, "pictures can be drawn")?;
        let mut progress = self.common.start()?;
        let pictures = (GreyPicture::read(&self.sides.a)?, GreyPicture::read(&self.sides.b)?);
        let (cost, name, bytes) = match pictures {
            (Some(a), Some(b)) => {
                self.pictures(&a.toned(self.invert), &b.toned(self.invert), &mut progress)?
            }
            _ => self.points(&mut progress)?,
        };
        let strip = self.out.join(name);
        write_output(&strip, &bytes)?;
        let summary = InterpolationSummary { cost, steps: self.steps, strip: strip.display().to_string() };
        self.common.print(&summary, |summary| {
            let (cost, w2) = (number(cost), number(cost.max(0.0).sqrt()));
            format!("cost {cost}; W2 = {w2}\nwrote {}\n", summary.strip)
        })
    }

    /// The times, with their labels.
    fn times(&self) -> impl Iterator<Item = (f64, String)> {
        let last = (self.steps - 1) as f64;
        (0..self.steps)
            .map(move |k| k as f64 / last)
            .map(|t| (t, format!("t = {}", (100.0 * t).round() / 100.0)))
    }

    fn points(&self, progress: &mut Progress) -> Result<(f64, &'static str, Vec<u8>)> {
        let pair = self.sides.read()?;
        check_dimension(&self.sides, pair.a.dimension(), "interpolate")?;
        let (cost, plan) = optimal(&pair, progress)?;
        let panel = |(t, label)| {
            let (places, masses) = interpolate(pair.a.points(), pair.b.points(), &plan, t);
            (label, Masses { places, masses })
        };
        let title = format!("Displacement interpolation, W₂ = {}", number(cost.max(0.0).sqrt()));
        let figure = StripFigure { title, panels: self.times().map(panel).collect() };
        Ok((cost, "strip.svg", figure.to_svg()?.into_bytes()))
    }

    fn pictures(
        &self,
        a: &GreyPicture,
        b: &GreyPicture,
        progress: &mut Progress,
    ) -> Result<(f64, &'static str, Vec<u8>)> {
        if a.size != b.size {
            let files = format!("{} and {}", self.sides.a.display(), self.sides.b.display());
            let [[h, w], [height, width]] = [a.size, b.size];
            let expected =
                format!("pictures of {h}x{w} and {height}x{width} pixels; the sizes must be equal");
            return Err(Error::invalid(files, expected));
        }
        let [height, width] = a.size;
        let marginals = Marginals::normalised(&a.values, &b.values)?;
        let pixels = |picture: &GreyPicture| Points::of_pixels(picture);
        let pair = Pair { a: pixels(a)?, b: pixels(b)?, marginals };
        let (cost, plan) = optimal(&pair, progress)?;
        let mut sheet = ContactSheet::new(height, width)
            .title("Displacement interpolation")
            .magnify((96 / width.max(1)).clamp(1, 4));
        let [total_a, total_b] = [a, b].map(|picture| picture.values.iter().sum::<f64>());
        let mut labels = Vec::new();
        for (t, label) in self.times() {
            let (places, masses) = interpolate(pair.a.points(), pair.b.points(), &plan, t);
            let brightness = (1.0 - t) * total_a + t * total_b;
            let cells = deposit(&places, &masses, &[height, width]);
            let values = cells.iter().map(|mass| mass * brightness);
            sheet.push(&values.map(|x| if self.invert { 1.0 - x } else { x } as f32).collect::<Vec<_>>())?;
            labels.push(label);
        }
        Ok((cost, "strip.png", sheet.column_labels(&labels).to_png()?))
    }
}

/// The cost and the plan.
fn optimal(pair: &Pair, progress: &mut Progress) -> Result<(f64, TransportPlan)> {
    let solution = pair.optimal(Costs::SqEuclidean, progress)?;
    let plan = solution.plan.ok_or_else(|| Error::invalid("the solution", "it has a plan"))?;
    Ok((solution.cost, plan))
}
