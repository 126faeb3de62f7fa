//! Verification events on demand (SSF 1.0 section 8.1.4.2), and what operators are shown of the streams.

use std::sync::Arc;
use std::time::Duration;

use jose::UnixTime;
use serde::Serialize;

use super::known::{Facts, Trouble, Verification};
use super::transmitter::{NotAsked, Transmitter};
use crate::config::ssf::Stream;
use crate::random;
use crate::signals::Signals;
use crate::when;

/// How long all questions to a transmitter may take, below the deadline of a request of an operator.
const PATIENCE: Duration = Duration::from_secs(8);

/// How long one request waits for the event.
const WAIT: Duration = Duration::from_secs(5);

/// Bytes of a state.
const STATE_BYTES: usize = 16;

/// The streams of the configuration in use.
#[derive(Debug, Serialize)]
pub(crate) struct StreamsView {
    /// This server's clock.
    now: String,
    streams: Vec<StreamView>,
}

/// A stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct StreamView {
    stream: String,
    issuer: String,
    /// How its tokens come: `push`, `poll`.
    delivery: Vec<&'static str>,
    /// When something of it came last; absent: nothing since this server runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    heard: Option<String>,
    /// When a verification event came last.
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<String>,
    /// What its transmitter said last of its status.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusView>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleView>,
}

#[derive(Debug, Serialize)]
struct StatusView {
    status: &'static str,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct TroubleView {
    at: String,
    why: String,
}

/// A verification event that was asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerificationView {
    stream: String,
    /// By which it is asked after.
    state: String,
    delivery: Vec<&'static str>,
    /// Whether it came.
    heard: bool,
    /// After how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    after_ms: Option<u64>,
    /// What went wrong last since it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleView>,
}

impl Signals {
    /// The streams of the configuration in use.
    pub(crate) fn streams(&self) -> StreamsView {
        let in_use = self.in_use.load();
        let view = |stream: &Arc<Stream>| StreamView::of(stream, self.known.facts(&stream.name));
        let streams = in_use.settings.streams.iter().map(view).collect();
        StreamsView { now: when::iso_millis((self.clock)()), streams }
    }

    /// Asks the transmitter of a stream for a verification event. It may have come before this returns.
    ///
    /// # Errors
    /// See [`NotAsked`].
    pub(crate) async fn verify(&self, name: &str) -> Result<VerificationView, NotAsked> {
        let stream = self.stream(name)?;
        let asked = tokio::time::timeout(PATIENCE, self.ask(&stream));
        let state = asked.await.unwrap_or(Err(NotAsked::Late(PATIENCE)))?;
        Ok(self.view(&stream, state, Verification::Awaited))
    }

    /// What became of a verification event that was asked for: once it has come, or after some seconds. Absent where none
    /// was asked for with this state.
    ///
    /// # Errors
    /// No stream has the name.
    pub(crate) async fn verification(
        &self,
        name: &str,
        state: String,
    ) -> Result<Option<VerificationView>, NotAsked> {
        let stream = self.stream(name)?;
        let found = self.known.verification(&stream.name, &state, WAIT).await;
        Ok(found.map(|found| self.view(&stream, state, found)))
    }

    fn stream(&self, name: &str) -> Result<Arc<Stream>, NotAsked> {
        let in_use = self.in_use.load();
        let found = in_use.settings.streams.iter().find(|stream| *stream.name == *name);
        found.cloned().ok_or_else(|| NotAsked::NoStream(name.to_owned()))
    }

    async fn ask(&self, stream: &Stream) -> Result<String, NotAsked> {
        let mut transmitter = Transmitter::of(stream).await?;
        let id = transmitter.stream_id().await?;
        self.known.named(&stream.name, id.clone());
        let state = random::hex::<STATE_BYTES>().ok_or(NotAsked::NoRandomness)?;
        // It may come before the transmitter has answered.
        self.known.expect(&stream.name, state.clone());
        transmitter.verify(&id, &state).await?;
        Ok(state)
    }

    fn view(&self, stream: &Stream, state: String, found: Verification) -> VerificationView {
        let facts = self.known.facts(&stream.name);
        let trouble = facts.trouble_of(&state).cloned();
        let after = match found {
            Verification::Awaited => None,
            Verification::Heard(after) => Some(after),
        };
        VerificationView {
            stream: stream.name.to_string(),
            state,
            delivery: delivery(stream),
            heard: after.is_some(),
            after_ms: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            trouble: trouble.map(TroubleView::of),
        }
    }
}

impl StreamView {
    fn of(stream: &Stream, facts: Facts) -> Self {
        let Facts { heard, verified, standing, trouble, .. } = facts;
        Self {
            stream: stream.name.to_string(),
            issuer: stream.issuer.to_string(),
            delivery: delivery(stream),
            heard: heard.map(when::iso_millis),
            verified: verified.map(when::iso_millis),
            status: standing.map(|standing| StatusView {
                status: standing.status.as_str(),
                since: when::iso(UnixTime::from_secs(standing.since)),
                reason: standing.reason,
            }),
            trouble: trouble.map(TroubleView::of),
        }
    }
}

impl TroubleView {
    fn of(trouble: Trouble) -> Self {
        Self { at: when::iso_millis(trouble.at), why: trouble.why }
    }
}

fn delivery(stream: &Stream) -> Vec<&'static str> {
    let ways = [stream.authorization.as_ref().map(|_| "push"), stream.poll.as_ref().map(|_| "poll")];
    ways.into_iter().flatten().collect()
}
