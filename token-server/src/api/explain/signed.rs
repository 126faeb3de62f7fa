//! What the keys and the policies of this server say of a signed token.

use jose::{Policy, Refusal, UnixTime, Verdict};
use serde::Serialize;

use crate::trust::Trusted;

/// Whether a key of ours made a token's signature, and what each policy says of the token.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedView {
    /// Absent where no signature was shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'static str>,
    /// Why it was not verified: a word, as `detail` has it. Absent where there is nothing to verify it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_detail: Option<&'static str>,
    /// By signature and claims alone: the rules are another matter, as is what a client has to prove. Absent where there are
    /// no policies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policies: Vec<PolicyView>,
}

#[derive(Debug, Serialize)]
struct PolicyView {
    policy: String,
    valid: bool,
    detail: &'static str,
}

impl SignedView {
    /// By the keys at hand: none are fetched, so that a question changes nothing.
    pub(super) fn of(token: &str, trusted: Option<&Trusted>, now: UnixTime) -> Self {
        let unverified = Some("not verified");
        let Some(trusted) = trusted else { return Self { signature: unverified, ..Self::default() } };
        let (trust, keys) = (trusted.trust(), trusted.keys());
        let by_policy = |policy: &Policy| {
            let (valid, detail) = match trust.verify(token, &keys.sets, policy, now) {
                Verdict::Accept(_) => (true, "ok"),
                Verdict::Refuse(Refusal { reject, .. }) => (false, reject.detail()),
            };
            PolicyView { policy: policy.name.clone(), valid, detail }
        };
        // A key of any issuer that one of the policies trusts.
        let tried: Vec<_> = trust
            .policies()
            .iter()
            .map(|policy| trust.verify_signature(token, &keys.sets, policy).map_err(jose::Reject::detail))
            .collect();
        let fault =
            tried.iter().all(Result::is_err).then(|| tried.iter().find_map(|tried| tried.as_ref().err()));
        Self {
            signature: if fault.is_some() { unverified } else { Some("verified") },
            signature_detail: fault.flatten().copied(),
            policies: trust.policies().iter().map(by_policy).collect(),
        }
    }
}
