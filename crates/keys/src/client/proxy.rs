//! Forward proxies: which URL goes through which.
//!
//! The variables are read as curl reads them, with two differences: this machine itself is never reached through a proxy
//! of the environment, and what cannot be used is a fault instead of no proxy.

use std::fmt;
use std::net::IpAddr;

use crate::trust::{Fetch, ProxyChoice};
use reqwest::Url;
use service::proxy::{ProxyVariables, Variable};

use super::origin::{Origin, address};
use crate::load_error::FetchFault;

/// One forward proxy.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) url: Url,
    /// What named it.
    pub(super) setting: String,
}

impl Proxy {
    fn read(text: &str, setting: String) -> Result<Self, FetchFault> {
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        match Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                Ok(Self { url, setting })
            }
            Ok(_) | Err(_) => {
                let why = "expected http://host:port, or https://host:port of a proxy; others, such as SOCKS, are not spoken";
                Err(FetchFault { setting, why: why.to_owned() })
            }
        }
    }
}

impl fmt::Display for Proxy {
    /// A password in the URL is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", Origin::of(&self.url), self.setting)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

/// Which URLs go through which proxy.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    https: Option<Proxy>,
    http: Option<Proxy>,
    except: Vec<Exception>,
    /// Also what is on this machine, since the operator has said so.
    loopback: bool,
}

impl Proxies {
    /// As an issuer's settings say, or else the environment.
    pub(super) fn of(fetch: &Fetch, environment: &ProxyVariables) -> Result<Self, FetchFault> {
        match &fetch.proxy {
            ProxyChoice::Never => Ok(Self::default()),
            ProxyChoice::Through(url) => {
                let proxy = Some(Proxy::read(url.expose(), fetch.setting(|names| names.proxy))?);
                Ok(Self { https: proxy.clone(), http: proxy, except: Vec::new(), loopback: true })
            }
            ProxyChoice::Environment => Self::of_environment(environment),
        }
    }

    fn of_environment(environment: &ProxyVariables) -> Result<Self, FetchFault> {
        let proxy = |variable: &Option<Variable>| {
            let variable = variable.as_ref().or(environment.all.as_ref());
            variable
                .map(|variable| Proxy::read(variable.value.expose(), variable.name.to_owned()))
                .transpose()
        };
        let (https, http) = (proxy(&environment.https)?, proxy(&environment.http)?);
        let except = match &environment.except {
            Some(variable) if https.is_some() || http.is_some() => exceptions(variable)?,
            Some(_) | None => Vec::new(),
        };
        Ok(Self { https, http, except, loopback: false })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.https.is_none() && self.http.is_none()
    }

    pub(super) fn for_url(&self, url: &Url) -> Option<&Proxy> {
        let origin = Origin::of(url);
        let spared = !self.loopback && origin.is_loopback();
        if spared || self.except.iter().any(|exception| exception.holds(url)) {
            return None;
        }
        if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }

    /// The proxies that are spoken to over TLS.
    pub(super) fn over_tls(&self) -> Option<&Proxy> {
        [&self.https, &self.http].into_iter().flatten().find(|proxy| proxy.url.scheme() == "https")
    }
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    Network {
        address: IpAddr,
        bits: u8,
    },
    /// A name and all below it, on one port or on any.
    Domain {
        name: String,
        port: Option<u16>,
    },
}

impl Exception {
    fn read(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let (address, bits): (IpAddr, u8) = (network.parse().ok()?, bits.parse().ok()?);
            return (bits <= width(address)).then_some(Self::Network { address, bits });
        }
        if let Some(address) = address(entry) {
            return Some(Self::Network { address, bits: width(address) });
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        let name = name.strip_prefix("*.").or(name.strip_prefix('.')).unwrap_or(name);
        let is_name = !name.is_empty()
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
        is_name.then(|| Self::Domain { name: name.to_ascii_lowercase(), port })
    }

    fn holds(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        match self {
            Self::Everything => true,
            Self::Network { address: network, bits } => {
                address(host).is_some_and(|address| within(address, *network, *bits))
            }
            Self::Domain { name, port } => {
                let below = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|front| front.is_empty() || front.ends_with('.'));
                below && (port.is_none() || *port == url.port_or_known_default())
            }
        }
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Whether the first `bits` of two addresses of one family are the same.
fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let differing = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits() ^ other.to_bits())) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    differing.leading_zeros() >= u32::from(bits)
}

fn exceptions(variable: &Variable) -> Result<Vec<Exception>, FetchFault> {
    let entries = variable.value.expose().split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
    let read = entries.enumerate().map(|(index, entry)| {
        Exception::read(entry).ok_or_else(|| FetchFault {
            setting: variable.name.to_owned(),
            why: format!(
                "entry {} is neither a name (example.com, .example.com, host:port), an address, a network (10.0.0.0/8), nor *",
                index.saturating_add(1)
            ),
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests;
