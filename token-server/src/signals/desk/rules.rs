//! The rules that what is told becomes, and which others they make needless.

use jose::{EVERYBODY, UnixTime};
use rules::{Claims, ExpireAt, Rule};
use serde_json::{Map, Value, json};

use super::super::told::{End, Group, Told, Which};
use crate::revocations::{Beside, Draft, MAX_GROUP_BYTES, Replacement};
use crate::store::{Annotation, Mode};

/// How far a time that is told may be ahead of this server's clock: the most skew that an issuer can be granted.
const MAX_AHEAD_SECONDS: i64 = 300;

/// Earlier than any time that a rule names, unix seconds.
const LONG_AGO: i64 = -9_007_199_254_740_991;

/// Characters of a message's name that a note holds.
const MAX_JTI_CHARS: usize = 200;

/// The rules, one for each name of the issuer.
///
/// # Errors
/// Why there can be none.
pub(in crate::signals) fn drafts(
    told: &Told,
    mode: Mode,
    now: UnixTime,
) -> Result<Vec<Replacement>, &'static str> {
    let now = now.as_millis().div_euclid(1_000);
    let mut drafts = Vec::new();
    for end in &told.ends {
        let group = match &end.group {
            Group::Everybody => EVERYBODY.to_owned(),
            Group::Subject(name) if name == EVERYBODY => {
                return Err("the subject has the name of everybody's group");
            }
            Group::Subject(name) if name.is_empty() || name.len() > MAX_GROUP_BYTES => {
                return Err("the subject is empty, or longer than a group's name may be");
            }
            Group::Subject(name) => name.clone(),
        };
        if end.issuers.is_empty() {
            return Err("no issuer is named");
        }
        for issuer in &end.issuers {
            drafts.push(draft(told, end, issuer, &group, mode, now)?);
        }
    }
    Ok(drafts)
}

fn draft(
    told: &Told,
    end: &End,
    issuer: &str,
    group: &str,
    mode: Mode,
    now: i64,
) -> Result<Replacement, &'static str> {
    let hold = i64::try_from(end.hold.as_secs()).unwrap_or(i64::MAX);
    let mut conditions = Map::new();
    let mut until = None;
    match &end.which {
        Which::IssuedUntil { at, and } => {
            let at = (*at).min(now.saturating_add(MAX_AHEAD_SECONDS));
            conditions.insert("iat".to_owned(), json!({ "lte": at }));
            put(&mut conditions, and)?;
            until = Some(at);
        }
        Which::Session(sid) if sid.is_empty() => return Err("the session has no name"),
        Which::Session(sid) => _ = conditions.insert("sid".to_owned(), json!(sid)),
        Which::Token(of) if of.is_empty() => return Err("nothing tells which token"),
        Which::Token(of) => put(&mut conditions, of)?,
    }
    conditions.insert("iss".to_owned(), json!(issuer));
    let expire_at = now.max(until.unwrap_or(now)).saturating_add(hold);
    let rule = Rule::parse(&Value::Object(conditions.clone()).to_string())
        .map_err(|_| "its conditions are no rule that is understood")?;
    let annotation = Annotation {
        mode,
        note: told.jti.as_deref().map(note),
        by: Some(told.by.to_string()),
        written_at: now,
        expire_at,
    };
    // A token that was issued until then has ended by then.
    let needed = until.map_or(expire_at, |at| at.saturating_add(hold));
    let probe = probe(&conditions)?;
    let own = rule.canonical().to_owned();
    let beside = move |json: &str, end: ExpireAt| {
        let holds_until = if end == ExpireAt::Never { i64::MAX } else { end.as_seconds() };
        if json == own && holds_until >= needed {
            return Beside::Covers;
        }
        let Some((at, other)) = until.zip(issued_until(json, &conditions)) else { return Beside::Other };
        match other {
            other if other >= at && holds_until >= needed => Beside::Covers,
            other if other < at && holds_until <= expire_at => Beside::Covered,
            _ => Beside::Other,
        }
    };
    Ok(Replacement { draft: Draft::new(group.to_owned(), rule, annotation), probe, beside: Box::new(beside) })
}

/// What a token says that each rule hits which differs in its time alone.
fn probe(conditions: &Map<String, Value>) -> Result<Claims, &'static str> {
    let mut claims = conditions.clone();
    if let Some(iat) = claims.get_mut("iat").filter(|iat| iat.is_object()) {
        *iat = json!(LONG_AGO);
    }
    serde_json::from_value(Value::Object(claims)).map_err(|_| "its conditions are no claims")
}

/// Adds conditions that claims are exactly so. None may be what is a word of rules, or one that is set here.
fn put(conditions: &mut Map<String, Value>, claims: &[(String, Value)]) -> Result<(), &'static str> {
    for (name, value) in claims {
        let is_plain = value.is_string() || value.is_number() || value.is_boolean();
        if name.starts_with('_') || name == "iss" || !is_plain || conditions.contains_key(name) {
            return Err("a claim cannot be compared");
        }
        conditions.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// The time of a rule that differs from these conditions in nothing else.
fn issued_until(json: &str, conditions: &Map<String, Value>) -> Option<i64> {
    if !json.contains("\"lte\"") {
        return None;
    }
    let Value::Object(rule) = serde_json::from_str(json).ok()? else { return None };
    let rest = |map: &Map<String, Value>| -> Map<String, Value> {
        map.iter()
            .filter(|(name, _)| *name != "iat")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let Some(Value::Object(bound)) = rule.get("iat") else { return None };
    let at = bound.get("lte").filter(|_| bound.len() == 1)?.as_i64()?;
    (rest(&rule) == rest(conditions)).then_some(at)
}

/// What the audit trail says of a message's name.
pub(in super::super) fn note(jti: &str) -> String {
    let shown = jti.chars().filter(|char| !char.is_control()).take(MAX_JTI_CHARS);
    format!("jti {}", shown.collect::<String>())
}
