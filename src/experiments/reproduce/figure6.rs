//! Figure 6: the two photographs with their colours swapped, by the report's methods and by ours.

use super::figure5::{histogram_plot, origin_of, pair};
use super::workbench::{ByBudget, ReportFigure, Workbench};
use crate::report::base64::encode as base64;
use crate::report::{Answer, ContactSheet, Figure, Outcome, Section, Table, picture};
use crate::run::recolour::{Origin, Recoloured, Side, fitted, histograms, origin, recolour, scatter};
use crate::transport::colour::{ColourImage, ColourMethod, ColourSettings, ColourTransfer, PaletteColour};
use crate::{Error, Result};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure6",
    about: "The same photographs with their colours swapped, by all methods",
    files: &[
        "figure6.png",
        "figure6-image1.png",
        "figure6-image2.png",
        "figure6-image1-histograms.svg",
        "figure6-image2-histograms.svg",
        "figure6-blue.png",
    ],
    seconds: ByBudget { quick: 15, full: 30 },
    needs_digits: false,
    check: |_| Ok(()),
    make,
};

/// Height and width of a picture on the sheet, and of one on the sheet of the blue.
const TILE: [usize; 2] = [140, 210];
const LARGE: [usize; 2] = [200, 300];
/// Colours of each palette of the panel, and height and width of its pictures.
const COLOURS: usize = 24;
const PANEL: [usize; 2] = [200, 300];
/// Columns of a picture with a slider.
const SLIDER: usize = 480;
/// The methods on the sheet.
const SHOWN: [ColourMethod; 3] =
    [ColourMethod::ReportExact, ColourMethod::ReportEntropic, ColourMethod::Palette];

/// The results of one direction.
struct Direction {
    results: Vec<Recoloured>,
    /// The pictures of [`SHOWN`].
    shown: Vec<ColourImage>,
    /// Our map.
    transfer: ColourTransfer,
}

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let pair = pair(bench)?;
    bench.progress.start(2 * ColourMethod::ALL.len() as u64, "transfers");
    let there = direction(bench, &pair[0], &pair[1])?;
    let back = direction(bench, &pair[1], &pair[0])?;
    bench.progress.finish("");
    let sheet = bench.contact_sheet(
        "figure6.png",
        sheet(&there, &back)?,
        "Three rows of four: the pictures with swapped colours and the scatters of their colours.",
        "Scatters show red (to the right) against blue (upwards). The report's methods move 1,000 sampled pixels, and the others \
         with the nearest one: look for flat patches and noise in smooth areas. Ours moves all colours smoothly.",
    )?;
    let [sliders, charts] = pictures(bench, &pair, [&there, &back])?;
    let found = origin(&pair[0], &pair[1], &there.transfer)?;
    let answers = [parrot(&found), dominance(&there, &back)].map(|text| Answer::new(Outcome::Answered, text));
    let blue = blue(bench, &found, &there)?;
    let section = Section::new("Figure 6: the colours of the two pictures swapped")
        .paragraph(format!(
            "Optimal transport moves the colours of one picture to those of the other at the least total squared distance. {} The \
             report used {}. Ours, the default of `equilibria transport colours`, uses palettes of all pixels.",
            origin_of(&pair),
            "exact and entropic plans between sampled pixels"
        ))
        .claim(
            "Blue moves to the pixels that are closest in colour, not in place (the parrot's wings and the beak).",
            &answers[0],
        )
        .claim("Optimal transport swaps the colours of two images. How good is it?", &answers[1])
        .figures([sheet])
        .paragraph(answers[1].text.as_str())
        .figures(sliders)
        .figures(charts)
        .paragraph(answers[0].text.as_str())
        .figures([blue])
        .paragraph("Try it: choose a colour of image 1, in the row of colours or by a click on the image, and see where its mass goes.")
        .panel("flow", flow(&pair, &there.transfer)?, None)
        .table(table("Image 1 with the colours of image 2", &there))
        .table(table("Image 2 with the colours of image 1", &back));
    let numbers = json!({
        "image1": there.results,
        "image2": back.results,
        "blue": found,
        "answer": answers,
    });
    Ok((section, numbers))
}

/// Gives `source` the colours of `target` by every method.
fn direction(bench: &mut Workbench<'_>, source: &Side, target: &Side) -> Result<Direction> {
    let (mut results, mut shown, mut ours) = (Vec::new(), Vec::new(), None);
    for method in ColourMethod::ALL {
        let settings = ColourSettings { seed: bench.seed, ..ColourSettings::of(method) };
        let (result, image, transfer) = recolour(source, target, None, &settings)?;
        results.push(result);
        if SHOWN.contains(&method) {
            shown.push(image);
            ours = Some(transfer);
        }
        bench.advance(1)?;
    }
    let transfer = ours.expect("the last method of the list is shown");
    Ok(Direction { results, shown, transfer })
}

/// The shown methods in rows, each with both directions and their scatters.
fn sheet(there: &Direction, back: &Direction) -> Result<ContactSheet> {
    let mut sheet = ContactSheet::new(TILE[0], TILE[1])
        .column_groups(&[
            ("image 1 with the colours of image 2", 2),
            ("image 2 with the colours of image 1", 2),
        ])
        .row_labels(&["exact plan of the report", "entropic plan of the report", "palettes (ours)"])
        .magnify(1);
    for (first, second) in there.shown.iter().zip(&back.shown) {
        for image in [first, second] {
            sheet.push_u8(&fitted(image, TILE)?)?;
            sheet.push_u8(&scatter(image, TILE))?;
        }
    }
    Ok(sheet)
}

/// Our results with sliders, and their histograms.
fn pictures(
    bench: &mut Workbench<'_>,
    pair: &[Side; 2],
    directions: [&Direction; 2],
) -> Result<[Vec<Figure>; 2]> {
    let (mut sliders, mut charts) = (Vec::new(), Vec::new());
    for (index, (side, direction)) in pair.iter().zip(directions).enumerate() {
        let (number, other) = (index + 1, 2 - index);
        let image = &direction.shown[SHOWN.len() - 1];
        let label = format!("with the colours of image {other}");
        let small = [
            (side.small_png(side.image(), SLIDER)?, "as it is"),
            (side.small_png(image, SLIDER)?, &label[..]),
        ];
        sliders.push(bench.before_and_after(
            &format!("figure6-image{number}.png"),
            &side.to_png(image.clone())?,
            small,
            &format!("Image {number} before and after, by our method. Move the slider with the mouse or the arrow keys."),
        ));
        let plot = histogram_plot(
            &format!("Image {number} with the colours of image {other}"),
            &histograms(image, 64),
        );
        charts.push(bench.chart(
            &format!("figure6-image{number}-histograms.svg"),
            plot.to_svg()?,
            &format!(
                "Compare with image {other} in figure 5: transport gives its histograms to image {number}."
            ),
        ));
    }
    Ok([sliders, charts])
}

/// The palettes of both pictures and the plan between them, for the panel of the page.
fn flow(pair: &[Side; 2], transfer: &ColourTransfer) -> Result<Value> {
    let flows = transfer.flows(COLOURS)?;
    let [source, target] = [(&pair[0], &flows.source), (&pair[1], &flows.target)].map(|(side, palette)| {
        let colour = |of: &PaletteColour| {
            let [red, green, blue] = of.colour.map(|part| (255.0 * part).round());
            json!([red, green, blue, (1e4 * of.mass).round() / 1e4])
        };
        let png = picture([PANEL[0], PANEL[1], 3], &fitted(side.image(), PANEL)?)?;
        Ok::<_, Error>((base64(&png), palette.iter().map(colour).collect::<Vec<Value>>()))
    });
    let ((source_image, source), (target_image, target)) = (source?, target?);
    let moved: Vec<Value> = flows
        .flows
        .iter()
        .map(|flow| json!([flow.row, flow.column, (1e5 * flow.mass).round() / 1e5]))
        .collect();
    Ok(json!({
        "source_image": source_image, "target_image": target_image,
        "source": source, "target": target, "flows": moved, "first": 0,
    }))
}

/// The picture that answers the question of the parrot.
fn blue(bench: &mut Workbench<'_>, found: &Origin, there: &Direction) -> Result<Figure> {
    let name = if found.is_blue { "the blue" } else { "the most vivid colour" };
    let mut sheet = ContactSheet::new(LARGE[0], LARGE[1])
        .columns(3)
        .tile_labels(&[
            format!("image 2: {name}"),
            "image 1: its new pixels".into(),
            "image 1, changed".into(),
        ])
        .magnify(1);
    for image in [&found.images[0], &found.images[1], &there.shown[SHOWN.len() - 1]] {
        sheet.push_u8(&fitted(image, LARGE)?)?;
    }
    bench.contact_sheet(
        "figure6-blue.png",
        sheet,
        "The pixels of one colour in image 2, and the pixels of image 1 that get it.",
        "Everything else is pale and grey. Transport looks at colours alone: it does not know where a pixel is.",
    )
}

/// Where does the blue of the parrot go?
fn parrot(found: &Origin) -> String {
    let (name, report) = match found.is_blue {
        true => ("blue", "The report saw the blue of the parrot's wings on the beak in the other picture. "),
        false => ("most vivid colour", ""),
    };
    let code = |colour: [f32; 3]| {
        colour
            .iter()
            .fold(String::from("#"), |code, part| code + &format!("{:02x}", (part * 255.0).round() as u8))
    };
    let [near, any] = found.distances;
    let [[x, y], [right, down]] = found.places.map(|place| place.map(|part| 100.0 * part));
    let verdict = match near < any {
        true => "It goes to what is nearest in colour, not in place",
        false => {
            "It does not go to what is nearest in colour here, because other colours need those places more"
        }
    };
    format!(
        "{report}Here the {name} of image 2 ({:.1} % of its \
         pixels, `{}` on average) goes to pixels of image 1 that are `{}` on average. {verdict}: in OKLab they are {near:.2} away \
         from it, and all pixels of image 1 are {any:.2} away on average. In image 2 it is at {x:.0} % of the width and {y:.0} % of the height on average, and \
         its new pixels are at {right:.0} % and {down:.0} %.",
        100.0 * found.share,
        code(found.colours[0]),
        code(found.colours[1]),
    )
}

/// Is our method nearer to the target's colours than the report's, and does it keep more of the structure?
fn dominance(there: &Direction, back: &Direction) -> String {
    let of = |direction: &Direction, method: ColourMethod| {
        let found = direction.results.iter().find(|result| result.method == method);
        found.map_or([f64::NAN; 2], |found| [found.measures.sliced_distance, found.measures.luminance_ssim])
    };
    let ours = [there, back].map(|direction| of(direction, ColourMethod::Palette));
    let [exact, entropic] = [ColourMethod::ReportExact, ColourMethod::ReportEntropic]
        .map(|method| [there, back].map(|direction| of(direction, method)));
    // In how many directions ours is better than both.
    let count = |is_better: &dyn Fn([f64; 2], [f64; 2]) -> bool| {
        let better =
            (0..2).filter(|&way| is_better(ours[way], exact[way]) && is_better(ours[way], entropic[way]));
        ["in neither direction", "in one of the two directions", "in both directions"][better.count()]
    };
    let (nearer, keeps) =
        (count(&|[ours, _], [other, _]| ours < other), count(&|[_, ours], [_, other]| ours > other));
    let [distance, structure] = [0, 1].map(|measure| {
        [ours, exact, entropic].map(|method| match measure {
            0 => format!("{:.3} and {:.3}", method[0][0], method[1][0]),
            _ => format!("{:.2} and {:.2}", method[0][1], method[1][1]),
        })
    });
    format!(
        "Ours is nearer to the colours of the other picture than both methods of the report {nearer}, and it keeps more of the \
         structure than both {keeps}. The sliced W₂ to the other picture's colours is {} (exact plan of the report: {}; entropic \
         plan: {}). The structural similarity of the luminance is {} ({}; {}).",
        distance[0], distance[1], distance[2], structure[0], structure[1], structure[2]
    )
}

fn table(caption: &str, direction: &Direction) -> Table {
    let start = Table::new(format!(
        "{caption}. W₂ and divergence: distance from the colours of the other picture. SSIM and gradients: structure kept, 1 for equal \
         pictures. Memory: the largest of the whole program meanwhile."
    ))
    .text_column("method")
    .number_column("sliced W₂", "")
    .number_column("divergence", "")
    .number_column("SSIM", "")
    .number_column("gradients", "")
    .number_column("colours lost", "%")
    .number_column("time", "s")
    .number_column("memory", "MB");
    direction.results.iter().fold(start, |table, result| {
        let of = &result.measures;
        table.row([
            result.method.name().to_string(),
            format!("{:.4}", of.sliced_distance),
            format!("{:.5}", of.divergence),
            format!("{:.3}", of.luminance_ssim),
            format!("{:.3}", of.gradient_similarity),
            format!("{:.0}", 100.0 * of.colours_lost),
            format!("{:.2}", result.fit_seconds + result.apply_seconds),
            result.memory(),
        ])
    })
}
