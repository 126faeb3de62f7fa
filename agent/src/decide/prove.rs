//! What a request shows of its client: the certificate of its connection, and the proof beside a token that is bound to a key
//! (RFC 9449). A proof is judged for each request, and never kept.

use std::collections::BTreeSet;
use std::sync::Arc;

use jose::{
    AuthScheme, Evidence, NonceSecret, ProofFault, ProofSettings, Proofs, Reject, ReplayKey, SeenProofs,
    Trust, UnixTime,
};
use service::secret_file::SecretFile;

use super::question::Question;
use crate::cache::Kept;
use crate::metrics::Metrics;

/// What proofs are judged by.
#[derive(Debug, Clone, Default)]
pub struct Proving {
    /// What they must be.
    pub settings: ProofSettings,
    /// What is known of those that were used; absent: something else refuses them.
    pub seen: Option<Arc<SeenProofs>>,
    /// The secret of the nonces that they must have; absent: they need none.
    pub nonces: Option<Arc<SecretFile<NonceSecret>>>,
}

/// Judges proofs.
#[derive(Debug)]
pub(super) struct Prover {
    proofs: Proofs,
    seen: Option<Arc<SeenProofs>>,
    nonces: Option<Arc<SecretFile<NonceSecret>>>,
    /// The policies under which a proof may be good.
    policies: BTreeSet<String>,
    metrics: Arc<Metrics>,
}

/// What a request shows.
pub(super) struct Proved {
    pub evidence: Evidence,
    /// The proof that was accepted, where there was one.
    pub proof: Option<ReplayKey>,
}

impl Prover {
    /// By these settings, for policies over these issuers, where these schemes are accepted.
    pub fn new(proving: Proving, trust: &Trust, schemes: &[String], metrics: Arc<Metrics>) -> Self {
        let Proving { settings, seen, nonces } = proving;
        let is_accepted = schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case(AuthScheme::Dpop.as_str()));
        let policies = trust.policies().iter().filter(|policy| is_accepted && trust.takes_proofs(policy));
        let policies = policies.map(|policy| policy.name.clone()).collect();
        Self { proofs: Proofs::new(settings, seen.clone()), seen, nonces, policies, metrics }
    }

    /// The nonce for the next proof, where this policy takes proofs and they need one.
    pub fn nonce(&self, policy: Option<&str>, now: UnixTime) -> Option<String> {
        let secret = self.nonces.as_ref()?;
        self.policies.contains(policy?).then(|| secret.current().nonce(now))
    }

    /// Whether a proof has to be judged before the verdict is sent.
    pub fn is_needed(&self, kept: &Kept, question: &Question<'_>) -> bool {
        kept.reject.is_none() && question.proof.is_some() && kept.confirmation().key.is_some()
    }

    /// What the request shows. A proof is looked at where the token is good, bound to a key, and all else is shown; it is used up
    /// then.
    ///
    /// # Errors
    ///
    /// Why the proof is none.
    pub fn prove(&self, kept: &Kept, question: &Question<'_>, now: UnixTime) -> Result<Proved, Reject> {
        let unproved = Proved { evidence: question.evidence, proof: None };
        let confirmation = kept.confirmation();
        let (None, Some(key), Some(shown)) = (kept.reject, confirmation.key, &question.proof) else {
            return Ok(unproved);
        };
        let evidence = Evidence { key: Some(key), ..question.evidence };
        confirmation.judge(&evidence)?;
        let shown = shown.as_ref().map_err(|reject| *reject)?;
        let secret = self.nonces.as_ref().map(|secret| secret.current());
        let judged = self.proofs.judge(shown, &question.key.token, &key, secret.as_deref(), now);
        if let Some(seen) = &self.seen {
            self.metrics.proofs_remembered.set(i64::try_from(seen.count()).unwrap_or(i64::MAX));
        }
        match judged {
            Ok(proof) => Ok(Proved { evidence, proof: Some(proof) }),
            Err(fault) => {
                tracing::debug!(request = question.request.as_deref(), %fault, "a proof of possession is refused");
                if fault == ProofFault::NoRoom {
                    self.metrics.proofs_unremembered.inc();
                }
                Err(fault.reject())
            }
        }
    }
}
