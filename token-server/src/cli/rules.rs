//! `token-server rules ..`

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use rules::{Claims, Rule};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::admin::{Admin, Missing};
use super::duration::Seconds;
use super::error::CliError;
use super::outcome::Outcome;
use super::output::{self, Output};
use super::pages::{next, page, rows_of};
use super::target::Target;
use super::whose::Whose;
use super::{export, import};
use crate::config::Config;

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub(super) enum Rules {
    /// Groups with the numbers of their rules, or the rules of one group
    List {
        /// A subject
        #[arg(conflicts_with = "everybody")]
        group: Option<String>,
        /// The rules for everybody
        #[arg(long)]
        everybody: bool,
    },
    /// Write a rule; when this returns it is durable and refuses
    Add {
        #[command(flatten)]
        draft: Draft,
    },
    /// Remove one rule of a group, or all of them
    Remove {
        /// A subject; left out with --everybody
        group: Option<String>,
        /// The rule's JSON
        rule: Option<String>,
        /// From the rules for everybody
        #[arg(long)]
        everybody: bool,
        /// Every rule of the group
        #[arg(long)]
        all: bool,
    },
    /// Try a rule: how many of the subjects checked lately it would hit, or whether it matches one payload
    Test {
        #[command(flatten)]
        draft: Draft,
        /// A file with the claims of one token, as a JSON object; no server is asked then
        #[arg(long, value_name = "FILE")]
        payload: Option<PathBuf>,
    },
    /// Read rules from standard input, one JSON object a line, as export writes them
    Import,
    /// Write all rules to standard output, one JSON object a line
    Export,
}

/// A rule to write or to try.
#[derive(Debug, Args)]
pub(super) struct Draft {
    /// A subject; left out with --everybody
    group: Option<String>,
    /// The rule's JSON, such as {"iat":{"lt":1795300000}}
    rule: Option<String>,
    /// A rule for everybody; it needs --confirm. Unless an end or --forever is said it ends when the longest `max_lifetime` of
    /// the server's policies is over, and in 30 days where one of them has none
    #[arg(long)]
    everybody: bool,
    /// When the rule ends, unix seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "expire_in")]
    expire_at: Option<i64>,
    /// In how long the rule ends: 90s, 15m, 12h, 30d
    #[arg(long, value_name = "TIME")]
    expire_in: Option<Seconds>,
    /// The rule never ends, as every rule but one for everybody unless an end is said
    #[arg(long, conflicts_with_all = ["expire_at", "expire_in"])]
    forever: bool,
    /// Count what the rule would refuse, and refuse nothing
    #[arg(long)]
    shadow: bool,
    /// Why it is written
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who writes it
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Yes, the rule shall hold for everybody, or be {}, which refuses every token of the subject
    #[arg(long)]
    confirm: bool,
}

pub(super) async fn run(command: Rules, target: &Target, config: Config) -> Result<Outcome, CliError> {
    match command {
        Rules::List { group, everybody } => {
            let whose =
                if everybody { Some(Whose::Everybody) } else { group.map(Whose::subject).transpose()? };
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            list(&admin, whose.as_ref(), Output::new(target.json)).await
        }
        Rules::Add { draft } => {
            let (whose, document) = draft.document()?;
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            let written = admin.post(whose.route(), document).await?;
            Output::new(target.json).answer(&written, |written| {
                let (rule, replaced) = (output::rule(written), output::replaced(written));
                format!("written: {rule}{replaced}{}", output::warnings(written))
            })?;
            Ok(Outcome::Done)
        }
        Rules::Remove { group, rule, everybody, all } => {
            let (whose, rule) = Whose::with_rule(everybody, group, rule)?;
            let refuse = |why: &str| Err(CliError::Argument { name: "RULE", why: why.to_owned() });
            let body = match (rule, all) {
                (Some(rule), false) => removal(&rule)?,
                (None, true) => String::new(),
                (Some(_), true) => return refuse("cannot be used with --all"),
                (None, false) => return refuse("required, or --all"),
            };
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            let deleted = admin.delete(&whose.path(), body).await?;
            Output::new(target.json).answer(&deleted, |deleted| {
                format!("removed: {}", deleted.get("deleted").unwrap_or(&Value::Null))
            })?;
            Ok(Outcome::Done)
        }
        Rules::Test { draft, payload: Some(payload) } => {
            let (_, rule) = draft.words()?;
            hold_against(&rule, &payload, Output::new(target.json))
        }
        Rules::Test { draft, payload: None } => {
            let (whose, document) = draft.document()?;
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            let preview = admin.post(&format!("{}?dry_run=true", whose.route()), document).await?;
            Output::new(target.json).answer(&preview, told)?;
            Ok(Outcome::Done)
        }
        Rules::Import => {
            let admin = Admin::open(target, config, Missing::Create).await?;
            import::import(&admin, now, Output::new(target.json)).await
        }
        Rules::Export => {
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            export::export(&admin).await
        }
    }
}

impl Draft {
    fn words(&self) -> Result<(Whose, String), CliError> {
        let (whose, rule) = Whose::with_rule(self.everybody, self.group.clone(), self.rule.clone())?;
        match rule {
            Some(rule) => Ok((whose, rule)),
            None => Err(CliError::Argument { name: "RULE", why: "required".to_owned() }),
        }
    }

    fn document(&self) -> Result<(Whose, String), CliError> {
        let (whose, rule) = self.words()?;
        let end = self.expire_in.map(|Seconds(seconds)| now().saturating_add(seconds)).or(self.expire_at);
        let mut members = Map::from_iter([
            ("group".to_owned(), json!(whose.group())),
            ("rule".to_owned(), canonical(&rule)?),
            ("mode".to_owned(), json!(if self.shadow { "shadow" } else { "enforce" })),
            ("confirm".to_owned(), json!(self.confirm)),
            ("forever".to_owned(), json!(self.forever)),
        ]);
        members.extend(end.map(|end| ("expireAt".to_owned(), json!(end))));
        members.extend(self.note.as_ref().map(|note| ("note".to_owned(), json!(note))));
        members.extend(self.by.as_ref().map(|by| ("by".to_owned(), json!(by))));
        Ok((whose, Value::Object(members).to_string()))
    }
}

async fn list(admin: &Admin, whose: Option<&Whose>, output: Output) -> Result<Outcome, CliError> {
    let mut after = None;
    loop {
        let (page, rows) = match whose {
            Some(whose) => (page(admin, &whose.path(), after.as_deref()).await?, "rules"),
            None => (page(admin, "/v1/rules", after.as_deref()).await?, "groups"),
        };
        for row in rows_of(&page, rows) {
            output.answer(row, |row| if whose.is_some() { output::rule(row) } else { sizes(row) })?;
        }
        after = next(&page);
        if after.is_none() {
            return Ok(Outcome::Done);
        }
    }
}

fn sizes(row: &Value) -> String {
    let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or(0);
    let group = row.get("group").and_then(Value::as_str).unwrap_or_default();
    let mut line = format!("{group}  rules {}", number("rules"));
    for (name, label) in [("shadow", "in shadow mode"), ("unreadable", "not understood")] {
        if number(name) > 0 {
            line += &format!("  {label} {}", number(name));
        }
    }
    if let Some(error) = row.get("error").and_then(Value::as_str) {
        line += &format!("  {error}");
    }
    line
}

fn told(preview: &Value) -> String {
    let number = |name| preview.pointer(name).and_then(Value::as_u64).unwrap_or(0);
    format!(
        "would hit {} of {} subjects checked in the last {} s{}",
        number("/preview/hits"),
        number("/preview/subjects"),
        number("/preview/seconds"),
        output::warnings(preview)
    )
}

fn hold_against(rule: &str, payload: &PathBuf, output: Output) -> Result<Outcome, CliError> {
    let fault = |name, why: String| CliError::Argument { name, why };
    let rule = Rule::parse(rule).map_err(|error| fault("RULE", error.to_string()))?;
    let text = std::fs::read(payload).map_err(|cause| CliError::File { path: payload.clone(), cause })?;
    let claims: Claims = serde_json::from_slice(&text)
        .map_err(|_| fault("--payload", "expected a file that holds one JSON object".to_owned()))?;
    let matches = rule.matches(&claims);
    output.answer(&json!({ "matches": matches }), |_| {
        (if matches { "the rule matches" } else { "the rule does not match" }).to_owned()
    })?;
    Ok(if matches { Outcome::Done } else { Outcome::No })
}

fn canonical(rule: &str) -> Result<Value, CliError> {
    let refuse = |why: String| CliError::Argument { name: "RULE", why };
    let rule = Rule::parse(rule).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(rule.canonical()).map_err(|error| refuse(error.to_string()))
}

/// A rule to remove, letter for letter: the store may hold JSON that is not understood as a rule.
fn removal(rule: &str) -> Result<String, CliError> {
    match serde_json::from_str::<&RawValue>(rule) {
        Ok(rule) => Ok(format!(r#"{{"rule":{rule}}}"#)),
        Err(_) => Err(CliError::Argument { name: "RULE", why: "expected JSON".to_owned() }),
    }
}

fn now() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
