//! Where an issuer's discovery document is, and whose it may be, as an operator writes it.

use std::fmt;

use jose::IssuerName;

use service::settings::Settings;

/// An issuer whose discovery document names the URL of its keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Discovery {
    /// The issuer: the `iss` of its tokens, letter for letter.
    pub issuer: String,
    /// Other names that it goes by, in tokens and in its document.
    pub aliases: Vec<String>,
    /// Where the document is, if not where the issuer's own name leads to.
    pub url: Option<String>,
    /// The flat setting that names the issuer; absent: a table does.
    pub setting: Option<&'static str>,
}

impl fmt::Debug for Discovery {
    // A query or a password in a URL is a secret.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = out.debug_struct("Discovery");
        shown.field("issuer", &self.issuer).field("aliases", &self.aliases);
        shown.field("url", &self.url.is_some()).finish()
    }
}

impl Discovery {
    /// The issuer that a flat setting names.
    pub fn flat(setting: &'static str, issuer: String) -> Self {
        Self { issuer, aliases: Vec::new(), url: None, setting: Some(setting) }
    }

    /// Whether the document of this issuer may call itself so.
    pub fn goes_by(&self, name: &str) -> bool {
        self.issuer == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Reads the fields `discovery` and `discovery_url` of one issuer's table.
    pub(super) fn of_table(table: &mut Settings, issuer: Option<&str>, aliases: &[String]) -> Option<Self> {
        const URL: &str = "discovery_url";
        let wanted = table.flag("discovery");
        let url = table.text(URL);
        if url.as_ref().is_some_and(|url| !is_http(url)) {
            table.fault(URL, "expected the http:// or https:// URL of the provider's discovery document");
        }
        if url.is_some() && wanted == Some(false) {
            table.fault("discovery", "is false, though discovery_url is set; leave one of them out");
        }
        let issuer = issuer.filter(|_| wanted == Some(true) || url.is_some())?.to_owned();
        if url.is_none() && IssuerName::is_template(&issuer) {
            let what = "is required: an issuer with {tenantid} leads to no document. Set it to the one of all tenants, such as \
                        https://login.example/common/v2.0/.well-known/openid-configuration";
            table.fault(URL, what);
        }
        Some(Self { issuer, aliases: aliases.to_vec(), url, setting: None })
    }
}

fn is_http(url: &str) -> bool {
    let rest = ["https://", "http://"].iter().find_map(|scheme| {
        url.get(..scheme.len())
            .filter(|start| start.eq_ignore_ascii_case(scheme))
            .and(url.get(scheme.len()..))
    });
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}
