//! Rules that are written together.

use revocation::events::Changes;

use super::*;
use revocation::events::Since;
use rules::RuleEntry;

fn draft(group: &str, json: &str) -> Draft {
    let rule = Rule::parse(json).unwrap();
    Draft { group: group.to_owned(), entry: RuleEntry { rule, expire_at: ExpireAt::Never } }
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
            let written = revocations.add_all(drafts).await.unwrap();
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
            let outcomes = revocations.add_all(drafts).await.unwrap().outcomes;
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
    let outcomes = revocations.add_all(drafts).await.unwrap().outcomes;
    assert!(
        matches!(outcomes[..], [Ok(None), Err(StoreError::GroupFull { max: MAX_RULES_PER_GROUP })]),
        "{outcomes:?}"
    );
    let before = revocations.revision();
    let none = revocations.add_all(vec![draft("anna", r#"{"rt":"z"}"#)]).await.unwrap();
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
        assert!(revocations.add_all(drafts).await.is_err());
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
    let written = revocations.add_all(drafts).await.unwrap();
    assert_eq!(since(&revocations, written.revision - 1), Changes::Everything);
    assert_eq!(check(&revocations, "user-1000").await.verdict, Err(Reject::Revoked));
}
