//! What commands that show filters have in common: sets of them, on sheets of one scale, and their measures in tables.

pub(super) mod claims;

use crate::boltzmann::{Dbm, Rbm};
use crate::evaluate::filters::compare::Quartiles;
use crate::evaluate::filters::{Measure, Measured, best_match, inputs_used};
use crate::report::ContactSheet;
use crate::tensor::{Tensor, Workspace};
use crate::{Error, Result};
use equilibria_kernels::Epilogue;
use serde_json::{Map, Value, json};

/// Pixels that a filter of MNIST's size is drawn with, a side, and fewer weights as well.
const TILE: usize = 3 * 28;
/// Pixels that a weight is drawn with at least, a side.
const LEAST: usize = 3;

/// Units by the size of their weights.
pub(super) struct ByNorm {
    pub units: Vec<usize>,
    /// Euclidean norms of their weights, falling.
    pub norms: Vec<f64>,
}

impl ByNorm {
    /// All columns of `weight`, the largest norm first.
    fn all(weight: &Tensor<f32>) -> Self {
        let norm = |unit| column(weight, unit).map(|w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
        let mut units: Vec<(usize, f64)> = (0..weight.columns()).map(|unit| (unit, norm(unit))).collect();
        units.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (units, norms) = units.into_iter().unzip();
        Self { units, norms }
    }

    /// The `count` columns of `weight` with the largest norms.
    pub fn largest(weight: &Tensor<f32>, count: usize) -> Self {
        let mut all = Self::all(weight);
        all.units.truncate(count);
        all.norms.truncate(count);
        all
    }

    /// `count` columns of `weight`, evenly from the largest norm to the smallest.
    pub fn spread(weight: &Tensor<f32>, count: usize) -> Self {
        let all = Self::all(weight);
        let (len, count) = (all.units.len(), count.min(all.units.len()));
        let place = |i: usize| i * (len - 1) / (count - 1).max(1);
        let places: Vec<usize> = (0..count).map(place).collect();
        Self {
            units: places.iter().map(|&place| all.units[place]).collect(),
            norms: places.iter().map(|&place| all.norms[place]).collect(),
        }
    }
}

fn column(weight: &Tensor<f32>, unit: usize) -> impl Iterator<Item = f32> {
    weight.data().iter().skip(unit).step_by(weight.columns()).copied()
}

/// Filters to show side by side: a heading, and what the units of a machine weight each pixel with.
pub(super) struct Group {
    heading: String,
    pictures: Vec<Vec<f32>>,
}

impl Group {
    /// The columns `units` of `weight`.
    pub fn new(heading: impl Into<String>, weight: &Tensor<f32>, units: &[usize]) -> Self {
        let pictures = units.iter().map(|&unit| column(weight, unit).collect()).collect();
        Self { heading: heading.into(), pictures }
    }
}

/// Where the scale of a sheet ends, of whose units these are all weights. Neither a few strokes nor a few units of large
/// weights must turn the rest pale: at the 99th percentile of all units, shown or not.
pub(super) fn limit<'a>(weights: impl IntoIterator<Item = &'a Tensor<f32>>) -> f32 {
    let mut sizes: Vec<f32> = weights.into_iter().flat_map(|weight| weight.data()).map(|w| w.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    sizes.get(sizes.len() * 99 / 100).copied().unwrap_or_default().max(f32::MIN_POSITIVE)
}

/// As many columns as a sheet of so many filters alone should have.
pub(super) fn columns_of(count: usize) -> usize {
    count.isqrt().clamp(1, 20).max(count.min(10))
}

/// A sheet with a group of `columns` columns for each of `groups`, on the scale to `limit`. Pixels beyond the weights that
/// a filter has are marked.
pub(super) fn sheet(
    title: &str,
    groups: &[&Group],
    (height, width): (usize, usize),
    columns: usize,
    limit: f32,
) -> Result<ContactSheet> {
    let headings: Vec<(&str, usize)> = groups.iter().map(|group| (group.heading.as_str(), columns)).collect();
    let mut sheet = ContactSheet::new(height, width)
        .title(title)
        .column_groups(&headings)
        .mark_label("no weight")
        .magnify((TILE / height.max(width)).max(LEAST));
    let rows = groups.iter().map(|group| group.pictures.len().div_ceil(columns)).max().unwrap_or(0);
    for (row, group) in (0..rows).flat_map(|row| groups.iter().map(move |group| (row, group))) {
        for place in row * columns..(row + 1) * columns {
            let Some(picture) = group.pictures.get(place) else {
                sheet.push_blank();
                continue;
            };
            let mut tile = picture.clone();
            tile.resize(height * width, f32::NAN);
            sheet.push_signed(&tile, limit)?;
        }
    }
    Ok(sheet)
}

/// Height and width of a picture of so many units: exactly, if their number allows a picture at most twice as wide as
/// high, else with a few pixels to spare.
pub(super) fn grid(units: usize) -> (usize, usize) {
    let root = units.isqrt().max(1);
    let exact = (1..=root).rev().find(|height| units.is_multiple_of(*height)).unwrap_or(1);
    // The nearest whole number to the root.
    let nearest = if units > root * root + root { root + 1 } else { root };
    let height = if units / exact <= 2 * exact { exact } else { nearest };
    (height, units.div_ceil(height))
}

/// The filters of one layer in pixels, and their measures.
pub(super) struct FilterSet {
    /// For tables.
    pub name: String,
    /// (pixels, units)
    pub weight: Tensor<f32>,
    pub measured: Measured,
    /// What a layer above the first makes of the filters of the first.
    pub mixture: Option<Mixture>,
}

/// How units of a higher layer combine what is below.
pub(super) struct Mixture {
    /// Units of the layer below.
    below: usize,
    /// How many of them each unit uses.
    used: Vec<f64>,
    /// The share of the energy of its projection that the most alike filter of the first layer explains.
    pub best_match: Vec<f64>,
}

impl Mixture {
    /// Medians of the units used, and of what the best single filter explains.
    pub fn medians(&self) -> (f64, f64) {
        (Quartiles::of(&self.used).median, Quartiles::of(&self.best_match).median)
    }
}

impl FilterSet {
    pub fn of_restricted(name: &str, model: &Rbm<f32>, (height, width): (usize, usize)) -> Result<Self> {
        let weight = model.weight().clone();
        let measured = Measured::new(&weight, height, width)?;
        Ok(Self { name: name.into(), weight, measured, mixture: None })
    }

    /// Those of all layers of a deep machine, the lowest first, higher ones projected to pixels.
    pub fn of_deep(name: &str, model: &Dbm<f32>, (height, width): (usize, usize)) -> Result<Vec<Self>> {
        let weights = model.weights();
        let mut sets = Vec::<Self>::new();
        for (layer, own) in (1..).zip(weights) {
            let (weight, mixture) = match sets.last() {
                None => (own.clone(), None),
                Some(below) => {
                    let projected = product(&below.weight, own);
                    let best_match = best_match(&projected, &weights[0])?;
                    (projected, Some(Mixture { below: own.rows(), used: inputs_used(own), best_match }))
                }
            };
            let measured = Measured::new(&weight, height, width)?;
            sets.push(Self { name: format!("{name}, layer {layer}"), weight, measured, mixture });
        }
        Ok(sets)
    }

    /// Medians and quartiles by the measures' names, for JSON.
    pub fn to_json(&self) -> Value {
        let mut measures = Map::new();
        for measure in Measure::ALL {
            let quartiles = Quartiles::of(self.measured.values(measure));
            measures.insert(measure.name().replace(' ', "_"), json!(quartiles));
        }
        let mixture = self.mixture.as_ref().map(|mixture| {
            json!({
                "units_below": mixture.below,
                "filters_used": Quartiles::of(&mixture.used),
                "best_single_filter": Quartiles::of(&mixture.best_match),
            })
        });
        json!({
            "name": self.name,
            "units": self.measured.norms.len(),
            "dead": self.measured.dead(),
            "norm": Quartiles::of(&self.measured.norms),
            "measures": measures,
            "mixture": mixture,
        })
    }
}

fn product(a: &Tensor<f32>, b: &Tensor<f32>) -> Tensor<f32> {
    let mut out = Tensor::zeros(&[a.rows(), b.columns()]);
    Workspace::new().gemm(1.0, a.view(), b.view(), 0.0, out.view_mut(), Epilogue::NONE);
    out
}

/// A row of the table of measures: what it is of, its unit, and a cell for each set.
pub(super) struct Row {
    pub name: &'static str,
    pub unit: String,
    pub cells: Vec<String>,
}

/// The table of measures: medians, and in brackets the quartiles; shares in percent.
pub(super) fn rows(sets: &[&FilterSet]) -> Vec<Row> {
    let row = |name, unit: &str, cell: &dyn Fn(&FilterSet) -> String| Row {
        name,
        unit: unit.replace("share of", "% of"),
        cells: sets.iter().map(|set| cell(set)).collect(),
    };
    let quartiles = |values: &[f64], unit: &str| {
        let scale = if unit.starts_with("share of") { 100.0 } else { 1.0 };
        let Quartiles { lower, median, upper } = Quartiles::of(values);
        let [lower, median, upper] = [lower, median, upper].map(|value| short(scale * value));
        format!("{median} ({lower} to {upper})")
    };
    let mut rows = vec![
        row("filters", "count", &|set| super::thousands(set.measured.norms.len())),
        row("dead", "count", &|set| super::thousands(set.measured.dead())),
        row("norm", "weight", &|set| quartiles(&set.measured.norms, "weight")),
    ];
    for measure in Measure::ALL {
        let unit = measure.unit();
        rows.push(row(measure.name(), unit, &|set| quartiles(set.measured.values(measure), unit)));
    }
    let mixtures = || sets.iter().filter_map(|set| set.mixture.as_ref());
    if mixtures().next().is_some() {
        let mixed = |set: &FilterSet, values: fn(&Mixture) -> &[f64], unit| {
            set.mixture.as_ref().map_or("-".into(), |mixture| quartiles(values(mixture), unit))
        };
        let below: Vec<String> = mixtures().map(|mixture| mixture.below.to_string()).collect();
        let unit = format!("of {}", below.join(", "));
        rows.push(row("units below used", &unit, &|set| mixed(set, |mixture| &mixture.used, "count")));
        let unit = "share of energy";
        rows.push(row("best single filter", unit, &|set| mixed(set, |mixture| &mixture.best_match, unit)));
    }
    rows
}

/// Three digits, of what is neither tiny nor huge.
fn short(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && size < 0.000_5 => format!("{value:.1e}"),
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The error of machines that do not see the same images.
pub(super) fn check_visible(argument: &str, found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let problem = format!("has {found} visible units; machines side by side need as many, here {expected}");
    Err(Error::invalid(argument, problem))
}

/// The error of machines whose images differ in height and width, as far as these are known.
pub(super) fn check_size(argument: &str, found: Option<[usize; 2]>, expected: [usize; 2]) -> Result<()> {
    let Some(found) = found.filter(|&found| found != expected) else { return Ok(()) };
    let [found, expected] = [found, expected].map(|[height, width]| format!("{height}x{width}"));
    let problem = format!(
        "learned from images of {found} pixels; machines side by side see images of one size, here {expected}"
    );
    Err(Error::invalid(argument, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three units of two weights, of norms 1, 5 and 2.
    fn weight() -> Tensor<f32> {
        Tensor::from_vec(&[2, 3], vec![1.0, 3.0, 0.0, 0.0, -4.0, 2.0]).unwrap()
    }

    #[test]
    fn units_come_by_norm_and_evenly_of_all() {
        let ByNorm { units, norms } = ByNorm::largest(&weight(), 2);
        assert_eq!((units, norms), (vec![1, 2], vec![5.0, 2.0]));
        assert_eq!(ByNorm::spread(&weight(), 2).units, [1, 0], "the largest and the smallest");
        assert_eq!(ByNorm::spread(&weight(), 9).units, [1, 2, 0], "no more than there are");
        assert_eq!(ByNorm::spread(&weight(), 1).units, [1]);
        let many = Tensor::from_vec(&[1, 100], (0..100).map(|i| i as f32).collect()).unwrap();
        assert_eq!(ByNorm::spread(&many, 4).units, [99, 66, 33, 0]);
    }

    #[test]
    fn a_picture_of_units_is_near_to_a_square_and_holds_them_all() {
        for (units, expected) in [
            (1, (1, 1)),
            (2, (1, 2)),
            (3, (2, 2)),
            (7, (3, 3)),
            (23, (5, 5)),
            (500, (20, 25)),
            (503, (22, 23)),
            (1000, (25, 40)),
            (26, (5, 6)),
        ] {
            assert_eq!(grid(units), expected, "{units}");
        }
        for units in 1..2000 {
            let (height, width) = grid(units);
            assert!(height * width >= units && (height - 1) * width < units, "{units}: {height} x {width}");
            assert!(width <= 2 * height, "{units}: {height} x {width}");
        }
    }

    #[test]
    fn a_unit_of_large_weights_does_not_turn_the_others_pale() {
        let weight = |unit: usize| if unit == 7 { -50.0 } else { 0.5 };
        let weights = Tensor::from_vec(&[4, 200], (0..800).map(|i| weight(i % 200)).collect()).unwrap();
        assert_eq!(limit([&weights]), 0.5);
        let few = Tensor::from_vec(&[1, 10], (0..10).map(weight).collect()).unwrap();
        assert_eq!(limit([&few]), 50.0);
    }

    #[test]
    fn groups_of_other_sizes_share_a_sheet_and_a_scale() {
        let (many, few) = (Group::new("many", &weight(), &[0, 1, 2]), Group::new("few", &weight(), &[1]));
        assert_eq!(limit([&weight()]), 4.0);
        // Two columns each; two rows, as one has three tiles; a third weight that is not there.
        let png = sheet("t", &[&many, &few], (1, 3), 2, 4.0).unwrap().to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let amber = pixels.chunks_exact(3).filter(|pixel| pixel[0] > 100 && pixel[2] < 40).count();
        // Four tiles of three pixels in 84, one of them marked; and the key.
        assert_eq!(amber, 4 * 28 * 28 + 28 * 14, "of {} x {}", info.width, info.height);
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [0.0612, 5.0, 54.78, 121.4, 0.99971, 9.996, 0.0, 0.000_312].map(short),
            ["0.061", "5.00", "54.8", "121", "1.00", "10.0", "0.000", "3.1e-4"]
        );
    }
}
