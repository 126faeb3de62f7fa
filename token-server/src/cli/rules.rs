//! `token-server rules ..`

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand};
use rules::{Claims, Rule};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::admin::{Admin, Missing};
use super::ask::{self, Answer};
use super::duration::Seconds;
use super::error::CliError;
use super::outcome::Outcome;
use super::output::{self, Output};
use super::pages::{next, page, rows_of};
use super::target::Target;
use super::whose::Whose;
use super::words::shown;
use super::{export, import};
use crate::config::Config;
use crate::when;

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
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// For whom, where that is not the one who is logged in
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
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
    /// When the rule ends: 2026-11-27, 2026-11-27T10:00:00Z, in 30d, or unix seconds
    #[arg(long, value_name = "TIME", conflicts_with = "expire_in")]
    expire_at: Option<String>,
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
    /// Yes, the rule shall hold for everybody, or be {}, which refuses every token of the subject; on a terminal it is asked
    #[arg(long, alias = "yes")]
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
            let written = match admin.post(whose.route(), document).await {
                // The answer tells how much the rule hits.
                Err(CliError::Refused { error, field: Some(field), .. })
                    if field == "confirm" && ask::is_possible() =>
                {
                    if ask::unless_said(false, error, "--confirm")? == Answer::No {
                        return Ok(Outcome::No);
                    }
                    let (_, document) = Draft { confirm: true, ..draft }.document()?;
                    admin.post(whose.route(), document).await?
                }
                done => done?,
            };
            Output::new(target.json).answer(&written, |written| {
                let (rule, replaced) = (output::rule(written), output::replaced(written));
                format!("written: {rule}{replaced}{}", output::warnings(written))
            })?;
            Ok(Outcome::Done)
        }
        Rules::Remove { group, rule, everybody, all, note, by } => {
            let (whose, rule) = Whose::with_rule(everybody, group, rule)?;
            let refuse = |why: &str| Err(CliError::Argument { name: "RULE", why: why.to_owned() });
            let body = match (rule, all) {
                (Some(rule), false) => removal(&rule, note.as_deref(), by.as_deref())?,
                (None, true) => removal_of_all(note.as_deref(), by.as_deref()),
                (Some(_), true) => return refuse("cannot be used with --all"),
                (None, false) => return refuse("required, or --all"),
            };
            let admin = Admin::open(target, config, Missing::Refuse).await?;
            let deleted = admin.delete(&whose.path(), body).await?;
            let number = deleted.get("deleted").and_then(Value::as_u64).unwrap_or(0);
            Output::new(target.json).answer(&deleted, |_| match number {
                0 => "removed: 0; there is no such rule".to_owned(),
                number => format!("removed: {number}"),
            })?;
            Ok(if number == 0 { Outcome::No } else { Outcome::Done })
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
        let end = match (&self.expire_at, self.expire_in) {
            (Some(end), _) => Some(expire_at(end)?),
            // By the server's clock.
            (None, Some(Seconds(seconds))) => Some(json!(format!("in {seconds}s"))),
            (None, None) => None,
        };
        let mut members = Map::from_iter([
            ("group".to_owned(), json!(whose.group())),
            ("rule".to_owned(), canonical(&rule)?),
            ("mode".to_owned(), json!(if self.shadow { "shadow" } else { "enforce" })),
            ("confirm".to_owned(), json!(self.confirm)),
            ("forever".to_owned(), json!(self.forever)),
        ]);
        members.extend(end.map(|end| ("expireAt".to_owned(), end)));
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
    let group = shown(row.get("group").and_then(Value::as_str).unwrap_or_default());
    let mut line = format!("{group}  rules {}", number("rules"));
    for (name, label) in [("shadow", "in shadow mode"), ("unreadable", "not understood")] {
        if number(name) > 0 {
            line += &format!("  {label} {}", number(name));
        }
    }
    if let Some(error) = row.get("error").and_then(Value::as_str) {
        line += &format!("  {}", shown(error));
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

/// An end as the API takes it. What is relative is so to the server's clock.
fn expire_at(text: &str) -> Result<Value, CliError> {
    match text.trim() {
        "0" => Ok(json!(0)),
        text => match when::parse_future(text, super::time()) {
            Ok(_) => Ok(json!(text)),
            Err(why) => Err(CliError::Argument { name: "--expire-at", why: why.to_string() }),
        },
    }
}

fn canonical(rule: &str) -> Result<Value, CliError> {
    let refuse = |why: String| CliError::Argument { name: "RULE", why };
    let rule = Rule::parse(rule).map_err(|error| refuse(error.to_string()))?;
    serde_json::from_str(rule.canonical()).map_err(|error| refuse(error.to_string()))
}

fn removal_of_all(note: Option<&str>, by: Option<&str>) -> String {
    let mut members = Map::from_iter([("all".to_owned(), json!(true))]);
    members.extend(note.map(|note| ("note".to_owned(), json!(note))));
    members.extend(by.map(|by| ("by".to_owned(), json!(by))));
    Value::Object(members).to_string()
}

/// A rule to remove, letter for letter: the store may hold JSON that is not understood as a rule.
fn removal(rule: &str, note: Option<&str>, by: Option<&str>) -> Result<String, CliError> {
    let Ok(rule) = serde_json::from_str::<&RawValue>(rule) else {
        return Err(CliError::Argument { name: "RULE", why: "expected JSON".to_owned() });
    };
    let text = |name: &str, text: Option<&str>| text.map(|text| format!(r#","{name}":{}"#, json!(text)));
    let (note, by) = (text("note", note).unwrap_or_default(), text("by", by).unwrap_or_default());
    Ok(format!(r#"{{"rule":{rule}{note}{by}}}"#))
}

fn now() -> i64 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
