//! One proof against one request: the checks of RFC 9449 section 4.3, the cheap ones before the signature.

use std::time::Duration;

use super::fault::ProofFault;
use super::nonce::NonceSecret;
use super::replay::ReplayKey;
use super::target::TargetUri;
use crate::json::{Object, string};
use crate::jws::Unverified;
use crate::keys::presented;
use crate::{
    Algorithm, AlgorithmSet, Claim, Claims, Identity, Key, Reject, SkipReason, TokenForm, TokenHash,
    UnixTime, base64url,
};

/// Bytes of a proof. One by an RSA key of 8,192 bits has 3,700.
pub const MAX_PROOF_BYTES: usize = 4 * 1024;

/// Bytes of a proof by ML-DSA: public key and signature of ML-DSA-87 alone make 10,800.
pub const MAX_ML_DSA_PROOF_BYTES: usize = 12 * 1024;

/// Bytes of a `jti`. RFC 9449 section 4.2 asks for 96 random bits or a UUID, which are 16 to 36.
pub const MAX_JTI_BYTES: usize = 256;

/// How far in the future a proof's `iat` may be, as the clocks of clients go.
const MAX_AHEAD: Duration = Duration::from_secs(5);

/// The `typ` of proofs (RFC 9449 section 4.2). Media types are compared without case (RFC 2045 section 5.1).
const TYPE: &str = "dpop+jwt";

const ML_DSA: AlgorithmSet = AlgorithmSet::of(&[Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87]);

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
        now: UnixTime,
    ) -> Result<Self, ProofFault> {
        let unverified = open(proof, rules.algorithms)?;
        let algorithm = unverified.header().algorithm;
        let claims = Claims::parse(unverified.payload()).map_err(|_| ProofFault::Malformed)?;
        let told = Told::read(&claims)?;
        let target = told.compare(request, rules, now)?;

        let key = own_key(&unverified.header().json, algorithm)?;
        if *key.identity() != Identity::Thumbprint(base64url::encode(request.thumbprint)) {
            return Err(ProofFault::OtherKey);
        }
        if !unverified.is_signed_by(&key) {
            return Err(ProofFault::Signature);
        }
        Ok(Self {
            replay_key: ReplayKey::of(request.thumbprint, target, &told.jti),
            forget_at: told.issued.after(rules.max_age).after(MAX_AHEAD),
        })
    }
}

/// Takes a proof apart whose form, `typ` and `alg` are those of one.
fn open(proof: &str, accepted: AlgorithmSet) -> Result<Unverified<'_>, ProofFault> {
    let most =
        if accepted.intersection(ML_DSA).is_empty() { MAX_PROOF_BYTES } else { MAX_ML_DSA_PROOF_BYTES };
    if proof.len() > most {
        return Err(ProofFault::TooLong { max: most });
    }
    if TokenForm::of(proof) != TokenForm::Jws {
        return Err(ProofFault::Malformed);
    }
    let fault =
        |reject| if reject == Reject::Algorithm { ProofFault::Algorithm } else { ProofFault::Malformed };
    let unverified = Unverified::parse(proof).map_err(fault)?;
    let header = unverified.header();
    let typ = Object::members_of(&header.json).and_then(|header| header.get("typ").and_then(string));
    if !typ.is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE)) {
        return Err(ProofFault::Type);
    }
    if !accepted.contains(header.algorithm) || AlgorithmSet::HMAC.contains(header.algorithm) {
        return Err(ProofFault::Algorithm);
    }
    if proof.len() > MAX_PROOF_BYTES && !ML_DSA.contains(header.algorithm) {
        return Err(ProofFault::TooLong { max: MAX_PROOF_BYTES });
    }
    Ok(unverified)
}

/// The key that the proof brings along. What else may name a key (`kid`, `jku`, `x5u`, `x5c`) is not looked at.
fn own_key(header: &str, algorithm: Algorithm) -> Result<Key, ProofFault> {
    let header = Object::members_of(header).ok_or(ProofFault::Malformed)?;
    let jwk = header.get("jwk").ok_or(ProofFault::Key)?;
    presented(jwk, algorithm).map_err(|reason| {
        if reason == SkipReason::PrivateHalf { ProofFault::PrivateKey } else { ProofFault::Key }
    })
}

/// What a proof says of itself.
struct Told {
    jti: String,
    method: String,
    target: String,
    issued: UnixTime,
    token: String,
    nonce: Option<String>,
}

impl Told {
    fn read(claims: &Claims) -> Result<Self, ProofFault> {
        let optional = |name: &'static str| match claims.get(name) {
            None => Ok(None),
            Some(Claim::String(text)) => Ok(Some(text.into_owned())),
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
        let told = TargetUri::parse(&self.target).map_err(|_| ProofFault::Target)?;
        let target = request.targets.iter().find(|target| **target == told).ok_or(ProofFault::Target)?;
        if self.token != base64url::encode(request.token.as_bytes()) {
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
