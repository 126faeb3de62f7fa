//! `token-server token ..`

use std::io::Read as _;

use clap::Subcommand;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::admin::{Admin, Missing};
use super::error::CliError;
use super::outcome::Outcome;
use super::output::{self, Output};
use super::pages::rows_of;
use super::target::Target;
use super::words::shown;
use crate::config::Config;

/// Bytes of standard input that are read; the API takes as much.
const MAX_INPUT: u64 = 64 * 1024;

/// What can be asked about a token.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Judge the token or the claims on standard input, and say which rules match
    Explain,
}

pub(super) async fn run(Token::Explain: Token, target: &Target, config: Config) -> Result<Outcome, CliError> {
    let mut input = String::new();
    std::io::stdin().lock().take(MAX_INPUT).read_to_string(&mut input).map_err(CliError::Input)?;
    let question = question(&input)?;
    let admin = Admin::open(target, config, Missing::Refuse).await?;
    let told = admin.post("/v1/explain", question).await?;
    Output::new(target.json).answer(&told, for_people)?;
    let valid = told.get("valid").and_then(Value::as_bool) == Some(true);
    Ok(if valid { Outcome::Done } else { Outcome::No })
}

/// A JSON object is a payload, which is passed on as it is; anything else is a token, perhaps with its scheme before it.
fn question(input: &str) -> Result<String, CliError> {
    let refuse = |why: &str| CliError::Argument { name: "standard input", why: why.to_owned() };
    let input = input.trim();
    if input.starts_with('{') {
        return serde_json::from_str::<&RawValue>(input)
            .map(|payload| format!(r#"{{"payload":{payload}}}"#))
            .map_err(|_| refuse("looks like claims, but is not one JSON object"));
    }
    match input.split_whitespace().next_back() {
        Some(token) => Ok(json!({ "token": token }).to_string()),
        None => Err(refuse("is empty; expected a token or its claims")),
    }
}

fn for_people(told: &Value) -> String {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let verdict = if told.get("valid") == Some(&Value::Bool(true)) { "accepted" } else { "refused" };
    let mut lines = vec![format!("{verdict}: {} ({})", text(told, "reason"), text(told, "detail"))];
    for name in ["subject", "exp", "signature", "signatureDetail"] {
        match told.get(name) {
            Some(Value::String(value)) => lines.push(format!("{name}: {}", shown(value))),
            Some(value) => lines.push(format!("{name}: {value}")),
            None => {}
        }
    }
    for matching in rows_of(told, "matches") {
        lines.push(format!(
            "matching rule of {}: {}",
            shown(&text(matching, "group")),
            output::rule(matching)
        ));
        for condition in rows_of(matching, "conditions") {
            let holds =
                if condition.get("holds") == Some(&Value::Bool(true)) { "holds" } else { "does not hold" };
            let claim =
                condition.get("claim").map(|claim| format!(", the claim is {claim}")).unwrap_or_default();
            let condition = condition.get("condition").unwrap_or(&Value::Null);
            lines.push(format!("  {condition} {holds}{claim}"));
        }
    }
    lines.join("\n")
}
