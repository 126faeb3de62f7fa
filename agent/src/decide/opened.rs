//! Requests that may stay open after their answer: what has to be held of one so that it can be judged again, and whom that is
//! told.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jose::{AuthScheme, Evidence, Reason, Reject, TokenHash, UnixTime};
use tokio::sync::mpsc;

use super::Decider;
use super::arrival::Arrival;
use super::question::Question;
use crate::cache::{Kept, Key};
use crate::metrics::{ByReason, Metrics};
use crate::request::{Request, Stream};

/// What let a stream in, as far as a request with the same would be judged by it.
#[derive(Clone, PartialEq, Eq)]
pub struct Held {
    token: Box<str>,
    /// Stands for the token where that must not be seen.
    pub hash: TokenHash,
    /// The name of its policy, which another configuration may have at another place.
    policy: Box<str>,
    scheme: AuthScheme,
    /// What its client has shown. A proof (DPoP) was used up then, and counts for as long as the stream is open.
    evidence: Evidence,
}

#[cfg(test)]
impl Held {
    /// What a request with this token alone has.
    pub(crate) fn of(token: &str) -> Self {
        let (policy, scheme, evidence) = ("default".into(), AuthScheme::Bearer, Evidence::NONE);
        Self { token: token.into(), hash: TokenHash::of(token), policy, scheme, evidence }
    }
}

/// By what a verdict was found. Numbers of configurations are never used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Basis {
    /// The number of the configuration.
    pub configuration: u64,
    /// The version of its keys.
    pub keys: u64,
}

/// That a token is good.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The verdict as it is kept for requests.
    pub kept: Arc<Kept>,
    /// By what it was found.
    pub basis: Basis,
}

/// A stream that was let in.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Which.
    pub stream: Stream,
    /// By what.
    pub held: Arc<Held>,
    /// Why.
    pub verdict: Verdict,
}

/// What a request with the same would be told now.
#[derive(Debug, Clone)]
pub enum Judged {
    /// It would be let in.
    Good(Verdict),
    /// It would be refused.
    Refused(Reject),
    /// That cannot be told: a token-server is away, or keys may be older than the token.
    Undecided,
}

impl fmt::Debug for Held {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Held").field("id", &self.hash.fingerprint()).finish_non_exhaustive()
    }
}

/// Tells of streams that one configuration lets in.
#[derive(Debug)]
pub struct Openings {
    configuration: u64,
    told: mpsc::Sender<Opened>,
    metrics: Arc<Metrics>,
    has_warned: AtomicBool,
}

impl Openings {
    /// Those of the configuration of this number.
    pub fn new(configuration: u64, told: mpsc::Sender<Opened>, metrics: Arc<Metrics>) -> Self {
        Self { configuration, told, metrics, has_warned: AtomicBool::new(false) }
    }

    fn stream(&self, request: &Request<'_>, came: Instant) -> Option<Stream> {
        request.stream.as_ref()?.read(came).unwrap_or_else(|_| {
            self.count_untracked("unreadable");
            if !self.has_warned.swap(true, Ordering::Relaxed) {
                tracing::warn!(
                    "HAProxy's message stream cannot be read; its streams do not end with their tokens. Its arguments are \
                     stream=var(txn.tkn_stream) process=var(txn.tkn_process) src=fc_src src_port=fc_src_port, of variables that \
                     set-var-fmt made of %rt and %pid"
                );
            }
            None
        })
    }

    fn tell(&self, opened: Opened) {
        if self.told.try_send(opened).is_err() {
            self.count_untracked("busy");
        }
    }

    fn count_untracked(&self, reason: &'static str) {
        self.metrics.streams.untracked.get_or_create(&ByReason { reason }).inc();
    }
}

impl Decider {
    /// The stream that a request may open, where it is told and looked after.
    pub(super) fn stream(&self, request: &Request<'_>, came: Instant) -> Option<Stream> {
        self.openings.as_ref()?.stream(request, came)
    }

    /// Tells that a request is let in which may stay open, if it is one.
    pub(super) fn tell_opened(&self, kept: &Arc<Kept>, question: &Question<'_>, evidence: Evidence) {
        let (Some(openings), Some(stream)) = (&self.openings, question.stream) else { return };
        let Some(policy) = question.policy(&self.trust) else { return };
        if !kept.lets_in(&evidence) {
            return;
        }
        let held = Held {
            token: (*question.token).into(),
            hash: question.key.token,
            policy: policy.name.as_str().into(),
            scheme: question.key.scheme,
            evidence,
        };
        let verdict = self.verdict_on(question, kept);
        openings.tell(Opened { stream, held: Arc::new(held), verdict });
    }

    /// By what verdicts are found now.
    pub fn basis(&self) -> Basis {
        self.basis_of(self.keys.current().version)
    }

    /// What tells of verdicts whether they may still be sent to a request at the time of day `now`, which is the moment `at`. The
    /// keys are those of this moment for all of them.
    pub fn holding(&self, now: UnixTime, at: Instant) -> impl Fn(&Verdict) -> bool + '_ {
        let basis = self.basis();
        move |verdict| verdict.basis == basis && self.cache.holds(&verdict.kept, now, at)
    }

    /// Judges anew what let a stream in, in the way of a request. A proof is not asked for again.
    pub async fn judge(&self, held: &Held) -> Judged {
        let mut policies = self.trust.policies().iter();
        let Some(policy) = policies.position(|policy| *policy.name == *held.policy) else {
            return Judged::Refused(Reject::UnknownPolicy);
        };
        if held.token.len() > self.reading.max_token_bytes {
            return Judged::Refused(Reject::TokenSize);
        }
        let keys = self.keys.current();
        let key = Key { token: held.hash, policy, keys: keys.version, scheme: held.scheme };
        let mut question = Question {
            token: Cow::Borrowed(&held.token),
            evidence: held.evidence,
            proof: None,
            key,
            keys,
            request: None,
            may_stay_open: false,
            stream: None,
        };
        let kept = self.verdict(&mut question, &Arrival::of_no_request()).await;
        match kept.reject {
            Some(reject) if reject.reason() == Reason::BackendUnavailable => Judged::Undecided,
            Some(reject) => Judged::Refused(reject),
            None => match kept.confirmation().judge(&held.evidence) {
                Ok(()) => Judged::Good(self.verdict_on(&question, &kept)),
                Err(reject) => Judged::Refused(reject),
            },
        }
    }

    fn verdict_on(&self, question: &Question<'_>, kept: &Arc<Kept>) -> Verdict {
        Verdict { kept: Arc::clone(kept), basis: self.basis_of(question.key.keys) }
    }

    fn basis_of(&self, keys: u64) -> Basis {
        let configuration = self.openings.as_ref().map_or(0, |openings| openings.configuration);
        Basis { configuration, keys }
    }
}
