//! HAProxy's runtime API ends exactly the streams that are named, whatever stands beside them, and says what became of each.

#[path = "open_streams/application.rs"]
mod application;
#[path = "open_streams/others.rs"]
mod others;
#[path = "open_streams/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use integration_tests::http2::statuses;
use integration_tests::process::Signal;
use integration_tests::wait::{DEADLINE, eventually};
use jwt_agent::haproxy::streams::End;
use jwt_agent::request::Stream;
use others::Others;
use world::{Told, World};

#[test]
fn exactly_the_named_stream_ends_wherever_its_client_comes_from() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    let unix = world.web();
    for (what, address, path) in [
        ("IPv4", &world.v4, "/v4"),
        ("IPv6", &world.v6, "/v6"),
        ("a unix socket", &unix, "/unix"),
        ("the PROXY protocol", &world.proxied, "/proxied"),
        ("another source", &world.v4, "/set-src"),
    ] {
        let [mut one, mut two, mut three] =
            ["/1", "/2", "/3"].map(|name| world.open(address, &format!("{name}{path}")));
        assert_eq!(told.end(&[two.stream]), [End::Ended], "{what}, younger than any look");
        two.ends(what);
        let streams = [one.stream, two.stream, three.stream];
        assert_eq!(told.is_open(&streams), [true, false, true], "{what}");
        assert_eq!(told.end(&[three.stream, two.stream]), [End::Ended, End::Gone], "{what}, once looked at");
        three.ends(what);
        assert!(world.has(&one.stream), "{what}");
        assert_eq!(told.end(&streams), [End::Ended, End::Gone, End::Gone], "{what}");
        one.ends(what);
        assert_eq!(told.is_open(&streams), [false; 3], "{what}");
    }
}

#[test]
fn streams_of_one_connection_of_http_2_are_told_apart() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    let paths: Vec<String> = (0..10).map(|number| format!("/{number}")).collect();
    let requests: Vec<_> = paths.iter().map(|path| (path.as_str(), Vec::new())).collect();
    let mut connection = world.http_2.connect(DEADLINE).unwrap();
    assert_eq!(statuses(&mut connection, &requests).unwrap(), [200; 10]);
    let streams: Vec<Stream> = paths.iter().map(|path| world.stream(path)).collect();
    let numbers = |streams: &[Stream]| streams.iter().map(|stream| stream.number).collect::<BTreeSet<_>>();
    assert_eq!(numbers(&streams).len(), 10);
    assert_eq!(told.end(&streams[3..5]), [End::Ended; 2]);
    assert_eq!(told.is_open(&streams), [true, true, true, false, false, true, true, true, true, true]);
    assert_eq!(told.end(&streams[9..]), [End::Ended]);
    let there = &world.numbers() & &numbers(&streams);
    assert_eq!(there, &numbers(&streams[..3]) | &numbers(&streams[5..9]), "and no neighbour");
}

#[test]
fn a_stream_is_found_among_more_of_its_client_than_are_looked_at_each() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    let open: Vec<_> = (0..260).map(|number| world.open(&world.web(), &format!("/{number}"))).collect();
    assert_eq!(told.end(&[open[130].stream]), [End::Ended]);
    let streams: Vec<Stream> = open.iter().map(|open| open.stream).collect();
    let closed: Vec<_> = told.is_open(&streams).into_iter().enumerate().filter(|(_, open)| !open).collect();
    assert_eq!(closed, [(130, false)]);
    let ends = told.end(&streams);
    assert_eq!(ends.iter().filter(|end| **end == End::Ended).count(), 259);
    assert_eq!(ends[130], End::Gone);
}

#[test]
fn an_end_does_not_wait_for_a_list_that_is_under_way() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    told.keep();
    let mut open = ["/1", "/2"].map(|path| world.open(&world.v4, path));
    let streams = open.each_ref().map(|open| open.stream);
    for (what, open) in ["younger than any list", "where a list has shown it"].into_iter().zip(&mut open) {
        assert_eq!(told.end_meanwhile(&streams, open.stream), [(open.stream, End::Ended)], "{what}");
        open.ends(what);
    }
}

/// HAProxy ends a list at a connection of its stats socket that has asked meanwhile (`haproxy::streams::turn`).
#[test]
fn nothing_is_gone_because_others_ask_haproxy_for_streams_meanwhile() {
    const COUNT: usize = 150;
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    told.keep();
    let mut open = world.open_many("first", COUNT);
    // On each thread of HAProxy, in the midst of the streams.
    let others = Others::start(world.socket(), 4);
    open.extend(world.open_many("last", COUNT));
    let streams: Vec<Stream> = open.iter().map(|open| open.stream).collect();
    for _ in 0..4 {
        assert_eq!(told.is_open(&streams), [true; 2 * COUNT]);
    }
    for open in &mut open[2 * COUNT - 2..] {
        assert_eq!(told.end(&[open.stream]), [End::Ended]);
        open.ends("others ask");
    }
    others.end();
    let left = [[true; 2 * COUNT - 2].as_slice(), &[false; 2]].concat();
    assert_eq!(told.is_open(&streams), left, "it can be told again");
    assert_eq!(told.end(&streams)[..2 * COUNT - 2], [End::Ended; 2 * COUNT - 2]);
}

#[test]
fn who_asks_the_same_haproxy_in_the_same_moment_learns_all_the_same_what_is_gone() {
    let world = World::start();
    let mut open = world.open_many("stream", 100);
    let streams: Vec<Stream> = open.iter().map(|open| open.stream).collect();
    let gone = &streams[50..];
    open.truncate(50);
    eventually("they are gone", || gone.iter().all(|stream| !world.has(stream)).then_some(()));
    // Two agents, of which the second has two sockets of one process.
    thread::scope(|scope| {
        for sockets in [vec![world.socket()], vec![world.socket(), world.socket()]] {
            scope.spawn(|| {
                let mut told = Told::over(sockets);
                told.keep();
                for _ in 0..20 {
                    assert_eq!(told.end(gone), [End::Gone; 50]);
                }
            });
        }
    });
    let mut told = Told::new([world.socket()]);
    assert_eq!(told.end(&streams)[..50], [End::Ended; 50]);
}

#[test]
fn our_own_questions_keep_no_list_from_being_whole() {
    let world = World::start();
    let open = world.open_many("stream", 100);
    let streams: Vec<Stream> = open.iter().map(|open| open.stream).collect();
    // Its connections are younger than the streams.
    let mut told = Told::new([world.socket()]);
    told.keep();
    for (number, stream) in streams.iter().enumerate() {
        assert_eq!(told.end_meanwhile(&streams, *stream), [(*stream, End::Ended)]);
        let closed = told.is_open(&streams).into_iter().filter(|open| !open).count();
        assert_eq!(closed, number + 1);
    }
}

#[test]
fn a_stream_is_never_taken_for_another_one() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    let mut open = world.open(&world.v4, "/");
    let stream = open.stream;
    let old = stream.since.checked_sub(Duration::from_secs(3600)).unwrap();
    let foreign = Stream { client: Some("192.0.2.7:5".parse().unwrap()), ..stream };
    let other = Stream { process: stream.process + 1, ..stream };
    let later = Stream { number: stream.number + 1_000, ..stream };
    let former = Stream { since: old, ..stream };
    for (what, name, end, is_open) in [
        ("its number with another client", foreign, End::Unreachable, true),
        ("its number of another process", other, End::Unreachable, true),
        ("a number that is not there", later, End::Gone, false),
        ("its number, told of before the process began", former, End::Gone, false),
    ] {
        for _ in 0..2 {
            assert_eq!(told.end(&[name]), [end], "{what}");
            assert_eq!(told.is_open(&[name]), [is_open], "{what}");
        }
        assert!(world.has(&stream), "{what}");
    }
    assert_eq!(told.end(&[stream]), [End::Ended]);
    open.ends("the stream itself");
}

#[test]
fn a_stream_that_haproxy_does_not_end_is_shown_as_open_and_is_ended_when_its_client_leaves() {
    let world = World::start();
    let mut told = Told::new([world.socket()]);
    let open = world.open_web_socket("/ws");
    let stream = open.stream;
    open.connection.half_close().unwrap();
    eventually("HAProxy has read that", || world.is_half_closed("/ws").then_some(()));
    for _ in 0..2 {
        assert_eq!(told.end(&[stream]), [End::Ended], "HAProxy takes the command");
        assert!(world.has(&stream), "and does nothing");
        assert_eq!(told.is_shown(&[stream]), [true]);
        assert_eq!(told.is_open(&[stream]), [true]);
    }
    drop(open);
    eventually("its client has left", || (told.end(&[stream]) == [End::Gone]).then_some(()));
    assert_eq!(told.is_shown(&[stream]), [false]);
}

#[test]
fn a_former_process_is_told_over_the_connection_that_was_kept() {
    tell_a_former_process(World::start());
}

#[test]
fn a_former_worker_of_a_master_is_told_over_the_connection_that_was_kept() {
    tell_a_former_process(World::of_master());
}

fn tell_a_former_process(mut world: World) {
    let mut told = Told::new([world.socket()]);
    told.keep();
    let [mut one, mut two] = ["/1", "/2"].map(|path| world.open(&world.v4, path));
    world.reload();
    told.keep();
    let three = world.open(&world.v4, "/3");
    let streams = [one.stream, two.stream, three.stream];
    assert_ne!(one.stream.process, three.stream.process);
    assert_eq!(told.is_open(&streams), [true; 3]);
    let mut late = Told::new([world.socket()]);
    assert_eq!(late.end(&streams[..2]), [End::Unreachable; 2], "no socket leads there any more");
    assert_eq!(late.is_open(&streams), [true; 3]);
    assert_eq!(told.end(&streams[..1]), [End::Ended]);
    one.ends("a stream of a former process");
    assert_eq!(told.is_open(&streams), [false, true, true]);
    assert_eq!(told.end(&streams[1..2]), [End::Ended]);
    two.ends("another one");
    eventually("the former process ends, as nothing keeps it", || {
        told.keep();
        world.has_ended(one.stream.process).then_some(())
    });
    assert_eq!(told.end(&streams[..2]), [End::Gone; 2]);
    assert_eq!(told.is_open(&streams), [false, false, true]);
    assert!(world.has(&three.stream));
}

#[test]
fn streams_of_a_process_that_has_ended_are_gone_and_the_next_one_is_told_of_its_own() {
    let mut world = World::start();
    let mut told = Told::new([world.socket()]);
    told.keep();
    let before = world.open(&world.v4, "/").stream;
    world.haproxy.kill();
    assert_eq!(told.is_open(&[before]), [false]);
    assert_eq!(told.end(&[before]), [End::Gone]);
    let mut late = Told::new([world.socket()]);
    assert_eq!(late.end(&[before]), [End::Unreachable], "it knows nothing of that process");
    world.restart();
    let mut after = world.open(&world.v4, "/");
    assert_eq!(told.end(&[before, after.stream]), [End::Gone, End::Ended]);
    after.ends("the stream of the next process");
}

#[test]
fn a_haproxy_that_hangs_keeps_no_stream_of_another_one_open() {
    let (hanging, other) = (World::start(), World::start());
    let mut told = Told::new([hanging.socket(), other.socket()]);
    told.keep();
    let (mut one, mut two) = (hanging.open(&hanging.v4, "/"), other.open(&other.v4, "/"));
    hanging.haproxy.freeze();
    assert_eq!(told.end(&[one.stream, two.stream]), [End::Unreachable, End::Ended]);
    two.ends("the stream of the other one");
    assert_eq!(told.is_open(&[one.stream]), [true]);
    hanging.haproxy.signal(Signal::CONT);
    eventually("it goes on", || (told.end(&[one.stream]) == [End::Ended]).then_some(()));
    one.ends("the stream of the one that hung");
}

#[test]
fn a_socket_that_may_not_end_streams_reaches_none() {
    let world = World::start_with("operator");
    let mut told = Told::new([world.socket()]);
    let open = world.open(&world.v4, "/");
    assert_eq!(told.end(&[open.stream]), [End::Unreachable]);
    assert_eq!(told.is_open(&[open.stream]), [true]);
    assert!(world.has(&open.stream));
}
