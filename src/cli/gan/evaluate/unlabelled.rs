//! The text of an evaluation of images without labels.

use crate::cli::output::thousands;
use crate::evaluate::memorisation::Memorisation;
use crate::evaluate::unlabelled::{UnlabelledJudgement, UnlabelledMeasures};
use crate::run::unlabelled::JudgedImages;
use std::path::Path;

/// The value of a measure as text.
type Cell<'a> = Box<dyn Fn(&UnlabelledMeasures) -> String + 'a>;

/// A table with the training images' numbers beside the samples'.
pub(super) fn describe(judged: &JudgedImages, path: &Path) -> String {
    let UnlabelledJudgement { measures, real, .. } = &judged.judgement;
    let mut text = format!(
        "{} samples, and for comparison {} training images of {}, against {} test images\n\
         in {} features of a {} encoder, which recognises {:.1} % of the orientations of test images\n\n",
        thousands(judged.judgement.samples),
        thousands(judged.judgement.train_images),
        judged.data,
        thousands(judged.judgement.test_images),
        judged.judgement.features,
        judged.encoder,
        100.0 * judged.judgement.orientations_recognised,
    );
    text += &format!("{:24}{:>18}{:>18}\n", "", "samples", "training images");
    let mut rows: Vec<(String, Cell<'_>, &str)> = vec![
        (
            "kernel distance".into(),
            Box::new(|of| format!("{:.4} ± {:.4}", of.kernel_distance, of.kernel_distance_standard_error)),
            "of features; lower is better",
        ),
        (
            "Fréchet distance".into(),
            Box::new(|of| format!("{:.3}", of.frechet_distance)),
            "of features; lower is better",
        ),
        (
            "  extrapolated".into(),
            Box::new(|of| format!("{:.3}", of.frechet_extrapolated)),
            "to infinitely many samples",
        ),
        (
            "sliced Wasserstein".into(),
            Box::new(|of| format!("{:.3}", of.sliced_wasserstein)),
            "of patches at several scales; lower is better",
        ),
    ];
    for (index, band) in real.sliced_wasserstein_bands.iter().enumerate() {
        let value = move |of: &UnlabelledMeasures| {
            of.sliced_wasserstein_bands.get(index).map_or("-".into(), |band| format!("{:.3}", band.distance))
        };
        rows.push((format!("  at {} pixels", band.size), Box::new(value), ""));
    }
    rows.push((
        "colour distance".into(),
        Box::new(|of| format!("{:.3}", of.colour_distance)),
        "of histograms, from 0 to 1; lower is better",
    ));
    for (name, value, meaning) in rows {
        let line = format!("{name:<24}{:>18}{:>18}   {meaning}", value(measures), value(real));
        text += line.trim_end();
        text += "\n";
    }
    text += "\ndistance to the nearest training image:\n";
    for (name, nearest) in
        [("pixels", &judged.judgement.nearest_pixels), ("features", &judged.judgement.nearest_features)]
    {
        let Memorisation { samples, test_images, nearer, z, .. } = nearest;
        text += &format!(
            "  {name:<9} {samples:.3} for samples, {test_images:.3} for test images; samples are nearer in {:.1} % of all \
             pairs ({z:+.1} sigma from 50 %): {}\n",
            100.0 * nearer,
            novelty(*z)
        );
    }
    text + &format!("wrote {}\n", path.display())
}

/// The meaning for the samples of a deviation from 50 %, in standard deviations.
pub(super) fn novelty(z: f64) -> &'static str {
    match z {
        z if z > 3.0 => "nearer than new images; the generator may copy",
        z if z < -3.0 => "farther than new images",
        _ => "as new as test images",
    }
}
