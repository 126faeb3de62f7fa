//! `TOKEN_SERVER__API_KEYS__FILE`: which API keys count, and what each stands for.
//!
//! ```toml
//! [[keys]]
//! name = "shop-ci"                       # for people: in lists, and to remove it
//! sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! made = 2026-11-28T10:00:00Z            # the claim `iat`
//! ends = 2027-11-28T10:00:00Z            # the claim `exp`; absent: never
//! claims = { sub = "shop", scope = "orders:read", aud = "orders" }
//! ```
//!
//! Read strictly: a field that is misspelt might be the end of a key. The hash is that of the whole key, as `sha256sum` prints it.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jose::{Claims, Profile, Reject, TokenHash, UnixTime};
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::value::Datetime;

use super::MAX_USE;
use crate::payload::seconds;
use crate::when;

/// Bytes of a key's name.
const MAX_NAME_BYTES: usize = 128;

/// Claims that other fields of a key say.
const TAKEN: [&str; 3] = ["exp", "iat", "jti"];

/// The keys of a file, in its order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyList {
    keys: Vec<ApiKey>,
    places: HashMap<TokenHash, usize>,
}

/// One key, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What people call it.
    pub name: String,
    /// The hash of the key.
    pub hash: TokenHash,
    /// When it was made.
    pub made: UnixTime,
    /// When it ends; absent: never.
    pub ends: Option<UnixTime>,
    /// Whose it is.
    pub subject: String,
    claims: Map<String, Value>,
}

/// Why a file gives no keys. Quotes nothing of the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyListError {
    /// Bytes that are no text.
    #[error("the file is not UTF-8; expected TOML with a table [[keys]] for each key")]
    NotText,
    /// It is no TOML.
    #[error("line {line}: the file is not TOML: {why}")]
    NotToml {
        /// The line, from 1.
        line: usize,
        /// What the parser expected.
        why: String,
    },
    /// Something of a key is unknown, missing, twice there or of another type.
    #[error(
        "line {line}: expected [[keys]] with name, sha256, made, perhaps ends, and claims, and nothing else; made and ends are \
         dates as 2026-11-28T10:00:00Z, without quotes"
    )]
    Form {
        /// The line, from 1.
        line: usize,
    },
    /// Something of the key whose table begins here cannot be used.
    #[error("the key on line {line}: {why}")]
    Key {
        /// The line of its `[[keys]]`, from 1.
        line: usize,
        /// Cause and cure.
        why: KeyFault,
    },
}

/// What is wrong with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No name that can be typed.
    #[error("name has 1 to {MAX_NAME_BYTES} letters, digits and . _ - @ :")]
    Name,
    /// It may be a key itself.
    #[error("sha256 is the 64 hex digits of the key's SHA-256, as `printf %s KEY | sha256sum` prints them")]
    Hash,
    /// The hash of nothing.
    #[error("sha256 is that of an empty text; `printf %s KEY | sha256sum` had no KEY")]
    NoKey,
    /// A day that no calendar has, or a time somewhere on earth.
    #[error("made and ends need an offset, such as the Z of 2026-11-28T10:00:00Z")]
    Time,
    /// It never was good.
    #[error("ends is not after made")]
    Ends,
    /// A claim that another field says.
    #[error("claims must not have exp, iat or jti: ends, made and the hash say them")]
    Taken,
    /// Without a subject no rule can name it alone.
    #[error("claims must have sub, a text of 1 to 512 bytes other than g: rules name the key by it")]
    Subject,
    /// A claim that JSON cannot hold.
    #[error(
        "claims are texts, numbers, true or false, and lists and tables of these; write a date in quotes"
    )]
    Claim,
    /// Two keys of one name.
    #[error("another key has the same name; names are how keys are removed")]
    SameName,
    /// One key twice: which claims are its own?
    #[error("another table has the same sha256; leave one of them out")]
    SameKey,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    keys: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    sha256: String,
    made: Datetime,
    ends: Option<Datetime>,
    claims: toml::Table,
}

impl KeyList {
    /// Reads the content of a file. One without keys is good: the last may have been removed.
    ///
    /// # Errors
    /// See [`KeyListError`].
    pub fn parse(content: &[u8]) -> Result<Self, KeyListError> {
        let text = std::str::from_utf8(content).map_err(|_| KeyListError::NotText)?;
        let line_of =
            |place: usize| text.get(..place).unwrap_or_default().matches('\n').count().saturating_add(1);
        let line = |error: &toml::de::Error| line_of(error.span().map_or(0, |span| span.start));
        // The parser's own words are told only of the form: about values they quote them.
        if let Err(error) = toml::from_str::<toml::Table>(text) {
            return Err(KeyListError::NotToml { line: line(&error), why: error.message().to_owned() });
        }
        let file: File = toml::from_str(text).map_err(|error| KeyListError::Form { line: line(&error) })?;
        let mut list = Self::default();
        for table in file.keys {
            let line = line_of(table.span().start);
            list.add(table.into_inner()).map_err(|why| KeyListError::Key { line, why })?;
        }
        Ok(list)
    }

    fn add(&mut self, table: Table) -> Result<(), KeyFault> {
        let key = ApiKey::of(table)?;
        if self.named(&key.name).is_some() {
            return Err(KeyFault::SameName);
        }
        if self.places.insert(key.hash, self.keys.len()).is_some() {
            return Err(KeyFault::SameKey);
        }
        self.keys.push(key);
        Ok(())
    }

    /// All keys.
    pub fn keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// The key of this hash.
    pub fn find(&self, hash: &TokenHash) -> Option<&ApiKey> {
        self.places.get(hash).and_then(|place| self.keys.get(*place))
    }

    /// The key of this name.
    pub fn named(&self, name: &str) -> Option<&ApiKey> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The subjects of the keys that are not in `other`, or are not the same there.
    pub fn subjects_not_as_in<'a>(&'a self, other: &Self) -> BTreeSet<&'a str> {
        let is_gone = |key: &&ApiKey| other.find(&key.hash) != Some(*key);
        self.keys.iter().filter(is_gone).map(|key| key.subject.as_str()).collect()
    }
}

impl ApiKey {
    fn of(table: Table) -> Result<Self, KeyFault> {
        let Table { name, sha256, made, ends, claims } = table;
        if !is_name(&name) {
            return Err(KeyFault::Name);
        }
        let hash = TokenHash::from_hex(&sha256).ok_or(KeyFault::Hash)?;
        if hash == TokenHash::of("") {
            return Err(KeyFault::NoKey);
        }
        let made = time(made)?;
        let ends = ends.map(time).transpose()?;
        if ends.is_some_and(|ends| ends <= made) {
            return Err(KeyFault::Ends);
        }
        if TAKEN.iter().any(|taken| claims.contains_key(*taken)) {
            return Err(KeyFault::Taken);
        }
        let claims = object(claims).ok_or(KeyFault::Claim)?;
        let read = Claims::parse(Value::Object(claims.clone()).to_string().as_bytes());
        let subject = read.map_err(|_| KeyFault::Claim)?.revocable_subject(Profile::Standard);
        let subject = subject.ok().flatten().ok_or(KeyFault::Subject)?;
        Ok(Self { name, hash, made, ends, subject, claims })
    }

    /// Its `jti`, by which a rule can name it alone: what HAProxy's variable `txn.tkn.id` says of it, too.
    pub fn id(&self) -> String {
        self.hash.fingerprint()
    }

    /// What it stands for at `now`, with this `iss` where its claims have none.
    ///
    /// # Errors
    /// None but for what [`KeyList::parse`] has refused.
    pub fn claims(&self, issuer: Option<&str>, now: UnixTime) -> Result<Claims, Reject> {
        let mut claims = self.claims.clone();
        if let Some(issuer) = issuer {
            claims.entry("iss").or_insert_with(|| issuer.into());
        }
        let exp = self.ends.map_or_else(|| seconds(now).saturating_add(whole_seconds(MAX_USE)), seconds);
        claims.insert("iat".to_owned(), seconds(self.made).into());
        claims.insert("exp".to_owned(), exp.into());
        claims.insert("jti".to_owned(), self.id().into());
        Claims::parse(Value::Object(claims).to_string().as_bytes())
    }
}

/// Whether people can type it, and a terminal shows nothing else.
pub fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_plain)
}

fn time(time: Datetime) -> Result<UnixTime, KeyFault> {
    // It has a date, so that nothing in it is counted from a moment.
    time.date.ok_or(KeyFault::Time)?;
    when::parse_past(&time.to_string(), UnixTime::from_secs(0))
        .ok()
        .filter(|_| time.offset.is_some())
        .ok_or(KeyFault::Time)
}

fn whole_seconds(length: Duration) -> i64 {
    i64::try_from(length.as_secs()).unwrap_or(i64::MAX)
}

fn object(table: toml::Table) -> Option<Map<String, Value>> {
    table.into_iter().map(|(name, value)| Some((name, json(value)?))).collect()
}

fn json(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => Value::Number(serde_json::Number::from_f64(number)?),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Array(values) => Value::Array(values.into_iter().map(json).collect::<Option<_>>()?),
        toml::Value::Table(table) => Value::Object(object(table)?),
        toml::Value::Datetime(_) => return None,
    })
}

#[cfg(test)]
mod tests;
