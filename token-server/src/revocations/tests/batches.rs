//! Rules that are written together.

use revocation::events::Changes;

use super::*;
use revocation::events::Since;

fn draft(group: &str, json: &str) -> Draft {
    let rule = Rule::parse(json).unwrap();
    draft_of(group, rule, ExpireAt::Never)
}

fn since(revocations: &Revocations, revision: u64) -> Changes {
    let since = Since { epoch: revocations.feed().epoch().to_owned(), revision };
    revocations.feed().after(Some(&since)).1
}

fn groups(names: &[&str]) -> Changes {
    Changes::Groups(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Everybody's rules, or one user's, in memory or not.
fn both(store: &Arc<Scripted>) -> [Arc<Revocations>; 2] {
    [heard(store), revocations(store, Sessions::exclusive(), LIFETIMES)]
}

#[tokio::test(start_paused = true)]
async fn what_is_written_together_refuses_at_once_and_is_one_change() {
    for known_before in [false, true] {
        for place in 0..2 {
            let store = Scripted::new();
            let revocations = &both(&store)[place];
            if known_before {
                assert_eq!(check(revocations, "anna").await, PASSED);
            }
            let before = revocations.revision();
            let drafts = vec![draft("anna", r#"{"rt":"x"}"#), draft("ben", r#"{"rt":"y"}"#)];
            let written = revocations.add_all(drafts, act()).await.unwrap();
            assert!(written.outcomes.iter().all(|outcome| matches!(outcome, Ok(None))));
            assert_eq!((written.revision, revocations.revision()), (before + 1, before + 1));
            assert_eq!(since(revocations, before), groups(&["anna", "ben"]));
            assert_eq!(check(revocations, "anna").await.verdict, Err(Reject::Revoked));
            assert_eq!(check(revocations, "ben").await.verdict, Ok(()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_rule_of_a_batch_is_held_against_those_before_it() {
    for known_before in [false, true] {
        for place in 0..2 {
            let store = Scripted::new();
            let revocations = &both(&store)[place];
            if known_before {
                check(revocations, "anna").await;
            }
            let pattern = |number| draft("anna", &format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#));
            let mut drafts: Vec<_> = (0..rules::MAX_BACKTRACKING_PATTERNS + 3).map(pattern).collect();
            // One that was admitted comes again, and one of another group.
            drafts.extend([pattern(0), draft("ben", r#"{"rt":"x"}"#)]);
            let outcomes = revocations.add_all(drafts, act()).await.unwrap().outcomes;
            let refused: Vec<_> = (0..outcomes.len()).filter(|place| outcomes[*place].is_err()).collect();
            let max = rules::MAX_BACKTRACKING_PATTERNS;
            assert_eq!(refused, [max, max + 1, max + 2]);
            assert!(matches!(outcomes[max], Err(StoreError::RuleRefused(_))));
            assert_eq!(
                store.group("anna").await.unwrap().len(),
                max + 1,
                "the same rule twice, as it was asked"
            );
            assert_eq!(check(revocations, "ben").await.verdict, Err(Reject::Revoked));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_is_full_within_a_batch_too() {
    let store = Scripted::new();
    for number in 1..MAX_RULES_PER_GROUP {
        store.write("anna", &format!("unreadable {number}"));
    }
    let revocations = heard(&store);
    let drafts = vec![draft("anna", r#"{"rt":"x"}"#), draft("anna", r#"{"rt":"y"}"#)];
    let outcomes = revocations.add_all(drafts, act()).await.unwrap().outcomes;
    assert!(
        matches!(outcomes[..], [Ok(None), Err(StoreError::GroupFull { max: MAX_RULES_PER_GROUP })]),
        "{outcomes:?}"
    );
    let before = revocations.revision();
    let none = revocations.add_all(vec![draft("anna", r#"{"rt":"z"}"#)], act()).await.unwrap();
    assert!(none.outcomes[0].is_err());
    assert_eq!((none.revision, revocations.revision()), (before, before), "nothing changed");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_failed_may_have_been_written_and_its_groups_are_read_again() {
    for place in 0..2 {
        let store = Scripted::new();
        let revocations = &both(&store)[place];
        assert_eq!(check(revocations, "anna").await, PASSED);
        assert_eq!(check(revocations, "ben").await, PASSED);
        let before = revocations.revision();
        let drafts = vec![draft("anna", r#"{"rt":"x"}"#), draft("ben", r#"{"rt":"refused by the store"}"#)];
        assert!(revocations.add_all(drafts, act()).await.is_err());
        assert_eq!(since(revocations, before), groups(&["anna", "ben"]));
        assert_eq!(check(revocations, "anna").await.verdict, Err(Reject::Revoked), "it was written");
        let reads = store.reads();
        assert_eq!(check(revocations, "ben").await.verdict, Ok(()));
        assert_eq!(store.reads(), reads + 1, "what memory had is not believed");
    }
}

#[tokio::test(start_paused = true)]
async fn more_groups_than_the_feed_names_are_a_change_of_everything() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let drafts = (0..1_001).map(|number| draft(&format!("user-{number}"), r#"{"rt":"x"}"#)).collect();
    let written = revocations.add_all(drafts, act()).await.unwrap();
    assert_eq!(since(&revocations, written.revision - 1), Changes::Everything);
    assert_eq!(check(&revocations, "user-1000").await.verdict, Err(Reject::Revoked));
}

/// The `n`th rule of a group.
fn numbered(group: &str, n: usize) -> Draft {
    draft(group, &format!(r#"{{"a":{n}}}"#))
}

#[tokio::test(start_paused = true)]
async fn batches_into_one_group_read_it_once_and_still_fill_it_no_further_than_it_may_be() {
    let store = Scripted::new();
    store.write("anna", r#"{"rt":"y"}"#);
    let revocations = heard(&store);
    let mut refused = 0;
    for batch in 0..11 {
        let drafts = (0..1_000).map(|number| numbered("anna", 1_000 * batch + number)).collect();
        let outcomes = revocations.add_all(drafts, act()).await.unwrap().outcomes;
        refused += outcomes.iter().filter(|outcome| outcome.is_err()).count();
    }
    assert_eq!((store.reads(), refused), (1, 1_001));
    assert_eq!(
        store.sizes(vec!["anna".to_owned()]).await.unwrap()[0].as_ref().unwrap(),
        &MAX_RULES_PER_GROUP
    );
}

#[tokio::test(start_paused = true)]
async fn groups_without_rules_are_not_read_before_they_get_some() {
    let store = Scripted::new();
    let revocations = heard(&store);
    for batch in 0..3 {
        let drafts = (0..500).map(|number| numbered(&format!("user-{batch}-{number}"), number)).collect();
        let written = revocations.add_all(drafts, act()).await.unwrap();
        assert!(written.outcomes.iter().all(Result::is_ok));
    }
    assert_eq!(store.reads(), 0);
    assert_eq!(check(&revocations, "user-1-7").await, PASSED);
    assert_eq!(store.reads(), 2, "a check reads, and does not rely on what was written");
}

/// What happens between two batches.
#[derive(Debug, Clone, Copy)]
enum Between {
    Nothing,
    OthersAdd,
    OthersExchange,
    OneIsWritten,
    OneIsRemoved,
    AGroupIsRemoved,
    EndedOnesGo,
    ABatchFails,
    TimePasses,
}

async fn happen(between: Between, store: &Scripted, revocations: &Arc<Revocations>) {
    let rule = |json| Rule::parse(json).unwrap();
    match between {
        Between::Nothing => {}
        Between::OthersAdd => store.write("anna", r#"{"rt":"z"}"#),
        Between::OthersExchange => {
            store.rules.lock().unwrap().clear();
            store.write("anna", r#"{"rt":"z"}"#);
            revocations.shrank("anna");
        }
        Between::OneIsWritten => {
            revocations.add(draft_of("ben", rule(r#"{"rt":"z"}"#), ExpireAt::Never), act()).await.unwrap();
        }
        // Whether it was is not known.
        Between::OneIsRemoved => {
            assert!(revocations.remove("anna".into(), "{}".into(), Why::default(), act()).await.is_err())
        }
        Between::AGroupIsRemoved => {
            assert_eq!(revocations.remove_group("ben".into(), Why::default(), act()).await.unwrap(), 0)
        }
        Between::EndedOnesGo => assert_eq!(revocations.purge(1).await.unwrap(), 0),
        Between::ABatchFails => {
            let drafts = vec![draft("ben", r#"{"rt":"refused by the store"}"#)];
            assert!(revocations.add_all(drafts, act()).await.is_err());
        }
        Between::TimePasses => tokio::time::sleep(LOAD_LIMIT + Duration::from_millis(1)).await,
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_may_be_another_than_the_last_batch_left_is_read_again() {
    for (between, reads) in [
        (Between::Nothing, 0),
        (Between::OthersAdd, 1),
        (Between::OthersExchange, 1),
        (Between::OneIsWritten, 1),
        (Between::OneIsRemoved, 1),
        (Between::AGroupIsRemoved, 1),
        (Between::EndedOnesGo, 1),
        (Between::ABatchFails, 1),
        (Between::TimePasses, 1),
    ] {
        let store = Scripted::new();
        let revocations = heard(&store);
        revocations.add_all(vec![numbered("anna", 0)], act()).await.unwrap();
        assert_eq!(store.reads_of("anna"), 0);
        happen(between, &store, &revocations).await;
        revocations.add_all(vec![numbered("anna", 1)], act()).await.unwrap();
        assert_eq!(store.reads_of("anna"), reads, "{between:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_is_heard_while_a_batch_is_written_has_its_group_read_again() {
    let store = Scripted::new();
    let revocations = heard(&store);
    store.hang();
    let writing = tokio::spawn({
        let revocations = Arc::clone(&revocations);
        async move { revocations.add_all(vec![numbered("anna", 0)], act()).await.map(|_| ()) }
    });
    store.asked.notified().await;
    revocations.shrank("anna");
    store.recover();
    writing.await.unwrap().unwrap();
    revocations.add_all(vec![numbered("anna", 1)], act()).await.unwrap();
    assert_eq!(store.reads_of("anna"), 1);
}
