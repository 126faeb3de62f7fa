//! `jwt-agent haproxy-lint`: what lets tokens by in a configuration that is there.
//!
//! It reads lines as HAProxy does (quotes, variables, `.if` blocks, `defaults`), follows which frontend leads to which backend,
//! and asks of each place with our filter what happens to a request whose token is refused, and to one without an answer. What it
//! cannot judge it leaves to HAProxy: it is no `haproxy -c`.

mod agent;
mod checked;
mod checks;
mod condition;
mod files;
mod finding;
mod rules;
mod sections;
mod spoe;
mod worlds;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use service::settings::ConfigError;

pub use finding::{Finding, Id, Place};
pub use sections::Text;

use agent::Agent;
use checked::Checked;
use files::Files;
use sections::Config;
use worlds::World;

/// Arguments of `jwt-agent haproxy-lint`.
#[derive(Debug, Args)]
pub struct HaproxyLint {
    /// Configurations, read as one in this order, as HAProxy does with several -f; - is standard input. A SPOE file is found by
    /// the line that names it, beside the configuration, or given here too.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file of the agents' JWT_CONFIG: policies, variables and sockets are compared with it.
    #[arg(long, value_name = "FILE")]
    pub agent_config: Option<PathBuf>,
    /// How findings look.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// How findings look.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One object, for programs.
    Json,
}

/// Why nothing could be judged.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// A file cannot be read.
    #[error("{}: {error}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The agents' settings cannot be read.
    #[error("--agent-config: {0}")]
    Agent(#[from] ConfigError),
}

/// What was found, and how that is told.
#[derive(Debug)]
pub struct Report {
    /// Whether nothing was, but for hints.
    pub is_clean: bool,
    /// For standard output.
    pub text: String,
}

impl HaproxyLint {
    /// Reads the files and judges them.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn run(&self) -> Result<Report, LintError> {
        let read = |path: &PathBuf| {
            let text = if path.as_os_str() == "-" {
                let mut text = String::new();
                io::stdin().lock().read_to_string(&mut text).map(|_| text)
            } else {
                fs::read_to_string(path)
            };
            text.map(|text| Text { name: path.display().to_string(), text })
                .map_err(|error| LintError::File { path: path.clone(), error })
        };
        let texts = self.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let agent = match &self.agent_config {
            Some(path) => {
                // What cannot be read is told with the option's name.
                fs::metadata(path).map_err(|error| LintError::File { path: path.clone(), error })?;
                Some(path.display().to_string())
            }
            None => None,
        };
        let (findings, names) = lint(texts, agent.as_deref())?;
        let is_clean = findings.iter().all(|finding| finding.id.is_hint());
        let text = match self.format {
            Format::Text => as_text(&findings, &names),
            Format::Json => as_json(&findings, &names),
        };
        Ok(Report { is_clean, text })
    }
}

/// All findings in these files, and the names of the files that were looked at.
///
/// # Errors
///
/// The agents' settings cannot be read.
pub fn lint(given: Vec<Text>, agent_config: Option<&str>) -> Result<(Vec<Finding>, Vec<String>), LintError> {
    let mut files = Files::new(given);
    let conditions: Vec<String> = files
        .configurations()
        .iter()
        .flat_map(|text| worlds::conditions(&text.text).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut findings = BTreeSet::new();
    for world in World::all(conditions.iter().map(String::as_str)) {
        let config = Config::read(files.configurations(), &world);
        let agent = Agent::read(agent_config, &config.environment)?;
        let mut checked = Checked::new(&config, &agent, &mut files);
        checked.all();
        findings.extend(checked.findings);
    }
    Ok((once_each(findings), files.names()))
}

/// A fault is told once for its line, though it may be worded otherwise in another world.
fn once_each(findings: BTreeSet<Finding>) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    findings.into_iter().filter(|finding| seen.insert((finding.place, finding.id))).collect()
}

fn name_of(names: &[String], place: Place) -> &str {
    names.get(place.file).map_or("", String::as_str)
}

fn as_text(findings: &[Finding], names: &[String]) -> String {
    let mut text = String::new();
    for Finding { place, id, what, cure } in findings {
        let name = name_of(names, *place);
        let hint = if id.is_hint() { "hint: " } else { "" };
        // Writing into a String cannot fail.
        let _written = writeln!(text, "{name}:{}: {hint}{id}: {what}\n    cure: {cure}", place.line);
    }
    if findings.is_empty() {
        text.push_str("nothing found\n");
    }
    text
}

#[derive(Serialize)]
struct Told<'a> {
    file: &'a str,
    line: usize,
    id: &'static str,
    is_hint: bool,
    what: &'a str,
    cure: &'a str,
}

#[derive(Serialize)]
struct AllTold<'a> {
    findings: Vec<Told<'a>>,
}

fn as_json(findings: &[Finding], names: &[String]) -> String {
    let told = findings.iter().map(|finding| Told {
        file: name_of(names, finding.place),
        line: finding.place.line,
        id: finding.id.as_str(),
        is_hint: finding.id.is_hint(),
        what: &finding.what,
        cure: &finding.cure,
    });
    // Texts and numbers can always be written.
    serde_json::to_string_pretty(&AllTold { findings: told.collect() }).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests;
