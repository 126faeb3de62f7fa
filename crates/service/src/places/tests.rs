//! Who keeps his place, who gives it up, and who waits.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;

fn places(max: usize) -> Places {
    Places::new(max, Counts::default())
}

fn is_shed(place: &Place) -> bool {
    place.shed().now_or_never().is_some()
}

#[tokio::test(start_paused = true)]
async fn the_connection_that_is_idle_longest_goes_and_one_that_never_worked_before_all_others() {
    let (places, start) = (places(4), Instant::now());
    let at = |seconds| start + Duration::from_secs(seconds);
    let worked = places.take(at(0)).unwrap();
    worked.works();
    worked.rests(at(1));
    let busy = places.take(at(2)).unwrap();
    busy.works();
    let silent = [places.take(at(3)).unwrap(), places.take(at(4)).unwrap()];
    let mut newcomers = Vec::new();
    for (number, place) in silent.iter().enumerate() {
        let newcomer = places.take(at(5)).unwrap();
        newcomer.works();
        assert!(is_shed(place), "silent {number}");
        assert!(!is_shed(&newcomer) && !is_shed(&busy), "silent {number}");
        assert!(!is_shed(&worked), "silent {number}");
        newcomers.push(newcomer);
    }
    let newcomer = places.take(at(6)).unwrap();
    assert!(is_shed(&worked) && !is_shed(&busy) && !is_shed(&newcomer));
    assert_eq!(places.0.counts.shed.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_all_work_a_newcomer_waits_for_the_first_that_rests_or_goes() {
    let (places, now) = (places(2), Instant::now());
    let (first, second) = (places.take(now).unwrap(), places.take(now).unwrap());
    first.works();
    second.works();
    assert!(places.take(now).is_none());
    assert!(places.wait(now).now_or_never().is_none() && places.room().now_or_never().is_none());
    let waiting = tokio::spawn({
        let places = places.clone();
        async move { places.wait(now).await }
    });
    tokio::task::yield_now().await;
    first.rests(now);
    let third = waiting.await.unwrap();
    third.works();
    assert!(is_shed(&first) && !is_shed(&second));
    let waiting = tokio::spawn({
        let places = places.clone();
        async move { places.wait(now).await }
    });
    tokio::task::yield_now().await;
    drop(second);
    waiting.await.unwrap().works();
    assert!(!is_shed(&third));
    assert!(places.room().now_or_never().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_and_those_who_leave_are_bounded() {
    let (places, now) = (places(1), Instant::now());
    let open = || usize::try_from(places.0.counts.open.get()).unwrap();
    drop(places.take(now).unwrap());
    assert_eq!(open(), 0);
    let mut all: Vec<_> = (0..=MAX_LEAVING).map(|_| places.take(now).unwrap()).collect();
    assert_eq!(open(), MAX_LEAVING + 1);
    assert!(places.take(now).is_none(), "too many have not gone yet");
    all.remove(0);
    assert!(places.take(now).is_some());
    drop(all);
    let taken = places.lock();
    assert_eq!((open(), taken.leaving, taken.connections.len()), (0, 0, 0));
}
