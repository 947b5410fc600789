//! `equilibria classifier ...`: one file per command.

mod evaluate;
mod train;

use crate::Result;
use crate::evaluate::classifier::Accuracy;
use clap::Subcommand;

/// Train and test the classifier that judges samples.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Train(train::Train),
    Evaluate(evaluate::Evaluate),
}

impl Command {
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Train(command) => command.run(),
            Self::Evaluate(command) => command.run(),
        }
    }
}

/// `right about 98.83 % of the test images`, and by class.
fn describe(accuracy: &Accuracy) -> String {
    let mut text = format!("right about {:.2} % of the test images\n", 100.0 * accuracy.all);
    for (class, share) in accuracy.by_class.iter().enumerate() {
        if let Some(share) = share {
            text += &format!("  {class}: {:.2} %\n", 100.0 * share);
        }
    }
    text
}
