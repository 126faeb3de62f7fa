//! From what a believed sender tells to durable rules.
//!
//! - A rule is never wider than what was told, and carries `iss`: no issuer ends the tokens of another.
//! - An answer is given when the rule is durable, or stood already.
//! - What a sender can cause is bounded: its messages in a second, and the rules of a group, where a later time takes the place of
//!   an earlier one.

mod heard;
mod rate;
pub(super) mod rules;

use std::sync::Arc;
use std::time::Duration;

use jose::UnixTime;
use tokio::time::Instant;

use self::heard::{Heard as Messages, Message};
use self::rate::Rates;
pub(super) use self::rules::note;
use super::metrics::{Outcome, SignalMetrics};
use super::told::{Group, Kind, Told, Weight};
use crate::caller::{Caller, Kind as CallerKind};
use crate::revocations::{Act, Replaced, Revocations};
use crate::store::{Mode, StoreError};

/// Makes rules of what is told.
pub(crate) struct Desk {
    revocations: Arc<Revocations>,
    metrics: SignalMetrics,
    clock: fn() -> UnixTime,
    rates: Rates,
    messages: Messages,
}

/// What came of a message; each is a success to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A rule was written.
    Revoked,
    /// The rule stood already, or the same message came before.
    Known,
    /// A rule was written that is only tried, as it was configured.
    Tried,
    /// It cannot be mapped exactly: a rule that is only tried, or none.
    Inexact,
    /// Nothing is done, as it was configured.
    Ignored,
}

/// Why nothing was done though something was told: the sender must tell it again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unheard {
    /// It sends more than it may.
    #[error("the sender sends more messages in a second than TOKEN_SERVER__SIGNALS__RATE")]
    Limited {
        /// When it may be heard again.
        retry_after: Duration,
    },
    /// The group has no room for the rule.
    #[error("{0}")]
    Full(StoreError),
    /// The store did not acknowledge.
    #[error(transparent)]
    Store(StoreError),
}

impl Desk {
    pub(crate) fn new(
        revocations: Arc<Revocations>,
        metrics: SignalMetrics,
        clock: fn() -> UnixTime,
        rate: u32,
        remember: Duration,
    ) -> Self {
        Self { revocations, metrics, clock, rates: Rates::new(rate), messages: Messages::new(remember) }
    }

    /// From now on each sender may send so many messages in a second, and a message is remembered for so long.
    pub(crate) fn set(&self, rate: u32, remember: Duration) {
        self.rates.set(rate);
        self.messages.set(remember);
    }

    /// Does what a believed sender tells. When this returns `Ok`, it is durable.
    ///
    /// # Errors
    /// Nothing was done, or it is not known: see [`Unheard`].
    pub(crate) async fn hear(&self, told: Told) -> Result<Heard, Unheard> {
        let kind = told.kind;
        let heard = self.do_what(told).await;
        let outcome = match &heard {
            Ok(Heard::Revoked) => Outcome::Revoked,
            Ok(Heard::Known) => Outcome::Known,
            Ok(Heard::Tried) => Outcome::Tried,
            Ok(Heard::Inexact) => Outcome::Inexact,
            Ok(Heard::Ignored) => Outcome::Ignored,
            Err(Unheard::Limited { .. }) => Outcome::Limited,
            Err(Unheard::Full(_)) => Outcome::Full,
            Err(Unheard::Store(_)) => Outcome::Failed,
        };
        self.metrics.count(kind, outcome);
        heard
    }

    /// Takes one message's share of a believed sender that tells nothing of tokens.
    ///
    /// # Errors
    /// It has none left.
    pub(crate) fn admit(&self, kind: Kind, sender: &Arc<str>) -> Result<(), Unheard> {
        let admitted = self.share_of(kind, sender, Instant::now());
        if admitted.is_err() {
            self.metrics.count(kind, Outcome::Limited);
        }
        admitted
    }

    fn share_of(&self, kind: Kind, sender: &Arc<str>, now: Instant) -> Result<(), Unheard> {
        self.rates.take(kind, sender, now).map_err(|retry_after| Unheard::Limited { retry_after })
    }

    async fn do_what(&self, told: Told) -> Result<Heard, Unheard> {
        let now = Instant::now();
        self.share_of(told.kind, &told.sender, now)?;
        let message = Message::of(&told);
        if message.as_ref().is_some_and(|message| self.messages.knows(&told.sender, message, now)) {
            return Ok(Heard::Known);
        }
        let heard = self.write(&told).await?;
        if let Some(message) = message {
            self.messages.keep(&told.sender, message, now);
        }
        Ok(heard)
    }

    async fn write(&self, told: &Told) -> Result<Heard, Unheard> {
        let (kind, jti) = (told.kind.as_str(), told.jti.as_deref());
        if let Weight::Inexact(why) = &told.weight {
            tracing::warn!(
                kind,
                sender = &*told.sender,
                jti,
                why,
                "a signal cannot be mapped to a rule exactly; it revokes nothing"
            );
        }
        let (mode, heard) = match told.weight {
            Weight::Enforce => (Mode::Enforce, Heard::Revoked),
            Weight::Shadow => (Mode::Shadow, Heard::Tried),
            Weight::Inexact(_) => (Mode::Shadow, Heard::Inexact),
        };
        if told.ends.is_empty() {
            return Ok(if heard == Heard::Inexact { heard } else { Heard::Ignored });
        }
        let at = (self.clock)();
        let drafts = match rules::drafts(told, mode, at) {
            Ok(drafts) => drafts,
            Err(why) => {
                tracing::warn!(
                    kind,
                    sender = &*told.sender,
                    jti,
                    why,
                    "a signal cannot be mapped to a rule; it revokes nothing"
                );
                return Ok(Heard::Inexact);
            }
        };
        let name = format!("{kind} {}", told.sender);
        let act = Act { who: Caller { name, kind: CallerKind::Signal }, at };
        match self.revocations.replace(drafts, act).await {
            Ok(Replaced::Written) => Ok(heard),
            // That it cannot be mapped is worth telling each time.
            Ok(Replaced::Stood) if heard == Heard::Inexact => Ok(heard),
            Ok(Replaced::Stood) => Ok(Heard::Known),
            Err(error) => Err(unheard(told, error)),
        }
    }
}

fn unheard(told: &Told, error: StoreError) -> Unheard {
    let full = matches!(
        error,
        StoreError::GroupFull { .. }
            | StoreError::RuleRefused(_)
            | StoreError::ShadowsFull
            | StoreError::ShadowRefused(_)
    );
    let (kind, jti) = (told.kind.as_str(), told.jti.as_deref());
    // An operator has to know whom to revoke by hand.
    let subject = told.ends.iter().find_map(|end| match &end.group {
        Group::Subject(name) => Some(name.as_str()),
        Group::Everybody => None,
    });
    tracing::error!(
        kind, sender = &*told.sender, jti, subject, %error,
        "a signal revoked nothing; its sender is asked to send it again"
    );
    if full { Unheard::Full(error) } else { Unheard::Store(error) }
}
