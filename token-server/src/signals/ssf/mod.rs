//! Shared signals (OpenID SSF 1.0, with the events of CAEP 1.0 and RISC 1.0): what a stream's security event tokens ask for.
//!
//! A token is verified (`belief`), read ([`set`]), understood ([`events`]) and mapped to tokens that end ([`ends`]); the desk makes
//! durable rules of that. [`push`] and [`poll`] are the ways by which it
//! comes.

mod ends;
mod events;
mod poll;
mod push;
mod set;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jose::SecurityEvent;

pub(crate) use self::ends::{Asked, asked};
pub(crate) use self::events::EventType;
pub(crate) use self::poll::Polls;
pub(super) use self::push::push;
pub(crate) use self::set::{Set, SetFault};
use super::belief::{Disbelief, Doubt, EventKeys};
use super::desk::{Heard, Unheard};
use super::metrics::Outcome;
use super::told::{Kind, Told, Weight};
use super::{InUse, Signals};
use crate::config::ssf::Stream;

/// Why a token of a stream is not taken.
#[derive(Debug)]
pub(super) enum Untaken {
    /// It is not good, and will not be (RFC 8935 section 2.3).
    Refused {
        /// The word for it.
        code: &'static str,
        /// Why, for people; nothing of the token.
        why: String,
    },
    /// It cannot be verified now.
    Unavailable,
    /// Nothing was done.
    Unheard(Unheard),
}

impl Signals {
    /// Does what a security event token of this stream asks for. When this returns `Ok`, it is durable.
    ///
    /// # Errors
    /// See [`Untaken`].
    pub(super) async fn take(
        &self,
        in_use: &InUse,
        stream: &Arc<Stream>,
        token: String,
    ) -> Result<Heard, Untaken> {
        let (email, now) = (in_use.settings.email, (self.clock)());
        let own = Arc::clone(stream);
        let choose = move |_: &str| {
            let keys = EventKeys {
                name: Arc::clone(&own.name),
                names: own.issuer_names.clone(),
                set: own.keys,
                algorithms: own.algorithms,
            };
            Ok((keys, Arc::clone(&own)))
        };
        // A fault in what its issuer says is told by its word, and is no stranger's.
        let judge = move |event: &SecurityEvent, stream: &Arc<Stream>| {
            let read = Set::read(event, stream, now);
            Ok(read.and_then(|set| asked(&set, stream, email).map(|asked| (set, asked))))
        };
        let believed = self.believe(&in_use.keys, token, choose, judge).await;
        let judged = believed.map_err(|disbelief| self.disbelieved_set(&disbelief))?;
        self.metrics.heard(&stream.name, now);
        let (set, asked) = judged.map_err(|fault| self.refused(stream, &fault))?;
        let told = match asked {
            Asked::Told(told) => told,
            // They tell of the stream, not of a subject.
            Asked::Verification | Asked::StreamUpdated => of_stream(&set, stream),
        };
        self.desk.hear(told).await.map_err(Untaken::Unheard)
    }

    fn refused(&self, stream: &Stream, fault: &SetFault) -> Untaken {
        let why = fault.to_string();
        self.log_disbelief(Kind::Ssf, &Disbelief::because(format!("stream {}: {why}", stream.name)));
        self.metrics.count(Kind::Ssf, Outcome::Refused);
        Untaken::Refused { code: fault.code(), why }
    }

    fn disbelieved_set(&self, disbelief: &Disbelief) -> Untaken {
        self.log_disbelief(Kind::Ssf, disbelief);
        match disbelief {
            Disbelief::Refused { why, doubt, .. } => {
                self.metrics.count(Kind::Ssf, Outcome::Refused);
                let code = match doubt {
                    Doubt::Content => "invalid_request",
                    Doubt::Issuer => "invalid_issuer",
                    Doubt::Key => "invalid_key",
                };
                Untaken::Refused { code, why: why.clone() }
            }
            Disbelief::NoKeys | Disbelief::Crowded => {
                self.metrics.count(Kind::Ssf, Outcome::Failed);
                Untaken::Unavailable
            }
        }
    }
}

/// A token that ends nothing.
fn of_stream(set: &Set, stream: &Stream) -> Told {
    Told {
        kind: Kind::Ssf,
        sender: Arc::clone(&stream.name),
        by: Arc::clone(&stream.issuer),
        jti: Some(set.jti.clone()),
        ends: Vec::new(),
        weight: Weight::Enforce,
    }
}
