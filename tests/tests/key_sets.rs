//! Key sets by chance, read by two other libraries and by us: what one of them reads in one way, we read in the same way, or
//! leave out for a reason of a closed list; and what we read and they do not is on another.
//!
//! What is compared is which tokens verify. Both lists, each entry with its why, are tables of docs/KEYS.md.

mod changes;
mod generator;
mod pool;

use std::collections::BTreeMap;
use std::fs;

use integration_tests::interop::{node, output, python};
use integration_tests::process::repository;
use jose::{AlgorithmSet, Jws, KeyOrigin, KeyRules, KeySet, KeySetError, Profile};
use serde_json::{Value, json};

use generator::{Case, Dice, Token};

/// Another one makes other sets. The keys are new in each run, the changes to them are not.
const SEED: u64 = 20_261_127;

const SETS: usize = 1_500;

const RULES: KeyRules = KeyRules {
    origin: KeyOrigin::Url,
    profile: Profile::Standard,
    allow_short_secrets: false,
    allow_mixed_keys: false,
};

/// What one library says of the tokens of one set: nothing where it cannot read such a set.
type Answers = Vec<Option<bool>>;

/// A list: the first column of a table of docs/KEYS.md, and the changes that its second one names in backticks, if any.
type List = BTreeMap<String, Vec<String>>;

fn listed(heading: &str) -> List {
    let text = fs::read_to_string(repository().join("docs/KEYS.md")).unwrap();
    let section = text.split_once(heading).unwrap_or_else(|| panic!("{heading} is missing")).1;
    let section = section.split("\n#").next().unwrap();
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').collect();
        (quoted(cells[1]).remove(0), if cells.len() > 4 { quoted(cells[2]) } else { Vec::new() })
    })
    .collect()
}

fn read_by(program: std::process::Command, cases: &[Case]) -> Vec<Answers> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let documents: Vec<Value> = cases
        .iter()
        .map(|case| {
            let tokens: Vec<_> = case.tokens.iter().map(|token| &token.text).collect();
            json!({"form": case.form, "text": case.text, "tokens": tokens})
        })
        .collect();
    fs::write(file.path(), Value::Array(documents).to_string()).unwrap();
    let mut program = program;
    program.arg(file.path());
    let answers: Vec<Answers> = serde_json::from_value(output(program)).unwrap();
    assert_eq!(answers.len(), cases.len());
    answers
}

/// Why we refuse a token of a key in the set, in the words of the list.
fn why_refused(set: &Result<KeySet, KeySetError>, token: &Token) -> String {
    let position = token.place.map(|place| place + 1);
    let skipped = match set {
        Ok(set) => set.skipped(),
        Err(KeySetError::NoneUsable(skipped)) => skipped,
        Err(KeySetError::Repeated) => return "malformed".to_owned(),
        Err(error) => return format!("document: {error}"),
    };
    let skipped = skipped.iter().find(|skipped| Some(skipped.position) == position);
    match (skipped, set) {
        (Some(skipped), _) => skipped.reason.word().to_owned(),
        (None, Ok(set)) => match Jws::verify(&token.text, set, AlgorithmSet::ALL) {
            Err(_) if token.is_short => "a longer hash".to_owned(),
            verdict => format!("token: {verdict:?}"),
        },
        (None, Err(_)) => "unexplained".to_owned(),
    }
}

/// What was seen of one kind: how often, and the first time in full.
#[derive(Default)]
struct Seen(BTreeMap<String, (usize, String)>);

impl Seen {
    fn note(&mut self, what: String, example: impl FnOnce() -> String) {
        self.0.entry(what).or_insert_with(|| (0, example())).0 += 1;
    }

    fn assert_is(&self, listed: &List, list: &str) {
        let unknown: Vec<_> = self
            .0
            .iter()
            .filter(|(what, _)| !listed.contains_key(*what))
            .map(|(what, (times, example))| format!("{what} ({times} times): {example}"))
            .collect();
        assert!(unknown.is_empty(), "not on the list '{list}':\n{}", unknown.join("\n\n"));
        let seen: Vec<_> = self.0.keys().collect();
        assert_eq!(seen, listed.keys().collect::<Vec<_>>(), "everything on the list '{list}' is seen");
    }

    fn print(&self, list: &str) {
        for (what, (times, _)) in &self.0 {
            println!("{list}: {what}: {times} tokens");
        }
    }
}

#[test]
fn key_sets_are_read_as_two_other_libraries_read_them_or_left_out_for_a_listed_reason() {
    let pool = pool::members();
    let mut dice = Dice(SEED);
    let cases: Vec<_> = (0..SETS).map(|_| Case::roll(&mut dice, &pool)).collect();
    let (by_node, by_python) =
        (read_by(node("read_keys.mjs"), &cases), read_by(python("read_keys.py"), &cases));
    let (refused, tolerated) = (listed("### Left out here"), listed("### Read here alone"));
    let (mut left_out, mut read_alone) = (Seen::default(), Seen::default());
    let (mut tokens, mut alike, mut accepted) = (0, 0, 0);
    for (number, case) in cases.iter().enumerate() {
        let set = KeySet::parse(case.text.as_bytes(), &RULES);
        for (index, token) in case.tokens.iter().enumerate() {
            let ours = set.as_ref().is_ok_and(|set| Jws::verify(&token.text, set, AlgorithmSet::ALL).is_ok());
            let theirs = [by_node[number][index], by_python[number][index]];
            let example = || {
                format!(
                    "set {number}, token {index} of key {:?}: we say {ours}, jose and joserfc {theirs:?}; changes {:?} {:?}; {} \
                     {:?}\n{}\n{}",
                    token.place,
                    case.changes,
                    case.of_document,
                    case.form,
                    set.as_ref().map(|set| set.skipped().to_vec()),
                    case.text,
                    token.text
                )
            };
            tokens += 1;
            let Some(place) = token.place else {
                assert!(!ours && !theirs.contains(&Some(true)), "a stranger's token: {}", example());
                alike += 1;
                continue;
            };
            let one_reads = theirs.contains(&Some(true));
            let all_refuse = !one_reads && theirs.contains(&Some(false));
            accepted += usize::from(ours);
            let changes = &case.changes[place];
            if one_reads && !ours {
                let reason = why_refused(&set, token);
                let after = refused.get(&reason).filter(|after| !after.is_empty());
                let is_so =
                    after.is_none_or(|after| after.iter().any(|change| changes.contains(&change.as_str())));
                left_out.note(if is_so { reason } else { format!("{reason} after {changes:?}") }, example);
            } else if ours && all_refuse {
                let known = tolerated.keys().find(|listed| changes.contains(&listed.as_str()));
                let what = known.cloned().unwrap_or_else(|| format!("{changes:?}, {:?}", case.of_document));
                read_alone.note(what, example);
            } else {
                alike += 1;
            }
        }
    }
    println!("{SETS} sets, {tokens} tokens: {alike} decided alike, {accepted} accepted here");
    left_out.print("left out here");
    read_alone.print("read here alone");
    assert!(accepted > tokens / 5 && alike > tokens / 2, "the sets say little");
    left_out.assert_is(&refused, "left out here");
    read_alone.assert_is(&tolerated, "read here alone");
}
