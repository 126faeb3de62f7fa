//! `GET /v1/keys` of both programs: what each source gave, what is used of it, what was left out and why.
//!
//! Of a secret there is nothing but its `kid` and a class of lengths. What a source wrote is cut, so that the answer is
//! bounded by the number of sources and of keys that are taken of each.

use jose::{Identity, Key, KeyKind, KeySet, SkippedKey, Trust, UnixTime};
use serde::Serialize;
use tokio::time::Instant;

use crate::part::Part;

/// Characters of a name or a message that are shown.
const SHOWN_CHARS: usize = 256;

/// The sources, in the order in which they were configured.
#[derive(Debug, Serialize)]
pub struct KeysView {
    sources: Vec<SourceView>,
}

#[derive(Debug, Serialize)]
struct SourceView {
    source: String,
    kind: &'static str,
    /// Whose tokens its keys verify; those of any issuer where there is none.
    issuers: Vec<String>,
    stale: bool,
    /// When the last good fetch began, seconds since the epoch.
    last_good: Option<i64>,
    age_seconds: Option<i64>,
    /// The time until the clock asks for the next fetch; a token may ask sooner.
    next_seconds: Option<u64>,
    failures: u32,
    error: Option<String>,
    keys: Vec<KeyView>,
    left_out: Vec<LeftOutView>,
    warnings: Vec<WarningView>,
}

#[derive(Debug, Serialize)]
struct KeyView {
    kid: Option<String>,
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    /// The size of an RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    bits: Option<usize>,
    /// Of a secret: the bits that it has at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    at_least_bits: Option<usize>,
    /// The algorithms that it may verify.
    alg: Vec<&'static str>,
    /// Nothing but keys for signatures is taken.
    r#use: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbprint: Option<String>,
    #[serde(rename = "x5t", skip_serializing_if = "Option::is_none")]
    sha1: Option<String>,
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Debug, Serialize)]
struct LeftOutView {
    kid: Option<String>,
    /// Its place in the document, from 1.
    position: usize,
    /// A word of a closed list.
    reason: &'static str,
    why: String,
}

#[derive(Debug, Serialize)]
struct WarningView {
    kid: Option<String>,
    why: String,
}

impl KeysView {
    pub(crate) fn of(parts: &[Part], trust: &Trust, now: UnixTime) -> Self {
        let instant = Instant::now();
        Self { sources: parts.iter().map(|part| SourceView::of(part, trust, now, instant)).collect() }
    }

    /// Without any source.
    pub fn empty() -> Self {
        Self { sources: Vec::new() }
    }
}

impl SourceView {
    fn of(part: &Part, trust: &Trust, now: UnixTime, instant: Instant) -> Self {
        let set = part.set.as_deref();
        let seconds = |time: UnixTime| time.as_millis().div_euclid(1_000);
        let last_good = part.good.map(|good| seconds(good.at));
        // What was left out of the last document, also where nothing of it could be used.
        let refused = part.failure.as_ref().map(|failure| &*failure.left_out).filter(|keys| !keys.is_empty());
        let left_out = refused.or_else(|| set.map(KeySet::skipped)).unwrap_or_default();
        let issuers = trust.issuers().iter().filter(|issuer| issuer.keys == part.place.issuer);
        Self {
            source: shortened(&part.place.name),
            kind: if part.place.remote { "url" } else { "file" },
            issuers: issuers
                .flat_map(|issuer| &issuer.policy.issuers)
                .map(|name| shortened(&service::shown::url(name.as_str())))
                .collect(),
            stale: part.good.is_none() || part.failures > 0,
            last_good,
            age_seconds: last_good.map(|good| seconds(now).saturating_sub(good)),
            next_seconds: part.next.map(|next| next.saturating_duration_since(instant).as_secs()),
            failures: part.failures,
            error: part.failure.as_ref().map(|failure| shortened(&failure.why)),
            keys: set.map(KeySet::keys).unwrap_or_default().iter().map(KeyView::of).collect(),
            left_out: left_out.iter().map(LeftOutView::of).collect(),
            warnings: set.map(KeySet::warnings).unwrap_or_default().iter().map(WarningView::of).collect(),
        }
    }
}

impl KeyView {
    fn of(key: &Key) -> Self {
        let (crv, bits) = match key.kind() {
            KeyKind::Rsa { bits } => (None, Some(bits)),
            KeyKind::Ec(curve) => (Some(curve.as_str()), None),
            KeyKind::Ed25519 => (Some("Ed25519"), None),
            KeyKind::MlDsa(_) | KeyKind::Oct => (None, None),
        };
        let (thumbprint, at_least_bits) = match key.identity() {
            Identity::Thumbprint(thumbprint) => (Some(thumbprint.clone()), None),
            Identity::SecretOf { at_least_bits } => (None, Some(*at_least_bits)),
        };
        let hash = |name| key.certificate_hashes().find(|(known, _)| *known == name).map(|(_, hash)| hash);
        Self {
            kid: key.kid().map(shortened),
            kty: key.kind().kty(),
            crv,
            bits,
            at_least_bits,
            alg: key.algorithms().iter().map(jose::Algorithm::as_str).collect(),
            r#use: "sig",
            thumbprint,
            sha1: hash("x5t"),
            sha256: hash("x5t#S256"),
        }
    }
}

impl LeftOutView {
    fn of(skipped: &SkippedKey) -> Self {
        Self {
            kid: skipped.kid.as_deref().map(shortened),
            position: skipped.position,
            reason: skipped.reason.word(),
            why: skipped.reason.to_string(),
        }
    }
}

impl WarningView {
    fn of(warning: &jose::KeyWarning) -> Self {
        Self { kid: warning.kid.as_deref().map(shortened), why: warning.doubt.to_string() }
    }
}

/// The beginning of a text that may be as long as a document.
pub(crate) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars.by_ref().take(SHOWN_CHARS).collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
