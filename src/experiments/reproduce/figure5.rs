//! Figure 5: two photographs with their colour histograms.

use super::workbench::{ByBudget, ReportFigure, Workbench};
use crate::Result;
use crate::data::photograph::list;
use crate::report::numbers::thousands;
use crate::report::{ContactSheet, LinePlot, Section, Series};
use crate::run::recolour::{Side, fitted, histograms, scatter};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure5",
    about: "Two photographs with their colour histograms",
    files: &["figure5.png", "figure5-image1-histograms.svg", "figure5-image2-histograms.svg"],
    seconds: ByBudget { quick: 2, full: 4 },
    needs_digits: false,
    check: |_| Ok(()),
    make,
};

/// Height and width of a picture on the sheet, and parts of a histogram.
const TILE: [usize; 2] = [240, 360];
const BINS: usize = 64;
/// The photographs that are taken if a folder has them.
const USUAL: [&str; 2] = ["ocean_day.png", "ocean_sunset.png"];

/// The two photographs: of the subfolder `images` of the data, or painted.
pub(super) fn pair(bench: &Workbench<'_>) -> Result<[Side; 2]> {
    let files = list(&Path::new(&bench.data).join("images")).unwrap_or_default();
    let named = |name: &str| files.iter().find(|file| file.ends_with(name));
    let chosen: [PathBuf; 2] = match (USUAL.map(named), &files[..]) {
        ([Some(first), Some(second)], _) => [first.clone(), second.clone()],
        (_, [first, second, ..]) => [first.clone(), second.clone()],
        _ => ["seaside", "jungle"].map(PathBuf::from),
    };
    let [first, second] = chosen;
    Ok([Side::read(&first)?, Side::read(&second)?])
}

/// Says where the photographs come from.
pub(super) fn origin_of(pair: &[Side; 2]) -> String {
    match pair[0].name() {
        "seaside" => {
            "Both pictures are painted by this program: a seaside at noon, and a parrot in a jungle.".into()
        }
        _ => {
            let [first, second] =
                pair.each_ref().map(|side| side.name().rsplit('/').next().unwrap_or_default());
            format!("The photographs are `{first}` and `{second}`.")
        }
    }
}

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let pair = pair(bench)?;
    let labels = pair.each_ref().map(|side| {
        let image = side.image();
        format!("{} pixels wide, {} high", thousands(image.width()), thousands(image.height()))
    });
    let mut sheet = ContactSheet::new(TILE[0], TILE[1])
        .columns(2)
        .column_labels(&["image 1", "image 2"])
        .tile_labels(&[&labels[0][..], &labels[1], "red to the right, blue up", "red to the right, blue up"])
        .magnify(1);
    for side in &pair {
        sheet.push_u8(&fitted(side.image(), TILE)?)?;
    }
    pair.iter().try_for_each(|side| sheet.push_u8(&scatter(side.image(), TILE)))?;
    let sheet = bench.contact_sheet(
        "figure5.png",
        sheet,
        "Two pictures, and below each the scatter of its colours.",
        "Below: the colours of each picture by their red (to the right) and blue (upwards), in their true colours.",
    )?;
    let mut charts = Vec::new();
    let mut numbers = Vec::new();
    for (index, side) in pair.iter().enumerate() {
        let shares = histograms(side.image(), BINS);
        charts.push(bench.chart(
            &format!("figure5-image{}-histograms.svg", index + 1),
            histogram_plot(&format!("Image {}", index + 1), &shares).to_svg()?,
            "The share of the pixels in each of 64 parts of the range of values, for red, green and blue.",
        ));
        let image = side.image();
        numbers.push(
            json!({ "name": side.name(), "pixels": [image.height(), image.width()], "histograms": shares }),
        );
    }
    let section = Section::new("Figure 5: two pictures as distributions of colours")
        .paragraph(format!(
            "The pixels of a picture are a distribution of colours, points with red, green and blue as coordinates. {} The \
             histograms are the marginals of the two distributions; the scatters show red against blue.",
            origin_of(&pair)
        ))
        .figures([sheet])
        .figures(charts);
    Ok((section, json!({ "images": numbers })))
}

/// The histograms of the three channels as lines.
pub(super) fn histogram_plot(title: &str, shares: &[Vec<f64>; 3]) -> LinePlot {
    // Vermilion, green and blue of the plots' colours.
    let channels = ["red", "green", "blue"].into_iter().zip([1, 2, 0]).zip(shares);
    let series = channels.map(|((name, colour), shares)| {
        let points = shares.iter().enumerate();
        let points = points.map(|(bin, share)| ((bin as f64 + 0.5) / shares.len() as f64, 100.0 * share));
        Series::new(name, points).colour(colour)
    });
    LinePlot {
        title: title.into(),
        x_label: "value of the channel".into(),
        y_label: "share of the pixels (%)".into(),
        series: series.collect(),
        ..LinePlot::default()
    }
}
