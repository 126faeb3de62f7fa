//! Is a request refused whose token is not good, whatever else stands in the place?

use std::collections::BTreeSet;

use super::samples::{is_from_client, is_loose_path, is_of_the_edge};
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::condition::Test;
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::{Coverage, Reader, Rule, Says, rules};
use crate::haproxy::lint::sections::{Line, Proxy};

/// The last of our lines.
const LAST_DENY: &str = "http-request deny status 401 default-errorfiles unless { var(txn.tkn.valid) -m bool } { var(txn.tkn.reason) -m str ok }";
/// Where nothing is known, nothing passes.
const ABSENCE: &str = "http-request deny status 503 default-errorfiles if !{ var(txn.tkn.valid) -m found }";

/// What the refusing rules of a proxy come to.
struct Sum<'a> {
    coverage: Coverage,
    /// The rule with which nothing that is not good is left.
    complete: Option<usize>,
    /// A rule that refuses only a part, and that part's bounds.
    partial: Option<(&'a Line, String)>,
    /// A rule that refuses anything by the answer.
    some: Option<&'a Line>,
}

fn sum<'a>(rules: &[Rule<'a>], reader: &Reader<'_>) -> Sum<'a> {
    let mut sum = Sum { coverage: Coverage::default(), complete: None, partial: None, some: None };
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.refuses()) {
        let coverage = reader.coverage(&rule.when);
        if let Some(bounds) = &coverage.unless {
            sum.partial.get_or_insert((rule.line, bounds.clone()));
        }
        if coverage.absent || coverage.refused {
            sum.some.get_or_insert(rule.line);
        }
        sum.coverage.absent |= coverage.absent;
        sum.coverage.refused |= coverage.refused;
        if sum.coverage.absent && sum.coverage.refused && sum.complete.is_none() {
            sum.complete = Some(index);
        }
    }
    sum
}

impl Checked<'_> {
    /// The names of the proxies behind which every request has a good token, or an exception.
    pub(super) fn decisions(&mut self, guarded: &[Guarded<'_>]) -> BTreeSet<String> {
        let mut protecting = BTreeSet::new();
        for place in guarded {
            let sum = sum(&place.rules, &place.reader);
            self.names_of_decisions(place);
            self.exceptions(place);
            self.set_verdicts(place);
            if place.is_annotating() || self.is_decided_behind(place) {
                protecting.insert(place.proxy.name.clone());
                continue;
            }
            if sum.complete.is_some() {
                protecting.insert(place.proxy.name.clone());
            } else {
                self.undecided(place, &sum);
            }
            self.admitting(place, sum.complete);
        }
        protecting
    }

    fn undecided(&mut self, place: &Guarded<'_>, sum: &Sum<'_>) {
        if let Some((line, bounds)) = &sum.partial {
            return self.find(
                line.place,
                Id::DenyPartial,
                format!(
                    "A request without a good token is refused only in part, as `{bounds}` says; others pass."
                ),
                LAST_DENY,
            );
        }
        match (sum.some, &sum.coverage) {
            (Some(line), Coverage { refused: true, .. }) => self.find(
                line.place,
                Id::FailsOpen,
                "Where the agent is down or late no variable is set, and the request passes.",
                ABSENCE,
            ),
            (Some(line), _) => self.find(
                line.place,
                Id::NoDeny,
                "Only a missing answer is refused: a forged token has an answer, and passes.",
                LAST_DENY,
            ),
            (None, _) => self.find(
                place.filter.place,
                Id::NoDeny,
                "The agent is asked, and no rule here refuses what it does not call good: every request passes.",
                LAST_DENY,
            ),
        }
    }

    /// A frontend that leaves the decision to all of its backends.
    fn is_decided_behind(&self, place: &Guarded<'_>) -> bool {
        let Some(targets) = place.proxy.targets() else { return false };
        let decides = |name: &&str| {
            let Some(proxy) = self.config.proxy(name) else { return false };
            let reader = Reader { proxy, stem: place.reader.stem.clone() };
            sum(&rules(proxy), &reader).complete.is_some()
        };
        place.proxy.takes_clients() && !targets.is_empty() && targets.iter().all(|(name, _)| decides(name))
    }

    fn admitting(&mut self, place: &Guarded<'_>, complete: Option<usize>) {
        let above = place.rules.iter().take(complete.unwrap_or(place.rules.len()));
        let is_open = |rule: &&Rule<'_>| {
            // An answer of HAProxy's own reaches no application: by its name the condition says that it is meant.
            rule.admits()
                && !place.reader.needs_a_good_token(&rule.when)
                && !(rule.verb() == "return" && place.reader.is_declared_open(&rule.when))
        };
        for rule in above.filter(is_open) {
            let what = match rule.verb() {
                "allow" => "It stands above our lines and ends the rules: what it allows needs no token.",
                _ => "It stands above our lines and answers by itself: what it gives needs no token.",
            };
            self.find(
                rule.line.place,
                Id::AdmitsAbove,
                what,
                format!("below our lines: {}", rule.line.text()),
            );
        }
    }

    /// ACLs of our decisions that something else makes true as well.
    fn names_of_decisions(&mut self, place: &Guarded<'_>) {
        let refusing = place.rules.iter().filter(|rule| rule.refuses());
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for term in refusing.flat_map(|rule| rule.when.terms()) {
            if let Test::Named(name) = &term.test
                && place.reader.says(term) != Says::Other
                && place.reader.says(term) != Says::Exception
            {
                names.insert(name);
            }
        }
        for name in names {
            let definitions = place.reader.definitions(name);
            let is_other =
                |line: &&&Line| !line.from(2).join(" ").contains(&format!("var({}.", place.reader.stem));
            if let Some(other) = definitions.iter().find(is_other) {
                self.find(
                    other.place,
                    Id::AclOred,
                    format!("HAProxy joins ACLs of one name with \"or\": what makes this `{name}` true passes with a forged token."),
                    LAST_DENY,
                );
            }
        }
    }

    /// What needs no token, and by what it is told.
    fn exceptions(&mut self, place: &Guarded<'_>) {
        let rules = place.rules.iter().filter(|rule| rule.refuses());
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for term in rules.flat_map(|rule| rule.when.terms()) {
            if let Test::Named(name) = &term.test
                && place.reader.says(term) == Says::Exception
            {
                names.insert(name);
            }
        }
        for line in names.into_iter().flat_map(|name| place.reader.definitions(name)) {
            let words = line.from(2);
            if is_from_client(words.first().map_or("", String::as_str)) {
                self.find(
                    line.place,
                    Id::ExceptionFromClient,
                    "The client writes this part of the request, and so it chooses to need no token.",
                    "acl tkn_public  path -m str /health",
                );
            } else if is_loose_path(words) {
                self.find(
                    line.place,
                    Id::PublicPath,
                    "`/public/../private`, `/public/%2e%2e/private` and their like look public here, and are not for the application.",
                    "jwt-agent haproxy-config --open PATH (it prints the ACL)",
                );
            }
        }
    }

    /// Rules that call a token good by themselves.
    fn set_verdicts(&mut self, place: &Guarded<'_>) {
        let valid = format!("{}.valid", place.reader.stem);
        for rule in &place.rules {
            let is_verdict = rule.sets().is_some_and(|(name, _)| name == valid);
            if is_verdict && !is_of_the_edge(rule) {
                self.find(
                    rule.line.place,
                    Id::VerdictSet,
                    "A rule says by itself that a token is good; what it is true for needs no token.",
                    "(leave the line out; for paths without a token see --open of jwt-agent haproxy-config)",
                );
            }
        }
    }

    pub(super) fn filters(&mut self, place: &Guarded<'_>) {
        for line in place.proxy.with(&["filter-sequence"]) {
            self.find(
                line.place,
                Id::FilterSequence,
                "It names the filters that run: one of our two, or both, are left out, and every request gets 503.",
                "(leave the line out in a proxy with our lines)",
            );
        }
    }
}

/// Whether a proxy refuses by itself what is not good.
pub(super) fn is_protected(proxy: &Proxy, stem: &str) -> bool {
    let reader = Reader { proxy, stem: stem.to_owned() };
    sum(&rules(proxy), &reader).complete.is_some()
}
