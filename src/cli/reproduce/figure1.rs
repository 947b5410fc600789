//! Figure 1: the pseudo-likelihood against epochs, and against the number of hidden units.

use super::{Outcome, Workbench, plain};
use crate::Result;
use crate::report::{Figure, LinePlot, Section, Series};
use crate::run::rbm::{MONITORED, Settings, Summary};
use serde_json::json;

/// Numbers of hidden units.
const WIDTHS: [usize; 7] = [5, 10, 20, 50, 100, 200, 500];

pub(super) fn make(bench: &mut Workbench<'_>) -> Result<Outcome> {
    let (_, small) = bench.small()?;
    let epochs = bench.budget.width_epochs;
    let mut widths = Vec::new();
    for hidden in WIDTHS {
        let name = format!("hidden-{hidden}-short");
        let (_, summary) = bench.machine(&name, |settings| plain(Settings { hidden, epochs, ..settings }))?;
        widths.push((hidden, exact(&summary).last().map_or(f64::NAN, |point| point.1)));
    }

    let over_epochs = over_epochs(&small).to_svg()?;
    let over_widths = over_widths(&widths, epochs).to_svg()?;
    bench.write("figure1-epochs.svg", over_epochs.as_bytes());
    bench.write("figure1-hidden.svg", over_widths.as_bytes());

    let curve = exact(&small);
    let (first, last) = (curve[0].1, curve[curve.len() - 1].1);
    let plateau =
        curve.iter().find(|point| first - point.1 >= 0.9 * (first - last)).map_or(0.0, |point| point.0);
    let (narrowest, widest) = (widths[0], widths[widths.len() - 1]);
    let section = Section::new("Figure 1: learning, seen through the pseudo-likelihood")
        .paragraph(format!(
            "The likelihood itself needs the partition function, a sum over all images. The pseudo-likelihood \
             asks instead how well each pixel is predicted from all others; here it is computed exactly, on the \
             first {} test images, beside the estimate of scikit-learn, which looks at one random pixel an image \
             and is as noisy as the dashed line.",
            crate::cli::thousands(small.monitored_images.min(MONITORED))
        ))
        .figures([
            Figure::svg(
                over_epochs,
                format!(
                    "20 hidden units, learning rate 0.01: 90 % of the gain from epoch 1 to {} is there after \
                     epoch {plateau}.",
                    curve.len()
                ),
            ),
            Figure::svg(
                over_widths,
                format!(
                    "More hidden units predict better: from {:.0} nats at {} to {:.0} at {}, after {epochs} \
                     epochs each.",
                    narrowest.1, narrowest.0, widest.1, widest.0
                ),
            ),
        ])
        .paragraph(verdict(&curve, plateau, &widths));
    let summary = json!({
        "over_epochs": curve,
        "epoch_of_90_percent": plateau,
        "over_hidden": widths,
        "hidden_epochs": epochs,
    });
    Ok(Outcome { section, summary })
}

/// Whether the numbers bear out what the report saw.
fn verdict(curve: &[(f64, f64)], plateau: f64, widths: &[(usize, f64)]) -> String {
    let (first, last) = (curve[0].1, curve[curve.len() - 1].1);
    let is_flattening = last < first && plateau < 0.8 * curve.len() as f64;
    let is_rising = widths.is_sorted_by(|a, b| a.1 > b.1);
    format!(
        "Of the report's two observations, that the score rises and flattens {} (from \u{2212}{first:.1} to \
         \u{2212}{last:.1} nats per image in {} epochs, with 90 % of the gain after {plateau:.0}), and that it rises with \
         the number of hidden units {}.",
        if is_flattening { "holds" } else { "does not hold" },
        curve.len(),
        if is_rising { "holds at every step" } else { "does not hold at every step" },
    )
}

/// Epochs and negative exact pseudo-log-likelihoods.
fn exact(summary: &Summary) -> Vec<(f64, f64)> {
    summary.epochs.iter().map(|reading| (reading.epoch as f64, -reading.pseudo_log_likelihood)).collect()
}

fn over_epochs(summary: &Summary) -> LinePlot {
    let stochastic = summary
        .epochs
        .iter()
        .map(|reading| (reading.epoch as f64, -reading.stochastic_pseudo_log_likelihood));
    LinePlot {
        title: "Learning over epochs".into(),
        x_label: "epoch".into(),
        y_label: "negative pseudo-log-likelihood (nats per image)".into(),
        series: vec![
            Series::new("exact", exact(summary)),
            Series::new("one random pixel an image", stochastic.collect::<Vec<_>>()).dashed(),
        ],
        ..LinePlot::default()
    }
}

fn over_widths(widths: &[(usize, f64)], epochs: usize) -> LinePlot {
    LinePlot {
        title: format!("More hidden units, {epochs} epochs each"),
        x_label: "hidden units".into(),
        y_label: "negative pseudo-log-likelihood (nats per image)".into(),
        log_x: true,
        series: vec![Series::new(
            "exact",
            widths.iter().map(|&(hidden, value)| (hidden as f64, value)).collect::<Vec<_>>(),
        )],
        ..LinePlot::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_numbers() {
        let falling = [(1.0, 165.0), (2.0, 120.0), (3.0, 116.0), (4.0, 115.0)];
        let widths = [(5, 170.0), (10, 150.0), (20, 140.0)];
        let text = verdict(&falling, 2.0, &widths);
        assert!(text.contains("flattens holds (from \u{2212}165.0 to \u{2212}115.0 nats"), "{text}");
        assert!(text.ends_with("hidden units holds at every step."), "{text}");

        let rising = [(1.0, 115.0), (2.0, 165.0)];
        let text = verdict(&rising, 2.0, &[(5, 170.0), (10, 171.0)]);
        assert!(
            text.contains("flattens does not hold") && text.ends_with("does not hold at every step."),
            "{text}"
        );
    }
}
