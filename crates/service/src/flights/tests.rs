//! Who leads, who follows, and what the followers hear.

use futures_util::FutureExt as _;

use super::*;

type Letters = Flights<&'static str, u32>;

fn lead(flights: &Letters, key: &'static str) -> Leader<&'static str, u32> {
    match flights.board(key, Instant::now()) {
        Boarding::Lead(leader) => leader,
        Boarding::Follow(_) => panic!("another leader finds {key} already"),
    }
}

fn follow(flights: &Letters, key: &'static str) -> Follower<u32> {
    match flights.board(key, Instant::now()) {
        Boarding::Follow(follower) => follower,
        Boarding::Lead(_) => panic!("no leader finds {key}"),
    }
}

#[tokio::test]
async fn one_finds_what_many_ask_for() {
    let flights = Letters::default();
    let leader = lead(&flights, "a");
    let (first, second) = (follow(&flights, "a"), follow(&flights, "a"));
    let other = lead(&flights, "b");
    assert!(first.clone().landing().now_or_never().is_none(), "it is not found yet");
    let mut kept = false;
    leader.land(7, || kept = true);
    assert!(kept);
    assert_eq!((first.landing().await, second.landing().await), (Some(7), Some(7)));
    drop(other);
    drop((lead(&flights, "a"), lead(&flights, "b")));
}

#[tokio::test]
async fn a_leader_that_is_dropped_leaves_no_follower_waiting() {
    let flights = Letters::default();
    let leader = lead(&flights, "a");
    let follower = follow(&flights, "a");
    let own = leader.follower(Instant::now());
    drop(leader);
    assert_eq!((follower.landing().await, own.landing().await), (None, None));

    let leader = lead(&flights, "a");
    let follower = follow(&flights, "a");
    let task = tokio::spawn(async move {
        let _leader = leader;
        panic!("the leader's task");
    });
    assert_eq!(follower.landing().await, None);
    assert!(task.await.is_err());
    let leader = lead(&flights, "a");
    let follower = follow(&flights, "a");
    let task = tokio::spawn(async move {
        let _leader = leader;
        std::future::pending::<()>().await;
    });
    task.abort();
    assert_eq!(follower.landing().await, None);
}

#[tokio::test]
async fn what_was_forgotten_is_given_to_those_who_wait_and_not_kept() {
    let flights = Letters::default();
    let before = lead(&flights, "a");
    let waiting = follow(&flights, "a");
    assert_eq!(flights.forget("a", || "done"), "done");
    let after = lead(&flights, "a");
    before.land(1, || panic!("it was forgotten"));
    assert_eq!(waiting.landing().await, Some(1));
    let waiting = follow(&flights, "a");
    let mut kept = false;
    after.land(2, || kept = true);
    assert!(kept);
    assert_eq!(waiting.landing().await, Some(2));

    let before = lead(&flights, "a");
    flights.forget("a", || ());
    let after = lead(&flights, "a");
    drop(before);
    drop(follow(&flights, "a"));
    drop(after);
}
