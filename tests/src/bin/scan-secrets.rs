//! The end of `make test-secrets`: no secret that the suite used stands in what our programs printed during it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aho_corasick::AhoCorasick;
use clap::Parser;
use integration_tests::scan::{PROGRAMS, SECRETS};

/// Looks for the secrets of a folder in its logs.
#[derive(Debug, Parser)]
#[command(name = "scan-secrets", version)]
struct Arguments {
    /// The folder that `SCAN_SECRETS` named while the tests ran
    folder: PathBuf,
}

fn main() -> ExitCode {
    match scan(&Arguments::parse().folder) {
        Ok(found) if found.is_empty() => ExitCode::SUCCESS,
        Ok(found) => {
            found.iter().for_each(|line| eprintln!("{line}"));
            eprintln!("{} lines show a secret", found.len());
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("scan-secrets: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Where secrets were found, with what they are but not themselves; an error where the scan would prove nothing.
fn scan(folder: &Path) -> Result<Vec<String>, String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let text = String::from_utf8(read(&folder.join(SECRETS))?).map_err(|error| error.to_string())?;
    let kinds: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('\t')).map(|(kind, secret)| (secret, kind)).collect();
    if kinds.is_empty() {
        return Err("no secret was noted".to_owned());
    }
    let search = AhoCorasick::new(kinds.keys()).map_err(|error| error.to_string())?;
    let kind = |pattern: usize| kinds.values().nth(pattern).copied().unwrap_or_default();
    let mut found = Vec::new();
    for program in PROGRAMS {
        let (mut logs, mut lines, mut bytes, mut traces) = (0, 0, 0, 0);
        for entry in fs::read_dir(folder).map_err(|error| error.to_string())?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(program) {
                continue;
            }
            let log = read(&entry.path())?;
            logs += 1;
            bytes += log.len();
            for (number, line) in log.split(|byte| *byte == b'\n').enumerate() {
                lines += 1;
                traces += usize::from(String::from_utf8_lossy(line).contains("TRACE"));
                if let Some(hit) = search.find(line) {
                    found.push(format!("{name}:{}: {}", number + 1, kind(hit.pattern().as_usize())));
                }
            }
        }
        println!("{program}: {logs} runs, {lines} lines, {bytes} bytes, {traces} lines at trace level");
        if traces == 0 {
            return Err(format!("{program} printed nothing at trace level"));
        }
    }
    println!("{} secrets looked for", kinds.len());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRETS_FOUND: &str = "a token\tabcdefghijkl\na key\tmnopqrstuvwx\n";

    fn scanned(secrets: &str, logs: [&str; 2]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(SECRETS), secrets).unwrap();
        for (program, log) in PROGRAMS.into_iter().zip(logs) {
            fs::write(folder.path().join(format!("{program}-1-0.log")), log).unwrap();
        }
        scan(folder.path())
    }

    #[test]
    fn a_secret_is_found_with_its_place_and_kind_and_is_not_shown() {
        let found = scanned(SECRETS_FOUND, ["TRACE a\nb abcdefghijkl\n", "TRACE mnopqrstuvwx"]).unwrap();
        assert_eq!(found, ["jwt-agent-1-0.log:2: a token", "token-server-1-0.log:1: a key"]);
        assert_eq!(scanned(SECRETS_FOUND, ["TRACE abcdefghijk", "TRACE"]).unwrap(), [""; 0]);
    }

    #[test]
    fn a_scan_that_would_prove_nothing_is_an_error() {
        assert!(scanned("", ["TRACE", "TRACE"]).is_err());
        assert!(scanned(SECRETS_FOUND, ["TRACE", "INFO"]).is_err());
        assert!(scanned(SECRETS_FOUND, ["", "TRACE"]).is_err());
        assert!(scan(tempfile::tempdir().unwrap().path()).is_err());
    }
}
