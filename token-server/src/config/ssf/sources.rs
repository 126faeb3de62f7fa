//! Where the keys of a stream are, and the document of its transmitter.

use std::path::PathBuf;

use ::keys::trust::{Discovery, Fetch, FetchNames, IssuerKeys};
use reqwest::Url;
use service::settings::Settings;

/// How keys of a stream are fetched: as those of an issuer.
const FETCH: FetchNames = FetchNames { keys_url: "jwks_url", ..FetchNames::TABLE };

/// Where a transmitter's document stands (SSF 1.0 section 7.2.1).
const WELL_KNOWN: &str = "/.well-known/ssf-configuration";

/// The keys of a stream, and the document of its transmitter.
pub(super) struct Sources {
    pub(super) keys: IssuerKeys,
    /// Where the document is, if the transmitter has one.
    pub(super) document: Option<Url>,
}

/// Reads the one place where the keys come from, and the address of the transmitter's document.
pub(super) fn read(table: &mut Settings, issuer: Option<&str>) -> Sources {
    let file = table.text("keys_file").map(PathBuf::from);
    let urls = table.list("jwks_url").unwrap_or_default();
    let wanted = table.flag("discovery");
    let told = table.text("discovery_url");
    let found = issuer.and_then(well_known);
    let fetches = file.is_none() && urls.is_empty();
    let address = told.clone().or_else(|| found.filter(|_| wanted.unwrap_or(fetches)));
    if wanted == Some(false) && told.is_some() {
        table.fault("discovery", "is false, though discovery_url is set; leave one of them out");
    }
    if fetches && wanted == Some(false) {
        table.fault("issuer", "has no keys: set jwks_url or keys_file, or leave discovery = false out");
    } else if address.is_none() && (fetches || wanted == Some(true)) && issuer.is_some() {
        table.fault(
            "issuer",
            "leads to no document, since it is no http(s) URL: set discovery_url, jwks_url or keys_file",
        );
    }
    let of_keys = fetches.then(|| address.clone()).flatten();
    let is_key_source = of_keys.is_some();
    let discovery = of_keys.zip(issuer).map(|(url, issuer)| Discovery {
        issuer: issuer.to_owned(),
        aliases: Vec::new(),
        url: Some(url),
        setting: None,
    });
    let keys = IssuerKeys {
        file,
        urls,
        discovery: discovery.into_iter().collect(),
        fetch: Fetch::read(table, FETCH),
        optional: true,
    };
    let document = address.and_then(|address| match Url::parse(&address) {
        Ok(url) => Some(url),
        Err(_) => {
            // As a place of keys it is judged beside the others.
            if !is_key_source {
                table.fault("discovery_url", "expected an http(s) URL");
            }
            None
        }
    });
    Sources { keys, document }
}

/// Where a transmitter's document stands: between the host and the path of its name.
pub(super) fn well_known(issuer: &str) -> Option<String> {
    let mut url = Url::parse(issuer).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let path = format!("{WELL_KNOWN}{}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(url.into())
}
