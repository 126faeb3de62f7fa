//! One private or secret JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
//!
//! `use`, `key_ops`, `alg`, `crv` and `enc`, a member of our own, bind; so does `default`, which marks the key for tokens
//! that name no known one.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeyPair, KeyPairComponents, OaepPrivateDecryptingKey, PrivateDecryptingKey, PublicKeyComponents,
};

use super::candidate::Candidate;
use super::key::{Binding, DecryptionKey, Material};
use super::skip::DecryptionSkipReason;
use crate::json::Object;
use crate::jwe::agreement::PublicPoint;
use crate::jwe::algorithm::KeyManagement;
use crate::jwe::secret::Secret;
use crate::keys::components::{Components, Tolerance, trimmed};
use crate::keys::jwk::{kid, octets, present, rsa, text};
use crate::{Excerpt, SkipReason};

/// The operations of which a decryption key has one.
const OPERATIONS: [&str; 4] = ["decrypt", "unwrapKey", "deriveKey", "deriveBits"];

/// Verification takes weak keys at times; decryption never does.
const STRICT: Tolerance = Tolerance { short_secrets: false, small_rsa: false, mixed_kinds: false };

/// What a secret without the mark `default` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmarked {
    /// One of several keys: tokens must name it.
    Named,
    /// The only key of its source: there is no other that could be meant.
    Default,
}

/// Judges one JWK. The caller has bounded the nesting.
pub(super) fn candidate(json: &str, unmarked: Unmarked) -> Candidate {
    let Ok(jwk) = Object::parse(json) else {
        return Candidate { kid: None, is_default: false, outcome: Err(SkipReason::Malformed.into()) };
    };
    let (kid, mark) = (kid(&jwk), default_mark(&jwk, unmarked));
    let is_default = matches!(mark, Ok(true));
    let outcome = match (&kid, mark) {
        (Err(reason), _) => Err(reason.clone().into()),
        (_, Err(reason)) => Err(reason.into()),
        (Ok(kid), Ok(_)) => admit(&jwk, kid.clone(), is_default).and_then(|key| {
            let reachable = kid.is_some() || is_default || !key.is_symmetric();
            if reachable { Ok(key) } else { Err(DecryptionSkipReason::Unreachable) }
        }),
    };
    Candidate { kid: kid.unwrap_or_default(), is_default, outcome }
}

fn default_mark(jwk: &Object<'_>, unmarked: Unmarked) -> Result<bool, SkipReason> {
    match present(jwk, "default") {
        None => {
            Ok(unmarked == Unmarked::Default && matches!(text(jwk, "kty"), Ok(Some(kty)) if kty == "oct"))
        }
        Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(SkipReason::Parameter("default")),
    }
}

fn admit(
    jwk: &Object<'_>,
    kid: Option<String>,
    is_default: bool,
) -> Result<DecryptionKey, DecryptionSkipReason> {
    may_decrypt(jwk)?;
    let binding = binding(jwk)?;
    let kty = text(jwk, "kty")?.ok_or(SkipReason::Parameter("kty"))?;
    let (material, bits) = match kty.as_str() {
        "oct" => secret(jwk)?,
        "RSA" => private_rsa(jwk)?,
        "EC" | "OKP" => private_curve(jwk)?,
        _ => return Err(SkipReason::KeyType(Excerpt::of(&kty)).into()),
    };
    let key = DecryptionKey { kid, is_default, binding, material };
    if key.is_of_use() { Ok(key) } else { Err(DecryptionSkipReason::Unfit { bits }) }
}

fn may_decrypt(jwk: &Object<'_>) -> Result<(), DecryptionSkipReason> {
    if let Some(usage) = text(jwk, "use")?
        && usage != "enc"
    {
        return Err(DecryptionSkipReason::Use(Excerpt::of(&usage)));
    }
    if let Some(operations) = present(jwk, "key_ops") {
        let operations: Vec<String> =
            serde_json::from_str(operations).map_err(|_| SkipReason::Parameter("key_ops"))?;
        if !operations.iter().any(|operation| OPERATIONS.contains(&operation.as_str())) {
            return Err(DecryptionSkipReason::KeyOps);
        }
    }
    Ok(())
}

/// `alg` and `enc`. The `alg` of a key for `dir` is often that of the content, as in RFC 7520 section 5.6.1.
fn binding(jwk: &Object<'_>) -> Result<Binding, DecryptionSkipReason> {
    let mut binding = Binding::default();
    if let Some(alg) = text(jwk, "alg")? {
        match (alg.parse(), alg.parse()) {
            (Ok(key_management), _) => binding.key_management = Some(key_management),
            (_, Ok(content_encryption)) => {
                binding = Binding {
                    key_management: Some(KeyManagement::Dir),
                    content_encryption: Some(content_encryption),
                };
            }
            (Err(_), Err(_)) => return Err(DecryptionSkipReason::UnknownAlgorithm(Excerpt::of(&alg))),
        }
    }
    if let Some(enc) = text(jwk, "enc")? {
        let named =
            enc.parse().map_err(|_| DecryptionSkipReason::UnknownContentEncryption(Excerpt::of(&enc)))?;
        if binding.content_encryption.is_some_and(|bound| bound != named) {
            return Err(SkipReason::Parameter("enc").into());
        }
        binding.content_encryption = Some(named);
    }
    Ok(binding)
}

fn secret(jwk: &Object<'_>) -> Result<(Material, usize), DecryptionSkipReason> {
    let key = Secret::new(octets(jwk, "k")?);
    if key.is_empty() {
        return Err(SkipReason::EmptySecret.into());
    }
    let bits = key.len().saturating_mul(8);
    Ok((Material::Oct(key), bits))
}

/// All of the parameters of RFC 7518 section 6.3.2 are needed but `oth`, which is not supported.
fn private_rsa(jwk: &Object<'_>) -> Result<(Material, usize), DecryptionSkipReason> {
    let Components::Rsa { n, e } = rsa(jwk)? else {
        return Err(SkipReason::Parameter("kty").into());
    };
    if present(jwk, "oth").is_some() {
        return Err(SkipReason::Parameter("oth").into());
    }
    let exponent = private_exponent(jwk)?;
    let private =
        |name| octets(jwk, name).map(Secret::new).map(|number| Secret::new(trimmed(&number).to_vec()));
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: trimmed(&n), e: trimmed(&e) },
        d: trimmed(&exponent),
        p: &*private("p")?,
        q: &*private("q")?,
        dP: &*private("dp")?,
        dQ: &*private("dq")?,
        qInv: &*private("qi")?,
    };
    Components::Rsa { n: n.clone(), e: e.clone() }.admit(None, STRICT)?;
    let key = KeyPair::from_components(&components)
        .ok()
        .and_then(|pair| pair.as_der().ok())
        // The one way from components to a key that decrypts.
        .and_then(|der| PrivateDecryptingKey::from_pkcs8(der.as_ref()).ok())
        .and_then(|key| OaepPrivateDecryptingKey::new(key).ok())
        .ok_or(DecryptionSkipReason::Mismatch)?;
    let bits = key.key_size_bits();
    Ok((Material::Rsa(key), bits))
}

fn private_curve(jwk: &Object<'_>) -> Result<(Material, usize), DecryptionSkipReason> {
    let public = PublicPoint::of_jwk(jwk)?;
    let private = public.curve.sized(private_exponent(jwk)?);
    let key = PrivateKey::from_private_key(public.curve.algorithm(), &private)
        .map_err(|_| SkipReason::Parameter("d"))?;
    let computed = key.compute_public_key().map_err(|_| SkipReason::Parameter("d"))?;
    if computed.as_ref() != public.bytes {
        return Err(DecryptionSkipReason::Mismatch);
    }
    let bits = private.len().saturating_mul(8);
    Ok((Material::Agreement(key), bits))
}

/// `d`, without which only the public half is there.
fn private_exponent(jwk: &Object<'_>) -> Result<Secret, DecryptionSkipReason> {
    match present(jwk, "d") {
        None => Err(DecryptionSkipReason::PublicOnly),
        Some(_) => Ok(Secret::new(octets(jwk, "d")?)),
    }
}
