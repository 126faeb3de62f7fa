use super::super::entry::Layout;
use super::*;

const TERMS: Terms = Terms { lease: Duration::from_secs(2), entry: Duration::from_secs(60), entries: 3 };
const SERVER: ServerId = ServerId(7);
const TODAY: i64 = 1_700_000_000_000;

/// A ledger and the clocks that it is asked at.
struct World {
    ledger: Ledger,
    start: Instant,
    at: u64,
}

impl World {
    /// Connected, by its own word alone.
    fn alone() -> Self {
        Self::on(TERMS)
    }

    fn on(terms: Terms) -> Self {
        let mut ledger = Ledger::new("agent", terms);
        ledger.connect([], UnixTime::from_millis(TODAY));
        let mut world = Self { ledger, start: Instant::now(), at: 0 };
        assert!(world.next().clear, "nothing is known of what HAProxy had");
        world
    }

    /// Connected, with a server that vouches.
    fn with_server() -> Self {
        let mut world = Self::alone();
        world.hear(Some(0), Changes::Everything);
        world.next();
        world
    }

    fn moment(&self) -> Moment {
        let now = UnixTime::from_millis(TODAY + i64::try_from(self.at).unwrap());
        Moment { at: self.start + Duration::from_millis(self.at), now }
    }

    fn next(&mut self) -> Batch {
        let moment = self.moment();
        self.ledger.next(true, moment)
    }

    fn hear(&mut self, complete_as_of: Option<u64>, changes: Changes) {
        self.hear_of(SERVER, "e", complete_as_of, changes);
    }

    fn hear_of(&mut self, server: ServerId, epoch: &str, complete_as_of: Option<u64>, changes: Changes) {
        let (store_id, epoch) = ("s".to_owned(), epoch.to_owned());
        let events = Events { store_id, epoch, revision: 1, complete_as_of, changes };
        self.ledger.hear(server, self.moment().at, &events);
    }

    fn offer(&mut self, token: &str, server: Option<ServerId>) -> Taken {
        self.offer_until(token, server, None, 300)
    }

    fn offer_until(&mut self, token: &str, server: Option<ServerId>, end: Option<i64>, term: u64) -> Taken {
        let moment = self.moment();
        let offer = Offer {
            key: key(token),
            basis: self.ledger.basis,
            subject: Some("anna".into()),
            server,
            end: end.map(|end| UnixTime::from_millis(TODAY + end)),
            fields: "7|".into(),
        };
        self.ledger.offer(&offer, || Some(moment.at + Duration::from_secs(term)), moment)
    }
}

/// A verdict that rests on no server's word.
fn token(token: &str) -> Offer {
    let (key, basis) = (key(token), Basis::default());
    Offer { key, basis, subject: None, server: None, end: None, fields: "7|".into() }
}

fn key(token: &str) -> Key {
    Key::of(token, &Layout::default(), "").unwrap()
}

fn groups(groups: &[&str]) -> Changes {
    Changes::Groups(groups.iter().map(|group| (*group).to_owned()).collect())
}

fn time(millis: i64) -> UnixTime {
    UnixTime::from_millis(TODAY + millis)
}

#[test]
fn a_verdict_is_written_with_its_lease_behind_it() {
    let mut world = World::alone();
    assert_eq!(world.offer("a", None), Taken::Yes);
    let batch = world.next();
    assert_eq!(batch.adds, [(key("a"), format!("7|agent.1.-|{}", TODAY + 60_000))]);
    assert_eq!(batch.leases, [("agent.1.-".to_owned(), time(2000), false)]);
    assert!(world.next().is_empty(), "all has been told");
    world.at = 250;
    assert_eq!(world.next().leases, [("agent.1.-".to_owned(), time(2250), true)]);
}

#[test]
fn the_lease_of_a_servers_word_is_counted_from_when_it_vouched_and_ends_with_its_silence() {
    let mut world = World::with_server();
    world.at = 1000;
    world.hear(Some(700), groups(&[]));
    assert_eq!(world.offer("a", Some(SERVER)), Taken::Yes);
    assert_eq!(world.next().leases[0].1, time(2300), "2 s from 0.7 s ago");
    world.at = 1500;
    assert_eq!(world.next().leases[0].1, time(2300), "nothing was heard since");
    world.at = 2300;
    assert_eq!(world.next(), Batch::default(), "it is over");
    assert_eq!(world.offer("b", Some(SERVER)), Taken::No);
    world.hear(None, groups(&[]));
    assert_eq!(world.offer("b", Some(SERVER)), Taken::No, "it does not vouch");
    world.hear(Some(0), groups(&[]));
    assert_eq!(world.next().leases[0].1, time(4300), "the entry counts again");
}

#[test]
fn no_lease_is_further_ahead_than_haproxy_takes_one() {
    let mut world = World::on(Terms { lease: Duration::from_secs(600), ..TERMS });
    world.offer("a", None);
    assert_eq!(world.next().leases[0].1, time(5000));
}

#[test]
fn a_change_of_a_subject_deletes_its_entries_before_any_lease_is_renewed() {
    let mut world = World::with_server();
    for token in ["a", "b"] {
        assert_eq!(world.offer(token, Some(SERVER)), Taken::Yes);
    }
    world.next();
    world.at = 300;
    world.hear(Some(0), groups(&["ben"]));
    assert_eq!(world.next().voids, []);
    world.hear(Some(0), groups(&["anna"]));
    let mut voids = world.next().voids;
    voids.sort_unstable();
    let mut expected = vec![key("a"), key("b")];
    expected.sort_unstable();
    assert_eq!((voids, world.ledger.entries()), (expected, 0));
}

#[test]
fn what_was_not_told_yet_is_not_told_once_its_subject_changes() {
    let mut world = World::with_server();
    world.offer("a", Some(SERVER));
    world.hear(Some(0), groups(&["anna"]));
    assert_eq!(world.next().adds, []);
}

#[test]
fn while_deletions_are_due_no_lease_is_renewed_and_nothing_is_written() {
    let mut world = World::on(Terms { entries: 1000, ..TERMS });
    world.hear(Some(0), Changes::Everything);
    for token in 0..250 {
        assert_eq!(world.offer(&token.to_string(), Some(SERVER)), Taken::Yes);
    }
    let mut written = 0;
    while world.ledger.has_more() {
        written += world.next().adds.len();
    }
    assert_eq!(written, 250);
    world.at = 1000;
    world.hear(Some(0), groups(&["anna"]));
    for expected in [(100, 0), (100, 0), (50, 1)] {
        let batch = world.next();
        assert_eq!((batch.voids.len(), batch.leases.len()), expected);
    }
}

#[test]
fn whatever_may_have_changed_anything_ends_the_leases_and_their_names_are_never_used_again() {
    type Change = fn(&mut World);
    let changes: [(&str, Change); 8] = [
        ("everything", |world| world.hear(Some(0), Changes::Everything)),
        ("everybody's rules", |world| world.hear(Some(0), groups(&["ben", "g"]))),
        ("another epoch", |world| world.hear_of(SERVER, "f", Some(0), groups(&[]))),
        ("a second server that tells for the first time", |world| {
            world.hear_of(ServerId(8), "e", Some(0), groups(&[]));
        }),
        ("a server that leaves", |world| world.ledger.leave(SERVER)),
        ("other keys", |world| world.ledger.rely_on(Basis { configuration: 0, keys: 1 })),
        ("another configuration", |world| world.ledger.rely_on(Basis { configuration: 1, keys: 0 })),
        ("a clock that was set", |world| world.ledger.doubt()),
    ];
    for (what, change) in changes {
        let mut world = World::with_server();
        world.offer("a", Some(SERVER));
        let before = world.next().leases[0].0.clone();
        change(&mut world);
        let batch = world.next();
        assert_eq!((&batch.ended[..], batch.clear), (&[before.clone()][..], true), "{what}");
        assert_eq!((batch.deletes.len(), batch.leases.len(), world.ledger.entries()), (0, 0, 0), "{what}");
        world.hear_of(SERVER, "g", Some(0), Changes::Everything);
        assert_eq!(world.offer("a", Some(SERVER)), Taken::Yes, "{what}");
        assert_ne!(world.next().leases[0].0, before, "{what}");
    }
}

#[test]
fn what_another_configuration_or_other_keys_decided_is_not_taken() {
    let mut world = World::alone();
    let offer =
        |basis| Offer { key: key("a"), basis, subject: None, server: None, end: None, fields: "".into() };
    world.ledger.rely_on(Basis { configuration: 2, keys: 5 });
    for (configuration, keys, expected) in [(1, 5, Taken::No), (2, 4, Taken::No), (2, 5, Taken::Yes)] {
        let moment = world.moment();
        assert_eq!(world.ledger.offer(&offer(Basis { configuration, keys }), || None, moment), expected);
    }
}

#[test]
fn an_entry_ends_with_its_token_with_its_term_and_after_a_minute_and_is_removed_then() {
    for (own, term, expected) in [
        (None, 300, Some(60_000)),
        (Some(90_000), 300, Some(60_000)),
        (Some(30_000), 300, Some(30_000)),
        (Some(30_000), 20, Some(20_000)),
        (Some(999), 300, None),
        (None, 0, None),
    ] {
        let mut world = World::with_server();
        let taken = world.offer_until("a", Some(SERVER), own, term);
        let adds = world.next().adds;
        let end =
            adds.first().map(|(_, value)| value.rsplit('|').next().unwrap().parse::<i64>().unwrap() - TODAY);
        assert_eq!((end, taken == Taken::Yes), (expected, expected.is_some()), "{own:?} {term}");
        let Some(end) = expected else { continue };
        world.at = u64::try_from(end).unwrap() - 1;
        assert_eq!(world.next().deletes, []);
        world.at += 1;
        assert_eq!(world.next().deletes, [key("a")]);
    }
}

#[test]
fn a_word_that_its_server_does_not_vouch_for_is_not_taken() {
    let mut world = World::with_server();
    let moment = world.moment();
    let offer = Offer {
        key: key("a"),
        basis: Basis::default(),
        subject: None,
        server: Some(SERVER),
        end: None,
        fields: "".into(),
    };
    assert_eq!(world.ledger.offer(&offer, || None, moment), Taken::No);
    let unheard = Offer { server: Some(ServerId(9)), ..offer };
    assert_eq!(world.ledger.offer(&unheard, || Some(moment.at + Duration::from_secs(9)), moment), Taken::No);
}

#[test]
fn an_entry_that_is_asked_about_all_the_same_replaces_all_of_its_key_at_growing_times() {
    let mut world = World::alone();
    assert_eq!(world.offer("a", None), Taken::Yes);
    world.next();
    for (at, expected) in [
        (999, Taken::Already),
        (1000, Taken::Yes),
        (2999, Taken::Already),
        (3000, Taken::Yes),
        (6999, Taken::Already),
    ] {
        world.at = at;
        assert_eq!(world.offer("a", None), expected, "{at}");
        let batch = world.next();
        let replaced = if expected == Taken::Yes { vec![key("a")] } else { vec![] };
        assert_eq!((batch.adds.len(), batch.replaces), (replaced.len(), replaced), "{at}");
        assert_eq!(batch.deletes, []);
    }
}

#[test]
fn entries_are_bounded_in_number_and_in_a_second() {
    let mut world = World::alone();
    for (token, expected) in [("a", Taken::Yes), ("b", Taken::Yes), ("c", Taken::Yes), ("d", Taken::Full)] {
        assert_eq!(world.offer(token, None), expected);
    }
    let mut world = World::on(Terms { entries: 10_000, ..TERMS });
    let taken = (0..2500).filter(|token| world.offer(&token.to_string(), None) == Taken::Yes).count();
    assert_eq!(taken, 2000);
    world.at = 1000;
    assert_eq!(world.offer("one more", None), Taken::Yes);
}

#[test]
fn a_batch_is_no_longer_than_haproxys_buffer() {
    let mut world = World::on(Terms { entries: 100, ..TERMS });
    let moment = world.moment();
    for token in 0..20 {
        let fields = "x".repeat(4096).into();
        let (key, basis) = (key(&token.to_string()), Basis::default());
        let offer = Offer { key, basis, subject: None, server: None, end: None, fields };
        assert_eq!(world.ledger.offer(&offer, || None, moment), Taken::Yes);
    }
    let mut batches = 0;
    while world.ledger.has_more() {
        let bytes: usize =
            world.ledger.next(true, moment).adds.iter().map(|(_, value)| value.len() + 66).sum();
        assert!(bytes < 12_000, "{bytes}");
        batches += 1;
    }
    assert_eq!(batches, 10, "two in each");
}

#[test]
fn an_agent_that_is_not_ready_ends_its_leases_and_gives_nothing() {
    let mut world = World::alone();
    world.offer("a", None);
    world.next();
    let moment = world.moment();
    let batch = world.ledger.next(false, moment);
    assert_eq!((batch.ended.len(), batch.clear, batch.adds.len(), batch.leases.len()), (1, true, 0, 0));
    assert_eq!(world.offer("a", None), Taken::No, "or each look would clear what other agents wrote");
    assert!(world.ledger.next(false, moment).is_empty());
}

#[test]
fn a_clock_that_was_set_ends_the_leases_and_no_offer_from_before_is_taken() {
    for (step, is_set) in [(-60_000, true), (60_000, true), (251, true), (-250, false), (250, false)] {
        let mut world = World::alone();
        world.at = 3000;
        world.offer("a", None);
        assert_eq!(world.next().leases.len(), 1);
        let before = world.moment();
        let after = Moment { now: time(3000 + step), ..before };
        assert_eq!(world.ledger.offer(&token("b"), || None, after) == Taken::No, is_set, "{step}");
        assert_eq!(world.ledger.compare_clocks(after), is_set, "{step}");
        assert_eq!(world.ledger.next(true, after).ended.len(), usize::from(is_set), "{step}");
        assert_eq!(world.ledger.offer(&token("c"), || None, before) == Taken::No, is_set, "{step}");
        assert_ne!(world.ledger.offer(&token("d"), || None, after), Taken::No, "{step}");
    }
}

#[test]
fn steps_that_are_small_add_up() {
    let mut world = World::alone();
    for (step, is_set) in [(-150, false), (-300, true), (-450, false), (-600, true)] {
        let moment = Moment { now: time(step), ..world.moment() };
        assert_eq!(world.ledger.compare_clocks(moment), is_set, "{step}");
    }
}

#[test]
fn after_a_lost_connection_nothing_is_told_until_there_is_another_and_then_all_is_new() {
    let mut world = World::alone();
    world.offer("a", None);
    let before = world.next().leases[0].0.clone();
    world.ledger.lose();
    assert_eq!(world.offer("a", None), Taken::No);
    assert!(world.next().is_empty() && !world.ledger.has_more());
    let found = [
        (before.clone(), time(2000)),
        ("other.1.-".to_owned(), time(1000)),
        ("agent2.1.-".to_owned(), time(1000)),
        ("gone.1.-".to_owned(), time(-10_001)),
    ];
    world.ledger.connect(found, time(0));
    let batch = world.next();
    assert_eq!((batch.ended, batch.clear), (vec![before.clone(), "gone.1.-".to_owned()], true));
    assert_eq!(world.offer("a", None), Taken::Yes);
    assert_ne!(world.next().leases[0].0, before);
}

#[test]
fn verdicts_of_other_agents_are_removed_as_well_where_all_are() {
    let mut world = World::alone();
    assert!(!world.next().clear);
    world.ledger.clear_all();
    assert!(world.ledger.has_more() && world.next().clear);
    world.ledger.lose();
    world.ledger.clear_all();
    assert!(world.next().is_empty() && !world.ledger.has_more(), "there is no HAProxy to tell");
}
