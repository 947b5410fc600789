//! `equilibria reproduce`.

use super::output::{OutputArguments, print, print_summary, write_summary};
use crate::Result;
use crate::experiments::reproduce::Settings;
use clap::Args;

/// Make the figures of the report, and a page that shows them.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  equilibria reproduce\n  equilibria reproduce figure2 --out pictures\n  \
    equilibria reproduce --data mnist --budget full"
)]
pub(super) struct Reproduce {
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    output: OutputArguments,
    /// Print the names of the files that this command would write, one per line, and do nothing else.
    #[arg(long)]
    list: bool,
}

const SUMMARY: &str = "summary.json";

impl Reproduce {
    pub(super) fn run(self) -> Result<()> {
        let Self { settings, output, list } = self;
        if list {
            let files = settings.files().into_iter().chain([SUMMARY]);
            return print(&files.map(|file| format!("{file}\n")).collect::<String>());
        }
        let made = settings.make(output.start()?.brief())?;
        let written = write_summary(&settings.out.join(SUMMARY), &made.summary);
        match output.json {
            true => print_summary(&made.summary)?,
            false => print(&format!(
                "made in {:.0} s, {:.0} MB in {}; open {}\n",
                made.seconds,
                made.megabytes,
                settings.out.display(),
                made.page.display()
            ))?,
        }
        made.result.and(written)
    }
}
