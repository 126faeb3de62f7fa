//! Groups on their way from the store into memory.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_subject_without_rules_is_read_once() {
    let store = Scripted::new();
    let revocations = heard(&store);
    for _ in 0..3 {
        assert_eq!(check(&revocations, "anna").await, PASSED);
    }
    assert_eq!(store.reads(), 2, "anna, and everybody");
    assert_eq!(check(&revocations, "g").await, PASSED);
    assert_eq!(store.reads(), 2, "the group of everybody is no subject's own");
}

#[tokio::test(start_paused = true)]
async fn many_who_ask_at_once_cause_one_read() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let asking = (0..100).map(|_| check(&revocations, "anna"));
    assert!(futures_util::future::join_all(asking).await.into_iter().all(|verdict| verdict == PASSED));
    assert_eq!(store.reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_change_is_read_before_a_check_that_comes_later_is_answered() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    store.write("anna", r#"{"rt":"x"}"#);
    assert_eq!(check(&revocations, "anna").await, PASSED, "no source has told of it yet");
    revocations.changed("anna");
    let revoked = RulesVerdict { verdict: Err(Reject::Revoked), vouched: true, read_ago: Duration::ZERO };
    assert_eq!(check(&revocations, "anna").await, revoked);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_a_change_overtook_answers_no_check_that_comes_later() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert!(revocations.warm().await);
    store.asked.notified().await;
    store.hang();
    let before = tokio::spawn({
        let revocations = Arc::clone(&revocations);
        async move { check(&revocations, "anna").await }
    });
    store.asked.notified().await;
    store.write("anna", r#"{"rt":"x"}"#);
    revocations.changed("anna");
    store.recover();
    assert_eq!(check(&revocations, "anna").await.verdict, Err(Reject::Revoked));
    assert_eq!(before.await.unwrap().verdict, Ok(()));
    assert_eq!(check(&revocations, "anna").await.verdict, Err(Reject::Revoked));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_holds_no_check_longer_than_the_limit_and_lets_no_token_in() {
    let store = Scripted::new();
    let revocations = heard(&store);
    store.hang();
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(check(&revocations, "anna").await, UNKNOWN);
        assert!(start.elapsed() <= LOAD_WAIT);
    }
    let start = Instant::now();
    assert_eq!(check(&revocations, "anna").await, UNKNOWN);
    assert_eq!(start.elapsed(), Duration::ZERO, "the read is late already");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_ends_in_a_panic_leaves_no_check_waiting_and_is_made_again() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert!(revocations.warm().await);
    store.hang();
    store.panics.store(true, Ordering::SeqCst);
    let checks = (0..10).map(|_| check(&revocations, "anna"));
    let recovering = async {
        while store.reads() < 2 {
            tokio::task::yield_now().await;
        }
        store.recover();
    };
    let (verdicts, ()) = tokio::join!(futures_util::future::join_all(checks), recovering);
    assert!(verdicts.into_iter().all(|verdict| verdict == PASSED), "they boarded once more");
    assert_eq!(store.reads(), 3, "everybody's, the one that panicked, and one more");
    assert_eq!(check(&revocations, "anna").await, PASSED);
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_read_has_a_time_of_his_own() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert!(revocations.warm().await);
    store.hang();
    let first = check(&revocations, "anna");
    let second = async {
        tokio::time::sleep(LOAD_WAIT / 2).await;
        check(&revocations, "anna").await
    };
    let store_answers = async {
        tokio::time::sleep(LOAD_WAIT + LOAD_WAIT / 4).await;
        store.recover();
    };
    let (first, second, ()) = tokio::join!(first, second, store_answers);
    assert_eq!((first, second), (UNKNOWN, PASSED));

    store.hang();
    let (start, session) = (Instant::now(), revocations.sessions.current());
    let first = revocations.read("ben", session.as_ref(), LOAD_LIMIT);
    let second = async {
        tokio::time::sleep(LOAD_LIMIT / 2).await;
        revocations.read("ben", session.as_ref(), LOAD_LIMIT).await
    };
    let store_answers = async {
        tokio::time::sleep(LOAD_LIMIT + LOAD_LIMIT / 4).await;
        store.recover();
    };
    let (first, second, ()) = tokio::join!(first, second, store_answers);
    assert!(first.is_none());
    assert!(second.is_some_and(|read| read.at >= start + LOAD_LIMIT), "a read of its own");
}
