//! One proof against one request: the checks of RFC 9449 section 4.3, the cheap ones before the signature.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::fault::ProofFault;
use super::header::{ProofHeader, ProofHeaders};
use super::nonce::NonceSecret;
use super::replay::ReplayKey;
use super::target::TargetUri;
use crate::jws::Parts;
use crate::{Algorithm, AlgorithmSet, Claim, Claims, TokenHash, UnixTime, base64url};

/// Bytes of a proof. One by an RSA key of 8,192 bits has 3,700.
pub const MAX_PROOF_BYTES: usize = 4 * 1024;

/// Bytes of a proof by ML-DSA: public key and signature of ML-DSA-87 alone make 10,800.
pub const MAX_ML_DSA_PROOF_BYTES: usize = 12 * 1024;

/// Bytes of a `jti`. RFC 9449 section 4.2 asks for 96 random bits or a UUID, which are 16 to 36.
pub const MAX_JTI_BYTES: usize = 256;

/// How far in the future a proof's `iat` may be, as the clocks of clients go.
const MAX_AHEAD: Duration = Duration::from_secs(5);

/// The algorithms of long proofs.
pub(super) const ML_DSA: AlgorithmSet =
    AlgorithmSet::of(&[Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87]);

/// What proofs must be, whatever the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofRules {
    /// Accepted algorithms; those of shared secrets are never accepted.
    pub algorithms: AlgorithmSet,
    /// How old a proof may be.
    pub max_age: Duration,
}

impl Default for ProofRules {
    fn default() -> Self {
        Self { algorithms: Self::ALGORITHMS, max_age: Duration::from_secs(60) }
    }
}

impl ProofRules {
    /// The algorithms that are accepted where nothing else is said.
    pub const ALGORITHMS: AlgorithmSet = AlgorithmSet::of(&[
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::ES512,
        Algorithm::EdDSA,
        Algorithm::PS256,
        Algorithm::RS256,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ]);
}

/// The request that a proof must be for.
#[derive(Debug, Clone, Copy)]
pub struct ProvedRequest<'a> {
    /// The access token beside the proof.
    pub token: &'a TokenHash,
    /// The SHA-256 thumbprint of the key that the token is bound to (`cnf.jkt`, RFC 9449 section 6.1).
    pub thumbprint: &'a [u8],
    /// The method, as the client wrote it.
    pub method: &'a str,
    /// The URI, as each of the origins has it by which the server is known.
    pub targets: &'a [TargetUri],
    /// By whose nonces, if proofs need one.
    pub nonces: Option<&'a NonceSecret>,
}

/// A proof that is good for its request, if it was not seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// What stands for it in a memory of proofs.
    pub replay_key: ReplayKey,
    /// Until when it must be remembered: from then on it is too old for everybody, also by a clock that is five seconds
    /// behind.
    pub forget_at: UnixTime,
}

impl Proof {
    /// Makes every check of RFC 9449 section 4.3 but that for proofs that were seen before.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; [`ProofFault::Signature`] comes last.
    pub fn verify(
        proof: &str,
        request: &ProvedRequest<'_>,
        rules: &ProofRules,
        headers: &ProofHeaders,
        now: UnixTime,
    ) -> Result<Self, ProofFault> {
        let parts = open(proof, rules.algorithms)?;
        let (header, is_new) = match headers.get(parts.header) {
            Some(header) if rules.algorithms.contains(header.algorithm) => (header, false),
            _ => (Arc::new(ProofHeader::read(parts.header, rules.algorithms)?), true),
        };
        if proof.len() > MAX_PROOF_BYTES && !ML_DSA.contains(header.algorithm) {
            return Err(ProofFault::TooLong { max: MAX_PROOF_BYTES });
        }
        let decoded = |text| base64url::decode(text).map_err(|base64url::NotBase64Url| ProofFault::Malformed);
        let signature = decoded(parts.signature)?;
        if signature.is_empty() {
            return Err(ProofFault::Malformed);
        }
        let claims = Claims::parse(&decoded(parts.payload)?).map_err(|_| ProofFault::Malformed)?;
        let told = Told::read(&claims)?;
        let target = told.compare(request, rules, now)?;

        if header.thumbprint.as_bytes() != request.thumbprint {
            return Err(ProofFault::OtherKey);
        }
        if !header.key.verifies(header.algorithm, parts.message.as_bytes(), &signature) {
            return Err(ProofFault::Signature);
        }
        if is_new {
            headers.keep(parts.header, header);
        }
        Ok(Self {
            replay_key: ReplayKey::of(request.thumbprint, target, &told.jti),
            forget_at: told.issued.after(rules.max_age).after(MAX_AHEAD),
        })
    }
}

/// Takes a proof apart that is no longer than any may be, and has the form of one.
fn open(proof: &str, accepted: AlgorithmSet) -> Result<Parts<'_>, ProofFault> {
    let most =
        if accepted.intersection(ML_DSA).is_empty() { MAX_PROOF_BYTES } else { MAX_ML_DSA_PROOF_BYTES };
    if proof.len() > most {
        return Err(ProofFault::TooLong { max: most });
    }
    Parts::of(proof).ok_or(ProofFault::Malformed)
}

/// What a proof says of itself.
struct Told<'a> {
    jti: Cow<'a, str>,
    method: Cow<'a, str>,
    target: Cow<'a, str>,
    issued: UnixTime,
    token: Cow<'a, str>,
    nonce: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    fn read(claims: &'a Claims) -> Result<Self, ProofFault> {
        let optional = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Claim::String(text)) => Ok(Some(text)),
            Some(_) => Err(ProofFault::Claim(name)),
        };
        let text = |name: &'static str| optional(name)?.ok_or(ProofFault::Claim(name));
        let issued = claims.numeric_date("iat").ok().flatten().ok_or(ProofFault::Claim("iat"))?;
        let jti = text("jti")?;
        if !(1..=MAX_JTI_BYTES).contains(&jti.len()) {
            return Err(ProofFault::Claim("jti"));
        }
        Ok(Self {
            jti,
            method: text("htm")?,
            target: text("htu")?,
            issued,
            token: text("ath")?,
            nonce: optional("nonce")?,
        })
    }

    /// Compares it with the request, and gives the URI that it is for.
    fn compare<'r>(
        &self,
        request: &ProvedRequest<'r>,
        rules: &ProofRules,
        now: UnixTime,
    ) -> Result<&'r TargetUri, ProofFault> {
        if self.method != request.method {
            return Err(ProofFault::Method);
        }
        let target = TargetUri::find(request.targets, &self.target).ok_or(ProofFault::Target)?;
        if !base64url::is_hash(&self.token, request.token.as_bytes()) {
            return Err(ProofFault::TokenHash);
        }
        if self.issued > now.after(MAX_AHEAD) || self.issued.after(rules.max_age) < now {
            return Err(ProofFault::Time);
        }
        match (request.nonces, &self.nonce) {
            (None, _) => Ok(target),
            (Some(nonces), Some(nonce)) if nonces.accepts(nonce, now) => Ok(target),
            (Some(_), _) => Err(ProofFault::Nonce),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
