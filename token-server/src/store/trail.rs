//! The audit trail: who changed which rule, when and why, and how it stood before and after.

use std::fmt;
use std::str::FromStr;

use jose::UnixTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::standing::Standing;
use crate::caller::Caller;
use crate::when::iso_millis;

/// A place in the trail: when the change was made, and which one it was in that millisecond. Later ones are greater, as
/// texts too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// Unix milliseconds, by the store's clock.
    pub(crate) at: u64,
    /// Counted within the millisecond.
    pub(crate) number: u64,
}

/// What was done to a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It was written, over another end, mode or note if it was there.
    Write,
    /// It was removed.
    Remove,
}

/// What a store keeps of one change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Who did it.
    pub who: Caller,
    /// Who says to have done it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// What was done.
    pub action: Action,
    /// The rule's group.
    pub group: String,
    /// The rule.
    pub rule: RuleText,
    /// How it stood before; absent: not at all.
    pub before: Option<Standing>,
    /// How it stands since.
    pub after: Option<Standing>,
    /// The entry that this one undoes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub undoes: Option<EntryId>,
}

/// One change, in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its place.
    pub id: EntryId,
    /// The change.
    pub record: Record,
}

/// Some entries, the newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrailPage {
    /// The entries that are understood.
    pub entries: Vec<Entry>,
    /// The oldest place that was looked at; absent where no older ones are.
    pub next: Option<EntryId>,
}

/// The text of a rule as it stands in the store. In JSON it is the rule itself, unless another program wrote something that
/// is no JSON object of one line: then it is a string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleText(String);

impl RuleText {
    /// A rule as it stands in the store.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it stands in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for RuleText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_object = self.0.starts_with('{') && !self.0.contains(['\n', '\r']);
        match serde_json::from_str::<&RawValue>(&self.0).ok().filter(|_| is_object) {
            Some(rule) if rule.get() == self.0 => rule.serialize(serializer),
            Some(_) | None => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for RuleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text: Option<String> = serde_json::from_str(raw.get()).ok();
        Ok(Self(text.unwrap_or_else(|| raw.get().to_owned())))
    }
}

impl Record {
    /// The text that a store keeps of it.
    pub(super) fn to_json(&self) -> String {
        // A struct of texts and numbers has no way to fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What a store has kept. Something else in its place is told and left out.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        serde_json::from_slice(text)
            .inspect_err(
                |error| tracing::warn!(%error, "an entry of the audit trail is not understood and left out"),
            )
            .ok()
    }
}

impl Entry {
    /// The entry of a line as it is answered.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Place {
            id: EntryId,
        }
        let Place { id } = serde_json::from_str(line)?;
        Ok(Self { id, record: serde_json::from_str(line)? })
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            id: EntryId,
            at: String,
            #[serde(flatten)]
            record: &'a Record,
        }
        View { id: self.id, at: iso_millis(self.id.time()), record: &self.record }.serialize(serializer)
    }
}

impl EntryId {
    /// Before all that were made at this time or later.
    pub fn first_at(time: UnixTime) -> Self {
        Self { at: u64::try_from(time.as_millis()).unwrap_or(0), number: 0 }
    }

    /// When the change was made.
    pub fn time(self) -> UnixTime {
        UnixTime::from_millis(i64::try_from(self.at).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:012x}-{:04x}", self.at, self.number)
    }
}

impl FromStr for EntryId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (at, number) = text.split_once('-')?;
            let hex = |part| u64::from_str_radix(part, 16).ok();
            let id = Self { at: hex(at)?, number: hex(number)? };
            (id.to_string() == text).then_some(id)
        };
        parse().ok_or("is not the id of an entry")
    }
}

impl Serialize for EntryId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EntryId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::Kind;

    fn record(rule: &str) -> Record {
        Record {
            who: Caller { name: "anna".into(), kind: Kind::Token },
            by: None,
            note: Some("stolen".into()),
            action: Action::Remove,
            group: "ben".into(),
            rule: RuleText::new(rule),
            before: Standing::of(Some(rules::ExpireAt::At(9)), None),
            after: None,
            undoes: Some(EntryId { at: 1, number: 2 }),
        }
    }

    #[test]
    fn an_entry_is_told_and_understood() {
        for (rule, told) in [
            (r#"{"rt":"x"}"#, r#"{"rt":"x"}"#),
            (
                r#"{ "n" : 12345678901234567890123, "rt":"ä" }"#,
                r#"{ "n" : 12345678901234567890123, "rt":"ä" }"#,
            ),
            ("no rule", r#""no rule""#),
            (r#""a string""#, r#""\"a string\"""#),
            ("{\"a\":\n1}", r#""{\"a\":\n1}""#),
            (" {}", r#"" {}""#),
            ("{} ", r#""{} ""#),
            ("{", r#""{""#),
            ("", r#""""#),
        ] {
            let entry = Entry { id: EntryId { at: 1_700_000_000_123, number: 10 }, record: record(rule) };
            let line = serde_json::to_string(&entry).unwrap();
            let expected = format!(
                r#"{{"id":"018bcfe5687b-000a","at":"2023-11-14T22:13:20.123Z","who":{{"name":"anna","kind":"token"}},"note":"stolen","action":"remove","group":"ben","rule":{told},"before":{{"mode":"enforce","expireAt":9}},"after":null,"undoes":"000000000001-0002"}}"#
            );
            assert_eq!(line, expected);
            assert_eq!(Entry::parse(&line).unwrap(), entry);
            assert_eq!(Record::parse(entry.record.to_json().as_bytes()), Some(entry.record));
        }
        assert_eq!(Record::parse(b"{}"), None);
    }

    #[test]
    fn places_are_in_order_as_texts_too() {
        let place = |at, number| EntryId { at, number };
        let places = [place(0, 0), place(1, 9), place(1, 10), place(1, 0xffff), place(15, 0), place(16, 0)];
        assert!(places.is_sorted() && places.map(|place| place.to_string()).is_sorted());
        for place in places {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for bad in ["", "1-2", "00000000000g-0000", "018bcfe5687b", "018BCFE5687B-000A", "018bcfe5687b-000a "]
        {
            assert!(bad.parse::<EntryId>().is_err(), "{bad}");
        }
    }
}
