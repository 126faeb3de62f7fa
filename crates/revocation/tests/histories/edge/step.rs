//! What can happen to agents, to what they tell HAProxy, and to the clock.

use proptest::prelude::*;

use super::{AGENTS, GROUPS, SERVERS, TOKENS};

#[derive(Debug, Clone)]
pub(super) enum Step {
    Pass {
        milliseconds: u64,
    },
    /// The time of day is set.
    SetClock {
        by: i64,
    },
    /// The group's rule is acknowledged, or its deletion.
    Write {
        group: usize,
    },
    Delete {
        group: usize,
    },
    /// A change reaches the server.
    Deliver {
        server: usize,
    },
    /// The server vouches no more, or again.
    Vouch {
        server: usize,
        vouches: bool,
    },
    RestartServer {
        server: usize,
    },
    /// The agent asks a server about a token; the answer comes at once or later.
    Check {
        agent: usize,
        server: usize,
        token: usize,
        read_ago: u64,
        is_late: bool,
    },
    /// Answers of both kinds that are under way to the agent come.
    Arrive {
        agent: usize,
    },
    Poll {
        agent: usize,
        server: usize,
        is_late: bool,
    },
    /// What the agent heard last reaches its lease and, until a later step, not its ledger.
    HearInPart {
        agent: usize,
        server: usize,
    },
    /// The server leaves the agent's set, and comes back at once.
    Leave {
        agent: usize,
        server: usize,
    },
    /// A request with the token comes to the agent.
    Hit {
        agent: usize,
        token: usize,
    },
    /// The same, but HAProxy is given the verdict at the agent's next hit.
    Begin {
        agent: usize,
        token: usize,
    },
    /// The agent looks at its clocks and its keys for what it tells HAProxy next.
    Look {
        agent: usize,
    },
    Tell {
        agent: usize,
    },
    /// HAProxy carries out so many commands of a connection, which may be one that the agent has given up.
    CarryOut {
        connection: usize,
        commands: usize,
    },
    /// It carries out all that the agent has told it over its connection.
    Answer {
        agent: usize,
    },
    /// The agent gives up its connection; of what HAProxy was told it will carry out so many commands at most, some time.
    Lose {
        agent: usize,
        left: usize,
    },
    Connect {
        agent: usize,
    },
    /// Another process takes new connections; the one before serves on.
    Reload,
    /// The agent dies, as [`Step::Lose`] and for good, and there is a new one.
    RestartAgent {
        agent: usize,
        left: usize,
    },
    NewKeys {
        agent: usize,
    },
    Ready {
        agent: usize,
        is_ready: bool,
    },
    /// All that an agent does in half a second while all goes well.
    Round {
        agent: usize,
    },
}

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let (agent, server, token, group) = (0..AGENTS, 0..SERVERS, 0..TOKENS.len(), 0..GROUPS.len());
    let a_server_of = (agent.clone(), server.clone());
    let left = prop_oneof![Just(0), 0..12_usize, Just(usize::MAX)];
    let read_ago = prop_oneof![3 => Just(0), 1 => 0..10_000_u64, 1 => 270_000..301_000_u64];
    let clock = prop_oneof![Just(-60_000), Just(60_000), -6_000..6_000_i64, -500..500_i64];
    let often = prop_oneof![
        6 => prop_oneof![6 => 1..600_u64, 2 => 600..4_000_u64, 1 => 4_000..70_000_u64]
            .prop_map(|milliseconds| Step::Pass { milliseconds }),
        10 => agent.clone().prop_map(|agent| Step::Round { agent }),
        2 => group.clone().prop_map(|group| Step::Write { group }),
        2 => group.prop_map(|group| Step::Delete { group }),
        4 => server.clone().prop_map(|server| Step::Deliver { server }),
        4 => (agent.clone(), server.clone(), token.clone(), read_ago, prop::bool::weighted(0.2)).prop_map(
            |(agent, server, token, read_ago, is_late)| Step::Check { agent, server, token, read_ago, is_late }
        ),
        4 => (agent.clone(), server.clone(), prop::bool::weighted(0.2))
            .prop_map(|(agent, server, is_late)| Step::Poll { agent, server, is_late }),
        2 => a_server_of.clone().prop_map(|(agent, server)| Step::HearInPart { agent, server }),
        6 => (agent.clone(), token.clone()).prop_map(|(agent, token)| Step::Hit { agent, token }),
        6 => agent.clone().prop_map(|agent| Step::Tell { agent }),
        8 => (any::<usize>(), 1..8_usize)
            .prop_map(|(connection, commands)| Step::CarryOut { connection, commands }),
    ];
    let seldom = prop_oneof![
        2 => agent.clone().prop_map(|agent| Step::Answer { agent }),
        2 => clock.prop_map(|by| Step::SetClock { by }),
        1 => (server.clone(), any::<bool>()).prop_map(|(server, vouches)| Step::Vouch { server, vouches }),
        1 => server.prop_map(|server| Step::RestartServer { server }),
        2 => agent.clone().prop_map(|agent| Step::Arrive { agent }),
        1 => a_server_of.prop_map(|(agent, server)| Step::Leave { agent, server }),
        2 => (agent.clone(), token.clone()).prop_map(|(agent, token)| Step::Begin { agent, token }),
        2 => agent.clone().prop_map(|agent| Step::Look { agent }),
        3 => (agent.clone(), left.clone()).prop_map(|(agent, left)| Step::Lose { agent, left }),
        4 => agent.clone().prop_map(|agent| Step::Connect { agent }),
        1 => Just(Step::Reload),
        1 => (agent.clone(), left).prop_map(|(agent, left)| Step::RestartAgent { agent, left }),
        1 => agent.clone().prop_map(|agent| Step::NewKeys { agent }),
        1 => (agent, any::<bool>()).prop_map(|(agent, is_ready)| Step::Ready { agent, is_ready }),
    ];
    prop_oneof![4 => often, 1 => seldom]
}
