//! `equilibria completions` and `equilibria man`: files about the command line, from its own declaration.

use super::output::{counted, create_folder_of, print, print_bytes};
use crate::run::write_atomically;
use crate::{Error, Result};
use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;
use std::path::{Path, PathBuf};

/// Print the completions of a shell.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    equilibria completions bash > ~/.local/share/bash-completion/completions/equilibria\n  \
    equilibria completions zsh > ~/.zfunc/_equilibria\n  \
    equilibria completions fish > ~/.config/fish/completions/equilibria.fish")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: clap::Command) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "equilibria", &mut script);
        print_bytes(&script)
    }
}

/// Write a man page for each command.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  equilibria man ~/.local/share/man/man1\n  man equilibria-rbm-train")]
pub(super) struct Pages {
    /// The folder to write to, for instance `share/man/man1`.
    folder: PathBuf,
}

impl Pages {
    pub(super) fn run(self, command: clap::Command) -> Result<()> {
        let mut command = command.disable_help_subcommand(true);
        command.build();
        let pages = write_pages(&command, "equilibria", &self.folder)?;
        print(&format!("wrote {} into {}\n", counted(pages, "man page"), self.folder.display()))
    }
}

/// Writes the page of a command and those of its subcommands. Returns their number.
fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> Result<usize> {
    let path = folder.join(format!("{name}.1"));
    let mut page = Vec::new();
    let title = Man::new(command.clone().display_name(name.to_owned()).bin_name(name.replace('-', " ")));
    title.render(&mut page).map_err(|error| Error::io("writing", &path, error))?;
    create_folder_of(&path)?;
    write_atomically(&path, &page)?;
    let others = command.get_subcommands().filter(|command| !command.is_hide_set());
    others
        .map(|other| write_pages(other, &format!("{name}-{}", other.get_name()), folder))
        .try_fold(1, |sum, pages| Ok(sum + pages?))
}
