//! Verdicts that were given lately, ready to be sent again.
//!
//! A hit skips the signature and nothing else: what can change between two requests is judged anew (the token's time, and
//! by the lease whether it may have been revoked), and what cannot is part of the key (token, policy, key set). What is sent
//! of a bound token depends on what each request shows of its client.
//! Refused tokens are kept apart, few and briefly, so that garbage cannot push good tokens out. What could not be decided
//! is never kept.

pub mod heat;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jose::{AuthScheme, Confirmation, Evidence, Reject, Signed, TokenHash, UnixTime, Window};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use revocation::lease::{SharedLease, Word};
use service::flights::{Boarding, Flights};

use self::heat::Heat;
use crate::answer::ack::Ack;

/// Refused tokens that are remembered.
const REFUSED: usize = 10_000;
/// How long a refusal is remembered: long enough for a client that repeats itself, short enough for one that is mended.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// Bytes of an entry beside its texts, by the layout of its types and of the cache's tables.
const OVERHEAD_BYTES: u64 = 400;

/// What a verdict holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    /// The token.
    pub token: TokenHash,
    /// Which policy, by its place in the configuration.
    pub policy: usize,
    /// The version of the key set.
    pub keys: u64,
    /// The scheme behind which it stands: what is bound to no key is not good behind `DPoP`.
    pub scheme: AuthScheme,
}

/// A verdict that was given.
#[derive(Debug)]
pub struct Kept {
    answers: Answers,
    /// Why it was refused, whatever the client shows, if it was.
    pub reject: Option<Reject>,
    /// When the token may be used.
    pub window: Window,
    /// What a token-server said, where the verdict rests on it.
    pub word: Option<Word>,
    /// What the signature vouches for, so that a token-server can be asked again without verifying it again.
    pub signed: Option<Signed>,
    /// How often it is sent again.
    pub heat: Heat,
}

/// What is sent, and to which clients. There is no way to it but by what a request shows.
#[derive(Debug)]
pub enum Answers {
    /// The same to all.
    Same(Ack),
    /// Of a bound token.
    ByProof(Box<ByProof>),
}

/// What is sent of a bound token.
#[derive(Debug)]
pub struct ByProof {
    /// What has to be shown.
    pub confirmation: Confirmation,
    /// To clients that show it.
    pub proved: Ack,
    /// To all others.
    pub unproved: Ack,
}

impl Answers {
    fn to(&self, evidence: &Evidence) -> &Ack {
        match self {
            Self::Same(ack) => ack,
            Self::ByProof(answers) => match answers.confirmation.judge(evidence) {
                Ok(()) => &answers.proved,
                Err(_) => &answers.unproved,
            },
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Same(ack) => ack.bytes(),
            Self::ByProof(answers) => {
                let acks = answers.proved.bytes().saturating_add(answers.unproved.bytes());
                acks.saturating_add(size_of::<ByProof>())
            }
        }
    }
}

impl Kept {
    /// A verdict for as long as `window` says.
    pub fn new(answers: Answers, reject: Option<Reject>, window: Window) -> Self {
        Self { answers, reject, window, word: None, signed: None, heat: Heat::default() }
    }

    /// What is sent to a request that shows this.
    pub fn ack(&self, evidence: &Evidence) -> &Ack {
        self.answers.to(evidence)
    }

    /// What a request has to show; nothing where all are sent the same.
    pub fn confirmation(&self) -> Confirmation {
        match &self.answers {
            Answers::Same(_) => Confirmation::NONE,
            Answers::ByProof(answers) => answers.confirmation,
        }
    }

    /// Whether a request is let in that shows this.
    pub fn lets_in(&self, evidence: &Evidence) -> bool {
        self.reject.is_none() && self.confirmation().judge(evidence).is_ok()
    }

    /// What is sent to every request; absent where it depends on what a request shows.
    pub fn ack_to_all(&self) -> Option<&Ack> {
        match &self.answers {
            Answers::Same(ack) => Some(ack),
            Answers::ByProof(_) => None,
        }
    }
}

/// What is kept on a question.
#[derive(Debug)]
pub enum Found {
    /// A verdict that holds.
    Hit(Arc<Kept>),
    /// One that would hold if a token-server said so once more.
    Recheck(Arc<Kept>),
    /// Nothing of use.
    Miss,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Verdicts.
    pub entries: u64,
    /// Bytes of all verdicts.
    pub bytes: u64,
}

/// The verdicts of all connections. With a limit of 0 nothing is kept.
#[derive(Debug)]
pub struct VerdictCache {
    accepted: Option<Cache<Key, Arc<Kept>, Weight>>,
    refused: Cache<Key, (Instant, Arc<Kept>)>,
    flights: Flights<Key, Arc<Kept>>,
    lease: Arc<SharedLease>,
}

/// Weighs entries so that both limits hold: none weighs less than its share of the bytes.
#[derive(Debug, Clone)]
struct Weight {
    least: u64,
}

impl Weighter<Key, Arc<Kept>> for Weight {
    fn weight(&self, _: &Key, kept: &Arc<Kept>) -> u64 {
        let signed = kept
            .signed
            .as_ref()
            .map_or(0, |signed| signed.header.len().saturating_add(signed.claims.as_json().len()));
        let word = kept.word.as_ref().map_or(0, Word::text_bytes);
        let texts = kept.answers.bytes().saturating_add(signed).saturating_add(word);
        u64::try_from(texts).unwrap_or(u64::MAX).saturating_add(OVERHEAD_BYTES).max(self.least)
    }
}

impl VerdictCache {
    /// An empty cache; `lease` says how long a token-server's word may be used again.
    pub fn new(limits: Limits, lease: Arc<SharedLease>) -> Self {
        let accepted = (limits.entries > 0 && limits.bytes > 0).then(|| {
            let items = usize::try_from(limits.entries).unwrap_or(usize::MAX);
            let least = limits.bytes.checked_div(limits.entries).unwrap_or(1).max(1);
            Cache::with_weighter(items, limits.bytes, Weight { least })
        });
        Self { accepted, refused: Cache::new(REFUSED), flights: Flights::default(), lease }
    }

    /// What is kept on a question that is asked at the time of day `now`, which is the moment `at`.
    pub fn get(&self, key: &Key, now: UnixTime, at: Instant) -> Found {
        let Some(accepted) = &self.accepted else { return Found::Miss };
        let mut recheck = None;
        if let Some(kept) = accepted.get(key) {
            if kept.window.validate(now).is_err() {
                accepted.remove_if(key, |current| Arc::ptr_eq(current, &kept));
            } else if self.is_allowed(&kept, at) {
                return Found::Hit(kept);
            } else {
                recheck = Some(kept);
            }
        }
        if let Some((since, kept)) = self.refused.get(key)
            && at.saturating_duration_since(since) < REFUSED_FOR
            && self.holds(&kept, now, at)
        {
            return Found::Hit(kept);
        }
        recheck.map_or(Found::Miss, Found::Recheck)
    }

    /// Whether a verdict may be sent to one more request.
    pub fn holds(&self, kept: &Kept, now: UnixTime, at: Instant) -> bool {
        kept.window.validate(now).is_ok() && self.is_allowed(kept, at)
    }

    fn is_allowed(&self, kept: &Kept, at: Instant) -> bool {
        kept.word.as_ref().is_none_or(|word| self.lease.allows(word, at))
    }

    /// Keeps a verdict on a question that came `at` this moment.
    pub fn keep(&self, key: Key, kept: &Arc<Kept>, at: Instant) {
        let Some(accepted) = &self.accepted else { return };
        if kept.reject.is_none() {
            accepted.insert(key, Arc::clone(kept));
        } else {
            self.refused.insert(key, (at, Arc::clone(kept)));
            accepted.remove(&key);
        }
    }

    /// Leads or follows: of a thousand requests with one new token, one finds the verdict. Where no verdict may be used twice,
    /// each request finds its own, and this is absent.
    pub fn board(&self, key: Key, at: Instant) -> Option<Boarding<Key, Arc<Kept>>> {
        let shared = self.accepted.is_some() && self.lease.allows_reuse();
        shared.then(|| self.flights.board(key, at.into()))
    }

    /// Accepted verdicts that are kept, and their weight in bytes.
    pub fn size(&self) -> (u64, u64) {
        self.accepted
            .as_ref()
            .map_or((0, 0), |accepted| (u64::try_from(accepted.len()).unwrap_or(u64::MAX), accepted.weight()))
    }
}

#[cfg(test)]
mod tests;
