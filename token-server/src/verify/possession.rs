//! Whether the client of a good token has proved that it holds what the token is bound to (RFC 9449, RFC 8705).
//!
//! It is judged for each request, whatever is kept of the token, and last of all: a proof that counts is used up.

use std::sync::Arc;

use jose::{
    Confirmation, Evidence, NonceSecret, ProofFault, ProofSettings, Proofs, Reject, SeenProofs, ShownProof,
    TokenHash, UnixTime,
};
use service::secret_file::SecretFile;

use super::metrics::VerifyMetrics;

/// How the clients of bound tokens prove themselves.
#[derive(Debug, Clone)]
pub struct ProofTerms {
    /// What proofs must be.
    pub settings: ProofSettings,
    /// How many used ones are remembered; absent: none, and a proof may be used again.
    pub remembered: Option<usize>,
    /// Whether they need a nonce.
    pub needs_nonce: bool,
    /// What nonces are made with, where a file is named.
    pub nonce_secret: Option<Arc<SecretFile<NonceSecret>>>,
}

/// What the configurations of a process share, one after the other: a reload makes no used proof good again.
#[derive(Debug, Clone)]
pub(crate) struct ProofMemory {
    seen: Option<Arc<SeenProofs>>,
    nonce_secret: Option<Arc<SecretFile<NonceSecret>>>,
}

/// Judges what clients prove.
#[derive(Debug)]
pub(crate) struct Possession {
    proofs: Proofs,
    memory: ProofMemory,
    metrics: VerifyMetrics,
    /// What their nonces are made with; absent: they need none.
    nonces: Option<Arc<SecretFile<NonceSecret>>>,
}

impl ProofMemory {
    /// One that knows of no proof yet.
    pub(crate) fn new(terms: &ProofTerms) -> Self {
        let seen = terms.remembered.map(|most| Arc::new(SeenProofs::new(most)));
        Self { seen, nonce_secret: terms.nonce_secret.clone() }
    }
}

impl Possession {
    /// By these terms.
    pub(crate) fn new(terms: &ProofTerms, memory: &ProofMemory, metrics: VerifyMetrics) -> Self {
        Self {
            memory: memory.clone(),
            metrics,
            proofs: Proofs::new(terms.settings.clone(), memory.seen.clone()),
            nonces: memory.nonce_secret.clone().filter(|_| terms.needs_nonce),
        }
    }

    /// The nonce for the next proof; absent where none is needed.
    pub(crate) fn nonce(&self, now: UnixTime) -> Option<String> {
        self.nonces.as_ref().map(|secret| secret.current().nonce(now))
    }

    /// Judges what was shown beside a good token, of whose client this is asked; absent: its scheme is not `DPoP`.
    ///
    /// # Errors
    /// [`Reject::Binding`] for a token that is bound to a key behind another scheme (RFC 9449 section 7.2), or to a certificate,
    /// of which no proxy tells; why the proof could not be read; and what is wrong with it.
    pub(super) fn judge(
        &self,
        asked: &Confirmation,
        token: &TokenHash,
        shown: Option<Result<ShownProof<'_>, Reject>>,
        now: UnixTime,
    ) -> Result<(), Reject> {
        let Some(key) = asked.key else {
            return asked.judge(&Evidence::NONE);
        };
        // What is bound to a certificate as well is refused before its proof is used up.
        asked.judge(&Evidence { key: Some(key), ..Evidence::NONE })?;
        let shown = shown.ok_or(Reject::Binding)??;
        let nonces = self.nonces.as_ref().map(|secret| secret.current());
        let used = self.proofs.judge(&shown, token, &key, nonces.as_deref(), now);
        self.metrics.show_proofs(self.memory.seen.as_ref().map_or(0, |seen| seen.count()));
        used.map(drop).map_err(|fault| {
            if fault == ProofFault::NoRoom {
                self.metrics.proofs_unremembered.inc();
            }
            tracing::debug!(%fault, "a proof of possession is refused");
            fault.reject()
        })
    }
}
