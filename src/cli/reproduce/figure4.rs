//! Figure 4: what the units of a deep machine look for and what it draws, beside restricted machines.

mod answer;
mod rows;
mod samples;

use super::{EPOCHS, Outcome, SMALL, Workbench};
use crate::boltzmann::{Dbm, Rbm};
use crate::cli::filters::claims::{self, Claim};
use crate::cli::filters::{ByNorm, FilterSet, Group, grid, limit, rows as measures, sheet};
use crate::data::{Digits, Images};
use crate::report::{Figure, Section, Table};
use crate::rng::Stream;
use crate::run::{dbm, pretrained};
use crate::tensor::Tensor;
use crate::{Error, Result};
use rows::Restored;
use serde_json::json;

/// Filters of each set on the sheet: columns and rows. The report's machine has as many.
const SHEET: (usize, usize) = (2, SMALL / 2);
/// The same, of layer 2 alone.
const SECOND_SHEET: (usize, usize) = (10, 3);
/// The machines of the figure: those that come with the program, and the report's.
struct Machines {
    deep: Dbm<f32>,
    deep_settings: dbm::Settings,
    restricted: Rbm<f32>,
    small: Rbm<f32>,
    /// That the first two were trained for.
    epochs: [usize; 2],
    /// Whether the first two learned from the images that the figure shows.
    is_home: bool,
}

impl Machines {
    /// Hidden units of the deep machine, in words.
    fn hidden(&self) -> String {
        self.deep.sizes().skip(1).map(|units| units.to_string()).collect::<Vec<_>>().join("-")
    }
}

/// The report's claims, by what they are held against.
struct Told {
    /// An RBM of as many units beside the first layer.
    equal: Vec<Claim>,
    /// The report's RBM beside the first layer.
    small: Vec<Claim>,
    /// The second layer beside the first.
    layers: Vec<Claim>,
    /// Samples of the RBM of as many units beside the deep machine's.
    equal_samples: Vec<Claim>,
    /// Samples of the report's RBM beside the deep machine's.
    small_samples: Vec<Claim>,
}

impl Told {
    /// The claims about the deep machine beside one that is called `name`.
    fn table_beside(filters: &[Claim], samples: &[Claim], name: &str) -> Table {
        let claims: Vec<&Claim> = filters.iter().chain(samples).collect();
        table_of_claims(&format!("The deep machine beside the {name}"), &claims, name, ["RBM", "DBM"])
    }

    fn all(&self) -> Vec<&Claim> {
        let Self { equal, small, layers, equal_samples, small_samples } = self;
        [equal, small, layers, equal_samples, small_samples].into_iter().flatten().collect()
    }
}

/// **Errors** [`Error::ShapeMismatch`] if images are not of the size that the machines see.
pub(super) fn check(images: &Images) -> Result<()> {
    let size = [images.height(), images.width()];
    if size == pretrained::IMAGE_SIZE {
        return Ok(());
    }
    let operation = "height and width of an image and of those that the machines of figure 4 learned from";
    Err(Error::ShapeMismatch { operation, expected: pretrained::IMAGE_SIZE.into(), found: size.into() })
}

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let (deep, deep_settings) = pretrained::deep()?;
    let (restricted, restricted_settings) = pretrained::restricted()?;
    let is_home = bench.digits.name != "synthetic";
    let epochs = [deep_settings.epochs, restricted_settings.epochs];
    let small = bench.small()?.0;
    let machines = Machines { deep, deep_settings, restricted, small, epochs, is_home };
    let stream = Stream::named(bench.seed, "evaluate");

    let filters = Filters::new(bench, &machines)?;
    let walks = samples::walk(bench, &machines)?;
    let restored = Restored::new(bench, &machines)?;
    let told = Told {
        equal: claims::of_pair(&filters.restricted, &filters.deep[0], stream).to_vec(),
        small: claims::of_pair(&filters.small, &filters.deep[0], stream).to_vec(),
        layers: claims::of_layers(&filters.deep, stream),
        equal_samples: walks.claims(1, &filters.restricted.name, stream),
        small_samples: walks.claims(2, &filters.small.name, stream),
    };
    let claims = told.all();

    let answer = answer::paragraphs(&answer::Numbers::of(&filters, &walks, &restored, &machines), &told);
    let summary = json!({
        "machines_learned": "mnist",
        "data": bench.digits.name,
        "filters": filters.sets().map(FilterSet::to_json),
        "claims": claims,
        "samples": walks.to_json(),
        "reconstruction": restored.to_json(),
        "answer": answer,
    });
    let mut section = Section::new("Figure 4: filters and samples of a deep machine")
        .paragraph(introduction(bench, &machines));
    for paragraph in &answer {
        section = section.paragraph(paragraph);
    }
    section = section
        .figure(filters.figure(bench)?)
        .figure(filters.mixed_figure(bench)?)
        .figure(filters.raw_figure(bench, &machines)?)
        .table(filters.table())
        .paragraph(MEASURES)
        .table(Told::table_beside(&told.equal, &told.equal_samples, &filters.restricted.name))
        .table(Told::table_beside(&told.small, &told.small_samples, &filters.small.name))
        .table(table_of_claims(
            "The second layer beside the first",
            &told.layers.iter().collect::<Vec<_>>(),
            &filters.deep[1].name,
            ["layer\u{a0}2", "layer\u{a0}1"],
        ))
        .paragraph(
            "As claimed is the share of all pairs, a filter or a sample of each machine, in which the one has more that is \
             said to; of `dark inside` and of `best single filter`, the share of filters. A claim holds if the 95 % interval \
             of it, of 1,000 bootstrap samples, lies above 50 %; it does not hold if that lies below, and cannot be told \
             otherwise. Where there are two measures, both have to say so.",
        )
        .figure(walks.figure(bench)?);
    Ok(Outcome { section: restored.add_to(bench, &machines, section)?, summary })
}

const MEASURES: &str = "Of a filter w: the area is (\u{3a3}w\u{b2})\u{b2} / \u{3a3}w\u{2074}; the concentration is the share \
    of the energy \u{3a3}w\u{b2} within 4 pixels of the best centre; lobes are patches of one sign with at least half of \
    the largest magnitude; noise is told by the median second difference, 1 for pure noise; fine power is the part of \
    the spectrum above a quarter of a cycle a pixel; a loop is a disc of one sign in a closed ring of the other, and \
    what is centred depends on the distance to the middle of the image alone: both as the share of the energy that \
    they explain.";

fn introduction(bench: &Workbench<'_>, machines: &Machines) -> String {
    let Digits { name, train, .. } = bench.digits;
    let count = crate::cli::thousands(train.len());
    let (images, digits) = match machines.is_home {
        true => (format!("{name}'s first {count} images"), format!("test images of {name}")),
        false => (
            format!("{count} synthetic digits"),
            "synthetic digits here, unlike any that these two have seen; with `--data` they are MNIST's"
                .into(),
        ),
    };
    format!(
        "A deep machine (DBM) of {} hidden units and a restricted one (RBM) of {} come with this program; they learned \
         MNIST, each pixel drawn from its grey value, by recipes of their own, in {} and {} epochs. Beside them stands a \
         machine as the report's: {SMALL} hidden units, {EPOCHS} epochs of {images}. The digits that samples start from \
         and rows are removed from are {digits}.",
        machines.hidden(),
        machines.restricted.hidden(),
        machines.epochs[0],
        machines.epochs[1],
    )
}

/// What units look for.
pub(super) struct Filters {
    pub deep: Vec<FilterSet>,
    pub restricted: FilterSet,
    pub small: FilterSet,
}

impl Filters {
    fn new(bench: &mut Workbench<'_>, machines: &Machines) -> Result<Self> {
        let size = pretrained::IMAGE_SIZE.into();
        let equal = machines.restricted.hidden();
        let filters = Self {
            deep: FilterSet::of_deep("DBM", &machines.deep, size)?,
            restricted: FilterSet::of_restricted(&format!("RBM, {equal} units"), &machines.restricted, size)?,
            small: FilterSet::of_restricted(&format!("RBM, {SMALL} units"), &machines.small, size)?,
        };
        let count: usize = filters.sets().map(|set| set.measured.norms.len()).iter().sum();
        bench.say(&format!("measured {} filters", crate::cli::thousands(count)));
        Ok(filters)
    }

    /// In the order in which they are shown.
    fn sets(&self) -> [&FilterSet; 4] {
        [&self.small, &self.restricted, &self.deep[0], &self.deep[1]]
    }

    fn figure(&self, bench: &Workbench<'_>) -> Result<Figure> {
        let (columns, rows) = SHEET;
        let group = |set: &FilterSet| {
            let chosen = ByNorm::spread(&set.weight, columns * rows);
            Group::new(&*set.name, &set.weight, &chosen.units)
        };
        let groups = self.sets().map(group);
        // The report's machine has few weights and large ones: they would turn all others pale.
        let limit = limit(self.sets()[1..].iter().map(|set| &set.weight));
        let size = pretrained::IMAGE_SIZE.into();
        let png = sheet("Filters", &groups.each_ref(), size, columns, limit)?.to_png()?;
        bench.write("figure4-filters.png", &png);
        Ok(Figure::png(
            png,
            "Filters of two restricted machines and of both layers of a deep one.",
            format!(
                "Weights to pixels, on one scale, of {} units each, evenly from the largest norm to the smallest; the largest 1 % of all \
                 weights go beyond the scale, of the small machine more. Layer 2 of the deep machine is \
                 projected through layer 1: the product of their weights.",
                columns * rows
            ),
        ))
    }

    /// Layer 2 once more: it mixes many filters of layer 1 by small weights, which are pale beside these.
    fn mixed_figure(&self, bench: &Workbench<'_>) -> Result<Figure> {
        let weight = &self.deep[1].weight;
        let size = pretrained::IMAGE_SIZE.into();
        let png = second_layer("DBM, layer 2: projected to pixels", weight, size)?;
        bench.write("figure4-layer-2.png", &png);
        let (columns, rows) = SECOND_SHEET;
        let caption = format!("{} units of layer 2, on a scale of their own.", columns * rows);
        Ok(Figure::png(png, "Filters of the second layer of a deep machine.", caption))
    }

    fn raw_figure(&self, bench: &Workbench<'_>, machines: &Machines) -> Result<Figure> {
        let weight = &machines.deep.weights()[1];
        let png = second_layer("DBM, layer 2: weights to layer 1", weight, grid(weight.rows()))?;
        bench.write("figure4-raw.png", &png);
        let (columns, rows) = SECOND_SHEET;
        Ok(Figure::png(
            png,
            "Weights between the layers of a deep machine.",
            format!(
                "The weights of {} units of layer 2 as they are: a pixel for each of the {} units of layer 1, whose \
                 order means nothing.",
                columns * rows,
                weight.rows()
            ),
        ))
    }

    fn table(&self) -> Table {
        let mut table = Table::new("Medians over filters, and their quartiles").text_column("measure");
        for set in self.sets() {
            table = table.number_column(&*set.name, "");
        }
        for row in measures(&self.sets()) {
            table = table.row([format!("{}, {}", row.name, row.unit)].into_iter().chain(row.cells));
        }
        table
    }
}

/// What units of layer 2 weight, evenly from the largest norm to the smallest, as a PNG.
fn second_layer(title: &str, weight: &Tensor<f32>, size: (usize, usize)) -> Result<Vec<u8>> {
    let (columns, rows) = SECOND_SHEET;
    let chosen = ByNorm::spread(weight, columns * rows);
    let group = Group::new("", weight, &chosen.units);
    sheet(title, &[&group], size, columns, limit([weight]))?.to_png()
}

/// A line for each measure that a claim goes by; the medians of the set `first` stand in the first of two columns.
fn table_of_claims(caption: &str, claims: &[&Claim], first: &str, columns: [&str; 2]) -> Table {
    let mut table = Table::new(caption)
        .text_column("the report's claim")
        .text_column("measure")
        .number_column(columns[0], "median")
        .number_column(columns[1], "median")
        .number_column("as claimed", "% (95 % interval)")
        .text_column("verdict");
    for claim in claims {
        for (i, evidence) in claim.evidence.iter().enumerate() {
            let once = |text: &str| if i == 0 { text.to_string() } else { String::new() };
            let mut medians = evidence.medians().unwrap_or_default();
            // Some claims say that the other side has more.
            if claim.more != first {
                medians.reverse();
            }
            let [left, right] = medians;
            let (name, verdict) = (once(claim.claim), once(claim.verdict.name()));
            table = table.row([name, evidence.measure.to_string(), left, right, evidence.chance(), verdict]);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::filters::claims::{Evidence, Kind};
    use crate::report::Page;

    #[test]
    fn medians_stand_in_the_column_of_their_machine() {
        let evidence = |more: f64, less: f64| {
            [Evidence::of_larger(("area", "pixels"), &[more], &[less], Stream::named(1, "evaluate"))]
        };
        let claims = [
            Claim::new(Kind::Larger, "RBM more", ("RBM", "DBM, layer 1"), evidence(7.0, 2.0)),
            Claim::new(Kind::Loops, "DBM more", ("DBM, layer 1", "RBM"), evidence(3.0, 8.0)),
        ];
        let table = table_of_claims("", &claims.iter().collect::<Vec<_>>(), "RBM", ["RBM", "DBM"]);
        let html = Page::new("t").section(Section::new("").table(table)).to_html().unwrap();
        let cells = |cells: &[&str]| cells.iter().map(|cell| format!(">{cell}</td>")).collect::<Vec<_>>();
        for row in [
            cells(&["RBM more", "area", "7.00", "2.00", "100 (100 to 100)", "holds"]),
            cells(&["DBM more", "area", "8.00", "3.00", "0 (0 to 0)", "does not hold"]),
        ] {
            let mut rest = html.as_str();
            for cell in row {
                // The next cell, or the row's first.
                let (before, after) = rest.split_once(&cell).unwrap_or_else(|| panic!("no {cell} in {rest}"));
                assert!(before.len() < 30 || cell.contains("more"), "{cell} is not next: {before}");
                rest = after;
            }
        }
    }
}
