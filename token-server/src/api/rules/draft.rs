//! A rule as its writer says it, read and not yet written.

use std::time::Duration;

use rules::{ExpireAt, Rule};

use super::fields;
use crate::api::app::App;
use crate::api::error::ApiError;
use crate::api::request::Document;
use crate::store::{Annotation, EVERYBODY, Mode};

/// How long a rule for everybody holds unless its writer says otherwise, and the longest life of a token is not known here: 30
/// days, longer than tokens usually live. What hits everybody must not stay for ever because its end was left out.
const USUAL_END: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A rule that was read and not yet written.
pub(super) struct Draft {
    pub(super) rule: Rule,
    pub(super) annotation: Annotation,
    confirmed: bool,
}

/// What a rule hits that needs to be said twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unconfirmed {
    Everybody,
    WholeSubject,
}

/// In how long a rule ends that is for the tokens of now, unless its writer says otherwise.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct UsualEnd {
    pub(in crate::api) seconds: i64,
    /// Whether every issuer or policy of this server limits the life of a token, so that none of them outlives this.
    pub(in crate::api) is_configured: bool,
}

/// When the last token that may be there now has expired, where every issuer or policy of this server limits that.
pub(in crate::api) fn usual_end(app: &App) -> UsualEnd {
    let configured = app.trusted().and_then(|trusted| trusted.longest_lifetime());
    let seconds = whole_seconds(configured.unwrap_or(USUAL_END));
    UsualEnd { seconds, is_configured: configured.is_some() }
}

impl Draft {
    pub(super) fn read(
        mut document: Document,
        group: &str,
        now: i64,
        usual_end: UsualEnd,
    ) -> Result<Self, ApiError> {
        let rule = document.take_required("rule")?;
        let expire_at = document.take("expireAt");
        let forever = document.take("forever");
        let confirm = document.take("confirm");
        let mode = document.take("mode");
        let note = document.take("note");
        let by = document.take("by");
        document.finish()?;

        let rule = Rule::parse(rule.get()).map_err(|error| ApiError::invalid("rule", error.to_string()))?;
        let confirmed = confirm.map_or(Ok(false), |text| fields::flag("confirm", text.get()))?;
        let mode = mode.map_or(Ok(Mode::default()), |text| fields::mode(&text))?;
        let forever = forever.map_or(Ok(false), |text| fields::flag("forever", text.get()))?;
        let expire_at = expire_at.map(|text| fields::end(&text, now)).transpose()?;
        let must_end = group == EVERYBODY && mode == Mode::Enforce;
        let expire_at = match (expire_at, forever) {
            (Some(ExpireAt::At(_)), true) => {
                return Err(ApiError::invalid(
                    "forever",
                    "a rule with an expireAt ends; leave one of them out",
                ));
            }
            (Some(ExpireAt::Never), false) if must_end => {
                return Err(ApiError::invalid(
                    "expireAt",
                    "a rule for everybody that never ends needs \"forever\": true (on the command line: --forever)",
                ));
            }
            (None | Some(ExpireAt::Never), true) => ExpireAt::Never,
            (None, false) if must_end => ExpireAt::At(now.saturating_add(usual_end.seconds)),
            (expire_at, false) => expire_at.unwrap_or(ExpireAt::Never),
        };
        let annotation = Annotation {
            mode,
            note: note.map(|text| fields::note(&text)).transpose()?,
            by: by.map(|text| fields::by(&text)).transpose()?,
            written_at: now,
            expire_at: expire_at.as_seconds(),
        };
        Ok(Self { rule, annotation, confirmed })
    }

    /// Whether it hits so much that it must be said twice, and was not. A rule that is only tried hits no token.
    pub(super) fn unconfirmed(&self, group: &str) -> Option<Unconfirmed> {
        if self.confirmed || self.annotation.mode == Mode::Shadow {
            return None;
        }
        if group == EVERYBODY {
            return Some(Unconfirmed::Everybody);
        }
        self.rule.matches_everything().then_some(Unconfirmed::WholeSubject)
    }
}

impl Unconfirmed {
    /// The refusal, with what else is known of those whom the rule hits.
    pub(super) fn told(self, whom: &str) -> ApiError {
        let hits = match self {
            Self::Everybody => "is for everybody",
            Self::WholeSubject => "revokes every token of the group",
        };
        let why = format!("this rule {hits}{whom}; say \"confirm\": true (on the command line: --confirm)");
        ApiError::invalid("confirm", why)
    }
}

fn whole_seconds(time: Duration) -> i64 {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
