//! What a message of an identity provider would do, and why: for people who set one up. Writes nothing.

use std::sync::Arc;

use jose::{EventIssuer, KeySet, SecurityEvent, UnixTime, unverified_claims};
use serde_json::{Value, json};

use super::desk::rules::drafts;
use super::logout::{self, EVENT};
use super::ssf::{Asked, Set, asked};
use super::told::{Kind, Told, Weight};
use crate::config::Signals as Settings;
use crate::config::signals::Provider;
use crate::config::ssf::Stream;
use crate::store::Mode;

/// Who may have sent a message, by what it says of itself.
#[derive(Debug, Clone)]
pub enum Sender {
    /// Of a logout token.
    Provider(Provider),
    /// Of a security event token.
    Stream(Arc<Stream>),
}

/// Why there is no sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSender {
    /// It is no token.
    #[error("it is no signed token: {0}")]
    NoToken(&'static str),
    /// No table has its issuer.
    #[error("no {0} table has the issuer that its iss names, letter for letter")]
    Unknown(&'static str),
    /// No stream has the name.
    #[error("no [[ssf]] table has the name {0}")]
    NoStream(String),
    /// Several streams have the issuer.
    #[error("several streams have its issuer: name one with --stream: {}", .0.join(", "))]
    Several(Vec<String>),
}

impl Sender {
    /// Whose message it says it is; `stream` is the one that it came by.
    ///
    /// # Errors
    /// See [`NoSender`].
    pub fn of(settings: &Settings, token: &str, stream: Option<&str>) -> Result<Self, NoSender> {
        if let Some(name) = stream {
            let found = settings.streams.iter().find(|stream| *stream.name == *name);
            return found.cloned().map(Self::Stream).ok_or_else(|| NoSender::NoStream(name.to_owned()));
        }
        let claims = unverified_claims(token).map_err(|reject| NoSender::NoToken(reject.detail()))?;
        let events = claims.get("events");
        let is_logout = events.is_some_and(|events| match events {
            jose::Claim::Json(text) => {
                serde_json::from_str::<Value>(text).is_ok_and(|events| events.get(EVENT).is_some())
            }
            _ => false,
        });
        if is_logout {
            let named = |provider: &&Provider| provider.names.iter().any(|name| name.is_told_by(&claims));
            let found = settings.providers.iter().find(named);
            return found.cloned().map(Self::Provider).ok_or(NoSender::Unknown("[[signals]]"));
        }
        let named = |stream: &&Arc<Stream>| stream.issuer_names.iter().any(|name| name.is_told_by(&claims));
        let found: Vec<_> = settings.streams.iter().filter(named).collect();
        match found.as_slice() {
            [] => Err(NoSender::Unknown("[[ssf]]")),
            [stream] => Ok(Self::Stream(Arc::clone(stream))),
            several => Err(NoSender::Several(several.iter().map(|stream| stream.name.to_string()).collect())),
        }
    }

    /// Which key set is its own.
    pub fn keys(&self) -> usize {
        match self {
            Self::Provider(provider) => provider.keys,
            Self::Stream(stream) => stream.keys,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Provider(_) => Kind::Logout,
            Self::Stream(_) => Kind::Ssf,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Provider(provider) => &provider.issuer,
            Self::Stream(stream) => &stream.name,
        }
    }

    /// What its message would do now: as JSON, of which `believed` tells whether it is taken.
    pub fn explain(&self, settings: &Settings, keys: &KeySet, token: &str, now: UnixTime) -> Value {
        let (names, algorithms) = match self {
            Self::Provider(provider) => (&provider.names, provider.algorithms),
            Self::Stream(stream) => (&stream.issuer_names, stream.algorithms),
        };
        let issuer = EventIssuer { names, keys, algorithms };
        let event = match SecurityEvent::verify(token, &issuer) {
            Ok(event) => event,
            Err(fault) => return self.refused(&fault.to_string(), None),
        };
        let told = match self {
            Self::Provider(provider) => logout::told(&event, provider, settings, now)
                .map(Asked::Told)
                .map_err(|fault| fault.to_string()),
            Self::Stream(stream) => {
                let set = Set::read(&event, stream, now);
                let asked = set.and_then(|set| asked(&set, stream, settings.email));
                asked.map_err(|fault| format!("{}: {fault}", fault.code()))
            }
        };
        match told {
            Err(why) => self.refused(&why, Some(&event)),
            Ok(Asked::OfStream(_)) => self.answer(
                &event,
                "nothing",
                "it tells of the stream, not of a subject; whether its state was asked with, the running server knows",
                Value::Array(Vec::new()),
            ),
            Ok(Asked::Told(told)) => self.would(&event, &told, now),
        }
    }

    fn would(&self, event: &SecurityEvent, told: &Told, now: UnixTime) -> Value {
        let (mode, does, why) = match &told.weight {
            Weight::Enforce if told.ends.is_empty() => {
                (Mode::Enforce, "nothing", "nothing has ended, or the configuration ignores it")
            }
            Weight::Enforce => (Mode::Enforce, "revokes", "these rules are written"),
            Weight::Shadow => (Mode::Shadow, "tries", "these rules are only tried, as it is configured"),
            Weight::Inexact(why) => (Mode::Shadow, "inexact", why.as_str()),
        };
        let rules = match drafts(told, mode, now) {
            Ok(drafts) => drafts,
            Err(why) => return self.answer(event, "inexact", why, Value::Array(Vec::new())),
        };
        let rules = rules.iter().map(|replacement| {
            let draft = &replacement.draft;
            let rule: Value = serde_json::from_str(draft.entry.rule.canonical()).unwrap_or_default();
            let mode = if mode == Mode::Enforce { "enforce" } else { "shadow" };
            json!({ "group": draft.group, "mode": mode, "rule": rule, "expireAt": draft.annotation.expire_at })
        });
        self.answer(event, does, why, rules.collect())
    }

    fn answer(&self, event: &SecurityEvent, does: &str, why: &str, rules: Value) -> Value {
        json!({
            "believed": true, "kind": self.kind().as_str(), "sender": self.name(), "jti": event.jti,
            "events": events(event), "does": does, "why": why, "rules": rules,
        })
    }

    fn refused(&self, why: &str, event: Option<&SecurityEvent>) -> Value {
        json!({
            "believed": false, "kind": self.kind().as_str(), "sender": self.name(),
            "jti": event.and_then(|event| event.jti.as_ref()), "events": event.map(events), "does": "nothing", "why": why, "rules": [],
        })
    }
}

fn events(event: &SecurityEvent) -> Vec<&str> {
    event.events.iter().map(|(kind, _)| kind.as_str()).collect()
}
