//! Many rules at once: one transaction of the store, and one change of the feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use rules::{ExpireAt, Rule, RuleEntry};
use tokio::time::Instant;

use super::{Revocations, within};
use crate::rulebook::{Group, Totals};
use crate::store::{EVERYBODY, NewRule, StoreError, StoredRule};

/// Groups that are held in memory at a time; each may have as many rules as are allowed.
const GROUPS_AT_ONCE: usize = 64;

/// A rule that is to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Whose tokens it concerns.
    pub group: String,
    /// The condition, and its end.
    pub entry: RuleEntry,
}

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// The number of the change; the last one before it where nothing was written.
    pub revision: u64,
    /// For each rule in turn the end that it had, or why it was left out.
    pub outcomes: Vec<Result<Option<ExpireAt>, StoreError>>,
}

/// Rules that are written together, and the places of each group's among them.
struct Batch {
    drafts: Vec<Draft>,
    places: BTreeMap<String, Vec<usize>>,
}

/// Why rules are left out, by their places.
type Refusals = BTreeMap<usize, StoreError>;

/// The rules that a group has.
enum Known {
    /// In memory, where checks look at them.
    Here(Arc<Group>),
    /// Read from the store for this.
    Read(Vec<StoredRule>),
}

impl Revocations {
    /// Writes rules one after the other, in one transaction. When this returns, those that were not left out are durable, and
    /// every check that starts here sees them.
    ///
    /// A group in memory takes new rules before the store does, so that each is held against those before it. If the store
    /// fails then, the group is forgotten.
    ///
    /// # Errors
    /// Groups could not be read, then nothing changed; or the store did not acknowledge, then the rules may be there or not.
    pub async fn add_all(self: &Arc<Self>, drafts: Vec<Draft>) -> Result<Written, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            let batch = Arc::new(Batch::new(drafts));
            let written = this.admit_and_put(&batch).await;
            match &written {
                Ok((refusals, _)) if refusals.len() == batch.drafts.len() => {}
                Ok((refusals, _)) => this.followed(&batch, refusals),
                Err(_) => this.in_doubt(&batch),
            }
            let (mut refusals, ends) = written?;
            let mut ends = ends.into_iter();
            let outcome = |place| match refusals.remove(&place) {
                Some(refusal) => Err(refusal),
                None => Ok(ends.next().flatten()),
            };
            let outcomes = (0..batch.drafts.len()).map(outcome).collect();
            Ok(Written { revision: this.revision(), outcomes })
        })
        .await
    }

    async fn admit_and_put(
        self: &Arc<Self>,
        batch: &Arc<Batch>,
    ) -> Result<(Refusals, Vec<Option<ExpireAt>>), StoreError> {
        let refusals = self.admit_all(batch).await?;
        let rules: Arc<[NewRule]> = batch.admitted(&refusals).map(new_rule).collect();
        let ends = if rules.is_empty() { Vec::new() } else { self.store.put_all(rules).await? };
        Ok((refusals, ends))
    }

    /// Holds each rule against those that its group has, and those before it.
    async fn admit_all(self: &Arc<Self>, batch: &Arc<Batch>) -> Result<Refusals, StoreError> {
        let mut refusals = Refusals::new();
        let names: Vec<&str> = batch.places.keys().map(String::as_str).collect();
        for names in names.chunks(GROUPS_AT_ONCE) {
            let mut held = Vec::new();
            for (name, known) in names.iter().zip(self.known_together(names).await?) {
                match known {
                    Ok(known) => held.push(((*name).to_owned(), self.max_rules(name), known)),
                    // One group's fault is not that of the others.
                    Err(StoreError::NotRules) => {
                        let places = batch.places.get(*name).into_iter().flatten();
                        refusals.extend(places.map(|place| (*place, StoreError::NotRules)));
                    }
                    Err(other) => return Err(other),
                }
            }
            let batch = Arc::clone(batch);
            let admitting = tokio::task::spawn_blocking(move || {
                held.into_iter().flat_map(|(name, max, known)| batch.refused(&name, max, known)).collect()
            });
            let refused: Vec<_> = admitting.await.map_err(|_| StoreError::Stopping)?;
            refusals.extend(refused);
        }
        Ok(refusals)
    }

    /// Some groups as they are in the store, in the order of the names.
    async fn known_together(
        self: &Arc<Self>,
        names: &[&str],
    ) -> Result<Vec<Result<Known, StoreError>>, StoreError> {
        let session = self.sessions.current();
        let mut here = Vec::with_capacity(names.len());
        let mut unread = Vec::new();
        for name in names {
            let group = match (self.sessions.are_exclusive(), *name) {
                // Others may have written since.
                (false, _) => None,
                (true, EVERYBODY) => Some(self.known(EVERYBODY).await?),
                (true, name) => {
                    self.book.fresh(name, Instant::now(), session.as_ref()).map(|read| read.group)
                }
            };
            if group.is_none() {
                unread.push((*name).to_owned());
            }
            here.push(group);
        }
        let read = if unread.is_empty() {
            Vec::new()
        } else {
            within(self.load_limit(), self.store.several(unread)).await?
        };
        let mut read = read.into_iter();
        let known = |group: Option<Arc<Group>>| match group {
            Some(group) => Ok(Known::Here(group)),
            None => read.next().unwrap_or(Err(StoreError::Unreached)).map(Known::Read),
        };
        Ok(here.into_iter().map(known).collect())
    }

    /// The store has the rules that were not refused: the memory follows, and the feed tells it.
    fn followed(&self, batch: &Batch, refusals: &Refusals) {
        let mut changed = Vec::new();
        for (name, places) in &batch.places {
            let entries: Vec<&RuleEntry> = batch.entries(places, refusals).collect();
            if entries.is_empty() {
                continue;
            }
            self.book.amend(name, |known| entries.into_iter().all(|entry| known.put(entry.clone())));
            self.untold.told(name);
            changed.push(name.as_str());
        }
        self.tell_all(&changed);
    }

    /// It is not known what the store has.
    fn in_doubt(&self, batch: &Batch) {
        for name in batch.places.keys() {
            self.book.forget(name);
            self.untold.told(name);
        }
        self.tell_all(&batch.places.keys().map(String::as_str).collect::<Vec<_>>());
    }
}

impl Batch {
    fn new(drafts: Vec<Draft>) -> Self {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, draft) in drafts.iter().enumerate() {
            places.entry(draft.group.clone()).or_default().push(place);
        }
        Self { drafts, places }
    }

    fn admitted(&self, refusals: &Refusals) -> impl Iterator<Item = &Draft> {
        let drafts = self.drafts.iter().enumerate();
        drafts.filter(|(place, _)| !refusals.contains_key(place)).map(|(_, draft)| draft)
    }

    /// Those of a group's rules that are not refused.
    fn entries(&self, places: &[usize], refusals: &Refusals) -> impl Iterator<Item = &RuleEntry> {
        let admitted = places.iter().filter(|place| !refusals.contains_key(place));
        admitted.filter_map(|place| self.drafts.get(*place)).map(|draft| &draft.entry)
    }

    /// Those rules of a group that it cannot take.
    fn refused(&self, name: &str, max: usize, known: Known) -> Vec<(usize, StoreError)> {
        let group = match known {
            Known::Here(group) => group,
            Known::Read(stored) => Arc::new(Group::parse(stored, &Totals::default())),
        };
        let admit = |rule: &Rule, entry: &RuleEntry| {
            if !group.has_room(rule, max) {
                return Err(StoreError::GroupFull { max });
            }
            Ok(group.admit(entry.clone())?)
        };
        let places = self.places.get(name).into_iter().flatten();
        places
            .filter_map(|place| {
                let entry = &self.drafts.get(*place)?.entry;
                Some((*place, admit(&entry.rule, entry).err()?))
            })
            .collect()
    }
}

fn new_rule(draft: &Draft) -> NewRule {
    NewRule {
        group: draft.group.clone(),
        json: draft.entry.rule.canonical().to_owned(),
        expire_at: draft.entry.expire_at,
    }
}
