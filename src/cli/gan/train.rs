//! `equilibria gan train`.

use crate::adversarial::{Guideline, Networks};
use crate::cli::output::{counted, pasted, thousands, write_picture};
use crate::cli::training::TrainArguments;
use crate::evaluate::stability::Verdict;
use crate::experiments::games::{self, Chart, PlayedGame};
use crate::nn::Initialisation;
use crate::run::RunDirectory;
use crate::run::gan::{BestStep, NetworkOptions, Settings, StepWarning, Summary};
use crate::{Error, Result};
use clap::Args;

/// Train a generator of images against a discriminator or critic, into a run directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria gan train --objective standard --steps 2000 --out runs/standard\n  \
    equilibria gan train --objective clipping --data mnist --steps 15000 --head-start --out runs/clipping\n  \
    equilibria gan train --objective penalty --data mnist --steps 15000 --average 0.999 --out runs/penalty\n  \
    equilibria gan train --resume runs/penalty\n\n\
    Steps are those of the generator; a critic takes several steps before each of them. Readings go to metrics.csv, warnings \
    to the terminal, curves to plots/, and the verdict on convergence to summary.json.\n\n\
    The last generator is in model.safetensors. At every 5th reading, samples are compared with training images: by the kernel \
    distance in the features of the program's classifier if it recognises these images, and otherwise by the sliced Wasserstein \
    distance of patches. The nearest generator so far is in best.safetensors, which `gan sample` and `gan evaluate` take.\n\n\
    A run has diverged once a parameter is not finite, or all readings since the last checkpoint have a loss above 745 nats \
    or a penalised slope above 10 times the largest optimal one (before the end, 100 times these values). It then ends with \
    status 1, keeps its last checkpoint and gives the reason in summary.json. A finished run with the verdict \"diverged\" \
    also ends with status 1.")]
pub(in crate::cli) struct Train {
    #[command(flatten)]
    networks: NetworkOptions,
    #[command(flatten)]
    arguments: TrainArguments<Settings>,
}

impl Train {
    pub(in crate::cli) fn run(self) -> Result<()> {
        let networks = &self.networks;
        let (directory, summary) = self.arguments.train(|settings, image| {
            settings.networks = networks.networks(settings, image)?;
            Ok(())
        })?;
        let name = summary.objective.to_string();
        let game = PlayedGame { name: &name, kind: summary.objective, readings: &summary.readings };
        for Chart { file, plot, .. } in games::charts(&[game]).into_iter().filter(Chart::has_readings) {
            write_picture(&directory.path().join("plots").join(file), plot.to_svg());
        }
        self.arguments.print(&directory, || describe(&summary, &directory))?;
        match summary.stability.verdict {
            Verdict::Diverged => Err(diverged(&summary, &directory)),
            _ => Ok(()),
        }
    }
}

/// The error for a finished run with the verdict "diverged".
fn diverged(summary: &Summary, directory: &RunDirectory) -> Error {
    let per_epoch = (summary.train_images / summary.batch).max(1);
    let batches = summary.discriminator_steps.saturating_sub(1) as usize;
    Error::Diverged {
        place: crate::run::gan::place(batches, per_epoch),
        symptom: summary.stability.reasons.join("; "),
        cause: format!("model and summary are in {}", directory.path().display()),
    }
}

fn describe(summary: &Summary, directory: &RunDirectory) -> String {
    let has_critic = summary.objective.objective().has_critic();
    let (opponent, unit) = if has_critic { ("critic", "") } else { ("discriminator", " nats") };
    let mut rows: Vec<(&str, String)> = Vec::new();
    if let Some(last) = &summary.last {
        let losses =
            format!("generator {:.3}, {opponent} {:.3}", last.generator_loss, last.discriminator_loss);
        rows.push(("losses", losses));
        if let (Some(real), Some(fake)) = (last.real_accuracy, last.fake_accuracy) {
            let accuracy = format!("{:.0} % real, {:.0} % generated", 100.0 * real, 100.0 * fake);
            rows.push(("accuracy", accuracy));
        }
        if let Some(estimate) = last.wasserstein {
            rows.push(("critic's estimate", format!("{estimate:.3}")));
        }
        let mut samples = match last.spread {
            Some(spread) => format!("{spread:.2} of the data's spread"),
            None => "differ, the training images do not".into(),
        };
        if let Some(share) = last.class_entropy {
            let entropy = summary.data_entropy;
            samples += &format!(", class entropy {:.2} of {entropy:.2} nats", share * entropy);
        }
        rows.push(("samples", samples));
        if let Some(gap) = last.duality_gap {
            rows.push(("duality gap", format!("{gap:.3}{unit}, 0 at an equilibrium")));
        }
    }
    let mut text: String = rows.iter().map(|(name, value)| format!("{name:<22}{value}\n")).collect();
    text += &departures(summary);
    for StepWarning { step, text: sentence, .. } in first_warnings(summary) {
        text += &format!("warning at step {step}: {sentence}\n");
    }
    if let Some(BestStep { step, distance, measure }) = &summary.best {
        text +=
            &format!("best.safetensors      step {}, {measure} {distance:.4}\n", thousands(*step as usize));
    }
    let reasons = summary.stability.reasons.join("; ");
    text + &format!(
        "verdict               {}: {reasons}\n\
         {} and {} of the {opponent} on {}, {:.1} ms per step\n\
         wrote {}; to see samples: equilibria gan sample {}\n",
        summary.stability.verdict,
        counted(summary.steps as usize, "step"),
        thousands(summary.discriminator_steps as usize),
        counted(summary.train_images, "image"),
        1000.0 * summary.seconds / summary.steps.max(1) as f64,
        directory.path().join("model.safetensors").display(),
        pasted(directory.path()),
    )
}

/// The guidelines for convolutional networks that the run's networks do not follow, if they are convolutional.
fn departures(summary: &Summary) -> String {
    let networks = summary.networks.parse::<Networks>().ok();
    let networks = networks.filter(|networks| networks.initialisation() != Initialisation::Uniform);
    let guidelines = networks.iter().flat_map(Networks::guidelines);
    let broken = guidelines.filter_map(|Guideline { text, broken_by }| Some((text, broken_by?)));
    broken
        .map(|(text, layer)| format!("guideline not followed  {text}; first exception: {layer}\n"))
        .collect()
}

/// The first warning of each kind.
fn first_warnings(summary: &Summary) -> Vec<&StepWarning> {
    let mut first: Vec<&StepWarning> = Vec::new();
    for warned in &summary.warnings {
        if !first.iter().any(|known| known.warning == warned.warning) {
            first.push(warned);
        }
    }
    first
}
