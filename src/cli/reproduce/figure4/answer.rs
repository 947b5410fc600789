//! What the figure says about the report, in words that follow the numbers.

use super::super::SMALL;
use super::samples::{STEPS, Walks};
use super::{Filters, Machines, Restored, Told};
use crate::cli::filters::FilterSet;
use crate::cli::filters::claims::{Claim, Kind};
use crate::evaluate::filters::Measure;
use crate::evaluate::filters::compare::{Quartiles, Verdict};
use Verdict::{CannotBeTold, DoesNotHold, Holds};

/// What the words are about. Where there are three machines, these are the report's, the restricted one that comes with the
/// program, and the deep one.
pub(super) struct Numbers {
    /// Units of the restricted machine that comes with the program.
    units: usize,
    /// Units of the deep machine's first layer.
    layer: usize,
    /// Medians of the filters: area, lobes, noise.
    looks: [[f64; 3]; 3],
    /// Medians of the shares of the energy in loops and within 4 pixels: of the restricted machine and the first layer.
    loops: [f64; 2],
    places: [f64; 2],
    /// The share of the first layer's filters that are dark inside.
    dark: f64,
    /// Medians of the units that the second layer uses, and of what a single filter explains.
    used: f64,
    single: f64,
    /// Medians of both layers: lobes, and the share that is centred.
    lobes: [f64; 2],
    centred: [f64; 2],
    /// Medians of samples.
    grey: [f64; 3],
    distances: Option<[f64; 3]>,
    /// The error of the deep and of the restricted machine, as a share of the mean image's.
    errors: [f64; 2],
    /// Whether the machines learned from the kind of images that are shown.
    is_home: bool,
}

impl Numbers {
    pub fn of(filters: &Filters, walks: &Walks, restored: &Restored, machines: &Machines) -> Self {
        let median = |set: &FilterSet, measure| Quartiles::of(set.measured.values(measure)).median;
        let (first, second) = (&filters.deep[0], &filters.deep[1]);
        let looks = |set: &FilterSet| {
            [Measure::Area, Measure::Lobes, Measure::Noise].map(|measure| median(set, measure))
        };
        let both = |measure| [median(&filters.restricted, measure), median(first, measure)];
        let layers = |measure| [median(first, measure), median(second, measure)];
        let dark = first.measured.is_dark_inside();
        let (used, single) =
            second.mixture.as_ref().map_or((f64::NAN, f64::NAN), |mixture| mixture.medians());
        let [deep, equal, small] = walks.grey();
        Self {
            units: machines.restricted.hidden(),
            layer: first.measured.norms.len(),
            looks: [&filters.small, &filters.restricted, first].map(looks),
            loops: both(Measure::Loop),
            places: both(Measure::Concentration),
            dark: dark.iter().filter(|&&is_dark| is_dark).count() as f64 / dark.len() as f64,
            used,
            single,
            lobes: layers(Measure::Lobes),
            centred: layers(Measure::Centred),
            grey: [small, equal, deep],
            distances: walks.distances().map(|[deep, equal, small]| [small, equal, deep]),
            errors: restored.shares(),
            is_home: machines.is_home,
        }
    }
}

pub(super) fn paragraphs(numbers: &Numbers, told: &Told) -> Vec<String> {
    vec![
        of_looks(numbers, told),
        of_loops(numbers, told),
        of_second_layer(numbers, told),
        of_samples(numbers, told),
        of_rows(numbers),
    ]
}

fn verdict(claims: &[Claim], kind: Kind) -> Verdict {
    claims.iter().find(|claim| claim.kind == kind).map_or(CannotBeTold, |claim| claim.verdict)
}

/// "Larger, more complex, noisier".
fn of_looks(numbers: &Numbers, told: &Told) -> String {
    let Numbers { units, layer, looks: [small, equal, deep], .. } = numbers;
    let where_layer = if units == layer {
        "as many as the layer has".into()
    } else {
        format!("where the layer has {layer}")
    };
    let medians = |look: &[f64; 3]| {
        format!(
            "area {:.0} against {:.0} pixels, {:.0} lobes against {:.0}, noise {} against {}",
            look[0],
            deep[0],
            look[1],
            deep[1],
            percent(look[2]),
            percent(deep[2])
        )
    };
    let both = |kind| (verdict(&told.small, kind), verdict(&told.equal, kind));
    let of_size = match both(Kind::Larger) {
        (Holds, Holds) => {
            " So a layer above does make filters smaller, at the same number of units.".to_string()
        }
        (Holds, DoesNotHold) => format!(
            " So it is few units that make filters large, not the missing layer: {SMALL} have to cover the whole image, \
             {units} can each take a part."
        ),
        (Holds, CannotBeTold) => {
            " So few units make filters large; whether one layer does cannot be told.".to_string()
        }
        _ => String::new(),
    };
    let of_noise = match both(Kind::Noisier) {
        (Holds, Holds) => " Noise does tell the two kinds of machine apart, at either number of units.",
        (DoesNotHold, Holds) => {
            " Noise is the other way about: it comes with many units, and at as many the deep machine's filters have less."
        }
        (CannotBeTold, Holds) => {
            " Noise does tell the two kinds of machine apart, at the same number of units."
        }
        _ => "",
    };
    format!(
        "The report found an RBM's filters larger, more complex and noisier than those of a deep machine's first layer. \
         Those of the report's {SMALL} units {} ({}). Those of {units} units, {where_layer}, {} ({}).{of_size}\
         {of_noise}",
        found(&told.small),
        medians(small),
        found(&told.equal),
        medians(equal),
    )
}

/// `are noisier but neither larger nor more complex`: which of the three words hold.
fn found(claims: &[Claim]) -> String {
    let words = [(Kind::Larger, "larger"), (Kind::Complex, "more complex"), (Kind::Noisier, "noisier")];
    let those = |wanted| {
        let these = words.iter().filter(move |(kind, _)| verdict(claims, *kind) == wanted);
        these.map(|(_, word)| *word).collect::<Vec<_>>()
    };
    let [holds, not, open] = [Holds, DoesNotHold, CannotBeTold].map(those);
    let not = match &not[..] {
        [] => String::new(),
        [word] => format!("not {word}"),
        words => format!("neither {}", listed(words, "nor")),
    };
    let is = match (holds.is_empty(), not.is_empty()) {
        (true, true) => return "cannot be told from them".into(),
        (true, false) => format!("are {not}"),
        (false, true) => format!("are {}", listed(&holds, "and")),
        (false, false) => format!("are {} but {not}", listed(&holds, "and")),
    };
    match &open[..] {
        [] => is,
        words => format!("{is}; whether they are {} cannot be told", listed(words, "or")),
    }
}

/// "Focuses on loops and their position. The area within these loops is black."
fn of_loops(numbers: &Numbers, told: &Told) -> String {
    let than = |kind| in_words(verdict(&told.equal, kind), ["more than", "less than", "about as much as"]);
    let inside = in_words(
        verdict(&told.layers, Kind::Dark),
        ["mostly dark", "mostly bright", "dark as often as bright"],
    );
    let Numbers { units, loops: [loop_of_equal, looped], places: [place_of_equal, placed], .. } = numbers;
    format!(
        "It saw the first layer focus on loops and their position. A loop explains {} of a typical filter's energy, {} in \
         the RBM of {units} units ({}); {} lies within 4 pixels of one place, {} there ({}). Inside, the best loops are \
         {inside} ({} dark).",
        percent(*looped),
        than(Kind::Loops),
        percent(*loop_of_equal),
        percent(*placed),
        than(Kind::Position),
        percent(*place_of_equal),
        percent(numbers.dark),
    )
}

/// "When comparing the first layer to the second, the filters contain more complex structures", and a circular area.
fn of_second_layer(numbers: &Numbers, told: &Told) -> String {
    let of = |kind, words| in_words(verdict(&told.layers, kind), words);
    let combines = of(
        Kind::Combines,
        [
            "The second layer does combine",
            "The second layer does not combine",
            "That the second layer combines is not clear",
        ],
    );
    let ([lobes, lobes_above], [centred, centred_above]) = (numbers.lobes, numbers.centred);
    format!(
        "{combines}: a typical unit uses {:.0} of the {} units below, the one most like it explains {} of its projection, \
         and it has {lobes_above:.0} lobes where the first layer's have {lobes:.0}. The round area in the middle of the image \
         that the report saw makes up {} of its energy, {} in the first layer ({}).",
        numbers.used,
        numbers.layer,
        percent(numbers.single),
        percent(centred_above),
        of(Kind::Centre, ["more than", "less than", "about as much as"]),
        percent(centred),
    )
}

/// "The quality is markedly better and there is less noise."
fn of_samples(numbers: &Numbers, told: &Told) -> String {
    let than = |claims: &[Claim], kind, words| in_words(verdict(claims, kind), words);
    let Numbers { units, grey: [small, equal, deep], .. } = numbers;
    let count = ["fewer than", "more than", "about as many as"];
    let mut text = format!(
        "After {STEPS} steps from test images, {} of the pixels of a deep machine's sample are grey, {} of the report's \
         {SMALL} units ({}) and {} of the RBM of {units} ({}).",
        percent(*deep),
        than(&told.small_samples, Kind::Clean, count),
        percent(*small),
        than(&told.equal_samples, Kind::Clean, count),
        percent(*equal),
    );
    match numbers.distances {
        Some([small, equal, deep]) => {
            let far = ["nearer than", "farther than", "about as near as"];
            text += &format!(
                " The nearest training image is at distance {deep:.2}, {} of the {SMALL} units ({small:.2}) and {} of the \
                 {units} ({equal:.2}).",
                than(&told.small_samples, Kind::Quality, far),
                than(&told.equal_samples, Kind::Quality, far),
            );
        }
        None => text += " Whether they are MNIST's digits only MNIST's images can tell, with `--data`.",
    }
    text
}

fn of_rows(numbers: &Numbers) -> String {
    let [deep, equal] = numbers.errors;
    let strangers = if numbers.is_home { "" } else { "; neither ever saw digits written like these" };
    format!(
        "In removed rows the deep machine's error is {} of the mean image's, and that of the RBM of {} units {}{strangers}.",
        percent(deep),
        numbers.units,
        percent(equal),
    )
}

/// The first of `words` for what holds, the second for what does not, the third for what cannot be told.
fn in_words(verdict: Verdict, words: [&'static str; 3]) -> &'static str {
    match verdict {
        Holds => words[0],
        DoesNotHold => words[1],
        CannotBeTold => words[2],
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// `a`, `a and b`, `a, b and c`.
fn listed(words: &[&str], and: &str) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_string(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        Numbers {
            units: 500,
            layer: 500,
            looks: [[121.0, 5.0, 0.06], [55.0, 2.0, 0.18], [70.0, 3.0, 0.13]],
            loops: [0.068, 0.077],
            places: [0.64, 0.58],
            dark: 0.49,
            used: 89.0,
            single: 0.19,
            lobes: [3.0, 5.0],
            centred: [0.06, 0.13],
            grey: [0.18, 0.085, 0.094],
            distances: None,
            errors: [0.86, 0.84],
            is_home: false,
        }
    }

    fn claims(verdicts: &[(Kind, Verdict)]) -> Vec<Claim> {
        let claim = |&(kind, verdict): &(Kind, Verdict)| Claim {
            kind,
            claim: "",
            more: String::new(),
            less: String::new(),
            evidence: Vec::new(),
            verdict,
        };
        verdicts.iter().map(claim).collect()
    }

    /// Every claim beside as many units has the first verdict, every other one the second.
    fn told(equal: Verdict, others: Verdict) -> Told {
        let looks = |verdict| {
            [Kind::Larger, Kind::Complex, Kind::Noisier, Kind::Loops, Kind::Position]
                .map(|kind| (kind, verdict))
        };
        let samples = |verdict| claims(&[(Kind::Clean, verdict), (Kind::Quality, verdict)]);
        Told {
            equal: claims(&looks(equal)),
            small: claims(&looks(others)),
            layers: claims(&[Kind::Dark, Kind::Combines, Kind::Centre].map(|kind| (kind, others))),
            equal_samples: samples(equal),
            small_samples: samples(others),
        }
    }

    #[test]
    fn what_is_found_lists_what_holds_and_what_does_not() {
        let found = |[larger, complex, noisier]: [Verdict; 3]| {
            found(&claims(&[(Kind::Larger, larger), (Kind::Complex, complex), (Kind::Noisier, noisier)]))
        };
        for (verdicts, words) in [
            ([Holds; 3], "are larger, more complex and noisier"),
            ([DoesNotHold; 3], "are neither larger, more complex nor noisier"),
            ([CannotBeTold; 3], "cannot be told from them"),
            ([DoesNotHold, DoesNotHold, Holds], "are noisier but neither larger nor more complex"),
            ([Holds, Holds, DoesNotHold], "are larger and more complex but not noisier"),
            (
                [Holds, CannotBeTold, CannotBeTold],
                "are larger; whether they are more complex or noisier cannot be told",
            ),
            (
                [CannotBeTold, DoesNotHold, Holds],
                "are noisier but not more complex; whether they are larger cannot be told",
            ),
        ] {
            assert_eq!(found(verdicts), words);
        }
    }

    #[test]
    fn every_verdict_has_its_words() {
        let paragraphs = |equal, others| paragraphs(&numbers(), &told(equal, others)).join("\n");
        for (equal, others, words) in [
            (Holds, Holds, "So a layer above does make filters smaller"),
            (
                DoesNotHold,
                Holds,
                "So it is few units that make filters large, not the missing layer: 20 have to",
            ),
            (CannotBeTold, Holds, "whether one layer does cannot be told"),
            (Holds, Holds, "apart, at either number of units."),
            (Holds, DoesNotHold, "Noise is the other way about"),
            (Holds, CannotBeTold, "apart, at the same number of units."),
            (
                Holds,
                Holds,
                "Those of the report's 20 units are larger, more complex and noisier (area 121 against 70",
            ),
            (
                Holds,
                DoesNotHold,
                "Those of 500 units, as many as the layer has, are larger, more complex and noisier (area 55",
            ),
            (
                Holds,
                Holds,
                "explains 8 % of a typical filter's energy, more than in the RBM of 500 units (7 %)",
            ),
            (DoesNotHold, Holds, "58 % lies within 4 pixels of one place, less than there (64 %)"),
            (Holds, Holds, "the best loops are mostly dark (49 % dark)"),
            (Holds, DoesNotHold, "the best loops are mostly bright"),
            (Holds, CannotBeTold, "the best loops are dark as often as bright"),
            (Holds, Holds, "The second layer does combine: a typical unit uses 89 of the 500 units below"),
            (Holds, DoesNotHold, "The second layer does not combine:"),
            (Holds, CannotBeTold, "That the second layer combines is not clear:"),
            (Holds, Holds, "makes up 13 % of its energy, more than in the first layer (6 %)"),
            (
                DoesNotHold,
                Holds,
                "9 % of the pixels of a deep machine's sample are grey, fewer than of the report's 20 units (18 %)",
            ),
            (DoesNotHold, Holds, "and more than of the RBM of 500 (8 %)"),
            (CannotBeTold, Holds, "and about as many as of the RBM of 500 (8 %)"),
        ] {
            let text = paragraphs(equal, others);
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    #[test]
    fn digits_and_errors_are_judged_by_images_that_the_machines_know() {
        let text = paragraphs(&numbers(), &told(Holds, Holds)).join("\n");
        assert!(text.contains("only MNIST's images can tell") && text.contains("ever saw digits"), "{text}");
        let home = Numbers { is_home: true, distances: Some([0.4, 0.3, 0.25]), ..numbers() };
        let text = paragraphs(&home, &told(DoesNotHold, Holds)).join("\n");
        let other = Numbers { layer: 512, ..numbers() };
        assert!(
            paragraphs(&other, &told(Holds, Holds))[0].contains("of 500 units, where the layer has 512, are")
        );
        let words = "at distance 0.25, nearer than of the 20 units (0.40) and farther than of the 500 (0.30)";
        assert!(text.contains(words) && !text.contains("ever saw") && !text.contains("--data"), "{text}");
        assert!(
            text.contains(
                "the deep machine's error is 86 % of the mean image's, and that of the RBM of 500 units 84 %."
            ),
            "{text}"
        );
    }
}
