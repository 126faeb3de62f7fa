//! Two servers over one store, an agent that keeps verdicts, and everything that can come in between.
//!
//! The parts are the real ones: the server's [`Revocations`](token_server::revocations::Revocations) and all that it is made
//! of, the agent's [`VerdictCache`](jwt_agent::cache::VerdictCache) and its [`SharedLease`](revocation::lease::SharedLease).
//! What is modelled is the world around them: writes, messages under way or lost, rules of which nothing tells, connections
//! that break unnoticed, reads that are overtaken, polls whose answers never arrive, servers that leave and come back. Time
//! is tokio's, which stands still while anything is to be done. Whatever happens, no verdict is used longer after a rule than
//! `docs/REVOCATION.md` says. Verdicts that are in HAProxy's own maps have their histories in `edge/`.

// Marked, so that what tests may do, helpers of tests may do too.
#[cfg(test)]
mod edge;
#[cfg(test)]
mod server;
#[cfg(test)]
mod step;
#[cfg(test)]
mod store;
#[cfg(test)]
mod untold;
#[cfg(test)]
mod world;

use std::time::Duration;

use jose::UnixTime;
use jwt_agent::cache::Limits;
use proptest::prelude::*;
use revocation::lease::Terms;
use token_server::rulebook::Lifetimes;
use token_server::store::EVERYBODY;

use self::step::{Fate, Step, step};
use self::world::World;

const TERMS: Terms = Terms { ttl: Duration::from_secs(2), ttl_max: Duration::from_secs(300) };
const LIFETIMES: Lifetimes = Lifetimes { ttl: Duration::from_secs(7), max_stale: Duration::from_secs(30) };
const GROUPS: [&str; 3] = [EVERYBODY, "anna", "ben"];
const SERVERS: usize = 2;
/// More than any history brings, so that what is gone is gone for the lease's sake.
const LIMITS: Limits = Limits { entries: 200, bytes: 1_000_000 };
/// No token expires here.
const TODAY: UnixTime = UnixTime::from_secs(1_700_000_000);
/// How long a server needs to find out that a group has to be read again, and an agent to hear of what was found.
const UNTOLD_LATE: Duration = Duration::from_secs(2);

#[cfg(test)]
fn on_a_clock_of_its_own(history: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(history);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_verdict_outlives_a_rule_by_more_than_the_bound(steps in prop::collection::vec(step(), 1..120)) {
        on_a_clock_of_its_own(async {
            let mut world = World::new();
            for step in &steps {
                world.take(step).await;
            }
        });
    }
}

/// Found by the histories above: a server that has heard everything may still answer from what it could not read anew.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_complete_but_cannot_read_is_not_believed_about_a_change_that_is_known() {
    let steps = [
        Step::Reconnect { server: 0 },
        Step::Poll { server: 0, delay: 0, fate: Fate::AtOnce },
        Step::Check { server: 1, subject: 1, reachable: true },
        Step::Write { group: 0 },
        Step::Deliver { server: 0, messages: 1 },
        Step::Reconnect { server: 1 },
        Step::Poll { server: 0, delay: 0, fate: Fate::AtOnce },
        Step::Pass { milliseconds: 36 },
        Step::Beat { server: 1 },
        Step::Deliver { server: 1, messages: 1 },
        Step::Poll { server: 1, delay: 0, fate: Fate::AtOnce },
        Step::Check { server: 1, subject: 1, reachable: false },
    ];
    let mut world = World::new();
    for step in &steps {
        world.take(step).await;
    }
    assert_eq!(world.kept.len(), 2, "the last check was answered from what was known");
}

/// The laws would hold of an agent that keeps nothing. This one keeps verdicts while all goes well.
#[tokio::test(start_paused = true)]
async fn while_all_goes_well_verdicts_are_kept_until_the_rule_and_no_longer() {
    let mut world = World::new();
    for server in 0..SERVERS {
        world.take(&Step::Reconnect { server }).await;
        world.take(&Step::Poll { server, delay: 0, fate: Fate::AtOnce }).await;
    }
    world.take(&Step::Check { server: 0, subject: 1, reachable: true }).await;
    let beat = async |world: &mut World| {
        for server in 0..SERVERS {
            world.take(&Step::Beat { server }).await;
            world.take(&Step::Deliver { server, messages: 3 }).await;
            world.take(&Step::Poll { server, delay: 1, fate: Fate::AtOnce }).await;
        }
        world.take(&Step::Pass { milliseconds: 500 }).await;
    };
    let allowed = |world: &World| world.uses(&world.kept[0]);
    for _ in 0..100 {
        beat(&mut world).await;
        assert!(allowed(&world));
    }
    assert!(world.shared >= 200, "each poll came beside another agent's");
    world.take(&Step::Write { group: 1 }).await;
    beat(&mut world).await;
    assert!(!allowed(&world));
}
