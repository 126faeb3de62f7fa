//! Rules of which nothing tells, while the sources of changes say that all is well.

use proptest::prelude::*;

use super::server::Server;
use super::step::{Fate, Step};
use super::world::World;
use super::{GROUPS, SERVERS, on_a_clock_of_its_own};

/// What may happen between two rounds of signs of life.
#[derive(Debug, Clone)]
enum Event {
    Check { server: usize, subject: usize },
    WriteUntold { group: usize },
    Write { group: usize },
}

/// Half a second in which both servers hear a sign of life and answer the agent's poll.
async fn round(world: &mut World) {
    world.take(&Step::Pass { milliseconds: 500 }).await;
    world.warm().await;
    for server in 0..SERVERS {
        world.take(&Step::Beat { server }).await;
        world.take(&Step::Deliver { server, messages: 3 }).await;
        world.take(&Step::Poll { server, delay: 1, fate: Fate::AtOnce }).await;
    }
}

async fn rounds(world: &mut World, seconds: u64) {
    for _ in 0..2 * seconds {
        round(world).await;
    }
}

async fn world() -> World {
    let mut world = World::new();
    for server in 0..SERVERS {
        world.take(&Step::Reconnect { server }).await;
        world.take(&Step::Poll { server, delay: 0, fate: Fate::AtOnce }).await;
    }
    world.warm().await;
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
        on_a_clock_of_its_own(async {
            let mut world = world().await;
            for (seconds, event) in &events {
                rounds(&mut world, *seconds).await;
                world.take(&match *event {
                    Event::Check { server, subject } => Step::Check { server, subject, reachable: true },
                    Event::WriteUntold { group } => Step::WriteUntold { group },
                    Event::Write { group } => Step::Write { group },
                }).await;
            }
        });
    }
}

/// The worst case: the server answers from rules that it has to read again in the next moment, and the agent keeps that.
#[tokio::test(start_paused = true)]
async fn a_verdict_from_old_rules_is_not_kept_for_the_whole_of_the_longest_time() {
    let mut world = world().await;
    let check = Step::Check { server: 0, subject: 1, reachable: true };
    world.take(&check).await;
    world.take(&Step::WriteUntold { group: 1 }).await;
    rounds(&mut world, 290).await;
    world.take(&check).await;
    let kept = world.kept.len() - 1;
    assert!(world.uses(&world.kept[kept]), "the rule has not been found");
    rounds(&mut world, 15).await;
    assert!(!world.uses(&world.kept[kept]), "its rules are too old to be relied on");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_finds_a_rule_of_which_nothing_told_vouches_for_nothing_any_more() {
    for group in [0, 1] {
        let mut world = world().await;
        let check = |subject| Step::Check { server: 0, subject, reachable: true };
        world.take(&check(1)).await;
        world.take(&Step::WriteUntold { group }).await;
        rounds(&mut world, 301).await;
        // Everybody's rules are read by the server itself, those of a subject when it is asked about.
        world.take(&check(1)).await;
        rounds(&mut world, 1).await;
        assert!(world.learned.contains_key(GROUPS[group]), "the agent is told of it at once");
        rounds(&mut world, 3).await;
        assert!(!world.servers[0].vouches(), "the sources are not relied on");
        world.take(&Step::Reconnect { server: 0 }).await;
        world.take(&Step::Break { server: 0 }).await;
        world.take(&Step::Reconnect { server: 0 }).await;
        rounds(&mut world, 3).await;
        assert!(!world.servers[0].vouches(), "also after a new connection");
        assert!(world.servers[1].vouches() || group == 0, "the other server has found nothing");

        // What is asked now is kept for the short time alone.
        world.take(&check(2)).await;
        if group == 1 {
            let kept = world.kept.len() - 1;
            assert!(world.uses(&world.kept[kept]) && !world.kept[kept].vouched);
            rounds(&mut world, 2).await;
            world.take(&Step::Pass { milliseconds: 500 }).await;
            assert!(!world.uses(&world.kept[kept]), "it is asked again after JWT_CACHE_TTL");
        }
    }
}

/// A rule is in the store before its message arrives; a server that reads in between must not take that for silence.
#[tokio::test(start_paused = true)]
async fn a_rule_whose_message_is_under_way_when_it_is_found_is_no_fault_of_the_source() {
    let mut world = world().await;
    let check = Step::Check { server: 0, subject: 1, reachable: true };
    world.take(&check).await;
    rounds(&mut world, 301).await;
    world.take(&Step::Write { group: 1 }).await;
    world.take(&check).await;
    assert!(world.learned.is_empty(), "found by a read, and the message is under way");
    rounds(&mut world, 10).await;
    assert!(world.servers.iter().all(Server::vouches), "all goes on");
}
