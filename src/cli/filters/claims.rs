//! What the report says of filters, each claim held against numbers.

use super::FilterSet;
use crate::evaluate::filters::Measure;
use crate::evaluate::filters::compare::{Chance, Quartiles, Verdict};
use crate::rng::Stream;
use serde::Serialize;

/// Of a unit that combines: no single filter below explains so much of it.
const SINGLE: f64 = 0.5;

/// A claim, and whether it holds.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Claim {
    #[serde(skip)]
    pub kind: Kind,
    /// The report's claim.
    pub claim: &'static str,
    /// What is said to have more.
    pub more: String,
    /// What is said to have less; empty where one set alone is looked at.
    pub less: String,
    /// What it takes for the claim to hold: all of these.
    pub evidence: Vec<Evidence>,
    pub verdict: Verdict,
}

/// Which claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    Larger,
    Complex,
    Noisier,
    Loops,
    Position,
    Dark,
    Combines,
    Centre,
    /// Of samples, not of filters.
    Clean,
    /// Of samples, not of filters.
    Quality,
}

/// One measure that a claim goes by.
#[derive(Debug, Clone, Serialize)]
pub(in crate::cli) struct Evidence {
    /// What is compared.
    pub measure: &'static str,
    /// Of its values.
    pub unit: &'static str,
    /// Medians of the set that is said to have more, and of the other; or of a share, what it is of.
    pub medians: Option<[f64; 2]>,
    /// The chance that a filter of the one has more than one of the other; or the share, and what it may be.
    pub chance: Chance,
}

impl Evidence {
    /// That values of `more` are larger than those of `less`.
    pub fn of_larger(
        (measure, unit): (&'static str, &'static str),
        more: &[f64],
        less: &[f64],
        stream: Stream,
    ) -> Self {
        let medians = Some([more, less].map(|values| Quartiles::of(values).median));
        Self { measure, unit, medians, chance: Chance::of_larger(more, less, stream) }
    }

    /// The medians in words, if there are any: shares in percent.
    pub fn medians(&self) -> Option<[String; 2]> {
        let is_share = self.unit.starts_with("share of");
        let in_words =
            |x: f64| if is_share { format!("{} %", super::short(100.0 * x)) } else { super::short(x) };
        Some(self.medians?.map(in_words))
    }

    /// `43 (40 to 47)`, in percent.
    pub fn chance(&self) -> String {
        let Chance { estimate, low, high } = self.chance;
        format!("{:.0} ({:.0} to {:.0})", 100.0 * estimate, 100.0 * low, 100.0 * high)
    }
}

impl Claim {
    /// Holds if all of `evidence` says so.
    pub fn new(
        kind: Kind,
        claim: &'static str,
        (more, less): (&str, &str),
        evidence: impl Into<Vec<Evidence>>,
    ) -> Self {
        let evidence = evidence.into();
        let verdicts: Vec<Verdict> = evidence.iter().map(|evidence| evidence.chance.verdict()).collect();
        let verdict = Verdict::of_all(&verdicts);
        Self { kind, claim, more: more.into(), less: less.into(), evidence, verdict }
    }
}

/// The claims about filters of an RBM beside those of a deep machine's first layer.
///
/// **Randomness** Measure m from `stream.substream(m)`: the same draws for every pair of machines of as many filters.
pub(in crate::cli) fn of_pair(restricted: &FilterSet, first: &FilterSet, stream: Stream) -> [Claim; 5] {
    let names = (&*restricted.name, &*first.name);
    let reverse = (names.1, names.0);
    let more = |measure| larger(restricted, first, measure, stream);
    let less = |measure| larger(first, restricted, measure, stream);
    [
        Claim::new(Kind::Larger, "An RBM's filters are larger", names, [more(Measure::Area)]),
        Claim::new(Kind::Complex, "An RBM's filters are more complex", names, [more(Measure::Lobes)]),
        Claim::new(
            Kind::Noisier,
            "An RBM's filters are noisier",
            names,
            [more(Measure::Noise), more(Measure::FinePower)],
        ),
        Claim::new(Kind::Loops, "A DBM's first layer focuses on loops", reverse, [less(Measure::Loop)]),
        Claim::new(
            Kind::Position,
            "A DBM's first layer focuses on positions",
            reverse,
            [less(Measure::Concentration)],
        ),
    ]
}

/// The claims about the first two layers of a deep machine.
///
/// **Randomness** As [`of_pair`].
pub(in crate::cli) fn of_layers(sets: &[FilterSet], stream: Stream) -> Vec<Claim> {
    let [first, second, ..] = sets else { return Vec::new() };
    let dark = first.measured.is_dark_inside().iter().map(|&is_dark| if is_dark { 0.0 } else { 1.0 });
    let share = |measure, values: &[f64], limit, index| Evidence {
        measure,
        unit: "share of filters",
        medians: None,
        chance: Chance::of_below(values, limit, stream.substream(index)),
    };
    let names = (&*second.name, &*first.name);
    let mut combines = vec![larger(second, first, Measure::Lobes, stream)];
    if let Some(mixture) = &second.mixture {
        combines.push(share("best single filter below half", &mixture.best_match, SINGLE, 101));
    }
    vec![
        Claim::new(
            Kind::Dark,
            "The area within the loops is dark",
            (names.1, ""),
            [share("dark inside", &dark.collect::<Vec<_>>(), 0.5, 100)],
        ),
        Claim::new(Kind::Combines, "The second layer combines", names, combines),
        Claim::new(
            Kind::Centre,
            "Its filters are of a round area in the middle",
            names,
            [larger(second, first, Measure::Centred, stream)],
        ),
    ]
}

fn larger(more: &FilterSet, less: &FilterSet, measure: Measure, stream: Stream) -> Evidence {
    let values = |set: &FilterSet| set.measured.values(measure).to_vec();
    Evidence::of_larger(
        (measure.name(), measure.unit()),
        &values(more),
        &values(less),
        stream.substream(measure as u64),
    )
}

/// Two lines for each claim, for a terminal.
pub(in crate::cli) fn describe(claims: &[Claim]) -> String {
    let lines = |claim: &Claim| {
        let evidence = claim.evidence.iter().map(|evidence| match evidence.medians() {
            None => format!("{}: {} %", evidence.measure, evidence.chance()),
            Some([more, less]) => {
                format!("{} {more} : {less}, more in {} % of pairs", evidence.measure, evidence.chance())
            }
        });
        let evidence = evidence.collect::<Vec<_>>().join("; ");
        let Claim { claim, more, less, verdict, .. } = claim;
        let colon = if less.is_empty() { "" } else { " : " };
        format!("{claim}: {}\n    {more}{colon}{less}; {evidence}\n", verdict.name())
    };
    claims.iter().map(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::evaluate::filters::Measured;

    /// Thirty filters of 9 x 9 pixels, filter i of values `value(i, pixel)`.
    fn set(name: &str, value: impl Fn(usize, usize) -> f32) -> FilterSet {
        let values = (0..81 * 30).map(|place| value(place % 30, place / 30)).collect();
        let weight = Tensor::from_vec(&[81, 30], values).unwrap();
        let measured = Measured::new(&weight, 9, 9).unwrap();
        FilterSet { name: name.into(), weight, measured, mixture: None }
    }

    #[test]
    fn the_side_that_is_said_to_have_more_comes_first() {
        let stream = Stream::named(1, "evaluate");
        let planes = set("planes", |_, _| 1.0);
        let points = set("points", |i, pixel| if pixel == i + 20 { 1.0 } else { 0.0 });
        let claims = of_pair(&planes, &points, stream);
        let of = |kind| claims.iter().find(|claim| claim.kind == kind).unwrap();
        let larger = of(Kind::Larger);
        assert_eq!((&*larger.more, &*larger.less, larger.verdict), ("planes", "points", Verdict::Holds));
        let [plane, point] = larger.evidence[0].medians.unwrap();
        assert!((plane - 81.0).abs() < 1e-9 && (point - 1.0).abs() < 1e-9, "{plane}, {point} pixels");
        assert_eq!(of(Kind::Noisier).evidence[1].chance.estimate, 0.0, "points are fine, planes are not");
        let position = of(Kind::Position);
        assert_eq!((&*position.more, position.verdict), ("points", Verdict::Holds));
        assert_eq!(of_pair(&points, &planes, stream)[0].verdict, Verdict::DoesNotHold);
    }

    #[test]
    fn a_claim_of_two_measures_needs_both() {
        let evidence =
            |more: f64| Evidence::of_larger(("", ""), &[more], &[1.0], Stream::named(1, "evaluate"));
        let verdict = |values: &[f64]| {
            let evidence: Vec<Evidence> = values.iter().map(|&more| evidence(more)).collect();
            Claim::new(Kind::Noisier, "", ("a", "b"), evidence).verdict
        };
        assert_eq!(verdict(&[2.0, 3.0]), Verdict::Holds);
        assert_eq!(verdict(&[0.0, 0.5]), Verdict::DoesNotHold);
        assert_eq!(verdict(&[2.0, 0.0]), Verdict::CannotBeTold);
    }

    #[test]
    fn layers_are_asked_for_darkness_combination_and_a_middle() {
        // Of the second layer nothing single explains much; the first has discs in rings, two thirds of them dark inside.
        let ring = |i: usize, pixel: usize| {
            let (y, x) = ((pixel / 9).abs_diff(4), (pixel % 9).abs_diff(4));
            let sign = if i.is_multiple_of(3) { 1.0 } else { -1.0 };
            match (y * y + x * x) as f32 {
                square if square < 2.5 => sign,
                square if square < 12.0 => -sign * 0.5,
                _ => 0.0,
            }
        };
        let first = set("first", ring);
        let second = FilterSet {
            mixture: Some(super::super::Mixture {
                below: 30,
                used: vec![9.0; 30],
                best_match: vec![0.1; 30],
            }),
            ..set("second", |i, pixel| if pixel == i { 1.0 } else { 0.0 })
        };
        let claims = of_layers(&[first, second], Stream::named(1, "evaluate"));
        let [dark, combines, centre] = &claims[..] else { panic!("{claims:?}") };
        assert!((dark.evidence[0].chance.estimate - 2.0 / 3.0).abs() < 1e-12, "{dark:?}");
        assert_eq!(combines.evidence[1].chance.estimate, 1.0);
        assert_eq!((centre.kind, centre.verdict), (Kind::Centre, Verdict::DoesNotHold));
        assert!(describe(&claims).contains("The second layer combines: "));
    }
}
