//! `TOKEN_SERVER__VERIFY__*` and the tables `[[issuers]]`, `[[policies]]`, `[[verify]]`: forward-auth.

use std::ops::RangeInclusive;

use ::keys::trust::{Flat, IssuerKeys, Preset};
use jose::{AlgorithmSet, Opaque, Profile, TokenKind, Trust};
use service::sample::LogLines;
use service::settings::{Scalar, Settings};

use super::keys;
use super::places::Places;
use crate::api::forward_auth::{self, ClaimHeader, ClaimHeaders, Guard, HeaderFault, Proxy, TokenPlace};
use crate::verify::Limits;

pub(super) const PROXY: &str = "TOKEN_SERVER__VERIFY__PROXY";
pub(super) const SCHEMES: &str = "TOKEN_SERVER__VERIFY__SCHEMES";
pub(crate) const MAX_TOKEN_BYTES: &str = "TOKEN_SERVER__VERIFY__MAX_TOKEN_BYTES";
pub(super) const COOKIE: &str = "TOKEN_SERVER__VERIFY__COOKIE";
pub(super) const QUERY: &str = "TOKEN_SERVER__VERIFY__QUERY";
pub(super) const PLACES: &str = "TOKEN_SERVER__VERIFY__PLACES";
pub(super) const ALLOW_MISSING: &str = "TOKEN_SERVER__VERIFY__ALLOW_MISSING";
pub(super) const PREFLIGHT: &str = "TOKEN_SERVER__VERIFY__PREFLIGHT";
pub(super) const HEADERS: &str = "TOKEN_SERVER__VERIFY__HEADERS";
pub(super) const LOG_REFUSALS: &str = "TOKEN_SERVER__VERIFY__LOG_REFUSALS";
pub(super) const CACHE_SIZE: &str = "TOKEN_SERVER__VERIFY__CACHE_SIZE";
pub(super) const CACHE_BYTES: &str = "TOKEN_SERVER__VERIFY__CACHE_BYTES";

/// The range of the longest token; a request's head has at most 32 KiB here.
pub(super) const TOKEN_BYTES: RangeInclusive<usize> = 256..=24_576;

/// Whom we trust, and how proxies are answered.
#[derive(Debug, Clone)]
pub struct Verify {
    /// Whom we trust, and for what.
    pub trust: Trust,
    /// What forward-auth goes by.
    pub forward_auth: forward_auth::Settings,
}

/// Forward-auth, and the keys of its issuers in their order. Absent where no issuer is trusted, or after a fault. Challenges offer
/// proofs by the algorithms of `offered`, where clients are known to have them.
pub(super) fn read(
    settings: &mut Settings,
    preset: Preset,
    opens_tokens: bool,
    knows_opaque: bool,
    offered: Option<AlgorithmSet>,
) -> (Option<Verify>, Vec<IssuerKeys>) {
    let flat = Flat::read(settings, keys::TRUST, preset);
    // A server that is told of opaque tokens is meant to accept them here, too; where they can be.
    let takes_opaque = knows_opaque && preset.profile == Profile::Standard && preset.kind == TokenKind::Any;
    let flat = Flat { opaque: flat.opaque.or(takes_opaque.then_some(Opaque::Introspect)), ..flat };
    let flat = match offered {
        Some(algorithms) => flat.offering_proofs(algorithms),
        None => flat,
    };
    let has_policies = settings.has_tables("policies");
    let fallback = ((opens_tokens || knows_opaque) && flat.is_keyless(settings)).then(|| flat.clone());
    let trusted = ::keys::trust::read(settings, flat);
    let general = general(settings, preset.profile);
    let trusted = match (trusted, fallback) {
        (None, Some(_)) if has_policies => {
            settings.fault("[[policies]]", "are for the tokens of issuers: add an [[issuers]] table");
            None
        }
        (None, Some(flat)) => flat.without_keys(settings),
        (trusted, _) => trusted,
    };
    let General { proxy, schemes, max_token_bytes, log_refusals, cache, guard, places } = general;
    let Some((trust, issuers)) = trusted else {
        if !settings.tables("verify").is_empty() || proxy.is_some() {
            let what = format!(
                "no source of keys is configured: set {}, or add [[issuers]] tables",
                keys::TRUST.file
            );
            settings.fault(PROXY, what);
        }
        return (None, Vec::new());
    };
    let introspects = trust.policies().iter().any(|policy| policy.opaque == Opaque::Introspect);
    if introspects && !knows_opaque {
        let what = format!(
            "introspect has no effect: this server knows no token that is no JWT; set {} or TOKEN_SERVER__INTROSPECTION__ISSUER, or leave it out, of [[policies]] too",
            super::api_keys::FILE
        );
        settings.fault(keys::TRUST.opaque, what);
    }
    let guards = guards(settings, &trust, &guard, &places);
    for (name, needed) in [
        (QUERY, guards.iter().flat_map(|guard| &guard.places).any(TokenPlace::is_told_by_the_proxy)),
        (PREFLIGHT, guards.iter().any(|guard| guard.preflight)),
    ] {
        if needed && proxy.is_none() {
            settings.fault(name, format!("needs {PROXY}: only the proxy can tell the original request"));
        }
    }
    let schemes = schemes.unwrap_or_else(|| usual_schemes(&trust));
    let forward_auth =
        forward_auth::Settings { proxy, schemes, max_token_bytes, log_refusals, cache, guards };
    (Some(Verify { trust, forward_auth }), issuers)
}

/// `DPoP` where a token may be bound to a key alone.
fn usual_schemes(trust: &Trust) -> Vec<String> {
    let takes_proofs = trust.policies().iter().any(|policy| trust.takes_proofs(policy));
    let usual = match (trust.profile(), takes_proofs) {
        (Profile::Standard, true) => &["JWT", "Bearer", "DPoP"][..],
        (Profile::Standard, false) => &["JWT", "Bearer"],
        (Profile::MsUsers, _) => &["JWT"],
    };
    usual.iter().map(|scheme| (*scheme).to_owned()).collect()
}

/// What is the same for all policies, or theirs unless a table says otherwise.
struct General {
    proxy: Option<Proxy>,
    /// Absent: the usual ones.
    schemes: Option<Vec<String>>,
    max_token_bytes: usize,
    log_refusals: LogLines,
    cache: Limits,
    guard: Guard,
    places: Places,
}

fn general(settings: &mut Settings, profile: Profile) -> General {
    let max_token_bytes = settings.parse(MAX_TOKEN_BYTES, "bytes").unwrap_or(8192);
    if !TOKEN_BYTES.contains(&max_token_bytes) {
        let (least, most) = TOKEN_BYTES.into_inner();
        settings.fault(MAX_TOKEN_BYTES, format!("expected {least} to {most} bytes"));
    }
    let pairs = settings.list(HEADERS).map(|pairs| {
        let pair =
            |pair: &String| pair.split_once('=').map(|(name, claim)| (name.to_owned(), claim.to_owned()));
        pairs.iter().map(|text| pair(text).unwrap_or_default()).collect()
    });
    let places = Places::read(settings, [PLACES, COOKIE, QUERY], &Places::default());
    General {
        proxy: settings.word(PROXY, Proxy::WORDS),
        schemes: settings.list(SCHEMES),
        max_token_bytes,
        log_refusals: settings.word(LOG_REFUSALS, LogLines::WORDS).unwrap_or_default(),
        cache: Limits {
            entries: settings.parse(CACHE_SIZE, "a number of tokens").unwrap_or(100_000),
            bytes: settings.parse(CACHE_BYTES, "bytes").unwrap_or(256 * 1024 * 1024),
        },
        guard: Guard {
            places: places.all(),
            allow_missing: settings.flag(ALLOW_MISSING).unwrap_or(false),
            preflight: settings.flag(PREFLIGHT).unwrap_or(false),
            headers: headers(settings, HEADERS, pairs).unwrap_or_else(|| ClaimHeaders::usual(profile)),
        },
        places,
    }
}

/// One for each policy, from the tables `[[verify]]`.
fn guards(settings: &mut Settings, trust: &Trust, general: &Guard, places: &Places) -> Vec<Guard> {
    let mut guards: Vec<Option<Guard>> = vec![None; trust.policies().len()];
    for mut table in settings.tables("verify") {
        let name = table.text("policy").unwrap_or_else(|| Trust::DEFAULT.to_owned());
        let guard = guard(&mut table, general, places);
        let place = trust.policies().iter().position(|route| route.name == name);
        match place.and_then(|place| guards.get_mut(place)) {
            None => table.fault("policy", "names a policy that is in no [[policies]] table"),
            Some(Some(_)) => table.fault("policy", "comes twice"),
            Some(free) => *free = Some(guard),
        }
        settings.adopt(table);
    }
    guards.into_iter().map(|guard| guard.unwrap_or_else(|| general.clone())).collect()
}

fn guard(table: &mut Settings, general: &Guard, places: &Places) -> Guard {
    let pairs: Vec<(String, String)> = table
        .values("headers")
        .into_iter()
        .map(|(name, values)| match values.as_slice() {
            [Scalar::Text(claim)] => (name, claim.clone()),
            _ => (name, String::new()),
        })
        .collect();
    let pairs = Some(pairs).filter(|pairs| !pairs.is_empty());
    Guard {
        places: Places::read(table, ["places", "cookie", "query"], places).all(),
        allow_missing: table.flag("allow_missing").unwrap_or(general.allow_missing),
        preflight: table.flag("preflight").unwrap_or(general.preflight),
        headers: headers(table, "headers", pairs).unwrap_or_else(|| general.headers.clone()),
    }
}

fn headers(
    settings: &mut Settings,
    name: &str,
    pairs: Option<Vec<(String, String)>>,
) -> Option<ClaimHeaders> {
    let headers: Result<Vec<_>, HeaderFault> =
        pairs?.iter().map(|(header, claim)| ClaimHeader::new(header, claim)).collect();
    headers.and_then(ClaimHeaders::new).map_err(|fault| settings.fault(name, fault.to_string())).ok()
}
