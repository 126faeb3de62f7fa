//! Where discovery documents are.

use reqwest::Url;

/// Where metadata stand by OpenID Connect Discovery 1.0 section 4: after the issuer's path.
const OPENID: &str = "/.well-known/openid-configuration";
/// Where metadata stand by RFC 8414 section 3.1: before the issuer's path.
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Where the document of an issuer may be, in the order in which it is looked for. An issuer with a query or a fragment has
/// none (RFC 8414 section 2).
pub fn addresses(issuer: &str) -> Option<Vec<Url>> {
    let issuer = Url::parse(issuer).ok().filter(is_http)?;
    if issuer.query().is_some() || issuer.fragment().is_some() {
        return None;
    }
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    let mut places = vec![at(format!("{path}{OPENID}")), at(format!("{OAUTH}{path}"))];
    if !path.is_empty() {
        places.push(at(format!("{OPENID}{path}")));
    }
    Some(places)
}

pub(super) fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}
