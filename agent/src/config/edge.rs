//! Which HAProxys are told what: verdicts that they keep, and which streams end.

use std::path::PathBuf;
use std::time::Duration;

use revocation::lease::Terms as LeaseTerms;
use service::settings::Settings;

use super::ranges::{EDGE_SIZE, EDGE_TTL, STREAMS_GRACE, STREAMS_SIZE, within};
use crate::answer::Variables;
use crate::cache::Limits;
use crate::haproxy::edge::EdgeConfig;
use crate::haproxy::edge::commands::Maps;
use crate::haproxy::edge::entry::Layout;
use crate::haproxy::edge::ledger::Terms;
use crate::streams::{self, StreamsConfig};

const SOCKETS: &str = "JWT_EDGE_SOCKETS";
const MAP: &str = "JWT_EDGE_MAP";
const LEASES: &str = "JWT_EDGE_LEASES";
const STREAMS: &str = "JWT_STREAMS_SIZE";
const GRACE: &str = "JWT_STREAMS_GRACE";

/// The least time between two judgements of a stream: while servers differ, none of their words holds.
const JUDGED_AGAIN: Duration = Duration::from_millis(100);
/// The same where no word of a token-server may be used twice, so that each stream is asked about once in this time.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// Reads the settings; absent: no HAProxy is given verdicts, or none is told to end streams.
pub(super) fn read(
    settings: &mut Settings,
    lease: LeaseTerms,
    cache: Limits,
    variables: &Variables,
) -> (Option<EdgeConfig>, Option<StreamsConfig>) {
    let sockets = sockets(settings);
    let streams = streams(settings, lease, sockets.clone());
    let edge = verdicts(settings, lease, cache, variables, sockets, streams.is_some());
    (edge, streams)
}

fn streams(
    settings: &mut Settings,
    lease: LeaseTerms,
    sockets: Option<Vec<PathBuf>>,
) -> Option<StreamsConfig> {
    let size = within(settings, STREAMS, STREAMS_SIZE, "streams");
    let grace = within(settings, GRACE, STREAMS_GRACE, "seconds");
    let Some(sockets) = sockets else {
        let names = [size.map(|_| STREAMS), grace.map(|_| GRACE)];
        for name in names.into_iter().flatten() {
            settings.fault(name, format!("needs {SOCKETS}, over which HAProxy is told to end streams"));
        }
        return None;
    };
    let size = size.unwrap_or(10_000);
    if size == 0 && grace.is_some() {
        settings.fault(GRACE, format!("has no effect, {STREAMS} being 0"));
    }
    let pause = if lease.ttl.is_zero() { ASKED_AGAIN } else { JUDGED_AGAIN };
    let terms = streams::Terms { size, grace: grace.map(Duration::from_secs), pause };
    (size > 0).then_some(StreamsConfig { sockets, terms })
}

fn verdicts(
    settings: &mut Settings,
    lease: LeaseTerms,
    cache: Limits,
    variables: &Variables,
    sockets: Option<Vec<PathBuf>>,
    has_streams: bool,
) -> Option<EdgeConfig> {
    let (map, leases) = (map(settings, MAP), map(settings, LEASES));
    let entries = within(settings, "JWT_EDGE_SIZE", EDGE_SIZE, "verdicts").unwrap_or(10_000);
    let entry = within(settings, "JWT_EDGE_TTL", EDGE_TTL, "seconds").unwrap_or(60);
    if map.is_none() && leases.is_none() && (sockets.is_none() || has_streams) {
        return None;
    }
    let names = [(SOCKETS, sockets.is_some()), (MAP, map.is_some()), (LEASES, leases.is_some())];
    for (name, _) in names.iter().filter(|(_, is_set)| !is_set) {
        let what =
            "missing: verdicts in HAProxy need all of JWT_EDGE_SOCKETS, JWT_EDGE_MAP and JWT_EDGE_LEASES";
        settings.fault(name, what);
    }
    if map.is_some() && map == leases {
        settings.fault(LEASES, format!("is the same map as {MAP}"));
    }
    if lease.ttl.is_zero() {
        settings.fault(SOCKETS, "JWT_CACHE_TTL=0 asks for no verdict to be used twice, and HAProxy would");
    }
    if cache.entries == 0 || cache.bytes == 0 {
        settings.fault(SOCKETS, "needs a cache: JWT_CACHE_SIZE or JWT_CACHE_BYTES is 0");
    }
    if Layout::of(variables).is_none() {
        let what = "has to name each variable that HAProxy reads, such as id,payload.sub (or be auto, with --haproxy-cfg), since \
                    JWT_EDGE_SOCKETS is set: what HAProxy keeps has one place for each";
        settings.fault("JWT_VARIABLES", what);
    }
    let maps = Maps { verdicts: map?, leases: leases? };
    let terms = Terms { lease: lease.ttl, entry: Duration::from_secs(entry), entries };
    Some(EdgeConfig { sockets: sockets?, maps, terms })
}

/// Unix sockets alone: HAProxy compares with the clock of its own host.
fn sockets(settings: &mut Settings) -> Option<Vec<PathBuf>> {
    let items = settings.list(SOCKETS)?;
    let path = |item: &String| {
        let path = item.strip_prefix("unix@").unwrap_or(item);
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    let paths = items.iter().map(path).collect::<Option<Vec<_>>>();
    if paths.is_none() {
        settings.fault(
            SOCKETS,
            "expected paths of stats sockets, as /path or unix@/path: HAProxy has to be on the same host, whose clock both go by",
        );
    }
    paths
}

/// Bytes of a map's name: ten of a line's commands have to fit into HAProxy's buffer.
const MAX_MAP_BYTES: usize = 255;

/// A map's name goes into commands of the runtime API, where these characters would end it or be taken for others.
fn map(settings: &mut Settings, name: &'static str) -> Option<String> {
    let text = settings.text(name)?;
    let is_plain = |letter: char| letter.is_ascii_graphic() && !r#";<\#"'"#.contains(letter);
    if !text.chars().all(is_plain) || text.len() > MAX_MAP_BYTES {
        settings.fault(
            name,
            "expected the map's file as haproxy.cfg names it, 255 bytes at most, without blanks and any of ; < \\ # \" '",
        );
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    const KEYS: (&str, &str) = ("JWT_JWKS_FILE", "/k");
    const SOCKET: (&str, &str) = (SOCKETS, "/run/a.sock,unix@/run/b.sock");
    const MAPS: [(&str, &str); 3] = [(MAP, "/v"), (LEASES, "/l"), ("JWT_VARIABLES", "id")];

    #[test]
    fn a_socket_alone_is_for_streams_and_maps_are_for_verdicts() {
        let size = |size| [(STREAMS, size)];
        for (what, variables, has_edge, streams) in [
            ("nothing", vec![], false, None),
            ("a socket", vec![SOCKET], false, Some(10_000)),
            ("a socket for few", [&[SOCKET][..], &size("7")].concat(), false, Some(7)),
            ("maps too", [&[SOCKET][..], &MAPS].concat(), true, Some(10_000)),
            ("maps alone", [&[SOCKET][..], &MAPS, &size("0")].concat(), true, None),
            ("no verdict twice, and streams", vec![SOCKET, ("JWT_CACHE_TTL", "0")], false, Some(10_000)),
        ] {
            let config = load(&[&[KEYS][..], &variables].concat()).unwrap();
            assert_eq!(config.edge.is_some(), has_edge, "{what}");
            assert_eq!(config.streams.as_ref().map(|streams| streams.terms.size), streams, "{what}");
            let sockets = config.streams.map(|streams| streams.sockets);
            assert!(
                sockets.is_none_or(|sockets| sockets == ["/run/a.sock", "/run/b.sock"].map(PathBuf::from))
            );
        }
    }

    #[test]
    fn what_has_no_effect_is_a_fault() {
        for (variables, expected) in [
            (&[(STREAMS, "5")][..], "JWT_STREAMS_SIZE: needs JWT_EDGE_SOCKETS"),
            (&[(GRACE, "5")], "JWT_STREAMS_GRACE: needs JWT_EDGE_SOCKETS"),
            (
                &[SOCKET, (STREAMS, "0"), (GRACE, "5")],
                "JWT_STREAMS_GRACE: has no effect, JWT_STREAMS_SIZE being 0",
            ),
            (&[SOCKET, (STREAMS, "0")], "JWT_EDGE_MAP: missing"),
            (&[SOCKET, (MAP, "/v")], "JWT_EDGE_LEASES: missing"),
            (&[SOCKET, (LEASES, "/l")], "JWT_EDGE_MAP: missing"),
            (&MAPS, "JWT_EDGE_SOCKETS: missing"),
            (&[SOCKET, (STREAMS, "many")], "JWT_STREAMS_SIZE: expected streams, 0 to 1000000"),
            (&[SOCKET, (GRACE, "0")], "JWT_STREAMS_GRACE: expected seconds, 1 to 86400"),
        ] {
            let text = load(&[&[KEYS][..], variables].concat()).unwrap_err().to_string();
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }

    #[test]
    fn where_no_verdict_is_used_twice_streams_are_judged_once_a_second() {
        for (ttl, expected) in [("0", ASKED_AGAIN), ("1", JUDGED_AGAIN)] {
            let config = load(&[KEYS, SOCKET, ("JWT_CACHE_TTL", ttl)]).unwrap();
            assert_eq!(config.streams.unwrap().terms.pause, expected);
        }
    }
}
