//! One entry of the legacy list: `{"kid":"a","secret":"..."}` or `{"kid":"b","cert":"-----BEGIN PUBLIC KEY-----..."}`.
//!
//! The kind of key decides the algorithms, and the `kid` never bound: such a key is tried for every token that it fits.

use super::candidate::Candidate;
use super::components::{Admitted, Components, Tolerance};
use super::skip::SkipReason;
use super::{jwk, pem};
use crate::json::{Object, string};

/// Examines one entry. The caller has bounded the nesting.
pub(super) fn candidate(json: &str, tolerance: Tolerance) -> Candidate {
    let Ok(entry) = Object::parse(json) else {
        return Candidate::skipped(None, SkipReason::Malformed);
    };
    match jwk::kid(&entry) {
        Ok(kid) => Candidate::unbound(kid, admit(&entry, tolerance)),
        Err(reason) => Candidate::skipped(None, reason),
    }
}

fn admit(entry: &Object<'_>, tolerance: Tolerance) -> Result<Admitted, SkipReason> {
    let components = match (jwk::present(entry, "secret"), jwk::present(entry, "cert")) {
        (Some(secret), None) => {
            let secret = string(secret).ok_or(SkipReason::Parameter("secret"))?;
            Components::Oct { k: secret.into_owned().into_bytes() }
        }
        (None, Some(cert)) => {
            let cert = string(cert).ok_or(SkipReason::Parameter("cert"))?;
            pem::single(&cert).into_components()?
        }
        (None, None) | (Some(_), Some(_)) => return Err(SkipReason::LegacyEntry),
    };
    components.admit(None, tolerance)
}
