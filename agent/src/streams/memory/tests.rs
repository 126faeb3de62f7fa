use jose::Window;

use super::*;
use crate::cache::{Answers, Kept};
use crate::decide::Basis;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

fn terms(size: usize, grace: Option<u64>) -> Terms {
    Terms { size, grace: grace.map(Duration::from_secs), pause: PAUSE }
}

fn stream(number: u64) -> Stream {
    Stream { process: 42, number, client: "192.0.2.7:5".parse().ok(), since: Instant::now() }
}

/// Good until then, found by keys of this version.
fn verdict(until: Option<UnixTime>, keys: u64) -> Verdict {
    let window = Window { until, ..Window::ALWAYS };
    let kept = Kept::new(Answers::Same(Default::default()), None, window);
    Verdict { kept: Arc::new(kept), basis: Basis { configuration: 1, keys } }
}

fn opened(number: u64, until: Option<UnixTime>) -> Opened {
    Opened { stream: stream(number), held: Arc::new(Held::of("a.b.c")), verdict: verdict(until, 1) }
}

fn later(seconds: i64) -> UnixTime {
    UnixTime::from_millis(NOW.as_millis() + seconds * 1000)
}

/// The numbers of the streams that end, with the words for why.
fn ending(memory: &Memory, at: Instant) -> Vec<(u64, &'static str)> {
    let due = memory.ending(at);
    assert_eq!(memory.has_ending(at), !due.is_empty());
    let mut ending: Vec<_> =
        due.iter().map(|stream| (stream.number, memory.cause(stream).unwrap().as_str())).collect();
    ending.sort_unstable();
    ending
}

fn due(memory: &mut Memory, at: Instant, holds: impl Fn(&Verdict) -> bool) -> Vec<u64> {
    let mut due: Vec<_> = memory.look(at, NOW, holds).into_iter().map(|(stream, _)| stream.number).collect();
    due.sort_unstable();
    due
}

#[test]
fn a_stream_ends_with_the_time_of_its_token_whatever_else_holds() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    for (number, until) in [(1, Some(later(5))), (2, Some(later(9))), (3, None)] {
        assert_eq!(memory.remember(opened(number, until), start), Taken::Yes);
    }
    for (now, expected) in
        [(4, &[][..]), (5, &[(1, "expired")][..]), (9, &[(1, "expired"), (2, "expired")][..])]
    {
        let due = memory.look(start, later(now), |_| true);
        assert!(due.is_empty(), "nothing is asked about what is over");
        assert_eq!(ending(&memory, start), expected, "at {now}");
    }
    memory.forget(&stream(1));
    assert_eq!(ending(&memory, start), [(2, "expired")]);
    assert_eq!(memory.len(), 2);
}

#[test]
fn only_what_holds_no_longer_is_judged_and_only_what_is_refused_ends() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    for number in 1..=4 {
        memory.remember(opened(number, None), start);
    }
    assert!(due(&mut memory, start, |_| true).is_empty());
    assert_eq!(due(&mut memory, start, |_| false), [1, 2, 3, 4]);
    memory.judged(&stream(1), Judged::Good(verdict(None, 2)), start);
    memory.judged(&stream(2), Judged::Refused(Reject::Revoked), start);
    memory.judged(&stream(3), Judged::Refused(Reject::UnknownKey), start);
    memory.judged(&stream(4), Judged::Undecided, start);
    assert_eq!(ending(&memory, start), [(2, "revoked"), (3, "unknown_key")]);
    assert!(due(&mut memory, start, |verdict| verdict.basis.keys == 2).is_empty(), "the undecided one waits");
    assert_eq!(due(&mut memory, start + SECOND, |verdict| verdict.basis.keys == 2), [4]);
    assert_eq!(
        ending(&memory, start + SECOND),
        [(2, "revoked"), (3, "unknown_key")],
        "they are told once more"
    );
}

#[test]
fn while_servers_differ_a_stream_is_not_judged_without_end() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    memory.remember(opened(1, None), start);
    for (at, expected) in [(0, &[1][..]), (50, &[]), (99, &[]), (100, &[1]), (120, &[])] {
        let at = start + Duration::from_millis(at);
        assert_eq!(due(&mut memory, at, |_| false), expected);
        if !expected.is_empty() {
            memory.judged(&stream(1), Judged::Good(verdict(None, 1)), at);
        }
    }
}

#[test]
fn a_stream_that_cannot_be_judged_stays_or_ends_after_its_grace() {
    for (grace, expected) in [(None, &[][..]), (Some(5), &[(1, "lease")][..])] {
        let start = Instant::now();
        let mut memory = Memory::new(terms(9, grace));
        memory.remember(opened(1, None), start);
        memory.remember(opened(2, None), start);
        for second in 1..=5 {
            let at = start + second * SECOND;
            for number in due(&mut memory, at, |verdict| verdict.basis.keys == 2) {
                let judged = if number == 2 { Judged::Good(verdict(None, 2)) } else { Judged::Undecided };
                memory.judged(&stream(number), judged, at);
            }
            memory.lose(at);
            assert_eq!(ending(&memory, at), if second == 5 { expected } else { &[] }, "{grace:?} {second}");
        }
    }
}

#[test]
fn a_machine_that_slept_does_not_end_what_is_still_good() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, Some(5)));
    memory.remember(opened(1, None), start);
    memory.remember(opened(2, None), start);
    let awake = start + 3600 * SECOND;
    assert_eq!(due(&mut memory, awake, |verdict| verdict.basis.keys == 2), [1, 2]);
    for number in [1, 2] {
        memory.judged(&stream(number), Judged::Good(verdict(None, 2)), awake);
    }
    memory.lose(awake);
    assert!(ending(&memory, awake).is_empty());
}

#[test]
fn an_agent_that_stops_leaves_no_stream_alone_where_none_may_be() {
    for (grace, expected) in [(None, &[][..]), (Some(60), &[(1, "stop")][..])] {
        let mut memory = Memory::new(terms(9, grace));
        memory.remember(opened(1, None), Instant::now());
        memory.stop(Instant::now());
        assert_eq!(ending(&memory, Instant::now()), expected);
    }
}

#[test]
fn there_are_never_more_than_may_be_and_the_same_stream_takes_one_place() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(4, None));
    for (number, expected, nearly) in [
        (1, Taken::Yes, false),
        (2, Taken::Yes, false),
        (2, Taken::Yes, false),
        (3, Taken::Yes, true),
        (4, Taken::Yes, true),
        (5, Taken::Full, true),
        (4, Taken::Yes, true),
    ] {
        assert_eq!(memory.remember(opened(number, None), start), expected, "{number}");
        assert_eq!(memory.is_nearly_full(), nearly, "{number}");
    }
    assert_eq!(memory.len(), 4);
    assert!(memory.forget(&stream(1)) && !memory.forget(&stream(1)));
    assert_eq!(memory.remember(opened(5, None), start), Taken::Yes);
}

#[test]
fn the_same_number_of_another_process_or_client_is_another_stream() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    let ours = opened(1, None);
    let processes = Stream { process: 43, ..ours.stream };
    let clients = Stream { client: "192.0.2.7:6".parse().ok(), ..ours.stream };
    let over_unix = Stream { client: None, ..ours.stream };
    for stream in [ours.stream, processes, clients, over_unix] {
        memory.remember(Opened { stream, ..ours.clone() }, start);
    }
    memory.look(start, NOW, |_| false);
    memory.judged(&processes, Judged::Refused(Reject::Revoked), start);
    assert_eq!(memory.ending(start), [processes]);
    assert_eq!(memory.cause(&processes), Some(Cause::Refused(Reject::Revoked)));
    assert_eq!(memory.cause(&clients), None);
    assert_eq!(memory.len(), 4);
}

#[test]
fn a_stream_that_is_told_of_again_is_known_since_then() {
    let mut memory = Memory::new(terms(9, None));
    let first = opened(1, None);
    let again =
        Opened { stream: Stream { since: first.stream.since + SECOND, ..first.stream }, ..first.clone() };
    memory.remember(first.clone(), Instant::now());
    memory.remember(again, Instant::now());
    let known: Vec<_> = memory.streams().iter().map(|stream| stream.since).collect();
    assert_eq!(known, [first.stream.since + SECOND]);
}

#[test]
fn what_goes_on_is_told_again_each_second_and_what_cannot_be_reached_is_given_up_after_an_hour() {
    for (why, is_given_up) in [(GoesOn::Unreachable, true), (GoesOn::Remains, false)] {
        let start = Instant::now();
        let mut memory = Memory::new(terms(9, None));
        let going_on =
            |memory: &Memory| [GoesOn::Unreachable, GoesOn::Remains].map(|why| memory.going_on(why));
        memory.remember(opened(1, Some(NOW)), start);
        memory.look(start, NOW, |_| true);
        assert_eq!(going_on(&memory), [0, 0], "{why:?}");
        assert!(!memory.goes_on(&stream(1), why, start));
        let counts = if is_given_up { [1, 0] } else { [0, 1] };
        assert_eq!((going_on(&memory), ending(&memory, start)), (counts, vec![]), "{why:?}");
        memory.look(start, NOW, |_| true);
        assert_eq!(ending(&memory, start + SECOND), [(1, "expired")], "{why:?}");
        assert!(!memory.goes_on(&stream(1), why, start + 3599 * SECOND));
        assert_eq!(memory.goes_on(&stream(1), why, start + 3600 * SECOND), is_given_up, "{why:?}");
        assert_eq!(memory.is_empty(), is_given_up, "{why:?}");
    }
}

/// One whose end HAProxy was told at a moment, by its word.
fn told(memory: &mut Memory, number: u64, at: Instant) -> Stream {
    let opened = opened(number, Some(NOW));
    let stream = opened.stream;
    memory.remember(opened, at);
    memory.look(at, NOW, |_| true);
    assert_eq!(memory.told(&stream, at), Some(Cause::Refused(Reject::Expired)));
    stream
}

#[test]
fn what_haproxy_was_told_to_end_is_open_no_more_and_looked_for_until_a_list_has_it_not() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(2, None));
    let first = told(&mut memory, 1, start);
    assert!(memory.is_empty() && !memory.has_ending(start + 3600 * SECOND));
    assert_eq!((memory.streams(), memory.told(&first, start)), (vec![first], None));
    memory.shown(&first, start, start + SECOND);
    memory.shown(&first, start + LEAVING - PAUSE, start + SECOND);
    assert_eq!(memory.going_on(GoesOn::Remains), 0, "HAProxy takes a moment");
    assert!(!memory.closed(&first), "it has not ended by itself");
    assert_eq!(memory.streams(), []);
    for number in 2..9 {
        told(&mut memory, number, start);
    }
    assert_eq!(memory.streams().len(), 2, "no more than may be open");
    memory.look(start + 3599 * SECOND, NOW, |_| true);
    assert_eq!(memory.streams().len(), 2);
    memory.look(start + 3600 * SECOND, NOW, |_| true);
    assert_eq!(memory.streams(), [], "no list has come");
}

#[test]
fn what_haproxy_was_told_to_end_and_still_has_remains_until_it_is_closed() {
    let start = Instant::now();
    let later = start + LEAVING;
    let mut memory = Memory::new(terms(9, None));
    let stream = told(&mut memory, 1, start);
    memory.shown(&stream, later, later);
    assert_eq!((memory.going_on(GoesOn::Remains), ending(&memory, later)), (1, vec![]));
    let again = later + SECOND;
    assert_eq!(ending(&memory, again), [(1, "expired")]);
    assert_eq!(memory.told(&stream, again), None, "it is counted once");
    assert_eq!(memory.going_on(GoesOn::Remains), 1);
    memory.shown(&stream, again + LEAVING, again + LEAVING);
    assert_eq!(ending(&memory, again + LEAVING + SECOND), [], "less and less often");
    assert_eq!(ending(&memory, again + LEAVING + 2 * SECOND), [(1, "expired")]);
    assert!(!memory.closed(&stream), "it has not ended by itself");
    assert_eq!((memory.going_on(GoesOn::Remains), memory.streams()), (0, vec![]));
}

#[test]
fn one_that_remains_and_cannot_be_reached_for_a_while_is_counted_once() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    let stream = told(&mut memory, 1, start);
    memory.shown(&stream, start + LEAVING, start + LEAVING);
    assert!(!memory.goes_on(&stream, GoesOn::Unreachable, start + SECOND));
    assert_eq!(memory.told(&stream, start + 3 * SECOND), None);
    assert!(!memory.closed(&stream), "it has not ended by itself");
}

#[test]
fn one_that_is_told_of_anew_is_open_whatever_haproxy_was_told_before() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    let stream = told(&mut memory, 1, start);
    memory.remember(Opened { stream, ..opened(1, None) }, start);
    assert_eq!((memory.len(), memory.streams()), (1, vec![stream]));
    assert!(memory.closed(&stream), "it ended by itself");
}

#[test]
fn what_haproxy_still_has_is_told_to_end_less_and_less_often() {
    let start = Instant::now();
    let mut memory = Memory::new(terms(9, None));
    memory.remember(opened(1, Some(NOW)), start);
    memory.look(start, NOW, |_| true);
    let mut at = start;
    for pause in [1, 2, 4, 8, 16, 32, 64, 64] {
        assert_eq!(ending(&memory, at), [(1, "expired")]);
        assert!(!memory.goes_on(&stream(1), GoesOn::Remains, at));
        assert!(!memory.has_ending(at + pause * SECOND - PAUSE), "{pause}");
        at += pause * SECOND;
    }
    for _ in 0..3 {
        assert!(!memory.goes_on(&stream(1), GoesOn::Unreachable, at));
        at += SECOND;
        assert_eq!(ending(&memory, at), [(1, "expired")], "a way may be there at any time");
    }
}
