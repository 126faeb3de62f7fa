//! Rules that are found in the store though no source of changes has told of them.

use super::*;
use revocation::events::Changes;
use revocation::events::Since;

const READ_AGE: Duration = revocation::check::MAX_READ_AGE;

/// Time passes, with a sign of life of both sources twice a second.
async fn live(revocations: &Revocations, time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        tokio::time::advance(Duration::from_millis(500)).await;
        revocations.heard(Source::OwnChannel, Instant::now());
        revocations.heard(Source::Keyspace, Instant::now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_no_source_told_of_is_told_at_once_when_it_is_found_and_ends_the_vouching() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    store.write("anna", r#"{"rt":"x"}"#);
    live(&revocations, READ_AGE).await;
    let before = revocations.revision();
    let found = check(&revocations, "anna").await;
    assert_eq!(found.verdict, Err(Reject::Revoked));
    let since = Since { epoch: revocations.feed().epoch().to_owned(), revision: before };
    assert_eq!(revocations.feed().after(Some(&since)).1, Changes::Groups(vec!["anna".to_owned()]));
    assert_eq!(revocations.book().totals().untold.get(), 0, "its message may be under way");

    live(&revocations, Duration::from_secs(2)).await;
    assert_eq!(revocations.book().totals().untold.get(), 1);
    assert!(revocations.complete_for(Instant::now()).is_none(), "the feed is not complete");
    assert_eq!(revocations.feed().after(Some(&since)).1, Changes::Everything);
    assert_eq!(check(&revocations, "ben").await, PASSED_UNVOUCHED);
    revocations.lost(Source::Keyspace);
    revocations.joined(Source::Keyspace, Instant::now());
    live(&revocations, Duration::from_secs(9)).await;
    assert!(revocations.complete_for(Instant::now()).is_none(), "nor after a new connection");
}

#[tokio::test(start_paused = true)]
async fn rules_that_were_told_of_or_are_gone_end_no_vouching() {
    let store = Scripted::new();
    let revocations = heard(&store);
    store.write("anna", r#"{"rt":"y"}"#);
    store.write("anna", r#"{"rt":"z"}"#);
    store.write("carl", r#"{"rt":"y"}"#);
    for subject in ["anna", "ben", "carl"] {
        assert_eq!(check(&revocations, subject).await, PASSED);
    }
    store.rules.lock().unwrap().retain(|rule| rule.group != "anna" || rule.json.contains('y'));
    store.write("ben", r#"{"rt":"x"}"#);
    revocations.changed("ben");
    live(&revocations, READ_AGE).await;
    store.write("carl", r#"{"rt":"x"}"#);
    for subject in ["anna", "ben", "carl"] {
        check(&revocations, subject).await;
    }
    live(&revocations, Duration::from_millis(500)).await;
    // The message about carl comes after the read that has found his rule.
    revocations.changed("carl");
    live(&revocations, Duration::from_secs(9)).await;
    assert_eq!(revocations.book().totals().untold.get(), 0);
    assert!(revocations.complete_for(Instant::now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_subjects_rules_is_told_where_others_write_too() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let ago = async |revocations: &Arc<Revocations>| {
        let claims = serde_json::from_str("{}").unwrap();
        revocations.check(&claims, Some("anna"), 0, load_deadline()).await.read_ago
    };
    assert_eq!(ago(&revocations).await, Duration::ZERO);
    live(&revocations, Duration::from_secs(100)).await;
    assert_eq!(ago(&revocations).await, Duration::from_secs(100));
    let alone = super::revocations(&store, Sessions::exclusive(), LIFETIMES);
    ago(&alone).await;
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(ago(&alone).await, Duration::ZERO, "no other process writes");
}
