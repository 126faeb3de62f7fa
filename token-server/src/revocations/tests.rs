//! The rules over stores that obey the test.

mod batches;
mod hanging;
mod reading;
mod untold;
mod writing;

use std::sync::Mutex as Lock;
use std::sync::atomic::{AtomicBool, Ordering};

use rules::{ExpireAt, Rule};
use tokio::sync::{Notify, Semaphore};

use super::writes::{REMOVAL_PAUSE, REMOVED_AT_ONCE};
use super::*;
use crate::caller::{Caller, Kind};
use crate::continuity::MAX_SILENCE;
use crate::rulebook::DEFAULT_BYTES;
use crate::store::{
    AnnotatedRule, Annotation, AnnotationStore, Answer, Batch, Change, Clearing, Entry, EntryId, Mode,
    Outcome, Record, Standing, StoredRule, TrailPage,
};

pub(crate) const LIFETIMES: Lifetimes =
    Lifetimes { ttl: Duration::from_secs(7), max_stale: Duration::from_secs(30) };

/// Rules in memory, answered when the test lets them.
pub(crate) struct Scripted {
    rules: Lock<Vec<StoredRule>>,
    /// The groups that were read.
    reads: Lock<Vec<String>>,
    asked: Notify,
    answers: Semaphore,
    panics: AtomicBool,
}

impl Scripted {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::without_rules())
    }

    fn without_rules() -> Self {
        Self {
            rules: Lock::default(),
            reads: Lock::default(),
            asked: Notify::new(),
            answers: Semaphore::new(Semaphore::MAX_PERMITS),
            panics: AtomicBool::new(false),
        }
    }

    /// From now on nothing is answered.
    pub(crate) fn hang(&self) {
        self.answers.forget_permits(Semaphore::MAX_PERMITS);
    }

    fn recover(&self) {
        self.answers.add_permits(1_000);
    }

    /// As a writer elsewhere does it.
    fn write(&self, group: &str, json: &str) {
        self.write_until(group, json, ExpireAt::Never);
    }

    fn write_until(&self, group: &str, json: &str, expire_at: ExpireAt) {
        let (group, json) = (group.into(), json.into());
        self.rules.lock().unwrap().push(StoredRule { group, json, expire_at, revision: None });
    }

    fn reads(&self) -> usize {
        self.reads.lock().unwrap().len()
    }

    fn reads_of(&self, group: &str) -> usize {
        self.reads.lock().unwrap().iter().filter(|read| *read == group).count()
    }
}

impl Store for Scripted {
    fn store_id(&self) -> Option<Arc<str>> {
        Some("scripted".into())
    }

    fn group<'a>(&'a self, group: &'a str) -> Answer<'a, Vec<StoredRule>> {
        Box::pin(async move {
            self.reads.lock().unwrap().push(group.to_owned());
            // The state when the question arrived, however late the answer is.
            let found: Vec<_> =
                self.rules.lock().unwrap().iter().filter(|rule| rule.group == group).cloned().collect();
            self.asked.notify_one();
            drop(self.answers.acquire().await);
            assert!(!self.panics.swap(false, Ordering::SeqCst), "asked to panic");
            Ok(found)
        })
    }

    fn page<'a>(&'a self, group: &'a str, _: Option<&'a Cursor>, _: usize) -> Answer<'a, Page> {
        Box::pin(async move { Ok(Page { rules: self.group(group).await?, next: None }) })
    }

    fn groups<'a>(&'a self, _: Option<&'a str>, _: usize) -> Answer<'a, (Vec<String>, bool)> {
        Box::pin(async { Ok((Vec::new(), false)) })
    }

    fn several(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<Vec<StoredRule>, StoreError>>> {
        Box::pin(async move {
            let mut found = Vec::new();
            for group in &groups {
                found.push(self.group(group).await);
            }
            Ok(found)
        })
    }

    fn sizes(&self, groups: Vec<String>) -> Answer<'_, Vec<Result<usize, StoreError>>> {
        Box::pin(async move {
            let rules = self.rules.lock().unwrap();
            let size = |group: &String| Ok(rules.iter().filter(|rule| rule.group == *group).count());
            Ok(groups.iter().map(size).collect())
        })
    }

    fn change(&self, batch: Batch) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            self.asked.notify_one();
            drop(self.answers.acquire().await);
            let mut outcomes = Vec::new();
            for (number, change) in (0..).zip(&batch.changes) {
                if change.to.is_none() || change.json.contains("refused by the store") {
                    return Err(StoreError::Unreached);
                }
                self.write(&change.group, &change.json);
                outcomes.push(made(&batch, number, change));
            }
            Ok(outcomes)
        })
    }

    fn clear(&self, clearing: Clearing) -> Answer<'_, Vec<Outcome>> {
        Box::pin(async move {
            let mut rules = self.rules.lock().unwrap();
            let removed = rules.extract_if(.., |rule| rule.group == clearing.group);
            let (texts, standing): (Vec<_>, Vec<_>) =
                removed.map(|rule| (rule.json, Standing::of(Some(rule.expire_at), None))).unzip();
            let batch = clearing.of(texts);
            let outcome = |((number, change), before): ((u64, &Change), _)| {
                let id = EntryId { at: batch.at, number };
                Outcome::Made(Entry { id, record: change.record(&batch, before).unwrap() })
            };
            Ok((0..).zip(&batch.changes).zip(standing).map(outcome).collect())
        })
    }

    fn trail(&self, _: EntryId, _: Option<EntryId>, _: usize) -> Answer<'_, TrailPage> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn entry(&self, _: EntryId) -> Answer<'_, Option<Record>> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn trim(&self, _: EntryId, _: u64) -> Answer<'_, usize> {
        Box::pin(async { Err(StoreError::Unreached) })
    }

    fn purge(&self, now: i64) -> Answer<'_, usize> {
        Box::pin(async move {
            let mut rules = self.rules.lock().unwrap();
            let before = rules.len();
            rules.retain(|rule| !rule.expire_at.has_passed(now));
            Ok(before - rules.len())
        })
    }
}

/// No rule of these tests has a note.
impl AnnotationStore for Scripted {
    fn shadows(&self) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn of_rules(&self, _: String, _: Vec<String>) -> Answer<'_, Vec<AnnotatedRule>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn purge(&self, _: i64) -> Answer<'_, usize> {
        Box::pin(async { Ok(0) })
    }
}

/// What a change comes to where nothing stood before.
fn made(batch: &Batch, number: u64, change: &Change) -> Outcome {
    let id = EntryId { at: batch.at, number };
    change.record(batch, None).map_or_else(Outcome::from, |record| Outcome::Made(Entry { id, record }))
}

/// Who changes rules in tests.
pub(crate) fn act() -> Act {
    let who = Caller { name: "tester".to_owned(), kind: Kind::Store };
    Act { who, at: jose::UnixTime::from_secs(1_000) }
}

/// A rule without a note.
pub(crate) fn draft_of(group: &str, rule: Rule, expire_at: ExpireAt) -> Draft {
    let (mode, expire_at) = (Mode::Enforce, expire_at.as_seconds());
    let annotation = Annotation { mode, note: None, by: None, written_at: 1_000, expire_at };
    Draft::new(group.to_owned(), rule, annotation)
}

fn revocations(store: &Arc<Scripted>, sessions: Sessions, lifetimes: Lifetimes) -> Arc<Revocations> {
    let store: Arc<dyn Store> = store.clone();
    let annotations = Arc::new(Annotations::new(Scripted::without_rules(), Default::default()));
    let totals = Totals::default();
    Arc::new(Revocations::new(store, annotations, sessions, lifetimes, DEFAULT_BYTES, totals, 0).unwrap())
}

/// A store that others write to, whose changes are all heard.
pub(crate) fn heard(store: &Arc<Scripted>) -> Arc<Revocations> {
    let revocations = revocations(store, Sessions::shared(), LIFETIMES);
    revocations.joined(Source::OwnChannel, Instant::now());
    revocations.joined(Source::Keyspace, Instant::now());
    revocations
}

async fn check(revocations: &Arc<Revocations>, subject: &str) -> RulesVerdict {
    check_until(revocations, subject, load_deadline()).await
}

async fn check_until(revocations: &Arc<Revocations>, subject: &str, until: Instant) -> RulesVerdict {
    let claims = serde_json::from_str(r#"{"rt":"x"}"#).unwrap();
    let verdict = revocations.check(&claims, Some(subject), 0, until).await;
    RulesVerdict { read_ago: Duration::ZERO, ..verdict }
}

const PASSED: RulesVerdict = RulesVerdict { verdict: Ok(()), vouched: true, read_ago: Duration::ZERO };
const PASSED_UNVOUCHED: RulesVerdict =
    RulesVerdict { verdict: Ok(()), vouched: false, read_ago: Duration::ZERO };
const UNKNOWN: RulesVerdict =
    RulesVerdict { verdict: Err(Reject::Rules), vouched: false, read_ago: Duration::ZERO };

#[tokio::test(start_paused = true)]
async fn rules_that_end_together_leave_the_memory_in_steps_between_which_checks_are_answered() {
    let store = Scripted::new();
    let rules = 5 * REMOVED_AT_ONCE + 7;
    for number in 0..rules {
        store.write_until("g", &format!(r#"{{"rt":{number}}}"#), ExpireAt::At(5));
    }
    store.write("g", r#"{"rt":"x"}"#);
    let revocations = revocations(&store, Sessions::exclusive(), LIFETIMES);
    revocations.load().await;
    let left = || usize::try_from(revocations.book().totals().rules.get()).unwrap();
    assert_eq!(left(), rules + 1);
    let purging = tokio::spawn({
        let revocations = Arc::clone(&revocations);
        async move { revocations.purge(10).await }
    });
    let (mut seen, mut steps) = (left(), 0);
    while seen > 1 {
        assert_eq!(check(&revocations, "anna").await.verdict, Err(Reject::Revoked), "the last one holds");
        tokio::task::yield_now().await;
        let now = left();
        assert!(seen - now <= REMOVED_AT_ONCE, "{seen} rules, then {now}");
        steps += usize::from(now < seen);
        seen = now;
        tokio::time::advance(REMOVAL_PAUSE).await;
    }
    assert_eq!(steps, 6);
    assert_eq!(purging.await.unwrap().unwrap(), rules);
}

#[tokio::test(start_paused = true)]
async fn what_only_this_process_writes_is_read_once_and_then_changed_in_memory() {
    let store = Scripted::new();
    store.write("anna", r#"{"rt":"y"}"#);
    let revocations = revocations(&store, Sessions::exclusive(), LIFETIMES);
    let passed = RulesVerdict { verdict: Ok(()), vouched: true, read_ago: Duration::ZERO };
    let revoked = RulesVerdict { verdict: Err(Reject::Revoked), vouched: true, read_ago: Duration::ZERO };
    assert_eq!(check(&revocations, "anna").await, passed);
    let reads = store.reads();
    let rule = Rule::parse(r#"{"rt":"x"}"#).unwrap();
    revocations.add(draft_of("anna", rule.clone(), ExpireAt::Never), act()).await.unwrap();
    assert_eq!(check(&revocations, "anna").await, revoked);
    assert!(revocations.contains("anna", rule.canonical()).await.unwrap());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!((check(&revocations, "anna").await, store.reads()), (revoked, reads), "however late");
    assert!(revocations.remove("anna".into(), "{}".into(), Why::default(), act()).await.is_err());
    assert_eq!(
        (check(&revocations, "anna").await, store.reads()),
        (revoked, reads + 1),
        "it may have happened"
    );
}

#[tokio::test(start_paused = true)]
async fn everybody_may_have_more_rules_where_no_other_process_writes() {
    for (sessions, more) in [(Sessions::exclusive(), true), (Sessions::shared(), false)] {
        let store = Scripted::new();
        for number in 0..MAX_RULES_PER_GROUP {
            store.write("g", &format!(r#"{{"rt":{number}}}"#));
            store.write("anna", &format!(r#"{{"rt":{number}}}"#));
        }
        let revocations = revocations(&store, sessions, LIFETIMES);
        let rule = Rule::parse(r#"{"rt":"x"}"#).unwrap();
        assert_eq!(revocations.add(draft_of("g", rule.clone(), ExpireAt::Never), act()).await.is_ok(), more);
        assert!(revocations.add(draft_of("anna", rule, ExpireAt::Never), act()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn few_groups_are_read_at_once_and_everybodys_never_waits_for_them() {
    let store = Scripted::new();
    let revocations = heard(&store);
    store.hang();
    let subjects: Vec<String> = (0..3 * READS).map(|number| format!("subject-{number}")).collect();
    let checks = subjects.iter().map(|subject| check(&revocations, subject));
    let verdicts = futures_util::future::join_all(checks).await;
    assert!(verdicts.iter().all(|verdict| *verdict == UNKNOWN));
    // Everybody's was asked about beside those that had a turn.
    assert_eq!(store.reads(), READS + 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_too_long_for_a_group_is_told_as_a_change_of_anything() {
    use revocation::events::{Changes, Since};
    let revocations = heard(&Scripted::new());
    let since = Since { epoch: revocations.feed().epoch().to_owned(), revision: revocations.revision() };
    let long = "x".repeat(MAX_GROUP_BYTES);
    revocations.changed(&long);
    assert_eq!(revocations.feed().after(Some(&since)).1, Changes::Groups([long.clone()].into()));
    revocations.changed(&(long + "x"));
    assert_eq!(revocations.feed().after(Some(&since)).1, Changes::Everything);
}
