//! `token-server --check`: what a start looks at, without starting; with `--online` also what others answer. The settings and the
//! files that they name were read already.

use keys::{Report, Source};
use service::listening::{self, Findings, Wanted};
use service::probe::Place;
use service::shown;

use super::error::CliError;
use super::outcome::Outcome;
use super::output::line;
use crate::changes::consul;
use crate::config::{Config, ListenAddress, Signals, StoreSettings, signals};
use crate::doors;
use crate::store::redis::RedisStore;
use crate::store::{Beginning, EmbeddedStore, Store as _};
use crate::trust::unprovable;

/// What was found.
#[derive(Default)]
struct Checked {
    lines: Vec<String>,
    faults: Vec<String>,
    unanswered: Vec<String>,
}

pub(super) async fn run(config: &Config, online: bool) -> Result<Outcome, CliError> {
    let mut checked = Checked::default();
    let Findings { faults, notes } = listening::examine(&listeners(config)).await;
    checked.faults.extend(faults);
    checked.lines.extend(notes.into_iter().map(|note| format!("warning: {note}")));
    let doors = doors::warnings(config).into_iter().map(str::to_owned);
    let signals = config.signals.iter().flat_map(Signals::warnings);
    let bound = config.verify.iter().flat_map(|verify| unprovable(&verify.trust));
    checked.lines.extend(doors.chain(signals).chain(bound).map(|warning| format!("warning: {warning}")));
    checked.key_sources(config, online).await;
    checked.store(config, online).await;
    for text in &checked.lines {
        line(text)?;
    }
    if !checked.faults.is_empty() {
        checked.faults.extend(checked.unanswered);
        return Err(CliError::Sources(checked.faults));
    }
    line("configuration and keys are good")?;
    if checked.unanswered.is_empty() {
        Ok(Outcome::Done)
    } else {
        Err(CliError::Unanswered(checked.unanswered))
    }
}

fn listeners(config: &Config) -> Vec<Wanted> {
    let tcp =
        |setting, address: &ListenAddress| Wanted { setting, place: Place::Tcp(address.as_str().to_owned()) };
    let mut wanted = vec![
        tcp("TOKEN_SERVER__LISTEN", &config.listen),
        tcp("TOKEN_SERVER__ADMIN__LISTEN", &config.admin_listen),
    ];
    wanted.extend(config.signals.as_ref().map(|signals| tcp(signals::LISTEN, &signals.listen)));
    let socket = config.admin_socket.clone();
    wanted.extend(
        socket.map(|path| Wanted { setting: "TOKEN_SERVER__ADMIN__SOCKET", place: Place::Unix(path) }),
    );
    wanted
}

impl Checked {
    /// Files are what a start needs; a URL may be down then, so that only `online` asks it.
    async fn key_sources(&mut self, config: &Config, online: bool) {
        let sources = config.keys.sources.iter().cloned();
        let (files, urls): (Vec<_>, Vec<_>) =
            sources.partition(|(_, source)| matches!(source, Source::File(_)));
        let rules = &config.keys.configured.rules;
        let Report { lines, faults } = keys::report(&files, rules).await;
        self.lines.extend(lines);
        self.faults.extend(faults);
        if online {
            let Report { lines, faults } = keys::report(&urls, rules).await;
            self.lines.extend(lines);
            self.unanswered.extend(faults);
        } else {
            self.lines
                .extend(urls.iter().map(|(_, source)| format!("{}: asked with --online", source.name())));
        }
    }

    async fn store(&mut self, config: &Config, online: bool) {
        match &config.store {
            StoreSettings::Embedded(path) => {
                let beginning = if config.store_new { Beginning::Anew } else { Beginning::WhereNoneWas };
                match EmbeddedStore::examine(path, beginning) {
                    Ok(told) => self.lines.push(format!("store {}: {told}", path.display())),
                    Err(error) => self.faults.push(error.to_string()),
                }
            }
            StoreSettings::Redis { .. } if !online => {
                self.lines.push("Redis: asked with --online".to_owned());
            }
            StoreSettings::Redis { redis, consul } => {
                let store = RedisStore::new(redis.clone());
                match self::rules_of(&store).await {
                    Ok(told) => self.lines.push(told),
                    Err(why) => self.unanswered.push(why),
                }
                let Some(url) = consul else { return };
                let name = shown::url(url.as_str());
                match consul::examine(url).await {
                    Ok(0) => {
                        self.lines.push(format!("warning: Consul {name}: answers, and shows no rules yet"))
                    }
                    Ok(groups) => {
                        self.lines.push(format!("Consul {name}: answers, with rules of {groups} groups"))
                    }
                    Err(error) => self.unanswered.push(format!("Consul {name}: {error}")),
                }
            }
        }
    }
}

async fn rules_of(store: &RedisStore) -> Result<String, String> {
    // What is read also finds the master, and looks at its settings.
    store.groups(None, 1).await.map_err(|error| error.to_string())?;
    let condition = store.examine().await.map_err(|error| error.to_string())?;
    match condition.fault {
        None => Ok("Redis: answers, and its settings keep rules".to_owned()),
        Some(fault) => Err(format!("Redis: {fault}")),
    }
}
