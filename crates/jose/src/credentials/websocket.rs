//! The token among the subprotocols of a WebSocket (RFC 6455 section 11.3.4).

use std::borrow::Cow;

use super::found::{Found, is_one, trimmed};
use crate::{Reject, base64url};

/// Kubernetes' way: one member, of which this is the beginning.
const KUBERNETES: &str = "base64url.bearer.authorization.k8s.io.";

/// The one token of the list.
pub(super) fn read<'a>(list: &'a str, schemes: &[String]) -> Result<Found<'a>, Reject> {
    let mut members = list.split(',').map(trimmed);
    let mut found = Found::Nothing;
    while let Some(member) = members.next() {
        let token: Cow<'a, str> = if let Some(encoded) = member.strip_prefix(KUBERNETES) {
            let decoded = base64url::decode(encoded).map_err(|_| Reject::Malformed)?;
            String::from_utf8(decoded).map_err(|_| Reject::Malformed)?.into()
        } else if is_one(member, schemes) {
            members.next().unwrap_or_default().into()
        } else {
            continue;
        };
        match found {
            Found::Nothing if token.is_empty() => {}
            Found::Nothing => found = Found::Token(token),
            Found::Token(_) | Found::Other(_) => return Err(Reject::Ambiguous),
        }
    }
    Ok(found)
}
