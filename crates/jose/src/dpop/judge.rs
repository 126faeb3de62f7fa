//! Proofs against the requests that they came with: every check of RFC 9449 section 4.3, and the memory last.

use std::sync::Arc;

use super::fault::ProofFault;
use super::header::ProofHeaders;
use super::nonce::NonceSecret;
use super::origin::TargetOrigin;
use super::proof::{Proof, ProofRules, ProvedRequest};
use super::replay::ReplayKey;
use super::seen::SeenProofs;
use super::shown::ShownProof;
use super::target::TargetUri;
use crate::{Thumbprint, TokenHash, UnixTime};

/// How proofs are judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProofSettings {
    /// What proofs must be.
    pub rules: ProofRules,
    /// What clients call the server; empty: what is told of each request.
    pub origins: Vec<TargetOrigin>,
}

/// Judges proofs.
#[derive(Debug)]
pub struct Proofs {
    settings: ProofSettings,
    seen: Option<Arc<SeenProofs>>,
    headers: ProofHeaders,
}

impl Proofs {
    /// By these settings; `seen` is what knows of used ones, unless something else refuses those.
    pub fn new(settings: ProofSettings, seen: Option<Arc<SeenProofs>>) -> Self {
        Self { settings, seen, headers: ProofHeaders::default() }
    }

    /// Judges a proof beside a good token that is bound to this key, by the nonces of `nonces` if proofs need one. It is used up
    /// then, so that this is the last question about a request.
    ///
    /// # Errors
    ///
    /// What is wrong with it. One that is refused is not used up.
    pub fn judge(
        &self,
        shown: &ShownProof<'_>,
        token: &TokenHash,
        key: &Thumbprint,
        nonces: Option<&NonceSecret>,
        now: UnixTime,
    ) -> Result<ReplayKey, ProofFault> {
        let request = ProvedRequest {
            token,
            thumbprint: key.as_bytes(),
            method: &shown.method,
            targets: &self.targets(shown)?,
            nonces,
        };
        let proof = Proof::verify(&shown.proof, &request, &self.settings.rules, &self.headers, now)?;
        if let Some(seen) = &self.seen {
            seen.remember(&proof, shown.request_id.as_deref(), now)?;
        }
        Ok(proof.replay_key)
    }

    /// The URI of the request, as each origin has it.
    fn targets(&self, shown: &ShownProof<'_>) -> Result<Vec<TargetUri>, ProofFault> {
        let target =
            |origin: &TargetOrigin| TargetUri::new(origin, &shown.path).map_err(|_| ProofFault::Target);
        if self.settings.origins.is_empty() {
            let (is_tls, host) = shown.place.as_ref().ok_or(ProofFault::Untold)?;
            let origin = TargetOrigin::of_request(*is_tls, host).map_err(|_| ProofFault::Target)?;
            return Ok(vec![target(&origin)?]);
        }
        self.settings.origins.iter().map(target).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::proof::tests::{
        RFC_IAT, RFC_TOKEN, THUMBPRINT, header, payload, signed, thumbprint, with,
    };
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(RFC_IAT);

    fn shown() -> ShownProof<'static> {
        ShownProof {
            proof: signed(&header(), &payload()).into(),
            method: "GET".into(),
            place: Some((true, "Resource.example.org:443".into())),
            path: "/protectedresource?q=1".into(),
            request_id: None,
        }
    }

    fn judge(proofs: &Proofs, shown: &ShownProof<'_>) -> Result<ReplayKey, ProofFault> {
        let key = Thumbprint::from_bytes(&thumbprint(THUMBPRINT)).unwrap();
        proofs.judge(shown, &TokenHash::of(RFC_TOKEN), &key, None, NOW)
    }

    fn remembering() -> Proofs {
        Proofs::new(ProofSettings::default(), Some(Arc::new(SeenProofs::new(2))))
    }

    #[test]
    fn a_proof_is_for_the_host_and_scheme_of_its_request() {
        let proofs = Proofs::new(ProofSettings::default(), None);
        assert!(judge(&proofs, &shown()).is_ok());
        for (what, place, expected) in [
            ("without TLS", Some((false, "resource.example.org")), ProofFault::Target),
            ("to another host", Some((true, "other.example.org")), ProofFault::Target),
            ("to no host", Some((true, "")), ProofFault::Target),
            ("to what is none", Some((true, "a b")), ProofFault::Target),
            ("to a place that is not told", None, ProofFault::Untold),
        ] {
            let place = place.map(|(is_tls, host)| (is_tls, host.into()));
            assert_eq!(judge(&proofs, &ShownProof { place, ..shown() }), Err(expected), "{what}");
        }
        for path in ["", "*", "/other", "/protected resource"] {
            let shown = ShownProof { path: path.into(), ..shown() };
            assert_eq!(judge(&proofs, &shown), Err(ProofFault::Target), "{path}");
        }
        let shown = ShownProof { method: "POST".into(), ..shown() };
        assert_eq!(judge(&proofs, &shown), Err(ProofFault::Method));
    }

    #[test]
    fn where_our_names_are_known_nothing_that_is_told_of_the_host_counts() {
        let named = |origins: &[&str]| {
            let origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
            Proofs::new(ProofSettings { origins, ..ProofSettings::default() }, None)
        };
        let ours = named(&["https://api.example", "https://resource.example.org"]);
        let foreign = named(&["https://api.example"]);
        for place in [None, Some((false, "evil.example".into())), shown().place] {
            let shown = ShownProof { place, ..shown() };
            assert!(judge(&ours, &shown).is_ok());
            assert_eq!(judge(&foreign, &shown), Err(ProofFault::Target));
        }
    }

    #[test]
    fn only_a_good_proof_is_used_up_and_only_once() {
        let proofs = remembering();
        let forged = ShownProof { proof: shown().proof.replace("Q.", "A.").into(), ..shown() };
        let method = ShownProof { method: "PUT".into(), ..shown() };
        for bad in [&forged, &method] {
            assert!(judge(&proofs, bad).is_err());
        }
        let key = judge(&proofs, &shown()).unwrap();
        assert_eq!(key.to_string().len(), 32);
        assert_eq!(judge(&proofs, &shown()), Err(ProofFault::Replayed));
        // Another spelling of the same URI is the same proof.
        let respelled = signed(
            &header(),
            &with(&payload(), "htu", Some(json!("HTTPS://resource.example.org:443/%70rotectedresource#a"))),
        );
        let respelled = ShownProof { proof: respelled.into(), ..shown() };
        assert_eq!(judge(&proofs, &respelled), Err(ProofFault::Replayed));
        let second = ShownProof {
            proof: signed(&header(), &with(&payload(), "jti", Some(json!("k")))).into(),
            ..shown()
        };
        assert_ne!(judge(&proofs, &second), Ok(key));
        let third = ShownProof {
            proof: signed(&header(), &with(&payload(), "jti", Some(json!("l")))).into(),
            ..shown()
        };
        assert_eq!(judge(&proofs, &third), Err(ProofFault::NoRoom));
        let unremembered = Proofs::new(ProofSettings::default(), None);
        assert_eq!(judge(&unremembered, &shown()), Ok(key));
        assert_eq!(judge(&unremembered, &shown()), Ok(key));
    }

    #[test]
    fn the_text_of_a_proof_is_not_shown() {
        let shown = shown();
        assert!(!format!("{shown:?}").contains(&*shown.proof));
    }
}
