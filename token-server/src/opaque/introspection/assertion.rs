//! What proves by a signature who asks: a client assertion (RFC 7523 section 3; `private_key_jwt` of OpenID Connect Core 1.0
//! section 9).
//!
//! It is for the issuer, under the name that its tokens have: one for an endpoint's URL could be asked for by another server that
//! claims this URL as its own (draft-ietf-oauth-rfc7523bis section 4).

use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{SigningKey, UnixTime, Unsigned};
use serde_json::json;
use service::secret::Secret;

/// How long one may be used: it is made for one question.
const LIFE: Duration = Duration::from_secs(60);

/// What the parameter `client_assertion_type` says (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion that this client asks this issuer now. No other has its `jti`.
///
/// # Errors
/// There are no random numbers, or the key makes no signature.
pub(super) fn assertion(
    key: &SigningKey,
    kid: Option<&str>,
    client: &str,
    issuer: &str,
    now: UnixTime,
) -> Result<Secret, Unsigned> {
    let mut jti = [0; 16];
    rand::fill(&mut jti).map_err(|_| Unsigned)?;
    let issued = now.as_millis().div_euclid(1_000);
    let claims = json!({
        "iss": client,
        "sub": client,
        "aud": issuer,
        "jti": URL_SAFE_NO_PAD.encode(jti),
        "iat": issued,
        "exp": issued.saturating_add_unsigned(LIFE.as_secs()),
    });
    key.sign("JWT", kid, &claims.to_string()).map(Secret::new)
}
