//! Whom this server trusts, and the keys in use: one place for what forward-auth decides, for tokens inside of encrypted
//! ones, and for what operators see. How keys are fetched is the crate `keys`'s.

use std::sync::Arc;
use std::time::Duration;

use jose::{
    Binding, Hint, Leeway, Policy, Profile, Refusal, Reject, Signed, TokenVersion, Trust, UnixTime, Verdict,
};
use keys::{KeyRing, Keys, KeysView, Newer};
use service::shown;
use tokio::time::Instant;

/// How long a token with an unknown key waits for newer keys. Proxies wait a second or more.
const EARLY_LOAD_WAIT: Duration = Duration::from_millis(800);

/// What an operator should know who asks for bindings of which no proxy tells `/verify`.
pub(crate) fn unprovable(trust: &Trust) -> Vec<String> {
    let issuers = trust.issuers().iter().map(|issuer| {
        let name = issuer.policy.name().map_or_else(String::new, |name| format!(" for {}", shown::url(name)));
        let asked = format!("TOKEN_SERVER__VERIFY__BINDING, or binding of [[issuers]],{name}");
        (asked, issuer.policy.binding)
    });
    let policies = trust.policies().iter().filter_map(|policy| {
        let asked = format!("binding of the policy {}", policy.name);
        policy.binding.map(|binding| (asked, binding))
    });
    let refused = issuers.chain(policies).filter_map(|(asked, binding)| {
        let refused = match binding {
            Binding::Mtls => "every token is refused there; ask for dpop, or have HAProxy and jwt-agent decide",
            Binding::Any => "tokens that are bound to a certificate are refused there, and those that are bound to a key can pass",
            Binding::IfBound | Binding::Dpop | Binding::Ignore => return None,
        };
        let word = if binding == Binding::Mtls { "mtls" } else { "any" };
        Some(format!("{asked} is {word}: no proxy tells /verify of a client's certificate, so that {refused}"))
    });
    refused.collect()
}

/// The trust of one configuration, with its keys.
pub struct Trusted {
    trust: Trust,
    keys: Arc<KeyRing>,
}

/// Why a token was refused.
struct Refused {
    reject: Reject,
    /// What it says of itself, where newer keys might verify it.
    missing: Option<Hint>,
}

impl Trusted {
    /// This trust, over the keys of its issuers.
    pub fn new(trust: Trust, keys: &Arc<KeyRing>) -> Self {
        Self { trust, keys: Arc::clone(keys) }
    }

    /// Whom we trust, and for what.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Warns of settings that let in more than most operators want.
    pub(crate) fn warn_of_open_doors(&self) {
        let trust = &self.trust;
        if trust.profile() == Profile::Standard && trust.accepts_any_audience() {
            tracing::warn!(
                "no audience is validated: /verify accepts a token that the issuer made for any other application; set \
                 TOKEN_SERVER__VERIFY__AUDIENCES"
            );
        }
        if let Some(warning) = keys::trust::every_tenant_warning(trust) {
            tracing::warn!("{warning}");
        }
        for warning in unprovable(trust) {
            tracing::warn!("{warning}");
        }
        if trust.ignores_binding() {
            tracing::warn!(
                "TOKEN_SERVER__VERIFY__BINDING=ignore, or binding = \"ignore\" of [[issuers]]: /verify accepts a token that is bound to a key or a certificate (cnf) \
                 from any client"
            );
        }
    }

    /// What operators see of the keys.
    pub(crate) fn keys_view(&self, now: UnixTime) -> KeysView {
        self.keys.view(&self.trust, now)
    }

    /// What becomes of bound tokens where no issuer's policy judges them: as every issuer has it.
    pub(crate) fn binding(&self) -> Binding {
        let issuers = self.trust.issuers();
        if issuers.iter().all(|issuer| issuer.policy.binding == Binding::Ignore) {
            Binding::Ignore
        } else {
            Binding::IfBound
        }
    }

    /// The most clock skew that any issuer is granted.
    pub(crate) fn max_leeway(&self) -> Leeway {
        self.trust.max_leeway()
    }

    /// The longest that a token which some policy accepts may live, if each limits it.
    pub(crate) fn longest_lifetime(&self) -> Option<Duration> {
        self.trust.longest_lifetime()
    }

    /// The keys in use.
    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.current()
    }

    /// The claims that a key of ours has signed, whatever they say. Newer keys are asked for where they might help.
    pub(crate) fn verify_signature(&self, token: &str) -> Result<Signed, Reject> {
        let policy = self.trust.policy(None).ok_or(Reject::UnknownPolicy)?;
        let keys = self.keys.current();
        let verified = self.trust.verify_signature(token, &keys.sets, policy);
        verified.inspect_err(|reject| {
            if reject.suggests_newer_keys() {
                self.keys.refresh_soon(keys.version, &self.trust.hint(token, policy));
            }
        })
    }

    /// A token whose signature and claims are good, and the version of the keys that verified it. Where newer keys might, they
    /// are waited for, up to [`EARLY_LOAD_WAIT`] after the question arrived at `since`.
    pub(crate) async fn verify(
        &self,
        token: &str,
        mut keys: Arc<Keys>,
        policy: &Policy,
        since: Instant,
        now: UnixTime,
    ) -> Result<(Signed, u64), Reject> {
        loop {
            let Refused { reject, missing } = match self.verify_with(token, &keys, policy, now) {
                Ok(signed) => return Ok((signed, keys.version)),
                Err(refused) => refused,
            };
            let Some(missing) = missing else { return Err(reject) };
            match self.keys.newer_than(keys.version, &missing, since, since + EARLY_LOAD_WAIT, now).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current => return Err(reject),
                Newer::Unknown if reject == Reject::NoKeys => return Err(Reject::NoKeys),
                Newer::Unknown => return Err(Reject::KeysStale),
            }
        }
    }

    fn verify_with(
        &self,
        token: &str,
        keys: &Keys,
        policy: &Policy,
        now: UnixTime,
    ) -> Result<Signed, Refused> {
        match self.trust.verify(token, &keys.sets, policy, now) {
            Verdict::Accept(signed) => Ok(signed),
            Verdict::Refuse(Refusal { reject, .. }) => {
                let missing = reject.suggests_newer_keys().then(|| self.trust.hint(token, policy));
                Err(Refused { reject, missing })
            }
        }
    }

    /// Claims that were encrypted under a secret of ours, if they are good: their form makes them stateless.
    pub(crate) fn validate_decrypted(
        &self,
        header: String,
        claims: jose::Claims,
        policy: &Policy,
        now: UnixTime,
    ) -> Result<Signed, Reject> {
        let decrypted = Signed { header, claims, version: TokenVersion::Stateless };
        match self.trust.validate_decrypted(decrypted, policy, now) {
            Verdict::Accept(signed) => Ok(signed),
            Verdict::Refuse(Refusal { reject, .. }) => Err(reject),
        }
    }
}

#[cfg(test)]
mod tests {
    use jose::{IssuerPolicy, TrustedIssuer};

    use super::*;

    #[test]
    fn a_binding_that_no_proxy_can_tell_of_is_told_at_the_start() {
        for (issuer, policy, expected) in [
            (Binding::IfBound, None, &[][..]),
            (Binding::Dpop, Some(Binding::Dpop), &[]),
            (Binding::Ignore, Some(Binding::IfBound), &[]),
            (Binding::Mtls, None, &["[[issuers]], is mtls"]),
            (Binding::Any, Some(Binding::Mtls), &["[[issuers]], is any", "the policy p is mtls"]),
            (Binding::IfBound, Some(Binding::Any), &["the policy p is any"]),
        ] {
            let issuer = IssuerPolicy { binding: issuer, ..IssuerPolicy::of(Profile::Standard) };
            let issuer = TrustedIssuer { policy: issuer, keys: 0, signers: Vec::new() };
            let policy = Policy { binding: policy, ..Policy::of("p", vec![0]) };
            let trust = Trust::new(Profile::Standard, vec![issuer], vec![policy]).unwrap();
            let told = unprovable(&trust);
            assert_eq!(told.len(), expected.len(), "{told:?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.contains(expected), "{told}");
            }
        }
    }
}
