//! `token-server keys ..`: makes, lists and removes API keys, in their file.

mod edit;
mod file;
mod table;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jose::{TokenHash, UnixTime};
use serde_json::json;
use service::exit;
use service::settings::glance;

use self::file::{Held, Missing};
use self::table::Claims;
use super::error::CliError;
use super::outcome::Outcome;
use super::output::Output;
use super::words::{moment, shown};
use crate::api_keys::list::{ApiKey, KeyList, is_name};
use crate::config::{API_KEYS_FILE, CONFIG};
use crate::when;

/// Random bytes of a key.
const KEY_BYTES: usize = 32;
/// Letters of a prefix.
const MAX_PREFIX: usize = 32;

/// What can be done with API keys. A running server reads the file again by itself.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    /// Make a key: it is printed, once, and its hash is written into the file
    Add(Add),
    /// List the keys of the file: what each is called, whose it is, and when it ends
    List(List),
    /// Remove a key: it is refused as soon as the server has read the file again; exit with 2 if there is none of the name
    Remove(Remove),
}

/// The file.
#[derive(Debug, Args)]
struct Place {
    /// The file of keys; unset: what TOKEN_SERVER__API_KEYS__FILE says
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A key to be made.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// What people call it
    name: String,
    /// The claim `sub`, by which rules name it; unset: the name
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,
    /// The claim `scope`: words with spaces between them
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// One more claim, a text; one that is given several times is a list
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    claims: Vec<String>,
    /// When it ends: 30d, in 12h, 2027-11-27, 2027-11-27T10:00:00Z
    #[arg(long, value_name = "TIME", default_value = "365d", conflicts_with = "forever")]
    ends: String,
    /// It never ends
    #[arg(long)]
    forever: bool,
    /// What the key begins with, and an underscore behind it, so that people and scanners know it when they see it
    #[arg(long, value_name = "PREFIX", default_value = "hj")]
    prefix: String,
    #[command(flatten)]
    place: Place,
}

/// Which keys to list.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

/// A key to be removed.
#[derive(Debug, Args)]
pub(super) struct Remove {
    /// What people call it
    name: String,
    #[command(flatten)]
    place: Place,
}

/// Works on the file alone: neither a server nor the rest of its configuration is looked at.
pub(super) fn run(
    command: Keys,
    output: Output,
    environment: &[(OsString, OsString)],
) -> Result<Outcome, CliError> {
    let now = super::time();
    match command {
        Keys::Add(add) => add.run(output, environment, now),
        Keys::List(list) => {
            let held = Held::open(list.place.path(environment)?, Missing::Refuse)?;
            output.answer(&listed(held.list()), |_| for_people(held.list(), now))?;
            Ok(Outcome::Done)
        }
        Keys::Remove(remove) => {
            let held = Held::open(remove.place.path(environment)?, Missing::Refuse)?;
            if held.list().named(&remove.name).is_none() {
                exit::say("token-server", &format!("no key is called {}", shown(&remove.name)));
                return Ok(Outcome::No);
            }
            held.replace(&edit::without(held.text(), held.list(), &remove.name))?;
            output.answer(&json!({ "removed": remove.name }), |_| {
                format!(
                    "{} is removed, and refused as soon as the server has read the file again",
                    remove.name
                )
            })?;
            Ok(Outcome::Done)
        }
    }
}

impl Place {
    fn path(self, environment: &[(OsString, OsString)]) -> Result<PathBuf, CliError> {
        let setting = || glance(API_KEYS_FILE, CONFIG, environment).map(PathBuf::from);
        self.file
            .or_else(setting)
            .ok_or_else(|| refused("--file", "is missing, and TOKEN_SERVER__API_KEYS__FILE is not set"))
    }
}

impl Add {
    fn run(
        self,
        output: Output,
        environment: &[(OsString, OsString)],
        now: UnixTime,
    ) -> Result<Outcome, CliError> {
        let Self { name, sub, scope, claims, ends, forever, prefix, place } = self;
        if !is_name(&name) {
            return Err(refused("NAME", "has 1 to 128 letters, digits and . _ - @ :"));
        }
        let is_prefix = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if prefix.is_empty() || prefix.len() > MAX_PREFIX || !prefix.chars().all(is_prefix) {
            return Err(refused("--prefix", "has 1 to 32 letters, digits and _"));
        }
        let ends = match forever {
            true => None,
            false => Some(when::parse_future(&ends, now).map_err(|why| refused("--ends", &why.to_string()))?),
        };
        if ends.is_some_and(|ends| ends <= now) {
            return Err(refused("--ends", "is no time to come"));
        }
        let claims = Claims::new(sub.unwrap_or_else(|| name.clone()), scope, &claims)?;
        let held = Held::open(place.path(environment)?, Missing::Make)?;
        if held.list().named(&name).is_some() {
            return Err(refused("NAME", "is that of another key; remove it first, or take another name"));
        }
        let key = made(&prefix)?;
        let hash = TokenHash::of(&key);
        held.replace(&edit::with(held.text(), &table::write(&name, &hash, now, ends, &claims)))?;
        let told = json!({ "key": key, "name": name, "id": hash.fingerprint(), "ends": ends.map(when::iso) });
        output.answer(&told, |_| key.clone())?;
        let end = ends.map_or_else(|| "never ends".to_owned(), |ends| format!("ends {}", moment(ends, now)));
        let line =
            format!("{name} (id {}) {end}; its key is shown this once and kept nowhere", hash.fingerprint());
        exit::say("token-server", &line);
        Ok(Outcome::Done)
    }
}

/// A key of new random bytes.
fn made(prefix: &str) -> Result<String, CliError> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let mut bytes = [0; KEY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes)
        .map_err(|_| CliError::Input(std::io::Error::other("the system gives no random bytes")))?;
    Ok(format!("{prefix}_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

fn listed(list: &KeyList) -> serde_json::Value {
    let key = |key: &ApiKey| {
        json!({
            "name": key.name,
            "id": key.id(),
            "subject": key.subject,
            "made": when::iso(key.made),
            "ends": key.ends.map(when::iso),
        })
    };
    json!({ "keys": list.keys().iter().map(key).collect::<Vec<_>>() })
}

fn for_people(list: &KeyList, now: UnixTime) -> String {
    if list.keys().is_empty() {
        return "there is no key".to_owned();
    }
    let line = |key: &ApiKey| {
        let ends = match key.ends {
            None => "never ends".to_owned(),
            Some(ends) if ends <= now => format!("ended {}", moment(ends, now)),
            Some(ends) => format!("ends {}", moment(ends, now)),
        };
        format!(
            "{}  of {}  id {}  made {}  {ends}",
            key.name,
            shown(&key.subject),
            key.id(),
            when::iso(key.made)
        )
    };
    list.keys().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A fault of the command line.
fn refused(name: &'static str, why: &str) -> CliError {
    CliError::Argument { name, why: why.to_owned() }
}
