//! The commands that print the description of a program's settings in one form or another. They read no configuration.

use std::io::{self, Write};

use clap::{Command, Subcommand};
use clap_complete::Shell;

use super::{Program, pages, reference};

/// Prints what the program can be told, in one form or another.
#[derive(Debug, Clone, Subcommand)]
pub enum Describe {
    /// Print every setting, or those whose names hold one of the words: type, default, meaning
    Settings {
        /// A part of a name, in any letter case
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
    /// Print the JSON schema of the file of settings, for editors
    Schema,
    /// Print a file of settings in which every one stands, commented out
    Sample,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
    /// Print this program's part of docs/REFERENCE.md
    #[command(hide = true)]
    Reference {
        /// A table that another program's part shows
        #[arg(long, value_name = "TABLE")]
        shown: Vec<String>,
    },
}

impl Describe {
    /// Prints on standard output; false: no setting has such a name. `command` is the program's own, as clap has it.
    ///
    /// # Errors
    ///
    /// The output cannot be written.
    pub fn print(&self, program: &Program, command: Command) -> io::Result<bool> {
        let mut text = Vec::new();
        self.write(program, command, &mut text)?;
        write_out(&text)?;
        Ok(!text.is_empty())
    }

    pub(super) fn write(&self, program: &Program, mut command: Command, out: &mut Vec<u8>) -> io::Result<()> {
        command = command.name(program.name);
        let text = match self {
            Self::Settings { words } => program.listing(words),
            Self::Schema => format!("{:#}", program.schema()),
            Self::Sample => program.sample().trim_end().to_owned(),
            Self::Reference { shown } => reference::reference(program, &command, shown).trim_end().to_owned(),
            Self::Completions { shell } => {
                clap_complete::generate(*shell, &mut command, program.name, out);
                return Ok(());
            }
            Self::Man => return pages::page(program, command, out),
        };
        if text.is_empty() { Ok(()) } else { writeln!(out, "{text}") }
    }
}

/// Writes to standard output; a reader that has seen enough, as `head` does, is no fault.
pub(super) fn write_out(text: &[u8]) -> io::Result<()> {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}
