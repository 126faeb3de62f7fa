//! Token-servers that are a backend of HAProxy: which of its servers are up, and where, is asked on HAProxy's stats socket
//! (management guide, section 9.3, `show servers state`).

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::endpoint::{Endpoint, Scheme};
use crate::haproxy::runtime::{self, RuntimeError};
use crate::listen::Address;

/// The version of the answer's format that HAProxy 1.6 and newer write in its first line.
const FORMAT: &str = "1";

/// `srv_op_state` of a server that gets requests: its weight is still growing (`STARTING`), or it is `RUNNING`. It stays so
/// while checks begin to fail (`UP 1/2`).
const UP: [u8; 2] = [1, 2];
/// Bits of `srv_admin_state` with which a server gets none: maintenance that is forced, inherited or for lack of an
/// address, and the two kinds of drain. Bit 2 only says that the configuration had the server disabled, and stays when
/// it is enabled; bit 6 that its name was changed.
const AWAY: u8 = 0b0011_1011;

/// A backend of HAProxy, with its servers as they were when it last told.
#[derive(Debug)]
pub struct Backend {
    name: String,
    socket: Address,
    servers: Listed,
}

/// The servers of a backend.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listed {
    up: BTreeSet<Endpoint>,
    /// Names of those that are up where only HAProxy finds them: no address, or no port.
    nowhere: BTreeSet<String>,
}

/// Why the servers of a backend are not known.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The socket does not answer.
    #[error("JWT_HAPROXY_SOCKET: {0}")]
    Socket(#[from] RuntimeError),
    /// There is no backend of exactly this name.
    #[error("JWT_TOKEN_SERVER_BACKEND: HAProxy has no backend of exactly this name")]
    NoSuchBackend,
    /// It answers something else.
    #[error("JWT_HAPROXY_SOCKET: the answer is not HAProxy's list of servers")]
    Unreadable,
}

impl Backend {
    /// Not asked about yet.
    pub fn new(name: String, socket: Address) -> Self {
        Self { name, socket, servers: Listed::default() }
    }

    /// Those that were up when HAProxy last told.
    pub fn endpoints(&self) -> &BTreeSet<Endpoint> {
        &self.servers.up
    }

    /// Asks again. Without an answer the servers stay those of the last one.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn look(&mut self) -> Result<(), BackendError> {
        let answer = runtime::ask(&self.socket, &format!("show servers state {}", self.name)).await?;
        let servers = list(&self.name, &answer)?;
        if !servers.nowhere.is_empty() && servers.nowhere != self.servers.nowhere {
            let names = servers.nowhere.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(servers = names, "token-servers without an address and port cannot be asked");
        }
        self.servers = servers;
        Ok(())
    }
}

/// The columns that matter of one line.
struct Row<'a> {
    columns: &'a [&'a str],
    values: Vec<&'a str>,
}

impl<'a> Row<'a> {
    fn column(&self, name: &str) -> Result<&'a str, BackendError> {
        let index = self.columns.iter().position(|column| *column == name);
        index.and_then(|index| self.values.get(index)).copied().ok_or(BackendError::Unreadable)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<T, BackendError> {
        self.column(name)?.parse().map_err(|_| BackendError::Unreadable)
    }

    fn is_up(&self) -> Result<bool, BackendError> {
        let state: u8 = self.number("srv_op_state")?;
        let admin: u8 = self.number("srv_admin_state")?;
        let weight: u32 = self.number("srv_uweight")?;
        // A weight of zero is a drain as well.
        Ok(UP.contains(&state) && admin & AWAY == 0 && weight > 0)
    }

    fn endpoint(&self) -> Result<Option<Endpoint>, BackendError> {
        let (address, name) = (self.column("srv_addr")?, self.column("srv_fqdn")?);
        let port: u16 = self.number("srv_port")?;
        let scheme = if self.column("srv_use_ssl")? == "1" { Scheme::Https } else { Scheme::Http };
        let host = if name == "-" { address } else { name }.to_owned();
        let found = address.parse::<IpAddr>().ok().filter(|_| port > 0);
        Ok(found.map(|ip| Endpoint { scheme, host, address: SocketAddr::new(ip, port) }))
    }
}

/// Reads `show servers state <name>`.
fn list(name: &str, answer: &str) -> Result<Listed, BackendError> {
    if answer.trim() == "Can't find backend." {
        return Err(BackendError::NoSuchBackend);
    }
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let header = match (lines.next(), lines.next().and_then(|line| line.strip_prefix("# "))) {
        (Some(FORMAT), Some(header)) => header,
        (_, _) => return Err(BackendError::Unreadable),
    };
    let columns: Vec<&str> = header.split(' ').collect();
    let mut listed = Listed::default();
    for line in lines {
        let row = Row { columns: &columns, values: line.split(' ').collect() };
        if row.column("be_name")? != name {
            return Err(BackendError::NoSuchBackend);
        }
        if !row.is_up()? {
            continue;
        }
        match row.endpoint()? {
            Some(endpoint) => drop(listed.up.insert(endpoint)),
            None => drop(listed.nowhere.insert(row.column("srv_name")?.to_owned())),
        }
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight \
        srv_iweight srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state \
        srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port \
        srv_check_addr srv_agent_addr srv_agent_port\n";

    /// A line as HAProxy writes it.
    fn server(state: &str, address: &str, rest: &str) -> String {
        format!("2 servers 1 s {address} {state} 1 2 1 0 2 0 0 0 0 {rest} 0 - - 0\n")
    }

    fn up(lines: &[String]) -> Vec<String> {
        let listed = list("servers", &format!("{HEAD}{}\n", lines.concat())).unwrap();
        listed.up.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_server_is_up_if_haproxy_would_send_it_requests() {
        for (state, expected) in [
            ("2 0 1", true),
            ("1 0 1", true),
            ("2 4 1", true),
            ("2 64 1", true),
            ("0 0 1", false),
            ("3 0 1", false),
            ("0 1 1", false),
            ("0 5 1", false),
            ("0 2 1", false),
            ("2 8 1", false),
            ("2 16 1", false),
            ("0 32 1", false),
            ("2 0 0", false),
        ] {
            let listed = up(&[server(state, "10.0.0.1", "- 4000 - 0")]);
            assert_eq!(!listed.is_empty(), expected, "{state}");
        }
    }

    #[test]
    fn a_server_is_where_haproxy_reaches_it_by_the_name_that_haproxy_knows() {
        let listed = up(&[
            server("2 0 1", "10.0.0.1", "- 4000 - 0"),
            server("2 0 1", "10.0.0.2", "ts.example 4443 - 1"),
            server("2 0 1", "::1", "- 4000 - 0"),
            server("2 0 1", "10.0.0.1", "- 4000 - 0"),
        ]);
        let expected = ["http://10.0.0.1:4000", "http://[::1]:4000", "https://ts.example:4443 (10.0.0.2)"];
        assert_eq!(listed, expected, "the same place twice is one server");
        let nowhere = [server("2 0 1", "-", "- 0 - 0"), server("2 0 1", "10.0.0.1", "- 0 - 0")].concat();
        let listed = list("servers", &format!("{HEAD}{nowhere}")).unwrap();
        assert_eq!((listed.up.len(), listed.nowhere.len()), (0, 1));
    }

    #[test]
    fn only_the_list_of_exactly_this_backend_counts() {
        let line = server("2 0 1", "10.0.0.1", "- 4000 - 0");
        assert_eq!(list("servers", HEAD).unwrap(), Listed::default(), "a backend without servers");
        for (name, answer) in
            [("servers", "Can't find backend.\n\n".to_owned()), ("server", format!("{HEAD}{line}"))]
        {
            assert!(matches!(list(name, &answer), Err(BackendError::NoSuchBackend)), "{answer}");
        }
        for answer in [
            "",
            "Permission denied\n",
            "2\n# be_name\n",
            &format!("{HEAD}2 servers 1\n"),
            &format!("{HEAD}{}", line.replace(" 4000 ", " x ")),
        ] {
            assert!(matches!(list("servers", answer), Err(BackendError::Unreadable)), "{answer}");
        }
    }
}
