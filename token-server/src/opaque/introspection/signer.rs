//! By whose keys the answers of a server must be signed (RFC 9701), where only signed ones are accepted.

use std::sync::Arc;
use std::time::Duration;

use jose::{AnswerFault, IssuerName, Reject, UnixTime, event_hint, verify_introspection};
use keys::{KeyRing, Newer};
use tokio::time::Instant;

use crate::config::introspection::AuthorizationServer;

/// How long an answer under an unknown key waits for newer ones.
const EARLY_LOAD_WAIT: Duration = Duration::from_millis(800);

/// Why an answer is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproven {
    /// It is none of this server for this client.
    #[error("sent {0}")]
    Fault(#[from] AnswerFault),
    /// Newer keys might verify it.
    #[error(
        "sent an answer for which no key is at hand, or no new one in time; the log tells of the keys of its jwks_uri"
    )]
    NoKeys,
}

/// The signer of one configuration.
pub(super) struct Signer {
    ring: Option<Arc<KeyRing>>,
    /// Which key set is its own; absent where it has no place among the sets, and so no key.
    set: Option<usize>,
    names: [IssuerName; 1],
    /// Whom its answers are for.
    client: String,
}

impl Signer {
    /// Of a server of which only signed answers are accepted; absent of another. Without a ring it has no key.
    pub(super) fn of(server: &AuthorizationServer, ring: Option<&Arc<KeyRing>>) -> Option<Arc<Self>> {
        let keys = server.answer_keys.as_ref()?;
        Some(Arc::new(Self {
            ring: ring.cloned(),
            set: keys.set,
            names: [IssuerName::from(&*server.written.issuer)],
            client: keys.client.clone(),
        }))
    }

    /// What an answer to a question of this time says, as JSON. Newer keys are waited for where they might help.
    pub(super) async fn open(&self, answer: &[u8], asked: UnixTime) -> Result<String, Unproven> {
        let since = Instant::now();
        let answer = std::str::from_utf8(answer).map_err(|_| AnswerFault::Refused(Reject::Malformed))?;
        let ring = self.ring.as_ref().ok_or(Unproven::NoKeys)?;
        let place = self.set.ok_or(Unproven::NoKeys)?;
        let mut keys = ring.current();
        loop {
            let set = keys.sets.get(place).ok_or(Unproven::NoKeys)?;
            let reject = match verify_introspection(answer, &self.names, set, &self.client, asked) {
                Ok(said) => return Ok(said),
                Err(AnswerFault::Refused(reject)) if reject.suggests_newer_keys() => reject,
                Err(fault) => return Err(fault.into()),
            };
            let hint = event_hint(answer, place);
            let deadline = Instant::now() + EARLY_LOAD_WAIT;
            match ring.newer_than(keys.version, &hint, since, deadline, asked).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current if reject != Reject::NoKeys => {
                    return Err(AnswerFault::Refused(reject).into());
                }
                Newer::Final | Newer::Current | Newer::Unknown => return Err(Unproven::NoKeys),
            }
        }
    }
}
