//! A token-server, as far as its agents see it: what it knows of the rules, and the feed of their changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use revocation::events::{Changes, Events, Since};

use super::super::EVERYBODY;

/// When each group's rule was acknowledged.
pub(super) type Rules = BTreeMap<&'static str, u64>;

#[derive(Debug)]
pub(super) struct Server {
    pub(super) epoch: u64,
    pub(super) revision: u64,
    /// The changes, by their revisions; absent: anything may have changed.
    feed: Vec<(u64, Option<&'static str>)>,
    /// Changes that it has not heard of yet, and when they were acknowledged.
    under_way: VecDeque<(u64, &'static str)>,
    /// The groups that have a rule.
    known: BTreeSet<&'static str>,
    pub(super) vouches: bool,
}

impl Server {
    pub(super) fn start(epoch: u64, rules: &Rules) -> Self {
        let known = rules.keys().copied().collect();
        let (feed, under_way) = (Vec::new(), VecDeque::new());
        Self { epoch, revision: 0, feed, under_way, known, vouches: true }
    }

    /// A change of the group's rules was acknowledged at this moment.
    pub(super) fn send(&mut self, at: u64, group: &'static str) {
        self.under_way.push_back((at, group));
    }

    /// The first change under way arrives.
    pub(super) fn deliver(&mut self, rules: &Rules) {
        let Some((_, group)) = self.under_way.pop_front() else { return };
        if rules.contains_key(group) {
            self.known.insert(group);
        } else {
            self.known.remove(group);
        }
        self.tell(Some(group));
    }

    /// What it hears changes by breaks, or is whole again: then it reads everything anew.
    pub(super) fn set_vouching(&mut self, vouches: bool, rules: &Rules) {
        self.vouches = vouches;
        if vouches {
            self.under_way.clear();
            self.known = rules.keys().copied().collect();
            self.tell(None);
        }
    }

    fn tell(&mut self, group: Option<&'static str>) {
        self.revision += 1;
        self.feed.push((self.revision, group));
    }

    pub(super) fn refuses(&self, subject: Option<&str>) -> bool {
        [Some(EVERYBODY), subject].into_iter().flatten().any(|group| self.known.contains(group))
    }

    /// The answer to a poll at this moment.
    pub(super) fn events(&self, since: Option<&Since>, at: u64) -> Events {
        let epoch = self.epoch.to_string();
        let since = since.filter(|since| since.epoch == epoch).map(|since| since.revision);
        let news = |since| self.feed.iter().filter(move |(revision, _)| *revision > since);
        let groups = |since| news(since).map(|(_, group)| group.map(str::to_owned)).collect::<Option<_>>();
        let oldest = self.under_way.front().map_or(at, |(acknowledged, _)| *acknowledged);
        Events {
            store_id: "s".to_owned(),
            epoch,
            revision: self.revision,
            complete_as_of: self.vouches.then_some(at - oldest),
            changes: since.and_then(groups).map_or(Changes::Everything, Changes::Groups),
        }
    }
}
