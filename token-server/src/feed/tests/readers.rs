//! Many readers at once. Time stands still but for what waits for it.

use std::convert::Infallible;
use std::time::Duration;

use proptest::prelude::*;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::super::telling::{ANSWERS_PER_SECOND, FULL, LONGEST};
use super::*;

/// As many as the budget of the feed names.
const READERS: usize = 1_000;

/// What one reader heard, and when.
struct Heard {
    at: Instant,
    after: u64,
    revision: u64,
    names: Vec<String>,
}

async fn hear(feed: &Feed, after: u64) -> Heard {
    let since = Since { epoch: "e".to_owned(), revision: after };
    let asked = Instant::now();
    feed.news(&since).await;
    let write = || {
        let (revision, changes) = feed.after(Some(&since));
        let (store_id, epoch) = ("s".to_owned(), "e".to_owned());
        Ok::<_, Infallible>(Events { store_id, epoch, revision, complete_as_of: Some(0), changes })
    };
    let Ok(text) = feed.answer(Some(&since), asked, Instant::now(), write);
    let events: Events = serde_json::from_slice(&text).unwrap();
    let Changes::Groups(names) = events.changes else { panic!("a gap") };
    Heard { at: Instant::now(), after, revision: events.revision, names }
}

/// Hears all up to a revision, with a pause after each answer.
async fn hear_until(feed: Arc<Feed>, last: u64, pause: Duration) -> Vec<Heard> {
    let mut all: Vec<Heard> = Vec::new();
    let mut after = 0;
    while after < last {
        let heard = hear(&feed, after).await;
        after = heard.revision;
        all.push(heard);
        sleep(pause).await;
    }
    all
}

/// Readers who wait for what comes after revision 0, and hear all up to `last`.
async fn readers(feed: &Arc<Feed>, count: usize, last: u64, pause: Duration) -> JoinSet<Vec<Heard>> {
    let mut readers = JoinSet::new();
    for _ in 0..count {
        readers.spawn(hear_until(Arc::clone(feed), last, pause));
    }
    while feed.telling.waiting() < count {
        tokio::task::yield_now().await;
    }
    readers
}

fn shared_feed() -> Arc<Feed> {
    Arc::new(feed(0))
}

#[tokio::test(start_paused = true)]
async fn a_change_after_silence_is_told_to_a_thousand_readers_without_a_wait_and_written_once() {
    let feed = shared_feed();
    for silence in [LONGEST, 5 * LONGEST] {
        let (before, start) = (feed.revision(), feed.metrics.written.get());
        let waiting: Vec<_> = (0..READERS).map(|_| hear(&feed, before)).collect();
        let change = async {
            while feed.telling.waiting() < READERS {
                tokio::task::yield_now().await;
            }
            feed.changed("anna");
            Instant::now()
        };
        let (heard, changed) = tokio::join!(futures_util::future::join_all(waiting), change);
        assert!(heard.iter().all(|heard| heard.at == changed && heard.names == ["anna"]), "{silence:?}");
        assert_eq!(feed.metrics.written.get() - start, 1);
        sleep(silence).await;
    }
    assert_eq!(usize::try_from(feed.metrics.answers.get()), Ok(2 * READERS));
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_faster_than_a_thousand_readers_can_be_told_are_gathered() {
    let feed = shared_feed();
    let changes = 200;
    let readers = readers(&feed, READERS, changes, Duration::from_millis(1)).await;
    let start = Instant::now();
    for number in 0..changes {
        feed.changed(&format!("user-{number}"));
        sleep(Duration::from_millis(1)).await;
    }
    let all = readers.join_all().await;
    let answers: usize = all.iter().map(Vec::len).sum();
    assert!(all.iter().all(|heard| heard.iter().flat_map(|heard| &heard.names).count() == 200));
    let milliseconds = usize::try_from(start.elapsed().as_millis()).unwrap();
    let allowed = usize::try_from(ANSWERS_PER_SECOND / 1_000).unwrap() * milliseconds + 2 * READERS;
    assert!(answers <= allowed, "{answers} answers in {milliseconds} ms");
    let written = feed.metrics.written.get();
    assert!(written <= 2 * u64::try_from(all[0].len()).unwrap(), "{written} for {answers} answers");
}

#[tokio::test(start_paused = true)]
async fn few_readers_are_told_of_each_change_when_it_comes() {
    let feed = shared_feed();
    let changes = 50;
    let readers = readers(&feed, 20, changes, Duration::ZERO).await;
    let start = Instant::now();
    for number in 0..changes {
        feed.changed(&format!("user-{number}"));
        sleep(Duration::from_millis(1)).await;
    }
    for heard in readers.join_all().await {
        assert_eq!(heard.len(), 50);
        for (number, heard) in (0..).zip(heard) {
            assert_eq!(heard.at, start + Duration::from_millis(number));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_would_not_fit_one_answer_is_not_gathered() {
    let feed = shared_feed();
    let names: Vec<String> = (0..FULL).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let readers = readers(&feed, READERS, 4, Duration::ZERO).await;
    feed.changed("anna");
    sleep(Duration::from_millis(1)).await;
    feed.changed("ben");
    sleep(Duration::from_millis(1)).await;
    let filled = Instant::now();
    feed.changed_all(&names);
    sleep(Duration::from_millis(1)).await;
    feed.changed("carl");
    for heard in readers.join_all().await {
        let told: Vec<_> = heard.iter().map(|heard| (heard.revision, heard.names.len())).collect();
        assert_eq!(told, [(1, 1), (3, FULL + 1), (4, 1)]);
        assert_eq!(heard[1].at, filled);
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_behind_what_was_told_does_not_wait_for_the_gate() {
    let feed = shared_feed();
    let readers = readers(&feed, READERS, 1, Duration::ZERO).await;
    feed.changed("anna");
    readers.join_all().await;
    let now = Instant::now();
    feed.changed("ben");
    let late = hear(&feed, 0).await;
    assert_eq!((late.at, late.names), (now, vec!["anna".to_owned(), "ben".to_owned()]));
    // It knows of the change that waits for the gate, and is not told of it twice.
    let next = tokio::spawn({
        let feed = Arc::clone(&feed);
        async move { hear(&feed, 2).await }
    });
    sleep(LONGEST).await;
    assert!(!next.is_finished());
    feed.changed("carl");
    assert_eq!(next.await.unwrap().names, ["carl"]);
    for stranger in [since("other", 3), since("e", 99)] {
        let now = Instant::now();
        feed.news(&stranger.unwrap()).await;
        assert_eq!(now, Instant::now(), "it has to begin anew");
    }
}

#[tokio::test(start_paused = true)]
async fn a_text_is_for_readers_at_its_place_whose_polls_came_before_it_was_written() {
    let milliseconds = Duration::from_millis;
    let start = Instant::now() + Duration::from_secs(1);
    for (name, place, asked, now, changes, shared) in [
        ("the same moment", Some(5), start, start, 0, true),
        ("a poll from before", Some(5), start - milliseconds(500), start + milliseconds(20), 0, true),
        ("a poll from after", Some(5), start + milliseconds(1), start + milliseconds(1), 0, false),
        ("a text that is too old", Some(5), start, start + milliseconds(21), 0, false),
        ("another place", Some(4), start, start, 0, false),
        ("no place", None, start, start, 0, false),
        ("something has changed", Some(5), start, start, 1, false),
    ] {
        let feed = feed(5);
        feed.changed("anna");
        let ask = |place: Option<u64>, asked, now| {
            let since = place.and_then(|revision| since("e", revision));
            let write = || {
                let (revision, changes) = feed.after(since.as_ref());
                let (store_id, epoch) = ("s".to_owned(), "e".to_owned());
                Ok::<_, Infallible>(Events { store_id, epoch, revision, complete_as_of: None, changes })
            };
            let Ok(text) = feed.answer(since.as_ref(), asked, now, write);
            serde_json::from_slice::<Events>(&text).unwrap()
        };
        let first = ask(Some(5), start, start);
        assert_eq!((first.revision, first.changes), (6, groups(&["anna"])));
        for _ in 0..changes {
            feed.changed("ben");
        }
        let second = ask(place, asked, now);
        assert_eq!(second.revision, 6 + changes, "{name}");
        assert_eq!(feed.metrics.written.get(), if shared { 1 } else { 2 }, "{name}");
        assert_eq!(feed.metrics.answers.get(), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every reader hears of each change once, in order, under its own number, and no later than the gate may be closed.
    #[test]
    fn each_reader_hears_all_changes_in_their_order_and_in_time(
        count in prop_oneof![1_usize..5, 40_usize..400],
        pause in 0_u64..8,
        changes in prop::collection::vec((0_u64..40, 0_usize..6, 1_usize..4), 1..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let feed = shared_feed();
            let last = u64::try_from(changes.len()).unwrap();
            let readers = readers(&feed, count, last, Duration::from_millis(pause)).await;
            let mut made = Vec::new();
            for (after, name, together) in changes {
                sleep(Duration::from_millis(after)).await;
                let names: BTreeSet<String> = (name..name + together).map(|name| name.to_string()).collect();
                feed.changed_all(&names.iter().map(String::as_str).collect::<Vec<_>>());
                made.push((Instant::now(), names));
            }
            for all in readers.join_all().await {
                let mut before = 0;
                for heard in all {
                    assert_eq!(heard.after, before);
                    assert!(heard.revision > before, "told nothing");
                    let told = usize::try_from(before).unwrap()..usize::try_from(heard.revision).unwrap();
                    let expected: BTreeSet<_> = made[told.clone()].iter().flat_map(|(_, names)| names).collect();
                    assert!(heard.names.iter().eq(expected), "{} to {}", before, heard.revision);
                    let late = heard.at - made[told.start].0;
                    assert!(late <= LONGEST + Duration::from_millis(pause + 1), "{late:?}");
                    before = heard.revision;
                }
                assert_eq!(before, last);
            }
        });
    }
}
