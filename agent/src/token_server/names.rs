//! Token-servers that are given as URLs: their names are resolved again and again, each address is a server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use reqwest::Url;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::endpoint::{Endpoint, Scheme};

/// How long one name may take to be resolved.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How many answers in a row must leave an address out before its server has left. Name servers with more addresses than
/// they tell give others each time, and a server that came and went with them would be heard, and forgotten, anew.
const ABSENCES: u32 = 10;
/// Addresses of one name; those of the latest answer first.
const MAX_ADDRESSES: usize = 64;

/// A name is not resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name {host} is not resolved: {cause}")]
pub struct NameError {
    host: String,
    cause: String,
}

/// One URL, with the servers that it leads to.
#[derive(Debug)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
    endpoints: BTreeSet<Endpoint>,
    /// How many answers in a row have left an address out.
    absent: BTreeMap<IpAddr, u32>,
}

impl Origin {
    /// Not resolved yet, unless it needs no resolving; absent where the URL names no host.
    pub fn new(url: &Url) -> Option<Self> {
        let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default()?;
        let mut origin = Self { scheme, host, port, endpoints: BTreeSet::new(), absent: BTreeMap::new() };
        if let Ok(ip) = origin.host.parse::<IpAddr>() {
            origin.endpoints = [origin.endpoint(ip)].into();
        }
        Some(origin)
    }

    /// Whether its addresses can change.
    pub fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }

    /// What it leads to, as the last answers had it.
    pub fn endpoints(&self) -> &BTreeSet<Endpoint> {
        &self.endpoints
    }

    /// Resolves the name. What cannot be resolved now leads where it led before: a name server that is down says nothing
    /// about the token-server.
    ///
    /// # Errors
    ///
    /// Why it cannot be resolved.
    pub async fn look(&mut self) -> Result<(), NameError> {
        if !self.is_name() {
            return Ok(());
        }
        let looked = timeout(RESOLVE_TIMEOUT, lookup_host((self.host.as_str(), self.port))).await;
        let failed = |cause: String| NameError { host: self.host.clone(), cause };
        let found = looked.map_err(|_| failed("no answer in time".to_owned()))?;
        let found = of_one_family(found.map_err(|error| failed(error.to_string()))?.collect());
        if found.is_empty() {
            return Err(failed("it has no address".to_owned()));
        }
        self.learn(&found);
        Ok(())
    }

    /// Takes an answer in.
    fn learn(&mut self, found: &BTreeSet<IpAddr>) {
        let known = std::mem::take(&mut self.absent).into_iter();
        let absent =
            known.filter(|(ip, _)| !found.contains(ip)).map(|(ip, times)| (ip, times.saturating_add(1)));
        let absent = absent.filter(|(_, times)| *times < ABSENCES);
        self.absent = found.iter().map(|ip| (*ip, 0)).chain(absent).take(MAX_ADDRESSES).collect();
        self.endpoints = self.absent.keys().map(|ip| self.endpoint(*ip)).collect();
    }

    fn endpoint(&self, ip: IpAddr) -> Endpoint {
        Endpoint { scheme: self.scheme, host: self.host.clone(), address: SocketAddr::new(ip, self.port) }
    }
}

/// A process that has addresses of both families must not count as two servers, one of which may not even listen: IPv4
/// where there is any, as a token-server listens by default.
fn of_one_family(found: Vec<SocketAddr>) -> BTreeSet<IpAddr> {
    let has_v4 = found.iter().any(SocketAddr::is_ipv4);
    found.into_iter().filter(|address| address.is_ipv4() == has_v4).map(|address| address.ip()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::new(&Url::parse(url).unwrap()).unwrap()
    }

    fn shown(origin: &Origin) -> Vec<String> {
        origin.endpoints().iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn an_address_needs_no_resolving_and_a_name_is_one_server_for_each_address() {
        assert_eq!(shown(&origin("http://10.0.0.1:4000")), ["http://10.0.0.1:4000"]);
        assert_eq!(shown(&origin("https://[::1]")), ["https://[::1]:443"]);
        let mut local = origin("http://localhost:4000");
        assert!(local.is_name() && local.endpoints().is_empty());
        local.look().await.unwrap();
        assert_eq!(shown(&local), ["http://localhost:4000 (127.0.0.1)"]);
    }

    #[tokio::test]
    async fn a_name_that_is_not_resolved_leads_where_it_led() {
        let mut gone = origin("http://localhost:4000");
        gone.host = "no name of..a host".to_owned();
        let before: BTreeSet<_> = [gone.endpoint([10, 0, 0, 1].into())].into();
        gone.endpoints.clone_from(&before);
        gone.look().await.unwrap_err();
        assert_eq!(gone.endpoints(), &before);
    }

    #[test]
    fn an_address_stays_until_many_answers_in_a_row_leave_it_out() {
        let ip = |last: u8| IpAddr::from([10, 0, 0, last]);
        let mut origin = origin("http://servers.test:4000");
        let mut count = |found: &[u8]| {
            origin.learn(&found.iter().copied().map(ip).collect());
            origin.endpoints().len()
        };
        assert_eq!(count(&[1]), 1);
        for _ in 0..3 {
            assert_eq!((count(&[2]), count(&[1])), (2, 2), "another at each look");
        }
        for _ in 2..ABSENCES {
            assert_eq!(count(&[1]), 2);
        }
        assert_eq!(count(&[1]), 1, "the tenth answer without 2");
        assert_eq!(count(&[3, 4]), 3);
        assert_eq!(count(&(1..=250).collect::<Vec<_>>()), MAX_ADDRESSES);
        assert_eq!(count(&[251]), MAX_ADDRESSES);
        assert!(origin.endpoints().contains(&origin.endpoint(ip(251))), "the latest answer comes first");
    }

    #[test]
    fn addresses_of_one_family_count() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        for (found, expected) in [
            (&["::1", "127.0.0.1"][..], &["127.0.0.1"][..]),
            (&["10.0.0.2", "10.0.0.1", "fd00::1"], &["10.0.0.1", "10.0.0.2"]),
            (&["fd00::2", "fd00::1"], &["fd00::1", "fd00::2"]),
        ] {
            let kept = of_one_family(found.iter().copied().map(address).collect());
            assert_eq!(kept.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        }
    }
}
