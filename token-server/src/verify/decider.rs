//! The checks of one request, in their order.

use std::sync::Arc;
use std::time::Duration;

use jose::{
    AuthScheme, Claimed, Claims, DecryptionKeys, Reject, ShownProof, Signed, TokenForm, TokenHash, UnixTime,
};
use keys::Keys;
use service::sample::LogLines;
use service::shown;
use tokio::time::Instant;

use super::answer::{Answer, Pass};
use super::cache::{Key, Limits, Verified, VerifiedTokens};
use super::metrics::VerifyMetrics;
use super::possession::Possession;
use super::question::{Guard, PolicyId, Question, Shown};
use super::record::{Decided, Record};
use crate::decide::Basis;
use crate::encrypted::{Decryption, Opened};
use crate::opaque::Opaque;
use crate::payload::Payload;
use crate::revocations::load_deadline;
use crate::trust::Trusted;

/// How long an opaque token waits for what its server says of it. Proxies wait a second or more; a call that takes longer
/// is kept for the next request.
const OPAQUE_WAIT: Duration = Duration::from_secs(2);

/// What has no header is validated as if it had this one, which says nothing.
const NO_HEADER: &str = "{}";

/// What decisions go by, beside whom we trust.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many verified tokens are kept.
    pub cache: Limits,
    /// Which refusals are logged.
    pub log_refusals: LogLines,
    /// What is particular to each policy, in the order of [`jose::Trust::policies`].
    pub guards: Vec<Guard>,
}

/// Decides on requests; shared by all connections.
pub struct Decider {
    trusted: Arc<Trusted>,
    guards: Vec<Guard>,
    verified: VerifiedTokens,
    possession: Possession,
    record: Record,
}

/// A policy, found by its place.
#[derive(Clone, Copy)]
struct Guarded<'a> {
    id: PolicyId,
    policy: &'a jose::Policy,
    guard: &'a Guard,
}

impl Decider {
    /// One that has verified nothing yet.
    pub(crate) fn new(
        settings: Settings,
        possession: Possession,
        metrics: VerifyMetrics,
        trusted: &Arc<Trusted>,
    ) -> Self {
        let Settings { cache, log_refusals, guards } = settings;
        let record = Record::new(metrics, log_refusals);
        let verified = VerifiedTokens::new(cache);
        Self { trusted: Arc::clone(trusted), guards, verified, possession, record }
    }

    /// The policy of that name, or the default one.
    pub fn policy(&self, name: Option<&str>) -> Option<PolicyId> {
        let policies = self.trusted.trust().policies();
        match name {
            None => (!policies.is_empty()).then_some(PolicyId::DEFAULT),
            Some(name) => policies.iter().position(|policy| policy.name == name).map(PolicyId),
        }
    }

    /// The nonce that a client's next proof must have; absent where none is asked for, or the policy takes no proofs.
    pub(crate) fn nonce(&self, id: PolicyId, now: UnixTime) -> Option<String> {
        let policy = self.trusted.trust().policies().get(id.0)?;
        self.possession.nonce(now).filter(|_| self.trusted.trust().takes_proofs(policy))
    }

    fn found(&self, id: PolicyId) -> Option<Guarded<'_>> {
        let (policy, guard) = (self.trusted.trust().policies().get(id.0)?, self.guards.get(id.0)?);
        Some(Guarded { id, policy, guard })
    }

    /// Decides on a request, at `now`.
    pub(crate) async fn decide(&self, question: Question<'_>, basis: &Basis, now: UnixTime) -> Answer {
        let (request_id, scheme, proof) = (question.request_id, question.scheme(), question.proof.clone());
        let guarded = question.policy.and_then(|id| self.found(id)).ok_or(Reject::UnknownPolicy);
        let shown = guarded.and_then(|guarded| question.shown(guarded.guard));
        let decision = match (guarded, &shown) {
            (Ok(guarded), Ok(Shown::Token(token))) => {
                self.token((token, scheme), proof, guarded, basis, now).await
            }
            (Ok(_), Ok(Shown::Missing)) => Ok(Pass::Missing),
            (Ok(_), Ok(Shown::Preflight)) => Ok(Pass::Preflight),
            (Err(reject), _) => Err(reject),
            (Ok(_), Err(reject)) => Err(*reject),
        };
        let token = match &shown {
            Ok(Shown::Token(token)) => Some(&**token),
            Ok(Shown::Missing | Shown::Preflight) | Err(_) => None,
        };
        let claimed = match (&decision, guarded, token) {
            (Err(_), Ok(guarded), Some(token)) => self.trusted.trust().claimed(token, guarded.policy),
            (Ok(_), _, _) | (_, Err(_), _) | (_, _, None) => Claimed::default(),
        };
        let policy = guarded.ok().map(|guarded| guarded.policy.name.as_str());
        self.record.decided(&Decided { request_id, policy, token, claimed }, &decision);
        let challenges = guarded.ok().map(|guarded| &guarded.policy.challenges);
        decision.map_or_else(|reject| Answer::refuse(reject, scheme, challenges), Answer::Pass)
    }

    async fn token(
        &self,
        (token, scheme): (&str, AuthScheme),
        proof: Option<Result<ShownProof<'_>, Reject>>,
        guarded: Guarded<'_>,
        basis: &Basis,
        now: UnixTime,
    ) -> Result<Pass, Reject> {
        let is_introspected = guarded.policy.opaque == jose::Opaque::Introspect;
        let verified = if is_introspected && basis.opaque.takes(token) {
            self.opaque((token, scheme), guarded, &basis.opaque, now).await?
        } else {
            self.verified((token, scheme), guarded, &basis.decryption, now).await?
        };
        verified.payload.check(&basis.revocations, now, load_deadline()).await.verdict?;
        self.possession.judge(&verified.confirmation, &TokenHash::of(token), proof, now)?;
        basis.good_tokens.note(&verified.payload, &verified.json, now);
        Ok(Pass::Token(verified))
    }

    /// An opaque token whose claims are good. It is not kept here: what is known of it ends by itself.
    async fn opaque(
        &self,
        (token, scheme): (&str, AuthScheme),
        guarded: Guarded<'_>,
        opaque: &Opaque,
        now: UnixTime,
    ) -> Result<Arc<Verified>, Reject> {
        let claims = opaque.open(token, Instant::now() + OPAQUE_WAIT).await.claims?;
        let (header, claims) = (NO_HEADER.to_owned(), Claims::clone(&claims));
        let signed = self.trusted.validate_decrypted(header, claims, guarded.policy, now)?;
        self.good(signed, scheme, guarded, None).map(Arc::new)
    }

    /// A token whose signature and claims are good, and which may be used now by a client that shows what it has to.
    async fn verified(
        &self,
        (token, scheme): (&str, AuthScheme),
        guarded: Guarded<'_>,
        decryption: &Decryption,
        now: UnixTime,
    ) -> Result<Arc<Verified>, Reject> {
        let since = Instant::now();
        let keys = self.trusted.keys();
        let key = Key { token: TokenHash::of(token), policy: guarded.id, scheme, keys: keys.version };
        if let Some(kept) = self.kept(&key, decryption) {
            match kept.window.validate(now) {
                Ok(()) => {
                    self.record.metrics.hits.inc();
                    return Ok(kept);
                }
                Err(reject) => {
                    self.verified.forget(&key);
                    return Err(reject);
                }
            }
        }
        self.record.metrics.misses.inc();
        let (verified, version) = self.verify((token, scheme), guarded, decryption, keys, since, now).await?;
        let verified = Arc::new(verified);
        self.verified.keep(Key { keys: version, ..key }, Arc::clone(&verified));
        self.record.metrics.show_entries(self.verified.len());
        Ok(verified)
    }

    fn kept(&self, key: &Key, decryption: &Decryption) -> Option<Arc<Verified>> {
        let kept = self.verified.get(key)?;
        kept.opened_with.as_ref().is_none_or(|then| decryption.uses(then)).then_some(kept)
    }

    /// Verifies a token anew; tells the version of the keys as well.
    async fn verify(
        &self,
        (token, scheme): (&str, AuthScheme),
        guarded: Guarded<'_>,
        decryption: &Decryption,
        keys: Arc<Keys>,
        since: Instant,
        now: UnixTime,
    ) -> Result<(Verified, u64), Reject> {
        let policy = guarded.policy;
        let (opened, opened_with) = match TokenForm::of(token) {
            TokenForm::Jwe => {
                let (opened, keys) = decryption.open_told(token).await?;
                (Some(opened), Some(keys))
            }
            TokenForm::Jws | TokenForm::Opaque | TokenForm::Other => (None, None),
        };
        let (signed, version) = match opened {
            None => self.trusted.verify(token, keys, policy, since, now).await?,
            Some(Opened { nested: Some(token), .. }) => {
                self.trusted.verify(&token, keys, policy, since, now).await?
            }
            Some(Opened { header, claims, nested: None }) => {
                (self.trusted.validate_decrypted(header, claims, policy, now)?, keys.version)
            }
        };
        Ok((self.good(signed, scheme, guarded, opened_with)?, version))
    }

    /// What is kept of claims that are good.
    fn good(
        &self,
        signed: Signed,
        scheme: AuthScheme,
        Guarded { policy, guard, .. }: Guarded<'_>,
        opened_with: Option<Arc<DecryptionKeys>>,
    ) -> Result<Verified, Reject> {
        let trust = self.trusted.trust();
        let issuer = trust.issuer_policy(&signed)?;
        Ok(Verified {
            window: trust.window(&signed, policy)?,
            confirmation: trust.confirmation(&signed, policy, scheme)?,
            issuer: issuer.name().map(|name| shown::url(name).into()),
            payload: Payload::read(&signed.claims, issuer)?,
            handed_on: guard.handed_on.of(&signed.claims, &trust.claim_names(policy, &signed))?,
            json: signed.claims.as_json().into(),
            opened_with,
        })
    }
}
