//! A store that does not answer, and what is said in the meantime.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_told_of_until_it_is_read_again_though_no_check_reads_it() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    assert!(revocations.store_answers());
    store.hang();
    assert_eq!(check(&revocations, "anna").await, PASSED, "it is in memory");
    assert!(revocations.store_answers(), "nothing had to be read");
    assert_eq!(check(&revocations, "ben").await, UNKNOWN);
    assert!(!revocations.store_answers());
    tokio::time::sleep(LOAD_LIMIT).await;
    revocations.try_store().await;
    assert!(!revocations.store_answers());
    store.recover();
    revocations.try_store().await;
    assert!(revocations.store_answers());
}

#[tokio::test(start_paused = true)]
async fn what_is_known_serves_while_the_store_hangs_and_then_nothing_does() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    store.hang();
    let until = Instant::now() + LIFETIMES.max_stale;
    assert_eq!(check(&revocations, "anna").await, PASSED, "its session has not been silent for long");
    tokio::time::sleep(MAX_SILENCE + Duration::from_millis(1)).await;
    while Instant::now() + LOAD_WAIT < until {
        assert_eq!(check(&revocations, "anna").await, PASSED_UNVOUCHED);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep_until(until).await;
    assert_eq!(check(&revocations, "anna").await, UNKNOWN);
    assert_eq!(check(&revocations, "ben").await, UNKNOWN);
    store.recover();
    tokio::time::sleep(LOAD_LIMIT).await;
    assert_eq!(check(&revocations, "anna").await, PASSED_UNVOUCHED, "a silent session vouches for nothing");
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_read_is_not_made_up_for_by_what_was_known() {
    let store = Scripted::new();
    let revocations = heard(&store);
    assert_eq!(check(&revocations, "anna").await, PASSED);
    store.hang();
    revocations.changed("anna");
    assert_eq!(check(&revocations, "anna").await, UNKNOWN);
    revocations.changed("g");
    assert_eq!(check(&revocations, "ben").await, UNKNOWN);
}

#[tokio::test(start_paused = true)]
async fn no_stale_answer_where_none_is_wanted() {
    let store = Scripted::new();
    let strict = Lifetimes { ttl: Duration::ZERO, max_stale: Duration::ZERO };
    let revocations = revocations(&store, Sessions::shared(), strict);
    assert_eq!(check(&revocations, "anna").await, PASSED_UNVOUCHED);
    assert_eq!(check(&revocations, "anna").await, PASSED_UNVOUCHED);
    assert_eq!(store.reads(), 4, "read at each check");
    store.hang();
    assert_eq!(check(&revocations, "anna").await, UNKNOWN);
}

#[tokio::test(start_paused = true)]
async fn a_check_with_little_time_says_nothing_of_the_store_unless_the_read_is_slow() {
    let store = Scripted::new();
    let revocations = heard(&store);
    let start = Instant::now();
    store.hang();
    for (moment, until, answers) in [(0, 3, true), (3, 3, true), (10, 25, true), (25, 31, false)] {
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        tokio::time::sleep_until(at(moment)).await;
        assert_eq!(check_until(&revocations, "anna", at(until)).await, UNKNOWN);
        assert_eq!((Instant::now(), revocations.store_answers()), (at(until), answers), "{until}");
    }
    assert_eq!(store.reads(), 2, "each of them joined the first read, of anna and of everybody");
}
