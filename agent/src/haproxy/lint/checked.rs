//! A configuration in one world, its places with our filter, and what is found there.

use std::collections::BTreeMap;

use super::agent::Agent;
use super::condition::Term;
use super::files::Files;
use super::finding::{Finding, Id, Place};
use super::rules::{Reader, Rule, Says, rules};
use super::sections::{Config, Line, Proxy};
use super::spoe::{Engine, PREFIX, engines};

/// A proxy with our filter.
pub struct Guarded<'a> {
    pub proxy: &'a Proxy,
    /// The first of our filters.
    pub filter: &'a Line,
    /// Our engines there.
    pub engines: Vec<Engine>,
    pub rules: Vec<Rule<'a>>,
    pub reader: Reader<'a>,
}

impl Guarded<'_> {
    /// Whether an event asks the agent, before any rule.
    pub fn is_asked_by_event(&self) -> bool {
        self.engines.iter().any(|engine| engine.has_event) && self.proxy.takes_clients()
    }

    /// The engines that a rule asks.
    pub fn asked_by_rules(&self) -> impl Iterator<Item = (&Rule<'_>, &str)> {
        self.rules.iter().filter_map(|rule| {
            let engine = rule.action.get(1)?;
            (rule.verb() == "send-spoe-group").then_some((rule, engine.as_str()))
        })
    }

    /// Whether a request goes on whatever the agent says, with headers that tell the application.
    pub fn is_annotating(&self) -> bool {
        self.rules.iter().any(|rule| {
            matches!(rule.action, [verb, name, value, ..] if verb == "set-header" && name == "x-tkn-valid" && value == "0")
                && rule.when.terms().any(|term| self.asks_for_an_answer(term))
        })
    }

    fn asks_for_an_answer(&self, term: &Term) -> bool {
        term.is_negated && self.reader.says(term) == Says::Found
    }
}

/// One world, and what is found in it.
pub struct Checked<'a> {
    pub config: &'a Config,
    pub agent: &'a Agent,
    pub guarded: Vec<Guarded<'a>>,
    /// The names of the files.
    names: Vec<String>,
    pub findings: Vec<Finding>,
}

impl<'a> Checked<'a> {
    pub fn new(config: &'a Config, agent: &'a Agent, files: &mut Files) -> Self {
        let mut checked =
            Self { config, agent, guarded: Vec::new(), names: Vec::new(), findings: Vec::new() };
        let mut known: BTreeMap<usize, Vec<Engine>> = BTreeMap::new();
        for proxy in &config.proxies {
            checked.look_for_filters(proxy, files, &mut known);
        }
        checked.names = files.names();
        checked
    }

    fn look_for_filters(
        &mut self,
        proxy: &'a Proxy,
        files: &mut Files,
        known: &mut BTreeMap<usize, Vec<Engine>>,
    ) {
        let mut found: Option<(&'a Line, Vec<Engine>)> = None;
        for line in proxy.with(&["filter", "spoe"]) {
            let after = |name: &str| {
                let position = line.words.iter().position(|word| word == name)?;
                Some(line.word(position.saturating_add(1)))
            };
            let name = after("engine").unwrap_or_default();
            let Some(path) = after("config") else { continue };
            let Some(index) = files.spoe(path, line.place) else {
                if name.starts_with("jwt") {
                    self.find(
                        line.place,
                        Id::SpoeFile,
                        format!("The SPOE file {path} cannot be read here, so that it is not known what the agent is asked."),
                        format!("jwt-agent haproxy-lint HAPROXY.CFG {path}"),
                    );
                }
                continue;
            };
            let engines = known.entry(index).or_insert_with(|| {
                files
                    .text(index)
                    .map(|text| engines(index, text, &self.config.environment))
                    .unwrap_or_default()
            });
            let engine = engines
                .iter()
                .find(|engine| engine.name == name || (name.is_empty() && engine.name.is_empty()));
            match engine {
                Some(engine) if engine.is_ours() => {
                    found.get_or_insert((line, Vec::new())).1.push(engine.clone());
                }
                Some(_) => {}
                None if name.starts_with("jwt") => self.find(
                    line.place,
                    Id::SpoeFile,
                    format!("The SPOE file {path} has no engine [{name}], so that the agent is never asked."),
                    "copy haproxy/spoe-jwt.conf as it is".to_owned(),
                ),
                None => {}
            }
        }
        let Some((filter, engines)) = found else { return };
        let prefix = engines.first().map_or(PREFIX, Engine::prefix).to_owned();
        self.guarded.push(Guarded {
            proxy,
            filter,
            engines,
            rules: rules(proxy),
            reader: Reader { proxy, stem: format!("txn.{prefix}") },
        });
    }

    pub fn find(&mut self, place: Place, id: Id, what: impl Into<String>, cure: impl Into<String>) {
        self.findings.push(Finding::new(place, id, what, cure));
    }

    pub fn name(&self, place: Place) -> &str {
        self.names.get(place.file).map_or("", String::as_str)
    }
}
