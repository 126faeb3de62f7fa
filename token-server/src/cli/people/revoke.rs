//! `token-server revoke USER`

use clap::Args;
use jose::UnixTime;
use serde_json::{Map, Value, json};

use super::Desk;
use super::subject::{self, Known};
use super::why::Why;
use crate::cli::ask::{self, Answer};
use crate::cli::duration::Seconds;
use crate::cli::error::CliError;
use crate::cli::outcome::Outcome;
use crate::cli::output::{self, Output};
use crate::cli::pages::rows_of;
use crate::cli::words::{self, after, ends_sooner, shown, until};
use crate::when;
use crate::whole::{Whole, issued_before};

/// Before this there were no tokens; a bound from here on is one in milliseconds and in seconds.
const FIRST: UnixTime = UnixTime::from_secs(1_000_000_000);

/// Revocations from before that are told.
const MOST: usize = 3;

/// A user, and which tokens.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The subject of the user's tokens
    user: String,
    /// Refuse the tokens that were issued before this time: now, 4h ago, 2026-11-27, 2026-11-27T10:00:00Z
    #[arg(long, value_name = "TIME", default_value = "now")]
    since: String,
    /// In how long it ends: 90s, 15m, 12h, 30d. Unless this or --forever is said it ends when the longest max_lifetime of the
    /// server's policies is over, and in 30 days where one of them has none
    #[arg(long, value_name = "TIME", conflicts_with = "forever")]
    expire_in: Option<Seconds>,
    /// It never ends; for tokens that live for ever
    #[arg(long)]
    forever: bool,
    #[command(flatten)]
    why: Why,
    /// Yes, also where a revocation that is there would end sooner
    #[arg(long)]
    yes: bool,
}

/// When the revocation ends.
struct End {
    /// Unix seconds, 0 for never.
    at: i64,
    /// Whether tokens may outlive it.
    is_outlived: bool,
}

impl Revoke {
    pub(super) fn judge(&self) -> Result<(), CliError> {
        subject::judge(&self.user)?;
        // Whose clock it is goes by is no matter of form.
        when::parse_past(&self.since, crate::cli::time()).map(|_| ()).map_err(|why| since(why.to_string()))
    }

    pub(super) async fn run(&self, desk: &Desk<'_>) -> Result<Outcome, CliError> {
        let known = Known::ask(desk, &self.user).await?;
        let before = self.before(known.now)?;
        let text = issued_before(before, known.profile()?);
        let rule: Value = serde_json::from_str(&text).map_err(|_| CliError::Incomplete { name: "rule" })?;
        let end = self.end(&known)?;
        let same = known.revocations().find(|held| held.get("rule") == Some(&rule));
        if let Some(old) = same.and_then(|same| same.get("expireAt")?.as_i64())
            && ends_sooner(end.at, old)
        {
            let why = format!(
                "{} is revoked {} already; this would end it sooner, {}.",
                shown(&self.user),
                until(old, known.now),
                until(end.at, known.now),
            );
            if ask::unless_said(self.yes, why, "--yes")? == Answer::No {
                return Ok(Outcome::No);
            }
        }
        let written = desk.admin.post("/v1/rules", self.document(&rule, &end)).await?;
        let answer = json!({ "written": written, "subject": known.answer });
        Output::new(desk.target.json).answer(&answer, |_| self.told(desk, &known, &written, &end, &rule))?;
        Ok(Outcome::Done)
    }

    /// Tokens that were issued before this are refused: in the millisecond that is now, too.
    fn before(&self, now: UnixTime) -> Result<UnixTime, CliError> {
        let at = when::parse_past(&self.since, now).map_err(|why| since(why.to_string()))?;
        if at > now {
            return Err(since(
                "is to come; logins until then would be refused too. Say now, or a time that was".to_owned(),
            ));
        }
        if at < FIRST {
            return Err(since("is before there were tokens".to_owned()));
        }
        Ok(if at == now { UnixTime::from_millis(now.as_millis().saturating_add(1)) } else { at })
    }

    fn end(&self, known: &Known) -> Result<End, CliError> {
        if self.forever {
            return Ok(End { at: 0, is_outlived: false });
        }
        let (usual, is_configured) = known.usual_end()?;
        let length = self.expire_in.map_or(usual, |Seconds(seconds)| seconds);
        Ok(End { at: after(known.now, length), is_outlived: !is_configured || length < usual })
    }

    fn document(&self, rule: &Value, end: &End) -> String {
        let mut members = Map::from_iter([
            ("group".to_owned(), json!(self.user)),
            ("rule".to_owned(), rule.clone()),
            ("forever".to_owned(), json!(self.forever)),
        ]);
        members.extend((!self.forever).then(|| ("expireAt".to_owned(), json!(end.at))));
        members.extend(self.why.members());
        Value::Object(members).to_string()
    }

    fn told(&self, desk: &Desk<'_>, known: &Known, written: &Value, end: &End, rule: &Value) -> String {
        let name = shown(&self.user);
        let which = match Whole::of(&rule.to_string()) {
            Some(Whole::IssuedBefore(at)) => format!("issued before {}", when::iso(at)),
            Some(Whole::Every) | None => "of the user".to_owned(),
        };
        let mut lines = vec![
            format!("Revoked: {name}. Tokens {which} are refused; new logins are not touched."),
            format!("It holds {}.", until(end.at, known.now)),
        ];
        if end.is_outlived {
            lines.push(
                "Tokens that live longer are good again then; say --expire-in or --forever where there are such."
                    .to_owned(),
            );
        }
        lines.extend(known.sighting(desk));
        let signed = words::signed(written);
        if !signed.is_empty() {
            lines.push(format!("Noted{signed}."));
        }
        lines.extend(
            rows_of(written, "replaced").map(|old| format!("Replaced: {}.", words::rule(old, known.now))),
        );
        let others = known.revocations().filter(|held| held.get("rule") != Some(rule));
        let others =
            others.map(|held| format!("Was revoked already, which stays: {}.", words::rule(held, known.now)));
        lines.extend(words::first(others, MOST, known.more_revocations()));
        lines.extend(output::warnings(written).lines().filter(|line| !line.is_empty()).map(str::to_owned));
        lines.push(format!("To take it back: {}", desk.command_about("restore", &self.user)));
        lines.join("\n")
    }
}

fn since(why: String) -> CliError {
    CliError::Argument { name: "--since", why }
}
