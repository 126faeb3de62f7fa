//! Answers that stay open: is the agent told which stream of HAProxy each is, and of all of them?

use super::samples::is_of_the_edge;
use crate::haproxy::lint::checked::{Checked, Guarded};
use crate::haproxy::lint::condition::{Term, Test};
use crate::haproxy::lint::finding::Id;
use crate::haproxy::lint::rules::{Rule, rules};
use crate::haproxy::lint::sections::Proxy;
use crate::haproxy::lint::spoe::Engine;

/// What the message `stream` takes the stream from, what its process, and the lines that set them.
const NAMED: [(&str, &str); 2] = [
    ("txn.tkn_stream", "http-request set-var-fmt(txn.tkn_stream) \"%rt\""),
    ("txn.tkn_process", "http-request set-var-fmt(txn.tkn_process) \"%pid\""),
];

impl Checked<'_> {
    pub(super) fn streams(&mut self, place: &Guarded<'_>) {
        let telling = place.asked_by_rules().find(|(rule, engine)| is_first(rule) && tells(place, engine));
        let Some((asking, engine)) = telling else { return self.untold(place) };
        self.address(place, engine);
        for (variable, cure) in NAMED {
            let above = place.rules.iter().take_while(|rule| rule.line.place < asking.line.place);
            // A frontend may have set it before its backend asks.
            let elsewhere = self.config.proxies.iter().filter(|proxy| proxy.name != place.proxy.name);
            if !sets(above, variable) && !elsewhere.into_iter().any(|proxy| does_set(proxy, variable)) {
                self.find(
                    asking.line.place,
                    Id::StreamUnset,
                    format!(
                        "No line above sets {variable}: the agent is not told which stream this is, and nothing ends it with its token."
                    ),
                    cure,
                );
            }
        }
        self.kept(place);
        self.admin_socket(
            place,
            "The agents find no stats socket with level admin, so that they cannot end a stream whose token ends.",
        );
    }

    /// HAProxy lists its streams by the other end of their connections.
    fn address(&mut self, place: &Guarded<'_>, name: &str) {
        let arguments = place.engines.iter().filter(|engine| engine.name == name).flat_map(Engine::arguments);
        let other = |name: &str, sample: &str| match name {
            "src" => sample != "fc_src",
            "src_port" => sample != "fc_src_port",
            _ => false,
        };
        let wrong: Vec<_> = arguments.filter(|(_, name, sample)| other(name, sample)).collect();
        for (line, name, sample) in wrong {
            self.find(
                line.place,
                Id::StreamUnset,
                format!(
                    "{sample} may be what a proxy in front or `set-src` says: HAProxy does not list the stream by it, and it may not be found when its token ends."
                ),
                format!("{name}=fc_{name}"),
            );
        }
    }

    /// A stream is named, and no question tells of it.
    fn untold(&mut self, place: &Guarded<'_>) {
        let [(variable, _), _] = NAMED;
        let named = place.rules.iter().find(|rule| rule.sets().is_some_and(|(name, _)| name == variable));
        if let Some(rule) = named {
            self.find(
                rule.line.place,
                Id::StreamUnsent,
                "The engine that is asked first does not send the message `stream`: the agent is not told of this stream, and nothing ends it with its token.",
                "filter spoe engine jwt-stream ..  and  http-request send-spoe-group jwt-stream jwt if { var(txn.tkn_stream) -m found }",
            );
        }
    }

    /// What HAProxy answers by itself, the agent does not hear of.
    fn kept(&mut self, place: &Guarded<'_>) {
        let looks_up = |rule: &&Rule<'_>| {
            let value = rule.sets().map(|(_, value)| value).unwrap_or_default();
            value.contains("map_str(") && value.contains("sha2(256)")
        };
        let excludes = |rule: &Rule<'_>| rule.when.terms().any(|term| is_no_stream(place, term));
        if place.rules.iter().any(|rule| is_of_the_edge(rule) && excludes(rule)) {
            return;
        }
        for rule in place.rules.iter().filter(looks_up).filter(|rule| !excludes(rule)) {
            self.find(
                rule.line.place,
                Id::StreamFromMap,
                "A stream may be let in by HAProxy's own map: the agent is not told of it, and nothing ends it with its token.",
                "acl tkn_elsewhere var(txn.tkn_stream) -m found",
            );
        }
    }
}

/// Whether a question is not the one after the first was lost.
fn is_first(rule: &Rule<'_>) -> bool {
    !rule.line.text().contains("spoe_error")
}

fn tells(place: &Guarded<'_>, engine: &str) -> bool {
    let mut engines = place.engines.iter().filter(|known| known.name == engine);
    engines.any(|engine| engine.arguments().any(|(_, name, _)| name == "stream"))
}

fn does_set(proxy: &Proxy, variable: &str) -> bool {
    sets(rules(proxy).iter(), variable)
}

fn sets<'r>(mut rules: impl Iterator<Item = &'r Rule<'r>>, variable: &str) -> bool {
    rules.any(|rule| rule.sets().is_some_and(|(name, _)| name == variable))
}

/// Whether a term holds for no stream.
fn is_no_stream(place: &Guarded<'_>, term: &Term) -> bool {
    let [(variable, _), _] = NAMED;
    let sample = format!("var({variable})");
    let is_found = |words: &[String]| matches!(words, [first, ..] if *first == sample);
    term.is_negated
        && match &term.test {
            Test::Anonymous(words) => is_found(words),
            Test::Named(name) => place.reader.definitions(name).iter().any(|line| is_found(line.from(2))),
        }
}
