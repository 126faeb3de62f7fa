//! Whether a token is one of an issuer that is trusted, whatever it says: by the keys for access tokens, apart from checks.

use std::sync::Arc;

use jose::{Decrypted, Hint, Policy, Reject, Signed, TokenForm, TokenVersion};
use keys::{Keys, Newer};
use tokio::time::Instant;

use super::belief::{Disbelief, EARLY_LOAD_WAIT};
use super::{InUse, Signals};

/// Why it is not known whose a token is.
pub(super) enum Unverified {
    /// It is nothing that can be revoked here.
    Unsupported(&'static str),
    /// It is not believed, or not now.
    Refused(Disbelief),
}

/// Why a token cannot be verified with the keys at hand, and what it says of itself if newer ones might.
type Failed = (Reject, Option<Hint>);

enum Opened {
    Signed(String),
    /// Those who share a secret with this server vouch for it.
    Claims(Signed),
}

impl From<Disbelief> for Unverified {
    fn from(disbelief: Disbelief) -> Self {
        Self::Refused(disbelief)
    }
}

fn refused(reject: Reject) -> Unverified {
    Unverified::Refused(Disbelief::because(reject.detail()))
}

impl Signals {
    /// What a token says whose signature is good, or which only those could encrypt who share a secret with this server. Newer keys
    /// are waited for where they might help.
    pub(super) async fn verified(&self, in_use: &Arc<InUse>, token: String) -> Result<Signed, Unverified> {
        let token: Arc<str> = match self.opened_by_form(token).await? {
            Opened::Signed(token) => token.into(),
            Opened::Claims(signed) => return Ok(signed),
        };
        let (since, now) = (Instant::now(), (self.clock)());
        let mut keys = in_use.keys.current();
        loop {
            let (sought, with, by) = (Arc::clone(&token), Arc::clone(&keys), Arc::clone(in_use));
            let judged = self.strangers.judge(move || verify(&by, &sought, &with)).await;
            let (reject, missing) = match judged.map_err(Disbelief::from)? {
                Ok(signed) => return Ok(signed),
                Err((Reject::NoKeys, None)) => return Err(Disbelief::NoKeys.into()),
                Err((reject, None)) => return Err(refused(reject)),
                Err((reject, Some(missing))) => (reject, missing),
            };
            let _waits = self.waiting_for_keys.acquire().await.map_err(|_| Disbelief::Crowded)?;
            let until = Instant::now() + EARLY_LOAD_WAIT;
            match in_use.keys.newer_than(keys.version, &missing, since, until, now).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current if reject != Reject::NoKeys => return Err(refused(reject)),
                Newer::Final | Newer::Current | Newer::Unknown => return Err(Disbelief::NoKeys.into()),
            }
        }
    }

    async fn opened_by_form(&self, token: String) -> Result<Opened, Unverified> {
        match TokenForm::of(&token) {
            TokenForm::Jws => Ok(Opened::Signed(token)),
            TokenForm::Opaque | TokenForm::Other => {
                Err(Unverified::Unsupported("the token is no JWT: its issuer alone can revoke it"))
            }
            TokenForm::Jwe => {
                let keys = self.decryption_keys.as_ref().map(|file| file.current());
                let keys = keys.ok_or(Unverified::Unsupported("no encrypted token can be opened here"))?;
                let opened = self.strangers.judge(move || jose::decrypt(&token, &keys)).await;
                match opened.map_err(Disbelief::from)?.map_err(refused)? {
                    Decrypted::Nested { token, .. } => Ok(Opened::Signed(token)),
                    Decrypted::Claims { header, claims } => {
                        let version = TokenVersion::of(&claims);
                        Ok(Opened::Claims(Signed { header, claims, version }))
                    }
                }
            }
        }
    }
}

/// By the keys of whichever issuer it names: which policy of a route would accept it does not matter.
fn verify(in_use: &InUse, token: &str, keys: &Keys) -> Result<Signed, Failed> {
    let trust = in_use.settings.trust.as_ref().ok_or((Reject::NoKeys, None))?;
    let everyone = Policy::of(Policy::DEFAULT, (0..trust.issuers().len()).collect());
    trust.verify_signature(token, &keys.sets, &everyone).map_err(|reject| {
        let missing = reject.suggests_newer_keys().then(|| trust.hint(token, &everyone));
        (reject, missing)
    })
}
