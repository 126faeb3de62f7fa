//! What the programs print of themselves, and the files of the repository that hold it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{repository, workspace_program};

/// The programs.
pub const PROGRAMS: [&str; 2] = ["jwt-agent", "token-server"];

/// What stands above the settings.
const INTRODUCTION: &str = include_str!("reference/introduction.txt");
/// What stands above the tables, and is the part of no program.
const TABLES: &str = include_str!("reference/tables.txt");

/// A file that is made, by its path below the repository, and what has to be in it.
pub struct Made {
    pub path: String,
    pub text: String,
}

impl Made {
    /// Whether the file has this text.
    pub fn is_current(&self) -> bool {
        fs::read_to_string(repository().join(&self.path)).is_ok_and(|text| text == self.text)
    }

    /// Writes the file.
    pub fn write(&self) -> std::io::Result<()> {
        let path = repository().join(&self.path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, &self.text)
    }
}

/// All files that are made.
///
/// # Errors
///
/// A program is not built, or does not print.
pub fn made() -> Result<Vec<Made>, String> {
    let mut files = Vec::new();
    let agent = printed("jwt-agent", &["reference"])?;
    let server = printed("token-server", &["reference", "--shown", "issuers", "--shown", "policies"])?;
    files.push(Made {
        path: "docs/REFERENCE.md".to_owned(),
        text: format!("{INTRODUCTION}{TABLES}{agent}\n{server}"),
    });
    for program in PROGRAMS {
        for (command, end) in [("schema", ".schema.json"), ("sample", ".toml")] {
            let path = format!("deploy/config/{program}{end}");
            files.push(Made { path, text: printed(program, &[command])? });
        }
    }
    Ok(files)
}

/// What a program prints, without any setting.
///
/// # Errors
///
/// It is not built, or fails.
pub fn printed(program: &str, arguments: &[&str]) -> Result<String, String> {
    let path = workspace_program(program)?;
    let output = run(&path, arguments).map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{program}: {error}"))
}

fn run(program: &Path, arguments: &[&str]) -> std::io::Result<std::process::Output> {
    Command::new(program).args(arguments).env_clear().output()
}
