//! What a check of the configuration can say of addresses to listen on, without listening: `--check` runs beside the program
//! that it checks for, so that an address in use is told and no fault.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::net::SocketAddr as UnixAddress;
use std::path::Path;

use tokio::net::{TcpSocket, lookup_host};

use crate::probe::Place;
use crate::socket::{self, SocketError};

/// An address, and the setting that names it.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The setting.
    pub setting: &'static str,
    /// Where to listen.
    pub place: Place,
}

/// What was found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Findings {
    /// What would end a start.
    pub faults: Vec<String>,
    /// What may.
    pub notes: Vec<String>,
}

/// The addresses of one setting, resolved.
struct Resolved<'a> {
    wanted: &'a Wanted,
    addresses: Vec<SocketAddr>,
}

/// Looks at every address, alone and beside the others.
pub async fn examine(wanted: &[Wanted]) -> Findings {
    let mut findings = Findings::default();
    let mut seen: Vec<Resolved<'_>> = Vec::new();
    for one in wanted {
        let setting = one.setting;
        let refused =
            |error: &dyn fmt::Display| format!("{setting}: cannot listen on {}: {error}", Shown(&one.place));
        let addresses = match &one.place {
            Place::Tcp(address) => match lookup_host(address).await {
                Ok(found) => found.collect(),
                Err(error) => {
                    findings.faults.push(refused(&error));
                    continue;
                }
            },
            Place::Unix(_) => Vec::new(),
        };
        let result = match &one.place {
            Place::Tcp(_) => examine_tcp(&addresses),
            Place::Unix(path) => examine_unix(path),
        };
        match result {
            Ok(()) => {}
            Err(error) if is_in_use(&error) => findings.notes.push(format!(
                "{setting}: {} is in use, perhaps by the program that runs now; a start beside it would fail",
                Shown(&one.place)
            )),
            Err(error) => findings.faults.push(refused(&error)),
        }
        let resolved = Resolved { wanted: one, addresses };
        if let Some(other) = seen.iter().find(|other| other.meets(&resolved)) {
            let (own, others) = (Shown(&one.place), Shown(&other.wanted.place));
            let what = format!(
                "{setting}: {own} meets {others} of {}; give each an address of its own",
                other.wanted.setting
            );
            findings.faults.push(what);
        }
        seen.push(resolved);
    }
    findings
}

impl Resolved<'_> {
    fn meets(&self, other: &Self) -> bool {
        match (&self.wanted.place, &other.wanted.place) {
            (Place::Unix(one), Place::Unix(two)) => one == two,
            _ => self.addresses.iter().any(|one| other.addresses.iter().any(|two| meet(*one, *two))),
        }
    }
}

/// Whether two listeners cannot be beside each other. One that listens on every address of IPv6 has those of IPv4 too.
fn meet(one: SocketAddr, two: SocketAddr) -> bool {
    let covers = |all: IpAddr, other: IpAddr| all.is_unspecified() && (all.is_ipv6() || other.is_ipv4());
    let (a, b) = (one.ip(), two.ip());
    one.port() == two.port() && one.port() != 0 && (a == b || covers(a, b) || covers(b, a))
}

/// As a listener binds: to the first address that it can.
fn examine_tcp(addresses: &[SocketAddr]) -> Result<(), SocketError> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let bound =
            if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.and_then(|socket| {
                socket.set_reuseaddr(true)?;
                socket.bind(*address)
            });
        match bound {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}

fn examine_unix(path: &Path) -> Result<(), SocketError> {
    UnixAddress::from_pathname(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    writable(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("its folder {}: {error}", folder.display())))?;
    socket::examine(path)
}

/// Makes a file there, and takes it away again.
///
/// # Errors
///
/// There is no such folder, or nothing can be made in it.
pub fn writable(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".check-{}", std::process::id()));
    OpenOptions::new().write(true).create_new(true).open(&file)?;
    fs::remove_file(&file)
}

fn is_in_use(error: &SocketError) -> bool {
    match error {
        SocketError::InUse => true,
        SocketError::Io(error) => error.kind() == io::ErrorKind::AddrInUse,
        SocketError::NotASocket => false,
    }
}

struct Shown<'a>(&'a Place);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Place::Tcp(address) => out.write_str(address),
            Place::Unix(path) => write!(out, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(setting: &'static str, address: &str) -> Wanted {
        Wanted { setting, place: Place::Tcp(address.to_owned()) }
    }

    fn unix(setting: &'static str, path: &Path) -> Wanted {
        Wanted { setting, place: Place::Unix(path.to_owned()) }
    }

    #[tokio::test]
    async fn what_a_start_would_refuse_is_a_fault_and_an_address_in_use_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let absent = folder.path().join("absent").join("a.sock");
        let long = folder.path().join("x".repeat(120));
        let served = folder.path().join("served.sock");
        let _serving = std::os::unix::net::UnixListener::bind(&served).unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().map(|address| (taken, address.to_string())).unwrap();
        for (wanted, fault, note) in [
            (vec![tcp("A", "127.0.0.1:0"), tcp("B", "127.0.0.1:0")], "", ""),
            (vec![unix("A", &folder.path().join("new.sock"))], "", ""),
            (vec![tcp("A", &taken.1)], "", "is in use"),
            (vec![unix("A", &served)], "", "is in use"),
            (vec![tcp("A", "192.0.2.1:80")], "A: cannot listen on 192.0.2.1:80: ", ""),
            (vec![unix("A", &absent)], "its folder ", ""),
            (vec![unix("A", &file.join("a.sock"))], "its folder ", ""),
            (vec![unix("A", &file)], "is no socket", ""),
            (vec![unix("A", &long)], "A: cannot listen on ", ""),
            (vec![unix("A", &folder.path().join("s")), unix("B", &folder.path().join("s"))], "B: ", ""),
        ] {
            let found = examine(&wanted).await;
            assert_eq!(found.faults.is_empty(), fault.is_empty(), "{wanted:?}: {found:?}");
            assert_eq!(found.notes.is_empty(), note.is_empty(), "{wanted:?}: {found:?}");
            assert!(found.faults.iter().all(|found| found.contains(fault)), "{wanted:?}: {found:?}");
            assert!(found.notes.iter().all(|found| found.contains(note)), "{wanted:?}: {found:?}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn two_listeners_meet_on_one_address_and_where_one_has_all_of_them() {
        for (one, two, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.1:81", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "0.0.0.0:80", true),
            ("[::]:80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "[::1]:80", false),
            ("[::1]:80", "[::1]:80", true),
        ] {
            assert_eq!(meet(one.parse().unwrap(), two.parse().unwrap()), expected, "{one} {two}");
        }
    }
}
