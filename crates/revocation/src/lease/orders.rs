//! What connections share of the lease, in every order in which threads may take their steps and see those of others.

use std::time::{Duration, Instant};

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use super::{ServerId, SharedLease, Stamp, Terms, Word};
use crate::events::{Changes, Events};

const TERMS: Terms = Terms { ttl: Duration::from_secs(2), ttl_max: Duration::from_secs(300) };
const SERVER: ServerId = ServerId(0);

/// A lease that has heard of a server, and a word of that server on a token of anna's.
struct World {
    start: Instant,
    lease: SharedLease,
    word: Word,
    /// How many of the steps of a test have been taken, each by a call that has returned.
    done: AtomicUsize,
}

impl World {
    fn new(start: Instant) -> Self {
        let (server, epoch, asked) = (SERVER, "e".into(), start);
        let stamp = Stamp { server, epoch, revision: 1, vouched: true, asked, read: start, until: None };
        let (lease, done) = (SharedLease::new(TERMS, start), AtomicUsize::new(0));
        let world = Self { start, lease, word: Word::new(stamp, Some("anna".into())), done };
        world.hear(0, 1, Changes::Everything);
        world
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// An answer of the server's feed, which was asked for at this second.
    fn hear(&self, second: u64, revision: u64, changes: Changes) {
        let (store_id, epoch) = ("s".to_owned(), "e".to_owned());
        let events = Events { store_id, epoch, revision, complete_as_of: Some(0), changes };
        self.lease.hear(SERVER, self.at(second), self.at(second), &events);
    }

    fn allows(&self, second: u64) -> bool {
        self.lease.allows(&self.word, self.at(second))
    }

    fn step(&self) {
        self.done.fetch_add(1, Ordering::Release);
    }

    fn steps(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }
}

fn of(groups: &[&str]) -> Changes {
    Changes::Groups(groups.iter().map(|group| (*group).to_owned()).collect())
}

/// Runs two threads that ask beside one that tells, in every order; what each thread may see is asserted by itself.
fn in_every_order(ask: fn(&World), tell: fn(&World), after: fn(&World)) {
    let start = Instant::now();
    let mut model = Builder::new();
    model.preemption_bound = Some(2);
    model.check(move || {
        let world = Arc::new(World::new(start));
        let askers = [Arc::clone(&world), Arc::clone(&world)].map(|world| thread::spawn(move || ask(&world)));
        tell(&world);
        askers.into_iter().for_each(|asker| asker.join().unwrap());
        after(&world);
    });
}

#[test]
fn a_word_is_never_used_after_the_change_that_ends_it_has_been_told() {
    in_every_order(
        |world| {
            let is_told = world.steps() > 0;
            assert!(!(is_told & world.allows(1)), "used although it was told");
        },
        |world| {
            assert!(world.allows(0), "nothing has been told");
            world.hear(0, 2, of(&["anna"]));
            world.step();
        },
        |world| assert!(!world.allows(1)),
    );
}

#[test]
fn a_word_that_is_used_for_longer_ends_with_the_change_all_the_same() {
    in_every_order(
        |world| {
            let steps = world.steps();
            let allows = world.allows(3);
            // Silent for longer than may be, then heard of again, then told of the change.
            assert!(steps != 2 || !allows, "used although it was told");
        },
        |world| {
            world.hear(2, 1, of(&["ben"]));
            world.step();
            world.hear(3, 2, of(&["anna"]));
            world.step();
        },
        |world| assert!(!world.allows(3)),
    );
}

#[test]
fn a_word_is_used_for_longer_when_its_server_is_heard_of() {
    in_every_order(
        |world| {
            let is_heard = world.steps() > 0;
            let allows = world.allows(3);
            assert!(!is_heard || allows, "not used although its server was heard of");
        },
        |world| {
            assert!(!world.allows(3), "silent for longer than may be");
            world.hear(2, 1, of(&["ben"]));
            world.step();
        },
        |world| assert!(world.allows(4) && !world.allows(5)),
    );
}
