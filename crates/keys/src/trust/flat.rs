//! The flat settings of trust: one issuer, whose names and keys stand in single settings.

use std::path::PathBuf;

use jose::{AlgorithmSet, Binding, IssuerName, IssuerPolicy, Profile, Requirements, Trust};
use reqwest::Url;
use service::settings::Settings;

use super::discovery::Discovery;
use super::fetch::{Fetch, FetchNames};
use super::issuer_keys::IssuerKeys;
use super::names::flat_names;
use super::values::{algorithms, leeway, present};

/// The names of these settings, as a program's environment has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustNames {
    /// The file of settings, where tables stand.
    pub config: &'static str,
    /// A file of keys.
    pub file: &'static str,
    /// Issuers whose keys are found by discovery.
    pub oidc_issuers: &'static str,
    /// The time between two reloads of the keys.
    pub sync_interval: &'static str,
    /// Whether short secrets are good enough.
    pub allow_short_secrets: &'static str,
    /// Whether a URL may have secrets beside public keys.
    pub allow_mixed_keys: &'static str,
    /// Accepted issuers.
    pub issuers: &'static str,
    /// Accepted audiences.
    pub audiences: &'static str,
    /// Accepted algorithms.
    pub algorithms: &'static str,
    /// Clock skew.
    pub leeway: &'static str,
    /// What becomes of bound tokens.
    pub binding: &'static str,
    /// Claims that must be there.
    pub required: &'static str,
    /// How the URLs are fetched.
    pub fetch: FetchNames,
}

/// What the flat settings say.
#[derive(Debug, Clone)]
pub struct Flat {
    /// The policy of the one issuer that they may name; also what tables leave out.
    pub policy: IssuerPolicy,
    /// Its keys; without any it is no issuer, and the policy only fills in for the tables.
    pub keys: IssuerKeys,
    /// The settings to name.
    pub names: TrustNames,
}

impl Flat {
    /// Reads the settings of these names.
    pub fn read(settings: &mut Settings, names: TrustNames, profile: Profile) -> Self {
        let keys = keys(settings, &names);
        let policy = policy(settings, &names, profile, &keys);
        Self { policy, keys, names }
    }

    /// Whether neither these settings nor a table have a source of keys.
    pub fn is_keyless(&self, settings: &Settings) -> bool {
        self.keys.is_empty() && !settings.has_tables("issuers")
    }

    /// Trust for a program that has no source of keys, and opens encrypted tokens alone: signed ones find no key.
    pub fn without_keys(self) -> (Trust, Vec<IssuerKeys>) {
        (Trust::single(self.policy).without_keys(), vec![self.keys])
    }
}

/// The URLs of a setting that takes those of HTTP alone.
pub fn http_urls(settings: &mut Settings, name: &'static str) -> Vec<Url> {
    const EXPECTED: &str = "http:// or https:// URLs";
    let urls: Vec<Url> = settings.parse_list(name, EXPECTED).unwrap_or_default();
    if urls.iter().any(|url| !matches!(url.scheme(), "http" | "https") || !url.has_host()) {
        settings.fault(name, format!("expected {EXPECTED}"));
    }
    urls
}

fn keys(settings: &mut Settings, names: &TrustNames) -> IssuerKeys {
    let urls = http_urls(settings, names.fetch.keys_url).iter().map(ToString::to_string).collect();
    http_urls(settings, names.oidc_issuers);
    // As they were written: an issuer is compared as a string, not as a URL (RFC 7519 section 4.1.1).
    let discovered = flat_names(settings, names.oidc_issuers);
    let keys = IssuerKeys {
        file: settings.text(names.file).map(PathBuf::from),
        urls,
        discovery: discovered.into_iter().map(|name| Discovery::flat(names.oidc_issuers, name)).collect(),
        fetch: Fetch::read(settings, names.fetch),
        optional: false,
    };
    keys.judge_fetch(settings);
    keys
}

fn policy(settings: &mut Settings, names: &TrustNames, profile: Profile, keys: &IssuerKeys) -> IssuerPolicy {
    let mut issuers = flat_names(settings, names.issuers);
    if issuers.is_empty() {
        issuers = keys.discovery.iter().map(|found| found.issuer.clone()).collect();
    }
    let several = [(names.oidc_issuers, keys.discovery.len()), (names.issuers, issuers.len())];
    if let Some((name, _)) = several.into_iter().find(|(_, issuers)| *issuers > 1) {
        let what = format!(
            "more than one issuer would share all keys, so that one could sign for another; \
             give each an [[issuers]] table in the file that {} names",
            names.config
        );
        settings.fault(name, what);
    }
    IssuerPolicy {
        name: Trust::DEFAULT.to_owned(),
        profile,
        algorithms: algorithms(settings, names.algorithms).unwrap_or(AlgorithmSet::ALL),
        issuers: issuers.into_iter().map(IssuerName::from).collect(),
        audiences: settings.list(names.audiences).unwrap_or_default(),
        leeway: leeway(settings, names.leeway).unwrap_or_default(),
        binding: settings.parse(names.binding, Binding::NAMES).unwrap_or_default(),
        requirements: Requirements {
            claims: present(settings, names.required).unwrap_or_default(),
            ..Requirements::default()
        },
    }
}
