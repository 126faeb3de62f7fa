//! Issuers and policies, put together.

use jose::{Opaque, Policy, Trust, TrustedIssuer};
use service::settings::Settings;

use super::challenges::Challenged;
use super::issuer_keys::IssuerKeys;
use super::preset::judge;
use super::trust_names::TrustNames;

/// What was read, for one [`Trust`].
pub(super) struct Parts {
    pub(super) issuers: Vec<TrustedIssuer>,
    pub(super) keys: Vec<IssuerKeys>,
    /// Those of tables.
    pub(super) policies: Vec<Policy>,
    pub(super) challenged: Challenged,
    /// What becomes of tokens that are no JWT, under the default policy where no table has it.
    pub(super) opaque: Opaque,
}

/// All of it, with the default policy first, which is made where no table has it. `None` after a fault.
pub(super) fn together(
    settings: &mut Settings,
    names: TrustNames,
    Parts { issuers, keys, mut policies, challenged, opaque }: Parts,
) -> Option<(Trust, Vec<IssuerKeys>)> {
    match policies.iter().position(|policy| policy.name == Trust::DEFAULT) {
        Some(place) => policies.get_mut(..=place)?.rotate_right(1),
        None => {
            let all = Policy { opaque, ..Policy::of(Trust::DEFAULT, (0..issuers.len()).collect()) };
            policies.insert(0, challenged.complete(all, &issuers, settings, &names.challenge));
        }
    }
    let profile = issuers.first()?.policy.profile;
    match Trust::new(profile, issuers, policies) {
        Ok(trust) => {
            judge(settings, &names, &trust);
            Some((trust, keys))
        }
        Err(error) => {
            settings.fault("[[issuers]], [[policies]]", error.to_string());
            None
        }
    }
}
