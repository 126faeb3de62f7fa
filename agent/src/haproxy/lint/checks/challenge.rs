//! Does a client that is refused learn what would help it? Where it does not, nothing passes: it is a hint.

use super::variables::read;
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::{Rule, Says};

/// What the agent makes of it.
const CHALLENGE: &str = "challenge";

impl Checked<'_> {
    pub(super) fn challenges(&mut self, guarded: &[Guarded<'_>]) {
        for place in guarded {
            let stem = &place.reader.stem;
            let variable = format!("{stem}.{CHALLENGE}");
            let lines = self.config.proxies.iter().flat_map(|proxy| &proxy.lines);
            if lines.flat_map(|line| &line.words).any(|word| read(word).contains(&variable.as_str())) {
                continue;
            }
            if let Some(rule) = place.rules.iter().find(|rule| is_refusal(place, rule)) {
                self.find(
                    rule.line.place,
                    Id::ChallengeUnused,
                    format!(
                        "Clients that are refused are not told what the agent says would help them ({variable}): which scopes, which \
                         login, where to get a token."
                    ),
                    format!("http-request deny status 401 hdr WWW-Authenticate \"%[var({variable})]\" ..; jwt-agent haproxy-config prints whole lines"),
                );
            }
        }
    }
}

/// Whether it answers 401 or 403 by what the agent says of the token.
fn is_refusal(place: &Guarded<'_>, rule: &Rule<'_>) -> bool {
    let status = rule.value("status").or_else(|| rule.value("deny_status"));
    let is_challenged = match rule.verb() {
        // Without a status it is 403.
        "deny" => status.is_none_or(|status| matches!(status, "401" | "403")),
        "return" => status.is_some_and(|status| matches!(status, "401" | "403")),
        _ => false,
    };
    is_challenged && rule.when.terms().any(|term| matches!(place.reader.says(term), Says::Good | Says::Bad))
}
