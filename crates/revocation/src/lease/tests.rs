use std::sync::atomic::Ordering;

use super::*;

const TERMS: Terms = Terms { ttl: Duration::from_secs(2), ttl_max: Duration::from_secs(300) };

struct Agent {
    lease: Lease,
    start: Instant,
}

impl Agent {
    fn new(terms: Terms) -> Self {
        Self { lease: Lease::new(terms), start: Instant::now() }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.start + Duration::from_secs(seconds)
    }

    /// A poll that was sent at one second and answered in the same.
    fn hear(&mut self, server: u64, second: u64, revision: u64, age: Option<u64>, changes: Changes) {
        let (sent, epoch) = (self.at(second), format!("epoch{server}"));
        let events = Events { store_id: "s".into(), epoch, revision, complete_as_of: age, changes };
        self.lease.hear(ServerId(server), sent, sent, &events);
    }

    fn stamp(&self, server: u64, second: u64, revision: u64) -> Stamp {
        let epoch = format!("epoch{server}").into();
        Stamp {
            server: ServerId(server),
            epoch,
            revision,
            vouched: true,
            asked: self.at(second),
            read: self.at(second),
            until: None,
        }
    }

    fn allows(&self, stamp: &Stamp, second: u64) -> bool {
        self.lease.allows(stamp, Some("anna"), self.at(second)).is_some()
    }
}

fn groups(names: &[&str]) -> Changes {
    Changes::Groups(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn a_verdict_ends_when_its_server_says_whatever_is_heard() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(0), Changes::Everything);
    let stamps = [30, 1, 0].map(|seconds| {
        let result = CheckResult { vouched: true, use_for: Some(seconds * 1_000), ..CheckResult::default() };
        (Stamp::of(&result, ServerId(0), "epoch0".into(), 5, agent.at(10)), 10 + seconds)
    });
    for second in 10..=41 {
        agent.hear(0, second, 5, Some(0), groups(&[]));
        for (stamp, last) in &stamps {
            let expected = (second <= *last).then(|| agent.at(*last));
            assert_eq!(agent.allows(stamp, second), expected.is_some(), "{second} of {last}");
            let term = agent.lease.term(stamp, Some("anna"), agent.at(second));
            assert_eq!(term, expected, "{second} of {last}");
        }
        assert!(agent.allows(&agent.stamp(0, 10, 5), second), "others go on");
    }
}

#[test]
fn without_a_feed_the_short_time_holds() {
    let agent = Agent::new(TERMS);
    let stamp = agent.stamp(0, 10, 5);
    assert!(agent.allows(&stamp, 12) && !agent.allows(&stamp, 13));
    let never = Agent::new(Terms { ttl: Duration::ZERO, ..TERMS });
    assert!(!never.allows(&never.stamp(0, 10, 5), 10));
}

#[test]
fn a_server_that_is_heard_extends_what_it_vouches_for() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(500), Changes::Everything);
    let stamp = agent.stamp(0, 10, 5);
    let unvouched = Stamp { vouched: false, ..stamp.clone() };
    let stranger = Stamp { epoch: "other".into(), ..stamp.clone() };
    let earlier = agent.stamp(0, 10, 4);
    agent.hear(0, 100, 5, Some(500), groups(&["ben"]));
    assert!(agent.allows(&stamp, 101) && !agent.allows(&stamp, 102), "silent for longer than the ttl");
    for other in [unvouched, stranger, earlier] {
        assert!(!agent.allows(&other, 101), "{other:?}");
    }
    agent.hear(0, 101, 5, None, groups(&[]));
    assert!(!agent.allows(&stamp, 101), "it may miss changes");
    agent.hear(0, 311, 5, Some(0), groups(&[]));
    assert!(!agent.allows(&stamp, 311), "the longest time has passed");
}

#[test]
fn what_is_vouched_for_ends_when_its_rules_would_be_read_again() {
    for (ttl_max, read, last) in [(300, 10, 309), (300, 100, 399), (30, 10, 129), (600, 10, 609)] {
        let mut agent = Agent::new(Terms { ttl_max: Duration::from_secs(ttl_max), ..TERMS });
        agent.hear(0, 100, 5, Some(0), Changes::Everything);
        let stamp = Stamp { read: agent.at(read), ..agent.stamp(0, 100, 5) };
        for second in [last, last + 2] {
            agent.hear(0, second, 5, Some(0), groups(&[]));
            assert_eq!(agent.allows(&stamp, second), second == last, "{ttl_max} s, read at {read}");
        }
    }
}

#[test]
fn a_change_ends_what_was_asked_before_it_also_of_other_servers() {
    for changed in ["anna", "g"] {
        let mut agent = Agent::new(TERMS);
        agent.hear(0, 10, 5, Some(0), Changes::Everything);
        agent.hear(1, 10, 70, Some(0), Changes::Everything);
        let (own, other) = (agent.stamp(0, 10, 5), agent.stamp(1, 10, 70));
        assert!(agent.allows(&own, 11) && agent.allows(&other, 11));
        agent.hear(0, 11, 6, Some(0), groups(&[changed]));
        assert!(!agent.allows(&own, 11) && !agent.allows(&other, 11));
        assert!(agent.allows(&agent.stamp(0, 11, 6), 11));
        assert!(!agent.allows(&agent.stamp(1, 11, 70), 11), "the other server may not have heard it");
        agent.hear(1, 12, 71, Some(2_000), groups(&[]));
        assert!(!agent.allows(&agent.stamp(1, 12, 71), 12), "it speaks of an earlier moment");
        agent.hear(1, 13, 71, Some(500), groups(&[]));
        assert!(agent.allows(&agent.stamp(1, 13, 71), 13));
        assert!(!agent.allows(&other, 11));
        let unvouched = |server, revision| Stamp { vouched: false, ..agent.stamp(server, 13, revision) };
        assert!(agent.allows(&unvouched(0, 6), 13), "it told of the change, and read anew");
        assert!(!agent.allows(&unvouched(1, 71), 13), "it may not have been able to read anew");
    }
}

#[test]
fn a_server_that_starts_again_begins_anew() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(0), Changes::Everything);
    let stamp = agent.stamp(0, 10, 5);
    assert_eq!(agent.lease.since(ServerId(0)), Some(Since { epoch: "epoch0".into(), revision: 5 }));
    assert_eq!(agent.lease.since(ServerId(1)), None);
    let events = Events {
        store_id: "s".into(),
        epoch: "another".into(),
        revision: 0,
        complete_as_of: Some(0),
        changes: Changes::Everything,
    };
    agent.lease.hear(ServerId(0), agent.at(13), agent.at(13), &events);
    assert!(!agent.allows(&stamp, 13));
}

#[test]
fn a_server_that_may_have_missed_changes_covers_what_was_asked_since_alone() {
    for (what, revision, first, second) in [
        ("it says so", 5, Changes::Everything, Changes::Everything),
        ("it is another one", 9, groups(&[]), groups(&["ben"])),
    ] {
        let mut agent = Agent::new(TERMS);
        agent.hear(0, 10, revision, Some(0), first);
        agent.hear(0, 12, 9, Some(0), second);
        let (before, since) = (agent.stamp(0, 10, 5), agent.stamp(0, 10, 9));
        assert!(!agent.allows(&before, 13), "{what}");
        assert!(agent.allows(&since, 13), "{what}");
    }
}

#[test]
fn a_server_knows_of_a_change_that_it_had_heard_of_at_that_very_moment() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(0), Changes::Everything);
    agent.hear(1, 10, 70, Some(0), Changes::Everything);
    agent.hear(0, 11, 6, Some(0), groups(&["anna"]));
    agent.hear(1, 11, 70, Some(1), groups(&[]));
    assert!(!agent.allows(&agent.stamp(1, 11, 70), 11), "it speaks of a moment before");
    agent.hear(1, 11, 70, Some(0), groups(&[]));
    assert!(agent.allows(&agent.stamp(1, 11, 70), 11));
}

#[test]
fn too_many_changes_to_remember_drop_everything_from_before() {
    let mut agent = Agent::new(TERMS);
    let names = |count: usize| Changes::Groups((0..count).map(|number| number.to_string()).collect());
    let stamp = agent.stamp(0, 10, 5);
    assert!(agent.allows(&stamp, 11));
    agent.hear(0, 11, 5, Some(0), names(MAX_CHANGED));
    assert!(agent.allows(&stamp, 11), "so many are remembered");
    agent.hear(0, 11, 6, Some(0), names(MAX_CHANGED + 1));
    assert!(!agent.allows(&stamp, 11));
    assert!(agent.allows(&agent.stamp(0, 11, 6), 11));
}

#[test]
fn servers_come_and_go() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(0), Changes::Everything);
    agent.hear(0, 11, 6, Some(0), groups(&["anna"]));
    agent.hear(7, 12, 70, None, Changes::Everything);
    let newcomers = agent.stamp(7, 12, 70);
    assert!(!agent.allows(&newcomers, 12), "it may not have heard of the change");
    agent.hear(7, 13, 70, Some(0), groups(&[]));
    assert!(agent.allows(&newcomers, 13));
    let stamp = agent.stamp(0, 13, 6);
    agent.hear(0, 14, 6, Some(0), groups(&[]));
    assert!(agent.allows(&stamp, 16));
    agent.lease.leave(ServerId(0));
    assert!(!agent.allows(&stamp, 16), "no server vouches for it any more");
    assert_eq!(agent.lease.since(ServerId(0)), None);
}

#[test]
fn a_change_is_remembered_as_long_as_a_verdict_from_before_it_may_live() {
    let mut agent = Agent::new(TERMS);
    agent.hear(0, 10, 5, Some(0), Changes::Everything);
    for second in 11..1_000 {
        agent.hear(0, second, second, Some(0), groups(&["anna", if second % 2 == 0 { "ben" } else { "g" }]));
        assert_eq!(agent.lease.changed.len(), agent.lease.order.len());
    }
    assert_eq!(agent.lease.changed.len(), 3);
    agent.hear(0, 1_300, 1_000, Some(0), groups(&["carl"]));
    assert_eq!(agent.lease.order.values().map(|group| &**group).collect::<Vec<_>>(), ["carl"]);
}

/// What the lease says to a word is what it would say to its stamp at each moment, asked in any order.
#[test]
fn a_word_that_was_asked_about_is_treated_as_one_that_was_not() {
    let shared = SharedLease::new(TERMS, Instant::now());
    let start = Instant::now();
    let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
    let hear = |moment: u64, revision: u64, age: Option<u64>, changes: Changes| {
        let events =
            Events { store_id: "s".into(), epoch: "e".into(), revision, complete_as_of: age, changes };
        shared.hear(ServerId(0), at(moment), at(moment), &events);
    };
    let word = |revision: u64| {
        let stamp = Stamp {
            server: ServerId(0),
            epoch: "e".into(),
            revision,
            vouched: true,
            asked: at(0),
            read: at(0),
            until: None,
        };
        Word::new(stamp, Some("anna".into()))
    };
    let words = [word(5), word(5)];
    let check = |moment: u64, expected: bool| {
        assert_eq!(shared.allows(&words[0], at(moment)), expected, "asked each time, {moment} ms");
        assert_eq!(shared.allows(&words[0], at(moment)), expected, "asked twice, {moment} ms");
        assert_eq!(shared.allows(&word(5), at(moment)), expected, "asked once, {moment} ms");
    };
    check(0, true);
    check(2_000, true);
    assert!(!shared.allows(&words[0], at(2_000) + Duration::from_nanos(1)), "a moment later");
    check(2_001, false);
    hear(2_100, 5, Some(0), Changes::Everything);
    assert!(shared.allows(&words[1], at(2_100)));
    check(4_100, true);
    check(4_101, false);
    hear(4_200, 5, None, groups(&[]));
    check(4_200, false);
    hear(4_300, 6, Some(0), groups(&["ben"]));
    check(4_300, true);
    hear(4_400, 7, Some(0), groups(&["anna"]));
    check(4_400, false);
    assert!(!shared.allows(&words[1], at(4_400)), "asked long ago");
    let fresh = word(7);
    assert!(shared.allows(&fresh, at(4_400)));
    shared.leave(ServerId(0));
    assert!(!shared.allows(&fresh, at(1_000)), "of an epoch that no server has");
}

#[test]
fn a_shared_lease_tells_what_to_ask_for_next_and_a_word_how_long_it_is() {
    let now = Instant::now();
    let shared = SharedLease::new(TERMS, now);
    assert!(shared.allows_reuse());
    assert_eq!(shared.since(ServerId(3)), None);
    let events = Events {
        store_id: "s".into(),
        epoch: "epoch".into(),
        revision: 8,
        complete_as_of: None,
        changes: Changes::Everything,
    };
    shared.hear(ServerId(3), now, now, &events);
    assert_eq!(shared.since(ServerId(3)), Some(Since { epoch: "epoch".into(), revision: 8 }));
    let stamp = Stamp {
        server: ServerId(3),
        epoch: "epoch".into(),
        revision: 8,
        vouched: true,
        asked: now,
        read: now,
        until: None,
    };
    assert_eq!(Word::new(stamp.clone(), Some("anna".into())).text_bytes(), 9);
    assert_eq!(Word::new(stamp, None).text_bytes(), 5);
}

#[test]
fn without_a_time_to_live_no_word_is_used_again() {
    let shared = SharedLease::new(Terms { ttl: Duration::ZERO, ..TERMS }, Instant::now());
    assert!(!shared.allows_reuse());
    let now = Instant::now();
    let stamp = Stamp {
        server: ServerId(0),
        epoch: "e".into(),
        revision: 1,
        vouched: true,
        asked: now,
        read: now,
        until: None,
    };
    assert!(!shared.allows(&Word::new(stamp, None), now));
}

#[test]
fn threads_that_ask_never_see_a_change_late() {
    let shared = SharedLease::new(TERMS, Instant::now());
    let now = Instant::now();
    let told = std::sync::atomic::AtomicU64::new(0);
    let hear = |revision: u64| {
        let (store_id, epoch, changes) = ("s".into(), "e".into(), groups(&["anna"]));
        let events = Events { store_id, epoch, revision, complete_as_of: Some(0), changes };
        shared.hear(ServerId(0), now, now, &events);
    };
    let words: Vec<_> = (1..=1_000)
        .map(|revision| {
            let epoch = "e".into();
            let stamp = Stamp {
                server: ServerId(0),
                epoch,
                revision,
                vouched: true,
                asked: now,
                read: now,
                until: None,
            };
            Word::new(stamp, Some("anna".into()))
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let known = told.load(Ordering::Acquire);
                    for (revision, word) in (1..).zip(&words) {
                        let allowed = shared.allows(word, now);
                        assert!(!allowed || revision >= known, "{revision} was used after {known}");
                    }
                    if known == 1_000 {
                        return;
                    }
                }
            });
        }
        for revision in 1..=1_000 {
            hear(revision);
            told.store(revision, Ordering::Release);
        }
    });
    assert!(shared.allows(&words[999], now));
}
