//! Claims about the filters of restricted and deep machines, and whether their measures support them.

use super::Measure;
use super::compare::{Chance, Quartiles, Verdict};
use super::sets::FilterSet;
use crate::rng::Stream;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A unit combines several filters if no single filter explains this share of its energy.
const SINGLE: f64 = 0.5;

/// A claim, and whether it holds.
///
/// ```
/// use equilibria::evaluate::filters::claims::{Claim, Evidence, Kind};
/// use equilibria::{evaluate::filters::compare::Verdict, rng::Stream};
/// let stream = Stream::named(1, "evaluate");
/// let evidence = Evidence::of_larger(("area", "pixels"), &[5.0, 6.0], &[1.0, 2.0], stream);
/// assert_eq!((evidence.medians, evidence.chance.estimate), (Some([5.5, 1.5]), 1.0));
/// let claim = Claim::new(Kind::Larger, "The filters of A are larger", ("A", "B"), [evidence]);
/// assert_eq!((claim.kind, claim.verdict), (Kind::Larger, Verdict::Holds));
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Claim {
    /// Identifies the claim.
    #[cfg_attr(feature = "cli", serde(skip))]
    pub kind: Kind,
    /// The claim in words.
    pub claim: &'static str,
    /// The set whose values are claimed to be larger.
    pub more: String,
    /// The set whose values are claimed to be smaller; empty if the claim is about one set.
    pub less: String,
    /// The measures to test. The claim holds if it holds for each of them.
    pub evidence: Vec<Evidence>,
    /// The result of the test.
    pub verdict: Verdict,
}

/// The claims that are tested.
///
/// The example of [`Claim`] uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The filters of a restricted machine are larger than those of a deep one's first layer.
    Larger,
    /// They are more complex.
    Complex,
    /// They are noisier.
    Noisier,
    /// The first layer of a deep machine focuses on loops.
    Loops,
    /// The first layer of a deep machine focuses on positions.
    Position,
    /// The inside of its loops is dark.
    Dark,
    /// The second layer combines filters of the first.
    Combines,
    /// The filters of the second layer are round areas in the middle.
    Centre,
    /// The samples of a deep machine have less noise.
    Clean,
    /// The samples of a deep machine are nearer to digits.
    Quality,
}

/// One measure that supports a claim or contradicts it.
///
/// The example of [`Claim`] compares two pairs of values.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "cli", derive(serde::Serialize))]
pub struct Evidence {
    /// The name of the measure.
    pub measure: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// The medians of [`Claim::more`] and of [`Claim::less`]; `None` for a share of one set.
    pub medians: Option<[f64; 2]>,
    /// The probability that a value of [`Claim::more`] is larger than one of [`Claim::less`]; or the share.
    pub chance: Chance,
}

impl Evidence {
    /// Tests whether the values of `more` are larger than those of `less`.
    ///
    /// **Randomness** As [`Chance::of_larger`].
    pub fn of_larger(
        (measure, unit): (&'static str, &'static str),
        more: &[f64],
        less: &[f64],
        stream: Stream,
    ) -> Self {
        let medians = Some([more, less].map(|values| Quartiles::of(values).median));
        Self { measure, unit, medians, chance: Chance::of_larger(more, less, stream) }
    }
}

impl Claim {
    /// Creates a claim, which holds if it holds for all of `evidence`.
    ///
    /// **Panics** if `evidence` is empty.
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

/// Tests the claims that compare a restricted machine with the first layer of a deep one.
///
/// **Randomness** Measure m draws from `stream.substream(m)`: the same draws for all pairs of machines of equal sizes.
///
/// ```
/// use equilibria::evaluate::filters::{claims::{Kind, of_pair}, sets::FilterSet};
/// use equilibria::{boltzmann::Rbm, rng::Stream};
/// let set = |name, seed| {
///     let model = Rbm::new(&[0.5; 81], 8, Stream::named(seed, "init"))?;
///     FilterSet::of_restricted(name, &model, (9, 9))
/// };
/// let claims = of_pair(&set("A", 1)?, &set("B", 2)?, Stream::named(1, "evaluate"));
/// assert_eq!((claims[0].kind, claims[0].more.as_str()), (Kind::Larger, "A"));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn of_pair(restricted: &FilterSet, first: &FilterSet, stream: Stream) -> [Claim; 5] {
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

/// Tests the claims about the first two layers of a deep machine; there are none for fewer layers.
///
/// **Randomness** As [`of_pair`].
///
/// ```
/// use equilibria::evaluate::filters::{claims::{Kind, of_layers}, sets::FilterSet};
/// use equilibria::{boltzmann::Dbm, rng::Stream};
/// let model = Dbm::new(&[0.5; 81], &[8, 4], Stream::named(1, "init"))?;
/// let sets = FilterSet::of_deep("A", &model, (9, 9))?;
/// let claims = of_layers(&sets, Stream::named(1, "evaluate"));
/// assert!(claims.iter().map(|claim| claim.kind).eq([Kind::Dark, Kind::Combines, Kind::Centre]));
/// # Ok::<(), equilibria::Error>(())
/// ```
pub fn of_layers(sets: &[FilterSet], stream: Stream) -> Vec<Claim> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::evaluate::filters::Measured;
    use crate::evaluate::filters::sets::Mixture;

    /// Thirty filters of 9 x 9 pixels, filter i of values `value(i, pixel)`.
    fn set(name: &str, value: impl Fn(usize, usize) -> f32) -> FilterSet {
        let values = (0..81 * 30).map(|place| value(place % 30, place / 30)).collect();
        let weight = Tensor::from_vec(&[81, 30], values).unwrap();
        let measured = Measured::new(&weight, 9, 9).unwrap();
        FilterSet { name: name.into(), weight, measured, mixture: None }
    }

    #[test]
    fn the_set_that_is_claimed_to_be_larger_comes_first() {
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
    fn the_claims_about_two_layers_follow_from_their_measures() {
        // The first layer has discs in rings, two thirds of them dark inside. No single filter explains the second.
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
            mixture: Some(Mixture { below: 30, used: vec![9.0; 30], best_match: vec![0.1; 30] }),
            ..set("second", |i, pixel| if pixel == i { 1.0 } else { 0.0 })
        };
        let claims = of_layers(&[first, second], Stream::named(1, "evaluate"));
        let [dark, combines, centre] = &claims[..] else { panic!("{claims:?}") };
        assert!((dark.evidence[0].chance.estimate - 2.0 / 3.0).abs() < 1e-12, "{dark:?}");
        assert_eq!(combines.evidence[1].chance.estimate, 1.0);
        assert_eq!((centre.kind, centre.verdict), (Kind::Centre, Verdict::DoesNotHold));
    }
}
