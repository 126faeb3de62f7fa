//! How a program ends: exit codes, after `sysexits.h`, and what it says before that. The same in both programs.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The configuration, a key file or the command line is wrong; nothing was started (`EX_USAGE`).
pub const USAGE: u8 = 64;

/// The configuration is right, but the program could not run: an address in use, a damaged store.
pub const FAILURE: u8 = 1;

/// The answer to a question is no: a token is refused, a rule does not match.
pub const NO: u8 = 2;

/// What the command line says that is no command: `--help` and `--version` are answers, the rest of what clap returns is a
/// fault, which names the nearest option that there is.
pub fn answer(answer: &clap::Error) -> ExitCode {
    // Without a terminal there is nothing left to tell it to.
    answer.print().ok();
    if answer.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Says what went wrong on standard error, whatever `RUST_LOG` says, each line with the program's name.
pub fn say(program: &str, error: &dyn Display) {
    let text: String = error.to_string().lines().map(|line| format!("{program}: {line}\n")).collect();
    // As above.
    io::stderr().lock().write_all(text.as_bytes()).ok();
}
