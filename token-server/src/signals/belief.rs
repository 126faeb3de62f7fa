//! Whether a message is its issuer's: the same keys, algorithms and early loads as for its access tokens, apart from checks.

use std::sync::Arc;
use std::time::Duration;

use jose::{AlgorithmSet, EventFault, EventIssuer, IssuerName, Reject, SecurityEvent, TokenForm, event_hint};
use keys::{KeyRing, Newer};
use tokio::time::Instant;

use super::Signals;
use super::strangers::Crowded;
use super::told::Kind;

/// How long a message with an unknown key waits for newer keys.
const EARLY_LOAD_WAIT: Duration = Duration::from_secs(2);

/// By whose keys an event is verified.
#[derive(Debug, Clone)]
pub(super) struct EventKeys {
    /// The names that it may have in `iss`.
    pub(super) names: Vec<IssuerName>,
    /// Which key set.
    pub(super) set: usize,
    /// Accepted algorithms.
    pub(super) algorithms: AlgorithmSet,
}

/// Why a message is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Disbelief {
    /// It is not good, and will not be.
    #[error("{0}")]
    Refused(String),
    /// Its sender's keys are not known now.
    #[error("the keys of its issuer are not known now")]
    NoKeys,
    /// Too many messages wait.
    #[error("too many messages wait to be verified")]
    Crowded,
}

impl Disbelief {
    /// A refusal for this reason.
    pub(super) fn because(why: impl ToString) -> Self {
        Self::Refused(why.to_string())
    }
}

impl From<EventFault> for Disbelief {
    fn from(fault: EventFault) -> Self {
        Self::because(fault)
    }
}

impl From<Crowded> for Disbelief {
    fn from(Crowded: Crowded) -> Self {
        Self::Crowded
    }
}

impl Signals {
    /// Verifies an event, and judges what it says. `choose` tells by whose keys, from the token as it came; newer keys are waited
    /// for where they might help.
    pub(super) async fn believe<S: Send + Sync + 'static, T: Send + 'static>(
        &self,
        ring: &Arc<KeyRing>,
        token: String,
        choose: impl Fn(&str) -> Result<(EventKeys, S), Disbelief> + Send + Sync + 'static,
        judge: impl Fn(&SecurityEvent, &S) -> Result<T, Disbelief> + Send + Sync + 'static,
    ) -> Result<T, Disbelief> {
        let (since, now) = (Instant::now(), (self.clock)());
        let (token, choose, judge): (Arc<str>, _, _) =
            (self.opened(token).await?.into(), Arc::new(choose), Arc::new(judge));
        let mut keys = ring.current();
        loop {
            let (sought, chosen, judged, with) =
                (Arc::clone(&token), Arc::clone(&choose), Arc::clone(&judge), Arc::clone(&keys));
            let verified = self.strangers.judge(move || {
                let (own, sender) = chosen(&sought).map_err(Unverified::Not)?;
                let none = || Unverified::Not(Disbelief::NoKeys);
                let set = with.sets.get(own.set).ok_or_else(none)?;
                let issuer = EventIssuer { names: &own.names, keys: set, algorithms: own.algorithms };
                match SecurityEvent::verify(&sought, &issuer) {
                    Ok(event) => judged(&event, &sender).map_err(Unverified::Not),
                    Err(EventFault::Refused(reject)) if reject.suggests_newer_keys() => {
                        Err(Unverified::Yet { reject, set: own.set })
                    }
                    Err(fault) => Err(Unverified::Not(fault.into())),
                }
            });
            let (reject, set) = match verified.await? {
                Ok(judged) => return Ok(judged),
                Err(Unverified::Not(disbelief)) => return Err(disbelief),
                Err(Unverified::Yet { reject, set }) => (reject, set),
            };
            let hint = event_hint(&token, set);
            match ring.newer_than(keys.version, &hint, since, since + EARLY_LOAD_WAIT, now).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current if reject != Reject::NoKeys => {
                    return Err(EventFault::Refused(reject).into());
                }
                Newer::Final | Newer::Current | Newer::Unknown => return Err(Disbelief::NoKeys),
            }
        }
    }

    /// The signed token inside of an encrypted one. What is only encrypted is believed in nothing.
    async fn opened(&self, token: String) -> Result<String, Disbelief> {
        if TokenForm::of(&token) != TokenForm::Jwe {
            return Ok(token);
        }
        let refused = |reject: Reject| Disbelief::because(reject.detail());
        let opened = self.decryption.open(&token).await.map_err(refused)?;
        opened.nested.ok_or_else(|| Disbelief::because("encrypted, and not signed"))
    }

    /// Tells the log why a message is not believed. `sender` is a configured name.
    pub(super) fn log_disbelief(&self, kind: Kind, sender: Option<&str>, jti: Option<&str>, why: &Disbelief) {
        if let Some(due) = self.refusals.take(std::time::Instant::now()) {
            let (kind, left_out) = (kind.as_str(), due.left_out);
            tracing::info!(kind, sender, jti, %why, left_out, "a signal was refused");
        }
    }
}

enum Unverified {
    /// Newer keys might verify it.
    Yet {
        reject: Reject,
        set: usize,
    },
    Not(Disbelief),
}
