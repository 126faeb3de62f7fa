//! The log, and its readers.

mod readers;

use super::*;

fn feed(revision: u64) -> Feed {
    Feed::new("e", revision, FeedMetrics::default(), TaskTracker::new())
}

fn since(epoch: &str, revision: u64) -> Option<Since> {
    Some(Since { epoch: epoch.to_owned(), revision })
}

fn groups(names: &[&str]) -> Changes {
    Changes::Groups(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_reader_gets_what_he_has_not_seen_once_each() {
    let feed = feed(5);
    assert_eq!(feed.after(since("e", 5).as_ref()), (5, groups(&[])));
    assert_eq!(feed.changed("b"), 6);
    feed.changed("a");
    feed.changed("b");
    assert_eq!(feed.after(since("e", 5).as_ref()), (8, groups(&["a", "b"])));
    assert_eq!(feed.after(since("e", 7).as_ref()), (8, groups(&["b"])));
    assert_eq!(feed.after(since("e", 8).as_ref()), (8, groups(&[])));
}

#[test]
fn a_reader_that_may_have_missed_something_is_told_so() {
    let feed = feed(5);
    feed.changed("a");
    for stranger in [None, since("other", 6), since("e", 4), since("e", 7)] {
        assert_eq!(feed.after(stranger.as_ref()).1, Changes::Everything, "{stranger:?}");
    }
    feed.everything_changed();
    assert_eq!(feed.after(since("e", 6).as_ref()), (7, Changes::Everything));
    assert_eq!(feed.after(since("e", 7).as_ref()), (7, groups(&[])));
}

#[test]
fn the_log_is_bounded_and_says_what_it_forgot() {
    let feed = feed(0);
    for number in 0..=MAX_CHANGES {
        feed.changed(if number % 2 == 0 { "a" } else { "b" });
    }
    assert_eq!(feed.after(since("e", 0).as_ref()).1, Changes::Everything);
    assert_eq!(feed.after(since("e", 1).as_ref()).1, groups(&["a", "b"]));
    for number in 0..=MAX_ANSWER {
        feed.changed(&number.to_string());
    }
    let seen = u64::try_from(MAX_CHANGES).unwrap() + 1;
    assert_eq!(feed.after(since("e", seen).as_ref()).1, Changes::Everything, "too many to name");
}

#[test]
fn what_changed_together_is_one_change() {
    let feed = feed(5);
    assert_eq!(feed.changed_all(&["b", "a", "b"]), 6);
    assert_eq!(feed.after(since("e", 5).as_ref()), (6, groups(&["a", "b"])));
    assert_eq!(feed.after(since("e", 6).as_ref()), (6, groups(&[])));
    let names: Vec<String> = (0..=MAX_ANSWER).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(feed.changed_all(&names[1..]), 7);
    assert!(
        matches!(feed.after(since("e", 6).as_ref()).1, Changes::Groups(some) if some.len() == MAX_ANSWER)
    );
    assert_eq!(feed.changed_all(&names), 8);
    assert_eq!(feed.after(since("e", 7).as_ref()), (8, Changes::Everything), "too many to name");
    // The log forgets a part of what changed together only with the whole of it.
    for _ in 0..=MAX_CHANGES / MAX_ANSWER {
        feed.changed_all(&names[1..]);
    }
    feed.changed("1");
    let oldest = feed.lock().changes.front().map(|(revision, _)| *revision).unwrap();
    assert_eq!(feed.after(since("e", oldest - 1).as_ref()).1, Changes::Everything, "one name is missing");
    assert!(matches!(feed.after(since("e", oldest).as_ref()).1, Changes::Groups(_)), "nothing is");
}

#[test]
fn long_names_make_the_log_short() {
    let feed = feed(0);
    let long = "x".repeat(MAX_NAME_BYTES / 4);
    for number in 0..6 {
        feed.changed(&format!("{number}{long}"));
    }
    assert!(feed.lock().bytes <= MAX_NAME_BYTES);
    assert_eq!(feed.after(since("e", 2).as_ref()).1, Changes::Everything, "they are forgotten");
    let names = feed.lock().changes.iter().map(|(_, name)| name.len()).sum::<usize>();
    assert_eq!(feed.lock().bytes, names);
    assert_eq!(usize::try_from(feed.metrics.bytes.get()), Ok(names), "it is shown");
    feed.everything_changed();
    assert_eq!((feed.lock().bytes, feed.metrics.bytes.get()), (0, 0));
}
