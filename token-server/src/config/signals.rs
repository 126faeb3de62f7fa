//! `TOKEN_SERVER__SIGNALS__*` and the tables `[[signals]]`: what identity providers may tell, on a listener of its own.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jose::{AlgorithmSet, IssuerName, Leeway, Trust};
use service::settings::Settings;

use super::ssf::{self, Stream};
use super::{ListenAddress, Verify, from_file};
use crate::revokers::{Clients, ClientsFile, Senders, SendersFile};
use crate::store::Mode;

pub(crate) const LISTEN: &str = "TOKEN_SERVER__SIGNALS__LISTEN";
pub(super) const MAX_AGE: &str = "TOKEN_SERVER__SIGNALS__MAX_AGE";
pub(super) const HOLD: &str = "TOKEN_SERVER__SIGNALS__HOLD";
pub(super) const RATE: &str = "TOKEN_SERVER__SIGNALS__RATE";
pub(super) const EMAIL: &str = "TOKEN_SERVER__SIGNALS__EMAIL";
pub(super) const CLIENTS_FILE: &str = "TOKEN_SERVER__REVOKE__CLIENTS_FILE";
pub(super) const SENDERS_FILE: &str = "TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE";

/// The oldest `iat` that can be accepted, seconds.
pub(super) const MAX_AGES: RangeInclusive<u64> = 1..=86_400;
/// How long rules can live, seconds: up to ten years.
pub(super) const HOLDS: RangeInclusive<u64> = 1..=315_360_000;
/// Messages of one sender in a second.
pub(super) const RATES: RangeInclusive<u32> = 1..=10_000;

pub(super) const DEFAULT_MAX_AGE: u64 = 300;
pub(super) const DEFAULT_HOLD: u64 = 86_400;
pub(super) const DEFAULT_RATE: u32 = 50;

/// What a table may say of [`Scope`].
const SCOPES: &[(&str, Scope)] = &[("subject", Scope::Subject), ("session", Scope::Session)];
/// What it may say of [`Mode`].
const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("shadow", Mode::Shadow)];

/// What identity providers may tell.
#[derive(Debug, Clone)]
pub struct Signals {
    /// `TOKEN_SERVER__SIGNALS__LISTEN`
    pub listen: ListenAddress,
    /// `TOKEN_SERVER__SIGNALS__MAX_AGE`: the oldest `iat` of a message that is accepted.
    pub max_age: Duration,
    /// `TOKEN_SERVER__SIGNALS__HOLD`: how long rules live where nothing says how long tokens do.
    pub hold: Duration,
    /// `TOKEN_SERVER__SIGNALS__RATE`: messages of one sender in a second.
    pub rate: u32,
    /// `TOKEN_SERVER__SIGNALS__EMAIL`: whether a subject may be told by an e-mail address.
    pub email: bool,
    /// `TOKEN_SERVER__REVOKE__CLIENTS_FILE`: who may revoke tokens; absent: any client that has the token.
    pub clients: Option<Arc<ClientsFile>>,
    /// `TOKEN_SERVER__GLOBAL_REVOCATION__TOKENS_FILE`: who may end all tokens of a user; absent: no client.
    pub senders: Option<Arc<SendersFile>>,
    /// Whose tokens can be revoked.
    pub trust: Option<Trust>,
    /// `[[signals]]`
    pub providers: Vec<Provider>,
    /// `[[ssf]]`
    pub streams: Vec<Arc<Stream>>,
}

/// An issuer that may tell something of its own tokens.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The first of its names, by which logs and the audit trail call it.
    pub issuer: Arc<str>,
    /// All of its names.
    pub names: Vec<IssuerName>,
    /// Which key set is its own.
    pub keys: usize,
    /// The algorithms of its signatures.
    pub algorithms: AlgorithmSet,
    /// How far its clock may be apart from ours.
    pub leeway: Leeway,
    /// How long its longest token lives.
    pub hold: Duration,
    /// Whom its messages may be for.
    pub audiences: Vec<String>,
    /// Whether its logout tokens are accepted.
    pub logout: bool,
    /// What a logout ends.
    pub scope: Scope,
    /// The claim of its messages that names the subject of its access tokens.
    pub subject_claim: String,
    /// Whether its rules revoke, or are only tried.
    pub mode: Mode,
}

/// What a logout that names both a subject and a session ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All tokens of the subject that were issued until then.
    #[default]
    Subject,
    /// The tokens that name the session.
    Session,
}

impl Signals {
    /// What does less than most operators want; for the log at the start, and for `--check`.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for Provider { issuer, scope, mode, .. } in &self.providers {
            if *scope == Scope::Session {
                warnings.push(format!(
                    "[[signals]] of {issuer}: scope is session, so a logout ends the tokens that have its sid; a provider that \
                     puts no sid into access tokens revokes nothing so"
                ));
            }
            if *mode == Mode::Shadow {
                warnings.push(format!(
                    "[[signals]] of {issuer}: mode is shadow, so its messages are counted and revoke nothing"
                ));
            }
        }
        warnings
    }
}

/// The settings; absent where there is no listener for them. The streams' key sets stand behind `sets` others.
pub(super) fn read(settings: &mut Settings, verify: Option<&Verify>, sets: usize) -> Option<Signals> {
    let listen: Option<ListenAddress> = settings.parse(LISTEN, "host:port");
    let max_age = within(settings, MAX_AGE, "seconds", MAX_AGES).unwrap_or(DEFAULT_MAX_AGE);
    let hold = within(settings, HOLD, "seconds", HOLDS).unwrap_or(DEFAULT_HOLD);
    let rate = within(settings, RATE, "messages", RATES).unwrap_or(DEFAULT_RATE);
    let email = settings.flag(EMAIL).unwrap_or(false);
    let hold = Duration::from_secs(hold);
    let clients =
        from_file(settings, CLIENTS_FILE, |file| Clients::parse(file).map_err(|error| error.to_string()));
    let senders =
        from_file(settings, SENDERS_FILE, |file| Senders::parse(file).map_err(|error| error.to_string()));
    let trust = verify.map(|verify| &verify.trust);
    if let Some(senders) = &senders {
        bound_to_trusted(settings, &senders.current(), trust);
    }
    let mut providers: Vec<Provider> = Vec::new();
    for mut table in settings.tables("signals") {
        if let Some(provider) = provider(&mut table, trust, hold) {
            if providers.iter().any(|known| known.issuer == provider.issuer) {
                table.fault("issuer", "comes twice; one table has all audiences of an issuer");
            }
            providers.push(provider);
        }
        settings.adopt(table);
    }
    let streams =
        ssf::read(settings, &ssf::Shared { trust, hold, sets, proxies: settings.proxies().clone() });
    if listen.is_none() {
        for name in [MAX_AGE, HOLD, RATE, EMAIL, CLIENTS_FILE, SENDERS_FILE] {
            if settings.is_set(name) {
                settings.fault(name, format!("has no effect without {LISTEN}"));
            }
        }
        for (name, place) in [("signals", "[[signals]]"), ("ssf", "[[ssf]]")] {
            if settings.has_tables(name) {
                settings.fault(place, format!("are not heard: set {LISTEN} to where providers send them"));
            }
        }
    }
    Some(Signals {
        listen: listen?,
        max_age: Duration::from_secs(max_age),
        hold,
        rate,
        email,
        clients,
        senders,
        trust: trust.cloned(),
        providers,
        streams,
    })
}

/// A sender that is bound to an issuer whose tokens are refused would be answered, and nothing would be revoked.
fn bound_to_trusted(settings: &mut Settings, senders: &Senders, trust: Option<&Trust>) {
    let issuers = trust.map(Trust::issuers).unwrap_or_default();
    for (line, bound) in senders.issuers() {
        let is_called = |names: &[IssuerName]| {
            names.is_empty()
                || names.iter().any(|name| name.as_str() == bound)
                || !IssuerName::beside(names, bound).is_empty()
        };
        if issuers.iter().any(|issuer| is_called(&issuer.policy.issuers)) {
            continue;
        }
        let what = format!(
            "line {line}: the issuer is not trusted; write it as its [[issuers]] table or TOKEN_SERVER__VERIFY__ISSUERS has it"
        );
        settings.fault(SENDERS_FILE, what);
    }
}

fn provider(table: &mut Settings, trust: Option<&Trust>, hold: Duration) -> Option<Provider> {
    let issuer = table.text("issuer");
    let audiences = table.list("audiences");
    let logout = table.flag("logout").unwrap_or(true);
    let scope = table.word("scope", SCOPES).unwrap_or_default();
    let subject_claim = table.text("subject_claim").unwrap_or_else(|| "sub".to_owned());
    let mode = table.word("mode", MODES).unwrap_or(Mode::Enforce);
    if issuer.is_none() {
        table.fault("issuer", "is required");
    }
    if audiences.is_none() {
        let what = "is required: the client IDs at the provider whose messages count; without them those for any other \
                    application of the provider would";
        table.fault("audiences", what);
    }
    let (issuer, audiences) = (issuer?, audiences?);
    let issuers = trust.map(Trust::issuers).unwrap_or_default();
    let Some(trusted) = issuers.iter().find(|trusted| trusted.policy.name() == Some(issuer.as_str())) else {
        let what = "is no trusted issuer: it must be the issuer of an [[issuers]] table, or TOKEN_SERVER__VERIFY__ISSUERS; an \
                    issuer with aliases is named by its issuer";
        table.fault("issuer", what);
        return None;
    };
    if !trusted.signers.is_empty() {
        table.fault("issuer", "has tokens of AWS load balancers, whose keys sign no messages");
    }
    let lifetime = trusted.policy.requirements.max_lifetime;
    let leeway = trusted.policy.leeway;
    Some(Provider {
        issuer: issuer.into(),
        names: trusted.policy.issuers.clone(),
        keys: trusted.keys,
        algorithms: trusted.policy.algorithms,
        hold: lifetime.map_or(hold, |lifetime| lifetime.saturating_add(leeway.end)),
        leeway,
        audiences,
        logout,
        scope,
        subject_claim,
        mode,
    })
}

pub(super) fn within<T: FromStr + PartialOrd + std::fmt::Display>(
    settings: &mut Settings,
    name: &'static str,
    unit: &str,
    range: RangeInclusive<T>,
) -> Option<T> {
    let expected = format!("{unit}, {} to {}", range.start(), range.end());
    let number = settings.parse(name, &expected)?;
    if !range.contains(&number) {
        settings.fault(name, format!("expected {expected}"));
    }
    Some(number)
}

#[cfg(test)]
mod tests;
