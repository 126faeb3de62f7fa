//! Tokens of AWS Application Load Balancers (`x-amzn-oidc-data`).
//!
//! They are compact JWS whose parts are padded, which RFC 7515 forbids, signed with ES256; the header names in `signer` the
//! load balancer that made them. Every load balancer of a region has its keys at the same place, so that `signer` alone tells
//! ours from those of others.

use crate::header::Header;
use crate::json::{Object, string};
use crate::jws::Unverified;
use crate::{Algorithm, AlgorithmSet, Reject, TrustedIssuer};

impl TrustedIssuer {
    /// Whether its tokens are those of load balancers.
    pub fn is_load_balancer(&self) -> bool {
        !self.signers.is_empty()
    }

    /// The algorithms that it may use at all.
    pub(crate) fn own_algorithms(&self) -> AlgorithmSet {
        if self.is_load_balancer() { [Algorithm::ES256].into_iter().collect() } else { AlgorithmSet::ALL }
    }

    /// Refuses a token that is not written as those of the issuer are, or that names another load balancer. Each spelling is
    /// one issuer's alone, so that a token has one.
    pub(crate) fn validate_form(&self, unverified: &Unverified<'_>) -> Result<(), Reject> {
        if unverified.is_padded() != self.is_load_balancer() {
            return Err(Reject::Malformed);
        }
        if self.is_load_balancer() {
            let signer = signer(unverified.header()).ok_or(Reject::Issuer)?;
            if !self.signers.contains(&signer) {
                return Err(Reject::Issuer);
            }
        }
        Ok(())
    }

    /// No key yet is a key that is not known yet: keys of load balancers are fetched by the `kid` of a token.
    pub(crate) fn reject_of(&self, reject: Reject) -> Reject {
        if reject == Reject::NoKeys && self.is_load_balancer() { Reject::UnknownKey } else { reject }
    }
}

fn signer(header: &Header) -> Option<String> {
    let object = Object::parse(&header.json).ok()?;
    object.get("signer").and_then(string).map(std::borrow::Cow::into_owned)
}
