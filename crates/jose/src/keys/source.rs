//! The forms of a key source, told apart by their content.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::candidate::Candidate;
use super::components::{PEM_BEGIN, Tolerance};
use super::error::KeySetError;
use super::key::KeyKind;
use super::rules::{KeyOrigin, KeyRules};
use super::skip::{Doubt, SkipReason};
use super::{jwk, legacy, pem};
use crate::Profile;
use crate::json::{Object, compact, string};
use crate::limits::{MAX_JSON_DEPTH, MAX_KEY_SET_BYTES, MAX_KEYS};

/// Examines every key of the source, first on its own and then by its company.
pub(super) fn candidates(bytes: &[u8], rules: &KeyRules) -> Result<Vec<Candidate>, KeySetError> {
    let text = text(bytes)?;
    let strict = Tolerance {
        short_secrets: rules.allow_short_secrets,
        small_rsa: false,
        mixed_kinds: rules.allow_mixed_keys,
    };

    let (mut candidates, tolerance) = if text.starts_with('[') {
        let legacy = match rules.profile {
            Profile::Standard => strict,
            Profile::MsUsers => Tolerance { short_secrets: true, small_rsa: true, mixed_kinds: true },
        };
        list(text, strict, legacy)?
    } else if text.starts_with('{') {
        (jwk_set(text, strict)?, strict)
    } else if text.contains(PEM_BEGIN) {
        (bounded(pem::keys(text), |key| key.judge(strict)), strict)
    } else {
        return Err(if text.is_empty() { KeySetError::Empty } else { KeySetError::Form });
    };
    if rules.origin == KeyOrigin::Url {
        judge_mixture(&mut candidates, tolerance);
    }
    Ok(candidates)
}

/// The text of a source, if it is one and not too long.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, KeySetError> {
    if bytes.len() > MAX_KEY_SET_BYTES {
        return Err(KeySetError::TooLarge { len: bytes.len(), max: MAX_KEY_SET_BYTES });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| KeySetError::NotText)?;
    // Editors and frameworks put a byte order mark before texts in UTF-8.
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text).trim_ascii())
}

/// A list of JWKs, or the legacy list. What the legacy list may bring though it is weak, a list with a JWK in it may not.
fn list(
    text: &str,
    strict: Tolerance,
    legacy: Tolerance,
) -> Result<(Vec<Candidate>, Tolerance), KeySetError> {
    let entries: Vec<&RawValue> = serde_json::from_str(well_formed(text)?).map_err(|_| KeySetError::Form)?;
    let is_jwk = |entry: &&RawValue| {
        Object::members_of(entry.get()).is_some_and(|entry| {
            jwk::present(&entry, "kty").is_some()
                && ["secret", "cert"].iter().all(|name| entry.get(name).is_none())
        })
    };
    let tolerance = if entries.iter().any(is_jwk) { strict } else { legacy };
    let judge = |entry: &RawValue| {
        if is_jwk(&entry) {
            jwk::candidate(entry.get(), tolerance)
        } else {
            legacy::candidate(entry.get(), tolerance)
        }
    };
    Ok((bounded(entries, judge), tolerance))
}

/// A JWK set, a single JWK, or a map from `kid` to a public key or certificate in PEM.
fn jwk_set(text: &str, tolerance: Tolerance) -> Result<Vec<Candidate>, KeySetError> {
    let json = well_formed(text)?;
    // What is well-formed and no object of ours has a member twice.
    let object = Object::members_of(json).ok_or(KeySetError::Repeated)?;
    if let Some(keys) = object.get("keys") {
        let keys: Vec<&RawValue> = serde_json::from_str(keys).map_err(|_| KeySetError::Form)?;
        return Ok(bounded(keys, |key| jwk::candidate(key.get(), tolerance)));
    }
    if object.get("kty").is_some() {
        return Ok(vec![jwk::candidate(json, tolerance)]);
    }
    let texts: Option<Vec<_>> =
        object.into_members().map(|(kid, raw)| string(raw).map(|text| (kid.into_owned(), text))).collect();
    let is_pem = |text: &str| text.contains(PEM_BEGIN);
    match texts {
        Some(texts) if texts.iter().any(|(_, text)| is_pem(text)) => {
            Ok(bounded(texts, |(kid, text)| pem::single(&text).named(kid, tolerance)))
        }
        Some(_) | None => Err(KeySetError::Form),
    }
}

/// Secrets beside public keys: a server that shows public keys to the world shows these to the world as well.
fn judge_mixture(candidates: &mut [Candidate], tolerance: Tolerance) {
    let is_public =
        |candidate: &Candidate| candidate.outcome.as_ref().is_ok_and(|key| key.kind != KeyKind::Oct);
    if !candidates.iter().any(is_public) {
        return;
    }
    for candidate in candidates {
        match &mut candidate.outcome {
            Ok(secret) if secret.kind == KeyKind::Oct && tolerance.mixed_kinds => {
                secret.doubts.push(Doubt::MixedKinds);
            }
            Ok(secret) if secret.kind == KeyKind::Oct => candidate.outcome = Err(SkipReason::MixedKinds),
            Ok(_) | Err(_) => {}
        }
    }
}

/// Checks grammar and nesting, so that an error can say where it is without saying what stands there.
pub(crate) fn well_formed(text: &str) -> Result<&str, KeySetError> {
    compact(text).map_err(|_| KeySetError::Nesting { max: MAX_JSON_DEPTH })?;
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(IgnoredAny) => Ok(text),
        Err(error) => Err(KeySetError::Json { line: error.line(), column: error.column() }),
    }
}

/// Looks at [`MAX_KEYS`] keys and counts the others.
fn bounded<K>(keys: impl IntoIterator<Item = K>, judge: impl Fn(K) -> Candidate) -> Vec<Candidate> {
    let mut keys = keys.into_iter();
    let mut candidates: Vec<_> = keys.by_ref().take(MAX_KEYS).map(judge).collect();
    let more = keys.count();
    if more > 0 {
        candidates.push(Candidate::skipped(None, SkipReason::TooMany { more, max: MAX_KEYS }));
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_text_up_to_a_size_without_its_byte_order_mark() {
        let longest = vec![b' '; MAX_KEY_SET_BYTES];
        assert_eq!(text(&longest), Ok(""));
        let (len, max) = (MAX_KEY_SET_BYTES + 1, MAX_KEY_SET_BYTES);
        assert_eq!(text(&[&longest[..], b" "].concat()), Err(KeySetError::TooLarge { len, max }));
        assert_eq!(text("\u{feff} {} ".as_bytes()), Ok("{}"));
        assert_eq!(text(b"\xff"), Err(KeySetError::NotText));
    }
}
