//! Filters on contact sheets, and their measures in tables.

use crate::Result;
use crate::evaluate::filters::Measure;
use crate::evaluate::filters::claims::Evidence;
use crate::evaluate::filters::compare::{Chance, Quartiles};
use crate::evaluate::filters::sets::{FilterSet, Mixture, scale_limit as limit, weights_of};
use crate::report::ContactSheet;
use crate::report::numbers::{short, thousands};
use crate::tensor::Tensor;
use serde_json::{Map, Value, json};

/// Pixels per side of a filter of MNIST's size on a sheet.
const TILE: usize = 3 * 28;
/// The smallest number of pixels per side of one weight.
const LEAST: usize = 3;

/// Filters that are drawn together under a heading.
pub(crate) struct Group {
    heading: String,
    pictures: Vec<Vec<f32>>,
    /// The end of a scale for these filters alone.
    limit: f32,
}

impl Group {
    /// The columns `units` of `weight`.
    pub fn new(heading: impl Into<String>, weight: &Tensor<f32>, units: &[usize]) -> Self {
        let pictures = units.iter().map(|&unit| weights_of(weight, unit).collect()).collect();
        Self { heading: heading.into(), pictures, limit: limit([weight]) }
    }
}

/// The number of columns of a sheet with `count` filters.
pub(crate) fn columns_of(count: usize) -> usize {
    count.isqrt().clamp(1, 20).max(count.min(10))
}

/// A sheet with `columns` columns for each of `groups`, on one scale up to `limit`, or each group on a scale of its own. Pixels
/// without a weight are marked.
pub(crate) fn sheet(
    title: &str,
    groups: &[&Group],
    (height, width): (usize, usize),
    columns: usize,
    limit: Option<f32>,
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
            sheet.push_signed(&tile, limit.unwrap_or(group.limit))?;
        }
    }
    Ok(sheet)
}

/// Height and width of a picture with one pixel per unit: exact if a picture at most twice as wide as high is possible,
/// otherwise with a few pixels to spare.
pub(crate) fn grid(units: usize) -> (usize, usize) {
    let root = units.isqrt().max(1);
    let exact = (1..=root).rev().find(|height| units.is_multiple_of(*height)).unwrap_or(1);
    // The integer nearest to the square root.
    let nearest = if units > root * root + root { root + 1 } else { root };
    let height = if units / exact <= 2 * exact { exact } else { nearest };
    (height, units.div_ceil(height))
}

impl FilterSet {
    /// Medians and quartiles of all measures, for JSON.
    pub(crate) fn to_json(&self) -> Value {
        let measures = Measure::ALL.map(|measure| {
            (measure.name().replace(' ', "_"), json!(Quartiles::of(self.measured.values(measure))))
        });
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
            "measures": Map::from_iter(measures),
            "mixture": mixture,
        })
    }
}

/// A row of the table of measures, with one cell per set.
pub(crate) struct Row {
    pub name: &'static str,
    pub unit: String,
    pub cells: Vec<String>,
}

/// The table of measures: medians, with quartiles in brackets; shares in percent.
pub(crate) fn rows(sets: &[&FilterSet]) -> Vec<Row> {
    let quartiles = |values: &[f64], unit: &str| {
        let scale = if unit.starts_with("share of") { 100.0 } else { 1.0 };
        let Quartiles { lower, median, upper } = Quartiles::of(values);
        let [lower, median, upper] = [lower, median, upper].map(|value| short(scale * value));
        format!("{median} ({lower} to {upper})")
    };
    let row = |name, unit: &str, cell: &dyn Fn(&FilterSet) -> String| Row {
        name,
        unit: unit.replace("share of", "% of"),
        cells: sets.iter().map(|set| cell(set)).collect(),
    };
    let mut rows = vec![
        row("filters", "count", &|set| thousands(set.measured.norms.len())),
        row("dead", "count", &|set| thousands(set.measured.dead())),
        row("norm", "weight", &|set| quartiles(&set.measured.norms, "weight")),
    ];
    rows.extend(Measure::ALL.map(|measure| {
        let unit = measure.unit();
        row(measure.name(), unit, &|set| quartiles(set.measured.values(measure), unit))
    }));
    let below: Vec<String> =
        sets.iter().filter_map(|set| Some(set.mixture.as_ref()?.below.to_string())).collect();
    if !below.is_empty() {
        let mixed = |set: &FilterSet, values: fn(&Mixture) -> &[f64], unit| {
            set.mixture.as_ref().map_or("-".into(), |mixture| quartiles(values(mixture), unit))
        };
        let (unit, share) = (format!("of {}", below.join(", ")), "share of energy");
        rows.push(row("units below used", &unit, &|set| mixed(set, |mixture| &mixture.used, "count")));
        rows.push(row("best single filter", share, &|set| mixed(set, |mixture| &mixture.best_match, share)));
    }
    rows
}

impl Evidence {
    /// The medians as text, if there are any; shares in percent.
    pub(crate) fn medians(&self) -> Option<[String; 2]> {
        let is_share = self.unit.starts_with("share of");
        let text = |x: f64| if is_share { format!("{} %", short(100.0 * x)) } else { short(x) };
        Some(self.medians?.map(text))
    }

    /// The probability and its interval in percent, such as `43 (40 to 47)`.
    pub(crate) fn chance(&self) -> String {
        let Chance { estimate, low, high } = self.chance;
        format!("{:.0} ({:.0} to {:.0})", 100.0 * estimate, 100.0 * low, 100.0 * high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_of_units_is_nearly_square_and_holds_them_all() {
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
    fn groups_of_different_sizes_share_a_sheet_and_a_scale() {
        // Three units of two weights.
        let weight = Tensor::from_vec(&[2, 3], vec![1.0, 3.0, 0.0, 0.0, -4.0, 2.0]).unwrap();
        let (many, few) = (Group::new("many", &weight, &[0, 1, 2]), Group::new("few", &weight, &[1]));
        assert_eq!(limit([&weight]), 4.0);
        // Two columns each; two rows, as one group has three tiles; a third pixel without a weight.
        let png = sheet("t", &[&many, &few], (1, 3), 2, Some(4.0)).unwrap().to_png().unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let amber = pixels.chunks_exact(3).filter(|pixel| pixel[0] > 100 && pixel[2] < 40).count();
        // Four tiles of three pixels in 84, one of them marked; and the key.
        assert_eq!(amber, 4 * 28 * 28 + 28 * 14, "of {} x {}", info.width, info.height);
    }
}
