//! Tokens that do not say when they were issued.

#![expect(clippy::expect_used, reason = "a test's helpers fail by panicking")]

use rules::{Claims, ExpireAt, Issued, Rule, RuleEntry, RuleSet, Token};

/// Whether a rule alone, a set of it, and one of many rules say the same, and what.
fn hits(rule: &str, claims: &str, issued: Issued) -> bool {
    let claims: Claims = serde_json::from_str(claims).expect("claims");
    let token = Token { claims: &claims, issued };
    let rule = Rule::parse(rule).expect("a rule");
    let alone = rule.matches(token);
    for others in [0, 20] {
        let mut set = RuleSet::default();
        let fill = |number| Rule::parse(&format!("{{\"fill\":{number}}}")).expect("a rule");
        for rule in (0..others).map(fill).chain([rule.clone()]) {
            assert_eq!(set.insert(RuleEntry { rule, expire_at: ExpireAt::Never }), Ok(()));
        }
        assert_eq!(set.matches(token, 0), alone, "{} among {others} others", rule.canonical());
        assert_eq!(set.first_match(token, 0).is_some(), alone, "{}", rule.canonical());
    }
    alone
}

#[test]
fn a_bound_on_iat_that_is_an_upper_one_or_beside_one_holds_for_a_token_that_is_not_dated() {
    for (rule, without, ahead) in [
        (r#"{"iat":{"lt":5}}"#, true, true),
        (r#"{"iat":{"lte":5}}"#, true, true),
        (r#"{"iat":{"gt":1,"lt":5}}"#, true, true),
        (r#"{"iat":{"gte":1,"lte":5}}"#, true, true),
        (r#"{"iat":{"gte":5,"lte":5}}"#, true, true),
        (r#"{"iat":{"gt":9,"lt":5}}"#, false, true),
        (r#"{"iat":{"gt":9,"lt":5},"rt":"y"}"#, false, false),
        (r#"{"rt":"x","iat":{"gt":1,"lt":5}}"#, true, true),
        (r#"{"rt":"y","iat":{"gt":1,"lt":5}}"#, false, false),
        (r#"{"_or":true,"rt":"y","n":{"iat":{"gt":1,"lt":5}}}"#, true, true),
        (r#"{"iat":{"gt":1},"n":{"_or":true,"rt":{"eq":"x"},"iat":{"lt":5}}}"#, true, true),
        (r#"{"iat":{"lt":5},"n":{"_or":true,"rt":{"eq":"y"},"iat":{"gt":1}}}"#, true, true),
        (r#"{"n":{"_or":true,"rt":{"eq":"y"},"m":{"iat":{"gt":1,"lt":5}}}}"#, true, true),
        // A lower bound alone is compared as it stands.
        (r#"{"iat":{"gt":1}}"#, false, true),
        (r#"{"_or":true,"iat":{"gt":1},"rt":"y"}"#, false, true),
        (r#"{"_or":true,"a":{"iat":{"gt":1}},"b":{"rt":{"eq":"y"},"iat":{"lt":5}}}"#, false, true),
        (r#"{"iat":{"gt":1},"exp":{"lt":5}}"#, false, false),
        // What is no bound is compared as it stands, too.
        (r#"{"iat":5}"#, false, false),
        (r#"{"iat":{"ne":5}}"#, true, true),
        (r#"{"iat":{"sw":"17"}}"#, false, true),
        (r#"{"iat":{"lt":"yesterday"}}"#, false, false),
        (r#"{"iat":{"lt":"5"}}"#, true, true),
        (r#"{"iat":{"gt":"tomorrow","lt":5}}"#, false, false),
        // Other dates are no time of issue.
        (r#"{"exp":{"lt":5}}"#, false, false),
        (r#"{"a.iat":{"lt":5}}"#, false, false),
    ] {
        for (claims, expected) in
            [(r#"{"rt":"x","exp":9}"#, without), (r#"{"rt":"x","exp":9,"iat":1700000000000}"#, ahead)]
        {
            assert_eq!(hits(rule, claims, Issued::Unknown), expected, "{rule} {claims}");
        }
        let as_told = hits(rule, r#"{"rt":"x","exp":9}"#, Issued::AsTold);
        assert_eq!(as_told, rule == r#"{"iat":{"ne":5}}"#, "{rule} compared as it stands");
    }
}

#[test]
fn a_token_that_is_dated_is_compared_as_it_stands() {
    for (iat, hit) in [(0, false), (1, false), (2, true), (4, true), (5, false)] {
        let claims = format!(r#"{{"iat":{iat}}}"#);
        assert_eq!(hits(r#"{"iat":{"gt":1,"lt":5}}"#, &claims, Issued::AsTold), hit, "{iat}");
    }
}
