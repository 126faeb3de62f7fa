//! The flat settings of trust: one issuer, whose names and keys stand in single settings.

use std::path::PathBuf;

use jose::{AlgorithmSet, IssuerName, IssuerPolicy, Opaque, Requirements, Trust, TrustedIssuer};
use reqwest::Url;
use service::settings::Settings;

use super::challenges::{Challenged, step_up};
use super::discovery::Discovery;
use super::fetch::Fetch;
use super::issuer_keys::IssuerKeys;
use super::names::flat_names;
use super::preset::Preset;
use super::together::{Parts, together};
use super::trust_names::TrustNames;
use super::values::{algorithms, binding, leeway, opaque, present};

/// What the flat settings say.
#[derive(Debug, Clone)]
pub struct Flat {
    /// The policy of the one issuer that they may name; also what tables leave out.
    pub policy: IssuerPolicy,
    /// Its keys; without any it is no issuer, and the policy only fills in for the tables.
    pub keys: IssuerKeys,
    /// What refused clients are told.
    pub challenged: Challenged,
    /// What becomes of tokens that are no JWT, under policies that do not say; absent: not set.
    pub opaque: Option<Opaque>,
    /// The settings to name.
    pub names: TrustNames,
}

impl Flat {
    /// Reads the settings of these names.
    pub fn read(settings: &mut Settings, names: TrustNames, preset: Preset) -> Self {
        let keys = keys(settings, &names);
        let policy = policy(settings, &names, preset, &keys);
        let challenged = Challenged::read(settings, &names.challenge);
        let opaque = opaque(settings, names.opaque);
        Self { policy, keys, challenged, opaque, names }
    }

    /// The same where clients are known to have proofs of possession (RFC 9449), by these algorithms: challenges offer `DPoP`.
    #[must_use]
    pub fn offering_proofs(mut self, algorithms: AlgorithmSet) -> Self {
        self.challenged.offer_proofs(algorithms);
        self
    }

    /// Whether neither these settings nor a table have a source of keys.
    pub fn is_keyless(&self, settings: &Settings) -> bool {
        self.keys.is_empty() && !settings.has_tables("issuers")
    }

    /// Trust for a program that has no source of keys, and opens encrypted tokens alone: signed ones find no key.
    pub fn without_keys(self, settings: &mut Settings) -> Option<(Trust, Vec<IssuerKeys>)> {
        let issuers = vec![TrustedIssuer { policy: self.policy, keys: 0, signers: Vec::new() }];
        let (keys, policies) = (vec![self.keys], Vec::new());
        let opaque = self.opaque.unwrap_or_default();
        let parts = Parts { issuers, keys, policies, challenged: self.challenged, opaque };
        let (trust, keys) = together(settings, self.names, parts)?;
        Some((trust.without_keys(), keys))
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

fn policy(settings: &mut Settings, names: &TrustNames, preset: Preset, keys: &IssuerKeys) -> IssuerPolicy {
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
        profile: preset.profile,
        algorithms: algorithms(settings, names.algorithms).unwrap_or(AlgorithmSet::ALL),
        issuers: issuers.into_iter().map(IssuerName::from).collect(),
        audiences: settings.list(names.audiences).unwrap_or_default(),
        leeway: leeway(settings, names.leeway).unwrap_or_default(),
        binding: binding(settings, names.binding).unwrap_or_default(),
        kind: preset.kind,
        requirements: Requirements {
            claims: present(settings, names.required).unwrap_or_default(),
            step_up: step_up(settings, &names.challenge),
            ..Requirements::default()
        },
    }
}
