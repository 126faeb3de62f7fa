//! Whom we trust, and for what: issuers with their own keys, and named policies over them.
//!
//! A token is only ever tried with the keys of its own issuer. Its `iss` is read before the signature is verified, to
//! choose the keys; nothing else is believed until they have proved it.

mod bound;

use crate::issuer::Owner;
use crate::issuer_policy::validate_audience;
use crate::jws::Unverified;
use crate::verify::open;
use crate::{
    AlgorithmSet, Claim, ClaimNames, Claims, IssuerName, IssuerPolicy, KeySet, Leeway, ListedValue, Policy,
    Profile, Refusal, Reject, ResourceMetadata, Signed, TokenForm, UnixTime, Verdict, Window,
};

/// An issuer and what its tokens must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// What its tokens must be; `issuers` in it names the issuer itself, or is empty for the only one.
    pub policy: IssuerPolicy,
    /// Which key set is its own: the index in the slice that [`Trust::verify`] gets.
    pub keys: usize,
    /// The AWS load balancers whose tokens they are, by the `signer` of their headers. Empty: tokens as RFC 7515 has them.
    pub signers: Vec<String>,
}

impl TrustedIssuer {
    /// Whether it is one for each of many tenants, so that a token's keys depend on what it says.
    fn has_tenants(&self) -> bool {
        self.policy.issuers.iter().any(IssuerName::has_tenants)
    }
}

/// What a token may be verified by.
pub(crate) struct Choice<'t, 'k> {
    pub(crate) issuer: &'t TrustedIssuer,
    pub(crate) keys: &'k KeySet,
    pub(crate) owner: Owner<'t>,
    pub(crate) algorithms: AlgorithmSet,
}

/// All issuers and policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    profile: Profile,
    issuers: Vec<TrustedIssuer>,
    policies: Vec<Policy>,
    /// Whether there never are keys to verify signatures with.
    keyless: bool,
}

/// What is wrong with a [`Trust`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// There must be at least one issuer and one policy.
    #[error("no issuer or no policy")]
    Empty,
    /// Beside others, an issuer must be told by its `iss`.
    #[error("beside other issuers, one that accepts any `iss` would accept theirs")]
    AnyIssuer,
    /// Two issuers may have the same `iss`, or two policies have the same name.
    #[error("{0} comes twice")]
    Twice(String),
    /// A policy accepts no issuer, or one that does not exist.
    #[error("policy {0} accepts no known issuer")]
    NoIssuer(String),
}

impl Trust {
    /// The name of the policy that is applied when none is asked for.
    pub const DEFAULT: &'static str = Policy::DEFAULT;

    /// Puts issuers and policies together; the first policy is the default one.
    ///
    /// # Errors
    ///
    /// See [`TrustError`].
    pub fn new(
        profile: Profile,
        issuers: Vec<TrustedIssuer>,
        policies: Vec<Policy>,
    ) -> Result<Self, TrustError> {
        if issuers.is_empty() || policies.is_empty() {
            return Err(TrustError::Empty);
        }
        if issuers.len() > 1 && issuers.iter().any(|issuer| issuer.policy.issuers.is_empty()) {
            return Err(TrustError::AnyIssuer);
        }
        let names = issuers.iter().flat_map(|issuer| &issuer.policy.issuers);
        let common = repeated(names, IssuerName::meets).map(IssuerName::to_string);
        let twice = || repeated(policies.iter().map(|policy| &policy.name), String::eq).cloned();
        if let Some(twice) = common.or_else(twice) {
            return Err(TrustError::Twice(twice));
        }
        for policy in &policies {
            if policy.issuers.is_empty() || policy.issuers.iter().any(|index| *index >= issuers.len()) {
                return Err(TrustError::NoIssuer(policy.name.clone()));
            }
        }
        Ok(Self { profile, issuers, policies, keyless: false })
    }

    /// One issuer, whose keys are the first set, and one policy that asks no more than it does.
    pub fn single(issuer: IssuerPolicy) -> Self {
        Self {
            profile: issuer.profile,
            policies: vec![Policy::of(issuer.name.clone(), vec![0])],
            issuers: vec![TrustedIssuer { policy: issuer, keys: 0, signers: Vec::new() }],
            keyless: false,
        }
    }

    /// The same where no source of keys is configured: encrypted tokens are all that can be good.
    #[must_use]
    pub fn without_keys(self) -> Self {
        Self { keyless: true, ..self }
    }

    /// Whether there never are keys to verify signatures with.
    pub fn is_keyless(&self) -> bool {
        self.keyless
    }

    /// The preset of all policies.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The issuers, in the order of their tables.
    pub fn issuers(&self) -> &[TrustedIssuer] {
        &self.issuers
    }

    /// The policies; the first is the default one.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The most clock skew that any issuer is granted.
    pub fn max_leeway(&self) -> Leeway {
        self.issuers.iter().map(|issuer| issuer.policy.leeway).fold(Leeway::NONE, Leeway::max)
    }

    /// The longest that an accepted token may be accepted after its `iat`; absent where some issuer's tokens have no such
    /// limit under some policy.
    pub fn longest_lifetime(&self) -> Option<std::time::Duration> {
        let mut longest = None;
        for policy in &self.policies {
            for issuer in policy.issuers.iter().filter_map(|index| self.issuers.get(*index)) {
                let limits = [issuer.policy.requirements.max_lifetime, policy.requirements.max_lifetime];
                let limit = limits.into_iter().flatten().min()?;
                longest = longest.max(Some(limit.saturating_add(issuer.policy.leeway.end)));
            }
        }
        longest
    }

    /// Whether some token is accepted by the default policy whatever it was made for: worth a warning, whatever its issuer
    /// is, since one issuer makes tokens for many.
    pub fn accepts_any_audience(&self) -> bool {
        self.policies.first().is_some_and(|policy| {
            let mut accepted = policy.issuers.iter().filter_map(|index| self.issuers.get(*index));
            policy.audiences.is_empty() && accepted.any(|issuer| issuer.policy.audiences.is_empty())
        })
    }

    /// The template of an issuer whose every tenant is trusted: worth a warning.
    pub fn every_tenant_of(&self) -> Option<&IssuerName> {
        let mut names = self.issuers.iter().flat_map(|issuer| &issuer.policy.issuers);
        names.find(|name| name.is_every_tenant())
    }

    /// The policy of that name; without a name the default one.
    pub fn policy(&self, name: Option<&str>) -> Option<&Policy> {
        match name {
            None => self.policies.first(),
            Some(name) => self.policies.iter().find(|policy| policy.name == name),
        }
    }

    /// Decides on a token as [`verify`](crate::verify) does, by the issuer that it names and by `policy`, but for what its client
    /// has to show: an accepted token is good for a request that brings what [`confirmation`](Self::confirmation) asks for.
    pub fn verify(&self, token: &str, keys: &[KeySet], policy: &Policy, now: UnixTime) -> Verdict {
        let is_signed = || TokenForm::of(token) == TokenForm::Jws;
        if self.keyless && self.profile == Profile::MsUsers && is_signed() {
            // As ms-users has it, whose own token-server has no keys: the backend looks for itself.
            return Verdict::Refuse(Refusal { reject: Reject::Legacy, signed: None });
        }
        match self.signed(token, keys, policy) {
            Err(reject) => Verdict::Refuse(Refusal { reject, signed: None }),
            Ok((issuer, signed)) => signed.validated(|signed| Self::validate(issuer, policy, signed, now)),
        }
    }

    /// Verifies the signature by the issuer that the token names, without validating what it says.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify) refuses what no key of such an issuer has signed.
    pub fn verify_signature(&self, token: &str, keys: &[KeySet], policy: &Policy) -> Result<Signed, Reject> {
        self.signed(token, keys, policy).map(|(_, signed)| signed)
    }

    /// Validates what was decrypted under a shared secret, which vouches for it as a signature would. As with
    /// [`verify`](Self::verify), what the client has to show is another question.
    pub fn validate_decrypted(&self, decrypted: Signed, policy: &Policy, now: UnixTime) -> Verdict {
        let issuer = match (self.issuers.as_slice(), policy.issuers.as_slice()) {
            ([only], [0]) => Some(only),
            (_, accepted) => self.issuer_of(&decrypted.claims, accepted),
        };
        // A load balancer vouches by its signature alone.
        let issuer = issuer.filter(|issuer| !issuer.is_load_balancer());
        decrypted.validated(|signed| Self::validate(issuer.ok_or(Reject::Issuer)?, policy, signed, now))
    }

    /// By what the issuer's tokens must be, and by the policy on top of it.
    fn validate(
        issuer: &TrustedIssuer,
        policy: &Policy,
        signed: &Signed,
        now: UnixTime,
    ) -> Result<(), Reject> {
        issuer.policy.validate_signed_for(&policy.requirements.types, signed, now)?;
        policy.confirmation(issuer.policy.binding, &signed.claims)?;
        validate_audience(&signed.claims, &policy.audiences)?;
        policy.requirements.validate_above(&issuer.policy.requirements, signed)?;
        [&issuer.policy.requirements, &policy.requirements]
            .into_iter()
            .try_for_each(|asked| asked.step_up.validate(&signed.claims, now, issuer.policy.leeway))
    }

    /// From when until when a token that [`verify`](Self::verify) accepted may be used under `policy`.
    ///
    /// # Errors
    ///
    /// Those of [`IssuerPolicy::window`], [`Reject::Issuer`] for a token of no trusted issuer, and [`Reject::AuthTime`] for one
    /// that does not tell when its user logged in, where that matters.
    pub fn window(&self, signed: &Signed, policy: &Policy) -> Result<Window, Reject> {
        let issuer = self.issuer_policy(signed)?;
        let ends = [
            issuer.requirements.step_up.until(&signed.claims)?,
            policy.requirements.step_up.until(&signed.claims)?,
        ];
        Ok(Window { login_until: ends.into_iter().flatten().min(), ..issuer.window(&signed.claims)? })
    }

    /// The document about the API that `policy` protects (RFC 9728 section 2): whose tokens it accepts, and the scopes of every
    /// policy for the same API. Absent where no resource is configured.
    pub fn metadata(&self, policy: &Policy) -> Option<ResourceMetadata> {
        let resource = policy.resource.as_ref()?;
        let own: Vec<&Policy> =
            self.policies.iter().filter(|other| other.resource.as_ref() == Some(resource)).collect();
        let indexes = own.iter().flat_map(|policy| &policy.issuers);
        let issuers =
            indexes.filter_map(|index| self.issuers.get(*index)).filter_map(|issuer| issuer.policy.name());
        let scopes = own.iter().flat_map(|policy| &policy.challenges.told().scopes).map(ListedValue::as_str);
        Some(ResourceMetadata::new(resource, issuers, scopes))
    }

    /// What the tokens of the issuer must be that made a token which [`verify`](Self::verify) accepted.
    ///
    /// # Errors
    ///
    /// [`Reject::Issuer`] for a token of no trusted issuer.
    pub fn issuer_policy(&self, signed: &Signed) -> Result<&IssuerPolicy, Reject> {
        let everybody: Vec<usize> = (0..self.issuers.len()).collect();
        let issuer = match self.issuers.as_slice() {
            [only] => Some(only),
            _ => self.issuer_of(&signed.claims, &everybody),
        };
        Ok(&issuer.ok_or(Reject::Issuer)?.policy)
    }

    /// The short names of a token's claims under `policy`: its own, and those of the token's issuer below them.
    pub fn claim_names(&self, policy: &Policy, signed: &Signed) -> ClaimNames {
        let own = &policy.requirements.names;
        if self.issuers.iter().all(|issuer| issuer.policy.requirements.names == ClaimNames::default()) {
            return own.clone();
        }
        self.issuer_policy(signed).map_or_else(|_| own.clone(), |issuer| own.over(&issuer.requirements.names))
    }

    fn signed(
        &self,
        token: &str,
        keys: &[KeySet],
        policy: &Policy,
    ) -> Result<(&TrustedIssuer, Signed), Reject> {
        let unverified = self.open(token)?;
        let Choice { issuer, keys, owner, algorithms } = self.choose(&unverified, keys, policy)?;
        let jws = unverified.verify(keys, &owner, algorithms).map_err(|reject| issuer.reject_of(reject))?;
        Ok((issuer, Signed::read(jws)?))
    }

    /// Takes a token apart, a padded one too where some issuer's are. Whether it is that issuer's is found when it is chosen.
    pub(crate) fn open<'a>(&self, token: &'a str) -> Result<Unverified<'a>, Reject> {
        let may_be_padded = || self.issuers.iter().any(TrustedIssuer::is_load_balancer);
        // Padding is never absent behind a signature of ES256.
        if token.ends_with('=') && TokenForm::of(token) == TokenForm::Jws && may_be_padded() {
            return Unverified::parse_padded(token);
        }
        open(token, self.profile)
    }

    /// Whose keys may be tried, and for which algorithms.
    pub(crate) fn choose<'t, 'k>(
        &'t self,
        unverified: &Unverified<'_>,
        keys: &'k [KeySet],
        policy: &Policy,
    ) -> Result<Choice<'t, 'k>, Reject> {
        let (issuer, owner) = self.chosen(unverified, policy)?;
        let keys = keys.get(issuer.keys).ok_or(Reject::NoKeys)?;
        let algorithms =
            issuer.policy.algorithms.intersection(policy.algorithms).intersection(issuer.own_algorithms());
        Ok(Choice { issuer, keys, owner, algorithms })
    }

    /// Whose keys may be tried.
    pub(crate) fn choose_issuer(
        &self,
        unverified: &Unverified<'_>,
        policy: &Policy,
    ) -> Result<&TrustedIssuer, Reject> {
        self.chosen(unverified, policy).map(|(issuer, _)| issuer)
    }

    fn chosen<'t>(
        &'t self,
        unverified: &Unverified<'_>,
        policy: &Policy,
    ) -> Result<(&'t TrustedIssuer, Owner<'t>), Reject> {
        let (issuer, owner) = self.named(unverified, policy)?;
        issuer.validate_form(unverified)?;
        Ok((issuer, owner))
    }

    fn named<'t>(
        &'t self,
        unverified: &Unverified<'_>,
        policy: &Policy,
    ) -> Result<(&'t TrustedIssuer, Owner<'t>), Reject> {
        match (self.issuers.as_slice(), policy.issuers.as_slice()) {
            // The only one is validated with the other claims, after the signature.
            ([only], [0]) if !only.has_tenants() => Ok((only, Owner::Issuer(&only.policy.issuers))),
            (_, accepted) => {
                let claims = Claims::parse(unverified.payload())?;
                let issuer = self.issuer_of(&claims, accepted).ok_or(Reject::Issuer)?;
                Ok((issuer, Owner::of(&issuer.policy.issuers, &claims)))
            }
        }
    }

    fn issuer_of(&self, claims: &Claims, accepted: &[usize]) -> Option<&TrustedIssuer> {
        let Some(Claim::String(iss)) = claims.get("iss") else {
            return None;
        };
        accepted
            .iter()
            .filter_map(|index| self.issuers.get(*index))
            .find(|issuer| issuer.policy.issuers.iter().any(|name| name.accepts(&iss, claims)))
    }
}

/// The first that is the same as one before it.
fn repeated<'a, N>(
    names: impl Iterator<Item = &'a N>,
    is_same: impl Fn(&'a N, &'a N) -> bool,
) -> Option<&'a N> {
    let mut seen: Vec<&'a N> = Vec::new();
    for name in names {
        if seen.iter().any(|known| is_same(known, name)) {
            return Some(name);
        }
        seen.push(name);
    }
    None
}

#[cfg(test)]
mod tests;
