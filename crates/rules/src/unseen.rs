//! Which fields of a rule no token has: mostly names that were misspelt.

use crate::Claims;
use crate::field::Field;

/// Fields of a rule that none of the tokens seen so far has.
#[derive(Debug)]
pub struct UnseenFields<'r>(pub(crate) Vec<&'r Field>);

impl UnseenFields<'_> {
    /// A token with these claims is seen.
    pub fn see(&mut self, claims: &Claims) {
        self.0.retain(|field| field.find_value(claims, |_| Some(())).is_none());
    }

    /// The names of those that are left, as the rule has them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.name())
    }
}

#[cfg(test)]
mod tests {
    use crate::Rule;

    #[test]
    fn a_field_is_seen_when_some_token_has_it_by_name_or_by_path() {
        let rule = r#"{"iatt":{"lt":5},"a.b":1,"x":{"_or":true,"rt":{"eq":1,"ne":2},"list[0]":{"gt":1}}}"#;
        let rule = Rule::parse(rule).expect("a rule");
        for (tokens, names) in [
            (&[][..], &["a.b", "iatt", "list[0]", "rt"][..]),
            (&["{}"], &["a.b", "iatt", "list[0]", "rt"]),
            (&[r#"{"a":{"b":null}}"#, r#"{"list":[]}"#], &["iatt", "list[0]", "rt"]),
            (&[r#"{"a.b":2,"rt":0}"#, r#"{"list":[7],"iat":5}"#], &["iatt"]),
            (&[r#"{"a.b":2,"rt":0,"list":[7],"iatt":5}"#], &[]),
        ] {
            let mut unseen = rule.unseen_fields();
            for token in tokens {
                unseen.see(&serde_json::from_str(token).expect(token));
            }
            let mut left: Vec<_> = unseen.names().collect();
            left.sort_unstable();
            assert_eq!(left, names, "{tokens:?}");
        }
    }
}
