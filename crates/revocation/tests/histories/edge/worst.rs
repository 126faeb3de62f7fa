//! The worst that can come together, in its order: histories that chance seldom finds.

use super::SERVERS;
use super::step::Step;
use super::world::World;

fn pass(milliseconds: u64) -> Step {
    Step::Pass { milliseconds }
}

fn take(world: &mut World, steps: impl IntoIterator<Item = Step>) {
    steps.into_iter().for_each(|step| world.take(&step));
}

/// A rule, or its deletion, that every server has heard of.
fn heard(step: Step) -> impl Iterator<Item = Step> {
    [step].into_iter().chain((0..SERVERS).map(|server| Step::Deliver { server }))
}

/// HAProxy carries out what the agent tells it, leases included.
fn told(agent: usize) -> [Step; 3] {
    [Step::Tell { agent }, Step::Answer { agent }, Step::Answer { agent }]
}

/// HAProxy carries out what it was told over connections that have been given up.
fn late() -> [Step; 2] {
    [0, 0].map(|connection| Step::CarryOut { connection, commands: usize::MAX })
}

fn polls(agent: usize) -> [Step; SERVERS] {
    [0, 1].map(|server| Step::Poll { agent, server, is_late: false })
}

/// A token's verdict is offered; its server has read the rules so long ago.
fn offered(agent: usize, token: usize, read_ago: u64) -> [Step; 2] {
    [Step::Check { agent, server: 0, token, read_ago, is_late: false }, Step::Hit { agent, token }]
}

/// The agent has a new connection; HAProxy has removed what stood there.
fn connected(agent: usize) -> impl Iterator<Item = Step> {
    polls(agent).into_iter().chain([Step::Connect { agent }]).chain(told(agent))
}

/// It tells of two tokens and gives up the connection; HAProxy carries that out some time.
fn told_in_vain(agent: usize) -> impl Iterator<Item = Step> {
    let offers = offered(agent, 2, 0).into_iter().chain(offered(agent, 4, 0));
    connected(agent).chain(offers).chain([Step::Tell { agent }, Step::Lose { agent, left: usize::MAX }])
}

#[test]
fn a_change_that_is_told_in_part_renews_no_lease() {
    for deletes_first in [false, true] {
        let mut world = World::new(2_000, deletes_first, 60);
        take(&mut world, connected(0));
        take(&mut world, [Step::Round { agent: 0 }]);
        take(&mut world, (0..12).flat_map(|_| told(0)));
        assert!(world.admits_all());
        take(&mut world, heard(Step::Write { group: 1 }));
        take(&mut world, [pass(400)].into_iter().chain(polls(0)).chain(told(0)));
        // The agent does nothing more.
        take(&mut world, (0..20).map(|_| pass(100)));
    }
}

#[test]
fn what_a_lost_connection_still_does_comes_under_a_name_that_is_renewed_no_more() {
    for deletes_first in [false, true] {
        let mut world = World::new(2_000, deletes_first, 1);
        take(&mut world, told_in_vain(0));
        take(&mut world, heard(Step::Write { group: 2 }));
        take(&mut world, [Step::Round { agent: 0 }, pass(500), Step::Round { agent: 0 }]);
        take(&mut world, late());
        take(&mut world, (0..8).flat_map(|_| [pass(500), Step::Round { agent: 0 }]));
        assert!(world.admits(4) && !world.admits(2));
    }
}

/// HAProxy 3.4 deletes entries that others left before ours, so that two of ours are left, of which the ledger knows one.
#[test]
fn what_is_written_anew_leaves_no_older_entry_that_is_forgotten() {
    for deletes_first in [false, true] {
        let mut world = World::new(2_000, deletes_first, 1);
        (0..2).for_each(|_| take(&mut world, told_in_vain(1)));
        take(&mut world, connected(0).chain(late()));
        take(&mut world, offered(0, 2, 0).into_iter().chain(offered(0, 4, 0)).chain(told(0)));
        take(&mut world, [pass(1500)].into_iter().chain(polls(0)));
        // From rules that have to be read anew in three seconds.
        take(&mut world, offered(0, 2, 297_000).into_iter().chain(told(0)));
        take(&mut world, [pass(3100)].into_iter().chain(polls(0)).chain(told(0)));
        take(&mut world, heard(Step::Write { group: 2 }));
        take(&mut world, (0..8).flat_map(|_| polls(0).into_iter().chain(told(0)).chain([pass(500)])));
        assert!(!world.admits(2));
    }
}

/// Neither is a step against where the clock stood when the agent first looked; the two of them together are one.
#[test]
fn small_steps_of_the_clock_both_ways_add_up_to_no_longer_lease() {
    for by in [[314, -501], [-314, 501]] {
        let mut world = World::new(2_000, false, 1);
        take(&mut world, [Step::Round { agent: 0 }]);
        take(&mut world, by.into_iter().flat_map(|by| [Step::SetClock { by }, Step::Round { agent: 0 }]));
    }
}

/// The writer is held up between its look at the keys and what it tells; meanwhile the keys are replaced and a server is heard.
#[test]
fn no_lease_is_counted_from_after_the_look_at_the_keys() {
    for deletes_first in [false, true] {
        let mut world = World::new(1_000, deletes_first, 1);
        take(&mut world, [Step::Round { agent: 0 }, Step::Look { agent: 0 }, Step::NewKeys { agent: 0 }]);
        take(&mut world, [pass(600), Step::Round { agent: 0 }]);
        // The agent does nothing more.
        take(&mut world, (0..20).map(|_| pass(100)));
    }
}
