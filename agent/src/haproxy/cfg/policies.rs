//! The policies that the rules of a haproxy.cfg name, so that a name without a policy is found before a request is.
//!
//! Only a name that stands in the rule itself is read. What a rule computes is known when a request comes, and not here.

use std::collections::BTreeSet;

use super::words::{Piece, plain};

/// What the shipped files name it.
const VARIABLE: &str = "txn.tkn_policy";
/// What they named it before. The rules of a file that sets the newer one may use this name for something else.
const OLD_VARIABLE: &str = "txn.policy";

/// A policy that a rule names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedPolicy {
    /// The line of the rule, from 1.
    pub line: usize,
    /// The policy.
    pub name: String,
}

/// What the rules of a file say of policies.
#[derive(Debug, Clone, Default)]
pub(super) struct Policies {
    named: BTreeSet<NamedPolicy>,
    named_before: BTreeSet<NamedPolicy>,
    is_set: bool,
}

impl Policies {
    /// Takes note of what a line sets.
    pub(super) fn read(&mut self, line: usize, words: &[Vec<Piece>]) {
        for (position, word) in words.iter().enumerate() {
            let Some((action, variable)) = plain(word).and_then(action) else { continue };
            let value = words.get(position + 1).and_then(|value| plain(value));
            let name = value.and_then(|value| match action {
                "set-var" => constant(value),
                _ => (!value.contains('%')).then_some(value),
            });
            let named =
                name.filter(|name| !name.is_empty()).map(|name| NamedPolicy { line, name: name.to_owned() });
            if variable == VARIABLE {
                self.is_set = true;
                self.named.extend(named);
            } else {
                self.named_before.extend(named);
            }
        }
    }

    /// Those of the variable in use.
    pub(super) const fn named(&self) -> &BTreeSet<NamedPolicy> {
        if self.is_set { &self.named } else { &self.named_before }
    }
}

/// `set-var(NAME)` or `set-var-fmt(NAME)` of a policy, with or without conditions behind the name, as in `(NAME,ifempty)`.
fn action(word: &str) -> Option<(&str, &str)> {
    let (action, rest) = word.split_once('(')?;
    let variable = rest.strip_suffix(')')?.split(',').next()?.trim();
    (matches!(action, "set-var" | "set-var-fmt") && matches!(variable, VARIABLE | OLD_VARIABLE))
        .then_some((action, variable))
}

/// The text of `str(text)`, where no quotes, escapes or converters follow their own rules.
fn constant(expression: &str) -> Option<&str> {
    let text = expression.strip_prefix("str(")?.strip_suffix(')')?;
    let text = ['\'', '"']
        .into_iter()
        .find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text);
    (!text.contains(['(', ')', ',', '\'', '"', '\\'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use crate::haproxy::cfg::HaproxyCfg;

    fn named(cfg: &str) -> Vec<(usize, String)> {
        let cfg = HaproxyCfg::parse(cfg).unwrap();
        cfg.policies().iter().map(|policy| (policy.line, policy.name.clone())).collect()
    }

    #[test]
    fn reads_the_names_that_stand_in_rules() {
        for (rule, name) in [
            ("http-request set-var(txn.tkn_policy) str(admin)", Some("admin")),
            ("tcp-request content set-var(txn.tkn_policy) str(admin) if TRUE", Some("admin")),
            ("http-request set-var(txn.tkn_policy,ifempty) str(admin)", Some("admin")),
            (r#"http-request set-var(txn.tkn_policy) "str('admin')""#, Some("admin")),
            (r#"http-request set-var(txn.tkn_policy) str("admin")"#, Some("admin")),
            ("http-request set-var-fmt(txn.tkn_policy) admin", Some("admin")),
            (r#"http-request set-var-fmt(txn.tkn_policy) "admin""#, Some("admin")),
            ("http-request set-var(txn.policy) str(admin)", Some("admin")),
            // What cannot be compared.
            ("http-request set-var(txn.tkn_policy) path", None),
            ("http-request set-var(txn.tkn_policy) str(admin),lower", None),
            ("http-request set-var(txn.tkn_policy) str(admin),concat(,txn.a)", None),
            (r#"http-request set-var(txn.tkn_policy) "str(${POLICY})""#, None),
            ("http-request set-var-fmt(txn.tkn_policy) %[path]", None),
            ("http-request set-var(txn.tkn_policy) str()", None),
            ("http-request set-var(txn.tkn_policy)", None),
            // What is no policy of ours.
            ("http-request set-var(txn.other) str(admin)", None),
            ("http-request set-var(req.tkn_policy) str(admin)", None),
            ("http-request unset-var(txn.tkn_policy)", None),
            ("# http-request set-var(txn.tkn_policy) str(admin)", None),
            (r#"http-request set-var(txn.tkn_policy) "str(admin)"#, None),
        ] {
            let expected: Vec<_> = name.map(|name| (2, name.to_owned())).into_iter().collect();
            assert_eq!(named(&format!("frontend web\n{rule}\n")), expected, "{rule}");
        }
    }

    #[test]
    fn the_older_variable_is_someone_elses_where_the_newer_one_is_set() {
        let newer = "http-request set-var(txn.tkn_policy) path\n";
        let older = "http-request set-var(txn.policy) str(cheap)\n";
        assert_eq!(named(older), [(1, "cheap".to_owned())]);
        assert_eq!(named(&format!("{older}{newer}")), []);
    }
}
