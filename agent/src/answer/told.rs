//! Which decisions are told to token-servers, so that people can look at them as they come.
//!
//! A connection never waits here and takes no lock: each decision is tallied, and as many are handed on as there is room for until
//! the next report ([`reports`](crate::reports)). The others are counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use jose::{Profile, Reason, Reject};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use crate::decision::Decision;

/// Refusals between two reports, which are a second apart; undecided requests count as refused.
const REFUSED: u32 = 50;
/// Accepted requests between two reports.
const ACCEPTED: u32 = 1;
/// Decisions that wait for a report: all for which there is room.
const QUEUE: usize = 51;

/// Which decisions token-servers are told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Decisions {
    /// None.
    #[default]
    Off,
    /// Refusals, and a few of those that were accepted, without whose tokens they are.
    Sample,
    /// The same, with their subjects.
    Full,
}

impl Decisions {
    /// What a setting may say.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("sample", Self::Sample), ("full", Self::Full)];
}

/// What is told of a decision, in the log and to token-servers. Never the token.
#[derive(Debug)]
pub struct About {
    /// Why it was refused, if it was.
    pub reject: Option<Reject>,
    /// The policy that was applied.
    pub policy: Option<String>,
    /// The configured issuer.
    pub issuer: Option<String>,
    /// The issuer that the token names, where it was refused for that; no key has signed it.
    pub stranger: Option<String>,
    /// The key that a refused token names.
    pub kid: Option<String>,
    /// The algorithm that it names.
    pub alg: Option<&'static str>,
    /// The protected header of an accepted token.
    pub header: Option<Box<str>>,
    /// The token's fingerprint.
    pub id: Option<String>,
    /// Whose token it is, where that is told and its signature is good.
    pub subject: Option<String>,
    /// Where decisions of its reason are counted, if token-servers are told.
    pub tally: Counter,
}

impl About {
    /// Bytes of its texts.
    pub fn bytes(&self) -> usize {
        let texts = [&self.policy, &self.issuer, &self.stranger, &self.kid, &self.id, &self.subject];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        texts.saturating_add(self.header.as_ref().map_or(0, |header| header.len()))
    }
}

/// A decision on a request that is told of.
#[derive(Debug)]
pub struct Told {
    /// When.
    pub at: SystemTime,
    /// What.
    pub about: Arc<About>,
}

/// Tells of decisions; shared by all connections.
#[derive(Debug)]
pub struct Teller {
    /// By what subjects are read, where they are told.
    subjects: Option<Profile>,
    refused: AtomicU32,
    accepted: AtomicU32,
    told: mpsc::Sender<Told>,
    tallies: BTreeMap<Reason, Counter>,
    /// Refusals for which there was no room.
    beyond: Counter,
}

impl Teller {
    /// And where decisions arrive; absent where none is told. `beyond` counts refusals for which there is no room.
    pub fn new(
        which: Decisions,
        profile: Profile,
        beyond: Counter,
    ) -> Option<(Arc<Self>, mpsc::Receiver<Told>)> {
        let subjects = match which {
            Decisions::Off => return None,
            Decisions::Sample => None,
            Decisions::Full => Some(profile),
        };
        let (told, arriving) = mpsc::channel(QUEUE);
        let reasons = Reject::ALL.iter().map(|reject| reject.reason()).chain([Reason::Ok]);
        let tallies = reasons.map(|reason| (reason, Counter::default())).collect();
        let (refused, accepted) = (AtomicU32::new(REFUSED), AtomicU32::new(ACCEPTED));
        Some((Arc::new(Self { subjects, refused, accepted, told, tallies, beyond }), arriving))
    }

    /// Whose token it is, where that is told.
    pub fn subject(&self, decision: &Decision) -> Option<String> {
        decision.outcome.signed()?.claims.subject(self.subjects?)
    }

    /// Where decisions of this reason are counted.
    pub fn tally(&self, reason: Reason) -> Counter {
        self.tallies.get(&reason).cloned().unwrap_or_default()
    }

    /// Counts a decision on one request, and hands it on if there is room.
    pub fn tell(&self, about: &Arc<About>) {
        about.tally.inc();
        let room = if about.reject.is_none() { &self.accepted } else { &self.refused };
        let has_room =
            room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        let told = || Told { at: SystemTime::now(), about: Arc::clone(about) };
        let is_told = has_room && self.told.try_send(told()).is_ok();
        if !is_told && about.reject.is_some() {
            self.beyond.inc();
        }
    }

    /// What arrived since the last call. There is room for as many more.
    pub fn take(&self, arriving: &mut mpsc::Receiver<Told>) -> Vec<Told> {
        let told = std::iter::from_fn(|| arriving.try_recv().ok()).take(QUEUE).collect();
        self.refused.store(REFUSED, Ordering::Relaxed);
        self.accepted.store(ACCEPTED, Ordering::Relaxed);
        told
    }

    /// All decisions so far, by reason.
    pub fn totals(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.tallies.iter().map(|(reason, tally)| (*reason, tally.get()))
    }

    /// Refusals for which there was no room.
    pub fn beyond(&self) -> u64 {
        self.beyond.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(teller: &Teller, reject: Option<Reject>) -> Arc<About> {
        let tally = teller.tally(reject.map_or(Reason::Ok, Reject::reason));
        Arc::new(About {
            reject,
            policy: None,
            issuer: None,
            stranger: None,
            kid: None,
            alg: None,
            header: None,
            id: None,
            subject: None,
            tally,
        })
    }

    #[test]
    fn refusals_and_a_few_others_are_handed_on_and_the_rest_is_counted() {
        let beyond = Counter::default();
        let (teller, mut arriving) =
            Teller::new(Decisions::Sample, Profile::Standard, beyond.clone()).unwrap();
        let (good, bad) = (about(&teller, None), about(&teller, Some(Reject::Expired)));
        let undecided = about(&teller, Some(Reject::NoKeys));
        for round in 1..=3_u64 {
            for _ in 0..40 {
                [&good, &bad, &undecided].iter().for_each(|about| teller.tell(about));
            }
            let told = teller.take(&mut arriving);
            let refused = told.iter().filter(|told| told.about.reject.is_some()).count();
            assert_eq!((told.len(), refused), (51, 50), "round {round}");
            let totals: Vec<_> = teller.totals().filter(|(_, number)| *number > 0).collect();
            let number = round * 40;
            let expected =
                [(Reason::Ok, number), (Reason::Invalid, number), (Reason::BackendUnavailable, number)];
            assert_eq!(totals, expected);
            assert_eq!(
                (teller.beyond(), beyond.get()),
                (round * 30, round * 30),
                "accepted ones are no loss"
            );
        }
    }

    #[test]
    fn without_a_reader_nothing_waits_and_refusals_are_counted() {
        let (teller, arriving) = Teller::new(Decisions::Full, Profile::Standard, Counter::default()).unwrap();
        drop(arriving);
        let bad = about(&teller, Some(Reject::Expired));
        (0..100).for_each(|_| teller.tell(&bad));
        assert_eq!(teller.beyond(), 100);
        assert!(Teller::new(Decisions::Off, Profile::Standard, Counter::default()).is_none());
    }
}
