//! Figure 7: divergences as losses, and their gradients, for a generator that starts far away.

use super::panels;
use super::workbench::{ByBudget, ReportFigure, Workbench};
use crate::Result;
use crate::experiments::divergences::{Settings, Study};
use crate::report::{Answer, Outcome, Section};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure7",
    about: "Divergences between shifted Gaussians, their gradients, and descents on them",
    files: &[
        "figure7-equal-values.svg",
        "figure7-equal-gradients.svg",
        "figure7-unequal-values.svg",
        "figure7-unequal-gradients.svg",
        "figure7-descent.svg",
    ],
    seconds: ByBudget { quick: 1, full: 1 },
    needs_digits: false,
    check: |_| Ok(()),
    make,
};

/// The gradients at a distance, from their closed forms.
const GRADIENTS: &str = "True of JS, whose value is at most ln 2, and of W₁. The gradient of KL grows with the distance of two Gaussians of \
                         equal variance: it is the shift itself.";

/// The standard deviation of the generator where it differs from that of the data.
const UNEQUAL: f64 = 2.0;

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let equal = Study::new(Settings::default())?;
    let unequal = Study::new(Settings { deviation: UNEQUAL, ..Settings::default() })?;
    // Values above, gradients below.
    const KINDS: [(&str, &str); 2] = [
        (
            "values",
            "JS and TV stop at their ceilings, ln 2 and 1; W₁ and W₂ grow with the distance, and KL leaves the plot.",
        ),
        ("gradients", "The gradients of JS and TV vanish with the distance; those of W₁ and W₂ do not."),
    ];
    let mut charts = Vec::new();
    for (i, (kind, caption)) in KINDS.into_iter().enumerate() {
        for (name, study) in [("equal", &equal), ("unequal", &unequal)] {
            let svg = study.curves()[i].to_svg()?;
            charts.push(bench.chart(&format!("figure7-{name}-{kind}.svg"), svg, caption));
        }
    }
    charts.push(bench.chart(
        "figure7-descent.svg",
        equal.descents().to_svg()?,
        "The shift during gradient descent on each divergence, with the same learning rate.",
    ));
    let answer = [Answer::new(Outcome::PartlyConfirmed, GRADIENTS)];
    let meaning = equal.meaning();
    let section = Section::new("Figure 7: which divergence can pull a distant generator to the data")
        .paragraph(
            "The data are N(0, 1). The generator is N(τ, 1), or N(τ, 4), and its only parameter is the shift τ. Each divergence \
             is a possible loss; training needs its gradient in τ.",
        )
        .paragraphs(&meaning)
        .claim("The gradients of KL and JS vanish with the distance; that of W₁ does not.", &answer[0])
        .figures(charts)
        .paragraph("Try it: drag the generator. Each arrow shows the direction and size of a gradient step.")
        .panel("shift", panels::shift(&equal), None);
    Ok((section, json!({ "equal": equal, "unequal": unequal, "meaning": meaning, "answer": answer })))
}
