//! Writes: what is refused, what goes on without its writer, and what is known of one that failed.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_write_goes_on_to_its_end_without_its_writer() {
    let store = Scripted::new();
    let revocations = revocations(&store, Sessions::exclusive(), LIFETIMES);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    store.asked.notified().await;
    store.hang();
    let adding = {
        let revocations = Arc::clone(&revocations);
        let rule = Rule::parse(r#"{"rt":"x"}"#).unwrap();
        tokio::spawn(async move { revocations.add(draft_of("anna", rule, ExpireAt::Never), act()).await })
    };
    store.asked.notified().await;
    adding.abort();
    assert!(adding.await.is_err());
    store.recover();
    revocations.finish().await;
    assert_eq!(revocations.revision(), 1);
    assert_eq!(check(&revocations, "anna").await.verdict, Err(Reject::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_failed_may_have_happened_and_is_read_again() {
    let store = Scripted::new();
    let revocations = heard(&store);
    store.write("anna", r#"{"rt":"x"}"#);
    assert_eq!(check(&revocations, "anna").await.verdict, Err(Reject::Revoked));
    let revision = revocations.revision();
    assert!(revocations.remove("anna".into(), r#"{"rt":"x"}"#.into(), Why::default(), act()).await.is_err());
    assert_eq!(revocations.revision(), revision + 1);
    assert_eq!(revocations.remove_group("anna".into(), Why::default(), act()).await.unwrap(), 1);
    assert_eq!(check(&revocations, "anna").await, PASSED);
}

#[tokio::test(start_paused = true)]
async fn a_full_group_refuses_a_rule_and_keeps_the_store_unchanged() {
    let store = Scripted::new();
    for number in 0..MAX_RULES_PER_GROUP {
        store.write("anna", &format!("unreadable {number}"));
    }
    let revocations = heard(&store);
    let rule = || Rule::parse(r#"{"rt":"x"}"#).unwrap();
    let refused = revocations.add(draft_of("anna", rule(), ExpireAt::Never), act()).await;
    assert!(matches!(refused, Err(StoreError::GroupFull { max: MAX_RULES_PER_GROUP })));
    assert_eq!(store.group("anna").await.unwrap().len(), MAX_RULES_PER_GROUP);
    assert!(revocations.add(draft_of("ben", rule(), ExpireAt::Never), act()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn rules_that_make_checks_too_dear_are_refused_before_they_are_stored_even_when_all_come_at_once() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let adding = (0..rules::MAX_BACKTRACKING_PATTERNS + 3).map(|number| {
        let rule = Rule::parse(&format!(r#"{{"sub":{{"regex":"(?={number})"}}}}"#)).unwrap();
        revocations.add(draft_of("anna", rule, ExpireAt::Never), act())
    });
    let added = futures_util::future::join_all(adding).await;
    let refused = |result: &&Result<_, _>| matches!(result, Err(StoreError::RuleRefused(_)));
    assert_eq!(added.iter().filter(refused).count(), 3);
    assert_eq!(added.iter().filter(|result| result.is_ok()).count(), rules::MAX_BACKTRACKING_PATTERNS);
    let stored = store.group("anna").await.unwrap();
    assert_eq!(stored.len(), rules::MAX_BACKTRACKING_PATTERNS);
}
