//! An indexed set answers as if every rule were held against every token.

#![expect(clippy::expect_used, reason = "a test's helpers fail by panicking")]

use proptest::prelude::*;
use rules::{Claims, ExpireAt, Rule, RuleEntry, RuleSet};

/// The set in its plainest form.
#[derive(Default)]
struct Linear(Vec<RuleEntry>);

impl Linear {
    fn insert(&mut self, entry: RuleEntry) {
        self.remove(entry.rule.canonical());
        self.0.push(entry);
    }

    fn remove(&mut self, canonical: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.rule.canonical() != canonical);
        self.0.len() < before
    }

    fn hits<'a>(&'a self, claims: &'a Claims, now: i64) -> impl Iterator<Item = &'a RuleEntry> {
        self.0.iter().filter(move |entry| !entry.expire_at.has_passed(now) && entry.rule.matches(claims))
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert { json: String, end: i64 },
    Remove { nth: usize },
    RemoveEnded { now: i64 },
}

/// Values that JavaScript tells apart or does not, and that a table might treat otherwise.
const SCALARS: [&str; 20] = [
    "0",
    "-0",
    "0.0",
    "1",
    "1.0",
    "\"1\"",
    "\"0\"",
    "true",
    "false",
    "null",
    "\"null\"",
    "\"\"",
    "\"x\"",
    "\"NaN\"",
    "9007199254740992",
    "9007199254740993",
    "9007199254740992.0",
    "18446744073709551615",
    "1e308",
    "\"undefined\"",
];
const LISTS: [&str; 6] = ["[]", "[1]", "[0,\"x\"]", "{}", "{\"b\":1}", "{\"b\":[\"x\",1,null]}"];
const FIELDS: [&str; 7] = ["a", "b", "c", "a.b", "a[0]", "a.b[1]", "toString"];

fn scalar() -> impl Strategy<Value = String> {
    prop::sample::select(&SCALARS[..]).prop_map(str::to_owned)
}

fn claim() -> impl Strategy<Value = String> {
    prop_oneof![3 => scalar(), 1 => prop::sample::select(&LISTS[..]).prop_map(str::to_owned)]
}

fn members(
    key: &'static [&'static str],
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let or = prop_oneof![3 => Just(""), 1 => Just("\"_or\":true"), 1 => Just("\"_or\":false")];
    let members = prop::collection::btree_map(prop::sample::select(key), value, 0..4);
    (or, members).prop_map(|(or, members)| {
        let members = members.into_iter().map(|(key, value)| format!("{key:?}:{value}"));
        let all: Vec<String> = members.chain((!or.is_empty()).then(|| or.to_owned())).collect();
        format!("{{{}}}", all.join(","))
    })
}

/// Rules of which most have equalities, some have none, and some are odd.
fn rule() -> impl Strategy<Value = String> {
    const OPERATORS: [&str; 7] = ["eq", "ne", "gt", "gte", "lt", "lte", "sw"];
    let test = members(&OPERATORS, scalar());
    let pattern =
        prop::sample::select(vec!["^1", "x$", "(?=u)"]).prop_map(|text| format!("{{\"regex\":{text:?}}}"));
    let group = members(&FIELDS, prop_oneof![3 => members(&["eq"], scalar()), 1 => test]);
    members(
        &FIELDS,
        prop_oneof![12 => scalar(), 3 => members(&["eq", "lt"], scalar()), 4 => group, 1 => pattern],
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (rule(), prop_oneof![Just(0), 1_i64..20]).prop_map(|(json, end)| Step::Insert { json, end }),
        2 => any::<usize>().prop_map(|nth| Step::Remove { nth }),
        1 => (0_i64..20).prop_map(|now| Step::RemoveEnded { now }),
    ]
}

fn payload() -> impl Strategy<Value = Claims> {
    members(&FIELDS, claim()).prop_map(|json| {
        let mut claims: Claims = serde_json::from_str(&json).expect("an object");
        claims.remove("_or");
        claims
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_index_answers_as_a_scan_does(
        steps in prop::collection::vec(step(), 1..60),
        payloads in prop::collection::vec(payload(), 1..12),
        now in 0_i64..20,
    ) {
        let (mut set, mut linear) = (RuleSet::default(), Linear::default());
        for step in steps {
            match step {
                Step::Insert { json, end } => {
                    let rule = Rule::parse(&json).expect("a rule");
                    let entry = RuleEntry { rule, expire_at: ExpireAt::from_seconds(end) };
                    let admitted = set.admits(&entry.rule);
                    prop_assert_eq!(set.insert(entry.clone()), admitted);
                    if admitted.is_ok() {
                        linear.insert(entry);
                    }
                }
                Step::Remove { nth } => {
                    let one = linear.0.get(nth % linear.0.len().max(1)).map(|entry| entry.rule.canonical().to_owned());
                    let one = one.unwrap_or_default();
                    prop_assert_eq!(set.contains(&one), linear.0.iter().any(|entry| entry.rule.canonical() == one));
                    prop_assert_eq!(set.remove(&one), linear.remove(&one));
                    prop_assert!(!set.contains(&one));
                }
                Step::RemoveEnded { now } => {
                    set.remove_ended(now, usize::MAX);
                    linear.0.retain(|entry| !entry.expire_at.has_passed(now));
                }
            }
            prop_assert_eq!(set.len(), linear.0.len());
            prop_assert!(set.scanned_len() <= set.len());
        }
        for claims in &payloads {
            let hit = set.first_match(claims, now);
            prop_assert_eq!(hit.is_some(), set.matches(claims, now));
            prop_assert_eq!(hit.is_some(), linear.hits(claims, now).next().is_some(), "{:?}", claims);
            prop_assert!(hit.is_none_or(|hit| linear.hits(claims, now).any(|entry| entry.rule.canonical() == hit)));
        }
    }
}
