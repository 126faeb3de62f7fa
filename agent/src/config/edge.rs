//! Which HAProxys are given verdicts, and how many.

use std::path::PathBuf;
use std::time::Duration;

use revocation::lease::Terms as LeaseTerms;
use service::settings::Settings;

use super::ranges::{EDGE_SIZE, EDGE_TTL, within};
use crate::answer::Variables;
use crate::cache::Limits;
use crate::haproxy::edge::EdgeConfig;
use crate::haproxy::edge::commands::Maps;
use crate::haproxy::edge::entry::Layout;
use crate::haproxy::edge::ledger::Terms;

const SOCKETS: &str = "JWT_EDGE_SOCKETS";
const MAP: &str = "JWT_EDGE_MAP";
const LEASES: &str = "JWT_EDGE_LEASES";
/// Reads the settings; absent: none is given any.
pub(super) fn read(
    settings: &mut Settings,
    lease: LeaseTerms,
    cache: Limits,
    variables: &Variables,
) -> Option<EdgeConfig> {
    let sockets = sockets(settings);
    let (map, leases) = (map(settings, MAP), map(settings, LEASES));
    let entries = within(settings, "JWT_EDGE_SIZE", EDGE_SIZE, "verdicts").unwrap_or(10_000);
    let entry = within(settings, "JWT_EDGE_TTL", EDGE_TTL, "seconds").unwrap_or(60);
    if sockets.is_none() && map.is_none() && leases.is_none() {
        return None;
    }
    let names = [(SOCKETS, sockets.is_some()), (MAP, map.is_some()), (LEASES, leases.is_some())];
    for (name, _) in names.iter().filter(|(_, is_set)| !is_set) {
        settings.fault(name, format!("missing: {SOCKETS}, {MAP} and {LEASES} belong together"));
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
