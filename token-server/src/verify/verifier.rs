//! The verdict on one request of a proxy.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use jose::{
    Binding, Claimed, Hint, Policy, Profile, Reason, Refusal, Reject, Signed, TokenForm, TokenHash,
    TokenVersion, UnixTime, Verdict,
};
use keys::{KeyRing, Keys, KeysView, Newer};
use service::refusals::{RefusalLine, RefusalLog, shown_kid};
use service::shown;
use tokio::time::Instant;
use tracing::Level;

use super::cache::{Key, Verified, VerifiedTokens};
use super::question::{Question, request_id};
use super::{Guard, Proxy, VerifyMetrics, VerifySettings};
use crate::api::App;
use crate::encrypted::{self, Opened};
use crate::judge::Revocable;

/// How long a token with an unknown key waits for newer keys. Proxies wait a second or more.
const EARLY_LOAD_WAIT: Duration = Duration::from_millis(800);

/// Judges requests; shared by all connections.
pub struct Verifier {
    settings: VerifySettings,
    verified: VerifiedTokens,
    metrics: VerifyMetrics,
    keys: Arc<KeyRing>,
    refusals: RefusalLog,
}

/// Why a request may pass.
pub(super) enum Pass {
    /// Its token is good.
    Token(Arc<Verified>),
    /// It has none, and the policy asks for none.
    Missing(Vec<(HeaderName, HeaderValue)>),
    /// It is a CORS preflight.
    Preflight(Vec<(HeaderName, HeaderValue)>),
}

impl Pass {
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        match self {
            Self::Token(verified) => &verified.headers,
            Self::Missing(headers) | Self::Preflight(headers) => headers,
        }
    }

    pub(super) fn detail(&self) -> &'static str {
        match self {
            Self::Token(_) => "ok",
            Self::Missing(_) => "missing",
            Self::Preflight(_) => "preflight",
        }
    }
}

/// Why a token was refused.
struct Refused {
    reject: Reject,
    /// What it says of itself, where newer keys might verify it.
    missing: Option<Hint>,
}

impl From<Reject> for Refused {
    fn from(reject: Reject) -> Self {
        Self { reject, missing: None }
    }
}

/// A policy, found by its name.
struct Guarded<'a> {
    place: usize,
    route: &'a Policy,
    guard: &'a Guard,
}

impl Verifier {
    /// A verifier that has verified nothing yet.
    pub(crate) fn new(settings: VerifySettings, metrics: VerifyMetrics, keys: &Arc<KeyRing>) -> Self {
        let verified = VerifiedTokens::new(settings.cache);
        let refusals = RefusalLog::new(settings.log_refusals);
        Self { settings, verified, metrics, keys: Arc::clone(keys), refusals }
    }

    /// Warns of settings that let in more than most operators want.
    pub(crate) fn warn_of_open_doors(&self) {
        let trust = &self.settings.trust;
        if trust.profile() == Profile::Standard && trust.accepts_any_audience() {
            tracing::warn!(
                "no audience is judged: /verify accepts a token that the issuer made for any other application; set \
                 TOKEN_SERVER__VERIFY__AUDIENCES"
            );
        }
        if let Some(warning) = keys::trust::every_tenant_warning(trust) {
            tracing::warn!("{warning}");
        }
        if trust.ignores_binding() {
            tracing::warn!(
                "TOKEN_SERVER__VERIFY__BINDING=ignore: /verify accepts a token that is bound to a key or a certificate (cnf) \
                 from any client"
            );
        }
    }

    /// What operators see of the keys.
    pub(crate) fn keys_view(&self, now: UnixTime) -> KeysView {
        self.keys.view(&self.settings.trust, now)
    }

    /// What becomes of bound tokens where no issuer's policy judges them: as every issuer has it.
    pub(crate) fn binding(&self) -> Binding {
        let issuers = self.settings.trust.issuers();
        if issuers.iter().all(|issuer| issuer.policy.binding == Binding::Ignore) {
            Binding::Ignore
        } else {
            Binding::IfBound
        }
    }

    /// The most clock skew that any issuer is granted.
    pub(crate) fn max_leeway(&self) -> jose::Leeway {
        self.settings.trust.max_leeway()
    }

    /// The longest that a token which some policy accepts may live, if each limits it.
    pub(crate) fn longest_lifetime(&self) -> Option<Duration> {
        self.settings.trust.longest_lifetime()
    }

    /// Which proxy asks.
    pub(crate) fn proxy(&self) -> Option<Proxy> {
        self.settings.proxy
    }

    pub(super) fn realm(&self) -> &str {
        &self.settings.realm
    }

    /// The claims that a key of ours has signed, whatever they say. Newer keys are asked for where they might help.
    pub(crate) fn verify_signature(&self, token: &str) -> Result<Signed, Reject> {
        let route = self.settings.trust.policy(None).ok_or(Reject::UnknownPolicy)?;
        let keys = self.keys.current();
        let verified = self.settings.trust.verify_signature(token, &keys.sets, route);
        verified.inspect_err(|reject| {
            if reject.suggests_newer_keys() {
                self.keys.refresh_soon(keys.version, &self.settings.trust.hint(token, route));
            }
        })
    }

    /// Judges a request by the policy of that name, or by the default one.
    pub(super) async fn judge(&self, app: &App, parts: &Parts, policy: Option<&str>) -> Result<Pass, Reject> {
        let policy = self.policy(policy).ok_or(Reject::UnknownPolicy);
        let question = match &policy {
            Ok(policy) => Question::read(parts, &self.settings, policy.guard),
            Err(reject) => Err(*reject),
        };
        let decision = match (&policy, &question) {
            (Ok(policy), Ok(question)) => self.decide(app, question, policy).await,
            (Err(reject), _) | (Ok(_), Err(reject)) => Err(*reject),
        };
        let (reason, detail) = match &decision {
            Ok(pass) => (Reason::Ok, pass.detail()),
            Err(reject) => (reject.reason(), reject.detail()),
        };
        let claimed = match (&decision, &policy, &question) {
            (Err(_), Ok(policy), Ok(Question::Token(token))) => {
                self.settings.trust.claimed(token, policy.route)
            }
            (Ok(_), _, _) | (_, Err(_), _) | (_, _, Err(_) | Ok(Question::Missing | Question::Preflight)) => {
                Claimed::default()
            }
        };
        let issuer = self.issuer(&decision, &claimed);
        let name = policy.ok().map(|policy| policy.route.name.as_str());
        self.metrics.decided(name, issuer.as_deref(), reason, detail);
        if decision.is_err() && self.refusals.is_on() {
            let kid = claimed.kid.as_deref().map(shown_kid);
            let id = match &question {
                Ok(Question::Token(token)) => Some(TokenHash::of(token).fingerprint()),
                Ok(Question::Missing | Question::Preflight) | Err(_) => None,
            };
            let refusal = RefusalLine {
                request: request_id(parts),
                reason: reason.as_str(),
                detail,
                policy: name,
                issuer: issuer.as_deref(),
                kid: kid.as_deref(),
                id: id.as_deref(),
            };
            self.refusals.write(&refusal, Instant::now().into_std());
        }
        if tracing::enabled!(Level::DEBUG) {
            let id = match question {
                Ok(Question::Token(token)) => Some(TokenHash::of(&token).fingerprint()),
                Ok(Question::Missing | Question::Preflight) | Err(_) => None,
            };
            let request = request_id(parts);
            tracing::debug!(request, id, reason = reason.as_str(), detail, policy = name, "decided");
        }
        decision
    }

    /// What is counted of a request beside its verdict, as far as it is known.
    fn issuer(&self, decision: &Result<Pass, Reject>, claimed: &Claimed<'_>) -> Option<String> {
        match decision {
            Ok(Pass::Token(verified)) => verified.issuer.as_deref().map(str::to_owned),
            Ok(Pass::Missing(_) | Pass::Preflight(_)) => None,
            Err(_) => claimed.issuer.map(shown::url),
        }
    }

    fn policy(&self, name: Option<&str>) -> Option<Guarded<'_>> {
        let routes = self.settings.trust.policies();
        let place = match name {
            None => 0,
            Some(name) => routes.iter().position(|route| route.name == name)?,
        };
        Some(Guarded { place, route: routes.get(place)?, guard: self.settings.guards.get(place)? })
    }

    async fn decide(&self, app: &App, question: &Question<'_>, policy: &Guarded<'_>) -> Result<Pass, Reject> {
        let token = match question {
            Question::Token(token) => token,
            Question::Missing => return Ok(Pass::Missing(policy.guard.headers.empty())),
            Question::Preflight => return Ok(Pass::Preflight(policy.guard.headers.empty())),
        };
        let now = app.now();
        let verified = self.verified(app, token, policy, now).await?;
        let revocable = &verified.revocable;
        revocable.check(&app.revocations, now).await.verdict?;
        app.note_good(verified.payload.as_bytes(), revocable.issued(now), revocable.subject.as_deref(), now);
        Ok(Pass::Token(verified))
    }

    /// A token whose signature and policy are good, and which may be used now.
    async fn verified(
        &self,
        app: &App,
        token: &str,
        policy: &Guarded<'_>,
        now: UnixTime,
    ) -> Result<Arc<Verified>, Reject> {
        let since = Instant::now();
        let mut keys = self.keys.current();
        let hash = TokenHash::of(token);
        let key = Key { token: hash, route: policy.place, keys: keys.version };
        if let Some(kept) = self.kept(app, &key) {
            match kept.window.validate(now) {
                Ok(()) => {
                    self.metrics.hits.inc();
                    return Ok(kept);
                }
                Err(reject) => {
                    self.verified.forget(&key);
                    return Err(reject);
                }
            }
        }
        self.metrics.misses.inc();
        let verified = loop {
            let refused = match self.verify(app, token, &keys, policy, now).await {
                Ok(verified) => break Arc::new(verified),
                Err(refused) => refused,
            };
            let Some(missing) = refused.missing else { return Err(refused.reject) };
            match self.keys.newer_than(keys.version, &missing, since, since + EARLY_LOAD_WAIT, now).await {
                Newer::Keys(newer) => keys = newer,
                Newer::Final | Newer::Current => return Err(refused.reject),
                Newer::Unknown if refused.reject == Reject::NoKeys => return Err(Reject::NoKeys),
                Newer::Unknown => return Err(Reject::KeysStale),
            }
        };
        self.verified.keep(Key { keys: keys.version, ..key }, Arc::clone(&verified));
        self.metrics.show_entries(self.verified.len());
        Ok(verified)
    }

    fn kept(&self, app: &App, key: &Key) -> Option<Arc<Verified>> {
        let kept = self.verified.get(key)?;
        let still_opens = match (&kept.opened_with, &app.jwe_keys) {
            (None, _) => true,
            (Some(then), Some(file)) => Arc::ptr_eq(then, &file.current()),
            (Some(_), None) => false,
        };
        still_opens.then_some(kept)
    }

    async fn verify(
        &self,
        app: &App,
        token: &str,
        keys: &Keys,
        policy: &Guarded<'_>,
        now: UnixTime,
    ) -> Result<Verified, Refused> {
        let trust = &self.settings.trust;
        let (signed, opened_with) = match TokenForm::of(token) {
            TokenForm::Jwe => {
                let opening = app.jwe_keys.as_ref().ok_or(Reject::Unsupported)?.current();
                let opened = encrypted::open_with(token, &opening, &app.lane).await?;
                (self.opened(opened, keys, policy.route, now)?, Some(opening))
            }
            TokenForm::Jws | TokenForm::Other => (self.signed(token, keys, policy.route, now)?, None),
        };
        Ok(Verified {
            window: trust.window(&signed)?,
            issuer: trust.issuer_policy(&signed)?.name().map(|name| shown::url(name).into()),
            revocable: Revocable::read(&signed.claims, trust.issuer_policy(&signed)?)?,
            headers: policy.guard.headers.of(&signed.claims, &trust.claim_names(policy.route, &signed))?,
            payload: signed.claims.as_json().into(),
            opened_with,
        })
    }

    fn opened(&self, opened: Opened, keys: &Keys, route: &Policy, now: UnixTime) -> Result<Signed, Refused> {
        let Opened { header, claims, nested } = opened;
        match nested {
            Some(token) => self.signed(&token, keys, route, now),
            None => {
                let decrypted = Signed { header, claims, version: TokenVersion::Stateless };
                match self.settings.trust.validate_decrypted(decrypted, route, now) {
                    Verdict::Accept(signed) => Ok(signed),
                    Verdict::Refuse(Refusal { reject, .. }) => Err(reject.into()),
                }
            }
        }
    }

    fn signed(&self, token: &str, keys: &Keys, route: &Policy, now: UnixTime) -> Result<Signed, Refused> {
        let trust = &self.settings.trust;
        match trust.verify(token, &keys.sets, route, now) {
            Verdict::Accept(signed) => Ok(signed),
            Verdict::Refuse(Refusal { reject, .. }) => {
                let missing = reject.suggests_newer_keys().then(|| trust.hint(token, route));
                Err(Refused { reject, missing })
            }
        }
    }
}
