//! Shared signals (OpenID SSF 1.0, with the events of CAEP 1.0 and RISC 1.0): what a stream's security event tokens ask for.
//!
//! A token is verified (`belief`), read ([`set`]), understood ([`events`]) and mapped to tokens that end ([`ends`]); the desk makes
//! durable rules of that. [`push`] and [`poll`] are the ways by which it comes. What is told of the stream itself is [`known`];
//! [`verification`] asks whether it works.

mod access;
mod ends;
mod events;
mod known;
mod of_stream;
mod poll;
mod push;
mod set;
#[cfg(test)]
mod tests;
mod transmitter;
mod verification;

use std::sync::Arc;

use jose::{SecurityEvent, UnixTime};
use tokio::time::Instant;

pub(crate) use self::ends::{Asked, asked};
pub(crate) use self::events::EventType;
pub(crate) use self::known::Known;
use self::known::{Standing, Trouble};
use self::of_stream::{News, OfStream};
pub(crate) use self::poll::Streams;
pub(super) use self::push::push;
pub(crate) use self::set::{Set, SetFault};
pub(crate) use self::transmitter::NotAsked;
pub(crate) use self::verification::{StreamsView, VerificationView};
use super::belief::{Disbelief, Doubt, EventKeys};
use super::desk::Unheard;
use super::metrics::Outcome;
use super::told::{Kind, Status};
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
    ) -> Result<(), Untaken> {
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
        let judged = believed.map_err(|disbelief| self.disbelieved_set(stream, &disbelief))?;
        self.heard(stream, now);
        let (set, asked) = judged.map_err(|fault| self.refused(stream, &fault))?;
        match asked {
            Asked::Told(told) => self.desk.hear(told).await.map(|_| ()).map_err(Untaken::Unheard),
            Asked::OfStream(told) => self.take_of_stream(stream, set.issued, &told, now),
        }
    }

    /// Takes what a transmitter tells of the stream itself.
    fn take_of_stream(
        &self,
        stream: &Stream,
        issued: i64,
        told: &OfStream,
        now: UnixTime,
    ) -> Result<(), Untaken> {
        self.desk.admit(Kind::Ssf, &stream.name).map_err(Untaken::Unheard)?;
        let changed = self.known.take(stream, issued, told, now);
        let changed = changed.map_err(|fault| self.refused(stream, &fault))?;
        match told.news {
            News::Verification { .. } => {
                self.metrics.verified(&stream.name, now);
                self.metrics.count(Kind::Ssf, Outcome::Verified);
            }
            News::Updated { .. } => self.metrics.count(Kind::Ssf, Outcome::Updated),
        }
        if let Some(standing) = changed {
            self.metrics.has_status(&stream.name, standing.status);
            standing.log(&stream.name);
        }
        Ok(())
    }

    /// A stream was heard: a token of its issuer's, or an answer to a poll.
    fn heard(&self, stream: &Stream, now: UnixTime) {
        self.metrics.heard(&stream.name, now);
        self.known.heard(&stream.name, now);
    }

    fn troubled(&self, stream: &Stream, why: String) {
        self.known.troubled(&stream.name, Trouble { at: (self.clock)(), moment: Instant::now(), why });
    }

    fn refused(&self, stream: &Stream, fault: &SetFault) -> Untaken {
        let why = fault.to_string();
        self.log_disbelief(Kind::Ssf, &Disbelief::because(format!("stream {}: {why}", stream.name)));
        self.metrics.count(Kind::Ssf, Outcome::Refused);
        self.troubled(stream, format!("a token was refused: {why}"));
        Untaken::Refused { code: fault.code(), why }
    }

    fn disbelieved_set(&self, stream: &Stream, disbelief: &Disbelief) -> Untaken {
        self.log_disbelief(Kind::Ssf, disbelief);
        match disbelief {
            Disbelief::Refused { why, doubt, .. } => {
                self.troubled(stream, format!("a token was refused: {why}"));
                self.metrics.count(Kind::Ssf, Outcome::Refused);
                let code = match doubt {
                    Doubt::Content => "invalid_request",
                    Doubt::Issuer => "invalid_issuer",
                    Doubt::Key => "invalid_key",
                };
                Untaken::Refused { code, why: why.clone() }
            }
            Disbelief::NoKeys | Disbelief::Crowded => {
                let why = "a token could not be verified now: the stream's keys could not be had, or too many wait for them";
                self.troubled(stream, why.to_owned());
                self.metrics.count(Kind::Ssf, Outcome::Failed);
                Untaken::Unavailable
            }
        }
    }
}

impl Standing {
    /// Says what follows, and what to do.
    fn log(&self, stream: &str) {
        let reason = self.reason.as_deref();
        match self.status {
            Status::Enabled => {
                tracing::info!(stream, reason, "the transmitter of a stream sends its events again");
            }
            Status::Paused => tracing::warn!(
                stream,
                reason,
                "the transmitter has paused a stream: what it has to tell waits there, may be dropped, and revokes nothing; ask \
                 the transmitter's operator for the reason, and set the stream's status to enabled there"
            ),
            Status::Disabled => tracing::warn!(
                stream,
                reason,
                "the transmitter has disabled a stream: what happens from now on is never told here; revoke by hand until the \
                 stream's status is set to enabled at the transmitter"
            ),
        }
    }
}
