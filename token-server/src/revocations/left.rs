//! Groups of a store that others write to as well, as the last batch left them: what is imported in many batches would
//! otherwise be read again with each of them.
//!
//! It decides what a batch may write and nothing else; checks never see it. A group counts as known while the store has
//! as many rules in it as were left there, for a short time, and only if no removal was heard of meanwhile. A writer that
//! removes one rule and adds another goes unnoticed where no removals are heard of, as it does between the read and the write
//! of a single rule; a limit can then be missed by as many rules as that writer exchanged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::limits::MAX_RULES_PER_GROUP;
use super::reading::LOAD_LIMIT;
use crate::rulebook::Group;

/// Rules that are kept: a group that is full, and as much again of others.
const MAX_RULES: usize = 2 * MAX_RULES_PER_GROUP;

/// What the last batch left.
#[derive(Debug, Default)]
pub(super) struct Left(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    groups: HashMap<Box<str>, Arc<Group>>,
    /// When the last batch was written; what it left counts for as long as a read may take.
    at: Option<Instant>,
    /// How often it was found that a group may be another one than was known.
    doubts: u64,
}

/// How much was doubted when groups were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubts(u64);

impl Left {
    /// To be asked for before a group is looked at that is to be kept.
    pub(super) fn doubts(&self) -> Doubts {
        Doubts(self.lock().doubts)
    }

    /// A group that has `size` rules in the store now, if that is the one that was left. It is the caller's.
    pub(super) fn take(&self, name: &str, size: usize, now: Instant) -> Option<Arc<Group>> {
        let mut known = self.lock();
        known.at.filter(|at| now.saturating_duration_since(*at) <= LOAD_LIMIT)?;
        known.groups.remove(name).filter(|group| group.len() == size)
    }

    /// These groups are in the store as they are here, unless there were doubts since they were looked at. Others that were
    /// kept are forgotten.
    pub(super) fn keep(
        &self,
        groups: impl IntoIterator<Item = (String, Arc<Group>)>,
        since: Doubts,
        now: Instant,
    ) {
        let mut known = self.lock();
        known.groups.clear();
        known.at = Some(now);
        if known.doubts != since.0 {
            return;
        }
        let mut room = MAX_RULES;
        for (name, group) in groups {
            let rules = group.len();
            if rules > 0 && rules <= room {
                room = room.saturating_sub(rules);
                known.groups.insert(name.into(), group);
            }
        }
    }

    /// Any group may be another one than was known.
    pub(super) fn doubt(&self) {
        let mut known = self.lock();
        known.groups.clear();
        known.doubts = known.doubts.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
