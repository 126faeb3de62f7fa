//! Is each variable that a line reads set by something?

use std::collections::BTreeSet;

use crate::answer::Variables;
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::{Id, Place};

/// A variable of the contract that no answer has yet.
const TTL: &str = "ttl";

/// What the message takes of a request where a rule sets it; the rest of our lines may ask for it.
const OFFERED: [&str; 10] = [
    "tkn_token",
    "tkn_token_count",
    "tkn_policy",
    "tkn_cookie",
    "tkn_cookies",
    "tkn_cookies_count",
    "tkn_parameter",
    "tkn_query",
    "tkn_ws_protocol",
    "tkn_ws_protocol_count",
];

/// The names in `var(NAME)`, where it is read.
pub(super) fn read(word: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = word;
    let mut before = "";
    while let Some((head, tail)) = rest.split_once("var(") {
        before = if head.is_empty() { before } else { head };
        let end = tail.find([')', ',']).unwrap_or(tail.len());
        if !before.ends_with("set-") {
            names.extend(tail.get(..end));
        }
        rest = tail.get(end..).unwrap_or_default();
        before = "";
    }
    names
}

impl Checked<'_> {
    pub(super) fn variables(&mut self, guarded: &[Guarded<'_>]) {
        let mut set: BTreeSet<&str> = BTreeSet::new();
        for line in self.config.proxies.iter().flat_map(|proxy| &proxy.lines) {
            for word in &line.words {
                let name = word.split_once("set-var(").or_else(|| word.split_once("set-var-fmt("));
                if let Some((head, rest)) = name
                    && !head.ends_with("un")
                {
                    set.extend(rest.split([')', ',']).next());
                }
            }
        }
        let prefixes: BTreeSet<&str> =
            guarded.iter().flat_map(|place| place.engines.iter().map(|engine| engine.prefix())).collect();
        let errors: BTreeSet<&str> = guarded
            .iter()
            .flat_map(|place| place.engines.iter().filter_map(|engine| engine.set_on_error.as_deref()))
            .collect();
        let mut found: Vec<(Place, String)> = Vec::new();
        for line in self.config.proxies.iter().flat_map(|proxy| &proxy.lines) {
            for name in line.words.iter().flat_map(|word| read(word)) {
                let Some((scope, rest)) = name.split_once('.') else { continue };
                let (stem, variable) = rest.split_once('.').unwrap_or((rest, ""));
                let is_ours = prefixes.contains(stem) || stem == "tkn" || rest.starts_with("tkn_");
                if !is_ours || set.contains(name) {
                    continue;
                }
                let is_sent = scope == "txn"
                    && prefixes.contains(stem)
                    && (Variables::is_sent(variable) || variable == TTL || errors.contains(variable));
                let is_offered = scope == "txn" && OFFERED.contains(&rest);
                if is_offered || (is_sent && (errors.contains(variable) || self.agent.sends(variable))) {
                    continue;
                }
                let cause = if is_sent {
                    "JWT_VARIABLES does not name it"
                } else {
                    "no rule and no answer of the agent sets it"
                };
                found.push((line.place, format!("The variable {name} is always empty: {cause}.")));
            }
        }
        for (place, what) in found {
            self.find(
                place,
                Id::VariableUnset,
                what,
                "txn.tkn. and a name of docs/VARIABLES.md, named in JWT_VARIABLES where that is set",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_is_read_and_not_what_is_set() {
        assert_eq!(read("%[var(txn.a)]/%[var(txn.b),lower]"), ["txn.a", "txn.b"]);
        assert_eq!(read("set-var(txn.a)"), [""; 0]);
        assert_eq!(read("unset-var(txn.a)"), [""; 0]);
        assert_eq!(read("token=var(txn.a)"), ["txn.a"]);
        assert_eq!(read("path"), [""; 0]);
    }
}
