//! Figure 1: the pseudo-likelihood against epochs, and against the number of hidden units.

use super::workbench::{ByBudget, ReportFigure, SHORT_EPOCHS, SMALL, SMALL_COLOUR, SMALL_EPOCHS, Workbench};
use crate::Result;
use crate::report::numbers::thousands;
use crate::report::{Answer, LinePlot, Outcome, Section, Series};
use crate::run::rbm::{MONITORED, Summary};
use serde_json::{Value, json};

pub(super) const FIGURE: ReportFigure = ReportFigure {
    name: "figure1",
    about: "Pseudo-likelihood against epochs and hidden units",
    files: &["figure1-epochs.svg", "figure1-hidden.svg"],
    seconds: ByBudget { quick: 12, full: 40 },
    needs_digits: true,
    check: |_| Ok(()),
    make,
};

/// Numbers of hidden units.
const WIDTHS: [usize; 7] = [5, 10, 20, 50, 100, 200, 500];

fn make(bench: &mut Workbench<'_>) -> Result<(Section, Value)> {
    let (_, small) = bench.small()?;
    let epochs = SHORT_EPOCHS.at(bench.budget);
    let mut widths = Vec::new();
    for hidden in WIDTHS {
        let (_, summary) = bench.short(hidden)?;
        widths.push((hidden, exact(&summary).last().map_or(f64::NAN, |point| point.1)));
    }
    let curve = exact(&small);
    let (first, last) = (curve[0].1, curve[curve.len() - 1].1);
    let plateau =
        curve.iter().find(|point| first - point.1 >= 0.9 * (first - last)).map_or(0.0, |point| point.0);
    let answer = answer(&curve, plateau, &widths);

    let stochastic =
        small.epochs.iter().map(|epoch| (epoch.epoch as f64, -epoch.stochastic_pseudo_log_likelihood));
    let over_epochs = LinePlot {
        title: format!("{SMALL} hidden units"),
        x_label: "epoch".into(),
        y_label: "negative pseudo-log-likelihood (nats per image)".into(),
        series: vec![
            Series::new("exact", curve.clone()).colour(SMALL_COLOUR),
            Series::new("one random pixel per image", stochastic).dashed().colour(SMALL_COLOUR),
        ],
        ..LinePlot::default()
    };
    let over_widths = LinePlot {
        title: format!("5 to 500 hidden units, {epochs} epochs each"),
        x_label: "hidden units".into(),
        log_x: true,
        // Black, because the line joins different machines.
        series: vec![Series::new("", widths.iter().map(|&(hidden, value)| (hidden as f64, value))).colour(6)],
        ..over_epochs.clone()
    };
    let caption = format!("Learning rate 0.01, {SMALL_EPOCHS} epochs. Lower is better.");
    let section = Section::new("Figure 1: pseudo-likelihood during training")
        .paragraph(format!(
            "The likelihood needs the partition function, a sum over all possible images. The pseudo-likelihood is \
             cheaper: it measures how well each pixel is predicted from all others. It is computed exactly on the \
             first {} test images. The dashed line is the estimate of scikit-learn, from one random pixel per image.",
            thousands(small.monitored_images.min(MONITORED))
        ))
        .answers(
            [
                "The pseudo-likelihood rises with the epochs and then flattens.",
                "It also rises with the number of hidden units.",
            ],
            &answer,
        )
        .figures([
            bench.chart("figure1-epochs.svg", over_epochs.to_svg()?, &caption),
            bench.chart("figure1-hidden.svg", over_widths.to_svg()?, "Lower is better."),
        ]);
    let summary = json!({
        "over_epochs": curve,
        "epoch_of_90_percent": plateau,
        "over_hidden": widths,
        "hidden_epochs": epochs,
        "answer": answer,
    });
    Ok((section, summary))
}

/// Epochs and negative exact pseudo-log-likelihoods.
fn exact(summary: &Summary) -> Vec<(f64, f64)> {
    summary.epochs.iter().map(|reading| (reading.epoch as f64, -reading.pseudo_log_likelihood)).collect()
}

/// Does the score rise and flatten, and does it rise with the number of hidden units?
fn answer(curve: &[(f64, f64)], plateau: f64, widths: &[(usize, f64)]) -> [Answer; 2] {
    let (count, first, last) = (curve.len(), curve[0].1, curve[curve.len() - 1].1);
    let ((fewest, worst), (most, best)) = (widths[0], widths[widths.len() - 1]);
    let (flattens, flattening) = if last < first && plateau < 0.8 * count as f64 {
        (Outcome::Confirmed, "The score rises and then flattens, as the report says")
    } else {
        (Outcome::NotConfirmed, "The score does not rise and flatten here, unlike in the report")
    };
    let (widens, width) = if widths.is_sorted_by(|a, b| a.1 > b.1) {
        (
            Outcome::Confirmed,
            "It also rises with every increase of the number of hidden units, as the report says",
        )
    } else {
        (
            Outcome::NotConfirmed,
            "It does not rise with every increase of the number of hidden units, unlike in the report",
        )
    };
    [
        Answer::new(
            flattens,
            format!(
                "{flattening}: it is \u{2212}{first:.1} nats per image after the first epoch and \u{2212}{last:.1} after {count}, \
             with 90 % of the change by epoch {plateau:.0}."
            ),
        ),
        Answer::new(
            widens,
            format!(
                "{width}: from \u{2212}{worst:.0} nats at {fewest} units to \u{2212}{best:.0} at {most}."
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_follows_the_numbers() {
        let falling = [(1.0, 165.0), (2.0, 120.0), (3.0, 116.0), (4.0, 115.0)];
        let [flattening, width] = answer(&falling, 2.0, &[(5, 170.0), (10, 150.0), (20, 140.0)]);
        let words = "flattens, as the report says: it is \u{2212}165.0 nats";
        assert!(flattening.text.contains(words), "{flattening:?}");
        assert!(width.text.contains("also rises with every increase"), "{width:?}");
        assert_eq!([flattening.outcome, width.outcome], [Outcome::Confirmed; 2]);
        let [flattening, width] = answer(&[(1.0, 115.0), (2.0, 165.0)], 2.0, &[(5, 170.0), (10, 171.0)]);
        assert!(flattening.text.contains("does not rise and flatten here"), "{flattening:?}");
        assert!(width.text.contains("does not rise with every increase"), "{width:?}");
        assert_eq!([flattening.outcome, width.outcome], [Outcome::NotConfirmed; 2]);
    }
}
