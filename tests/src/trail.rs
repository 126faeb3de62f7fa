//! The audit trail of a token-server, held against its rules: what is left when all entries are followed must be what is there.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::wait::{DEADLINE, poll};

/// What an entry and a list both say of a rule.
const MEMBERS: [&str; 5] = ["mode", "expireAt", "note", "by", "writtenAt"];

/// A group and a rule's text.
type Name = (String, String);

/// A trail and the rules beside it, as a server answers them.
#[derive(Debug, Default)]
pub struct Told {
    /// The entries, the oldest first.
    pub entries: Vec<Value>,
    /// Each rule with its group.
    pub rules: Vec<(String, Value)>,
}

impl Told {
    /// Reads all of both, while nothing is changed. `get` answers a path of the admin API.
    pub fn read(get: impl Fn(&str) -> Value) -> Self {
        let mut told = Self::default();
        pages(&get, "/v1/audit", "cursor", |page| told.entries.extend(rows(page, "entries")));
        told.entries.reverse();
        let mut groups = Vec::new();
        pages(&get, "/v1/rules", "after", |page| groups.extend(rows(page, "groups")));
        for group in groups {
            let group = group["group"].as_str().unwrap_or_default().to_owned();
            let path = match group.as_str() {
                "g" => "/v1/everybody/rules".to_owned(),
                group => format!("/v1/rules/{group}"),
            };
            pages(&get, &path, "after", |page| {
                told.rules.extend(rows(page, "rules").map(|rule| (group.clone(), rule)));
            });
        }
        told
    }

    /// Reads both until they agree, and tells what still does not at the deadline. Only rules on trial take a moment: of those
    /// that another server wrote, a server hears from the store.
    pub fn settled(
        get: impl Fn(&str) -> Value,
        now: u64,
        is_ours: impl Fn(&str) -> bool,
    ) -> (Self, Vec<String>) {
        let mut last = (Self::default(), Vec::new());
        let _agreed = poll(DEADLINE, || {
            let told = Self::read(&get);
            let found = told.disagreements(now, &is_ours);
            let agree = found.is_empty();
            last = (told, found);
            agree.then_some(())
        });
        last
    }

    /// Where the entries do not lead to each other or to the rules, for groups that nothing but token-servers writes. `now`, in
    /// unix seconds: rules that have ended may be there or not.
    pub fn disagreements(&self, now: u64, is_ours: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found = Vec::new();
        let mut standing: BTreeMap<Name, Value> = BTreeMap::new();
        for entry in &self.entries {
            let name = (text(&entry["group"]), entry["rule"].to_string());
            if !is_ours(&name.0) {
                continue;
            }
            let known = standing.remove(&name).unwrap_or(Value::Null);
            if known != entry["before"] && !has_ended(&known, now) {
                found.push(format!("{entry} begins where {known} stood"));
            }
            let written = entry["action"] == "write";
            if written == entry["after"].is_null() || entry["before"] == entry["after"] {
                found.push(format!("{entry} does not do what it says"));
            }
            if !entry["after"].is_null() {
                standing.insert(name, entry["after"].clone());
            }
        }
        for (group, rule) in self.rules.iter().filter(|(group, _)| is_ours(group)) {
            let text = if rule["rule"].is_null() { &rule["text"] } else { &rule["rule"] };
            let there = members_of(rule);
            let told = standing.remove(&(group.clone(), text.to_string())).unwrap_or(Value::Null);
            if told != there && !has_ended(&there, now) {
                found.push(format!("{text} of {group} stands as {there}, and the trail says {told}"));
            }
        }
        let gone = standing.into_iter().filter(|(_, told)| !has_ended(told, now));
        found.extend(
            gone.map(|((group, rule), told)| format!("{rule} of {group} is gone, and the trail says {told}")),
        );
        found
    }
}

fn pages(get: impl Fn(&str) -> Value, path: &str, next_name: &str, mut take: impl FnMut(&Value)) {
    let mut after = String::new();
    loop {
        let page = get(&format!("{path}?limit=1000{after}"));
        take(&page);
        match page["next"].as_str() {
            Some(next) => after = format!("&{next_name}={next}"),
            None => return,
        }
    }
}

fn rows(page: &Value, name: &str) -> impl Iterator<Item = Value> {
    page[name].as_array().cloned().unwrap_or_default().into_iter()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn members_of(rule: &Value) -> Value {
    let known = MEMBERS.iter().filter_map(|name| Some(((*name).to_owned(), rule.get(*name)?.clone())));
    json!(known.collect::<Map<_, _>>())
}

fn has_ended(standing: &Value, now: u64) -> bool {
    standing["expireAt"].as_u64().is_some_and(|end| end != 0 && end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str, rule: &Value, before: &Value, after: &Value) -> Value {
        json!({"action": action, "group": "anna", "rule": rule, "before": before, "after": after})
    }

    fn stands(end: u64) -> Value {
        json!({"mode": "enforce", "expireAt": end, "writtenAt": 1})
    }

    fn listed(rule: &Value, end: u64) -> (String, Value) {
        let rule = json!({"rule": rule, "mode": "enforce", "expireAt": end, "writtenAt": 1, "revision": 5, "id": "x"});
        ("anna".to_owned(), rule)
    }

    #[test]
    fn a_trail_leads_to_the_rules_or_is_found_out() {
        let (x, y) = (json!({"rt": "x"}), json!({"rt": "y"}));
        let none = Value::Null;
        let written = entry("write", &x, &none, &stands(0));
        for (what, entries, rules, good) in [
            ("nothing", vec![], vec![], true),
            ("a rule", vec![written.clone()], vec![listed(&x, 0)], true),
            (
                "two",
                vec![written.clone(), entry("write", &y, &none, &stands(0))],
                vec![listed(&y, 0), listed(&x, 0)],
                true,
            ),
            (
                "an end",
                vec![written.clone(), entry("write", &x, &stands(0), &stands(9))],
                vec![listed(&x, 9)],
                true,
            ),
            ("gone", vec![written.clone(), entry("remove", &x, &stands(0), &none)], vec![], true),
            ("ended", vec![entry("write", &x, &none, &stands(3))], vec![], true),
            ("ended and there", vec![entry("write", &x, &none, &stands(3))], vec![listed(&x, 3)], true),
            ("a lost rule", vec![written.clone()], vec![], false),
            ("a lost entry", vec![], vec![listed(&x, 0)], false),
            (
                "a lost removal",
                vec![written.clone(), entry("remove", &x, &stands(0), &none)],
                vec![listed(&x, 0)],
                false,
            ),
            ("another end", vec![written.clone()], vec![listed(&x, 9)], false),
            (
                "a gap",
                vec![written.clone(), entry("write", &x, &stands(8), &stands(9))],
                vec![listed(&x, 9)],
                false,
            ),
            ("twice", vec![written.clone(), written.clone()], vec![listed(&x, 0)], false),
            (
                "no change",
                vec![written.clone(), entry("write", &x, &stands(0), &stands(0))],
                vec![listed(&x, 0)],
                false,
            ),
            ("a wrong word", vec![entry("remove", &x, &none, &stands(0))], vec![listed(&x, 0)], false),
        ] {
            let told = Told { entries, rules };
            let found = told.disagreements(5, |_| true);
            assert_eq!(found.is_empty(), good, "{what}: {found:?}");
            assert_eq!(told.disagreements(5, |group| group != "anna"), Vec::<String>::new(), "{what}");
        }
    }
}
