//! Colour transfer between painted images: our method at 12 megapixels, and the report's exact method at the size of its
//! photographs. Fitting and applying are measured, decoding and encoding are not.

use super::entry::{Entry, Unit};
use super::measure::repeat;
use super::workload::{Add, Context, Place, Workload, noise, wrong};
use crate::Result;
use crate::transport::colour::{ColourImage, ColourMethod, ColourSettings, ColourTransfer, measure};
use equilibria_kernels::Level;
use serde_json::json;

/// Height and width of source and target.
type Sizes = [[usize; 2]; 2];

/// Our method, and the report's.
pub fn list(context: &Context, add: Add<'_>) -> Result<()> {
    for (method, sizes) in [
        (ColourMethod::Palette, [[3000, 4000], [3000, 4000]]),
        (ColourMethod::ReportExact, [[669, 1000], [750, 1000]]),
    ] {
        add(context.within(Place::All, || workload(context.level, method, sizes))?, Place::All)?;
    }
    Ok(())
}

fn workload(level: Level, method: ColourMethod, sizes: Sizes) -> Result<Workload> {
    check(level, method)?;
    let [source, target] = images(level, sizes)?;
    let pixels = source.pixels() as f64;
    let [[height, width], _] = sizes;
    Ok(Workload {
        kernel: format!("colour, {}", method.name()),
        shape: format!("{height}x{width}"),
        work: pixels,
        divisor: 1,
        ours: repeat(move || transferred(&source, &target, method)),
        peer: None,
        limit: None,
        entry: Box::new(move |(kernel, shape, threads), seconds| {
            let speed = 1e3 * seconds[0];
            let json = json!({
                "method": method.name(),
                "height": height,
                "width": width,
                "milliseconds": speed,
                "threads": threads,
            });
            Entry { kernel, shape, threads, speed, unit: Unit::Milliseconds, share: None, ratio: None, json }
        }),
    })
}

fn transferred(source: &ColourImage, target: &ColourImage, method: ColourMethod) -> Result<ColourImage> {
    ColourTransfer::fit(source, target, [None, None], &ColourSettings::of(method))?.apply(source, None)
}

/// Checks on small images that the colours move to the target.
fn check(level: Level, method: ColourMethod) -> Result<()> {
    let [source, target] = images(level, [[60, 80], [80, 60]])?;
    let before = measure(&source, &target, &source)?.sliced_distance;
    let after = measure(&source, &target, &transferred(&source, &target, method)?)?.sliced_distance;
    if after < 0.3 * before {
        return Ok(());
    }
    Err(wrong(
        format!("colour, {}, distance", method.name()),
        after,
        format!("less than a third of {before}"),
    ))
}

/// A blue and a red image with gradients and grain.
fn images(level: Level, sizes: Sizes) -> Result<[ColourImage; 2]> {
    let paint = |[height, width]: [usize; 2], low: [f32; 3], high: [f32; 3]| {
        let grain: Vec<f32> = noise(level, 3 * height * width, -0.05..0.05);
        let value = |(i, grain): (usize, f32)| {
            let (row, column, k) = (i / 3 / width, i / 3 % width, i % 3);
            let part =
                [row as f32 / height as f32, column as f32 / width as f32, row as f32 / height as f32][k];
            (low[k] + part * (high[k] - low[k]) + grain).clamp(0.0, 1.0)
        };
        ColourImage::new(height, width, grain.into_iter().enumerate().map(value).collect())
    };
    let [source, target] = sizes;
    Ok([paint(source, [0.1, 0.3, 0.5], [0.4, 0.6, 0.95])?, paint(target, [0.5, 0.1, 0.3], [0.95, 0.7, 0.1])?])
}
