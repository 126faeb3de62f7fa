//! The three forms of a key source, told apart by their content.

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::components::Tolerance;
use super::skip::{Doubt, SkipReason};
use super::{Candidate, KeyKind, KeyOrigin, KeyRules, KeySetError, jwk, legacy, pem};
use crate::Profile;
use crate::json::{Object, compact};
use crate::limits::{MAX_JSON_DEPTH, MAX_KEY_SET_BYTES, MAX_KEYS};

/// Judges every key of the source, first on its own and then by its company.
pub(super) fn candidates(bytes: &[u8], rules: &KeyRules) -> Result<Vec<Candidate>, KeySetError> {
    let text = text(bytes)?;
    let strict = Tolerance {
        short_secrets: rules.allow_short_secrets,
        small_rsa: false,
        mixed_kinds: rules.allow_mixed_keys,
    };

    let (mut candidates, tolerance) = if text.starts_with('[') {
        let tolerance = match rules.profile {
            Profile::Standard => strict,
            Profile::MsUsers => Tolerance { short_secrets: true, small_rsa: true, mixed_kinds: true },
        };
        (legacy_list(text, tolerance)?, tolerance)
    } else if text.starts_with('{') {
        (jwk_set(text, strict)?, strict)
    } else if text.contains(pem::BEGIN) {
        (bounded(pem::blocks(text), |block| pem::candidate(block, strict)), strict)
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
    std::str::from_utf8(bytes).map(str::trim_ascii).map_err(|_| KeySetError::NotText)
}

fn legacy_list(text: &str, tolerance: Tolerance) -> Result<Vec<Candidate>, KeySetError> {
    let entries: Vec<&RawValue> = serde_json::from_str(well_formed(text)?).map_err(|_| KeySetError::Form)?;
    Ok(bounded(entries, |entry| legacy::candidate(entry.get(), tolerance)))
}

/// A JWK set, or a single JWK.
fn jwk_set(text: &str, tolerance: Tolerance) -> Result<Vec<Candidate>, KeySetError> {
    let json = well_formed(text)?;
    let object = Object::members_of(json).ok_or(KeySetError::Form)?;
    if let Some(keys) = object.get("keys") {
        let keys: Vec<&RawValue> = serde_json::from_str(keys).map_err(|_| KeySetError::Form)?;
        return Ok(bounded(keys, |key| jwk::candidate(key.get(), tolerance)));
    }
    object.get("kty").map(|_| vec![jwk::candidate(json, tolerance)]).ok_or(KeySetError::Form)
}

/// Secrets beside public keys: whoever serves public keys to the world serves these to the world as well.
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
