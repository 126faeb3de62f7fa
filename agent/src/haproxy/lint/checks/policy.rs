//! Who chooses the policy of a request: our rules, or the client?

use super::samples::{POLICY, is_loose_path};
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::condition::{Term, Test};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::Rule;
use crate::haproxy::lint::spoe::Engine;

/// The arguments of the message `mcp`. A header that is not counted counts as one that came twice.
const CALL: [&str; 6] =
    ["mcp_method", "mcp_method_count", "mcp_name", "mcp_name_count", "mcp_version", "mcp_version_count"];

/// Whether a sample is what a client writes of itself. What it asks for (path, host, method) decides what it gets.
fn is_clients_word(sample: &str) -> bool {
    let mut sample = sample.replace("fhdr_cnt(", "");
    for asked in ["req.hdr(host)", "req.fhdr(host)", "hdr(host)", "fhdr(host)"] {
        sample = sample.replace(asked, "");
    }
    ["hdr(", "hdr_", "cook(", "url_param(", "urlp(", "query", "req.body", "pathq", "req_ver"]
        .iter()
        .any(|part| sample.contains(part))
}

/// The words of a term's test, for a path.
fn path_test<'a>(place: &'a Guarded<'_>, term: &'a Term) -> Vec<&'a [String]> {
    let tests: Vec<&[String]> = match &term.test {
        Test::Anonymous(words) => vec![words],
        Test::Named(name) => place.reader.definitions(name).iter().map(|line| line.from(2)).collect(),
    };
    let is_path = |words: &&[String]| {
        let sample = words.first().map_or("", String::as_str);
        ["path", "url", "base"].iter().any(|kind| sample.starts_with(kind))
            && !sample.starts_with("url_param")
    };
    tests.into_iter().filter(is_path).collect()
}

impl Checked<'_> {
    pub(super) fn policies(&mut self, place: &Guarded<'_>) {
        for engine in &place.engines {
            for (line, name, sample) in engine.arguments() {
                if name == "policy" && is_clients_word(sample) {
                    self.policy_from_client(line.place);
                }
            }
        }
        let choices: Vec<(&Rule<'_>, String)> = place
            .rules
            .iter()
            .filter_map(|rule| {
                let (name, value) = rule.sets()?;
                (name == POLICY).then_some((rule, value))
            })
            .collect();
        let Some((first, _)) = choices.first() else { return };
        if place.asked_by_rules().all(|(rule, _)| rule.line.text().contains("spoe_error")) {
            self.find(
                first.line.place,
                Id::PolicyLate,
                "The agent is asked by an event, before any rule: it never hears of this policy, and applies its default one.",
                "filter spoe engine jwt-group ..  and below the policy: http-request send-spoe-group jwt-group jwt",
            );
        }
        if first.when.terms().any(|term| !path_test(place, term).is_empty()) {
            self.find(
                first.line.place,
                Id::PolicyLaxDefault,
                "A path that is not listed, in an odd spelling perhaps, has the agent's default policy instead of the strictest one.",
                "http-request set-var(txn.tkn_policy) str(STRICTEST)  above this line, and list what has a laxer one",
            );
        }
        for (rule, value) in &choices {
            let is_client_chosen = is_clients_word(value)
                || rule.when.terms().any(|term| match &term.test {
                    Test::Anonymous(words) => words.first().is_some_and(|sample| is_clients_word(sample)),
                    Test::Named(name) => {
                        place.reader.definitions(name).iter().any(|line| is_clients_word(line.word(2)))
                    }
                });
            if is_client_chosen {
                self.policy_from_client(rule.line.place);
            }
            self.paths(place, rule);
            self.named(place, rule, value);
        }
    }

    fn policy_from_client(&mut self, place: crate::haproxy::lint::finding::Place) {
        self.find(
            place,
            Id::PolicyFromClient,
            "The client writes this part of the request, and so it chooses by which policy it is judged.",
            "http-request set-var(txn.tkn_policy) str(NAME)  by what the request asks for: path, host, method",
        );
    }

    fn paths(&mut self, place: &Guarded<'_>, rule: &Rule<'_>) {
        for words in rule.when.terms().flat_map(|term| path_test(place, term)) {
            let is_without_case = words.iter().any(|word| word == "-i")
                || words.first().is_some_and(|sample| sample.contains("lower"));
            if !is_without_case {
                self.find(
                    rule.line.place,
                    Id::PolicyPathCase,
                    "The path is compared with its letters: many applications take /ADMIN for /admin.",
                    "{ path -i -m reg ^/api/users(/[A-Za-z0-9_~!$&-,=:@-]+([.][A-Za-z0-9_~!$&-,=:@-]+)*)*/?$ }",
                );
            }
            if is_loose_path(words) {
                self.find(
                    rule.line.place,
                    Id::PolicyPathPrefix,
                    "What only begins or ends like the path has this policy too: /api/..;/admin, //admin, /%61dmin.",
                    "jwt-agent haproxy-config --policy '*=STRICTEST' --policy '/api/users/*=NAME' (it prints the rules)",
                );
            }
        }
    }

    fn named(&mut self, place: &Guarded<'_>, rule: &Rule<'_>, value: &str) {
        let Some(known) = &self.agent.policies else { return };
        let constant = value.strip_prefix("str(").and_then(|text| text.strip_suffix(')'));
        let named = match (rule.verb().starts_with("set-var-fmt"), constant) {
            (true, _) if !value.contains('%') => value,
            (false, Some(text)) => text,
            _ => return,
        };
        if self.agent.calls.iter().any(|name| name == named) {
            self.calls(place, rule, named);
        } else if !known.iter().any(|name| name == named) {
            let what = format!("The agents have no policy {named}: every request for it gets 503.");
            let cure = format!("[[policies]] with name = \"{named}\" in the file of JWT_CONFIG");
            self.find(rule.line.place, Id::PolicyUnknown, what, cure);
        }
    }

    /// A name of rows that choose a policy by the call, which each engine that is asked has to tell of.
    fn calls(&mut self, place: &Guarded<'_>, rule: &Rule<'_>, named: &str) {
        let asked: Vec<&str> = place.asked_by_rules().map(|(_, engine)| engine).collect();
        let tells = |engine: &Engine| {
            CALL.iter().all(|wanted| engine.arguments().any(|(_, argument, _)| argument == *wanted))
        };
        let silent: Vec<&str> = place
            .engines
            .iter()
            .filter(|engine| asked.contains(&engine.name.as_str()) && !tells(engine))
            .map(|engine| engine.name.as_str())
            .collect();
        if let Some(engine) = silent.first() {
            let what = format!(
                "Rows of [[mcp]] named {named} judge calls, and the engine {engine} does not tell the agent which call it is: each gets 400."
            );
            let cure = "filter spoe engine jwt-mcp ..  and  http-request send-spoe-group jwt-mcp jwt";
            self.find(rule.line.place, Id::McpUnsent, what, cure);
        }
    }
}
