//! How the URLs of one issuer are fetched, as an operator writes it: fields of its table, or flat settings.
//!
//! Secrets stand in files that are read at each fetch. Nothing here reads one; of certificates it looks that they are some.

use std::path::PathBuf;

use reqwest::header::{self, HeaderName, HeaderValue};

use rustls::pki_types::CertificateDer;
use service::pem;
use service::secret::Secret;
use service::secret_file::{FileFault, NamedFile, SecretFile};
use service::settings::Settings;

/// The names of the settings, as a table or a program's environment has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FetchNames {
    /// URLs of keys.
    pub keys_url: &'static str,
    /// Certificates that vouch for the URLs.
    pub ca_file: &'static str,
    /// A file with a bearer token.
    pub token_file: &'static str,
    /// A file with `user:password`.
    pub basic_file: &'static str,
    /// Headers.
    pub headers: &'static str,
    /// A file with headers.
    pub headers_file: &'static str,
    /// A client certificate.
    pub cert_file: &'static str,
    /// Its key.
    pub key_file: &'static str,
    /// Further origins that may see all of these.
    pub origins: &'static str,
    /// The forward proxy.
    pub proxy: &'static str,
}

impl FetchNames {
    /// The fields of `[[issuers]]`.
    pub const TABLE: Self = Self {
        keys_url: "keys_url",
        ca_file: "ca_file",
        token_file: "fetch_token_file",
        basic_file: "fetch_basic_file",
        headers: "fetch_headers",
        headers_file: "fetch_headers_file",
        cert_file: "fetch_cert_file",
        key_file: "fetch_key_file",
        origins: "fetch_origins",
        proxy: "fetch_proxy",
    };
}

/// What the `Authorization` header is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// A file with a bearer token (RFC 6750).
    Bearer(PathBuf),
    /// A file with `user:password` (RFC 7617).
    Basic(PathBuf),
}

/// A client certificate with those that lead to its authority, and its key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Whether a forward proxy is used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// As `HTTPS_PROXY` and the like say.
    #[default]
    Environment,
    /// Never.
    Never,
    /// This one for every URL, loopback included.
    Through(Secret),
}

/// How the URLs of one issuer are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Certificates that vouch for the URLs, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The setting that names this file, or would.
    pub ca_setting: String,
    /// Who asks.
    pub authorization: Option<Authorization>,
    /// Headers; their values are not shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// A file with more of them, each on a line.
    pub headers_file: Option<PathBuf>,
    /// What is shown to servers that ask for a certificate.
    pub certificate: Option<CertificateFiles>,
    /// Origins that may see all of this, beside those of the URLs that are configured.
    pub origins: Vec<String>,
    /// The forward proxy.
    pub proxy: ProxyChoice,
    /// What stands before the names: empty, or the table.
    pub place: String,
    /// The names.
    pub names: FetchNames,
}

impl Default for Fetch {
    fn default() -> Self {
        Self::at(String::new(), FetchNames::TABLE)
    }
}

impl Fetch {
    fn at(place: String, names: FetchNames) -> Self {
        Self {
            ca_file: None,
            ca_setting: format!("{place}{}", names.ca_file),
            authorization: None,
            headers: Vec::new(),
            headers_file: None,
            certificate: None,
            origins: Vec::new(),
            proxy: ProxyChoice::Environment,
            place,
            names,
        }
    }

    /// Reads the settings of these names.
    pub fn read(settings: &mut Settings, names: FetchNames) -> Self {
        Self {
            ca_file: settings.text(names.ca_file).map(PathBuf::from),
            authorization: authorization(settings, &names),
            headers: headers(settings, &names),
            headers_file: settings.text(names.headers_file).map(PathBuf::from),
            certificate: certificate(settings, &names),
            origins: settings.list(names.origins).unwrap_or_default(),
            proxy: match settings.text(names.proxy) {
                None => ProxyChoice::Environment,
                Some(none) if none.eq_ignore_ascii_case("none") => ProxyChoice::Never,
                Some(url) => ProxyChoice::Through(Secret::new(url)),
            },
            ..Self::at(settings.place().to_owned(), names)
        }
    }

    /// Reads the fields of one issuer's table. What it does not say of certificates, `flat` does.
    pub(super) fn of_table(table: &mut Settings, flat: &Self) -> Self {
        let mut fetch = Self::read(table, FetchNames::TABLE);
        if fetch.ca_file.is_none() && flat.ca_file.is_some() {
            (fetch.ca_file, fetch.ca_setting) = (flat.ca_file.clone(), flat.ca_setting.clone());
        }
        fetch
    }

    /// The certificates that vouch for the URLs, beside the system's, read for the first time.
    pub(crate) fn authorities(&self) -> Option<Result<SecretFile<Vec<CertificateDer<'static>>>, FileFault>> {
        let path = self.ca_file.as_ref()?;
        Some(SecretFile::one(NamedFile::new(self.ca_setting.clone(), path), |file| {
            pem::roots(file)?;
            pem::certificates(file)
        }))
    }

    /// The setting of that name, with the table it stands in.
    pub fn setting(&self, name: impl FnOnce(&FetchNames) -> &'static str) -> String {
        format!("{}{}", self.place, name(&self.names))
    }

    /// The settings that say who asks, as far as they are set.
    pub fn credentials(&self) -> Vec<&'static str> {
        let names = &self.names;
        let authorization = self.authorization.as_ref().map(|authorization| match authorization {
            Authorization::Bearer(_) => names.token_file,
            Authorization::Basic(_) => names.basic_file,
        });
        let headers = (!self.headers.is_empty()).then_some(names.headers);
        let headers_file = self.headers_file.as_ref().map(|_| names.headers_file);
        let certificate = self.certificate.as_ref().map(|_| names.cert_file);
        [authorization, headers, headers_file, certificate].into_iter().flatten().collect()
    }
}

fn authorization(settings: &mut Settings, names: &FetchNames) -> Option<Authorization> {
    match (settings.text(names.token_file), settings.text(names.basic_file)) {
        (Some(_), Some(_)) => {
            settings
                .fault(names.basic_file, format!("there is {} too; leave one of them out", names.token_file));
            None
        }
        (Some(token), None) => Some(Authorization::Bearer(token.into())),
        (None, Some(basic)) => Some(Authorization::Basic(basic.into())),
        (None, None) => None,
    }
}

fn headers(settings: &mut Settings, names: &FetchNames) -> Vec<(HeaderName, HeaderValue)> {
    let lines = settings.list(names.headers).unwrap_or_default();
    let read: Result<Vec<_>, _> = lines.iter().map(|line| header_line(line)).collect();
    read.unwrap_or_else(|why| {
        settings.fault(names.headers, why);
        Vec::new()
    })
}

fn certificate(settings: &mut Settings, names: &FetchNames) -> Option<CertificateFiles> {
    match (settings.text(names.cert_file), settings.text(names.key_file)) {
        (Some(cert), Some(key)) => Some(CertificateFiles { cert: cert.into(), key: key.into() }),
        (None, None) => None,
        (Some(_), None) => {
            settings.fault(names.key_file, format!("missing, since {} is set", names.cert_file));
            None
        }
        (None, Some(_)) => {
            settings.fault(names.cert_file, format!("missing, since {} is set", names.key_file));
            None
        }
    }
}

/// Headers that belong to the connection or to the fetch itself.
const OURS: [HeaderName; 9] = [
    header::HOST,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::PROXY_AUTHORIZATION,
];

/// One header as it stands on a line: `Name: value`.
///
/// # Errors
///
/// Why it is none that can be sent, without its text.
pub fn header_line(line: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const EXPECTED: &str = "expected headers such as X-Api-Key: value";
    let (name, value) = line.split_once(':').ok_or(EXPECTED)?;
    let name: HeaderName = name.trim().parse().map_err(|_| EXPECTED)?;
    let value = value.trim();
    if value.is_empty() {
        return Err("a header has no value");
    }
    if OURS.contains(&name) {
        return Err("a header of the connection or of the fetch itself cannot be set");
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| "a value holds what no header may")?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests;
