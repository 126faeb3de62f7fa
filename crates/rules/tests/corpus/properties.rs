//! What must hold for every text that is given as rules and claims.

use rules::{Claims, ExpireAt, MAX_RULE_BYTES, Rule, RuleEntry, RuleSet};

/// The first line is a token's payload, every other one a rule: what is understood means one thing, in whatever set.
///
/// That a match ends in time is the fuzzer's to see, which stops an input that takes ten seconds.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines = text.split('\n');
    let payload = lines.next().unwrap_or_default();
    let claims: Claims = serde_json::from_str(payload).unwrap_or_default();

    let mut set = RuleSet::default();
    let mut kept: Vec<Rule> = Vec::new();
    for line in lines {
        let rule = match Rule::parse(line) {
            Ok(rule) => rule,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                continue;
            }
        };
        assert!(line.len() <= MAX_RULE_BYTES);
        let again = Rule::parse(rule.canonical()).expect("a canonical text is a rule");
        assert_eq!(again, rule);
        assert_eq!(again.canonical(), rule.canonical());
        assert!(!rule.matches_everything() || rule.matches(&claims), "{line}");

        let admitted = set.admits(&rule);
        let entry = RuleEntry { rule: rule.clone(), expire_at: ExpireAt::Never };
        assert_eq!(set.insert(entry).is_ok(), admitted.is_ok(), "{line}");
        if admitted.is_ok() {
            assert!(set.contains(rule.canonical()));
            kept.retain(|known| known.canonical() != rule.canonical());
            kept.push(rule);
        }
    }
    assert_eq!(set.len(), kept.len());
    let expected = kept.iter().any(|rule| rule.matches(&claims));
    let found = set.first_match(&claims, 1).is_some();
    // All patterns of a set share one bound on their work, at which a rule counts as a match.
    let has_patterns = kept.iter().any(|rule| rule.canonical().contains("regex"));
    assert!(found == expected || (found && has_patterns), "alone: {expected}, in a set: {found}");
    for rule in &kept {
        assert!(set.remove(rule.canonical()), "{}", rule.canonical());
    }
    assert!(set.is_empty() && set.first_match(&claims, 1).is_none() && set.scanned_len() == 0);
}
