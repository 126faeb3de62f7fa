//! Many rules at once: one transaction of the store, and one change of the feed.

use std::collections::BTreeMap;
use std::sync::Arc;

use rules::{Rule, RuleEntry};
use tokio::time::Instant;

use super::Revocations;
use super::draft::{Act, Draft};
use super::limits::MAX_RULES_PER_GROUP;
use super::reading::within;
use super::trail::tell;
use crate::rulebook::{Group, Totals};
use crate::store::{Change, EVERYBODY, Outcome, Provided, Standing, StoreError, StoredRule};

/// Rules of the groups that are held in memory at a time: 64 groups that have as many as are allowed.
const RULES_AT_ONCE: usize = 64 * MAX_RULES_PER_GROUP;

/// What became of a batch.
#[derive(Debug)]
pub struct Written {
    /// The number of the change; the last one before it where nothing was written.
    pub revision: u64,
    /// For each rule in turn how it stood before, or why it was left out.
    pub outcomes: Vec<Result<Option<Standing>, StoreError>>,
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
    /// In memory: where checks look at them, or as the last batch left them.
    Here(Arc<Group>),
    /// Read from the store for this.
    Read(Vec<StoredRule>),
}

/// A group that is to be known, and where it can be found.
enum Wanted {
    Here(Arc<Group>),
    /// Nothing is in the store.
    Empty,
    /// In the store, with about so many rules.
    Unread(usize),
    /// What stands in its place is none.
    NotRules,
}

/// What was found out about a batch: why rules are left out, and the groups as they are once the others are written.
#[derive(Default)]
struct Admitted {
    refusals: Refusals,
    groups: Vec<(String, Arc<Group>)>,
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
    pub async fn add_all(self: &Arc<Self>, drafts: Vec<Draft>, act: Act) -> Result<Written, StoreError> {
        self.whole(async move |this| {
            let _turn = this.turn().await?;
            let batch = Arc::new(Batch::new(drafts));
            let _trials = this.annotations.turn().await;
            let written = this.admit_and_put(&batch, &act).await;
            match &written {
                Ok((refusals, _)) if refusals.len() == batch.drafts.len() => {}
                Ok((refusals, _)) => this.followed(&batch, refusals),
                Err(_) => this.in_doubt(&batch),
            }
            let (mut refusals, outcomes) = written?;
            tell(&outcomes);
            let mut outcomes = outcomes.into_iter();
            let outcome = |place| match refusals.remove(&place) {
                Some(refusal) => Err(refusal),
                None => Ok(outcomes.next().and_then(|outcome| outcome.before().cloned())),
            };
            let outcomes = (0..batch.drafts.len()).map(outcome).collect();
            Ok(Written { revision: this.revision(), outcomes })
        })
        .await
    }

    async fn admit_and_put(
        self: &Arc<Self>,
        batch: &Arc<Batch>,
        act: &Act,
    ) -> Result<(Refusals, Vec<Outcome>), StoreError> {
        let doubts = self.left.doubts();
        let Admitted { refusals, groups } = self.admit_all(batch).await?;
        let changes: Vec<Change> =
            batch.admitted(&refusals).map(|draft| draft.change(Provided::Always)).collect();
        let outcomes =
            if changes.is_empty() { Vec::new() } else { self.store.change(act.batch(changes)).await? };
        if !self.sessions.are_exclusive() {
            self.left.keep(groups, doubts, Instant::now());
        }
        Ok((refusals, outcomes))
    }

    /// Holds each rule against those that its group has, and those before it.
    async fn admit_all(self: &Arc<Self>, batch: &Arc<Batch>) -> Result<Admitted, StoreError> {
        let mut admitted = Admitted::default();
        let names: Vec<&str> = batch.places.keys().map(String::as_str).collect();
        let mut wanted = self.wanted(&names).await?.into_iter().zip(names).peekable();
        while wanted.peek().is_some() {
            let mut room = RULES_AT_ONCE;
            let (mut some, mut unread) = (Vec::new(), Vec::new());
            while let Some((found, name)) =
                wanted.next_if(|(found, _)| found.unread() <= room || some.is_empty())
            {
                room = room.saturating_sub(found.unread());
                if matches!(found, Wanted::Unread(_)) {
                    unread.push(name.to_owned());
                }
                some.push((name, found));
            }
            let mut read = self.read_together(unread).await?.into_iter();
            let mut held = Vec::new();
            for (name, found) in some {
                let known = match found {
                    Wanted::Here(group) => Ok(Known::Here(group)),
                    Wanted::Empty => Ok(Known::Read(Vec::new())),
                    Wanted::Unread(_) => read.next().unwrap_or(Err(StoreError::Unreached)).map(Known::Read),
                    Wanted::NotRules => Err(StoreError::NotRules),
                };
                match known {
                    Ok(known) => held.push((name.to_owned(), self.max_rules(name), known)),
                    // One group's fault is not that of the others.
                    Err(StoreError::NotRules) => {
                        let places = batch.places.get(name).into_iter().flatten();
                        admitted.refusals.extend(places.map(|place| (*place, StoreError::NotRules)));
                    }
                    Err(other) => return Err(other),
                }
            }
            let batch = Arc::clone(batch);
            let admitting = tokio::task::spawn_blocking(move || {
                let mut admitted = Admitted::default();
                for (name, max, known) in held {
                    let group = known.group();
                    admitted.refusals.extend(batch.refused(&name, max, &group));
                    admitted.groups.push((name, group));
                }
                admitted
            });
            let Admitted { refusals, groups } = admitting.await.map_err(|_| StoreError::Stopping)?;
            admitted.refusals.extend(refusals);
            admitted.groups.extend(groups);
        }
        Ok(admitted)
    }

    /// Where some groups can be found, in the order of the names.
    async fn wanted(self: &Arc<Self>, names: &[&str]) -> Result<Vec<Wanted>, StoreError> {
        if self.sessions.are_exclusive() {
            let session = self.sessions.current();
            let mut wanted = Vec::with_capacity(names.len());
            for name in names {
                let group = match *name {
                    EVERYBODY => Some(self.known(EVERYBODY).await?),
                    name => self.book.fresh(name, Instant::now(), session.as_ref()).map(|read| read.group),
                };
                wanted.push(group.map_or(Wanted::Unread(MAX_RULES_PER_GROUP), Wanted::Here));
            }
            return Ok(wanted);
        }
        // Others may have written since.
        let asked = names.iter().map(|name| (*name).to_owned()).collect();
        let sizes = within(self.load_limit(), self.store.sizes(asked)).await?;
        let now = Instant::now();
        let find = |(name, size): (&&str, Result<usize, StoreError>)| match size {
            Ok(0) => Ok(Wanted::Empty),
            Ok(size) => Ok(self.left.take(name, size, now).map_or(Wanted::Unread(size), Wanted::Here)),
            Err(StoreError::NotRules) => Ok(Wanted::NotRules),
            Err(other) => Err(other),
        };
        names.iter().zip(sizes).map(find).collect()
    }

    /// Groups as they are in the store, in the order of the names.
    async fn read_together(
        &self,
        names: Vec<String>,
    ) -> Result<Vec<Result<Vec<StoredRule>, StoreError>>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        within(self.load_limit(), self.store.several(names)).await
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
            for entry in batch.entries(places, refusals) {
                self.annotations.shadows().remove(name, entry.rule.canonical());
            }
            self.untold.told(name);
            changed.push(name.as_str());
        }
        self.tell_all(&changed);
    }

    /// It is not known what the store has.
    fn in_doubt(&self, batch: &Batch) {
        self.left.doubt();
        for name in batch.places.keys() {
            self.book.forget(name);
            self.untold.told(name);
        }
        self.annotations.outdated();
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

    /// Those rules of a group that it cannot take; it has the others then.
    fn refused(&self, name: &str, max: usize, group: &Group) -> Vec<(usize, StoreError)> {
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

impl Known {
    fn group(self) -> Arc<Group> {
        match self {
            Self::Here(group) => group,
            Self::Read(stored) => Arc::new(Group::parse(stored, &Totals::default())),
        }
    }
}

impl Wanted {
    /// How many rules have to be read.
    fn unread(&self) -> usize {
        match self {
            Self::Unread(rules) => *rules,
            Self::Here(_) | Self::Empty | Self::NotRules => 0,
        }
    }
}
