//! Verdicts in HAProxy's maps, and everything that can come between them, their agents and the clocks.
//!
//! Each agent's lease, words and ledger are the real ones, and what it tells HAProxy is the text that it would send. HAProxy is a
//! model that carries out that text: of each connection in its order, of several in any, some of it late or never; it looks
//! into its maps as the shipped configuration does. The servers are models as well, whose feeds say what is true: the
//! histories beside this hold the real ones to that.

mod agent;
mod haproxy;
mod server;
mod step;
mod world;
mod worst;

use std::time::Duration;

use jose::UnixTime;
use proptest::prelude::*;

use self::step::{Step, step};
use self::world::World;
use super::{EVERYBODY, SERVERS, TODAY};

const AGENTS: usize = 2;
const TTL_MAX: Duration = Duration::from_secs(300);
const GROUPS: [&str; 4] = [EVERYBODY, "anna", "ben", "cleo"];

struct Token {
    subject: Option<&'static str>,
    end: Option<UnixTime>,
}

const TOKENS: [Token; 5] = [
    Token { subject: Some("anna"), end: None },
    Token { subject: Some("anna"), end: Some(UnixTime::from_millis(TODAY.as_millis() + 30_000)) },
    Token { subject: Some("ben"), end: None },
    Token { subject: Some("cleo"), end: Some(UnixTime::from_millis(TODAY.as_millis() + 200_000)) },
    Token { subject: None, end: None },
];

/// Rounds of half a second after which everything is as before, whatever happened.
const ROUNDS: usize = 140;

/// Time passes, and both agents do all that they do.
fn rounds(world: &mut World) {
    world.take(&Step::Pass { milliseconds: 500 });
    (0..AGENTS).for_each(|agent| world.take(&Step::Round { agent }));
}

fn explore(ttl: u64, deletes_first: bool, names: usize, steps: &[Step]) {
    let mut world = World::new(ttl, deletes_first, names);
    steps.iter().for_each(|step| world.take(step));
    world.heal();
    let comes_back = (0..ROUNDS).any(|_| {
        rounds(&mut world);
        world.admits_all()
    });
    assert!(comes_back, "a good token is asked about at each request, for ever");
}

fn ttl() -> impl Strategy<Value = u64> {
    prop_oneof![1 => Just(1_000_u64), 3 => Just(2_000_u64), 1 => Just(8_000_u64)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_entry_in_haproxy_outlives_what_ends_it_by_more_than_the_bound(
        ttl in ttl(),
        deletes_first in any::<bool>(),
        steps in prop::collection::vec(step(), 1..150),
    ) {
        explore(ttl, deletes_first, 1, &steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    /// A change of a subject is then more than HAProxy is told at once.
    #[test]
    fn nor_does_any_of_more_entries_than_are_removed_at_once(
        deletes_first in any::<bool>(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        explore(2_000, deletes_first, 55, &steps);
    }
}

/// The laws would hold of empty maps. In these, tokens that come often are found while all goes well.
#[test]
fn while_all_goes_well_haproxy_finds_every_token_until_its_rule_and_no_longer() {
    for deletes_first in [false, true] {
        let mut world = World::new(2_000, deletes_first, 1);
        rounds(&mut world);
        let asked = (0..400).filter(|_| {
            rounds(&mut world);
            !world.admits_all()
        });
        assert!(asked.count() <= 8, "only after the ends of entries");
        for (group, tokens) in [(1, [false, false, true]), (0, [false, false, false])] {
            world.take(&Step::Write { group });
            (0..SERVERS).for_each(|server| world.take(&Step::Deliver { server }));
            (0..AGENTS).for_each(|agent| world.take(&Step::Round { agent }));
            let found = [0, 1, 2].map(|token| world.admits(token));
            assert_eq!(found, tokens, "at once");
        }
        world.take(&Step::Delete { group: 0 });
        (0..SERVERS).for_each(|server| world.take(&Step::Deliver { server }));
        (0..6).for_each(|_| rounds(&mut world));
        assert!(world.admits_all());
    }
}
