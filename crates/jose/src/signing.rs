//! Keys of ours that sign JWTs (RFC 7515), such as what a client shows of itself to an authorization server (RFC 7523).
//!
//! A key signs by one algorithm, which is bound when the key is read.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaEncoding, RsaKeyPair,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::json::Object;
use crate::keys::components::{Components, trimmed};
use crate::keys::jwk::{ec, kid, octets, okp, present, rsa, text};
use crate::keys::source;
use crate::{Algorithm, Curve, Excerpt, KeySetError, SkipReason, base64url};

/// A private key, and the algorithm that it signs by.
pub struct SigningKey {
    kid: Option<String>,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// Why a text is no key that signs. No message holds a word of it but `alg`, `use`, `kty` and `crv`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// It cannot be read at all.
    #[error(transparent)]
    Source(#[from] KeySetError),
    /// It is neither PEM nor a JWK with a key of a kind that signs here.
    #[error(
        "expected one private key without a password, as PEM (PKCS#8, PKCS#1 or SEC 1) or as a JWK: RSA with 2048 bits or more, P-256 or \
         Ed25519"
    )]
    Form,
    /// A parameter of the JWK cannot be used.
    #[error(transparent)]
    Jwk(#[from] SkipReason),
    /// The JWK has no private half.
    #[error("the JWK is a public key; expected the private one, which has the member d")]
    PublicOnly,
    /// The JWK is for something else.
    #[error("the JWK's key_ops do not contain \"sign\"")]
    KeyOps,
    /// The JWK's `alg` is another than keys of its kind sign by here.
    #[error("the JWK's alg {0} is none that its key signs by here: RS256 or PS256, ES256, EdDSA")]
    Algorithm(Excerpt),
    /// The JWK's parameters contradict each other, or its key is too short or too long.
    #[error("the JWK's parameters are not those of one key, or its RSA key has not 2048 to 8192 bits")]
    Mismatch,
}

/// The key made no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key made no signature")]
pub struct Unsigned;

impl SigningKey {
    /// Reads one private key: PEM, or a JWK (RFC 7517). An RSA key signs by RS256, unless its JWK has the `alg` PS256.
    ///
    /// # Errors
    ///
    /// See [`SigningKeyError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SigningKeyError> {
        let text = source::text(bytes)?;
        if text.starts_with('{') {
            let json = source::well_formed(text)?;
            Self::of_jwk(&Object::parse(json).map_err(|_| SigningKeyError::Form)?)
        } else {
            let (pair, algorithm) = of_pem(text)?;
            Ok(Self { kid: None, algorithm, pair })
        }
    }

    fn of_jwk(jwk: &Object<'_>) -> Result<Self, SigningKeyError> {
        may_sign(jwk)?;
        if present(jwk, "d").is_none() {
            return Err(SigningKeyError::PublicOnly);
        }
        let kty = text(jwk, "kty")?.ok_or(SkipReason::Parameter("kty"))?;
        let (pair, algorithm) = match kty.as_str() {
            "RSA" => private_rsa(jwk)?,
            "EC" => private_p256(jwk)?,
            "OKP" => private_ed25519(jwk)?,
            _ => return Err(SkipReason::KeyType(Excerpt::of(&kty)).into()),
        };
        Ok(Self { kid: kid(jwk)?, algorithm, pair })
    }

    /// The algorithm that it signs by.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// A JWT of this `typ` with these claims, which are JSON. Its header names this `kid`, or else the one of the key's JWK.
    ///
    /// # Errors
    ///
    /// See [`Unsigned`].
    pub fn sign(&self, typ: &str, kid: Option<&str>, claims: &str) -> Result<String, Unsigned> {
        let mut header = json!({ "alg": self.algorithm.as_str(), "typ": typ });
        if let (Some(members), Some(kid)) = (header.as_object_mut(), kid.or(self.kid.as_deref())) {
            members.insert("kid".to_owned(), kid.into());
        }
        let header = base64url::encode(header.to_string().as_bytes());
        let message = format!("{header}.{}", base64url::encode(claims.as_bytes()));
        let signature = self.pair.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", base64url::encode(&signature)))
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unsigned> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature).map_err(|_| Unsigned)?;
                Ok(signature)
            }
            Self::P256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| Unsigned)?;
                Ok(signature.as_ref().to_vec())
            }
            Self::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

/// The one private key of a text, beside which there may be certificates, public keys and the parameters of a curve.
fn of_pem(text: &str) -> Result<(Pair, Algorithm), SigningKeyError> {
    let blocks = pem::parse_many(text).map_err(|_| SigningKeyError::Form)?;
    let mut private = blocks.into_iter().filter(|block| block.tag().ends_with("PRIVATE KEY"));
    let (Some(block), None) = (private.next(), private.next()) else { return Err(SigningKeyError::Form) };
    let tag = block.tag().to_owned();
    let der = Zeroizing::new(block.into_contents());
    let rsa = |pair| (Pair::Rsa(pair, &RSA_PKCS1_SHA256), Algorithm::RS256);
    let p256 = |pair| (Pair::P256(pair), Algorithm::ES256);
    let read = match tag.as_str() {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der)
            .map(rsa)
            .or_else(|_| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map(p256))
            .or_else(|_| {
                Ed25519KeyPair::from_pkcs8(&der).map(|pair| (Pair::Ed25519(pair), Algorithm::EdDSA))
            }),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der).map(rsa),
        "EC PRIVATE KEY" => {
            EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map(p256)
        }
        _ => return Err(SigningKeyError::Form),
    };
    read.map_err(|_| SigningKeyError::Form)
}

/// `use` and `key_ops` bind.
fn may_sign(jwk: &Object<'_>) -> Result<(), SigningKeyError> {
    if let Some(usage) = text(jwk, "use")?
        && usage != "sig"
    {
        return Err(SkipReason::Use(Excerpt::of(&usage)).into());
    }
    if let Some(operations) = present(jwk, "key_ops") {
        let operations: Vec<String> =
            serde_json::from_str(operations).map_err(|_| SkipReason::Parameter("key_ops"))?;
        if !operations.iter().any(|operation| operation == "sign") {
            return Err(SigningKeyError::KeyOps);
        }
    }
    Ok(())
}

/// `alg`, if it is one of these; the first, where the JWK says nothing.
fn algorithm(jwk: &Object<'_>, able: &[Algorithm]) -> Result<Algorithm, SigningKeyError> {
    let Some(told) = text(jwk, "alg")? else { return able.first().copied().ok_or(SigningKeyError::Form) };
    let named = told.parse::<Algorithm>().ok().filter(|algorithm| able.contains(algorithm));
    named.ok_or_else(|| SigningKeyError::Algorithm(Excerpt::of(&told)))
}

/// All parameters of RFC 7518 section 6.3.2 are needed but `oth`, which is not supported.
fn private_rsa(jwk: &Object<'_>) -> Result<(Pair, Algorithm), SigningKeyError> {
    let Components::Rsa { n, e } = rsa(jwk)? else { return Err(SigningKeyError::Form) };
    if present(jwk, "oth").is_some() {
        return Err(SkipReason::Parameter("oth").into());
    }
    let private = |name| octets(jwk, name).map(Zeroizing::new);
    let [d, p, q] = [private("d")?, private("p")?, private("q")?];
    let [dp, dq, qi] = [private("dp")?, private("dq")?, private("qi")?];
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: trimmed(&n), e: trimmed(&e) },
        d: trimmed(&d),
        p: trimmed(&p),
        q: trimmed(&q),
        dP: trimmed(&dp),
        dQ: trimmed(&dq),
        qInv: trimmed(&qi),
    };
    let algorithm = algorithm(jwk, &[Algorithm::RS256, Algorithm::PS256])?;
    let encoding: &'static dyn RsaEncoding =
        if algorithm == Algorithm::PS256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
    let pair = RsaKeyPair::from_components(&components).map_err(|_| SigningKeyError::Mismatch)?;
    Ok((Pair::Rsa(pair, encoding), algorithm))
}

fn private_p256(jwk: &Object<'_>) -> Result<(Pair, Algorithm), SigningKeyError> {
    let Components::Ec { curve, point } = ec(jwk)? else { return Err(SigningKeyError::Form) };
    if curve != Curve::P256 {
        return Err(SkipReason::Curve(Excerpt::of(curve.as_str())).into());
    }
    let d = Zeroizing::new(octets(jwk, "d")?);
    let number = trimmed(&d);
    let zeros = curve.coordinate_len().checked_sub(number.len()).ok_or(SkipReason::Parameter("d"))?;
    let mut private = Zeroizing::new(vec![0; zeros]);
    private.extend(number);
    let pair =
        EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &private, &point);
    Ok((Pair::P256(pair.map_err(|_| SigningKeyError::Mismatch)?), algorithm(jwk, &[Algorithm::ES256])?))
}

fn private_ed25519(jwk: &Object<'_>) -> Result<(Pair, Algorithm), SigningKeyError> {
    let Components::Ed25519 { x } = okp(jwk)? else { return Err(SigningKeyError::Form) };
    let seed = Zeroizing::new(octets(jwk, "d")?);
    let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &x).map_err(|_| SigningKeyError::Mismatch)?;
    Ok((Pair::Ed25519(pair), algorithm(jwk, &[Algorithm::EdDSA])?))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
