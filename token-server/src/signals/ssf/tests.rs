use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::ends::{Asked, asked};
use super::set::Set;
use crate::config::ssf::{Profile, Stream};
use crate::signals::told::{End, Group, Told, Weight, Which};

/// An example of a specification, and what a stream does with it.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) profile: Option<String>,
    #[serde(default)]
    pub(crate) subject_issuer: Option<String>,
    #[serde(default)]
    pub(crate) events: Map<String, Value>,
    pub(crate) set: Map<String, Value>,
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) rules: Vec<Expected>,
}

/// A rule that is to be there.
#[derive(Debug, PartialEq, serde::Deserialize)]
pub(crate) struct Expected {
    pub(crate) group: String,
    pub(crate) rule: Value,
}

#[derive(serde::Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
}

/// Every example of SSF 1.0, CAEP 1.0 and RISC 1.0.
pub(crate) fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/security_events");
    let read = |name| std::fs::read(folder.join(name)).unwrap();
    let files = ["ssf.json", "caep.json", "risc.json"].map(read);
    files.iter().flat_map(|bytes| serde_json::from_slice::<Vectors>(bytes).unwrap().vectors).collect()
}

impl Vector {
    /// The table of a stream whose token it is, but for its keys.
    pub(crate) fn table(&self) -> String {
        let text = |name: &str| self.set[name].as_str().unwrap();
        let audience = self.set["aud"].as_str().unwrap_or("receiver.example.com/mobile");
        let mut table =
            format!("issuer = '{}'\naudiences = ['{audience}']\ntenant_claim = 'tenant'\n", text("iss"));
        if let Some(profile) = &self.profile {
            table += &format!("profile = '{profile}'\n");
        }
        if let Some(issuer) = &self.subject_issuer {
            table += &format!("subject_issuer = '{issuer}'\n");
        }
        if !self.events.is_empty() {
            let events = self.events.iter().map(|(name, action)| format!("{name} = {action}"));
            table += &format!("events = {{ {} }}\n", events.collect::<Vec<_>>().join(", "));
        }
        table
    }
}

fn rules(told: &Told) -> Vec<Expected> {
    let rule = |End { issuers, group, which, .. }: &End| {
        let [issuer] = issuers.as_slice() else { panic!("{issuers:?}") };
        let group = match group {
            Group::Subject(name) => name.clone(),
            Group::Everybody => "g".to_owned(),
        };
        let mut rule = Map::from_iter([("iss".to_owned(), json!(issuer))]);
        match which {
            Which::IssuedUntil { at, and } => {
                rule.insert("iat".to_owned(), json!({ "lte": at }));
                rule.extend(and.iter().cloned());
            }
            Which::Session(sid) => _ = rule.insert("sid".to_owned(), json!(sid)),
            Which::Token(of) => rule.extend(of.iter().cloned()),
        }
        Expected { group, rule: Value::Object(rule) }
    };
    told.ends.iter().map(rule).collect()
}

#[test]
fn every_example_of_the_specifications_is_mapped_as_it_stands_beside_it() {
    let vectors = vectors();
    assert!(vectors.len() >= 45, "{}", vectors.len());
    for vector in vectors {
        let stream = stream_of(&vector);
        let (kind, holds) = vector.set["events"].as_object().unwrap().iter().next().unwrap();
        let mut holds = holds.as_object().unwrap().clone();
        let subject = vector.set.get("sub_id").cloned();
        let subject = subject.or_else(|| holds.remove("subject").map(super::set::of_draft));
        let set = Set {
            jti: vector.set["jti"].as_str().unwrap().to_owned(),
            issued: vector.set["iat"].as_i64().unwrap(),
            kind: kind.clone(),
            holds,
            subject,
        };
        let name = &vector.name;
        let told = match asked(&set, &stream, true).unwrap_or_else(|fault| panic!("{name}: {fault}")) {
            Asked::Told(told) => told,
            Asked::OfStream(_) => {
                assert_eq!((vector.outcome.as_str(), vector.rules.len()), ("ignored", 0), "{name}");
                continue;
            }
        };
        let outcome = match (&told.weight, told.ends.is_empty()) {
            (Weight::Inexact(_), _) => "inexact",
            (Weight::Enforce | Weight::Shadow, true) => "ignored",
            (Weight::Enforce, false) => "revoked",
            (Weight::Shadow, false) => "tried",
        };
        assert_eq!((outcome, rules(&told)), (vector.outcome.as_str(), vector.rules), "{name}: {told:?}");
    }
}

fn stream_of(vector: &Vector) -> Arc<Stream> {
    stream(&vector.table())
}

/// A stream with this table, whose keys do not matter.
pub(crate) fn stream(table: &str) -> Arc<Stream> {
    let mut config = crate::config::ssf::of_table(&format!(
        "name = 's'\njwks_url = 'http://127.0.0.1:1/'\npoll_url = 'http://127.0.0.1:1/'\n{table}"
    ));
    assert_eq!(config.len(), 1);
    let stream = config.remove(0);
    assert!(matches!(stream.profile, Profile::Ssf | Profile::Draft));
    stream
}
