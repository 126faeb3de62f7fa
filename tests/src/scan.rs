//! Under `SCAN_SECRETS=<folder>` (`make test-secrets`): what the harness's programs of ours print goes into files there, in
//! full and at trace level, and so does every secret that the harness makes, sends or hands over; `scan-secrets` then looks
//! for the one in the other.
//!
//! Other programs' logs are left out: a proxy's shows the target of a request, and with it a token in the query, as it should.
//! So are private halves of signing keys: they never leave the test's process, so none of our programs can print them.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// The programs whose logs are searched.
pub const PROGRAMS: [&str; 2] = ["jwt-agent", "token-server"];

/// The file of the secrets: in each line a kind, a tab, a secret.
pub const SECRETS: &str = "secrets";

/// Shorter texts, such as an empty signature, could stand in any line.
pub const LEAST: usize = 12;

struct Scan {
    folder: PathBuf,
    /// What is written already, and where more is appended.
    secrets: Mutex<(HashSet<String>, File)>,
}

fn scan() -> Option<&'static Scan> {
    static SCAN: OnceLock<Option<Scan>> = OnceLock::new();
    let start = || {
        let folder = PathBuf::from(std::env::var_os("SCAN_SECRETS")?);
        let file = OpenOptions::new().create(true).append(true).open(folder.join(SECRETS));
        let file = file.unwrap_or_else(|error| panic!("SCAN_SECRETS={}: {error}", folder.display()));
        Some(Scan { folder, secrets: Mutex::new((HashSet::new(), file)) })
    };
    SCAN.get_or_init(start).as_ref()
}

/// What of a token is secret: the whole, and each part but the header, which says only how it was made.
pub fn of_token(token: &str) -> impl Iterator<Item = &str> {
    std::iter::once(token).chain(token.split('.').skip(1)).filter(|part| part.len() >= LEAST)
}

/// Notes a secret that is one text.
pub fn note(kind: &str, secret: &str) {
    let Some(scan) = scan() else { return };
    let mut secrets = scan.secrets.lock().unwrap_or_else(PoisonError::into_inner);
    for line in secret.lines().map(str::trim).filter(|line| line.len() >= LEAST) {
        if secrets.0.insert(line.to_owned()) {
            // One write for each line, since other processes append to the same file.
            secrets.1.write_all(format!("{kind}\t{line}\n").as_bytes()).unwrap();
        }
    }
}

/// Notes a token, and hands it back.
#[must_use]
pub fn noted(token: String) -> String {
    of_token(&token).for_each(|part| note("a token", part));
    token
}

/// Notes what of a request's header is secret: credentials without their scheme, and the values of cookies.
pub fn note_header(name: &str, value: &[u8]) {
    let value = String::from_utf8_lossy(value);
    let secrets: Vec<&str> = match name.to_ascii_lowercase().as_str() {
        "authorization" => value.rsplit(' ').take(1).collect(),
        "cookie" => value.split(';').filter_map(|pair| Some(pair.split_once('=')?.1.trim())).collect(),
        _ => return,
    };
    for part in secrets.into_iter().flat_map(of_token) {
        note(name, part);
    }
}

/// Notes the tokens in the query of a request's first line.
pub fn note_line(line: &str) {
    let query = line.split(' ').nth(1).and_then(|target| target.split_once('?'));
    for (name, value) in
        query.iter().flat_map(|(_, query)| query.split('&')).filter_map(|pair| pair.split_once('='))
    {
        if name.contains("token") {
            of_token(value).for_each(|part| note("a token in a query", part));
        }
    }
}

/// Asks a program of ours for everything it can tell; what a test sets itself comes after this.
pub fn trace(command: &mut Command) {
    if scan().is_some() {
        command.env("RUST_LOG", "trace");
    }
}

/// Notes the secrets that a command of one of our programs is handed, and opens the file for what it will print.
pub fn follow(command: &Command, id: u32) -> Option<File> {
    let scan = scan()?;
    let program = program_of(command)?;
    for (name, value) in command.get_envs() {
        if let (Some(name), Some(value)) = (name.to_str(), value.and_then(|value| value.to_str())) {
            note_setting(name, value);
        }
    }
    // Process ids come again, so that each start takes the first free number.
    (0..).find_map(|number: u32| {
        let path = scan.folder.join(format!("{program}-{id}-{number}.log"));
        OpenOptions::new().append(true).create_new(true).open(path).ok().or_else(|| {
            assert!(number < 1000, "no log can be written in {}", scan.folder.display());
            None
        })
    })
}

/// One of ours, though it may be another program that starts it.
fn program_of(command: &Command) -> Option<&'static str> {
    let mut words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .find_map(|word| PROGRAMS.into_iter().find(|name| Path::new(word).file_name() == Some(name.as_ref())))
}

fn note_setting(name: &str, value: &str) {
    let text = || fs::read_to_string(value).unwrap_or_default();
    if name.ends_with("TOKENS_FILE") || name.ends_with("TOKEN_FILE") || name.ends_with("PASSWORD_FILE") {
        // A comment in such a file is public.
        text().lines().filter(|line| !line.starts_with('#')).for_each(|line| note(name, line));
    } else if name.ends_with("KEYS_FILE") || name.ends_with("JWKS_FILE") {
        note_keys(name, &serde_json::from_str(&text()).unwrap_or_default());
    } else if name.ends_with("PASSWORD") {
        note(name, value);
    } else if let Some((_, rest)) = value.split_once("://") {
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let password = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
        password.into_iter().for_each(|(_, password)| note(name, password));
    }
}

/// The members of a key that are not public (RFC 7518 section 6), and a legacy list's.
fn note_keys(name: &str, keys: &Value) {
    match keys {
        Value::Array(keys) => keys.iter().for_each(|key| note_keys(name, key)),
        Value::Object(members) => {
            for (member, value) in members {
                match value.as_str() {
                    Some(secret) if ["k", "d", "p", "q", "dp", "dq", "qi", "secret"].contains(&&**member) => {
                        note(name, secret);
                    }
                    _ => note_keys(name, value),
                }
            }
        }
        _ => {}
    }
}
