//! Of whose users a sender speaks: the issuer that its token is bound to, or that the subject names.

use jose::{IssuerName, IssuerPolicy, Trust};

use crate::signals::subject::Subject;

/// An issuer that is trusted.
#[derive(Debug)]
pub(super) struct Spoken<'t> {
    /// All of its names; of one with a name for each tenant those of one tenant.
    pub(super) names: Vec<String>,
    /// What its tokens must be.
    pub(super) policy: &'t IssuerPolicy,
}

/// Why it cannot be told whose users are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// One of whom the sender may not speak: not trusted, or another one.
    #[error("the issuer is none of whose users the sender may speak")]
    Foreign,
    /// Several may be meant.
    #[error("the subject names no issuer, and the sender's token is bound to none: several are trusted")]
    Unnamed,
    /// A template without a tenant.
    #[error("the issuer has a name for each tenant, and the subject names none of them")]
    NoTenant,
}

impl<'t> Spoken<'t> {
    pub(super) fn of(
        trust: Option<&'t Trust>,
        bound: Option<&str>,
        subject: &Subject,
    ) -> Result<Self, Fault> {
        let issuers = trust.map(Trust::issuers).unwrap_or_default();
        let named = subject.issuers();
        let mut policies = issuers.iter().map(|issuer| &issuer.policy);
        let policy = match (bound, issuers) {
            (Some(bound), _) => policies.find(|policy| is_bound_to(policy, bound)).ok_or(Fault::Foreign)?,
            (None, [only]) => &only.policy,
            (None, _) if named.is_empty() => return Err(Fault::Unnamed),
            (None, _) => {
                let mut known = policies.filter(|policy| named.iter().any(|name| is_called(policy, name)));
                match (known.next(), known.next()) {
                    (Some(policy), None) => policy,
                    (Some(_), Some(_)) => return Err(Fault::Unnamed),
                    (None, _) => return Err(Fault::Foreign),
                }
            }
        };
        let is_one = |name: &&str| !IssuerName::is_template(name);
        let bound = bound.filter(is_one);
        if policy.issuers.is_empty() {
            // Any `iss` is accepted: the sender's token has to say which one is meant.
            return bound.map(|bound| Self { names: vec![bound.to_owned()], policy }).ok_or(Fault::Unnamed);
        }
        // One that is bound to a name for each tenant may speak of each, and one that is bound to a tenant's of that alone.
        let named_one = named.iter().copied().find(|name| is_called(policy, name));
        let told = bound.or(named_one).or(policy.name().filter(is_one));
        let nameless = if named.is_empty() { Fault::NoTenant } else { Fault::Foreign };
        Ok(Self { names: IssuerName::beside(&policy.issuers, told.ok_or(nameless)?), policy })
    }
}

/// Whether a sender's token is bound to the issuer, as the operator wrote it.
fn is_bound_to(policy: &IssuerPolicy, bound: &str) -> bool {
    policy.issuers.is_empty()
        || policy.issuers.iter().any(|name| name.as_str() == bound)
        || is_called(policy, bound)
}

fn is_called(policy: &IssuerPolicy, name: &str) -> bool {
    !IssuerName::beside(&policy.issuers, name).is_empty()
}

#[cfg(test)]
mod tests;
