//! Whether a message is its issuer's: the same keys, algorithms and early loads as for its access tokens, apart from checks.

use std::sync::Arc;
use std::time::Duration;

use jose::{
    AlgorithmSet, Decrypted, EventFault, EventIssuer, IssuerName, Reject, SecurityEvent, TokenForm,
    event_hint,
};
use keys::{KeyRing, Keys, Newer};
use tokio::time::Instant;

use super::Signals;
use super::desk::note;
use super::strangers::Crowded;
use super::told::Kind;

/// How long a message with an unknown key waits for newer keys.
pub(super) const EARLY_LOAD_WAIT: Duration = Duration::from_secs(2);

/// Messages that wait for newer keys at a time; the others wait for them. Tokens of users wait for the same loads, and have places
/// of their own.
pub(super) const MAX_WAITING_FOR_KEYS: usize = 64;

/// By whose keys an event is verified.
#[derive(Debug, Clone)]
pub(super) struct EventKeys {
    /// What logs call it.
    pub(super) name: Arc<str>,
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
    #[error("{why}")]
    Refused {
        /// Why, without a word of the message.
        why: String,
        /// What it is that is not believed.
        doubt: Doubt,
        /// By whose keys it was verified or was to be, as it is configured.
        sender: Option<Arc<str>>,
        /// The message's own name; what no key has verified has none.
        jti: Option<String>,
    },
    /// Its sender's keys are not known now.
    #[error("the keys of its issuer are not known now")]
    NoKeys,
    /// Too many messages wait.
    #[error("too many messages wait to be verified")]
    Crowded,
}

/// What it is that is not believed of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// What it says, or its form.
    Content,
    /// Its issuer, which is another.
    Issuer,
    /// Its signature, which no good key has made.
    Key,
}

impl Disbelief {
    /// A refusal for this reason.
    pub(super) fn because(why: impl ToString) -> Self {
        Self::Refused { why: why.to_string(), doubt: Doubt::Content, sender: None, jti: None }
    }

    fn unverified(reject: Reject) -> Self {
        let doubt = match reject {
            Reject::Malformed => Doubt::Content,
            Reject::Issuer => Doubt::Issuer,
            _ => Doubt::Key,
        };
        Self::Refused { why: reject.detail().to_string(), doubt, sender: None, jti: None }
    }

    fn of(self, keys: &EventKeys, event: Option<&SecurityEvent>) -> Self {
        match self {
            Self::Refused { why, doubt, .. } => {
                let jti = event.and_then(|event| event.jti.as_deref()).map(note);
                Self::Refused { why, doubt, sender: Some(Arc::clone(&keys.name)), jti }
            }
            other => other,
        }
    }
}

impl From<Crowded> for Disbelief {
    fn from(Crowded: Crowded) -> Self {
        Self::Crowded
    }
}

/// What could not be verified.
enum Unverified {
    /// Newer keys might verify it.
    Yet {
        reject: Reject,
        keys: EventKeys,
    },
    Not(Disbelief),
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
        let token: Arc<str> = self.opened(token).await?.into();
        let steps = Arc::new((choose, judge));
        let mut keys = ring.current();
        loop {
            let (sought, with, steps) = (Arc::clone(&token), Arc::clone(&keys), Arc::clone(&steps));
            let verified = self.strangers.judge(move || {
                let (own, sender) = steps.0(&sought).map_err(Unverified::Not)?;
                let event = verify(&sought, &with, own.clone())?;
                let judged = steps.1(&event, &sender);
                judged.map_err(|disbelief| Unverified::Not(disbelief.of(&own, Some(&event))))
            });
            let (reject, own) = match verified.await? {
                Ok(judged) => return Ok(judged),
                Err(Unverified::Not(disbelief)) => return Err(disbelief),
                Err(Unverified::Yet { reject, keys }) => (reject, keys),
            };
            let _waits = self.waiting_for_keys.acquire().await.map_err(|_| Disbelief::Crowded)?;
            let hint = event_hint(&token, own.set);
            match ring.newer_than(keys.version, &hint, since, Instant::now() + EARLY_LOAD_WAIT, now).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current if reject != Reject::NoKeys => {
                    return Err(Disbelief::unverified(reject).of(&own, None));
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
        let keys = self.decryption_keys.as_ref().map(|file| file.current());
        let keys =
            keys.ok_or_else(|| Disbelief::because("encrypted, and no TOKEN_SERVER__JWE__KEYS_FILE is set"))?;
        let opening = self.strangers.judge(move || match jose::decrypt(&token, &keys) {
            Ok(Decrypted::Nested { token, .. }) => Ok(token),
            Ok(Decrypted::Claims { .. }) => Err(Disbelief::because("encrypted, and not signed")),
            Err(reject) => Err(Disbelief::because(reject.detail())),
        });
        opening.await?
    }

    /// Tells the log why a message is not believed.
    pub(super) fn log_disbelief(&self, kind: Kind, why: &Disbelief) {
        if let Some(due) = self.refusals.take(std::time::Instant::now()) {
            let (kind, left_out) = (kind.as_str(), due.left_out);
            let (sender, message) = match why {
                Disbelief::Refused { sender, jti, .. } => (sender.as_deref(), jti.as_deref()),
                Disbelief::NoKeys | Disbelief::Crowded => (None, None),
            };
            tracing::info!(kind, sender, message, %why, left_out, "a signal was refused");
        }
    }
}

fn verify(token: &str, keys: &Arc<Keys>, own: EventKeys) -> Result<SecurityEvent, Unverified> {
    let set = keys.sets.get(own.set).ok_or(Unverified::Not(Disbelief::NoKeys))?;
    let issuer = EventIssuer { names: &own.names, keys: set, algorithms: own.algorithms };
    SecurityEvent::verify(token, &issuer).map_err(|fault| match fault {
        EventFault::Refused(reject) if reject.suggests_newer_keys() => {
            Unverified::Yet { reject, keys: own.clone() }
        }
        EventFault::Refused(reject) => Unverified::Not(Disbelief::unverified(reject).of(&own, None)),
        fault => Unverified::Not(Disbelief::because(fault).of(&own, None)),
    })
}
