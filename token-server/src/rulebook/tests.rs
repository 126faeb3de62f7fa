//! What is known, and until when.

use super::*;
use crate::continuity::{Sessions, Source};

const SECOND: Duration = Duration::from_secs(1);
const LIFETIMES: Lifetimes = Lifetimes { ttl: Duration::from_secs(7), max_stale: Duration::from_secs(30) };

fn book(lifetimes: Lifetimes) -> Rulebook {
    Rulebook::new(lifetimes, DEFAULT_BYTES, Totals::default())
}

fn group(book: &Rulebook) -> Result<Arc<Group>, Missed> {
    Ok(Arc::new(Group::parse(vec![], book.totals())))
}

fn lead(book: &Rulebook, name: &str, session: Option<Arc<Session>>, now: Instant) -> Turn {
    match book.board(name, session, now) {
        Boarding::Lead(turn) => turn,
        Boarding::Follow(_) => panic!("a read of {name} is under way"),
    }
}

/// Reads a group that is empty.
fn read(book: &Rulebook, name: &str, session: Option<Arc<Session>>, now: Instant) {
    let turn = lead(book, name, session, now);
    book.land(turn, group(book));
}

fn is_fresh(book: &Rulebook, name: &str, now: Instant, current: Option<&Arc<Session>>) -> bool {
    book.fresh(name, now, current).is_some()
}

#[test]
fn without_a_session_rules_hold_for_the_ttl_and_then_until_they_are_too_old() {
    let (book, start) = (book(LIFETIMES), Instant::now());
    for name in ["g", "anna"] {
        assert!(!is_fresh(&book, name, start, None));
        read(&book, name, None, start);
        for (after, fresh, stale) in [(0, true, true), (6, true, true), (7, false, true), (30, false, false)]
        {
            let now = start + after * SECOND;
            assert_eq!(is_fresh(&book, name, now, None), fresh, "{name} after {after} s");
            assert_eq!(book.stale(name, now).is_some(), stale, "{name} after {after} s");
        }
    }
    let never = Lifetimes { ttl: Duration::ZERO, max_stale: Duration::ZERO };
    let strict = super::Rulebook::new(never, DEFAULT_BYTES, Totals::default());
    read(&strict, "anna", None, start);
    assert!(!is_fresh(&strict, "anna", start, None) && strict.stale("anna", start).is_none());
}

#[test]
fn a_session_vouches_until_it_falls_silent_and_leaves_what_it_covered() {
    let (book, sessions, start) = (book(LIFETIMES), Sessions::shared(), Instant::now());
    sessions.joined(Source::OwnChannel, start, || ());
    sessions.joined(Source::Keyspace, start, || ());
    let session = sessions.current();
    read(&book, "anna", session.clone(), start);
    let heard = start + 100 * SECOND;
    sessions.heard(Source::OwnChannel, heard);
    sessions.heard(Source::Keyspace, heard);
    assert!(is_fresh(&book, "anna", heard + 3 * SECOND, session.as_ref()));
    sessions.lost(Source::OwnChannel, || ());
    assert!(sessions.current().is_none());
    assert!(is_fresh(&book, "anna", heard + 6 * SECOND, None), "the ttl begins where the session ended");
    assert!(!is_fresh(&book, "anna", heard + 7 * SECOND, None));
    assert!(book.stale("anna", heard + 29 * SECOND).is_some());
    assert!(book.stale("anna", heard + 30 * SECOND).is_none());
}

#[test]
fn a_new_session_covers_only_what_is_read_in_it() {
    let (book, sessions, start) = (book(LIFETIMES), Sessions::shared(), Instant::now());
    read(&book, "anna", None, start);
    sessions.joined(Source::OwnChannel, start, || ());
    sessions.joined(Source::Keyspace, start, || ());
    assert!(!is_fresh(&book, "anna", start, sessions.current().as_ref()), "it is read again");
    read(&book, "anna", sessions.current(), start);
    assert!(is_fresh(&book, "anna", start, sessions.current().as_ref()));
    sessions.joined(Source::OwnChannel, start, || ());
    assert!(!is_fresh(&book, "anna", start, sessions.current().as_ref()), "after each reconnection");
}

#[test]
fn even_a_session_does_not_vouch_for_ever() {
    let (book, sessions, start) = (book(LIFETIMES), Sessions::shared(), Instant::now());
    sessions.joined(Source::OwnChannel, start, || ());
    sessions.joined(Source::Keyspace, start, || ());
    let session = sessions.current();
    read(&book, "anna", session.clone(), start);
    sessions.heard(Source::OwnChannel, start + MAX_AGE);
    sessions.heard(Source::Keyspace, start + MAX_AGE);
    assert!(is_fresh(&book, "anna", start + MAX_AGE - SECOND, session.as_ref()));
    assert!(!is_fresh(&book, "anna", start + MAX_AGE, session.as_ref()));
}

#[tokio::test]
async fn what_no_other_process_writes_is_amended_and_a_read_that_may_have_missed_it_is_not_kept() {
    let (start, session) = (Instant::now(), Some(Session::exclusive()));
    for name in ["g", "anna"] {
        let book = book(LIFETIMES);
        read(&book, name, session.clone(), start);
        book.amend(name, |_| true);
        assert!(is_fresh(&book, name, start + 2 * MAX_AGE, session.as_ref()), "{name}");
        book.amend(name, |_| false);
        assert!(!is_fresh(&book, name, start, session.as_ref()), "{name} must be read again");
        let before = lead(&book, name, session.clone(), start);
        book.amend(name, |_| panic!("{name} is not known"));
        book.land(before, group(&book));
        assert!(!is_fresh(&book, name, start, session.as_ref()), "{name}");
        read(&book, name, None, start);
        book.amend(name, |_| panic!("others may have written {name}"));
        assert!(!is_fresh(&book, name, start, None), "{name}");
    }
}

#[tokio::test]
async fn one_read_serves_all_who_ask_while_it_is_under_way() {
    let (book, start) = (book(LIFETIMES), Instant::now());
    let turn = lead(&book, "anna", None, start);
    let Boarding::Follow(joined) = book.board("anna", None, start + SECOND) else { panic!("a second read") };
    assert!(matches!(book.board("ben", None, start), Boarding::Lead(_)));
    book.land(turn, group(&book));
    assert!(joined.landing().await.is_some_and(|landing| landing.is_ok()));
    assert!(matches!(book.board("anna", None, start), Boarding::Lead(_)));
}

#[tokio::test]
async fn a_read_that_began_before_a_change_is_not_kept() {
    let (book, start) = (book(LIFETIMES), Instant::now());
    for name in ["g", "anna"] {
        read(&book, name, None, start);
        let before = lead(&book, name, None, start);
        let waiting = before.follower();
        book.forget(name);
        let after = lead(&book, name, None, start);
        book.land(before, group(&book));
        assert!(!is_fresh(&book, name, start, None), "{name}");
        let answered = waiting.landing().await.is_some_and(|landing| landing.is_ok());
        assert!(answered, "a check that came before the change is answered");
        assert!(matches!(book.board(name, None, start), Boarding::Follow(_)), "the later read goes on");
        let waiting = after.follower();
        book.land(after, Err(Missed::Failed));
        assert_eq!(waiting.landing().await.and_then(Result::err), Some(Missed::Failed));
        assert!(book.stale(name, start).is_none());
    }
}
