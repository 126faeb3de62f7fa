//! The store on real files: opening again, damage, other owners.

use super::opening::FORMAT;
use redb::TableDefinition;
use rules::ExpireAt;

use super::tables::FILE_MODE;
use super::*;
use crate::caller::{Caller, Kind};
use crate::store::{Batch, Change, Clearing, Entry, EntryId, Outcome, Provided, Standing};
use std::os::unix::fs::PermissionsExt as _;

fn rule(group: &str, json: &str, expire_at: i64, revision: u64) -> StoredRule {
    StoredRule {
        group: group.into(),
        json: json.into(),
        expire_at: ExpireAt::from_seconds(expire_at),
        revision: Some(revision),
    }
}

/// A change by a test.
fn batch(group: &str, json: &str, to: Option<Standing>) -> Batch {
    let who = Caller { name: "tester".to_owned(), kind: Kind::Store };
    let (group, json, provided) = (group.to_owned(), json.to_owned(), Provided::Always);
    let change = Change { group, json, to, by: None, note: None, undoes: None, provided };
    Batch { who, at: 1_000, changes: vec![change] }
}

fn enforced(end: ExpireAt) -> Standing {
    Standing::of(Some(end), None).unwrap()
}

impl EmbeddedStore {
    /// Writes a rule without a note. Returns the end that it had.
    pub(crate) fn put(&self, group: &str, json: &str, end: ExpireAt) -> Result<Option<ExpireAt>, StoreError> {
        let outcomes = self.change(&batch(group, json, Some(enforced(end))))?;
        Ok(outcomes[0].before().map(Standing::end))
    }

    fn remove(&self, group: &str, json: &str) -> Result<bool, StoreError> {
        Ok(self.change(&batch(group, json, None))?[0].made().is_some())
    }

    fn remove_group(&self, group: &str) -> Result<usize, StoreError> {
        let Batch { who, at, .. } = batch(group, "", None);
        let outcomes = self.clear(&Clearing { who, at, group: group.to_owned(), by: None, note: None })?;
        Ok(outcomes.iter().filter(|outcome| outcome.made().is_some()).count())
    }

    fn put_at(&self, at: u64, json: &str) -> Entry {
        let made =
            self.change(&Batch { at, ..batch("anna", json, Some(enforced(ExpireAt::Never))) }).unwrap();
        match made.into_iter().next() {
            Some(Outcome::Made(entry)) => entry,
            other => panic!("{other:?}"),
        }
    }
}

/// Every rule of every group, group by group.
fn all(store: &EmbeddedStore) -> Vec<StoredRule> {
    let (groups, more) = store.groups(None, usize::MAX).unwrap();
    assert!(!more);
    groups.iter().flat_map(|group| store.group(group).unwrap()).collect()
}

fn store() -> (tempfile::TempDir, PathBuf, EmbeddedStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.redb");
    let store = EmbeddedStore::open(&path).unwrap();
    (folder, path, store)
}

#[test]
fn what_was_written_is_there_after_opening_again() {
    let (_folder, path, store) = store();
    for (group, json, end) in [("anna", "{\"a\":1}", 0), ("anna", "{\"a\":2}", 50), ("annabel", "{}", 0)] {
        assert_eq!(store.put(group, json, ExpireAt::from_seconds(end)).unwrap(), None);
    }
    let again = store.put("anna", "{\"a\":1}", ExpireAt::At(60)).unwrap();
    assert_eq!(again, Some(ExpireAt::Never), "written again");
    let id = store.store_id();
    assert_eq!(id.len(), 32);
    drop(store);

    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(store.store_id(), id);
    let anna = vec![rule("anna", "{\"a\":1}", 60, 4), rule("anna", "{\"a\":2}", 50, 2)];
    assert_eq!(store.group("anna").unwrap(), anna);
    assert_eq!(all(&store), [anna, vec![rule("annabel", "{}", 0, 3)]].concat());
    assert_eq!(store.revision().unwrap(), 4);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
}

#[test]
fn deleting_tells_what_was_there() {
    let (_folder, _, store) = store();
    store.put("a", "1", ExpireAt::At(10)).unwrap();
    store.put("a", "2", ExpireAt::Never).unwrap();
    store.put("b", "1", ExpireAt::Never).unwrap();
    assert!(!store.remove("a", "3").unwrap());
    assert!(store.remove("a", "1").unwrap());
    assert_eq!(store.remove_group("a").unwrap(), 1);
    assert_eq!(store.remove_group("a").unwrap(), 0);
    assert_eq!((store.revision().unwrap(), all(&store)), (5, vec![rule("b", "1", 0, 3)]));
    assert_eq!(store.purge(i64::MAX).unwrap(), 0, "a deleted rule leaves no end behind");
}

#[test]
fn groups_are_named_in_their_order_and_in_pages() {
    let (_folder, _, store) = store();
    for (group, json) in [("b", "1"), ("a", "1"), ("a", "2"), ("a\0", "1"), ("ab", "1")] {
        store.put(group, json, ExpireAt::Never).unwrap();
    }
    let page = |after, limit| store.groups(after, limit).unwrap();
    assert_eq!(page(None, 9), (vec!["a".into(), "a\0".into(), "ab".into(), "b".into()], false));
    assert_eq!(page(None, 1), (vec!["a".into()], true));
    assert_eq!(page(Some("a"), 2), (vec!["a\0".into(), "ab".into()], true));
    assert_eq!(page(Some("ab"), 1), (vec!["b".into()], false));
    assert_eq!(page(Some("b"), 1), (vec![], false));
}

#[test]
fn the_rules_of_a_group_come_in_pages_that_begin_after_what_may_be_gone() {
    let (_folder, _, store) = store();
    for (group, json) in
        [("a", "3"), ("a", "1"), ("a", "10"), ("a", "2"), ("a\0", "0"), ("ab", "4"), ("", "9")]
    {
        store.put(group, json, ExpireAt::Never).unwrap();
    }
    let page = |after: Option<&Cursor>, limit| {
        let Page { rules, next } = store.page("a", after, limit).unwrap();
        (rules.into_iter().map(|rule| rule.json).collect::<Vec<_>>(), next)
    };
    assert_eq!(page(None, 4), (vec!["1".into(), "10".into(), "2".into(), "3".into()], None));
    let (first, next) = page(None, 2);
    assert_eq!(first, ["1", "10"]);
    store.remove("a", "10").unwrap();
    assert_eq!(page(next.as_ref(), 2), (vec!["2".into(), "3".into()], None));
    assert_eq!(store.page("nothing", None, 2).unwrap(), Page { rules: vec![], next: None });
}

#[test]
fn a_purge_removes_exactly_what_has_ended() {
    let (_folder, _, store) = store();
    store.put("a", "1", ExpireAt::At(-5)).unwrap();
    store.put("a", "2", ExpireAt::At(10)).unwrap();
    store.put("a", "3", ExpireAt::At(11)).unwrap();
    store.put("a", "4", ExpireAt::Never).unwrap();
    store.put("a", "5", ExpireAt::At(10)).unwrap();
    store.put("a", "5", ExpireAt::At(99)).unwrap();
    assert_eq!(store.purge(10).unwrap(), 2);
    assert_eq!(store.purge(10).unwrap(), 0);
    let left: Vec<_> = store.group("a").unwrap().into_iter().map(|rule| rule.json).collect();
    assert_eq!(left, ["3", "4", "5"]);
}

#[test]
fn a_file_that_is_no_store_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.redb");
    for content in [b"x".to_vec(), b"precious text".to_vec(), vec![0; 10_000], vec![0xff; 100_000]] {
        std::fs::write(&path, &content).unwrap();
        let error = EmbeddedStore::open(&path).err().unwrap();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()));
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(std::fs::read(&path).unwrap() == content, "unchanged");
    }
}

#[test]
fn a_damaged_store_never_opens_with_fewer_rules() {
    let (folder, path, store) = store();
    for number in 0..300 {
        store.put("anna", &format!("{{\"rt\":\"{number}\"}}"), ExpireAt::Never).unwrap();
    }
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.redb");
    let mut refused = 0;
    let holes = (0..whole.len()).step_by(512).map(|start| {
        let mut content = whole.clone();
        content.iter_mut().skip(start).take(64).for_each(|byte| *byte ^= 0xa5);
        content
    });
    let cuts = (1..16).map(|part| whole[..whole.len() * part / 16].to_vec());
    for content in holes.chain(cuts) {
        std::fs::write(&damaged, &content).unwrap();
        match EmbeddedStore::open(&damaged).and_then(|store| store.group("anna")) {
            Ok(rules) => assert_eq!(rules.len(), 300, "a hole where nothing was stored"),
            Err(error) => {
                refused += 1;
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                assert!(std::fs::read(&damaged).unwrap() == content, "unchanged");
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_store_in_use_or_out_of_reach_is_told_apart() {
    let (folder, path, _store) = store();
    assert!(matches!(EmbeddedStore::open(&path), Err(StoreError::Locked { .. })));
    assert!(matches!(EmbeddedStore::open(&folder.path().join("no/file")), Err(StoreError::Open { .. })));
    assert!(matches!(EmbeddedStore::open(folder.path()), Err(StoreError::Open { .. })));
}

#[test]
fn files_of_other_programs_and_versions_are_refused() {
    let (folder, path, store) = store();
    write(&store.database, |transaction| {
        transaction.open_table(COUNTERS)?.insert("format", FORMAT + 1)?;
        Ok(())
    })
    .unwrap();
    drop(store);
    assert!(matches!(EmbeddedStore::open(&path), Err(StoreError::Format { found: 2, expected: 1, .. })));

    let foreign = folder.path().join("foreign.redb");
    let other: TableDefinition<'_, &str, &str> = TableDefinition::new("something else");
    write(&Database::create(&foreign).unwrap(), |transaction| {
        transaction.open_table(other)?.insert("a", "b")?;
        Ok(())
    })
    .unwrap();
    assert!(matches!(EmbeddedStore::open(&foreign), Err(StoreError::Damaged { .. })));
}

#[test]
fn a_store_that_vanished_or_is_empty_begins_anew_only_where_that_is_said() {
    for ruin in [(|path| std::fs::remove_file(path).unwrap()) as fn(&Path), |path| {
        std::fs::write(path, "").unwrap();
    }] {
        let (_folder, path, store) = store();
        store.put("anna", "{}", ExpireAt::Never).unwrap();
        drop(store);
        ruin(&path);
        for _ in 0..2 {
            let error = EmbeddedStore::open(&path).err().unwrap();
            assert!(matches!(error, StoreError::Vanished { .. } | StoreError::Empty { .. }), "{error}");
            let told = error.to_string();
            assert!(
                told.contains(path.to_str().unwrap()) && told.contains("TOKEN_SERVER__STORE__NEW"),
                "{told}"
            );
            assert_eq!(told.lines().count(), 1);
        }
        let anew = EmbeddedStore::open_as(&path, Beginning::Anew).unwrap();
        assert_eq!(all(&anew), []);
        drop(anew);
        drop(EmbeddedStore::open(&path).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("never a store.redb");
    std::fs::write(&empty, "").unwrap();
    assert!(matches!(EmbeddedStore::open(&empty), Err(StoreError::Empty { .. })));
}

#[test]
fn a_store_of_before_is_marked_and_a_restored_one_is_taken() {
    let (folder, path, store) = store();
    store.put("anna", "{}", ExpireAt::Never).unwrap();
    drop(store);
    let marker = folder.path().join("rules.redb.exists");
    std::fs::remove_file(&marker).unwrap();
    drop(EmbeddedStore::open(&path).unwrap());
    assert!(marker.exists(), "one of a version without markers gets its own");

    let backup = folder.path().join("backup");
    std::fs::copy(&path, &backup).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::rename(&backup, &path).unwrap();
    assert_eq!(all(&EmbeddedStore::open(&path).unwrap()).len(), 1);

    let other = folder.path().join("other.redb");
    drop(EmbeddedStore::open(&other).unwrap());
    std::fs::rename(&other, &path).unwrap();
    assert!(matches!(EmbeddedStore::open(&path), Err(StoreError::AnotherStore { .. })));
    drop(EmbeddedStore::open_as(&path, Beginning::Anew).unwrap());
    drop(EmbeddedStore::open(&path).unwrap());
}

#[test]
fn a_file_that_is_deleted_or_replaced_while_in_use_takes_no_more_rules() {
    let (folder, path, store) = store();
    store.put("anna", "1", ExpireAt::Never).unwrap();
    let away = folder.path().join("away");
    assert_eq!(store.condition(), Condition::default());
    std::fs::rename(&path, &away).unwrap();
    for replaced in [false, true] {
        if replaced {
            std::fs::copy(&away, &path).unwrap();
        }
        assert!(store.condition().fault.is_some());
        let refused = [
            store.put("anna", "2", ExpireAt::Never).map(|_| ()),
            store.remove("anna", "1").map(|_| ()),
            store.remove_group("anna").map(|_| ()),
        ];
        assert!(
            refused.iter().all(|written| matches!(written, Err(StoreError::Unreliable(_)))),
            "{refused:?}"
        );
        assert_eq!(store.group("anna").unwrap().len(), 1, "what is known is still known");
    }
    std::fs::rename(&away, &path).unwrap();
    assert_eq!(store.condition(), Condition::default(), "put back");
    store.put("anna", "2", ExpireAt::Never).unwrap();
}

fn ids(store: &EmbeddedStore) -> Vec<EntryId> {
    let page = store.trail(EntryId { at: 0, number: 0 }, None, usize::MAX).unwrap();
    assert_eq!(page.next, None);
    page.entries.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn each_change_has_its_entry_and_what_changes_nothing_has_none() {
    let (_folder, _, store) = store();
    let texts = ["{\"a\":1}", "{\"a\":2}"];
    for text in [texts[0], texts[1], texts[0]] {
        store.put("anna", text, ExpireAt::Never).unwrap();
    }
    store.put("anna", texts[0], ExpireAt::At(60)).unwrap();
    assert!(!store.remove("anna", "{}").unwrap());
    assert_eq!(store.remove_group("anna").unwrap(), 2);
    assert_eq!(store.remove_group("anna").unwrap(), 0);
    let page = store.trail(EntryId { at: 0, number: 0 }, None, usize::MAX).unwrap();
    let told: Vec<_> = page
        .entries
        .iter()
        .rev()
        .map(|Entry { record, .. }| {
            let end = |standing: &Option<Standing>| standing.as_ref().map(|standing| standing.expire_at);
            (record.rule.as_str(), end(&record.before), end(&record.after))
        })
        .collect();
    assert_eq!(
        told,
        [
            (texts[0], None, Some(0)),
            (texts[1], None, Some(0)),
            (texts[0], Some(0), Some(60)),
            (texts[0], Some(60), None),
            (texts[1], Some(0), None),
        ]
    );
}

#[test]
fn entries_keep_their_order_when_the_clock_is_set_back_or_a_millisecond_is_full() {
    let (_folder, path, store) = store();
    let first = store.put_at(5_000, "{\"a\":1}").id;
    let second = store.put_at(4_000, "{\"a\":2}").id;
    assert_eq!((second.at, second.number), (5_000, 1));
    drop(store);
    let store = EmbeddedStore::open(&path).unwrap();
    let third = store.put_at(0, "{\"a\":3}").id;
    let fourth = store.put_at(5_001, "{\"a\":4}").id;
    assert_eq!((fourth.at, fourth.number), (5_001, 0));
    assert_eq!(ids(&store), [fourth, third, second, first]);
    let many =
        (0..=0x1_0000).map(|number| batch("ben", &number.to_string(), Some(enforced(ExpireAt::Never))));
    let changes: Vec<Change> = many.flat_map(|batch| batch.changes).collect();
    let outcomes = store.change(&Batch { at: 5_001, changes, ..batch("", "", None) }).unwrap();
    let places = outcomes.iter().map(|outcome| match outcome {
        Outcome::Made(entry) => entry.id.to_string(),
        other => panic!("{other:?}"),
    });
    assert!(places.is_sorted_by(|one, next| one < next));
    assert_eq!(ids(&store)[0].at, 5_002);
}

#[test]
fn the_trail_comes_in_pages_and_loses_what_is_old_or_too_much() {
    let (_folder, _, store) = store();
    let made: Vec<EntryId> =
        (0..6).map(|number| store.put_at(number * 1_000, &number.to_string()).id).collect();
    let page = |from: u64, until: Option<EntryId>, limit| {
        let page = store.trail(EntryId { at: from, number: 0 }, until, limit).unwrap();
        (page.entries.into_iter().map(|entry| entry.id.at / 1_000).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(page(0, None, 9), (vec![5, 4, 3, 2, 1, 0], None));
    assert_eq!(page(0, None, 2), (vec![5, 4], Some(made[4])));
    assert_eq!(page(0, Some(made[4]), 4), (vec![3, 2, 1, 0], None), "exactly to the end");
    assert_eq!(page(2_000, Some(made[4]), 9), (vec![3, 2], None));
    assert_eq!(page(4_000, Some(made[4]), 9), (vec![], None));
    assert_eq!(page(9_000, Some(made[4]), 9), (vec![], None));
    assert_eq!(store.entry(made[2]).unwrap().unwrap().rule.as_str(), "2");
    assert_eq!(store.entry(EntryId { at: 7, number: 0 }).unwrap(), None);

    assert_eq!(store.trim(EntryId { at: 2_000, number: 0 }, 100).unwrap(), 2, "what is older");
    assert_eq!(store.trim(EntryId { at: 2_000, number: 0 }, 100).unwrap(), 0);
    assert_eq!(store.trim(EntryId { at: 0, number: 0 }, 3).unwrap(), 1, "what is too much");
    assert_eq!(page(0, None, 9).0, [5, 4, 3]);
    assert_eq!(store.group("anna").unwrap().len(), 6, "rules stay");
}
