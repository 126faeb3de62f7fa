//! What agent and HAProxy need for very many streams, and for very many that open and close.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use integration_tests::load::cost::{processor_time, resident};
use integration_tests::load::results::rounded;
use integration_tests::wait::poll;
use serde_json::{Value, json};

use super::clients::open_and_leave;
use super::{Stand, good, milliseconds};
use crate::release::Release;

/// As many as a process may hold connections for, on both sides, with 20,000 descriptors.
const MANY: usize = 9_000;
/// How long their keeping is measured: some lists of them, and four looks a second.
const KEEPING: Duration = Duration::from_secs(20);
const LOOKS_PER_SECOND: f64 = 4.0;
/// Streams that open and close in a second, and for how long.
const RATE: u32 = 1_000;
const OPENING: Duration = Duration::from_secs(15);
/// Until none is left: HAProxy finds by the next event that a client has left, and the agent by its next list.
const LEAVING: Duration = Duration::from_secs(60);

/// Streams that stay, each of a token of its own.
pub(super) fn many(release: &Release) -> Value {
    let stand = Stand::start(release);
    let (agent, haproxy) = (stand.edge.agents[0].process.id(), stand.edge.haproxy.process.id());
    let before = mib(agent);
    let _streams = stand.open((0..MANY).map(|number| good(&format!("user-{number}"))).collect());
    let is_known = || (stand.edge.count("jwt_agent_streams_open") == MANY as u64).then_some(());
    assert!(poll(LEAVING, is_known).is_some(), "all are remembered");
    let after = mib(agent);
    let (of_agent, of_haproxy) = spent([agent, haproxy], || thread::sleep(KEEPING));
    let begin = Instant::now();
    let (_, of_list) = spent([agent, haproxy], || {
        stand.edge.haproxy.stats("show sess all");
    });
    let list = begin.elapsed();
    let (_, of_short) = spent([agent, haproxy], || {
        stand.edge.haproxy.stats("show sess");
    });
    json!({
        "streams": MANY,
        "agent_mib_before": rounded(before, 1),
        "agent_mib": rounded(after, 1),
        "agent_kib_per_stream": rounded((after - before) * 1024.0 / MANY as f64, 2),
        "agent_ms_per_look": rounded(
            milliseconds(of_agent) / KEEPING.as_secs_f64() / LOOKS_PER_SECOND, 2
        ),
        "agent_percent_of_a_processor": rounded(of_agent.as_secs_f64() * 100.0 / KEEPING.as_secs_f64(), 2),
        "haproxy_percent_of_a_processor": rounded(of_haproxy.as_secs_f64() * 100.0 / KEEPING.as_secs_f64(), 2),
        "haproxy_ms_per_list": rounded(milliseconds(of_list), 1),
        "ms_until_a_list_is_there": rounded(milliseconds(list), 1),
        "haproxy_ms_per_short_list": rounded(milliseconds(of_short), 1),
    })
}

/// Streams whose clients leave at once.
pub(super) fn brief(release: &Release) -> Value {
    let stand = Stand::start(release);
    let agent = stand.edge.agents[0].process.id();
    let token: Arc<str> = good("hasty").into();
    let open = |time| open_and_leave(&stand.runtime, stand.target, &token, (RATE, time));
    let left = || stand.edge.count("jwt_agent_streams_open");
    let leave = || poll(LEAVING, || (left() == 0).then_some(()));
    // Buffers, tables and HAProxy's connections to the agent are as large as they will be then.
    open(OPENING);
    leave();
    let before = mib(agent);
    let begin = Instant::now();
    let mut opened = 0;
    let (of_agent, of_haproxy) = spent([agent, stand.edge.haproxy.process.id()], || opened = open(OPENING));
    let elapsed = begin.elapsed();
    leave();
    let after = mib(agent);
    let untracked = stand.edge.count("jwt_agent_streams_untracked_total");
    json!({
        "opened": opened,
        "opened_per_second": rounded(opened as f64 / elapsed.as_secs_f64(), 0),
        "agent_us_per_open": rounded(of_agent.as_secs_f64() * 1e6 / opened as f64, 1),
        "haproxy_us_per_open": rounded(of_haproxy.as_secs_f64() * 1e6 / opened as f64, 1),
        "agent_mib_before": rounded(before, 1),
        "agent_mib_after": rounded(after, 1),
        "agent_mib_after_by_before": rounded(after / before, 3),
        "left": left(),
        "untracked": untracked,
    })
}

/// The processor time that agent and HAProxy need meanwhile.
fn spent([agent, haproxy]: [u32; 2], meanwhile: impl FnOnce()) -> (Duration, Duration) {
    let now = || (processor_time(agent).unwrap(), processor_time(haproxy).unwrap());
    let before = now();
    meanwhile();
    let after = now();
    (after.0.saturating_sub(before.0), after.1.saturating_sub(before.1))
}

fn mib(process: u32) -> f64 {
    resident(process).unwrap() as f64 / 1_048_576.0
}
