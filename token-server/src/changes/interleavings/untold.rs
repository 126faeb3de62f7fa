//! Rules of which nothing tells, while the sources of changes say that all is well.

use proptest::prelude::*;

use super::step::{Fate, Step};
use super::world::World;
use super::{GROUPS, SERVERS};

/// What may happen between two rounds of signs of life.
#[derive(Debug, Clone)]
enum Event {
    Check { server: usize, subject: usize },
    WriteUntold { group: usize },
    Write { group: usize },
}

/// Half a second in which both servers hear a sign of life and answer the agent's poll.
fn round(world: &mut World) {
    world.take(&Step::Pass { milliseconds: 500 });
    world.warm();
    for server in 0..SERVERS {
        world.take(&Step::Beat { server });
        world.take(&Step::Deliver { server, messages: 3 });
        world.take(&Step::Poll { server, delay: 1, fate: Fate::AtOnce });
    }
}

fn rounds(world: &mut World, seconds: u64) {
    (0..2 * seconds).for_each(|_| round(world));
}

fn world() -> World {
    let mut world = World::new();
    for server in 0..SERVERS {
        world.take(&Step::Reconnect { server });
        world.take(&Step::Poll { server, delay: 0, fate: Fate::AtOnce });
    }
    world.warm();
    world
}

fn event() -> impl Strategy<Value = Event> {
    let (server, group, subject) = (0..SERVERS, 0..GROUPS.len(), 1..GROUPS.len());
    prop_oneof![
        8 => (server, subject).prop_map(|(server, subject)| Event::Check { server, subject }),
        1 => group.clone().prop_map(|group| Event::WriteUntold { group }),
        1 => group.prop_map(|group| Event::Write { group }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The law that [`World::take`] holds after each step: what nothing tells of is found when it is read again.
    #[test]
    fn no_verdict_outlives_a_rule_of_which_nothing_tells_by_more_than_its_rules_may_be_old(
        events in prop::collection::vec((0..60_u64, event()), 1..40)
    ) {
        let mut world = world();
        for (seconds, event) in &events {
            rounds(&mut world, *seconds);
            match *event {
                Event::Check { server, subject } => {
                    world.take(&Step::Check { server, subject, reachable: true });
                }
                Event::WriteUntold { group } => world.take(&Step::WriteUntold { group }),
                Event::Write { group } => world.take(&Step::Write { group }),
            }
        }
    }
}

/// The worst case: the server answers from rules that it has to read again in the next moment, and the agent keeps that.
#[test]
fn a_verdict_from_old_rules_is_not_kept_for_the_whole_of_the_longest_time() {
    let mut world = world();
    let check = Step::Check { server: 0, subject: 1, reachable: true };
    world.take(&check);
    world.take(&Step::WriteUntold { group: 1 });
    rounds(&mut world, 290);
    world.take(&check);
    let kept = world.kept.len() - 1;
    assert!(world.uses(&world.kept[kept]), "the rule has not been found");
    rounds(&mut world, 15);
    assert!(!world.uses(&world.kept[kept]), "its rules are too old to be relied on");
}

#[test]
fn a_server_that_finds_a_rule_of_which_nothing_told_vouches_for_nothing_any_more() {
    for group in [0, 1] {
        let mut world = world();
        let check = |subject| Step::Check { server: 0, subject, reachable: true };
        world.take(&check(1));
        world.take(&Step::WriteUntold { group });
        rounds(&mut world, 301);
        // Everybody's rules are read by the server itself, those of a subject when somebody asks.
        world.take(&check(1));
        rounds(&mut world, 1);
        assert!(world.learned.contains_key(GROUPS[group]), "the agent is told of it at once");
        rounds(&mut world, 3);
        assert!(world.servers[0].sessions.current().is_none(), "the sources are not relied on");
        world.take(&Step::Reconnect { server: 0 });
        world.take(&Step::Break { server: 0 });
        world.take(&Step::Reconnect { server: 0 });
        rounds(&mut world, 3);
        assert!(world.servers[0].sessions.current().is_none(), "also after a new connection");
        assert!(
            world.servers[1].sessions.current().is_some() || group == 0,
            "the other server has found nothing"
        );

        // What is asked now is kept for the short time alone.
        world.take(&check(2));
        if group == 1 {
            let kept = world.kept.len() - 1;
            assert!(world.uses(&world.kept[kept]) && !world.kept[kept].vouched);
            rounds(&mut world, 2);
            world.take(&Step::Pass { milliseconds: 500 });
            assert!(!world.uses(&world.kept[kept]), "it is asked again after JWT_CACHE_TTL");
        }
    }
}

/// A rule is in the store before its message arrives; a server that reads in between must not take that for silence.
#[test]
fn a_rule_whose_message_is_under_way_when_it_is_found_is_no_fault_of_the_source() {
    let mut world = world();
    let check = Step::Check { server: 0, subject: 1, reachable: true };
    world.take(&check);
    rounds(&mut world, 301);
    world.take(&Step::Write { group: 1 });
    world.take(&check);
    assert!(world.learned.is_empty(), "found by a read, and the message is under way");
    rounds(&mut world, 10);
    assert!(world.servers.iter().all(|server| server.sessions.current().is_some()), "all goes on");
}
