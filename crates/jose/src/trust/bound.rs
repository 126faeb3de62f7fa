//! Tokens that are bound to their client, under the issuers and policies of a [`Trust`].

use super::Trust;
use crate::{AuthScheme, Binding, Confirmation, Policy, Reject, Signed};

impl Trust {
    /// Whether bound tokens of some issuer are accepted without a proof: worth a warning.
    pub fn ignores_binding(&self) -> bool {
        self.issuers.iter().any(|issuer| issuer.policy.binding == Binding::Ignore)
    }

    /// What the client of a token that [`verify`](Self::verify) accepted has to show each time that it uses it under `policy`,
    /// where the token stands behind this scheme.
    ///
    /// # Errors
    ///
    /// [`Reject::Issuer`] for a token of no trusted issuer, and [`Reject::Binding`] for one that is not bound as it must be, or
    /// that is bound to no key and stands behind `DPoP` (RFC 9449 section 7.1). One that is bound to a key, behind another
    /// scheme, is found when its proof is missed.
    pub fn confirmation(
        &self,
        signed: &Signed,
        policy: &Policy,
        scheme: AuthScheme,
    ) -> Result<Confirmation, Reject> {
        let issuer = self.issuer_policy(signed)?.binding;
        let confirmation = policy.confirmation(issuer, &signed.claims)?;
        let is_looked_at = issuer != Binding::Ignore || policy.binding.is_some();
        match scheme {
            AuthScheme::Dpop if is_looked_at && confirmation.key.is_none() => Err(Reject::Binding),
            AuthScheme::Dpop | AuthScheme::Bearer => Ok(confirmation),
        }
    }

    /// Whether some token that is bound to a key alone may be good under this policy.
    pub fn takes_proofs(&self, policy: &Policy) -> bool {
        let mut accepted = policy.issuers.iter().filter_map(|index| self.issuers.get(*index));
        accepted.any(|issuer| Binding::takes_proofs(issuer.policy.binding, policy.binding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claims, IssuerPolicy, Profile, TokenVersion};

    fn trust(issuer: Binding, policy: Option<Binding>) -> (Trust, Policy) {
        let trust = Trust::single(IssuerPolicy { binding: issuer, ..IssuerPolicy::of(Profile::Standard) });
        let policy = Policy { binding: policy, ..Policy::of("p", vec![0]) };
        (trust, policy)
    }

    #[test]
    fn behind_the_scheme_dpop_a_token_must_be_bound_to_a_key_unless_binding_is_ignored() {
        let hash = "A".repeat(43);
        let signed = |members: &str| Signed {
            header: "{}".to_owned(),
            claims: Claims::parse(members.as_bytes()).unwrap(),
            version: TokenVersion::Stateless,
        };
        let unbound = signed("{}");
        let by_key = signed(&format!(r#"{{"cnf":{{"jkt":"{hash}"}}}}"#));
        let by_both = signed(&format!(r#"{{"cnf":{{"jkt":"{hash}","x5t#S256":"{hash}"}}}}"#));
        let by_certificate = signed(&format!(r#"{{"cnf":{{"x5t#S256":"{hash}"}}}}"#));
        let asked = |signed, scheme, (trust, policy): (Trust, Policy)| {
            trust.confirmation(signed, &policy, scheme).map(|asked| asked.as_str())
        };
        let refused = Err(Reject::Binding);
        for (what, token, bearer, dpop) in [
            ("unbound", &unbound, Ok("none"), refused),
            ("by a key", &by_key, Ok("dpop"), Ok("dpop")),
            ("by both", &by_both, Ok("dpop+mtls"), Ok("dpop+mtls")),
            ("by a certificate", &by_certificate, Ok("mtls"), refused),
        ] {
            let open = || trust(Binding::IfBound, None);
            assert_eq!(asked(token, AuthScheme::Bearer, open()), bearer, "{what}");
            assert_eq!(asked(token, AuthScheme::Dpop, open()), dpop, "{what}");
            for scheme in AuthScheme::ALL {
                assert_eq!(asked(token, scheme, trust(Binding::Ignore, None)), Ok("none"), "{what}");
            }
            let asking = || trust(Binding::Ignore, Some(Binding::IfBound));
            assert_eq!(asked(token, AuthScheme::Dpop, asking()), dpop, "{what}");
        }
    }

    #[test]
    fn a_policy_takes_proofs_if_one_of_its_issuers_does() {
        let (trust, policy) = trust(Binding::Mtls, None);
        assert!(!trust.takes_proofs(&policy));
        let (trust, policy) = self::trust(Binding::IfBound, None);
        assert!(trust.takes_proofs(&policy));
        assert!(!trust.takes_proofs(&Policy { binding: Some(Binding::Mtls), ..policy.clone() }));
        assert!(!trust.takes_proofs(&Policy { issuers: vec![1], ..policy }));
    }
}
