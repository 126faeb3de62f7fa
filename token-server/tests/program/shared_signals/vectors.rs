//! Every example of SSF 1.0, CAEP 1.0 and RISC 1.0, pushed as a token of now.

use super::*;
use crate::harness::delete;

struct Vector {
    name: String,
    table: String,
    set: Map<String, Value>,
    outcome: String,
    rules: Vec<(String, Value)>,
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/security_events");
    let read = |name| serde_json::from_slice::<Value>(&fs::read(folder.join(name)).unwrap()).unwrap();
    let files = ["ssf.json", "caep.json", "risc.json"].map(read);
    let all = files.iter().flat_map(|file| file["vectors"].as_array().unwrap());
    all.enumerate().map(|(index, vector)| of(index, vector)).collect()
}

fn of(index: usize, vector: &Value) -> Vector {
    let set = vector["set"].as_object().unwrap().clone();
    let audience = set["aud"].as_str().unwrap_or("receiver.example.com/web");
    let mut more = format!("issuer = {}\naudiences = ['{audience}']\ntenant_claim = 'tenant'\n", set["iss"]);
    for field in ["profile", "subject_issuer"] {
        if let Some(text) = vector[field].as_str() {
            more += &format!("{field} = '{text}'\n");
        }
    }
    if let Some(events) = vector["events"].as_object() {
        more += "[ssf.events]\n";
        events.iter().for_each(|(name, action)| more += &format!("{name} = {action}\n"));
    }
    let rules = vector["rules"].as_array().cloned().unwrap_or_default();
    let rules = rules.iter().map(|rule| (rule["group"].as_str().unwrap().to_owned(), rule["rule"].clone()));
    Vector {
        name: vector["name"].as_str().unwrap().to_owned(),
        table: stream(&format!("v{index}"), &more),
        set,
        outcome: vector["outcome"].as_str().unwrap().to_owned(),
        rules: rules.collect(),
    }
}

impl Vector {
    /// What is answered and counted. Events of the stream itself are none for its rules: this server has not asked with the state of
    /// the specification's verification event (SSF 1.0 section 8.1.4.1).
    fn expected(&self) -> (u16, Option<&'static str>, &str) {
        let events = self.set["events"].as_object().unwrap();
        let has = |name: &str| events.keys().any(|event| event.ends_with(&format!("ssf/event-type/{name}")));
        if has("verification") {
            (400, Some("invalid_state"), "refused")
        } else if has("stream-updated") {
            (202, None, "updated")
        } else {
            (202, None, &self.outcome)
        }
    }
}

/// Moves all times of a value by so much.
fn shift(value: &mut Value, by: i64) {
    match value {
        Value::Number(number) => {
            if let Some(time) = number.as_i64().filter(|time| *time > 1_000_000_000) {
                *value = json!((time + by).max(1));
            }
        }
        Value::Object(members) => members.values_mut().for_each(|value| shift(value, by)),
        _ => {}
    }
}

#[test]
fn every_example_that_is_pushed_becomes_the_rules_that_stand_beside_it() {
    let vectors = vectors();
    let tables: String = vectors.iter().map(|vector| vector.table.as_str()).collect();
    let streams = Streams::start(&tables);
    for (index, vector) in vectors.iter().enumerate() {
        let by = i64::try_from(now()).unwrap() - vector.set["iat"].as_i64().unwrap();
        let mut told = Value::Object(vector.set.clone());
        shift(&mut told, by);
        let token = if vector.table.contains("'draft'") {
            sign(key("RS256"), &told)
        } else {
            set(key("RS256"), &told)
        };
        let (status, error, counted) = vector.expected();
        let before = streams.counted(counted);
        let answer = streams.push(&format!("v{index}"), &token);
        assert_eq!((answer.status, answer.body.is_empty()), (status, error.is_none()), "{}", vector.name);
        assert!(error.is_none_or(|error| answer.body.contains(error)), "{}: {}", vector.name, answer.body);
        assert_eq!(streams.counted(counted), before + 1, "{}: {counted}", vector.name);
        let mode = if vector.outcome == "revoked" { "enforce" } else { "shadow" };
        for (group, rule) in &vector.rules {
            let mut rule = rule.clone();
            shift(&mut rule, by);
            assert_eq!(streams.rules(group), [(rule, mode.to_owned())], "{}", vector.name);
            let place = match group.as_str() {
                "g" => "/v1/everybody/rules".to_owned(),
                subject => format!("/v1/rules/{}", encoded(subject)),
            };
            let removed = delete(streams.socket(), &place, r#"{"all":true}"#);
            assert_eq!(removed.status, 200, "{}", removed.body);
        }
        assert_eq!(streams.rules("g"), [], "{}", vector.name);
    }
}
