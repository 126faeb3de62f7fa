//! `token-server signals test`: what a message of an identity provider would do with this configuration.

use std::io::Read as _;

use clap::Args;
use jose::{Decrypted, KeySet, TokenForm};
use keys::explain;
use serde_json::Value;

use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::Output;
use crate::cli::{time, words};
use crate::config::Config;
use crate::config::signals::LISTEN;
use crate::signals::explain::Sender;

/// Bytes of standard input that are read: as many as a route takes.
const MAX_INPUT: u64 = 64 * 1024;

/// Arguments of `token-server signals test`.
#[derive(Debug, Args)]
pub(in crate::cli) struct Test {
    /// The stream that the token came by, if several have its issuer
    #[arg(long, value_name = "NAME")]
    stream: Option<String>,
}

pub(super) async fn run(test: &Test, output: Output, config: Config) -> Result<Outcome, CliError> {
    let refuse = |why: String| CliError::Argument { name: "standard input", why };
    let settings = config.signals.as_ref().ok_or_else(|| CliError::Argument {
        name: "signals",
        why: format!("no provider is configured: set {LISTEN}, and add [[signals]] or [[ssf]] tables"),
    })?;
    let mut input = String::new();
    std::io::stdin().lock().take(MAX_INPUT).read_to_string(&mut input).map_err(CliError::Input)?;
    let token = opened(input.trim(), &config).map_err(refuse)?;
    let sender =
        Sender::of(settings, &token, test.stream.as_deref()).map_err(|none| refuse(none.to_string()))?;
    let own = sender.keys();
    let sources: Vec<_> = config.keys.sources.iter().filter(|(set, _)| *set == own).cloned().collect();
    let sets =
        explain::load(config.keys.configured.issuers.len(), &sources, &config.keys.configured.rules).await?;
    let none = KeySet::empty();
    let told = sender.explain(settings, sets.get(own).unwrap_or(&none), &token, time());
    output.answer(&told, for_people)?;
    let believed = told.get("believed").and_then(Value::as_bool) == Some(true);
    Ok(if believed { Outcome::Done } else { Outcome::No })
}

fn opened(token: &str, config: &Config) -> Result<String, String> {
    if TokenForm::of(token) != TokenForm::Jwe {
        return Ok(token.to_owned());
    }
    let keys =
        config.jwe_keys.as_ref().ok_or("it is encrypted, and no TOKEN_SERVER__JWE__KEYS_FILE is set")?;
    match jose::decrypt(token, &keys.current()) {
        Ok(Decrypted::Nested { token, .. }) => Ok(token),
        Ok(Decrypted::Claims { .. }) => Err("it is encrypted, and not signed".to_owned()),
        Err(reject) => Err(format!("it is encrypted, and does not open: {}", reject.detail())),
    }
}

fn for_people(told: &Value) -> String {
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let word =
        if told.get("believed").and_then(Value::as_bool) == Some(true) { "believed" } else { "refused" };
    let mut lines = vec![format!("{word}: {} {}", text("kind"), text("sender"))];
    let list = |name: &str| told.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    lines.extend(list("events").iter().map(|event| format!("event: {}", event.as_str().unwrap_or_default())));
    lines.push(format!("{}: {}", text("does"), text("why")));
    for rule in list("rules") {
        let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let condition = rule.get("rule").map(Value::to_string).unwrap_or_default();
        let end = words::end(rule.get("expireAt").and_then(Value::as_i64));
        lines.push(format!("  {}  {}  {condition}  {end}", text("group"), text("mode")));
    }
    lines.join("\n")
}
