//! What can happen, and how often.

use proptest::prelude::*;

use super::{GROUPS, SERVERS};

/// What can happen next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Pass {
        milliseconds: u64,
    },
    /// The group's rule is written, and the store acknowledges it.
    Write {
        group: usize,
    },
    /// The same, but nothing tells of it: a Consul of another datacenter, or one that filters its keys.
    WriteUntold {
        group: usize,
    },
    /// The source sends a sign of life through the store.
    Beat {
        server: usize,
    },
    /// So many of the messages under way arrive.
    Deliver {
        server: usize,
        messages: usize,
    },
    /// The connection breaks unnoticed; what was under way is lost.
    Break {
        server: usize,
    },
    /// The break is noticed, or a connection is given up for no reason.
    Notice {
        server: usize,
    },
    Reconnect {
        server: usize,
    },
    /// A server starts again: new epoch, nothing known.
    Restart {
        server: usize,
    },
    /// The agent hears that the server is no more, and at once that there is one again, which is the same process.
    Leave {
        server: usize,
    },
    /// The agent asks about a token of the subject, and what the server has to read for it stays under way.
    Ask {
        server: usize,
        subject: usize,
    },
    /// A read arrives, or is lost.
    EndRead {
        server: usize,
        arrives: bool,
    },
    /// The agent asks about a token of the subject; the store answers the server's own reads, or does not.
    Check {
        server: usize,
        subject: usize,
        reachable: bool,
    },
    /// The server answers the agent's poll, `delay` after it was sent; the answer arrives at once, later, or never.
    Poll {
        server: usize,
        delay: u64,
        fate: Fate,
    },
    /// The answers that come later arrive.
    Arrive {
        server: usize,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    AtOnce,
    Later,
    Never,
}

/// Any of them.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let (server, group, subject) = (0..SERVERS, 0..GROUPS.len(), 1..GROUPS.len());
    let fate = prop_oneof![4 => Just(Fate::AtOnce), 1 => Just(Fate::Later), 1 => Just(Fate::Never)];
    prop_oneof![
        6 => prop_oneof![4 => 1..600_u64, 1 => 600..9_000_u64].prop_map(|milliseconds| Step::Pass { milliseconds }),
        1 => group.prop_map(|group| Step::Write { group }),
        5 => server.clone().prop_map(|server| Step::Beat { server }),
        5 => (server.clone(), 1..4_usize).prop_map(|(server, messages)| Step::Deliver { server, messages }),
        1 => server.clone().prop_map(|server| Step::Break { server }),
        1 => server.clone().prop_map(|server| Step::Notice { server }),
        2 => server.clone().prop_map(|server| Step::Reconnect { server }),
        1 => server.clone().prop_map(|server| Step::Restart { server }),
        1 => server.clone().prop_map(|server| Step::Leave { server }),
        2 => (server.clone(), subject.clone()).prop_map(|(server, subject)| Step::Ask { server, subject }),
        2 => (server.clone(), any::<bool>()).prop_map(|(server, arrives)| Step::EndRead { server, arrives }),
        6 => (server.clone(), subject, prop::bool::weighted(0.8))
            .prop_map(|(server, subject, reachable)| Step::Check { server, subject, reachable }),
        6 => (server.clone(), 0..500_u64, fate)
            .prop_map(|(server, delay, fate)| Step::Poll { server, delay, fate }),
        1 => server.prop_map(|server| Step::Arrive { server }),
    ]
}
