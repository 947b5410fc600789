//! Figure 7: divergences as losses, and their gradients, for a generator that starts far away.

use super::workbench::{ReportFigure, Workbench};
use crate::Result;
use crate::cli::divergences::{Settings, Study};
use crate::report::Section;
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
    needs_digits: false,
    check: |_| Ok(()),
    make,
};

/// The standard deviation of the generator where it differs from that of the data.
const UNEQUAL: f64 = 2.0;

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let equal = Study::new(Settings::default())?;
    let unequal = Study::new(Settings { deviation: UNEQUAL, ..Settings::default() })?;
    let mut charts = Vec::new();
    for (name, study) in [("equal", &equal), ("unequal", &unequal)] {
        let [values, gradients] = study.curves();
        charts.push(bench.chart(
            &format!("figure7-{name}-values.svg"),
            values.to_svg()?,
            "JS and TV stop at their ceilings, ln 2 and 1; W₁ and W₂ grow with the distance, and KL leaves the plot.",
        ));
        charts.push(bench.chart(
            &format!("figure7-{name}-gradients.svg"),
            gradients.to_svg()?,
            "The gradients of JS and TV vanish with the distance; those of W₁ and W₂ do not.",
        ));
    }
    charts.push(bench.chart(
        "figure7-descent.svg",
        equal.descents().to_svg()?,
        "The shift during gradient descent on each divergence, with the same learning rate.",
    ));
    let answer = equal.meaning()?;
    let section = Section::new("Figure 7: which divergence can pull a distant generator to the data")
        .paragraph(
            "The data are N(0, 1) and the generator is N(τ, 1), or N(τ, 4) in the third and fourth plots. Its only parameter is \
             the shift τ. Each divergence is a possible loss; training needs its gradient in τ.",
        )
        .paragraphs(&answer)
        .figures(charts);
    Ok((section, json!({ "equal": equal, "unequal": unequal, "answer": answer })))
}
