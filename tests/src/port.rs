//! Ports that nothing else has: not another test, not another test program's, not an outgoing connection's.
//!
//! A port that the system chose and that was given back may be the source of another connection a moment later.
//! These come from below the range that connections are given theirs from, and each is claimed for as long as this process lives.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketType};

/// Where the search begins: above what the services of a machine commonly listen on.
const FIRST: u16 = 10_000;

/// Linux's default start of the range of outgoing connections, ip(7).
const FIRST_EPHEMERAL: u16 = 32_768;

/// How far above its port the bus of a Redis Cluster node listens.
pub const CLUSTER_BUS: u16 = 10_000;

/// What this process has claimed: sockets in the abstract namespace, which end with it and leave no file.
static CLAIMED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A TCP port of 127.0.0.1 that is free and stays so until it is listened on.
///
/// # Errors
///
/// All are taken.
pub fn free_port() -> io::Result<u16> {
    search(first_ephemeral(), claim)
}

/// The same for a node of a Redis Cluster, whose bus needs the port [`CLUSTER_BUS`] above.
///
/// # Errors
///
/// All are taken.
pub fn free_port_with_bus() -> io::Result<u16> {
    search(first_ephemeral().saturating_sub(CLUSTER_BUS), |port| {
        claim(port) && port.checked_add(CLUSTER_BUS).is_some_and(claim)
    })
}

/// Starts at a place of this process's own, so that programs side by side seldom meet.
fn search(end: u16, take: impl Fn(u16) -> bool) -> io::Result<u16> {
    let offset =
        u16::try_from(std::process::id().wrapping_mul(61) % u32::from(end - FIRST)).unwrap_or_default();
    let from = FIRST + offset;
    (from..end)
        .chain(FIRST..from)
        .find(|port| take(*port))
        .ok_or_else(|| io::Error::other("every port for tests is taken"))
}

/// Whether `port` is ours now, and nothing listens on it.
fn claim(port: u16) -> bool {
    let name = format!("haproxy-jwt-test-port-{port}");
    let claim = SocketAddr::from_abstract_name(name).and_then(|name| UnixListener::bind_addr(&name));
    let Ok(claim) = claim else { return false };
    // Kept in either case: what listens now will listen for a while.
    CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
    is_unused(port).is_ok()
}

/// Binds and does not listen: a program that is being started has our descriptors for a moment, and a listener among them would
/// keep the port from the one that we give it to.
fn is_unused(port: u16) -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_reuseaddr(&socket, true)?;
    Ok(rustix::net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?)
}

fn first_ephemeral() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .filter(|first| *first > FIRST + CLUSTER_BUS)
        .unwrap_or(FIRST_EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// A child has its parent's descriptors until it runs its own program: what listened a moment ago may still do so in one.
    #[test]
    fn a_port_is_free_while_programs_are_started() {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Command::new("true").status().unwrap();
                }
            });
            let taken: Vec<_> = (0..2_000)
                .filter_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).err())
                .collect();
            done.store(true, Ordering::Relaxed);
            assert!(taken.is_empty(), "{} of 2000: {taken:?}", taken.len());
        });
    }
}
