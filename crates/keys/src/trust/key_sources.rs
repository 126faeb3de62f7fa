//! Where the keys of all issuers come from.

use std::time::Duration;

use jose::{KeyOrigin, KeyRules, Profile};
use service::proxy::ProxyVariables;
use service::settings::Settings;

use super::issuer_keys::IssuerKeys;
use super::trust_names::TrustNames;

/// The time between two reloads of the keys where nothing else is said.
const SYNC_INTERVAL: Duration = Duration::from_secs(300);

/// The longest, seconds (one day).
pub(super) const MAX_SYNC_INTERVAL_SECONDS: u64 = 86_400;

/// Where verification keys come from.
#[derive(Debug, Clone)]
pub struct KeySources {
    /// The sources of each issuer, in the order of [`jose::Trust::issuers`].
    pub issuers: Vec<IssuerKeys>,
    /// The environment's proxies.
    pub proxies: ProxyVariables,
    /// The time between two reloads.
    pub interval: Duration,
    /// Which keys are good enough.
    pub rules: KeyRules,
}

impl KeySources {
    /// These issuers' sources, with what the flat settings say of all of them.
    pub fn read(
        settings: &mut Settings,
        names: &TrustNames,
        profile: Profile,
        issuers: Vec<IssuerKeys>,
    ) -> Self {
        let expected = format!("seconds, 1 to {MAX_SYNC_INTERVAL_SECONDS}");
        let interval = settings.parse::<u64>(names.sync_interval, &expected);
        if interval.is_some_and(|interval| !(1..=MAX_SYNC_INTERVAL_SECONDS).contains(&interval)) {
            settings.fault(names.sync_interval, format!("expected {expected}"));
        }
        Self {
            issuers,
            proxies: settings.proxies().clone(),
            interval: interval.map_or(SYNC_INTERVAL, Duration::from_secs),
            rules: KeyRules {
                origin: KeyOrigin::File,
                profile,
                allow_short_secrets: settings.flag(names.allow_short_secrets).unwrap_or(false),
                allow_mixed_keys: settings.flag(names.allow_mixed_keys).unwrap_or(false),
            },
        }
    }
}
